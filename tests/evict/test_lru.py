"""LRU against an ordered dict."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest

from pycache_server.evict.lru import EXACT, Lru, LruEntry
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


@pytest.mark.parametrize("accessed", [0, 400])
def test_a_cache_that_outgrows_exact_order_keeps_few_rings_and_the_order(accessed: int) -> None:
    chance = random.Random(accessed)
    cache = Cache(Lru, 10_000)
    few = EXACT - 1
    for key in range(few):
        cache.ask(key)
    found = [chance.randrange(few) for _ in range(accessed)]
    for key in found:
        assert cache.ask(key)
    engine = cache.engine
    assert isinstance(engine, Lru) and len(engine._rings) == few
    for key in range(few, 4 * EXACT):
        cache.ask(key)
        engine._check()
    assert len(engine._rings) < 200
    dropped = set(chance.sample(range(4 * EXACT), 500))
    for key in dropped:
        cache.drop(key)
    engine._check()
    order = cache.drain()
    engine._check()
    untouched = [key for key in range(4 * EXACT) if key not in dropped and key not in found]
    assert [key for key in order if key not in found] == untouched
    early = order.index(untouched[EXACT // 2])  # who was accessed goes behind those who came before that
    assert sum(key in found for key in order[:early]) <= len(found) // 10


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
