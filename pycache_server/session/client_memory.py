"""What clients take, and maxmemory-clients: who takes most is ended while all together take more.

Each client is counted with what its connection takes by itself, what has come of commands that are not whole, what is
queued for EXEC, what it has not read, and what it watches, listens to and tracks. The sum is kept: each tick looks at
those that took much the last time, and at a part of the others, so that ten thousand idle ones cost nothing. Who does
not read is counted whenever it is sent something, and who sends much before that is looked at.

Replicas, masters and clients that have been asked not to be evicted (CLIENT NO-EVICT) are spared, and the latter count
all the same, as in Redis.

Source: redis.io/docs/latest/develop/reference/clients, "Client eviction".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pycache_server.session.describe import describe, memory_of

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

LEAST = 128 * 1024
"""Bytes that a limit is at least: with less nobody could be served who might set it right."""
MUCH = 16 * 1024
"""Bytes from which on a client is looked at in every tick."""
_COUNTED = ("normal", "pubsub")
"""The kinds of clients that are limited."""


class ClientMemory:
    """The account of one server's clients."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sizes: dict[int, int] = {}  # by number of the client, as it was when it was last looked at
        self._large: set[int] = set()
        self.total = 0
        """Bytes of all that are limited."""
        self.share = 0
        """maxmemory-clients: bytes, a part of maxmemory in percent where it is negative, 0 for no limit."""
        self._is_told = False  # that too much is taken, and nobody may go

    @property
    def limit(self) -> int:
        """Bytes that all may take together, 0 for any."""
        size, whole = self.share, self._core.keyspace.maxmemory
        if size < 0:
            size = whole * -size // 100 if whole > 0 else 0
        return max(size, LEAST) if size else 0

    def look(self, sessions: Iterable[Session]) -> None:
        """Count these clients, and those that took much, anew, and end the largest while there is too much."""
        limit = self.limit
        if not limit:
            if self._sizes:
                self._sizes.clear()
                self._large.clear()
                self.total = 0
            return
        for session in sessions:
            if session.id:  # it is no client that runs the commands of scripts
                self._count(session)
        known = self._core.sessions
        for number in self._large.copy():
            if number in known:
                self._count(known[number])
            else:
                self.forget(number)
        if self.total >= limit:
            self._make_room(limit)
        else:
            self._is_told = False

    def refuses(self, session: Session, size: int) -> bool:
        """Count a client with so many bytes that come from it. Whether that was too much, so that it is ended."""
        if self.share:
            self._count(session, size)
            if 0 < self.limit <= self.total:
                self._make_room(self.limit)
        return session.closing

    def forget(self, number: int) -> None:
        """A client has gone."""
        self.total -= self._sizes.pop(number, 0)
        self._large.discard(number)

    def _count(self, session: Session, more: int = 0) -> None:
        number = session.id
        size = memory_of(session) + more if session.kind() in _COUNTED and not session.closing else 0
        self.total += size - self._sizes.get(number, 0)
        self._sizes[number] = size
        if size >= MUCH:
            self._large.add(number)
        else:
            self._large.discard(number)

    def _make_room(self, limit: int) -> None:
        """End the largest clients that may go until less than ``limit`` bytes are taken."""
        core = self._core
        for number in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            session = core.sessions.get(number)
            if session is not None and "no-evict" not in session.flags and self._sizes[number]:
                core.host.log("notice", f"Evicting client: {describe(session)}")
                core.stats.evicted_clients += 1
                self.forget(number)
                session.abort()
                if self.total < limit:
                    return
        if not self._is_told:
            self._is_told = True
            core.host.log("warning", "Over client maxmemory after evicting all evictable clients")

    def _check(self) -> None:
        """Assert that the sum is right."""
        assert self.total == sum(self._sizes.values())
        assert all(self._sizes[number] >= MUCH for number in self._large)
