"""A database whose keys do not live as long as clients like: default-ttl and max-ttl.

A key that comes to be without a time to live gets the default one, and none lives longer than the longest one. Both are
applied by the write, as an absolute time, so that a replica or a log of changes sees a time to live as any other; what
is there already stays as it is. A mix-in of shape.py: while neither is set no write looks for them.
"""

from __future__ import annotations

from typing import Any

from pycache_server.entry import NEVER
from pycache_server.store.database import Database
from pycache_server.store.events import Event
from pycache_server.store.scopes import Scoped


class Lifetimes:
    """The two settings, in ms: 0 stands for none where a wider scope has one."""

    def __init__(self, default: Scoped[int], longest: Scoped[int]) -> None:
        self._default = default
        self._longest = longest

    def concerns(self, database: int) -> bool:
        """Whether a database has a setting."""
        return self._default.concerns(database) or self._longest.concerns(database)

    def end(self, database: int, key: bytes, expires: int, now: int) -> int:
        """When a key expires, in ms, that comes to be at ``now`` and was to expire at ``expires``."""
        if expires == NEVER:
            default = self._default.of(database, key)
            if default:
                expires = now + default
        return self.bounded(database, key, expires, now)

    def bounded(self, database: int, key: bytes, expires: int, now: int) -> int:
        """The same for a key that is there."""
        longest = self._longest.of(database, key)
        return min(expires, now + longest) if longest else expires


class MortalDatabase(Database):
    """A database that gives keys a time to live. Every write that sets one, or makes a key, ends here."""

    __slots__ = ()

    def put(self, key: bytes, value: Any, event: Event) -> None:
        expires = self._end(key, NEVER)
        if expires == NEVER:
            super().put(key, value, event)
        else:
            super().put_until(key, value, expires, event)
            self.has_bounded(key)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        end = self._end(key, expires)
        super().put_until(key, value, end, event)
        if end != expires:
            self.has_bounded(key)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        if self.expires_at(key) is not None or (expires := self._end(key, NEVER)) == NEVER:
            super().update(key, value, event)
        else:
            super().put_until(key, value, expires, event)
            self.has_bounded(key)

    def place(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        end = self._end(key, expires)
        super().place(key, value, end, event)
        if end != expires:
            self.has_bounded(key)

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        end = self._bounded(key, expires)
        done = super().expire(key, end, event)
        if end != expires:
            self.has_bounded(key)
        return done

    def persist(self, key: bytes, event: Event) -> bool:
        until = self._bounded(key, NEVER)
        if until == NEVER or self.expires_at(key) in (None, NEVER):
            return super().persist(key, event)
        done = super().expire(key, until, event)
        self.has_bounded(key)
        return done

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        return self._increment_any(key, self.find(key), delta, event)  # which ends in ``update``

    def _end(self, key: bytes, expires: int) -> int:
        lifetimes = self.keyspace.lifetimes
        return lifetimes.end(self.index, key, expires, self.clock.now()) if lifetimes is not None else expires

    def _bounded(self, key: bytes, expires: int) -> int:
        lifetimes = self.keyspace.lifetimes
        return lifetimes.bounded(self.index, key, expires, self.clock.now()) if lifetimes is not None else expires
