"""What expires soonest goes first, against a sorted list."""

from __future__ import annotations

import random

import pytest

from pycache_server.entry import NEVER, make_entry
from pycache_server.evict.ttl import RankedEntry, Ttl
from tests.evict.simulate import Cache


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_expiry(seed: int) -> None:
    chance = random.Random(seed)
    cache = Cache(Ttl, 10**6)
    model: dict[int, tuple[int, int]] = {}
    for number in range(3000):
        key = chance.randrange(300)
        lives = chance.choice([0.0, 1.0, 1.0, 5.0, chance.uniform(0, 100)])
        expires = int((cache.now + lives) * 1000) if lives else NEVER
        action = chance.random()
        if key not in model:
            cache.ask(key, lives)
            model[key] = expires, number
        elif action < 0.3:
            entry = cache.entries[key]
            if entry.may_expire:
                entry.expires = expires
                cache.engine.retime(entry)
            else:
                cache.entries[key] = make_entry(RankedEntry, entry.key, None, expires)
                cache.engine.exchange(entry, cache.entries[key])
            model[key] = expires, number
        elif action < 0.5:
            cache.drop(key)
            del model[key]
        elif action < 0.8:
            soonest = min(model, key=model.__getitem__)
            assert cache.evict() == soonest
            del model[soonest]
        else:
            cache.engine.access(cache.entries[key])
    cache.engine._check()
    assert cache.drain() == sorted(model, key=model.__getitem__)


def test_many_that_expire_at_one_instant_go_in_the_order_in_which_they_came() -> None:
    cache = Cache(Ttl, 10**6)
    for key in range(5000):
        cache.ask(key, 60)
    for key in range(0, 5000, 2):
        cache.drop(key)
    assert cache.drain() == list(range(1, 5000, 2))
