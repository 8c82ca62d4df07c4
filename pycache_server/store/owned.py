"""Keys to which the clients of a follower have given a time to live, where they may write (``replica-read-only no``).

On a follower no key goes by itself: the leader says when its own do. But nobody says so of those that clients have made
here. So what they let expire is remembered, and removed when it is due. As in Redis a name is all that is known: a
leader's key that a client lets expire goes, too.

``OwnKeys`` is that memory, and ``OwningDatabase`` a mix-in of shape.py that feeds it. What the leader does is told
apart by the clock, which stands aside meanwhile (clock.py).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from pycache_server.entry import NEVER, Entry
from pycache_server.store.database import Database
from pycache_server.store.events import Event
from pycache_server.store.scan import SLOT_MASK


class OwnKeys:
    """Names by when they are due, in ms: each once, unless a time was made shorter."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, bytes]] = []
        self._times: dict[tuple[int, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._times)

    def remember(self, database: int, key: bytes, expires: int) -> bool:
        """A key of a database expires. Whether it is due before all others."""
        known = self._times.get((database, key))
        if known is not None and known <= expires:
            return False  # it is looked at again when that time has come
        self._times[database, key] = expires
        heappush(self._due, (expires, database, key))
        return self._due[0] == (expires, database, key)

    def next_due(self) -> int | None:
        """When to look next, None where nothing is remembered."""
        return self._due[0][0] if self._due else None

    def take_due(self, now: int) -> tuple[int, bytes] | None:
        """A database and a key whose time may have come, which is forgotten; None where there is none."""
        while self._due and self._due[0][0] <= now:
            expires, database, key = heappop(self._due)
            if self._times.get((database, key)) == expires:
                del self._times[database, key]
                return database, key
        return None

    def clear(self) -> None:
        """The keys are others."""
        self._due.clear()
        self._times.clear()

    def _check(self) -> None:
        """Assert that every name will be looked at."""
        assert {(expires, *name) for name, expires in self._times.items()} <= set(self._due)


def expire_own(database: Database, key: bytes) -> None:
    """The time of a key of clients may have come: remove it then, and remember it anew where it has a later one."""
    bucket = database.buckets[hash(key) & SLOT_MASK]
    entry = bucket.get(key)
    own = database.keyspace.own
    if own is None or not isinstance(entry, Entry) or entry.expires == NEVER:
        return
    if database._live_value(entry) is not None:  # else it is gone
        own.remember(database.index, key, entry.expires)


class OwningDatabase(Database):
    """A database that remembers what clients let expire."""

    __slots__ = ()

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        super().put_until(key, value, expires, event)
        self._remember(key, expires)

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        done = super().expire(key, expires, event)
        if done:
            self._remember(key, expires)
        return done

    def _remember(self, key: bytes, expires: int) -> None:
        own = self.keyspace.own
        if own is not None and not self.clock.stands_aside and own.remember(self.index, key, expires):
            self.keyspace.wake()
