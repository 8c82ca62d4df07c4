"""Least recently used, exactly: the key goes that has not been touched for the longest time.

Redis samples a few keys and compares their clocks, which tick once a second. A ring of all entries in the order of
their last access costs two slots an entry and four pointer writes an access, needs no clock to decide, and is exact.

Source: the policy is as old as paging; see Belady, "A study of replacement algorithms for a virtual-storage computer",
IBM Systems Journal 1966.
"""

from __future__ import annotations

from typing import Any

from pycache_server.entry import NEVER, SizedEntry
from pycache_server.evict.base import Engine, Surroundings


class LruEntry(SizedEntry):
    """``newer`` and ``older`` link the ring; ``used`` is the time of the last access in seconds."""

    __slots__ = ("newer", "older", "used")

    newer: LruEntry | None
    older: LruEntry | None

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        super().__init__(key, value, expires)
        self.newer = self.older = None
        self.used = 0.0


class Lru(Engine):
    """The ring's head is its own newest and oldest neighbour: ``head.older`` is the newest entry, ``head.newer`` the
    oldest."""

    entry_type = LruEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._head = head = LruEntry(b"", None)
        head.newer = head.older = head

    def admit(self, entry: SizedEntry) -> None:
        assert isinstance(entry, LruEntry)
        self._put_first(entry)

    def access(self, entry: SizedEntry) -> None:
        self.discard(entry)
        assert isinstance(entry, LruEntry)
        self._put_first(entry)

    def discard(self, entry: SizedEntry) -> None:
        assert isinstance(entry, LruEntry)
        newer, older = entry.newer, entry.older
        assert newer is not None and older is not None
        newer.older = older
        older.newer = newer
        entry.newer = entry.older = None

    def victim(self) -> SizedEntry | None:
        oldest = self._head.newer
        return oldest if oldest is not self._head else None

    def idle_seconds(self, entry: SizedEntry) -> int | None:
        assert isinstance(entry, LruEntry)
        return max(0, int(self.now() - entry.used))

    def _put_first(self, entry: LruEntry) -> None:
        head = self._head
        newest = head.older
        assert newest is not None
        entry.older = newest
        entry.newer = head
        newest.newer = head.older = entry
        entry.used = self.now()

    def _check(self) -> None:
        entry = self._head
        while True:
            older = entry.older
            assert older is not None and older.newer is entry
            if older is self._head:
                return
            assert entry is self._head or older.used <= entry.used
            entry = older
