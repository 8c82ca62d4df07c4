"""A database while replicas or an append-only file must be told of what happens by itself: of keys and fields that
expire or are evicted, and of times to live that come from the configuration."""

from __future__ import annotations

from typing import Protocol

from pycache_server.entry import Entry
from pycache_server.store.database import Database


class Listener(Protocol):
    """Who is told."""

    def gone(self, database: Database, key: bytes, evicted: bool) -> None:
        """A key has expired or been evicted."""

    def fields_gone(self, database: Database, key: bytes, fields: list[bytes]) -> None:
        """Fields of a hash have expired, which has others."""

    def bounded(self, database: Database, key: bytes) -> None:
        """A key has got another time to live than the command has said that is running."""


class ToldDatabase(Database):
    """A database that tells ``keyspace.listener``, before anybody else. A mix-in, as ObservedDatabase."""

    __slots__ = ()

    @property
    def _listener(self) -> Listener:
        listener = self.keyspace.listener
        assert listener is not None
        return listener

    def has_lost_rest(self, key: bytes) -> None:
        self._listener.gone(self, key, False)

    def has_lost_fields(self, key: bytes, fields: list[bytes]) -> None:
        self._listener.fields_gone(self, key, fields)

    def has_bounded(self, key: bytes) -> None:
        self._listener.bounded(self, key)

    def _has_been_evicted(self, entry: Entry) -> None:
        self._listener.gone(self, entry.key, True)
        super()._has_been_evicted(entry)

    def _has_expired(self, entry: Entry) -> None:
        self._listener.gone(self, entry.key, False)
        super()._has_expired(entry)
