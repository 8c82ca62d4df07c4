"""Regions by time to live: what is due goes first, then whatever region earns the fewest hits for its place.

Keys of one kind have one time to live: tokens a minute, pages an hour, profiles a day. So the time to live tells kinds
apart, and hits of a kind tell what its next entry is worth. A region has the entries whose time to live was within half
an octave when it was given, in the order in which it was given, which is nearly the order in which they expire. For a
victim:

1. a region whose oldest entries are due gives them up, one after the other, whatever else may be;
2. otherwise the region with the fewest hits for its number of entries gives up a batch. Hits are halved once for each
   turnover of half the cache, so the comparison is about the present.

Within a region a hand moves from the old end to the new one, as in SIEVE: it spares what has been accessed since it
passed, and gives up what has not.

Entries without a time to live are a region of their own. While there is no other, hits are not counted: there is
nothing to compare them with.

An entry's mark tells both its region and whether it has been visited, which spares it a slot: each region has two marks
that its entries share.

Evicting what expires soonest, which needs no regions, is worse: the keys that live shortest are often the ones in use.

Sources: Yang, Yue, Vinayak, "Segcache: a memory-efficient and scalable in-memory key-value cache for small objects",
NSDI 2021, whose segments of one time to live are expired as a whole and merged by hits; Zhang et al., "SIEVE is simpler
than LRU", NSDI 2024.
"""

from __future__ import annotations

from typing import Any

from pycache_server.entry import NEVER
from pycache_server.evict.base import Engine, Marker, Surroundings
from pycache_server.evict.ring import LinkedEntry
from pycache_server.evict.sieve import HandRing

FOREVER = -1
"""The kind of entries that do not expire."""
BATCH = 16
"""At most so many victims come from a region before all are compared again, and never more than a tenth of it."""


class Mark:
    """Of the entries of a ``region`` that have been visited, or of those that have not. ``visited`` is what it becomes
    by a visit."""

    __slots__ = ("region", "visited")

    region: Region
    visited: Mark


class BucketEntry(LinkedEntry):
    """``mark`` tells where it is, and whether it has been visited there."""

    __slots__ = ()

    mark: Mark


class Region(HandRing[BucketEntry]):
    """Entries of about the same time to live, and the hits they have had, decayed."""

    __slots__ = ("hits", "kind", "unvisited", "visited")

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind
        self.hits = 0.0
        self.unvisited = unvisited = Mark()
        self.visited = visited = Mark()
        unvisited.region = visited.region = self
        unvisited.visited = visited.visited = visited

    def dissolve(self) -> None:
        super().dissolve()
        del self.visited.visited, self.unvisited, self.visited, self.hand


class TimeBucket(Engine):
    """All regions by kind."""

    entry_type = BucketEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._regions: dict[int, Region] = {}
        self.marker: Marker = Marker(BucketEntry)
        self._count = 0
        self._admitted = 0
        self._chosen: Region | None = None  # the region that gives up entries
        self._left = 0  # how many more it gives up
        self._due = False  # whether it does so because they are due

    def admit(self, entry: BucketEntry) -> None:
        self._put(entry)
        self._count += 1
        self._admitted += 1
        if 2 * self._admitted > self._count:
            self._admitted = 0
            for region in self._regions.values():
                region.hits *= 0.5

    def access(self, entry: BucketEntry) -> None:
        mark = entry.mark
        entry.mark = mark.visited
        mark.region.hits += 1

    def retime(self, entry: BucketEntry) -> None:
        self.exchange(entry, entry)

    def discard(self, entry: BucketEntry) -> None:
        self._count -= 1
        self._take_out(entry)

    def exchange(self, old: BucketEntry, new: BucketEntry) -> None:
        visited = old.mark is old.mark.visited
        self._take_out(old)
        self._put(new)
        if visited:
            new.mark = new.mark.visited

    def evicted(self, entry: BucketEntry) -> None:
        self._left -= 1
        self.discard(entry)

    def victim(self) -> BucketEntry | None:
        region = self._chosen
        if region is None or self._left <= 0 or not region.size:
            region = self._choose()
        if region is None:
            return None
        return region.oldest() if self._due else region.under_hand()

    def take_victims(self, most: int, size: int) -> list[BucketEntry]:
        taken: list[BucketEntry] = []
        while len(taken) < most and size > 0:
            region = self._chosen
            if region is None or self._left <= 0 or not region.size:
                region = self._choose()
                if region is None:
                    break
            entry: Any = region.head.newer if self._due else region.under_hand()
            self._left -= 1
            self._count -= 1
            region.remove(entry)
            entry.mark = None
            if not region.size:
                self._close(region)
            taken.append(entry)
            size -= entry.size
        return taken

    def report(self) -> dict[str, int | float | str]:
        found: dict[str, int | float | str] = {"regions": len(self._regions)}
        for kind in sorted(self._regions):
            region = self._regions[kind]
            name = "forever" if kind == FOREVER else f"{round(_shortest(kind))}s"
            found[f"region_{name}"] = f"keys={region.size},hits={region.hits:.0f}"
        return found

    def _put(self, entry: BucketEntry) -> None:
        kind = self._kind(entry.expires)
        region = self._regions.get(kind)
        if region is None:
            region = self._regions[kind] = Region(kind)
            self._compare()
        entry.mark = region.unvisited
        region.push(entry)

    def _take_out(self, entry: BucketEntry) -> None:
        region = entry.mark.region
        region.remove(entry)
        del entry.mark
        if not region.size:
            self._close(region)

    def _close(self, region: Region) -> None:
        """A region has become empty."""
        del self._regions[region.kind]
        if region is self._chosen:
            self._chosen = None
        region.dissolve()
        self._compare()

    def _compare(self) -> None:
        """Count hits where there is another region to compare with; where there is none a mark tells all."""
        regions = self._regions
        self.marker.plain = None if len(regions) > 1 else BucketEntry
        if len(regions) == 1:
            (region,) = regions.values()
            self.marker.mark = region.visited

    def _kind(self, expires: int) -> int:
        """Half octaves of the time to live in ms: two for each power of two."""
        if expires == NEVER:
            return FOREVER
        left = max(1, expires - int(self.now() * 1000))
        octave = left.bit_length() - 1
        return 2 * octave + (left * left >> 2 * octave >= 2)

    def _choose(self) -> Region | None:
        """The region to give up entries next, and how many."""
        self._chosen = None
        now = self.now() * 1000
        least = 0.0
        for region in self._regions.values():
            if region.head.newer.expires <= now:
                self._chosen, self._due, self._left = region, True, 1
                return region
            worth = (region.hits + 1) / region.size
            if self._chosen is None or worth < least:
                self._chosen, least = region, worth
        if self._chosen is not None:
            self._due = False
            self._left = max(1, min(BATCH, self._chosen.size // 10))
        return self._chosen

    def _check(self) -> None:
        assert sum(region.size for region in self._regions.values()) == self._count
        for kind, region in self._regions.items():
            region._check()
            assert region.size and region.kind == kind
            assert all(entry.mark.region is region for entry in region)
            assert all(entry.mark in (region.visited, region.unvisited) for entry in region)


def _shortest(kind: int) -> float:
    """The shortest time to live of a kind in seconds."""
    return 2 ** (kind / 2) / 1000
