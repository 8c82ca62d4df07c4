"""A database full of hashes whose fields expire, against a model: times, names, databases and engines change."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.entry import NEVER
from pycache_server.evict.lru import Lru
from pycache_server.store.database import Database
from pycache_server.store.events import DEL, EXPIRED_KEY, FIELDS_EXPIRED, Event
from pycache_server.store.field_expiry import drop_some_due, make_volatile, retime
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.memory import free_slice
from tests.conftest import more_in_ci, some_slow
from tests.store.test_keyspace import Actor, Recorder, make


class HashModel:
    """The fields of a hash with the times at which they expire; equal to a Hash with the same."""

    def __init__(self) -> None:
        self.fields: dict[bytes, int] = {}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hash):
            return NotImplemented
        times = other.times.get if isinstance(other, VolatileHash) else lambda field: NEVER
        return {field: times(field) for field in other.live()} == self.fields

    __hash__ = None


class HashActor(Actor):
    """Also fills the database with hashes."""

    def forget_expired(self) -> None:
        now = self.clock.now()
        super().forget_expired()
        for key, (value, _) in list(self.model.items()):
            if isinstance(value, HashModel):
                value.fields = {field: when for field, when in value.fields.items() if when > now}
                if not value.fields:
                    del self.model[key]

    def step(self) -> None:
        if self.chance.random() < 0.5:
            super().step()
            return
        self.forget_expired()
        actions = [self.set_field, self.set_field, self.expire_fields, self.expire_fields, self.persist_field]
        rare = [self.delete_field, self.rename, self.duplicate, self.swap, self.drop_some]
        self.chance.choice(actions if self.chance.random() < 0.8 else rare)()
        self.forget_expired()

    def found(self, key: bytes) -> tuple[Any, HashModel | None]:
        """A hash and its model, if there is one at a key."""
        model, value = self.model.get(key, (None, 0))[0], self.db.find(key)
        assert model == value
        return (value, model) if isinstance(model, HashModel) else (None, None)

    def field(self) -> bytes:
        return b"f%d" % self.chance.randrange(4)

    def set_field(self) -> None:
        key, field = self.key(), self.field()
        value, model = self.found(key)
        if value is None:
            value, model = Hash(), HashModel()
            self.db.put(key, value, DEL)
            self.model[key] = (model, NEVER)
        value.set(field, b"v")
        model.fields[field] = NEVER
        self.changed(key, value)

    def changed(self, key: bytes, value: Hash) -> None:
        if isinstance(value, VolatileHash):
            retime(self.db, key, value)
        self.db.touched(key, DEL)

    def expire_fields(self) -> None:
        key = self.key()
        value, model = self.found(key)
        if value is None:
            return
        if not isinstance(value, VolatileHash):
            value = make_volatile(self.db, key, value)
        for field in model.fields:
            if self.chance.random() < 0.7:
                model.fields[field] = self.later()
                value.times.set(field, model.fields[field])
        self.changed(key, value)

    def persist_field(self) -> None:
        key, field = self.key(), self.field()
        value, model = self.found(key)
        if isinstance(value, VolatileHash) and field in model.fields:
            value.times.forget(field)
            model.fields[field] = NEVER
            self.changed(key, value)

    def delete_field(self) -> None:
        key, field = self.key(), self.field()
        value, model = self.found(key)
        if value is None:
            return
        assert value.delete(field) == (model.fields.pop(field, None) is not None)
        if len(value):
            self.changed(key, value)
        else:
            self.db.touched(key, DEL)
            assert self.db.delete(key, DEL)
            del self.model[key]

    def rename(self) -> None:
        key, new = self.key(), self.key()
        taken = self.db.take(key)
        assert taken == self.model.get(key)
        if taken is not None:
            self.db.place(new, *taken, DEL)
            self.model[new] = self.model.pop(key)

    def duplicate(self) -> None:
        key, new = self.key(), self.key()
        value, model = self.found(key)
        if value is None or key == new:
            return
        twin = HashModel()
        twin.fields = dict(model.fields)
        expires = self.model[key][1]
        self.db.place(new, value.copy(), expires, DEL)
        self.model[new] = (twin, expires)

    def swap(self) -> None:
        self.keyspace.swap(0, 1)
        self.db = self.keyspace.databases[1 - self.db.index]

    def drop_some(self) -> None:
        key = self.key()
        value, _ = self.found(key)
        if isinstance(value, VolatileHash):
            drop_some_due(self.db, key, value, 1)

    def check(self) -> None:
        super().check()
        for database in self.keyspace.databases:
            database._check()
        volatile = sum(expires != NEVER for _, expires in self.model.values())
        assert self.db.volatile() == volatile
        for key, (value, expires) in self.model.items():
            assert self.db.peek(key) == value
            assert self.db.expires_at(key) == expires


@pytest.mark.parametrize("seed", some_slow(range(4), 1))
def test_random_operations_end_as_in_the_model(seed: int) -> None:
    actor = HashActor(seed)
    for number in range(more_in_ci(1500, 4000)):
        actor.step()
        if number % 100 == 0:
            actor.check()
    actor.keyspace.stands_still = False
    actor.clock.time += 1e9
    actor.forget_expired()
    actor.expire_due()
    actor.check()
    assert actor.db.size == len(actor.model)
    actor.db.flush()
    while free_slice(actor.keyspace, 100):
        pass
    assert not actor.keyspace.discarded


def put_hash(db: Database, key: bytes, times: dict[bytes, int]) -> VolatileHash:
    """A hash with fields that expire after so many ms, or not at NEVER."""
    value = Hash()
    for field in times:
        value.set(field, b"v")
    db.put(key, value, DEL)
    volatile = make_volatile(db, key, value)
    for field, after in times.items():
        if after != NEVER:
            volatile.times.set(field, db.clock.now() + after)
    retime(db, key, volatile)
    return volatile


def heard(db: Database) -> list[tuple[bytes, Event]]:
    """What the observer has heard since the last time."""
    recorder = db.keyspace.observer
    assert isinstance(recorder, Recorder)
    events, recorder.heard = recorder.heard, []
    return events


def test_a_hash_is_gone_with_its_last_field_before_it_is_removed() -> None:
    keyspace, shape, clock = make()
    shape.observe("test")
    db = keyspace.databases[0]
    for key in (b"a", b"b", b"c", b"d"):
        put_hash(db, key, {b"f": 5, b"g": 10})
    put_hash(db, b"lasts", {b"f": 5, b"g": NEVER})
    heard(db)
    clock.time += 0.007
    assert db.live_size() == 5
    clock.time += 0.003
    assert db.live_size() == 1
    assert list(db.keys()) == [b"lasts"]
    assert db.scan(0, 100) == (0, [b"lasts"])
    assert db.read(b"a") is None
    assert db.expires_at(b"b") is None
    assert not db.delete(b"c", DEL)
    db.put(b"d", b"new", DEL)
    assert [each for each in heard(db) if each[0] == b"a"][:2] == [(b"a", FIELDS_EXPIRED), (b"a", DEL)]
    assert db.expired_fields == 8
    assert db.expired == 0
    db._check()


def test_fields_are_removed_when_they_are_due_and_told_once_for_a_hash() -> None:
    keyspace, shape, clock = make()
    shape.observe("test")
    db = keyspace.databases[0]
    first = put_hash(db, b"first", {b"a": 5, b"b": 5, b"c": 500, b"d": NEVER})
    put_hash(db, b"second", {b"a": 6, b"b": NEVER})
    heard(db)
    due = db.next_due()
    assert due is not None
    assert due <= clock.now() + 5 + 16
    clock.time += 0.1
    assert not db.expire_due(64)
    assert set(first.fields) == {b"c", b"d"}
    assert heard(db) == [(b"first", FIELDS_EXPIRED), (b"second", FIELDS_EXPIRED)]
    assert db.expired_fields == 3
    assert db.fields.size == 1
    assert type(db.find(b"second")) is Hash
    db._check()


def test_a_storm_of_fields_is_worked_off_in_slices() -> None:
    keyspace, _, clock = make()
    db = keyspace.databases[0]
    value = put_hash(db, b"h", {b"%d" % number: 100 + number % 3 for number in range(3000)} | {b"last": NEVER})
    clock.time += 0.2
    assert len(value) == 1
    slices = 0
    more = True
    while more:
        before = len(value.fields)
        more = db.expire_due(64)
        assert before - len(value.fields) <= 64
        db._check()
        slices += 1
    assert slices >= 3000 // 64
    assert list(value.fields) == [b"last"]
    assert db.next_due() is None


def test_the_time_of_the_key_and_that_of_its_last_field_are_kept_apart() -> None:
    keyspace, shape, clock = make()
    shape.observe("test")
    db = keyspace.databases[0]
    put_hash(db, b"h", {b"f": 1000})
    assert db.expires_at(b"h") == NEVER
    assert db.volatile() == 0
    assert not db.persist(b"h", DEL)
    db.expire(b"h", clock.now() + 5000, DEL)
    assert db.expires_at(b"h") == clock.now() + 5000
    assert db.volatile() == 1
    clock.time += 1
    assert db.find(b"h") is None
    put_hash(db, b"h", {b"f": 1000})
    db.expire(b"h", clock.now() + 500, DEL)
    heard(db)
    clock.time += 0.5
    assert db.find(b"h") is None
    assert heard(db) == [(b"h", EXPIRED_KEY)]
    put_hash(db, b"h", {b"f": 1000})
    db.expire(b"h", clock.now() + 500, DEL)
    assert db.persist(b"h", DEL)
    clock.time += 0.9
    assert db.find(b"h") is not None
    db._check()


def test_a_string_in_the_place_of_a_hash_lives_as_long_as_the_key_would_have() -> None:
    keyspace, shape, clock = make()
    db = keyspace.databases[0]
    for engine in (None, Lru):
        shape.use_engine(engine)
        while shape.step():
            pass
        for key, expires in ((b"a", NEVER), (b"b", clock.now() + 5000)):
            put_hash(db, key, {b"f": 1000})
            if expires != NEVER:
                db.expire(key, expires, DEL)
            db.update(key, b"text", DEL)
            assert db.expires_at(key) == expires
            db._check()


def test_a_big_hash_that_dies_is_freed_in_slices() -> None:
    keyspace, _, clock = make()
    db = keyspace.databases[0]
    put_hash(db, b"h", {b"%d" % number: 100 for number in range(2000)})
    clock.time += 1
    assert not db.expire_due(64)
    assert db.size == 0
    assert db.expired_fields == 2000
    slices = 0
    while free_slice(keyspace, 100):
        slices += 1
    assert slices > 20


def test_the_account_of_an_evicting_database_follows_fields_that_expire() -> None:
    keyspace, shape, clock = make()
    db = keyspace.databases[0]
    shape.use_engine(Lru)
    while shape.step():
        pass
    put_hash(db, b"h", {b"%d" % number: 100 for number in range(500)} | {b"last": NEVER})
    db.touched(b"h", DEL)
    full = keyspace.used()
    clock.time += 1
    while db.expire_due(64):
        pass
    db._check()
    assert keyspace.used() < full / 2
    assert db.evict()
    assert keyspace.used() == 0
    assert db.fields.size == 0
