"""W-TinyLFU: whoever wants in must be asked for more often than whoever would have to go.

New entries go into a small window in the order of the last access, a hundredth of the cache. The one that drops out
of it is the candidate for the main part, and the entry that the main part would give up is compared with it: a sketch
of all recent requests (sketch.py) tells which of the two was asked for more often, and the other one goes. The main
part is a segmented LRU: entries come in on *probation*, and are *protected* from their next access on; what exceeds
four fifths of the main part falls back from there.

It does best where what is asked for often stays the same, and worst where bursts do not fit into the window.

Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage
2017.
"""

from __future__ import annotations

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.ring import LinkedEntry, Ring
from pycache_server.evict.sketch import Sketch

WINDOW_PART = 100
"""The window has one in so many of the entries."""
PROTECTED = 0.8
"""The share of the main part that may be protected."""


class TinyLfuEntry(LinkedEntry):
    """``ring`` is where it is."""

    __slots__ = ("ring",)

    ring: Ring[TinyLfuEntry]


class TinyLfu(Engine):
    """A window, a main part of two rings, and a sketch."""

    entry_type = TinyLfuEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._window = Ring[TinyLfuEntry]()
        self._probation = Ring[TinyLfuEntry]()
        self._protected = Ring[TinyLfuEntry]()
        self._sketch = Sketch()
        self._count = 0

    def admit(self, entry: TinyLfuEntry) -> None:
        self._count += 1
        if self._count > self._sketch.capacity:
            self._sketch.grow()
        self._sketch.touch(hash(entry.key))
        entry.ring = self._window
        self._window.push(entry)
        self._narrow(1)

    def access(self, entry: TinyLfuEntry) -> None:
        self._sketch.touch(hash(entry.key))
        ring = entry.ring
        if ring is not self._probation:
            ring.remove(entry)
            ring.push(entry)
            return
        self._move(entry, self._protected)
        if self._protected.size > (self._count - self._window_share()) * PROTECTED:
            fallen = self._protected.oldest()
            assert fallen is not None
            self._move(fallen, ring)

    def discard(self, entry: TinyLfuEntry) -> None:
        self._count -= 1
        entry.ring.remove(entry)
        del entry.ring

    def exchange(self, old: TinyLfuEntry, new: TinyLfuEntry) -> None:
        old.ring.replace(old, new)
        del old.ring

    def evicted(self, entry: TinyLfuEntry) -> None:
        self.discard(entry)
        self._narrow(0)

    def victim(self) -> TinyLfuEntry | None:
        candidate = self._window.oldest()
        threatened = self._probation.oldest() or self._protected.oldest()
        if candidate is None or threatened is None:
            return candidate or threatened
        if self._window.size <= self._window_share():
            return threatened
        estimate = self._sketch.estimate
        wanted_more = estimate(hash(candidate.key)) > estimate(hash(threatened.key))
        return threatened if wanted_more else candidate

    def report(self) -> dict[str, int | float | str]:
        return {"window": self._window.size, "probation": self._probation.size, "protected": self._protected.size}

    def _window_share(self) -> int:
        return max(1, self._count // WINDOW_PART)

    def _narrow(self, more: int) -> None:
        """Let the window's oldest go on to the main part if there are more in it than it may have, and ``more``."""
        if self._window.size > self._window_share() + more:
            oldest = self._window.oldest()
            assert oldest is not None
            self._move(oldest, self._probation)

    def _move(self, entry: TinyLfuEntry, ring: Ring[TinyLfuEntry]) -> None:
        entry.ring.remove(entry)
        entry.ring = ring
        ring.push(entry)

    def _check(self) -> None:
        rings = (self._window, self._probation, self._protected)
        for ring in rings:
            ring._check()
            assert all(entry.ring is ring for entry in ring)
        assert sum(ring.size for ring in rings) == self._count
        self._sketch._check()
