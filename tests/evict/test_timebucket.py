"""Regions by time to live: what is due goes first, then what earns least."""

from __future__ import annotations

import random

import pytest

from pycache_server.entry import NEVER
from pycache_server.evict.timebucket import TimeBucket
from tests.evict.simulate import Cache


@pytest.mark.parametrize("seed", range(4))
def test_victims_come_from_the_region_with_the_fewest_hits_for_its_size(seed: int) -> None:
    chance = random.Random(seed)
    cache = Cache(TimeBucket, 10**6)
    lives = {1: 10.0, 2: 100.0, 3: 1000.0, 4: 0.0}
    rates = {kind: chance.random() for kind in lives}
    sizes = {kind: chance.randrange(30, 60) for kind in lives}
    hits = dict.fromkeys(lives, 0)
    for kind, size in sizes.items():
        for number in range(size):
            cache.ask(1000 * kind + number, lives[kind])
    for _ in range(1000):
        kind = chance.choice(list(lives))
        if chance.random() < rates[kind]:
            hits[kind] += 1
            cache.ask(1000 * kind + chance.randrange(sizes[kind]), lives[kind])
    for _ in range(50):
        worth = {kind: (hits[kind] + 1) / size for kind, size in sizes.items() if size}
        kind = cache.evict() // 1000
        assert worth[kind] < 1.15 * min(worth.values()), seed
        sizes[kind] -= 1


def test_what_is_due_goes_first_and_in_a_row() -> None:
    cache = Cache(TimeBucket, 10**6)
    for key in range(20):
        cache.ask(key, 10)
    for key in range(100, 200):
        cache.ask(key, 1000)
    for key in range(20):
        cache.ask(key, 10)  # the region with all the hits
    cache.now += 11
    assert [cache.evict() for _ in range(20)] == list(range(20))
    assert cache.evict() >= 100


def test_within_a_region_what_has_been_accessed_is_spared_once() -> None:
    cache = Cache(TimeBucket, 10**6)
    for key in range(10):
        cache.ask(key, 60)
    for key in (0, 2):
        cache.ask(key, 60)
    assert [cache.evict() for _ in range(8)] == [1, 3, 4, 5, 6, 7, 8, 0]


def test_an_entry_with_another_time_to_live_changes_its_region() -> None:
    cache = Cache(TimeBucket, 10**6)
    cache.ask(1, 10)
    cache.ask(2, 10)
    assert cache.engine.report()["regions"] == 1
    entry = cache.entries[1]
    entry.expires = NEVER
    cache.engine.retime(entry)
    cache.engine._check()
    report = cache.engine.report()
    assert report["regions"] == 2
    assert report["region_forever"] == "keys=1,hits=0"


def test_times_to_live_within_half_an_octave_share_a_region() -> None:
    cache = Cache(TimeBucket, 10**6)
    for key, lives in enumerate([1.1, 1.2, 1.3, 1.4, 2.1, 2.8]):
        cache.ask(key, lives)
    assert cache.engine.report()["regions"] == 2


def test_hits_of_long_ago_count_little() -> None:
    cache = Cache(TimeBucket, 200)
    for key in range(100):
        cache.ask(key, 1000)
    for _ in range(10):
        for key in range(100):
            cache.ask(key, 1000)
    for key in range(1000, 4000):
        cache.ask(key, 60)
        cache.ask(key, 60)
    assert sum(key in cache.entries for key in range(100)) < 50
