"""A second server that does what the feed of a first one tells, at another time, and must come to hold the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pycache_server.commands.effects import time_of, value_of
from pycache_server.commands.types import type_name
from pycache_server.server.digest import key_digest
from pycache_server.session.feed import ALL, Sink, Told
from pycache_server.store.database import Database
from pycache_server.store.field_expiry import drop_some_due
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.stream import Stream
from pycache_server.store.zset import SortedSet
from pycache_server.testing.inprocess import World


class Mirror(Sink):
    """A sink whose server executes what it hears. Its time stands still, before everything that can have happened, so
    that nothing there expires by itself."""

    def __init__(self, source: World, kind: int = ALL) -> None:
        self.kind = kind
        self.source = source
        self.world = World(databases=len(source.core.keyspace.databases))
        self.world.core.keyspace.encodings = source.core.keyspace.encodings
        self.session = self.world.core.make_session()
        self.session.executing = self.session.deny_blocking = self.session.obeys = True
        self.units: list[list[Told]] = []
        """What it has heard since the last look."""
        source.core.feed.open(self)

    def take(self, unit: list[Told]) -> None:
        self.units.append(unit)

    def follow(self) -> None:
        """Do everything that has been heard.

        Raises AssertionError where that cannot be done.
        """
        units, self.units = self.units, []
        for unit in units:
            assert unit
            for index, argv in unit:
                self._execute(index, argv)

    def _execute(self, index: int, argv: list[bytes]) -> None:
        core = self.world.core
        self.session.db = core.keyspace.databases[index]
        row = core.row(argv[0])
        assert row is not None, argv
        try:
            row.resolve(argv).call(self.session, argv)
        except Exception as error:
            raise AssertionError(f"{argv}: {error!r}") from error

    def compare(self) -> None:
        """Assert that both hold the same, when everything has expired that is to."""
        for database in self.source.core.keyspace.databases:
            _remove_expired(database)
        self.follow()
        one, other = (dict(_state(world)) for world in (self.source, self.world))
        for place in one.keys() | other.keys():
            assert one.get(place) == other.get(place), place
        self.world.check()

    def close(self) -> None:
        """Hear no more."""
        self.source.core.feed.close(self)


def _remove_expired(database: Database) -> None:
    """Remove what has expired, also what the wheel does not look at yet."""
    for key in [key for bucket in database.buckets for key in bucket]:
        if database.expires_at(key) is not None and type(value := value_of(database, key)) is VolatileHash:
            drop_some_due(database, key, value, len(value.fields))


def _state(world: World) -> Iterator[tuple[tuple[int, bytes], Any]]:
    for database in world.core.keyspace.databases:
        for key in list(database.keys()):
            yield (database.index, key), _state_of(database, key)


def _state_of(database: Database, key: bytes) -> Any:
    value = value_of(database, key)
    more: Any = None
    if isinstance(value, Hash):
        more = sorted(value.times.at.items()) if type(value) is VolatileHash else []
    elif type(value) is Stream:
        more = _stream(value)
    elif isinstance(value, SortedSet):  # of which a small one holds no -0, unless somebody has sorted it, as with Redis
        return b"zset", time_of(database, key), [(member, score + 0.0) for member, score in value.items()]
    return type_name(value), time_of(database, key), key_digest(database, key), more


def _stream(stream: Stream) -> Any:
    groups = [
        (
            name,
            group.last_id,
            group.entries_read,
            sorted(group.consumers),
            [(entry.id, entry.consumer.name, entry.time, entry.deliveries) for entry in group.pending.range()],
        )
        for name, group in stream.groups_in_order()
    ]
    return stream.last_id, stream.added, stream.max_deleted_id, stream.length, groups
