"""Least recently used: the key goes that has not been touched for the longest time.

Redis samples a few keys and compares their clocks, which tick once a second. Here all are in order. To move an entry to
the front at each access would touch its neighbours, two entries that are in nobody's cache; it cost more than all the
rest of a read. So an access only writes down when it was (``Marker``), and entries move when a victim is looked for:
they lie in rings, one for each time, and whoever comes up in the oldest ring and was accessed after that time goes on
to the ring of its last access. Each access is answered by one move at most, and the accesses in between by none.

Time goes on in ticks. In a cache of up to EXACT entries each access is one, and the order is exact. In a greater one a
tick is a 256th of the entries that have come (or a second, for OBJECT IDLETIME): who was accessed within the same tick
goes in the order in which it came into its ring, which is too early by a 256th of the time that an entry stays.
``maxmemory-samples`` has nothing to do here.

Source: the policy is as old as paging; see Belady, "A study of replacement algorithms for a virtual-storage computer",
IBM Systems Journal 1966.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from sortedcontainers import SortedDict

from pycache_server.evict.base import Engine, Marker, Surroundings
from pycache_server.evict.moments import Moments
from pycache_server.evict.ring import LONGEST_WALK, LinkedEntry

EXACT = 1024
"""Up to so many entries each access has a time of its own."""
_GRAINS = 5
"""A tick is this power of two less entries than there are."""
_MERGED = 32
"""So many rings of single accesses become one."""
_SECOND = 1.0


class LruEntry(LinkedEntry):
    """``mark`` is the tick of the last access."""

    __slots__ = ()

    mark: float


class _Now(Marker):
    """The current tick, or the next one at each access, while the engine lets its ``__class__`` be _Next."""

    __slots__ = ("engine",)

    engine: Lru


class _Next(_Now):
    """A new tick for each access."""

    __slots__ = ()

    @property
    def mark(self) -> float:
        """The next tick."""
        return self.engine._advance()


class Lru(Engine):
    """Rings by the tick of the last access, as far as it is known."""

    entry_type = LruEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._rings: SortedDict[float, LruEntry] = SortedDict()  # heads of rings by their ticks
        self._newest = self._oldest = self._open(0)
        self._count = 0
        self._tick = 0
        self._left = 1  # entries that come until the next tick
        self._single = range(0)  # ticks whose rings are of single accesses, while they are merged (_merge)
        self._moments = Moments(self.now())
        self.marker: _Now = _Next(LruEntry, 0)
        self.marker.engine = self

    def admit(self, entry: LruEntry) -> None:
        self._count += 1
        self._left -= 1
        if self._left <= 0:
            self._go_on()
        entry.mark = self._tick
        head = self._newest
        last = head.older
        entry.older = last
        entry.newer = head
        last.newer = head.older = entry

    def access(self, entry: LruEntry) -> None:
        entry.mark = self.marker.mark

    def discard(self, entry: LruEntry) -> None:
        newer, older = entry.newer, entry.older
        newer.older = older
        older.newer = newer
        entry.newer = entry.older = None
        self._count -= 1
        if newer is older:
            self._close(newer)

    def victim(self) -> LruEntry | None:
        for _ in range(LONGEST_WALK):
            head = self._oldest
            entry: LruEntry = head.newer
            if entry is head:
                if not self._count:
                    return None
                if head is self._newest:  # all have been accessed since
                    self._newest = self._rings.get(self._tick) or self._open(self._tick)
                self._close(head)
            elif entry.mark <= head.mark:
                return entry
            else:
                self._move(entry)
        return self._any_oldest()

    def take_victims(self, most: int, size: int) -> list[LruEntry]:
        taken: list[LruEntry] = []
        if most <= 0 or size <= 0:
            return taken
        rings, left = self._rings, most
        head: Any = self._oldest
        tick, entry = head.mark, head.newer
        for _ in range(LONGEST_WALK):
            newer = entry.newer
            if (mark := entry.mark) > tick:  # _move, which costs as much again to call
                try:
                    ring: Any = rings[mark]
                except KeyError:
                    ring = self._open(mark)
                entry.older = newest = ring.older
                entry.newer = ring
                newest.newer = ring.older = entry
            elif entry is not head:
                entry.newer = entry.older = None
                taken.append(entry)
                size -= entry.size
                left -= 1
                if size <= 0 or not left:
                    entry = newer
                    break
            else:  # the ring is empty now, and what is next is not in it
                head.newer = head.older = head
                self._count -= most - left
                most = left
                if self.victim() is None:
                    return taken
                head = self._oldest
                tick, newer = head.mark, head.newer
            entry = newer
        head.newer = entry
        entry.older = head
        self._count -= most - left
        if not taken and (victim := self.victim()) is not None:
            self.discard(victim)
            taken.append(victim)
        return taken

    def exchange(self, old: LruEntry, new: LruEntry) -> None:
        new.mark = old.mark
        new.newer, new.older = old.newer, old.older
        new.newer.older = new.older.newer = new
        del old.newer, old.older

    def look(self) -> None:
        if self.now() - self._moments.last >= _SECOND:
            self._go_on()

    def idle_seconds(self, entry: LruEntry) -> int | None:
        return max(0, int(self.now() - self._moments.time_of(entry.mark)))

    def was_accessed(self, entry: LruEntry, idle: int | None, frequency: int | None) -> None:
        if idle:
            entry.mark = self._moments.tick_at(self.now() - idle)
            self._move(entry)

    # Time

    def _advance(self) -> int:
        """The next tick."""
        self._tick = tick = self._tick + 1
        self._moments.note(tick, self.now())
        return tick

    def _go_on(self) -> None:
        """The next tick, and a ring for those who come in it."""
        tick = self._advance()
        exact = self._count < EXACT
        self._left = 1 if exact else self._count >> _GRAINS
        kind = _Next if exact else _Now
        if type(self.marker) is not kind:
            self.marker.__class__ = kind
            self._single = range(0 if exact else tick)
        if kind is _Now:
            self.marker.mark = tick
        before = self._newest
        self._newest = self._rings.get(tick) or self._open(tick)
        if before.newer is before:
            self._close(before)
        if self._single:
            self._merge()

    # Rings

    def _open(self, tick: float) -> LruEntry:
        """Make the ring of a tick."""
        head = LruEntry(b"", None)
        head.mark = tick
        head.newer = head.older = self._rings[tick] = head
        return head

    def _close(self, head: LruEntry) -> None:
        """A ring has become empty: it goes, but for the newest."""
        if head is not self._newest:
            del self._rings[head.mark], head.newer, head.older
            if head is self._oldest:
                self._oldest = self._rings.peekitem(0)[1]

    def _merge(self) -> None:
        """The next rings of single accesses become one, as if a tick had been as long then as now: each costs as much
        as three entries."""
        ticks = list(islice(self._rings.irange(self._single.start, self._single.stop - 1), _MERGED))
        self._single = range(ticks[-1] + 1 if ticks else self._single.stop, self._single.stop)
        heads = [self._rings[tick] for tick in ticks]
        for head in heads[-2::-1]:  # each in front of what is younger
            into, first, last = heads[-1], head.newer, head.older
            if first is not head:
                first.older, last.newer = into, into.newer
                into.newer.older, into.newer = last, first
            self._close(head)

    def _move(self, entry: Any) -> None:
        """Put an entry that is in a ring into that of its last access."""
        newer, older = entry.newer, entry.older
        newer.older = older
        older.newer = newer
        head = self._rings.get(entry.mark)
        if head is None:
            head = self._open(entry.mark)
            if head.mark < self._oldest.mark:
                self._oldest = head
        last = head.older
        entry.older = last
        entry.newer = head
        last.newer = head.older = entry
        if newer is older:
            self._close(newer)

    def _any_oldest(self) -> LruEntry | None:
        """An entry of the oldest ring that there is one in."""
        for head in self._rings.values():
            if head.newer is not head:
                return head.newer  # type: ignore[no-any-return]
        return None

    def _check(self) -> None:
        assert self._oldest is self._rings.peekitem(0)[1] and self._rings[self._newest.mark] is self._newest
        count = 0
        for tick, head in self._rings.items():
            assert head.mark == tick and (head.newer is not head or head in (self._newest, self._oldest))
            entry = head.newer
            while entry is not head:
                assert entry.newer.older is entry and entry.older.newer is entry and entry.mark <= self._tick
                count += 1
                entry = entry.newer
        assert count == self._count
        self._moments._check()
