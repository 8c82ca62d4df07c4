"""What engines are told, whatever happens to keys and policies: a strict engine, random operations, every pair of
policies."""

from __future__ import annotations

import random
from itertools import chain, repeat
from typing import Any

import pytest

from pycache_server.entry import NEVER, SizedEntry
from pycache_server.evict.base import Engine, Surroundings, load_policy, policy_names
from pycache_server.evict.lfu import Lfu
from pycache_server.evict.lru import Lru
from pycache_server.evict.noeviction import NoEviction
from pycache_server.evict.sieve import Sieve
from pycache_server.store.clock import Clock
from pycache_server.store.database import Database
from pycache_server.store.events import DEL
from pycache_server.store.evicting import QUIET, CountingDatabase, EvictingDatabase, MarkingDatabase
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.limits import Limit, LimitedCandidates, LimitedDatabase
from pycache_server.store.memory import free_slice
from pycache_server.store.observed import ObservedDatabase
from pycache_server.store.scopes import Scope
from pycache_server.store.shape import Shape
from tests.conftest import more_in_ci, some_slow
from tests.store.test_field_expiry import put_hash
from tests.store.test_keyspace import Actor, Recorder, make


class StrictEntry(SizedEntry):
    """``seen`` is the time to live that the engine knows of; None where the entry is not admitted."""

    __slots__ = ("seen",)

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        super().__init__(key, value, expires)
        self.seen: int | None = None


class Strict(Engine):
    """An engine that asserts that it is told everything, once, and in time. Gives up the oldest entry."""

    entry_type = StrictEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.admitted: dict[int, StrictEntry] = {}

    def known(self, entry: SizedEntry) -> StrictEntry:
        assert isinstance(entry, StrictEntry)
        assert self.admitted[id(entry)] is entry
        return entry

    def admit(self, entry: SizedEntry) -> None:
        assert isinstance(entry, StrictEntry)
        assert entry.seen is None and id(entry) not in self.admitted
        assert entry.size > 100
        entry.seen = entry.expires
        self.admitted[id(entry)] = entry

    def access(self, entry: SizedEntry) -> None:
        assert self.known(entry).seen == entry.expires

    def retime(self, entry: SizedEntry) -> None:
        assert self.known(entry).seen != entry.expires
        self.known(entry).seen = entry.expires

    def discard(self, entry: SizedEntry) -> None:
        assert self.known(entry).seen == entry.expires
        self.known(entry).seen = None
        del self.admitted[id(entry)]

    def victim(self) -> SizedEntry | None:
        return next(iter(self.admitted.values()), None)

    def _check(self) -> None:
        assert all(entry.seen == entry.expires for entry in self.admitted.values())


class Other(Strict):
    """Another engine with the same entries."""


CHOICES = [
    (None, False),
    (Strict, False),
    (Strict, True),
    (Other, False),
    (Other, True),
    (Lru, True),
    (NoEviction, False),
]


LIMITS: list[tuple[Limit, ...]] = [
    (),
    (Limit(Scope(prefix=b"k1"), 4000, "strict", Strict, False), Limit(Scope(prefix=b"k12"), 0, "lru", Lru, True)),
    (
        Limit(Scope(database=0), 9000, "other", Other, True),
        Limit(Scope(prefix=b"k3"), 1 << 20, "strict", Strict, False),
    ),
]


def check_admitted(db: Database, volatile: bool) -> None:
    if isinstance(db.engine, Strict) and type(db) in QUIET and type(db.candidates) is not LimitedCandidates:
        entries = [entry for bucket in db.buckets for entry in bucket.values()]
        wanted = {id(entry) for entry in entries if not volatile or entry.expires != NEVER}
        assert db.engine.admitted.keys() == wanted


class EvictingActor(Actor):
    """As in test_keyspace, with more policies and more ways for an entry to change."""

    volatile = False

    def step(self) -> None:
        if self.chance.random() < 0.1:
            self.chance.choice([self.move, self.restore, self.increment, self.give_up, self.trim])()
        super().step()

    def change_engine(self) -> None:
        if self.chance.random() < 0.3:
            engine, self.volatile = self.chance.choice(CHOICES)
            self.shape.use_engine(engine, self.volatile, self.chance.choice(LIMITS))

    def move(self) -> None:
        source, target = self.key(), self.key()
        taken = self.db.take(source)
        assert taken == self.model.pop(source, None)
        if taken is not None:
            self.db.vacate(target)
            self.db.place(target, *taken, DEL)
            self.model[target] = taken

    def restore(self) -> None:
        key, expires = self.key(), self.chance.choice([NEVER, self.later()])
        self.db.place(key, b"placed", expires, DEL)
        self.model[key] = (b"placed", expires)

    def increment(self) -> None:
        key = self.key()
        value, expires = self.model.get(key, (0, NEVER))
        if isinstance(value, int):
            assert self.db.increment(key, 7, DEL) == value + 7
            self.model[key] = (value + 7, expires)

    def give_up(self) -> None:
        self.keyspace.evict()
        self.forget_given_up()

    def trim(self) -> None:
        if isinstance(self.db, LimitedDatabase):
            for group in self.db.groups():
                while group.full and self.db.trim(group):
                    pass
                assert not group.full or group.candidates.victim() is None
            self.forget_given_up()

    def forget_given_up(self) -> None:
        for key in list(self.model):
            if self.db.peek(key) is None:
                del self.model[key]

    def check(self) -> None:
        super().check()
        assert self.keyspace.held == sum(database.used for database in self.keyspace.databases)
        if not self.shape.changing:
            check_admitted(self.db, self.volatile)


@pytest.mark.parametrize("seed", some_slow(range(3), 1))
def test_an_engine_is_told_everything_once(seed: int) -> None:
    actor = EvictingActor(seed)
    for number in range(more_in_ci(1500, 4000)):
        actor.forget_expired()
        actor.step()
        if number % 50 == 0:
            actor.check()
    while free_slice(actor.keyspace, 100):
        pass
    assert not actor.keyspace.discarded


def finish(shape: Shape) -> None:
    while shape.step():
        pass


USUAL = ("allkeys-adaptive", "volatile-ttl", "noeviction", "allkeys-lru")[: more_in_ci(1, 4)]


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in policy_names()]
)
def test_a_change_to_or_from_any_other_policy_loses_no_key_while_commands_write(name: str) -> None:
    keyspace, shape, clock = make()
    db = keyspace.databases[0]
    chance = random.Random(1)
    model: dict[bytes, bytes] = {}
    others = (load_policy(other) for other in policy_names()[:: more_in_ci(3, 1)] if other != name)
    for policy in chain.from_iterable(zip(repeat(load_policy(name)), others, strict=False)):
        shape.use_engine(policy.engine, policy.volatile)
        more = True
        while more:
            more = shape.step()
            for _ in range(5):
                key, value = b"k%d" % chance.randrange(1000), b"v" * chance.randrange(50)
                if chance.random() < 0.5:
                    db.put(key, value, DEL)
                else:
                    db.put_until(key, value, clock.now() + 10**6, DEL)
                model[key] = value
                db.find(b"k%d" % chance.randrange(1000))
        assert isinstance(db.engine, policy.engine)
    db._check()
    assert {key: db.peek(key) for key in list(db.keys())} == model
    assert db.used == keyspace.held > 100 * len(model)


def test_the_account_holds_every_key_during_a_change_of_engine() -> None:
    keyspace, shape, _ = make()
    db = keyspace.databases[0]
    shape.use_engine(Strict)
    finish(shape)
    for number in range(5000):
        db.put(b"%d" % number, b"x" * 50, DEL)
    full = keyspace.held
    shape.use_engine(Lru)
    while shape.step():
        assert abs(keyspace.held - full) < full / 5
    db._check()


@pytest.mark.parametrize("successor", ["allkeys-lru", None])
@pytest.mark.parametrize("name", ["lfu", "adaptive", "arc", "s3fifo"])
def test_what_an_engine_remembers_of_keys_that_went_is_freed_in_slices(name: str, successor: str | None) -> None:
    keyspace, shape, _ = make()
    db = keyspace.databases[0]
    shape.use_engine(load_policy(f"allkeys-{name}").engine)
    finish(shape)
    for number in range(8000):
        db.put(b"%d" % number, b"x", DEL)
        if number >= 4000:
            keyspace.evict()
    shape.use_engine(load_policy(successor).engine if successor else None)
    assert not keyspace.discarded
    finish(shape)
    assert sum(map(len, keyspace.discarded)) > 0  # arc remembers little of a scan
    while free_slice(keyspace, 16):
        pass
    assert not keyspace.discarded
    assert db.size == 4000


def test_entries_of_a_flushed_database_are_forgotten_by_their_engine_in_slices() -> None:
    keyspace, shape, _ = make()
    db = keyspace.databases[0]
    shape.use_engine(Strict)
    finish(shape)
    for number in range(5000):
        db.put(b"%d" % number, b"", DEL)
    engine = db.engine
    assert isinstance(engine, Strict)
    db.flush()
    assert keyspace.held == 0
    assert db.engine is not engine
    assert free_slice(keyspace, 100)
    assert 4000 < len(engine.admitted) < 5000
    while free_slice(keyspace, 100):
        pass
    assert not engine.admitted


def test_a_volatile_policy_gives_up_keys_with_a_time_to_live_alone() -> None:
    keyspace, shape, clock = make()
    db = keyspace.databases[0]
    shape.use_engine(Strict, volatile=True)
    finish(shape)
    db.put(b"lasting", b"", DEL)
    put_hash(db, b"hash", {b"f": 1000})
    put_hash(db, b"some fields", {b"f": 1000, b"g": NEVER})
    db.put_until(b"timed", b"", clock.now() + 1000, DEL)
    db.put_until(b"persisted", b"", clock.now() + 1000, DEL)
    db.persist(b"persisted", DEL)
    db.put(b"expiring", b"", DEL)
    db.expire(b"expiring", clock.now() + 1000, DEL)
    while keyspace.evict():
        pass
    assert sorted(db.keys()) == [b"lasting", b"persisted", b"some fields"]
    assert keyspace.evicted_by == {Strict: 3}


def test_databases_lose_keys_in_proportion_to_what_they_hold() -> None:
    keyspace, shape, _ = make()
    one, other = keyspace.databases
    shape.use_engine(Lru)
    finish(shape)
    for number in range(900):
        one.put(b"%d" % number, b"", DEL)
    for number in range(300):
        other.put(b"%d" % number, b"", DEL)
    for _ in range(400):
        assert keyspace.evict()
    assert 560 < one.size < 640
    assert 160 < other.size < 240


@pytest.mark.parametrize("expires", [NEVER, 10**13])
def test_every_way_to_a_key_is_an_access(expires: int) -> None:
    keyspace, shape, _ = make()
    db = keyspace.databases[0]
    shape.use_engine(Lfu)
    finish(shape)
    if expires == NEVER:
        db.put(b"k", b"v", DEL)
    else:
        db.put_until(b"k", b"v", expires, DEL)
    entry = db.stored_entry(b"k")
    assert isinstance(entry, SizedEntry)
    assert entry.mark == 0
    for number, ask in enumerate([db.read, db.read_string, db.get_string, db.find], 1):
        assert ask(b"k") == b"v"
        assert entry.mark == number
    db.put(b"k", b"other", DEL)
    assert entry.mark == 5
    assert db.peek(b"k") == b"other"
    assert entry.mark == 5


class Refuses(Strict):
    """Gives up two keys at once, and then fails."""

    def victim(self) -> SizedEntry | None:
        if len(self.admitted) <= 498:
            raise RuntimeError("no more")
        return super().victim()


@pytest.mark.parametrize("engine", [Strict, Lru, Lfu, Sieve, Refuses])
def test_keys_that_go_at_once_are_counted(engine: type[Engine]) -> None:
    clock = Clock(1.7e9)
    keyspace = Keyspace(2, clock, random.Random(1).randrange)  # where nobody hears of each key
    shape, db = Shape(keyspace, lambda: clock.time), keyspace.databases[0]
    shape.use_engine(engine)
    finish(shape)
    assert type(db) in QUIET
    for number in range(500):
        key = b"%d" % number
        if number % 3:
            db.put(key, b"x" * 50, DEL)
        elif number % 2:
            db.put_until(key, b"x" * 50, 10**13, DEL)
        else:
            db.put(key, number, DEL)
    if engine is Refuses:
        with pytest.raises(RuntimeError):
            keyspace.evict(0, 64)
        assert keyspace.evicted == db.dirty - 500 == 2
    else:
        before = keyspace.held
        assert keyspace.evict(before - 1000, 64) == keyspace.evicted
        assert before - 1300 < keyspace.held <= before - 1000
        gone = keyspace.evicted
        assert keyspace.evict(0, 64) == 64
        assert [*keyspace.evicted_by.values()] == [keyspace.evicted] == [gone + 64] == [500 - db.size]
        while keyspace.evict(0, 64):
            pass
        assert db.size == keyspace.held == 0
    db._check()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("allkeys-lru", MarkingDatabase),
        ("allkeys-sieve", MarkingDatabase),
        ("allkeys-lfu", CountingDatabase),
        ("volatile-lfu", MarkingDatabase),  # for the keys that the engine does not know
        ("allkeys-adaptive", EvictingDatabase),
        ("allkeys-random", EvictingDatabase),
    ],
)
def test_an_access_is_the_same_as_a_write_and_as_a_call(name: str, kind: type[EvictingDatabase]) -> None:
    """The class of the database is by what an access is to the engine, whoever listens and whatever there was before;
    and what the engine comes to know is the same as in a database that calls it."""
    policy = load_policy(name)
    clock = Clock(1.7e9)
    keyspaces = [Keyspace(1, clock, random.Random(1).randrange) for _ in range(2)]
    shapes = [Shape(keyspace, lambda: clock.time) for keyspace in keyspaces]
    written, called = (keyspace.databases[0] for keyspace in keyspaces)
    for shape in shapes:
        for engine, volatile in ((Lru, False), (Lfu, True), (policy.engine, policy.volatile)):
            shape.use_engine(engine, volatile)
            finish(shape)
    assert type(written) is kind
    called.__class__ = EvictingDatabase
    chance = random.Random(name)
    for step in range(3000):
        if step == 1000:
            keyspaces[0].observer = Recorder()
            shapes[0].observe("test")
            assert isinstance(written, kind) and isinstance(written, ObservedDatabase)
        elif step == 2000:
            shapes[0].unobserve("test")
            assert type(written) is kind
        key = b"%d" % min(chance.randrange(300), chance.randrange(300))
        choice = chance.random()
        for db in (written, called):
            if choice < 0.3:
                assert db.get_string(key) == (b"x" * len(key) if db.find(key) is not None else None)
            elif choice < 0.5:
                db.read(key)
            elif choice < 0.9:
                db.put(key, b"x" * len(key), DEL)
            else:
                db.put_until(key, b"x" * len(key), 10**13, DEL)
    assert (written.hits, written.misses, written.dirty) == (called.hits, called.misses, called.dirty)
    assert written.misses and written.size == called.size
    for keyspace, db in zip(keyspaces, (written, called), strict=True):
        db._check()
        keyspace.evict(keyspace.held // 2, 1000)
        db._check()
    assert sorted(chain.from_iterable(written.buckets)) == sorted(chain.from_iterable(called.buckets))


@pytest.mark.parametrize("steps", range(12))
def test_a_choice_may_change_while_its_engines_are_made(steps: int) -> None:
    clock = Clock(1.7e9)
    keyspace = Keyspace(8, clock, random.Random(1).randrange)
    shape, db = Shape(keyspace, lambda: clock.time), keyspace.databases[7]
    for number in range(50):
        db.put(b"%d" % number, b"x", DEL)
    shape.use_engine(Lru)
    for _ in range(steps):
        assert shape.step()
    shape.use_engine(None)
    finish(shape)
    assert type(db) is Database and db.get_string(b"7") == b"x" and not shape.changing
    clock.time += 100
    shape.use_engine(Lru)
    for _ in range(steps):
        assert shape.step()
    shape.use_engine(Lfu)
    finish(shape)
    assert [type(each.engine) for each in keyspace.databases] == [Lfu] * 8 and type(db) is CountingDatabase
    shape.use_engine(Lru)
    finish(shape)
    assert db.engine is not None and db.engine.idle_seconds(db.stored_entry(b"7")) == 0
    db._check()
