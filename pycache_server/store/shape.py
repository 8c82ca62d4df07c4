"""Which class the databases have: by who listens, and by whether keys are given up.

A feature that is off is not tested for; turning it on exchanges the class of every database in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.candidates import candidates_of
from pycache_server.store.changing import AdoptingDatabase, ChangingDatabase, HandingDatabase, LeavingDatabase
from pycache_server.store.database import Database
from pycache_server.store.evicting import EvictingDatabase
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.memory import measure_overhead
from pycache_server.store.observed import ObservedDatabase
from pycache_server.store.scan import SLOTS


class ObservedEvictingDatabase(ObservedDatabase, EvictingDatabase):
    """A database that tells, and whose keys an engine orders."""

    __slots__ = ()


class ObservedAdoptingDatabase(ObservedDatabase, AdoptingDatabase):
    """A database that tells, and gets its first engine."""

    __slots__ = ()


class ObservedHandingDatabase(ObservedDatabase, HandingDatabase):
    """A database that tells, and changes its engine."""

    __slots__ = ()


class ObservedLeavingDatabase(ObservedDatabase, LeavingDatabase):
    """A database that tells, and loses its engine."""

    __slots__ = ()


_OBSERVED: dict[type[Database], type[Database]] = {
    Database: ObservedDatabase,
    EvictingDatabase: ObservedEvictingDatabase,
    AdoptingDatabase: ObservedAdoptingDatabase,
    HandingDatabase: ObservedHandingDatabase,
    LeavingDatabase: ObservedLeavingDatabase,
}
STEP = 200
"""How many keys change over in one step, at least one bucket: some 0.2 ms."""


class _Choice(NamedTuple):
    """An engine and what it decides on."""

    engine: type[Engine]
    volatile: bool


class Shape:
    """The shape of a keyspace's databases, and the change from one eviction policy to another, which goes on in
    slices: ``step`` until it returns False."""

    def __init__(self, keyspace: Keyspace, now: Callable[[], float]) -> None:
        self._keyspace = keyspace
        self.surroundings = Surroundings(now, keyspace.choose)
        self._reasons: set[str] = set()
        self._present: _Choice | None = None  # what the databases have or are getting
        self._wanted: _Choice | None = None
        self._kind: type[Database] = Database
        self._under_way = False  # whether buckets are changing over: each database knows how many have

    def observe(self, reason: str) -> None:
        """Tell the observer of changes from now on, because of ``reason``."""
        self._reasons.add(reason)
        self._apply()

    def unobserve(self, reason: str) -> None:
        """Stop telling the observer, unless another reason is left."""
        self._reasons.discard(reason)
        self._apply()

    def use_engine(self, engine: type[Engine] | None, volatile: bool = False) -> None:
        """Change to another engine, or to none; one that decides on keys with a time to live alone, or on all."""
        self._wanted = None if engine is None else _Choice(engine, volatile)
        self._keyspace.wake()

    @property
    def changing(self) -> bool:
        """Whether a change of engine is not complete."""
        return self._under_way or self._wanted != self._present

    @property
    def gives_up(self) -> bool:
        """Whether the engine that is wanted gives up keys at all."""
        return self._wanted is not None and self._wanted.engine is not NoEviction

    @property
    def counting(self) -> bool:
        """Whether the keyspace's account has every key."""
        return self._kind in (EvictingDatabase, HandingDatabase)

    def step(self) -> bool:
        """Go on with a change of engine. Whether there is more to do."""
        if not self._under_way:
            if self._wanted == self._present:
                return False
            self._begin(self._wanted)
            return True
        for database in self._keyspace.databases:
            if database.changed_over < SLOTS:
                assert isinstance(database, ChangingDatabase)
                database.change_over(STEP)
                return True
        self._end()
        return self.changing

    def _begin(self, wanted: _Choice | None) -> None:
        before, self._present, self._under_way = self._present, wanted, True
        if wanted is None:
            self._apply(LeavingDatabase)
        else:
            measure_overhead(wanted.engine, self.surroundings)
            self._apply(AdoptingDatabase if before is None else HandingDatabase)
        for database in self._keyspace.databases:
            assert isinstance(database, ChangingDatabase)
            database.changed_over = 0
            if wanted is not None:
                candidates = candidates_of(wanted.engine, wanted.volatile, self.surroundings)
                if isinstance(database, HandingDatabase):
                    database.hand_over(candidates)
                else:
                    database.begin(candidates)

    def _end(self) -> None:
        self._under_way = False
        if self._present is None:
            for database in self._keyspace.databases:
                assert isinstance(database, ChangingDatabase)
                database.begin(None)
        self._apply(Database if self._present is None else EvictingDatabase)

    def _apply(self, kind: type[Database] | None = None) -> None:
        self._kind = kind or self._kind
        shape = _OBSERVED[self._kind] if self._reasons else self._kind
        for database in self._keyspace.databases:
            database.__class__ = shape
