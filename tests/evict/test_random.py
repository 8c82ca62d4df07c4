"""Any entry may go, each as likely as the others."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pycache_server.evict.random import Random
from tests.evict.simulate import Cache


@pytest.mark.parametrize("seed", range(5))
def test_entries_find_their_places(seed: int) -> None:
    chance = random.Random(seed)
    cache = Cache(Random, 100, seed)
    for _ in range(3000):
        key = chance.randrange(200)
        if key in cache.entries and chance.random() < 0.5:
            cache.drop(key)
        else:
            cache.ask(key)
        cache.engine._check()
    assert sorted(cache.entries) == sorted(cache.drain())


def test_each_is_as_likely() -> None:
    gone: Counter[int] = Counter()
    for seed in range(2000):
        cache = Cache(Random, 10, seed)
        for key in range(10):
            cache.ask(key)
        cache.ask(3)
        gone[cache.evict()] += 1
    assert all(120 < gone[key] < 290 for key in range(10))
