"""A Set holds what a Python set would, in the form that Redis 7.4 would give it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from sys import getsizeof

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.numbers import parse_int
from pycache_server.store.set import HASHTABLE, INTSET, LISTPACK, Set, form_of, is_integer
from pycache_server.store.table import SMALL, Bag
from tests.conftest import more_in_ci, some_slow

LIMITS = Encodings()


def limits(intset: int = 512, listpack: int = 128, value: int = 64) -> Encodings:
    found = Encodings()
    found.set_max_intset_entries, found.set_max_listpack_entries = intset, listpack
    found.set_max_listpack_value = value
    return found


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


def made(elements: Sequence[bytes], bounds: Encodings = LIMITS) -> Set:
    """A set as SADD makes it."""
    value = Set.made_for(elements[0], len(elements), bounds)
    value.update(elements, bounds)
    return value


class RedisSet:
    """The rules of Redis 7.4, an element at a time."""

    def __init__(self) -> None:
        self.elements: list[bytes] = []
        self.form = b""

    def sadd(self, added: Sequence[bytes], bounds: Encodings) -> None:
        integers, compact = bounds.set_max_intset_entries, bounds.set_max_listpack_entries
        if not self.elements:
            if parse_int(added[0]) is not None and len(added) <= integers:
                self.form = INTSET
            else:
                self.form = LISTPACK if len(added) <= compact else HASHTABLE
        elif (self.form == LISTPACK and len(added) > compact) or (self.form == INTSET and len(added) > integers):
            self.form = HASHTABLE
        for element in added:
            if element not in self.elements:
                self._add(element, bounds)

    def _add(self, element: bytes, bounds: Encodings) -> None:
        count, compact = len(self.elements), bounds.set_max_listpack_entries
        fits = count < compact and len(element) <= bounds.set_max_listpack_value
        if self.form == LISTPACK and not fits:
            self.form = HASHTABLE
        elif self.form == INTSET and parse_int(element) is not None:
            if count + 1 > bounds.set_max_intset_entries:
                self.form = HASHTABLE
        elif self.form == INTSET:
            longest = max(map(len, self.elements), default=0)
            self.form = LISTPACK if fits and longest <= bounds.set_max_listpack_value else HASHTABLE
        self.elements.append(element)

    def srem(self, element: bytes) -> None:
        if element in self.elements:
            self.elements.remove(element)


POOL = [*numbers(40, -5), *(b"m%d" % number for number in range(20)), b"01", b"-0", b"+1", b"", b"x" * 64, b"x" * 65]


@pytest.mark.parametrize("seed", range(60))
def test_the_form_is_that_of_redis_after_the_same_history(seed: int) -> None:
    chance = random.Random(seed)
    bounds = limits(chance.choice([0, 3, 10, 512]), chance.choice([0, 3, 10, 128]), chance.choice([0, 1, 2, 64]))
    model, value = RedisSet(), Set()
    for _ in range(60):
        pool = chance.choice([POOL, numbers(30)])
        if chance.random() < 0.6:
            added = chance.choices(pool, k=chance.choice([1, 1, 2, 5, 12]))
            if not model.elements:
                value = Set.made_for(added[0], len(added), bounds)
            model.sadd(added, bounds)
            if len(added) == 1 and chance.random() < 0.5:
                value.add(added[0], bounds)
            else:
                value.update(added, bounds)
        else:
            element = chance.choice(POOL)
            assert value.remove(element) == (element in model.elements), seed
            model.srem(element)
        value._check()
        assert set(value.elements) == set(model.elements), seed
        if model.elements:
            assert value.encoding(bounds) == model.form, (seed, model.elements)


@pytest.mark.parametrize(
    ("elements", "form"),
    [
        (numbers(512), INTSET),
        (numbers(513), HASHTABLE),
        ([b"1", b"-9223372036854775808", b"9223372036854775807"], INTSET),
        ([b"1", b"9223372036854775808"], LISTPACK),
        ([b"x", *numbers(127)], LISTPACK),
        ([b"x", *numbers(128)], HASHTABLE),
        ([*numbers(128), b"x"], HASHTABLE),
        ([*numbers(127), b"x"], LISTPACK),
        ([b"x" * 64], LISTPACK),
        ([b"x" * 65], HASHTABLE),
        ([b"1", b"x" * 65], HASHTABLE),
        ([b"1"] * 513, HASHTABLE),
        ([b"x"] * 129, HASHTABLE),
        ([b"01"], LISTPACK),
        ([b""], LISTPACK),
    ],
)
def test_forms_of_sets_that_are_made_at_once(elements: list[bytes], form: bytes) -> None:
    assert made(elements).form is form


def test_a_form_is_not_left_by_removing() -> None:
    value = made([*numbers(3), b"x"])
    value.remove(b"x")
    assert value.form is LISTPACK
    value = made([b"m%d" % number for number in range(200)])
    for number in range(1, 200):
        value.remove(b"m%d" % number)
    assert value.form is HASHTABLE and value.members() == [b"m0"]


def test_the_form_of_what_a_command_makes_depends_on_where_redis_starts() -> None:
    bounds = limits(intset=4, listpack=6)
    assert form_of(numbers(4), INTSET, bounds) is INTSET
    assert form_of(numbers(5), INTSET, bounds) is HASHTABLE
    assert form_of(numbers(5), LISTPACK, bounds) is LISTPACK
    assert form_of(numbers(7), LISTPACK, bounds) is HASHTABLE
    assert form_of([b"x", b"1"], INTSET, bounds) is LISTPACK
    assert form_of([b"x" * 65], INTSET, bounds) is HASHTABLE
    assert form_of([], INTSET, bounds) is INTSET


def test_popping_almost_everything_makes_a_new_form() -> None:
    chance = random.Random(1)
    value = made([b"m%d" % number for number in range(300)])
    value.pop_some(200, chance.randrange, LIMITS)
    assert value.form is HASHTABLE and len(value) == 100
    value.pop_some(95, chance.randrange, LIMITS)
    assert value.form is LISTPACK and len(value) == 5
    value = made(numbers(300))
    value.pop_some(299, chance.randrange, LIMITS)
    assert value.form is INTSET
    value = made(numbers(600))
    value.pop_some(599, chance.randrange, LIMITS)
    assert value.form is LISTPACK, "integers, but out of a hashtable"


@pytest.mark.parametrize("seed", some_slow(range(4), 1))
def test_a_big_set_is_a_set(seed: int) -> None:
    chance = random.Random(seed)
    value, model = Set(), set[bytes]()
    for _ in range(more_in_ci(100, 300)):
        action = chance.randrange(7)
        some = [b"%d" % chance.randrange(20_000) for _ in range(chance.choice([1, 3, 100, 2000]))]
        if action < 3:
            assert value.update(some, LIMITS) == len(set(some) - model), seed
            model.update(some)
        elif action == 3:
            assert sum(map(value.remove, some)) == len(model & set(some)), seed
            model.difference_update(some)
        elif action == 4 and model:
            popped = value.pop_some(chance.choice([1, 10, len(model) // 2, len(model) - 1]), chance.randrange, LIMITS)
            assert len(set(popped)) == len(popped) and model.issuperset(popped), seed
            model.difference_update(popped)
        elif action == 5 and model:
            element = value.pop(chance.randrange)
            assert element in model
            model.remove(element)
        else:
            twin = value.copy()
            twin._check()
            assert twin.form is value.form and set(twin.elements) == model
            twin.add(b"twin", LIMITS)
            assert b"twin" not in value.elements
        value._check()
        assert set(value.elements) == model and len(value) == len(model), seed


def test_members_of_an_intset_are_in_order() -> None:
    value = made([b"10", b"9", b"-1", b"100"])
    assert value.members() == [b"-1", b"9", b"10", b"100"]
    assert value.scan(0, 1) == (0, value.members())
    assert value.sample(9, random.Random(1).randrange) == value.members()
    assert value.pop_some(4, random.Random(1).randrange, LIMITS) == [b"-1", b"9", b"10", b"100"]
    assert len(value) == 0


def test_only_a_hashtable_is_scanned_in_parts() -> None:
    small = made([b"m%d" % number for number in range(100)])
    assert small.scan(77, 1) == (0, small.members())
    large = made([b"m%d" % number for number in range(500)])
    cursor, found = large.scan(0, 10)
    assert cursor and 1 <= len(found) < 50


@pytest.mark.parametrize("count", [1, 3, 5, 8, 12, 19, 30, 60, 100, 200, 500, 1000, 1500, 5000, 50_000])
def test_the_account_is_what_the_set_takes(count: int) -> None:
    elements = [b"member:%d" % number for number in range(count)]
    one_by_one, at_once = Set.made_for(elements[0], 1, LIMITS), made(elements)
    for element in elements:
        one_by_one.add(element, LIMITS)
    for value in (one_by_one, at_once):
        buckets = value.elements.parts() if isinstance(value.elements, Bag) else [value.elements]
        held = sum((getsizeof(each) + 15) & ~15 for each in (value, value.held, *buckets, *value.elements))
        assert value.memory() == pytest.approx(held, rel=0.05)
    assert at_once.memory() < 480 + count * 130


def test_removing_gives_room_back() -> None:
    value = made([b"m%d" % number for number in range(SMALL)])
    for number in range(10, SMALL):
        value.remove(b"m%d" % number)
    assert getsizeof(value.elements) < 3000
    big = made([b"m%d" % number for number in range(SMALL * 3)])
    for number in range(10, SMALL * 3):
        big.remove(b"m%d" % number)
    assert isinstance(big.elements, set) and big.memory() < 4000


@pytest.mark.parametrize("count", [3, 5000])
def test_a_set_is_freed_in_slices(count: int) -> None:
    value, total = made(numbers(count)), 0
    while len(value):
        freed = value.free(100)
        assert freed
        total += freed
    assert total == count


@pytest.mark.parametrize("text", [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"])
def test_integers(text: bytes) -> None:
    assert is_integer(text)


@pytest.mark.parametrize("text", [b"", b"-", b"-0", b"00", b"1.0", b" 1", b"1 ", b"9223372036854775808", b"x", b"1_0"])
def test_no_integers(text: bytes) -> None:
    assert not is_integer(text)
