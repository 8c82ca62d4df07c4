"""Which class the databases have: by who listens, and by whether keys are given up.

A feature that is off is not tested for; turning it on exchanges the class of every database in place.
"""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.store.database import Database
from pycache_server.store.evicting import EvictingDatabase, LeavingDatabase
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.observed import ObservedDatabase
from pycache_server.store.scan import SLOTS


class ObservedEvictingDatabase(ObservedDatabase, EvictingDatabase):
    """A database that tells, and whose keys an engine orders."""

    __slots__ = ()


class ObservedLeavingDatabase(ObservedDatabase, LeavingDatabase):
    """A database that tells, and whose engine is being taken away."""

    __slots__ = ()


_CLASSES: dict[type[Database], type[Database]] = {
    Database: ObservedDatabase,
    EvictingDatabase: ObservedEvictingDatabase,
    LeavingDatabase: ObservedLeavingDatabase,
}
ADOPT_BUCKETS = 16
"""How many of the 4096 buckets of a database change over in one step."""


class Shape:
    """The shape of a keyspace's databases, and the change from one eviction policy to another, which goes on in
    slices: ``step`` until it returns False."""

    def __init__(self, keyspace: Keyspace, now: Callable[[], float]) -> None:
        self._keyspace = keyspace
        self.surroundings = Surroundings(now, keyspace.choose)
        self._reasons: set[str] = set()
        self._engine: type[Engine] | None = None  # what the databases have or are getting
        self._wanted: type[Engine] | None = None
        self._leaving = False
        self._under_way = False  # whether buckets are changing over: each database knows how many have

    def observe(self, reason: str) -> None:
        """Tell the observer of changes from now on, because of ``reason``."""
        self._reasons.add(reason)
        self._apply()

    def unobserve(self, reason: str) -> None:
        """Stop telling the observer, unless another reason is left."""
        self._reasons.discard(reason)
        self._apply()

    def use_engine(self, engine: type[Engine] | None) -> None:
        """Change to another engine, or to none."""
        self._wanted = engine
        self._keyspace.wake()

    @property
    def changing(self) -> bool:
        """Whether a change of engine is not complete."""
        return self._under_way or self._wanted is not self._engine

    def step(self) -> bool:
        """Go on with a change of engine. Whether there is more to do."""
        if not self._under_way:
            if self._wanted is self._engine:
                return False
            self._under_way = True
            for database in self._keyspace.databases:
                database.changed_over = 0
            if self._engine is not None:
                self._leaving = True
                self._apply()
            elif self._wanted is not None:
                self._begin(self._wanted)
            return True
        for database in self._keyspace.databases:
            if database.changed_over < SLOTS:
                database.changed_over = self._change_over(database, database.changed_over)
                return True
        self._under_way = False
        if self._leaving:
            self._leaving = False
            self._engine = None
            self._apply()
            for database in self._keyspace.databases:
                database.engine = None
        return self.changing

    def _change_over(self, database: Database, first: int) -> int:
        assert isinstance(database, EvictingDatabase)
        if self._leaving:
            return database.release(first, ADOPT_BUCKETS)
        return database.adopt(first, ADOPT_BUCKETS)

    def _begin(self, engine: type[Engine]) -> None:
        self._engine = engine
        self._apply()
        for database in self._keyspace.databases:
            assert isinstance(database, EvictingDatabase)
            database.begin(engine(self.surroundings))

    def _apply(self) -> None:
        if self._engine is None:
            kind: type[Database] = Database
        else:
            kind = LeavingDatabase if self._leaving else EvictingDatabase
        if self._reasons:
            kind = _CLASSES[kind]
        for database in self._keyspace.databases:
            database.__class__ = kind
