"""Which entries of a database may be given up, and the engine that orders them.

The database calls what stands here whenever an entry comes, is used, gets another time to live or goes. For a policy of
all keys those are the engine's own methods, bound once. For a volatile one they look first whether the entry expires:
the engine knows exactly the entries with a time to live, so an entry is admitted when it gets one and discarded when
it loses it. While one policy takes the place of another each bucket of the database belongs to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pycache_server.entry import NEVER, SizedEntry, timed
from pycache_server.evict.base import Engine, Marker, Surroundings, one_by_one
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.memory import TIME, weigh
from pycache_server.store.scan import SLOT_MASK

Told = Callable[[SizedEntry], None]


class Candidates:
    """All entries of a database, ordered by one engine."""

    __slots__ = (
        "_bare", "_dated", "_kept", "access", "admit", "discard", "engine", "evicted", "marker", "plain",
        "take_victims", "timed", "victim",
    )  # fmt: skip

    volatile = False

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.plain: type[SizedEntry] = engine.entry_type
        """The class of entries that do not expire."""
        self.timed: type[SizedEntry] = timed(engine.entry_type)
        """The class of those that may."""
        self.admit: Told = engine.admit
        self.access: Told = engine.access
        self.discard: Told = engine.discard
        self.evicted: Told = engine.evicted
        self.marker = engine.marker or Marker()
        self.victim: Callable[[], SizedEntry | None] = engine.victim
        self.take_victims: Callable[[int, int], Iterable[SizedEntry]] = engine.take_victims
        """Gives victims that have been taken out already."""
        weight = weigh(engine)
        self._bare = weight.plain + weight.numbers
        self._kept = weight.timed + weight.numbers
        self._dated = self._kept + TIME

    def make(self, key: bytes, value: Any, expires: int) -> SizedEntry:
        """An entry, with room for a time to live where it has one."""
        return (self.plain if expires == NEVER else self.timed)(key, value, expires)

    def weight(self, entry: SizedEntry, expires: int) -> int:
        """Bytes of an entry that expires at some time, without those of key and value."""
        if type(entry) is self.plain:
            return self._bare
        return self._kept if expires is NEVER or expires == NEVER else self._dated

    def weight_until(self, expires: int) -> int:
        """The same of an entry that has room for a time to live only if it needs it."""
        return self._bare if expires == NEVER else self._dated

    @property
    def weight_of_new(self) -> int:
        """The same of one that does not expire, 0 where it must be made by its class, which does more than its base."""
        return self._bare if self.plain.__init__ is SizedEntry.__init__ else 0

    def retime(self, entry: SizedEntry, expires: int) -> bool:
        """Give an entry that has room for it another time to live. Whether it has become a candidate by that."""
        entry.expires = expires
        self.engine.retime(entry)
        return False

    def exchange(self, old: SizedEntry, new: SizedEntry) -> bool:
        """Another entry takes the place of one that has no room for a time to live. Whether it has become a candidate
        by that."""
        self.engine.exchange(old, new)
        return False

    @property
    def gives_up(self) -> bool:
        """Whether the engine gives up keys at all."""
        return not isinstance(self.engine, NoEviction)

    def count(self, entry: SizedEntry, growth: int) -> bool:
        """The size of an entry has changed, for those who count by key (limits.py). Whether that was too much."""
        return False

    def engine_of(self, entry: SizedEntry) -> Engine | None:
        """The engine that knows an entry, None where none does."""
        return self.engine

    def engine_for(self, key: bytes) -> Engine:
        """The engine that decides on a key, if it is a candidate."""
        return self.engine

    def look(self) -> None:
        """Time has passed."""
        self.engine.look()

    def remains(self) -> list[Any]:
        """What takes long to free, when nobody is a candidate of these any more: see Engine.remains."""
        return self.engine.remains()

    def anew(self) -> Candidates:
        """The same policy for a database that has been emptied."""
        return type(self)(type(self.engine)(self.engine.surroundings))

    def _check(self) -> None:
        """Assert that the engine is sound."""
        self.engine._check()


class VolatileCandidates(Candidates):
    """The entries with a time to live."""

    __slots__ = ()

    volatile = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.admit = _where_volatile(engine.admit)
        self.access = _where_volatile(engine.access)
        self.marker = Marker(engine.entry_type)  # the engine does not know them
        self.discard = _where_volatile(engine.discard)
        weight = weigh(engine)  # the engine keeps nothing in entries that it does not know
        self._bare, self._kept = weight.plain, weight.timed

    def retime(self, entry: SizedEntry, expires: int) -> bool:
        engine = self.engine
        if entry.expires == NEVER:
            entry.expires = expires
            if expires != NEVER:
                engine.admit(entry)
                return True
        elif expires == NEVER:
            engine.discard(entry)
            entry.expires = expires
        else:
            entry.expires = expires
            engine.retime(entry)
        return False

    def exchange(self, old: SizedEntry, new: SizedEntry) -> bool:
        self.engine.admit(new)
        return True

    def engine_of(self, entry: SizedEntry) -> Engine | None:
        return None if entry.expires == NEVER else self.engine


def _where_volatile(tell: Told) -> Told:
    def told(entry: SizedEntry) -> None:
        if entry.expires is not NEVER and entry.expires != NEVER:
            tell(entry)

    return told


class _NoEntry(SizedEntry):
    """There are none of this class: where engines share a database nothing is said by the class of an entry."""

    __slots__ = ()


class DividedCandidates(Candidates):
    """Candidates of several engines: ``of`` tells whose a key is."""

    __slots__ = ()

    def share(self, engine: Engine) -> None:
        """Begin, with the engine that is named where one must be."""
        self.engine = engine
        self.plain = self.timed = _NoEntry
        self.marker = Marker()

    def of(self, key: bytes) -> Candidates:
        """Those that a key belongs to."""
        raise NotImplementedError

    def make(self, key: bytes, value: Any, expires: int) -> SizedEntry:
        return self.of(key).make(key, value, expires)

    def admit(self, entry: SizedEntry) -> None:
        self.of(entry.key).admit(entry)

    def access(self, entry: SizedEntry) -> None:
        self.of(entry.key).access(entry)

    def discard(self, entry: SizedEntry) -> None:
        self.of(entry.key).discard(entry)

    def evicted(self, entry: SizedEntry) -> None:
        self.of(entry.key).evicted(entry)

    def weight(self, entry: SizedEntry, expires: int) -> int:
        return self.of(entry.key).weight(entry, expires)

    def weight_until(self, expires: int) -> int:
        raise NotImplementedError

    @property
    def weight_of_new(self) -> int:
        return 0

    def take_victims(self, most: int, size: int) -> Iterator[SizedEntry]:
        return one_by_one(self, most, size)

    def retime(self, entry: SizedEntry, expires: int) -> bool:
        return self.of(entry.key).retime(entry, expires)

    def exchange(self, old: SizedEntry, new: SizedEntry) -> bool:
        return self.of(old.key).exchange(old, new)

    def engine_of(self, entry: SizedEntry) -> Engine | None:
        return self.of(entry.key).engine_of(entry)

    def engine_for(self, key: bytes) -> Engine:
        return self.of(key).engine_for(key)


class Handover(DividedCandidates):
    """The candidates of two policies: buckets below ``position``, and of the one at ``position`` the keys that have
    ``moved``, are the new one's, the others the old one's, who gives up its own first."""

    __slots__ = ("moved", "new", "old", "position")

    def __init__(self, old: Candidates, new: Candidates) -> None:
        self.old = old
        self.new = new
        self.position = 0
        self.moved: set[bytes] = set()
        self.share(new.engine)

    def of(self, key: bytes) -> Candidates:
        number = hash(key) & SLOT_MASK
        return self.new if number < self.position or (number == self.position and key in self.moved) else self.old

    def victim(self) -> SizedEntry | None:
        return self.old.victim() or self.new.victim()

    def count(self, entry: SizedEntry, growth: int) -> bool:
        return self.of(entry.key).count(entry, growth)

    def look(self) -> None:
        self.old.look()
        self.new.look()

    def anew(self) -> Candidates:
        return self.new.anew()

    def _check(self) -> None:
        self.old._check()
        self.new._check()


def plain_candidates(engine: type[Engine], volatile: bool, surroundings: Surroundings) -> Candidates:
    """What a policy decides on, in a database without entries."""
    return (VolatileCandidates if volatile else Candidates)(engine(surroundings))
