"""A snapshot of a keyspace that is changed meanwhile, made in slices, without a copy of the process.

Each bucket of each database is written once: in its turn, or just before its first change, whichever comes first
(store/preserving.py). So what is written is what was there when the snapshot began, and no more is held than what has
been changed and not been taken yet. What is flushed meanwhile is freed when the snapshot has ended.

The price is the time of whoever changes a bucket first: a key waits for its bucket to be written, some 0.1 ms where a
million keys are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pycache_server.persist.opcodes import Aux
from pycache_server.persist.recreate import Recreating
from pycache_server.persist.saving import CHUNK, Saving
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates
from pycache_server.store.database import Database
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.scan import SLOTS
from pycache_server.store.shape import Shape


class _Table:
    """The buckets of one database, and which of them have been written."""

    __slots__ = ("buckets", "index", "place", "written")

    def __init__(self, index: int, buckets: list[Bucket]) -> None:
        self.index = index
        self.buckets = buckets
        self.written = bytearray(SLOTS)
        self.place = 0


class Slices:
    """One snapshot, from its beginning to ``close``. ``take`` gives the next chunk of it."""

    def __init__(
        self,
        keyspace: Keyspace,
        shape: Shape,
        saving: Saving | Recreating,
        aux: Iterable[Aux],
        functions: Iterable[bytes],
    ) -> None:
        assert keyspace.snapshot is None
        self._keyspace = keyspace
        self._shape = shape
        self._saving = saving
        self._tables = {
            id(database.buckets): _Table(database.index, database.buckets)
            for database in keyspace.databases
            if database.size
        }
        self._left = list(self._tables.values())
        self._parts = [saving.head(aux, functions)]
        self._discarded: list[Any] = []
        self.done = False
        """Whether everything has been taken."""
        self.abandoned = False
        """Whether the keyspace has got other contents meanwhile."""
        keyspace.snapshot = self
        shape.preserve(True)

    def take(self, most: int = CHUNK) -> bytes:
        """The next bytes of the file, about ``most`` of them; ``done`` when they are the last."""
        size = sum(map(len, self._parts))
        while size < most and self._left:
            table = self._left[0]
            while size < most and table.place < SLOTS:
                size += self._write(table, table.place, self._candidates(table))
                table.place += 1
            if table.place == SLOTS:
                self._left.pop(0)
        if not self._left and not self.done:
            self._parts.append(self._saving.foot())
            self.done = True
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def close(self) -> None:
        """The snapshot has ended, complete or not: nobody is told of changes any more."""
        if self._keyspace.snapshot is self:
            self._keyspace.snapshot = None
            self._shape.preserve(False)
            for thing in self._discarded:
                self._keyspace.discard(thing)
            self._discarded.clear()
        self._tables.clear()
        self._left.clear()

    def held(self) -> int:
        """Bytes that have been written before their turn, and wait to be taken."""
        return sum(map(len, self._parts))

    def _write(self, table: _Table, slot: int, candidates: Candidates | None) -> int:
        """Write a bucket, unless that has been done. How many bytes it took."""
        if table.written[slot]:
            return 0
        table.written[slot] = 1
        bucket = table.buckets[slot]
        if not bucket:
            return 0
        data = self._saving.bucket(table.index, bucket, candidates)
        self._parts.append(data)
        return len(data)

    def _candidates(self, table: _Table) -> Candidates | None:
        """Those of the database that has the buckets now; databases may have been swapped."""
        owners = (each for each in self._keyspace.databases if each.buckets is table.buckets)
        owner = next(owners, None)
        return owner.candidates if owner is not None else None

    # Preserver

    def before(self, database: Database, slot: int) -> None:
        """See store/preserving.py."""
        table = self._tables.get(id(database.buckets))
        if table is not None and not table.written[slot]:
            self._write(table, slot, database.candidates)

    def emptied(self, place: int) -> None:
        """See store/preserving.py."""
        self._discarded += self._keyspace.discarded[place:]
        del self._keyspace.discarded[place:]

    def abandon(self) -> None:
        """See store/preserving.py."""
        self.abandoned = True
        self.close()
