"""When the fields of a hash expire: by field, and in the order of time.

Up to FEW fields with a time to live are a plain dict, which is looked through for the earliest, the latest and those
that are due: that takes a microsecond and no memory beyond the dict. Where there are more, a SortedList of (time,
field) beside it answers the same in O(log n), so that a million fields may be due at one instant and be removed in
slices while every command already goes on as if they were gone.

FieldTimes is also the entry by which its hash hangs in the wheel of the database (``Database.fields``): one timer for a
hash, due when its first field is.
"""

from __future__ import annotations

from itertools import islice
from sys import getsizeof
from typing import Any

from sortedcontainers import SortedList

from pycache_server.entry import NEVER, TimedEntry
from pycache_server.store.clock import Clock
from pycache_server.store.table import SMALL, Table, free_buckets, size_of_buckets
from pycache_server.store.value import bytes_of

FEW = 32
"""Most fields that are looked through one by one."""
_SHARED_INT = 16
"""Bytes of a time: half an int, since fields that got their time together share it."""
_DEAR = 4
"""How many times as long as another element it takes to drop one of the order."""
_LONG_AGO = Clock()
_PAIR = 72
"""Bytes of a (time, field) and its place in the order."""


class FieldTimes(TimedEntry):
    """The times of one hash's fields, in ms since 1970.

    ``expires`` is the time for which it hangs in the wheel, ``until`` that at which the key itself expires. The clock
    is the keyspace's: see hash.py.
    """

    __slots__ = ("at", "clock", "held", "order", "until")

    def __init__(self, clock: Clock) -> None:
        super().__init__(b"", None)
        self.clock = clock
        self.at: dict[bytes, int] | Table = {}
        self.order: Any = None  # a SortedList of (time, field) where there are more than FEW
        self.held = 0
        self.until = NEVER

    def __len__(self) -> int:
        return len(self.at)

    def get(self, field: bytes) -> int:
        """When a field expires, NEVER where it has no time to live."""
        when: int = self.at.get(field, NEVER)
        return when

    def set(self, field: bytes, when: int) -> None:
        """Let a field expire at ``when``."""
        at, order = self.at, self.order
        old = at.get(field)
        at[field] = when
        if old is None:
            self.held += bytes_of(field) + _SHARED_INT
            if len(at) > FEW and order is None:
                self.order = SortedList((each, name) for name, each in at.items())
                return
            if type(at) is dict and len(at) > SMALL:
                self.at = Table(at)
        if order is not None:
            if old is not None:
                order.remove((old, field))
            order.add((when, field))

    def fill(self, times: dict[bytes, int]) -> None:
        """Let some fields expire, where none does yet."""
        self.at = times if len(times) <= SMALL else Table(times)
        self.held = sum(map(bytes_of, times)) + _SHARED_INT * len(times)
        if len(times) > FEW:
            self.order = SortedList((when, field) for field, when in times.items())

    def forget(self, field: bytes) -> None:
        """Let a field not expire."""
        when = self.at.pop(field, None)
        if when is not None:
            self.held -= bytes_of(field) + _SHARED_INT
            if self.order is not None:
                self.order.remove((when, field))

    def earliest(self) -> int:
        """When the first field expires, NEVER where none does."""
        if not len(self.at):
            return NEVER
        return int(self.order[0][0] if self.order is not None else min(self.at.values()))

    def latest(self) -> int:
        """When the last field expires of those that do, NEVER where none does."""
        if not len(self.at):
            return NEVER
        return int(self.order[-1][0] if self.order is not None else max(self.at.values()))

    def overdue(self) -> int:
        """How many fields have expired and are still there."""
        now = self.clock.now()
        if self.order is not None:
            return int(self.order.bisect_left((now + 1,)))
        return sum([when <= now for when in self.at.values()])

    def due(self, limit: int) -> list[bytes]:
        """Up to ``limit`` fields that have expired."""
        if self.order is not None:
            return [field for _, field in self.order.islice(0, min(self.overdue(), limit))]
        now = self.clock.now()
        return list(islice((field for field, when in self.at.items() if when <= now), limit))

    def memory(self) -> int:
        """Bytes of all this."""
        size = getsizeof(self) + self.held + size_of_buckets(self.at)
        return size if self.order is None else size + getsizeof(self.order) + _PAIR * len(self.at)

    def free(self, budget: int) -> int:
        """Drop about ``budget`` times of a hash that is of no other use any more; returns how many, 0 at the end. From
        then on no field counts as expired, so that the length of the hash tells what there is to free."""
        self.clock = _LONG_AGO
        if len(self.at):
            return free_buckets(self.at, budget)
        if not self.order:
            return 0
        del self.order[-max(budget // _DEAR, 1) :]
        return budget

    def copy(self) -> FieldTimes:
        """The same times for another hash; ``until`` and the place in the wheel are not copied."""
        twin = FieldTimes(self.clock)
        twin.at = self.at.copy()
        twin.held = self.held
        twin.order = None if self.order is None else self.order.copy()
        return twin

    def _check(self) -> None:
        """Assert that the order has every field at its time, and the account."""
        items = dict(self.at.items())
        assert self.held == sum(bytes_of(field) + _SHARED_INT for field in items)
        assert self.order is not None or len(items) <= FEW
        if self.order is not None:
            self.order._check()
            assert list(self.order) == sorted((when, field) for field, when in items.items())
        if isinstance(self.at, Table):
            self.at._check()
        else:
            assert len(items) <= SMALL
