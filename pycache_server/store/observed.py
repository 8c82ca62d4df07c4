"""A database while somebody listens: WATCH, blocked clients, keyspace events, tracking.

The same operations as Database, each of which tells ``keyspace.observer`` after its change. Which class a database has
is decided by ``Keyspace.observe``; nothing is tested for while nobody listens.
"""

from __future__ import annotations

from typing import Any, Protocol

from pycache_server.entry import Entry
from pycache_server.store.database import Database
from pycache_server.store.events import EVICTED_KEY, EXPIRED_KEY, MISSED, NEW_KEY, Event


class Observer(Protocol):
    """Who hears of changes while a database is observed."""

    def changed(self, database: Database, key: bytes, event: Event) -> None:
        """The value of ``key`` was set, changed in place or removed, as ``event`` says."""

    def lost(self, database: Database, key: bytes, value: Any, event: Event) -> None:
        """A key has gone by itself, with its value, as ``changed`` has told."""

    def flushed(self, database: Database) -> None:
        """The database is about to be emptied."""

    def emptied(self) -> None:
        """One database or all of them are being emptied, by one command; also told while none is observed."""

    def swapped(self, first: Database, second: Database) -> None:
        """The contents of two databases are about to be exchanged."""


class ObservedDatabase(Database):
    """A database that tells. Also a mix-in before EvictingDatabase: every change goes through ``super``."""

    __slots__ = ()

    @property
    def _observer(self) -> Observer:
        observer = self.keyspace.observer
        assert observer is not None
        return observer

    def _tell(self, key: bytes, event: Event, new: bool = False) -> None:
        if new:
            self._observer.changed(self, key, NEW_KEY)
        self._observer.changed(self, key, event)

    def _is_new(self, key: bytes) -> bool:
        return self.expires_at(key) is None

    def read(self, key: bytes) -> Any:
        value = super().read(key)
        if value is None:
            self._observer.changed(self, key, MISSED)
        return value

    def get_string(self, key: bytes) -> bytes | None:
        value = super().get_string(key)
        if value is None:
            self._observer.changed(self, key, MISSED)
        return value

    def read_string(self, key: bytes) -> bytes | None:
        value = super().read_string(key)
        if value is None:
            self._observer.changed(self, key, MISSED)
        return value

    def look(self, key: bytes, announce: bool = True) -> Any:
        value = super().look(key, announce)
        if value is None and announce:
            self._observer.changed(self, key, MISSED)
        return value

    def put(self, key: bytes, value: Any, event: Event) -> None:
        new = self._is_new(key)
        super().put(key, value, event)
        self._tell(key, event, new)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        new = self._is_new(key)
        super().put_until(key, value, expires, event)
        self._tell(key, event, new)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        new = self._is_new(key)
        super().update(key, value, event)
        self._tell(key, event, new)

    def touched(self, key: bytes, event: Event, changes: int = 1) -> None:
        super().touched(key, event, changes)
        self._tell(key, event)

    def announce(self, key: bytes, event: Event) -> None:
        self._tell(key, event)

    def delete(self, key: bytes, event: Event) -> bool:
        deleted = super().delete(key, event)
        if deleted:
            self._tell(key, event)
        return deleted

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        done = super().expire(key, expires, event)
        if done:
            self._tell(key, event)
        return done

    def persist(self, key: bytes, event: Event) -> bool:
        done = super().persist(key, event)
        if done:
            self._tell(key, event)
        return done

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        return self._increment_any(key, self.find(key), delta, event)  # which ends in ``update``

    def flush(self) -> int:
        self._observer.flushed(self)
        return super().flush()

    def _has_been_evicted(self, entry: Entry) -> None:
        super()._has_been_evicted(entry)
        self._tell(entry.key, EVICTED_KEY)
        self._observer.lost(self, entry.key, entry.value, EVICTED_KEY)

    def _has_expired(self, entry: Entry) -> None:
        super()._has_expired(entry)
        self._observer.lost(self, entry.key, entry.value, EXPIRED_KEY)
