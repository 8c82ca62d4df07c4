"""Hashes against a plain dict of fields with times: random operations while time passes."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from pycache_server.entry import NEVER
from pycache_server.store.clock import Clock
from pycache_server.store.encodings import Encodings
from pycache_server.store.field_times import FEW, FieldTimes
from pycache_server.store.hash import FIELD_EXPIRES, Hash, VolatileHash
from pycache_server.store.table import SMALL
from tests.conftest import more_in_ci, some_slow


class Actor:
    """Does the same to a hash and to a model of it."""

    def __init__(self, seed: int, fields: int) -> None:
        self.chance = random.Random(seed)
        self.clock = Clock(1.7e9)
        self.value = Hash()
        self.model: dict[bytes, tuple[bytes, int]] = {}
        self.fields = fields

    def step(self) -> None:
        self.forget_expired()
        actions = [self.set, self.set, self.rewrite, self.delete, self.get, self.expire, self.expire, self.persist]
        rare = [self.let_time_pass, self.let_time_pass, self.drop_due, self.set_many, self.copy]
        self.chance.choice(actions if self.chance.random() < 0.9 else rare)()

    def forget_expired(self) -> None:
        now = self.clock.now()
        self.model = {field: held for field, held in self.model.items() if held[1] > now}

    def field(self) -> bytes:
        return b"f%d" % self.chance.randrange(self.fields)

    def text(self) -> bytes:
        return b"v" * self.chance.choice([0, 1, 5, 14, 15, 16, 100])

    def set(self) -> None:
        field, text = self.field(), self.text()
        assert self.value.set(field, text) == (field not in self.model)
        self.model[field] = (text, NEVER)

    def set_many(self) -> None:
        fields = [self.field() for _ in range(20)]
        values = [self.text() for _ in fields]
        assert self.value.set_many(fields, values) == len(set(fields) - self.model.keys())
        self.model |= {field: (text, NEVER) for field, text in zip(fields, values, strict=True)}

    def rewrite(self) -> None:
        field, text = self.field(), self.text()
        self.value.rewrite(field, text)
        self.model[field] = (text, self.model.get(field, (b"", NEVER))[1])

    def delete(self) -> None:
        field = self.field()
        assert self.value.delete(field) == (field in self.model)
        self.model.pop(field, None)

    def get(self) -> None:
        fields = [self.field() for _ in range(3)]
        expected = [self.model.get(field, (None, 0))[0] for field in fields]
        assert [self.value.get(field) for field in fields] == self.value.get_many(fields) == expected

    def expire(self) -> None:
        field = self.field()
        if field in self.model:
            if not isinstance(self.value, VolatileHash):
                self.value.become_volatile(self.clock)
            when = self.clock.now() + self.chance.choice([1, 5, 100, self.chance.randrange(1, 10**6)])
            self.value.times.set(field, when)
            self.model[field] = (self.model[field][0], when)

    def persist(self) -> None:
        field = self.field()
        if isinstance(self.value, VolatileHash) and field in self.model:
            self.value.times.forget(field)
            self.model[field] = (self.model[field][0], NEVER)
            if not len(self.value.times):
                self.value.become_lasting()

    def let_time_pass(self) -> None:
        self.clock.time += self.chance.choice([0.001, 0.003, 0.1, 1, 1000])

    def drop_due(self) -> None:
        if isinstance(self.value, VolatileHash):
            overdue = self.value.times.overdue()
            assert len(self.value.drop_due(7)) == min(overdue, 7)

    def copy(self) -> None:
        original, self.value = self.value, self.value.copy()
        assert type(original) is type(self.value)
        original.set(b"only in the original", b"")
        original._check()

    def check(self) -> None:
        self.forget_expired()
        value, now = self.value, self.clock.now()
        value._check()
        contents = {field: text for field, (text, _) in self.model.items()}
        assert dict(value.live().items()) == contents
        assert len(value) == len(contents)
        assert sorted(self.scan_all()) == sorted(contents)
        expiring = {field: when for field, (_, when) in self.model.items() if when != NEVER}
        parts = {part[0]: part for part in value.digest_parts()}
        assert parts == {
            field: (field, text, FIELD_EXPIRES) if field in expiring else (field, text)
            for field, text in contents.items()
        }
        if isinstance(value, VolatileHash):
            assert {field: when for field, when in value.times.at.items() if when > now} == expiring
            stored = dict(value.times.at.items())
            assert value.times.earliest() == min(stored.values(), default=NEVER)
            assert value.end() == (max(stored.values(), default=NEVER) if len(stored) == len(value.fields) else NEVER)

    def scan_all(self) -> list[bytes]:
        found: list[bytes] = []
        cursor = 0
        while True:
            cursor, fields = self.value.scan(cursor, self.chance.choice([1, 10, 1000]))
            found += fields
            if not cursor:
                return found


@pytest.mark.parametrize(("seed", "fields"), [(1, 5), (2, 40), (3, 40), (4, 300), (5, 4000)])
def test_random_operations_end_as_in_a_plain_dict(seed: int, fields: int) -> None:
    actor = Actor(seed, fields)
    for number in range(more_in_ci(2000, 5000)):
        actor.step()
        if number % 200 == 0:
            actor.check()
    actor.check()
    taken = 0
    while len(actor.value):
        taken += actor.value.free(50)
    assert taken


def held_by(value: Hash) -> int:
    """What a hash takes, by looking at every object."""
    seen: dict[int, int] = {}

    def visit(thing: Any) -> None:
        if thing is None or id(thing) in seen:
            return
        seen[id(thing)] = (sys.getsizeof(thing) + 15) & ~15
        if isinstance(thing, dict):
            for part in (*thing, *thing.values()):
                visit(part)
        elif isinstance(thing, (list, tuple)):
            for part in thing:
                visit(part)
        elif isinstance(thing, FieldTimes):
            visit(thing.at)
            visit(thing.order)
        elif hasattr(thing, "buckets"):
            visit(thing.buckets)
        elif hasattr(thing, "_lists"):
            visit(thing._lists)

    visit(value)
    visit(value.fields)
    visit(value.held)
    if isinstance(value, VolatileHash):
        visit(value.times)
    return sum(seen.values())


@pytest.mark.parametrize("count", some_slow([1, 5, 20, 500, SMALL + 1, 5000, 40000], 6))
@pytest.mark.parametrize("timed", [0.0, 0.5, 1.0])
def test_memory_is_about_what_the_hash_takes(count: int, timed: float) -> None:
    chance = random.Random(count)
    clock = Clock(1.7e9)
    value = Hash()
    for number in range(count):
        value.set(b"field:%d" % number, b"x" * chance.randrange(30))
    if timed:
        volatile = value.become_volatile(clock)
        when = clock.now() + 1000
        for number in range(int(count * timed) or 1):
            if number % 2:
                when = clock.now() + chance.randrange(10**6)
            volatile.times.set(b"field:%d" % number, when)
    assert value.memory() == pytest.approx(held_by(value), rel=0.1)


def test_a_listpack_becomes_a_hash_table_once_and_for_all() -> None:
    limits = Encodings()
    value = Hash()
    for number in range(512):
        value.set(b"%d" % number, b"x")
    assert value.encoding(limits) == b"listpack"
    value.set(b"one more", b"x")
    assert value.encoding(limits) == b"hashtable"
    value.delete(b"one more")
    assert value.encoding(limits) == value.copy().encoding(limits) == b"hashtable"


@pytest.mark.parametrize(("field", "text"), [(b"f", b"x" * 65), (b"f" * 65, b"")])
def test_a_long_field_or_value_makes_a_hash_table(field: bytes, text: bytes) -> None:
    limits = Encodings()
    value = Hash()
    value.set(b"f", b"x" * 64)
    assert value.encoding(limits) == b"listpack"
    value.set(field, text)
    assert value.encoding(limits) == b"hashtable"
    value.set(field, b"")
    value.delete(field)
    assert value.encoding(limits) == b"hashtable"


def test_a_hash_whose_fields_may_expire_stays_another_listpack() -> None:
    limits = Encodings()
    value = Hash()
    value.set(b"f", b"x")
    value.timed = True
    assert value.encoding(limits) == value.copy().encoding(limits) == b"listpackex"
    value.set(b"g", b"x" * 65)
    assert value.encoding(limits) == b"hashtable"


def test_more_than_a_few_times_are_kept_in_order() -> None:
    times = FieldTimes(Clock(1.7e9))
    for number in range(FEW):
        times.set(b"%d" % number, 1000 - number)
    assert times.order is None
    times.set(b"one more", 5)
    assert times.order is not None
    assert times.due(3) == [b"one more", b"31", b"30"]
    times._check()


def test_a_large_hash_is_freed_in_slices() -> None:
    clock = Clock(1.7e9)
    value = Hash()
    for number in range(20000):
        value.set(b"%d" % number, b"")
    volatile = value.become_volatile(clock)
    for number in range(20000):
        volatile.times.set(b"%d" % number, clock.now() + number % 7)
    clock.time += 1
    assert len(value) == 0
    slices = 0
    more = True
    while more:
        assert value.free(1000) <= 3000
        more = len(value) > 0
        slices += 1
    assert slices > 20
    assert not len(value.fields)
