"""The keyspace against a plain dict: random operations, while time, observers and eviction engines come and go."""

from __future__ import annotations

import gc
import random
import sys
from typing import Any

import pytest

from pycache_server.entry import NEVER
from pycache_server.errors import NotAnInteger, WouldOverflow
from pycache_server.evict.lru import Lru
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.buckets import make_known
from pycache_server.store.census import Census
from pycache_server.store.clock import Clock
from pycache_server.store.database import Database
from pycache_server.store.events import DEL, EXPIRED_KEY, NEW_KEY, Event
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.memory import free_slice
from pycache_server.store.scan import SLOTS
from pycache_server.store.shape import Shape
from tests.conftest import more_in_ci, some_slow


class Recorder:
    """An Observer that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Event]] = []

    def changed(self, database: Database, key: bytes, event: Event) -> None:
        self.heard.append((key, event))

    def lost(self, database: Database, key: bytes, value: Any, event: Event) -> None:
        pass

    def flushed(self, database: Database) -> None:
        pass

    def emptied(self) -> None:
        pass

    def swapped(self, first: Database, second: Database) -> None:
        pass


def make(seed: int = 1) -> tuple[Keyspace, Shape, Clock]:
    chance = random.Random(seed)
    clock = Clock(1.7e9)
    keyspace = Keyspace(2, clock, chance.randrange)
    keyspace.observer = Recorder()
    return keyspace, Shape(keyspace, lambda: clock.time), clock


class Actor:
    """Does the same to a database and to a model of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.keyspace, self.shape, self.clock = make(seed)
        self.db = self.keyspace.databases[0]
        self.model: dict[bytes, tuple[Any, int]] = {}

    def forget_expired(self) -> None:
        now = self.clock.now()
        self.model = {key: held for key, held in self.model.items() if held[1] > now}

    def step(self) -> None:
        self.forget_expired()
        actions = [self.put, self.put_until, self.update, self.recast, self.delete, self.expire, self.persist]
        actions += [self.take, self.read, self.look]
        rare = [self.let_time_pass, self.expire_due, self.observe, self.change_engine, self.evict, self.flush]
        rare += [self.stand_still]
        self.chance.choice(actions if self.chance.random() < 0.85 else rare)()
        self.shape.step()
        self.forget_expired()

    def key(self) -> bytes:
        return b"k%d" % self.chance.randrange(150)

    def later(self) -> int:
        return self.clock.now() + self.chance.randrange(1, 10 ** self.chance.randrange(1, 12))

    def put(self) -> None:
        key, value = self.key(), self.chance.choice([b"x", 5, bytearray(b"z")])
        self.db.put(key, value, DEL)
        self.model[key] = (value, NEVER)

    def put_until(self) -> None:
        key, expires = self.key(), self.later()
        self.db.put_until(key, b"y", expires, DEL)
        self.model[key] = (b"y", expires)

    def update(self) -> None:
        key = self.key()
        self.db.update(key, b"u", DEL)
        self.model[key] = (b"u", self.model.get(key, (0, NEVER))[1])

    def recast(self) -> None:
        key, before = self.key(), self.db.dirty
        self.db.recast(key, bytearray(b"in place"))
        assert self.db.dirty == before
        self.model[key] = (b"in place", self.model.get(key, (0, NEVER))[1])

    def delete(self) -> None:
        key = self.key()
        assert self.db.delete(key, DEL) == (key in self.model)
        self.model.pop(key, None)

    def expire(self) -> None:
        key, expires = self.key(), self.later()
        assert self.db.expire(key, expires, DEL) == (key in self.model)
        if key in self.model:
            self.model[key] = (self.model[key][0], expires)

    def persist(self) -> None:
        key = self.key()
        assert self.db.persist(key, DEL) == (key in self.model and self.model[key][1] != NEVER)
        if key in self.model:
            self.model[key] = (self.model[key][0], NEVER)

    def take(self) -> None:
        key = self.key()
        assert self.db.take(key) == self.model.pop(key, None)

    def read(self) -> None:
        key = self.key()
        assert self.db.read(key) == self.model.get(key, (None,))[0]
        assert self.db.expires_at(key) == (self.model[key][1] if key in self.model else None)

    def look(self) -> None:
        key, before = self.key(), self.db.hits + self.db.misses
        assert self.db.look(key) == self.model.get(key, (None,))[0]
        assert self.db.hits + self.db.misses == before + 1

    def let_time_pass(self) -> None:
        self.clock.time += self.chance.choice([0.001, 0.003, 0.1, 1, 1000, 1e6])

    def expire_due(self) -> None:
        while self.db.expire_due(7):
            pass

    def stand_still(self) -> None:
        self.keyspace.stands_still = self.chance.random() < 0.3

    def observe(self) -> None:
        self.chance.choice([self.shape.observe, self.shape.unobserve])("test")

    def change_engine(self) -> None:
        self.shape.use_engine(self.chance.choice([None, Lru, NoEviction]))

    def evict(self) -> None:
        victim = self.db.candidates.victim() if self.db.candidates is not None else None
        if victim is not None and victim.expires > self.clock.now():
            assert self.db.evict()
            del self.model[victim.key]

    def flush(self) -> None:
        if self.chance.random() < 0.1:
            assert self.db.flush() == len(self.model)
            self.model.clear()

    def check(self) -> None:
        self.db._check()
        assert self.db.live_size() == len(self.model)
        assert set(self.db.keys()) == self.model.keys()
        assert sorted(self.scan_all()) == sorted(self.model)
        key = self.db.random_key()
        assert key in self.model if self.model else key is None

    def scan_all(self) -> list[bytes]:
        found: list[bytes] = []
        cursor = 0
        while True:
            cursor, keys = self.db.scan(cursor, self.chance.choice([1, 10, 1000]))
            found += keys
            if not cursor:
                return found


@pytest.mark.parametrize("seed", some_slow(range(4), 2))
def test_random_operations_end_as_in_a_plain_dict(seed: int) -> None:
    actor = Actor(seed)
    for number in range(more_in_ci(1500, 4000)):
        actor.step()
        if number % 100 == 0:
            actor.check()
    while free_slice(actor.keyspace, 100):
        pass
    assert not actor.keyspace.discarded


def test_a_scan_returns_what_is_there_all_the_time_whatever_else_comes_and_goes() -> None:
    keyspace, _, _ = make()
    db = keyspace.databases[0]
    chance = random.Random(3)
    lasting = [b"lasting%d" % number for number in range(2000)]
    for key in lasting:
        db.put(key, b"", DEL)
    seen: list[bytes] = []
    cursor = calls = 0
    while True:
        cursor, keys = db.scan(cursor, 10)
        assert len(keys) <= 20
        seen += keys
        calls += 1
        for _ in range(20):
            db.put(b"other%d" % chance.randrange(5000), b"", DEL)
            db.delete(b"other%d" % chance.randrange(5000), DEL)
        if not cursor:
            break
    assert set(lasting) <= set(seen)
    assert len([key for key in seen if key.startswith(b"lasting")]) == len(lasting)


def test_random_keys_are_equally_likely() -> None:
    keyspace, _, _ = make()
    db = keyspace.databases[0]
    for number in range(50):
        db.put(b"%d" % number, b"", DEL)
    counts: dict[bytes | None, int] = {}
    for _ in range(5000):
        key = db.random_key()
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 50
    assert all(50 < count < 170 for count in counts.values())


def test_increments_keep_the_time_to_live_and_their_bounds() -> None:
    keyspace, _, clock = make()
    db = keyspace.databases[0]
    db.put_until(b"n", b"9223372036854775806", clock.now() + 1000, DEL)
    assert db.increment(b"n", 1, DEL) == 2**63 - 1
    assert db.expires_at(b"n") == clock.now() + 1000
    with pytest.raises(WouldOverflow):
        db.increment(b"n", 1, DEL)
    db.put(b"text", b"1_0", DEL)
    with pytest.raises(NotAnInteger):
        db.increment(b"text", 1, DEL)
    assert db.read(b"n") == 2**63 - 1


def test_an_expired_key_is_gone_for_every_reader_before_it_is_removed() -> None:
    keyspace, shape, clock = make()
    shape.observe("test")
    db = keyspace.databases[0]
    for key in (b"a", b"b", b"c", b"d", b"e"):
        db.put_until(key, b"v", clock.now() + 10, DEL)
    clock.time += 0.010
    assert db.live_size() == 0
    assert list(db.keys()) == []
    assert db.scan(0, 100) == (0, [])
    assert db.read(b"a") is None
    assert db.find(b"b") is None
    assert db.peek(b"c") is None
    assert db.expires_at(b"c") is None
    assert not db.delete(b"d", DEL)
    assert db.random_key() is None
    assert db.take(b"e") is None
    recorder = keyspace.observer
    assert isinstance(recorder, Recorder)
    assert [event for _, event in recorder.heard].count(EXPIRED_KEY) == 5
    assert db.expired == 5


def test_a_look_at_a_key_does_not_keep_it_young() -> None:
    keyspace, shape, _ = make()
    shape.use_engine(Lru)
    while shape.step():
        pass
    db = keyspace.databases[0]
    db.put(b"old", b"", DEL)
    db.put(b"new", b"", DEL)
    assert db.look(b"old") == b""
    assert db.evict()
    assert db.peek(b"old") is None
    assert db.find(b"new") == b""


def test_nobody_hears_that_a_string_takes_another_form() -> None:
    keyspace, shape, _ = make()
    shape.observe("test")
    db = keyspace.databases[0]
    db.put(b"k", b"v", DEL)
    recorder = keyspace.observer
    assert isinstance(recorder, Recorder)
    recorder.heard.clear()
    db.recast(b"k", bytearray(b"v"))
    db.recast(b"new", bytearray(1))
    assert [event for _, event in recorder.heard if event.kind] == [NEW_KEY]


def test_new_keys_are_announced_before_their_event() -> None:
    keyspace, shape, _ = make()
    shape.observe("test")
    keyspace.databases[0].put(b"k", b"v", DEL)
    keyspace.databases[0].put(b"k", b"v", DEL)
    recorder = keyspace.observer
    assert isinstance(recorder, Recorder)
    assert recorder.heard == [(b"k", NEW_KEY), (b"k", DEL), (b"k", DEL)]


def test_the_account_of_an_evicting_database_follows_its_contents() -> None:
    keyspace, shape, _ = make()
    db = keyspace.databases[0]
    for number in range(1000):
        db.put(b"k%d" % number, b"x" * 100, DEL)
    shape.use_engine(Lru)
    while shape.step():
        pass
    full = keyspace.used()
    assert 1000 * 150 < full < 1000 * 500
    for number in range(500):
        db.delete(b"k%d" % number, DEL)
    assert abs(keyspace.used() - full / 2) < full / 100
    assert keyspace.evict()
    assert db.live_size() == 499
    shape.use_engine(None)
    while shape.step():
        pass
    assert keyspace.used() == 0
    assert type(db) is Database


def test_databases_are_exchanged_whole() -> None:
    keyspace, _, clock = make()
    one, other = keyspace.databases
    one.put_until(b"a", b"1", clock.now() + 5, DEL)
    other.put(b"b", b"2", DEL)
    keyspace.swap(0, 1)
    assert one.read(b"b") == b"2"
    assert other.read(b"a") == b"1"
    clock.time += 1
    other.expire_due(10)
    assert other.size == 0
    one._check()
    other._check()


def test_the_collector_is_told_of_empty_buckets() -> None:
    keyspace, _, _ = make()
    keyspace.on_table = make_known
    database = keyspace.databases[0]
    database.put(b"k", b"v", DEL)
    assert len(list(database.buckets)) == SLOTS
    assert all(map(gc.is_tracked, database.buckets))
    gc.collect()
    assert not any(map(gc.is_tracked, database.buckets))
    make_known(database.buckets)
    assert all(map(gc.is_tracked, database.buckets))
    assert database.read(b"k") == b"v"
    assert database.live_size() == 1


def test_the_table_of_a_database_is_made_when_it_is_looked_into() -> None:
    keyspace, _, _ = make()
    first, second = keyspace.databases[:2]
    assert not list(first.buckets) and len(first.buckets) == SLOTS
    assert first.scan(0, 10) == (0, []) and first.random_key() is None and not first.flush()
    first._check()
    assert not list(first.buckets)
    keyspace.swap(0, 1)
    first.put(b"k", b"v", DEL)
    assert first.read(b"k") == b"v" and second.size == 0 and not list(second.buckets)
    keyspace.swap(0, 1)
    assert second.read(b"k") == b"v" and not list(first.buckets)
    assert first.read(b"k") is None and len(list(first.buckets)) == SLOTS
    second.flush()
    assert not list(second.buckets)
    second.put(b"k", b"w", DEL)
    assert second.read(b"k") == b"w"
    second._check()


def test_the_last_buckets_of_a_flushed_database_are_emptied_in_pieces() -> None:
    keyspace, _, _ = make()
    database = keyspace.databases[0]
    for bucket in database.buckets[:3]:
        bucket.update((b"%d" % number, b"v") for number in range(1000))
    database.size = 3000
    database.flush()
    held = keyspace.discarded[0]._buckets
    sizes = []
    while free_slice(keyspace, 4096):
        sizes.append(sum(map(len, held)))
    assert len(sizes) > 20
    assert all(0 <= before - after <= 2 * 128 for before, after in zip([3000, *sizes], sizes, strict=False))


def test_buckets_give_their_room_back_when_their_last_key_expires() -> None:
    keyspace, _, clock = make()
    database = keyspace.databases[0]
    empty = sys.getsizeof({}) * SLOTS
    for number in range(40_000):
        database.put_until(b"%d" % number, b"", clock.now() + 100, DEL)
    assert sum(map(sys.getsizeof, database.buckets)) > 5 * empty
    clock.time += 1
    while database.expire_due(1000):
        pass
    assert sum(map(sys.getsizeof, database.buckets)) == empty


def test_a_census_that_began_before_a_flush_tells_nothing_of_what_came_after() -> None:
    keyspace, _, _ = make()
    database, census = keyspace.databases[0], Census(keyspace)

    def fill(size: int) -> None:
        database.flush()
        for number in range(3000):
            database.put(b"%d" % number, bytes(size), DEL)

    fill(4000)
    census.begin()
    assert census.step(1000)
    fill(1000)
    while census.step(1000):
        pass
    assert not census.fresh
    assert not census.likens(3000)
    census.begin()
    assert census.step(1000)
    fill(100)
    census.begin()
    while census.step(1000):
        pass
    assert census.fresh
    assert census.likens(3000)
    assert 100 < census.bytes / 3000 < 400
