"""Room: how maxmemory is held.

Before a command that writes, and in upkeep, keys are given up until what the keyspace holds is no more than maxmemory.
In a steady state that is a key or two for each that comes. Where it is more, because the limit has been lowered or a
policy has just been chosen, it goes in slices of ``seconds`` (maxmemory-eviction-tenacity), and commands pass meanwhile
as in Redis; a slice that was cut short is followed by as long a rest, so that a pipeline does not wait for one slice
each. What commands add on the way is taken off at once, however long that takes: when a command begins, no more than
SLACK is held above the limit, or above the least that was held since it was lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pycache_server.evict.base import AHEAD, AT_ONCE
from pycache_server.store.database import Database
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.limits import LimitedDatabase
from pycache_server.store.shape import Shape

SLACK = 64
"""The part of maxmemory that may be exceeded while slices go on: one in so many."""
_UNTIMED = 8
"""Keys that are given up before anybody looks at the time."""
_SMALLEST = 64
"""Bytes that no key takes less of. A server whose limit is lower has no room for anything, empty as it may be: with
Redis, whose own memory counts, it is so with every limit below a megabyte."""
NOTHING_FITS = -1
"""``Keyspace.maxmemory`` then: less than is held when nothing is."""
_LINEAR = 10


class Room:
    """Makes room in a keyspace. ``ticks`` tells the time in seconds, for durations."""

    def __init__(self, keyspace: Keyspace, shape: Shape, ticks: Callable[[], float]) -> None:
        self._keyspace = keyspace
        self._shape = shape
        self._ticks = ticks
        self.seconds = seconds_of(_LINEAR)
        """How long a slice takes."""
        self._ceiling = 0  # the least that was held since the limit was lowered, until it is reached
        self._rest_until = 0.0
        self._exceeded_since: float | None = None
        self._exceeded = 0.0

    def limit(self, size: int) -> None:
        """Set maxmemory, in bytes; 0 for none."""
        keyspace = self._keyspace
        keyspace.maxmemory = NOTHING_FITS if 0 < size < _SMALLEST else size
        self._ceiling = keyspace.held
        keyspace.wake()

    def make(self) -> bool:
        """Give up keys until maxmemory is held, or the slice is over. False where nothing is left to give up."""
        keyspace = self._keyspace
        limit = keyspace.maxmemory
        if not limit or keyspace.held <= limit or keyspace.keeps_all:
            return True
        keyspace.evict(limit - (limit >> AHEAD), AT_ONCE if self._exceeded_since is None else _UNTIMED)
        if keyspace.held <= limit:
            if self._exceeded_since is not None or self._ceiling:
                self._settle()
            return True
        begin = self._ticks()
        if self._exceeded_since is None:
            self._exceeded_since = begin
        if self._shape.changing:
            self._ceiling = keyspace.held
        bound = max(limit, self._ceiling) + limit // SLACK
        if begin < self._rest_until and keyspace.held <= bound:
            return True
        able = self._work(begin + self.seconds, bound)
        end = self._ticks()
        self._rest_until = end + min(end - begin, self.seconds)
        self._ceiling = min(self._ceiling, keyspace.held)
        self._settle()
        return able

    def trim(self) -> bool:
        """Give up keys of parts that hold more than their own limit, for a slice. Whether there are more to give up;
        where nothing may go, ``crowded`` stays."""
        keyspace = self._keyspace
        if not keyspace.crowded or keyspace.keeps_all:
            return False
        keyspace.crowded = False
        until = self._ticks() + self.seconds
        for database in keyspace.databases:
            if isinstance(database, LimitedDatabase) and self._trim_groups(database, until):
                return True
        return False

    def _trim_groups(self, database: LimitedDatabase, until: float) -> bool:
        """The same for one database, until a time."""
        for group in database.groups():
            done = 0
            while group.full:
                if not database.trim(group):
                    self._keyspace.crowded = True
                    break
                done += 1
                if not done % _UNTIMED and self._ticks() > until:
                    self._keyspace.crowded = True
                    return True
        return False

    def is_full(self, database: Database, keys: Iterable[bytes]) -> bool:
        """Whether one of some keys belongs to a part that holds more than its own limit and gives up nothing."""
        if not isinstance(database, LimitedDatabase):
            return False
        groups = [group for key in keys if (group := database.group_of(key)) is not None]
        return any(group.full and group.candidates.victim() is None for group in groups)

    def _work(self, until: float, bound: int) -> bool:
        """Give up keys until a time, and until no more than ``bound`` is held. Whether there was what to give up."""
        keyspace, ticks = self._keyspace, self._ticks
        while keyspace.held > keyspace.maxmemory and (keyspace.held > bound or ticks() < until):
            if not keyspace.evict(keyspace.maxmemory, _UNTIMED) and not self._bring():
                return False
        return True

    def _bring(self) -> bool:
        """Let a change of engine go on, which may bring keys that can be given up. Whether there is hope of that."""
        if not (self._shape.gives_up and self._shape.changing):
            return False
        self._shape.step()
        return True

    @property
    def exceeded(self) -> bool:
        """Whether more is held than maxmemory allows."""
        return bool(self._keyspace.maxmemory) and self._keyspace.maxmemory < self._keyspace.held

    def _settle(self) -> None:
        """Note the time at which maxmemory is held again."""
        if self.exceeded:
            return
        self._ceiling = 0
        if self._exceeded_since is not None:
            self._exceeded += self._ticks() - self._exceeded_since
            self._exceeded_since = None

    def look(self) -> None:
        """Called now and then: what has grown without a command that makes room, and what has gone by itself."""
        self._settle()
        for database in self._keyspace.databases:
            if database.candidates is not None:
                database.candidates.look()
        if self.exceeded or self._keyspace.crowded:
            self._keyspace.wake()

    def exceeded_seconds(self) -> tuple[float, float]:
        """How long more was held than maxmemory allows: all the time together, and since it is so."""
        self._settle()
        current = self._ticks() - self._exceeded_since if self._exceeded_since is not None else 0.0
        return self._exceeded + current, current

    def reset(self) -> None:
        """Count from now on (CONFIG RESETSTAT)."""
        self._exceeded = 0.0
        self._exceeded_since = None


def seconds_of(tenacity: int) -> float:
    """How long a slice takes for a maxmemory-eviction-tenacity, which Redis counts like that: 50 us for each up to 10,
    then 15 % more for each, and without an end at 100."""
    if tenacity <= _LINEAR:
        return 50e-6 * tenacity
    return 500e-6 * 1.15 ** (tenacity - _LINEAR) if tenacity < 100 else float("inf")
