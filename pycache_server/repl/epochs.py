"""Which leader has written which part of a history: a table of (epoch, first offset), and where two histories part.

Two histories that hold an entry of the same epoch at the same offset are the same up to there, because one leader has
written that epoch, each after what it held. So two of them agree up to the smaller end of their newest common epoch.
Comparing offsets alone would join what two leaders have written at the same place.
"""

from __future__ import annotations

from bisect import bisect_right

from pycache_server.election.position import Table


class Epochs:
    """The table of one history."""

    __slots__ = ("_firsts", "_numbers")

    def __init__(self, table: Table = ()) -> None:
        self._numbers = [epoch for epoch, _ in table]
        self._firsts = [first for _, first in table]

    @property
    def last(self) -> int:
        """The epoch of the last entry; 0 if there is none."""
        return self._numbers[-1] if self._numbers else 0

    @property
    def table(self) -> Table:
        """The rows, to be sent or written."""
        return tuple(zip(self._numbers, self._firsts, strict=True))

    def begin(self, epoch: int, first: int) -> None:
        """The history goes on with the first entry of an epoch."""
        self._numbers.append(epoch)
        self._firsts.append(first)

    def cut(self, end: int) -> None:
        """The history ends here: epochs that begin at or behind it are gone."""
        while self._firsts and self._firsts[-1] >= end:
            self._numbers.pop()
            self._firsts.pop()

    def at(self, end: int) -> int:
        """The epoch of the entry that ends here; 0 at the beginning."""
        found = bisect_right(self._firsts, end - 1)
        return self._numbers[found - 1] if found else 0

    def _check(self) -> None:
        assert self._numbers == sorted(set(self._numbers))
        assert self._firsts == sorted(set(self._firsts))


def common_end(mine: Table, my_end: int, theirs: Table, their_end: int) -> int:
    """Up to which offset two histories are the same."""
    my_rows = dict(_spans(mine, my_end))
    cut = 0
    for (epoch, first), end in _spans(theirs, their_end):
        if (epoch, first) in my_rows:
            cut = min(end, my_rows[epoch, first])
    return cut


def _spans(table: Table, end: int) -> list[tuple[tuple[int, int], int]]:
    ends = [first for _, first in table[1:]]
    return list(zip(table, [*ends, end], strict=True)) if table else []
