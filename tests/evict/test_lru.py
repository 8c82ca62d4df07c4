"""LRU against an ordered dict."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest

from pycache_server.evict.lru import Lru, LruEntry
from tests.evict.simulate import Cache


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_the_last_access(seed: int) -> None:
    chance = random.Random(seed)
    cache = Cache(Lru, 50)
    model: OrderedDict[int, None] = OrderedDict()
    for _ in range(5000):
        key = chance.randrange(100)
        if chance.random() < 0.1 and key in model:
            cache.drop(key)
            del model[key]
            continue
        assert cache.ask(key) == (key in model)
        model[key] = None
        model.move_to_end(key)
        if len(model) > cache.room:
            model.popitem(last=False)
        assert cache.entries.keys() == model.keys()
    cache.engine._check()
    assert cache.drain() == list(model)


def test_it_knows_how_long_an_entry_has_been_idle() -> None:
    cache = Cache(Lru, 10)
    cache.ask(1)
    cache.ask(2)
    cache.now += 2.5
    one, two = cache.entries[1], cache.entries[2]
    assert isinstance(one, LruEntry)
    assert cache.engine.idle_seconds(one) == cache.engine.idle_seconds(two) == 2
    cache.ask(2)  # the newest is accessed again
    assert cache.engine.idle_seconds(two) == 0
    cache.now -= 60
    assert cache.engine.idle_seconds(two) == 0
    assert cache.engine.frequency(two) is None
