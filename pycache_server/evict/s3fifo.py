"""S3-FIFO: three queues, none of which is ever reordered.

Most keys are asked for once and never again. A new one goes into a small queue, a tenth of the cache. If it has been
accessed more than once by the time it gets to the end, it goes on to the main queue, otherwise it is given up and
becomes a ghost: a key that comes back while it is one goes to the main queue at once. At the end of the main queue an
entry that has been accessed starts again, at the price of one of up to three accesses that are counted.

An access adds one to a small number, or does nothing. Searches for a victim stop after LONGEST_WALK entries.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
"""

from __future__ import annotations

from typing import Any

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.ghosts import Ghosts
from pycache_server.evict.ring import LONGEST_WALK, LinkedEntry, Ring

SMALL_PART = 10
"""The small queue is to have a tenth of the entries."""
MOST = 3
"""Accesses are counted up to so many."""
_MAIN = 4


class S3FifoEntry(LinkedEntry):
    """``mark`` counts accesses from 0 to 3, from 4 to 7 in the main queue."""

    __slots__ = ()

    mark: int


class S3Fifo(Engine):
    """The small queue, the main queue, and the ghosts of what left the small one."""

    entry_type = S3FifoEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._small = Ring[S3FifoEntry]()
        self._main = Ring[S3FifoEntry]()
        self._ghosts = Ghosts()

    def admit(self, entry: S3FifoEntry) -> None:
        if self._ghosts.take(hash(entry.key)) is None:
            entry.mark = 0
            self._small.push(entry)
        else:
            entry.mark = _MAIN
            self._main.push(entry)

    def access(self, entry: S3FifoEntry) -> None:
        uses = entry.mark
        if uses & MOST != MOST:
            entry.mark = uses + 1

    def discard(self, entry: S3FifoEntry) -> None:
        (self._main if entry.mark >= _MAIN else self._small).remove(entry)

    def exchange(self, old: S3FifoEntry, new: S3FifoEntry) -> None:
        self._small.replace(old, new)  # or in the other one, which is the same

    def remains(self) -> list[Any]:
        return [self._ghosts] if self._ghosts else []

    def evicted(self, entry: S3FifoEntry) -> None:
        if entry.mark < _MAIN:
            count = self._small.size + self._main.size
            self._ghosts.add(hash(entry.key), max(1, count - count // SMALL_PART))
        self.discard(entry)

    def victim(self) -> S3FifoEntry | None:
        small, main = self._small, self._main
        for _ in range(LONGEST_WALK):
            if small.size and (small.size * SMALL_PART >= small.size + main.size or not main.size):
                entry = small.oldest()
                assert entry is not None
                if entry.mark < 2:
                    return entry
                small.remove(entry)
                entry.mark = _MAIN
            else:
                entry = main.oldest()
                if entry is None or entry.mark == _MAIN:
                    return entry
                main.remove(entry)
                entry.mark -= 1
            main.push(entry)
        return small.oldest() or main.oldest()

    def report(self) -> dict[str, int | float | str]:
        return {"small": self._small.size, "main": self._main.size, "ghosts": self._ghosts.size}

    def _check(self) -> None:
        for ring in (self._small, self._main):
            ring._check()
        self._ghosts._check()
        assert all(0 <= entry.mark <= MOST for entry in self._small)
        assert all(_MAIN <= entry.mark <= _MAIN + MOST for entry in self._main)
