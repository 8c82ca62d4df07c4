"""Big dicts and sets of small ones behave as dict and set do, grow and shrink in small steps, and can be drawn from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from sys import getsizeof
from typing import Any

import pytest

from pycache_server.store.scan import SLOT_BITS, extent_of
from pycache_server.store.table import (
    FULL,
    SMALL,
    Bag,
    Table,
    deal,
    free_buckets,
    random_element,
    random_elements,
    random_sample,
    size_of_buckets,
)
from tests.conftest import some_slow

SIZES = [10, SMALL + 1, 40000]


def names(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_a_table_is_a_dict(size: int) -> None:
    chance = random.Random(size)
    model = {b"%d" % number: number for number in range(size // 2)}
    table = Table(model)
    for _ in range(size):
        key = b"%d" % chance.randrange(size)
        if chance.random() < 0.7:
            table[key] = model[key] = chance.randrange(100)
        else:
            assert table.pop(key) == model.pop(key, None)
        assert (key in table) == (key in model)
        assert table.get(key, "none") == model.get(key, "none")
    table._check()
    assert dict(table.items()) == model
    assert sorted(table.values()) == sorted(model.values())
    twin = table.copy()
    twin._check()
    twin[b"new"] = 1
    assert b"new" not in table
    assert len(table) == len(model)


@pytest.mark.parametrize("size", SIZES)
def test_a_bag_is_a_set(size: int) -> None:
    chance = random.Random(size)
    model = {b"%d" % number for number in range(size // 2)}
    bag = Bag(model)
    for _ in range(size):
        element = b"%d" % chance.randrange(size)
        if chance.random() < 0.7:
            assert bag.add(element) == (element not in model)
            model.add(element)
        else:
            assert bag.discard(element) == (element in model)
            model.discard(element)
    bag._check()
    assert set(bag) == model
    assert len(bag) == len(model)
    twin = bag.copy()
    twin._check()
    twin.update([b"new", b"newer"])
    assert set(twin) - model == {b"new", b"newer"}


def test_growing_divides_one_bucket_at_a_time() -> None:
    bag = Bag(names(SMALL))
    elements = iter(names(60000))
    before = sum(1 for _ in bag.parts())
    while len(bag.buckets) < 64:
        bag.add(next(elements))
        after = sum(1 for _ in bag.parts())
        assert after - before in (0, 1)
        before = after
    for element in elements:
        bag.add(element)
    assert max(map(len, bag.buckets)) < FULL
    assert len(bag) / sum(1 for _ in bag.parts()) > FULL / 4
    bag._check()


def test_a_complete_directory_lets_its_buckets_grow() -> None:
    bag = Bag(names(700_000))
    assert len(bag.buckets) == 1 << SLOT_BITS
    bag.update(b"more %d" % number for number in range(10_000))
    assert len(bag.buckets) == 1 << SLOT_BITS
    bag._check()


@pytest.mark.parametrize("kind", some_slow([Bag, Table], 1))
def test_what_has_lost_most_elements_gives_its_room_back(kind: Any) -> None:
    elements = names(100_000)
    big = kind(elements if kind is Bag else dict.fromkeys(elements, 0))
    most = size_of_buckets(big)
    remove = big.discard if kind is Bag else big.pop
    for element in elements[300:]:
        remove(element)
    big._check()
    assert set(big) == set(elements[:300])
    assert size_of_buckets(big) < 40_000 < most / 50
    for element in elements[:300]:
        remove(element)
    big._check()
    assert len(big) == 0


def held_by(big: Any) -> int:
    parts: Iterable[Any] = big.parts()
    return getsizeof(big) + getsizeof(big.buckets) + sum(map(getsizeof, parts))


@pytest.mark.parametrize("size", some_slow([SMALL + 1, 2000, 50_000, 300_000], 3))
@pytest.mark.parametrize("kind", [Bag, Table])
def test_the_account_is_what_directory_and_buckets_take(kind: Any, size: int) -> None:
    big = kind(() if kind is Bag else {})
    for element in names(size):
        if kind is Bag:
            big.add(element)
        else:
            big[element] = 0
    assert size_of_buckets(big) == pytest.approx(held_by(big), rel=0.03)
    assert size_of_buckets(big) < 64 * size


def test_freeing_takes_as_many_elements_as_it_says() -> None:
    table = Table(dict.fromkeys(names(5000), 0))
    for big in (Bag(names(5000)), Bag([]), table, set(names(100)), dict.fromkeys(names(9))):
        total, count = len(big), 0
        while len(big):
            freed = free_buckets(big, 700)
            assert 0 < freed < 700 + 2 * FULL
            count += freed
        assert count == total


# Chance


@pytest.mark.parametrize("count", some_slow([7, SMALL * 2, 5000], 2))
def test_random_elements_are_equally_likely(count: int) -> None:
    chance = random.Random(count)
    elements: Any = Bag(names(count)) if count > SMALL else set(names(count))
    draws = 20 * count
    counts = Counter(random_element(elements, chance.randrange) for _ in range(draws))
    assert len(counts) == count
    squares = sum((found - 20) ** 2 / 20 for found in counts.values())
    assert squares < count + 6 * (2 * count) ** 0.5, "chi-square, six standard deviations"


def test_elements_of_wide_buckets_are_as_likely_as_others() -> None:
    chance = random.Random(3)
    bag = Bag(names(SMALL + 1))
    size, widths = SMALL + 1, {0}
    while len(widths) == 1:  # which size has buckets of different widths depends on the hashes
        size += 50
        bag.update(names(size))
        widths = {end - first for first, end in (extent_of(bag.buckets, index) for index in range(len(bag.buckets)))}
    counts = Counter(random_element(bag, chance.randrange) for _ in range(20 * len(bag)))
    squares = sum((counts[element] - 20) ** 2 / 20 for element in bag)
    assert squares < len(bag) + 6 * (2 * len(bag)) ** 0.5


def test_a_random_element_of_a_sparse_bag_is_found() -> None:
    chance = random.Random(4)
    bag = Bag(())
    bag.add(b"one")
    assert random_element(bag, chance.randrange) == b"one"


@pytest.mark.parametrize("size", [5, 1000, 40_000])
@pytest.mark.parametrize("count", [0, 1, 3, 500, 999, 50_000])
def test_a_sample_has_different_elements(size: int, count: int) -> None:
    chance = random.Random(size + count)
    elements: Any = Bag(names(size)) if size > SMALL else set(names(size))
    found = random_sample(elements, count, chance.randrange)
    assert len(found) == len(set(found)) == min(count, size)
    assert set(found) <= set(elements)
    chosen, others = deal(elements, min(count, size), chance.randrange)
    assert len(chosen) == min(count, size)
    assert sorted(chosen + others) == sorted(elements)


def test_each_sample_is_as_likely_as_the_others() -> None:
    chance = random.Random(5)
    for count in (1, 2, 3, 4):
        counts = Counter(
            element for _ in range(5000) for element in random_sample(set(names(5)), count, chance.randrange)
        )
        assert all(abs(found - 1000 * count) < 200 for found in counts.values())


def test_random_elements_may_repeat() -> None:
    chance = random.Random(6)
    assert set(random_elements(set(names(3)), 1000, chance.randrange)) == set(names(3))
    assert len(random_elements(Bag(names(9000)), 5, chance.randrange)) == 5
