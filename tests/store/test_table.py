"""Big dicts and sets of small ones behave as dict and set do."""

from __future__ import annotations

import random

import pytest

from pycache_server.store.scan import scan
from pycache_server.store.table import SMALL, Bag, Table, buckets_of, random_element


@pytest.mark.parametrize("size", [10, SMALL + 1, 40000])
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


@pytest.mark.parametrize("size", [10, SMALL + 1, 40000])
def test_a_bag_is_a_set(size: int) -> None:
    chance = random.Random(size)
    model = {b"%d" % number for number in range(size // 2)}
    bag = Bag(model)
    for _ in range(size):
        element = b"%d" % chance.randrange(size)
        if chance.random() < 0.7:
            bag.add(element)
            model.add(element)
        else:
            bag.discard(element)
            model.discard(element)
    bag._check()
    assert set(bag) == model
    assert len(bag) == len(model)
    assert set(bag.copy()) == model


def test_a_scan_survives_the_growth_of_what_it_scans() -> None:
    elements = {b"%d" % number for number in range(SMALL)}
    small: set[bytes] = set(elements)
    cursor, seen = 0, []
    buckets, shift = buckets_of(small)
    for _ in range(20):
        cursor, found = scan(buckets, shift, cursor, 10)
        seen += found
    bag = Bag(small)
    for number in range(SMALL, 3 * SMALL):
        bag.add(b"%d" % number)
    for _ in range(20):
        cursor, found = scan(*buckets_of(bag), cursor, 10)
        seen += found
    for number in range(3 * SMALL, 330000):
        bag.add(b"%d" % number)
    assert bag.shift == 0
    while cursor:
        cursor, found = scan(*buckets_of(bag), cursor, 100)
        seen += found
    assert elements <= set(seen)


def test_random_elements_are_equally_likely() -> None:
    chance = random.Random(1)
    bag = Bag({b"%d" % number for number in range(SMALL * 2)})
    counts: dict[bytes, int] = {}
    for _ in range(40000):
        element = random_element(bag, chance.randrange)
        counts[element] = counts.get(element, 0) + 1
    assert len(counts) == len(bag)
    assert max(counts.values()) < 50
