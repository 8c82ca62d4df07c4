"""Memory that nothing uses any more, but that the allocators keep, given back to the system.

When most of the keys have gone, three things keep what they took. Buckets that are not empty keep their size: upkeep
copies those (store/tidy.py). CPython keeps free lists of small objects for the next ones of their kind; each pins an
arena of a megabyte where it lies, and only a full collection empties them. The C library keeps whatever is free between
two pieces that are not, until ``malloc_trim`` (glibc) looks for whole pages.

The last takes a quarter of a microsecond a page, several milliseconds for some megabytes: it waits for a moment in
which no client wants anything.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from pycache_server.server.gc import Collector
from pycache_server.store.tidy import Tidier


def _make_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return None
    return trim


class SpareMemory:
    """Gives back what is left over after each round of a tidier."""

    def __init__(self, tidier: Tidier, collector: Collector, trim: Callable[[int], int] | None = None) -> None:
        self._tidier = tidier
        self._collector = collector
        self._trim = trim or _make_trim()
        self._rounds = 0
        self._received = -1
        self.given_back = 0
        """How often that was done."""

    def step(self, received: int) -> None:
        """Look whether there is something to give back, and whether nobody waits: ``received`` is how many bytes have
        come from clients so far."""
        idle, self._received = received == self._received, received
        if idle and self._rounds != self._tidier.rounds:
            self._rounds = self._tidier.rounds
            self.give_back()

    def give_back(self) -> None:
        """Do so now, whoever waits."""
        self._collector.drop_free_lists()
        if self._trim is not None:
            self._trim(0)
        self.given_back += 1
