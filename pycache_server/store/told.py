"""A database while replicas or an append-only file must be told of keys that go by themselves."""

from __future__ import annotations

from pycache_server.entry import Entry
from pycache_server.store.database import Database


class ToldDatabase(Database):
    """A database that tells ``keyspace.on_gone`` of keys that have expired or been evicted, before anybody else. A
    mix-in, as ObservedDatabase."""

    __slots__ = ()

    def _has_been_evicted(self, entry: Entry) -> None:
        self.keyspace.on_gone(self, entry.key)
        super()._has_been_evicted(entry)

    def _has_expired(self, entry: Entry) -> None:
        self.keyspace.on_gone(self, entry.key)
        super()._has_expired(entry)
