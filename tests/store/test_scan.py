"""A scan returns at least once what is there all the time, in calls of bounded work."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pycache_server.store.scan import END, SLOT_BITS, SLOTS, extent_of, position_of, scan
from pycache_server.store.table import SMALL, Bag, buckets_of


def names(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def scan_all(elements: Any, count: int) -> tuple[list[bytes], list[int]]:
    """Everything that a scan returns, and how much each call did."""
    seen, sizes, cursor = [], [], 0
    while True:
        cursor, found = scan(*buckets_of(elements), cursor, count)
        seen += found
        sizes.append(len(found))
        if not cursor:
            return seen, sizes


@pytest.mark.parametrize("size", [0, 1, 12, 500, 3000, 20_000])
@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_scan_of_what_does_not_change_returns_everything_once(size: int, count: int) -> None:
    elements: Any = Bag(names(size)) if size > SMALL else set(names(size))
    seen, sizes = scan_all(elements, count)
    assert sorted(seen) == sorted(names(size))
    assert max(sizes) <= 2 * count + 12
    assert len(sizes) <= 2 * size // count + 2


def test_a_keyspace_of_thousands_of_buckets_is_scanned_in_parts() -> None:
    buckets: list[dict[bytes, None]] = [{} for _ in range(SLOTS)]
    for name in names(100_000):
        buckets[hash(name) & SLOTS - 1][name] = None
    seen, cursor, calls = [], 0, 0
    while True:
        cursor, found = scan(buckets, 0, cursor, 10)
        seen += found
        calls += 1
        if not cursor:
            break
    assert sorted(seen) == sorted(names(100_000))
    assert 5_000 < calls < 15_000


@pytest.mark.parametrize("seed", range(8))
def test_what_is_there_all_the_time_is_seen_whatever_comes_and_goes(seed: int) -> None:
    chance = random.Random(seed)
    staying = set(names(900))
    elements: Any = set(staying)
    seen: set[bytes] = set()
    cursor, calls = 0, 0
    while True:
        cursor, found = scan(*buckets_of(elements), cursor, chance.choice([1, 10, 100]))
        seen.update(found)
        calls += 1
        if not cursor:
            break
        others = [b"other %d" % chance.randrange(60_000) for _ in range(chance.choice([0, 10, 400]))]
        if isinstance(elements, set) and len(elements) + len(others) > SMALL:
            elements = Bag(elements)
        for other in others:
            elements.add(other)
        if chance.random() < 0.02:
            for element in list(elements):
                if element not in staying:
                    elements.discard(element)
            if len(elements) <= SMALL:
                elements = set(elements)
    assert staying <= seen, seed


def test_cursors_past_the_end_find_nothing() -> None:
    for cursor in (END, END + 5, 2**64 - 1):
        assert scan((set(names(5)),), SLOT_BITS, cursor, 10) == (0, [])


def test_positions_are_below_the_end_and_begin_with_the_slot() -> None:
    for name in names(1000):
        assert 0 <= position_of(name) < END
        assert position_of(name) * SLOTS // END == hash(name) & SLOTS - 1


def test_the_extent_of_a_bucket_is_where_it_stands() -> None:
    one, two, three = {b"1"}, {b"2"}, {b"3"}
    buckets = [one, one, two, three]
    assert [extent_of(buckets, index) for index in range(4)] == [(0, 2), (0, 2), (2, 3), (3, 4)]
    assert extent_of([one] * 4, 2) == (0, 4)
    assert extent_of([one], 0) == (0, 1)
