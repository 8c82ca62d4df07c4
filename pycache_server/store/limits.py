"""Limits of their own for databases and for prefixes of keys: ``limit prefix session: 100mb lru``.

A limited part of a database has an account and an engine of its own (Group); all other keys belong to the rest, which
has the policy of the server. LimitedCandidates asks the key which group it belongs to, the longest prefix first. What a
group holds too much is given up within it, before the next command that writes and in upkeep (session/room.py), as with
maxmemory. Where maxmemory is reached, the rest gives up its keys first: a limit is a share that is set apart, too.

LimitedDatabase, a mix-in of shape.py, lets each change of the account reach the group; where nothing is limited no
write looks for groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine, Surroundings
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates, DividedCandidates, plain_candidates
from pycache_server.store.evicting import EvictingDatabase
from pycache_server.store.scopes import Scope, Scoped


class Limit(NamedTuple):
    """What is set for a scope: most bytes, in each database, and what goes beyond them. ``name`` is the policy's."""

    scope: Scope
    size: int
    name: str
    engine: type[Engine]
    volatile: bool


class Group:
    """The keys of one limit in one database."""

    __slots__ = ("candidates", "limit", "used")

    def __init__(self, limit: Limit, surroundings: Surroundings) -> None:
        self.limit = limit
        self.candidates = plain_candidates(limit.engine, limit.volatile, surroundings)
        self.used = 0

    @property
    def full(self) -> bool:
        """Whether more is held than the limit allows."""
        return self.used > self.limit.size


class LimitedCandidates(DividedCandidates):
    """The candidates of a database that has limits."""

    __slots__ = ("_build", "_groups", "_rest", "groups")

    def __init__(self, rest: Candidates, groups: list[Group], build: Callable[[], LimitedCandidates]) -> None:
        self.share(rest.engine)
        self.groups = groups
        self._rest = rest
        self._groups = Scoped((Scope(prefix=group.limit.scope.prefix), group) for group in groups)
        self._build = build

    def group_of(self, key: bytes) -> Group | None:
        """The group that a key belongs to, None where it has no limit."""
        return self._groups.of(0, key)

    def of(self, key: bytes) -> Candidates:
        group = self._groups.of(0, key)
        return self._rest if group is None else group.candidates

    def victim(self) -> SizedEntry | None:
        victim = self._rest.victim()
        if victim is None and self._rest.gives_up:
            for group in sorted(self.groups, key=lambda each: each.used, reverse=True):
                if (victim := group.candidates.victim()) is not None:
                    break
        return victim

    def count(self, entry: SizedEntry, growth: int) -> bool:
        group = self._groups.of(0, entry.key)
        if group is None:
            return False
        group.used += growth
        return growth > 0 and group.full

    def look(self) -> None:
        self._rest.look()
        for group in self.groups:
            group.candidates.look()

    def remains(self) -> list[Any]:
        return self._rest.remains() + [part for group in self.groups for part in group.candidates.remains()]

    def anew(self) -> Candidates:
        return self._build()

    def _check(self) -> None:
        self._rest._check()
        for group in self.groups:
            group.candidates._check()


def limited_candidates(
    rest: Callable[[], Candidates], limits: tuple[Limit, ...], database: int, surroundings: Surroundings
) -> Candidates:
    """The candidates of a database under these limits; ``rest`` makes those of the keys without one."""
    own = [limit for limit in limits if limit.scope.database in (None, database)]
    if not own:
        return rest()

    def build() -> LimitedCandidates:
        return LimitedCandidates(rest(), [Group(limit, surroundings) for limit in own], build)

    return build()


class LimitedDatabase(EvictingDatabase):
    """A database some of whose keys have a limit of their own."""

    __slots__ = ()

    def groups(self) -> Iterator[Group]:
        """All groups, while no change of policy is under way."""
        if isinstance(self.candidates, LimitedCandidates):
            yield from self.candidates.groups

    def group_of(self, key: bytes) -> Group | None:
        """The group of a key, None where it has none, and while a change of policy is under way."""
        return self.candidates.group_of(key) if isinstance(self.candidates, LimitedCandidates) else None

    def trim(self, group: Group) -> bool:
        """Give up one key of a group. False where it has none to give."""
        victim = group.candidates.victim()
        if victim is None:
            return False
        self.give_up(victim)
        return True

    def _add(self, bucket: Bucket, key: bytes, value: Any, expires: int) -> None:
        super()._add(bucket, key, value, expires)
        entry = bucket[key]
        self._count(entry, entry.size)

    def _recount(self, entry: SizedEntry, growth: int) -> None:
        super()._recount(entry, growth)
        self._count(entry, growth)

    def _uncount(self, entry: SizedEntry) -> None:
        super()._uncount(entry)
        self._count(entry, -entry.size)

    def _count_victim(self, entry: SizedEntry) -> None:
        self._count(entry, -entry.size)

    def _count(self, entry: SizedEntry, growth: int) -> None:
        if self.candidates is not None and self.candidates.count(entry, growth):
            self.keyspace.crowded = True

    def _check(self) -> None:
        super()._check()
        entries = [entry for bucket in self.buckets for entry in bucket.values() if isinstance(entry, SizedEntry)]
        for group in self.groups():
            assert group.used == sum(entry.size for entry in entries if self.group_of(entry.key) is group)
