"""What occurs most often in a stream of which nothing is known, with a fixed number of counters (Space-Saving).

A name that has a counter is counted. A new one takes the counter of the least, and begins with what that stood at,
which is then its ``error``: it occurred at most as often as its counter says, and at least so often but for the error.
With m counters no error is greater than an m-th of all occurrences, and whatever occurs more often than that has a
counter. Counters of the same value lie together, so that the least is found at once: O(1) an occurrence.

Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", ICDT 2005.
"""

from __future__ import annotations

from collections.abc import Hashable
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)


class Frequent(NamedTuple, Generic[T]):
    """A name that has occurred ``most`` times at most, and ``most - error`` times at least."""

    name: T
    most: int
    error: int


class Top(Generic[T]):
    """``room`` counters, at least one."""

    __slots__ = ("_counts", "_errors", "_least", "_names", "room", "total")

    def __init__(self, room: int) -> None:
        self.room = room
        self.total = 0
        """How many occurrences there have been."""
        self._counts: dict[T, int] = {}
        self._errors: dict[T, int] = {}
        self._names: dict[int, dict[T, None]] = {}  # by their count
        self._least = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: T) -> None:
        """A name has occurred."""
        self.total += 1
        count = self._counts.get(name)
        if count is None:
            if len(self._counts) < self.room:
                count = error = self._least = 0
            else:
                count = error = self._least
                victim = next(iter(self._names[count]))
                del self._counts[victim], self._errors[victim]
                self._leave(victim, count)
            self._errors[name] = error
        else:
            self._leave(name, count)
        self._counts[name] = count + 1
        self._names.setdefault(count + 1, {})[name] = None
        if self._least not in self._names:
            self._least = count + 1

    def _leave(self, name: T, count: int) -> None:
        names = self._names[count]
        del names[name]
        if not names:
            del self._names[count]

    def most(self, count: int) -> list[Frequent[T]]:
        """The most frequent names, in order."""
        found = sorted(self._counts.items(), key=itemgetter(1), reverse=True)[:count]
        return [Frequent(name, counted, self._errors[name]) for name, counted in found]

    def _check(self) -> None:
        assert len(self._counts) <= self.room
        assert self._counts.keys() == self._errors.keys()
        assert sum(self._counts.values()) == self.total
        assert self._least == min(self._names, default=0)
        assert {name: count for count, names in self._names.items() for name in names} == self._counts
        assert all(self._names.values())
