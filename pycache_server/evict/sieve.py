"""SIEVE: a queue, one bit an entry, and a hand.

New entries come in at the new end and are never moved. An access sets the entry's bit. For a victim the hand moves from
the old end towards the new one: it clears the bits that are set and takes the first entry whose bit is not. It stays
where it was, so what survives stays between older entries, and new ones, most of which are seen once only, are looked
at soon. An access is one write, which makes it one of the cheapest engines.

Two things are not as in the paper. There room is made before a key is brought in, here the newest entry is in already
when a victim is asked for: the hand goes round without looking at it. And a hand that would have to pass a million
entries whose bits are set stops after LONGEST_WALK of them.

Source: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for
web caches", NSDI 2024.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pycache_server.evict.base import Engine, Marker, Surroundings
from pycache_server.evict.ring import LONGEST_WALK, LinkedEntry, Ring


class VisitedEntry(LinkedEntry):
    """``mark`` is whether it has been accessed since it came, or since the hand passed."""

    __slots__ = ()

    mark: bool


V = TypeVar("V", bound=LinkedEntry)


class HandRing(Ring[V]):
    """A ring with a hand, which is the head where it is to start from the oldest entry."""

    __slots__ = ("hand",)

    unvisited: Any = False
    """The mark of an entry that has not been visited."""

    def __init__(self) -> None:
        super().__init__()
        self.hand: Any = self.head

    def remove(self, entry: V) -> None:
        newer, older = entry.newer, entry.older  # and not super().remove: this is part of every eviction
        if entry is self.hand:  # behind the last but the newest it starts again
            self.hand = self.head if newer is self.head.older else newer
        newer.older = older
        older.newer = newer
        entry.newer = entry.older = None
        self.size -= 1

    def replace(self, old: V, new: V) -> None:
        super().replace(old, new)
        if old is self.hand:
            self.hand = new

    def under_hand(self) -> V | None:
        """Move the hand to the first entry that has not been visited; visits on the way are forgotten. None where there
        is no entry."""
        if not self.size:
            return None
        head, unvisited = self.head, self.unvisited
        newest, oldest = head.older, head.newer
        hand = self.hand
        if hand is head or hand is newest:
            hand = oldest
        for _ in range(LONGEST_WALK):
            if hand.mark is unvisited:
                break
            hand.mark = unvisited
            hand = hand.newer
            if hand is head or hand is newest:
                hand = oldest
        self.hand = hand
        return hand  # type: ignore[no-any-return]

    def _check(self) -> None:
        super()._check()
        assert self.hand is self.head or any(entry is self.hand for entry in self)


class Sieve(Engine):
    """One ring with a hand."""

    entry_type = VisitedEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._ring = HandRing[VisitedEntry]()
        self.marker = Marker(VisitedEntry, True)

    def admit(self, entry: VisitedEntry) -> None:
        entry.mark = False
        self._ring.push(entry)

    def access(self, entry: VisitedEntry) -> None:
        entry.mark = True

    def discard(self, entry: VisitedEntry) -> None:
        self._ring.remove(entry)

    def exchange(self, old: VisitedEntry, new: VisitedEntry) -> None:
        self._ring.replace(old, new)

    def victim(self) -> VisitedEntry | None:
        return self._ring.under_hand()

    def take_victims(self, most: int, size: int) -> list[VisitedEntry]:
        taken: list[VisitedEntry] = []
        ring = self._ring
        while len(taken) < most and size > 0 and (entry := ring.under_hand()) is not None:
            ring.remove(entry)
            taken.append(entry)
            size -= entry.size
        return taken

    def _check(self) -> None:
        self._ring._check()
