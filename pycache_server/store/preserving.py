"""A database while a snapshot of it is made in slices: a bucket is saved before its first change.

A mix-in of shape.py, outermost: every operation that may change a key tells ``keyspace.snapshot`` first, with the slot
of the key's bucket. Values that are edited in place are found by ``find`` before, or ``will_edit`` tells. Keys that
expire or are evicted are not told: a snapshot may lack what has gone by itself since it began. (Who repeats the changes
that follow is told of a DEL for it.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from pycache_server.store.database import Database
from pycache_server.store.scan import SLOT_MASK


class Preserver(Protocol):
    """Who makes a snapshot."""

    def before(self, database: Database, slot: int) -> None:
        """A bucket is about to change."""

    def emptied(self, place: int) -> None:
        """A database has been emptied: what it held has been discarded at a place of ``keyspace.discarded``."""

    def abandon(self) -> None:
        """Everything has been replaced: the snapshot cannot be completed."""


Operation = TypeVar("Operation", bound=Callable[..., Any])


def _told(operation: Operation) -> Operation:
    """An operation on one key that may change it."""
    name = operation.__name__

    def run(self: PreservingDatabase, key: bytes, *rest: Any) -> Any:
        snapshot = self.keyspace.snapshot
        if snapshot is not None:
            snapshot.before(self, hash(key) & SLOT_MASK)
        return getattr(super(PreservingDatabase, self), name)(key, *rest)

    return cast(Operation, run)


class PreservingDatabase(Database):
    """A database that tells before it changes."""

    __slots__ = ()

    find = _told(Database.find)
    will_edit = _told(Database.will_edit)
    put = _told(Database.put)
    put_until = _told(Database.put_until)
    update = _told(Database.update)
    delete = _told(Database.delete)
    take = _told(Database.take)
    vacate = _told(Database.vacate)
    expire = _told(Database.expire)
    persist = _told(Database.persist)
    increment = _told(Database.increment)

    def flush(self) -> int:
        keyspace = self.keyspace
        place = len(keyspace.discarded)
        removed = super().flush()
        if keyspace.snapshot is not None and len(keyspace.discarded) > place:
            keyspace.snapshot.emptied(place)
        return removed
