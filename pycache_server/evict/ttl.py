"""The key goes that would expire soonest.

Redis samples a few keys with a time to live; here all of them are in order, so the answer is exact, and of keys with
the same time the one goes that got it first. ``maxmemory-samples`` has nothing to do here. The engine is for keys
with a time to live alone, ``volatile-ttl``, as in Redis: those without one all come last, and by age.

The order is a sorted list in parts of about a thousand, so no step depends on the number of keys by more than its
logarithm. The ranks differ even where the times are equal: otherwise a hundred thousand keys that are due at one
instant would have to be searched through to take out one of them.

Accesses change nothing. It is rarely the best choice for hits: what is removed is what would have been removed soon.
"""

from __future__ import annotations

from itertools import count
from operator import attrgetter

from sortedcontainers import SortedKeyList

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine, Surroundings

_ORDER_BITS = 64


class RankedEntry(SizedEntry):
    """``rank`` is the time it expires, and below that the order in which times were given."""

    __slots__ = ("rank",)

    rank: int


class Ttl(Engine):
    """Entries by the time they expire."""

    entry_type = RankedEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._order = count()
        self._entries = SortedKeyList(key=attrgetter("rank"))

    def admit(self, entry: RankedEntry) -> None:
        entry.rank = entry.expires << _ORDER_BITS | next(self._order)
        self._entries.add(entry)

    def access(self, entry: RankedEntry) -> None:
        """Nothing to remember."""

    def retime(self, entry: RankedEntry) -> None:
        self.discard(entry)
        self.admit(entry)

    def discard(self, entry: RankedEntry) -> None:
        self._entries.remove(entry)

    def victim(self) -> RankedEntry | None:
        return self._entries[0] if self._entries else None

    def _check(self) -> None:
        self._entries._check()
        assert all(entry.rank >> _ORDER_BITS == entry.expires for entry in self._entries)
