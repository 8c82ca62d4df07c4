"""Which class the databases have: by who listens, and by whether keys are given up.

A feature that is off is not tested for; turning it on exchanges the class of every database in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.candidates import Candidates, plain_candidates
from pycache_server.store.changing import AdoptingDatabase, ChangingDatabase, HandingDatabase, LeavingDatabase
from pycache_server.store.database import Database
from pycache_server.store.evicting import EvictingDatabase, marked_class
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.limits import Limit, LimitedDatabase, limited_candidates
from pycache_server.store.mortal import Lifetimes, MortalDatabase
from pycache_server.store.observed import ObservedDatabase
from pycache_server.store.owned import OwningDatabase, OwnKeys
from pycache_server.store.preserving import PreservingDatabase
from pycache_server.store.scan import SLOTS
from pycache_server.store.simulation import ShadowedDatabase, Simulation
from pycache_server.store.told import Listener, ToldDatabase

_CLASSES: dict[tuple[type[Database], ...], type[Database]] = {}


def _class_of(*mixins: type[Database]) -> type[Database]:
    """The class of a database with some mix-ins; the last one is what is mixed into."""
    found = _CLASSES.get(mixins)
    if found is None:
        name = "".join(mixin.__name__.removesuffix("Database") for mixin in mixins) + "Database"
        bases = mixins[:-1] if len(mixins) > 1 and mixins[-1] is Database else mixins
        found = _CLASSES[mixins] = mixins[0] if len(mixins) == 1 else type(name, bases, {"__slots__": ()})
    return found


STEP = 8
"""How many keys change over in one step: less than 0.1 ms, several times that where each is a miss of the cache."""


class _Choice(NamedTuple):
    """An engine and what it decides on, and the parts of the keyspace that have others."""

    engine: type[Engine]
    volatile: bool
    limits: tuple[Limit, ...]


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
        self._preserved = False  # whether a snapshot is made in slices
        self._told = False  # whether the keyspace hears of keys that go by themselves
        self._limited = False  # whether some keys have limits of their own
        self._follows = False  # whether times to live come from a leader
        self._owns = False  # whether clients may write all the same
        self._under_way = False  # whether buckets are changing over: each database knows how many have
        self._made: list[Candidates] = []  # of the databases, the first of them so far, before that
        self._made_for: _Choice | None = None

    def observe(self, reason: str) -> None:
        """Tell the observer of changes from now on, because of ``reason``."""
        self._reasons.add(reason)
        self._apply()

    def unobserve(self, reason: str) -> None:
        """Stop telling the observer, unless another reason is left."""
        self._reasons.discard(reason)
        self._apply()

    def follow(self, follows: bool, owns: bool = False) -> None:
        """Give keys no times to live of our own: the leader has given them those that they have. Or give them again.
        ``owns`` says that clients may write meanwhile; what they have let expire is remembered until nobody is
        followed."""
        keyspace = self._keyspace
        if not follows:
            keyspace.own = None
        elif owns and keyspace.own is None:
            keyspace.own = OwnKeys()
        if (follows, owns) != (self._follows, self._owns):
            self._follows, self._owns = follows, owns
            self._apply()

    def tell(self, listener: Listener | None) -> None:
        """Tell a listener of what happens by itself from now on, or nobody any more."""
        self._told = listener is not None
        self._keyspace.listener = listener
        self._apply()

    def preserve(self, on: bool) -> None:
        """Tell who makes a snapshot of changes before they are made, or stop."""
        self._preserved = on
        self._apply()

    def use_lifetimes(self, lifetimes: Lifetimes) -> None:
        """Give keys the times to live that are set from now on."""
        self._keyspace.lifetimes = lifetimes
        self._apply()

    def use_shadows(self, shadows: Simulation | None) -> None:
        """Let a simulation hear of what happens to the keys, in place of the one that does, or none."""
        old, self._keyspace.shadows = self._keyspace.shadows, shadows
        if old is not None:
            self._keyspace.discard(old)
        self._apply()

    def use_engine(self, engine: type[Engine] | None, volatile: bool = False, limits: tuple[Limit, ...] = ()) -> None:
        """Change to another engine, or to none; one that decides on keys with a time to live alone, or on all; and to
        these limits of their own for parts of the keyspace."""
        self._wanted = None if engine is None else _Choice(engine, volatile, limits)
        self._keyspace.wake()

    def twin(self, keyspace: Keyspace) -> Shape:
        """The shape of an empty keyspace that has the engine which is wanted here, and nobody who listens."""
        shape = Shape(keyspace, self.surroundings.now)
        shape.surroundings = self.surroundings
        shape._wanted = self._wanted
        while shape.step():
            pass
        return shape

    def take_over(self, other: Shape) -> None:
        """The keyspace has got the contents of another one, with the engines that those have. A change that was wanted
        meanwhile begins anew."""
        self._present, self._limited, self._under_way = other._present, other._limited, False
        self._apply(other._kind)
        self._keyspace.wake()

    @property
    def changing(self) -> bool:
        """Whether a change of engine is not complete."""
        return self._under_way or self._wanted != self._present

    @property
    def limited(self) -> bool:
        """Whether limits of their own are wanted for parts of the keyspace."""
        return self._wanted is not None and bool(self._wanted.limits)

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
                self._made, self._made_for = [], None  # somebody has changed his mind
                return False
            if self._wanted is None or not self._make_more(self._wanted):
                self._begin(self._wanted)
            return True
        for database in self._keyspace.databases:
            if database.changed_over < SLOTS:
                assert isinstance(database, ChangingDatabase)
                database.change_over(STEP)
                return True
        self._end()
        return self.changing

    def _make_more(self, wanted: _Choice) -> bool:
        """Make the engines of one more database: of all at once they are half a millisecond. Whether there was one."""
        if self._made_for != wanted:
            self._made_for, self._made = wanted, []
        databases = self._keyspace.databases
        if len(self._made) == len(databases):
            return False
        rest = partial(plain_candidates, wanted.engine, wanted.volatile, self.surroundings)
        index = databases[len(self._made)].index
        self._made.append(limited_candidates(rest, wanted.limits, index, self.surroundings))
        return True

    def _begin(self, wanted: _Choice | None) -> None:
        before, self._present, self._under_way = self._present, wanted, True
        self._limited = any(choice is not None and bool(choice.limits) for choice in (before, wanted))
        if wanted is None:
            self._apply(LeavingDatabase)
        else:
            self._apply(AdoptingDatabase if before is None else HandingDatabase)
        made, self._made, self._made_for = self._made, [], None
        for database in self._keyspace.databases:
            assert isinstance(database, ChangingDatabase)
            database.changed_over = 0
        if wanted is None:
            return
        for database, candidates in zip(self._keyspace.databases, made, strict=True):
            if isinstance(database, HandingDatabase):
                database.hand_over(candidates)
            else:
                assert isinstance(database, ChangingDatabase)
                database.begin(candidates)

    def _end(self) -> None:
        self._under_way = False
        self._limited = self._present is not None and bool(self._present.limits)
        self._keyspace.crowded = self._limited  # nobody has looked at the limits meanwhile
        if self._present is None:
            for database in self._keyspace.databases:
                assert isinstance(database, ChangingDatabase)
                before = database.candidates
                database.begin(None)
                if before is not None:
                    database.discard_remains(before)
        self._apply(Database if self._present is None else EvictingDatabase)

    def _apply(self, kind: type[Database] | None = None) -> None:
        self._kind = kind or self._kind
        lifetimes = self._keyspace.lifetimes
        for database in self._keyspace.databases:
            mixins: list[type[Database]] = [PreservingDatabase] if self._preserved else []
            if self._reasons:
                mixins.append(ObservedDatabase)
            if self._told:
                mixins.append(ToldDatabase)
            if lifetimes is not None and lifetimes.concerns(database.index) and not self._follows:
                mixins.append(MortalDatabase)
            if self._owns:
                mixins.append(OwningDatabase)
            if self._keyspace.shadows is not None:
                mixins.append(ShadowedDatabase)
            if self._limited:
                mixins.append(LimitedDatabase)
            last = self._kind
            if last is EvictingDatabase and not self._limited:
                last = marked_class(database.marker)
            database.__class__ = _class_of(*mixins, last)
