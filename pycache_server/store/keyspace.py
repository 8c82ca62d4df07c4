"""All databases of a server, and what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.evict.base import Engine
from pycache_server.store.buckets import Bucket, Unmade
from pycache_server.store.clock import Clock
from pycache_server.store.database import Database
from pycache_server.store.encodings import Encodings
from pycache_server.store.evicting import EvictingDatabase

if TYPE_CHECKING:
    from pycache_server.store.mortal import Lifetimes
    from pycache_server.store.observed import Observer
    from pycache_server.store.owned import OwnKeys
    from pycache_server.store.preserving import Preserver
    from pycache_server.store.simulation import Simulation
    from pycache_server.store.told import Listener


_CONTENTS = (
    "buckets", "wheel", "fields", "size", "candidates", "marker", "plain", "weight_of_new", "on_admit", "on_access",
    "used", "changed_over",
)  # fmt: skip
"""What belongs to the keys of a database, and goes where they go."""


class Keyspace:
    """All databases and what they share.

    ``choose(n)`` draws an integer below n; ``on_wake`` is called when maintenance has something to do earlier than it
    knows. Both come from the server.
    """

    def __init__(self, databases: int, clock: Clock, choose: Callable[[int], int]) -> None:
        self.clock = clock
        self.choose = choose
        self.on_wake: Callable[[], None] = _no_one
        self.on_table: Callable[[list[Bucket]], None] = _ignore
        """Called with the table of a database when it has been made (buckets.py)."""
        self.on_flushed: Callable[[], None] = _no_one
        """Called when FLUSHALL has removed everything."""
        self.listener: Listener | None = None
        """Who is told of what happens by itself, while databases are told.ToldDatabase."""
        self.expired_verb = self.evicted_verb = self.removed_verb = b"DEL"
        """What stands for the removal of a key that has expired, was evicted, or was emptied at once, where that is
        told: DEL or UNLINK, by lazyfree-lazy-expire, lazyfree-lazy-eviction and lazyfree-lazy-server-del."""
        self.observer: Observer | None = None
        self.encodings = Encodings()
        self.lifetimes: Lifetimes | None = None
        """The times to live that keys are given (mortal.py)."""
        self.shadows: Simulation | None = None
        """What finds out how other policies would do (simulation.py)."""
        self.longest_string = 512 * 1024 * 1024
        """proto-max-bulk-len, in bytes."""
        self.compress = True
        """rdbcompression: whether strings are compressed where values are made into bytes."""
        self.discarded: list[Any] = []
        """Values, and lists of buckets, to be freed in slices (memory.py)."""
        self.freed = 0
        """How many of them have been freed."""
        self.snapshot: Preserver | None = None
        """Who makes a snapshot in slices (preserving.py)."""
        self.stands_still = False
        """Whether what has expired is hidden only, because nothing may change."""
        self.expires_actively = True
        """Whether keys are removed when they are due, and not only when they are read (DEBUG SET-ACTIVE-EXPIRE)."""
        self.follows = False
        """Whether it is a leader that says which keys go."""
        self.own: OwnKeys | None = None
        """While it follows: the keys that clients have let expire here (owned.py)."""
        self.keeps_all = False
        """Whether nothing is given up for want of memory."""
        self.maxmemory = 0
        """Most bytes that keys and values may take, 0 for no limit, less for a limit below all that they could take."""
        self.held = 0
        """Bytes of all keys and values, as far as they are counted (evicting.py)."""
        self.crowded = False
        """Whether a limit of its own may be exceeded somewhere (limits.py)."""
        self.evicted = 0
        """How many keys have been given up for want of memory."""
        self.evicted_by: Counter[type[Engine]] = Counter()
        """The same by engine."""
        self.databases = [Database(index, self) for index in range(databases)]

    @property
    def sweeps(self) -> bool:
        """Whether what has expired is removed without anybody who reads it."""
        return self.expires_actively and not self.follows

    def wake(self) -> None:
        """Maintenance has something to do."""
        self.on_wake()

    def swap(self, first: int, second: int) -> None:
        """Exchange the contents of two databases."""
        one, other = self.databases[first], self.databases[second]
        one.dirty += 1
        if one is other:
            return
        if self.observer is not None:
            self.observer.swapped(one, other)
        _exchange(one, other)
        self.restart_shadows()

    def flush(self, databases: list[Database]) -> None:
        """Empty some databases, as one change."""
        if self.observer is not None:
            self.observer.emptied()
        for database in databases:
            database.flush()

    def twin(self) -> Keyspace:
        """An empty keyspace of the same kind, whose contents may take the place of this one's (``replace``)."""
        twin = Keyspace(len(self.databases), self.clock, self.choose)
        twin.encodings, twin.longest_string = self.encodings, self.longest_string
        twin.on_table = self.on_table
        return twin

    def replace(self, twin: Keyspace) -> None:
        """Let the contents of a twin take the place of what is here, as one change; what was here is freed in slices.
        ``Shape.take_over`` must follow before anything else happens to the keys."""
        if self.snapshot is not None:
            self.snapshot.abandon()
        if self.observer is not None:
            self.observer.emptied()
        for mine, theirs in zip(self.databases, twin.databases, strict=True):
            if self.observer is not None:
                self.observer.swapped(mine, theirs)
            _exchange(mine, theirs)
            mine.wheel.on_earlier = mine.fields.on_earlier = self.wake
            theirs.keyspace = self
            theirs.__class__ = EvictingDatabase  # whatever there was, it knows how to let go of it
        self.held += twin.held
        self.crowded = self.crowded or twin.crowded
        for theirs in twin.databases:
            theirs.flush()
        if self.own is not None:
            self.own.clear()
        self.restart_shadows()
        self.wake()

    def used(self) -> int:
        """Bytes of all keys and values, as far as they are counted."""
        return self.held

    def evict(self, bound: int = -1, most: int = 1) -> int:
        """Give up keys, ``most`` of them or until no more than ``bound`` bytes are held. Returns how many: fewer, while
        more is held, where no more may go.

        Each database loses as much as is its share of the whole: by size alone one that is small and of no use would
        stay for ever, and engines cannot compare their entries with those of others.
        """
        first = self.databases[0]
        if first.used == self.held:
            return first.evict(bound, most)
        done = 0
        while done < most and self.held > bound and self._evict_somewhere():
            done += 1
        return done

    def _evict_somewhere(self) -> bool:
        number = self.choose(self.held)
        for database in self.databases:
            number -= database.used
            if number < 0:
                return bool(database.evict()) or any(each.evict() for each in self.databases)
        return False

    def restart_shadows(self) -> None:
        """Many keys have gone at once, or have other names: let the shadows begin with empty caches."""
        old = self.shadows
        if old is not None:
            self.shadows = old.anew()
            self.discard(old)

    def discard(self, value: Any) -> None:
        """Free a value that is big, in slices. Nobody else may hold it."""
        self.discarded.append(value)
        self.on_wake()


def _exchange(one: Database, other: Database) -> None:
    """Exchange what two databases hold."""
    for name in _CONTENTS:
        mine, theirs = getattr(one, name), getattr(other, name)
        setattr(one, name, theirs)
        setattr(other, name, mine)
    for database in (one, other):
        if type(database.buckets) is Unmade:
            database.buckets.owner = database


def _no_one() -> None:
    pass


def _ignore(buckets: list[Bucket]) -> None:
    pass
