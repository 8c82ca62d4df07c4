"""Ghosts against an ordered dict."""

from __future__ import annotations

import random
import tracemalloc
from collections import OrderedDict

import pytest

from pycache_server.evict.ghosts import Ghosts
from tests.conftest import some_slow


@pytest.mark.parametrize("seed", some_slow(range(5), 2))
def test_hashes_come_and_go_in_order(seed: int) -> None:
    chance = random.Random(seed)
    ghosts = Ghosts()
    model: OrderedDict[int, tuple[int, int]] = OrderedDict()  # hash -> note, number
    hashes = [chance.getrandbits(64) - (1 << 63) for _ in range(4000)]
    limit, added = 1000, 0
    for step in range(20_000):
        hash_ = chance.choice(hashes)
        if hash_ in model:
            note, number = model.pop(hash_)
            assert ghosts.take(hash_) == (note, added - 1 - number)
        elif chance.random() < 0.05 and model:
            model.popitem(last=False)
            ghosts.drop_oldest()
        else:
            assert ghosts.take(hash_) is None
            note = chance.getrandbits(32)
            ghosts.add(hash_, limit, note)
            model[hash_] = note, added
            added += 1
            while len(model) > limit or (model and added - next(iter(model.values()))[1] > 4 * limit):
                model.popitem(last=False)
        assert len(ghosts) == len(model), seed
        if step % 2000 == 0:
            ghosts._check()
    assert all(ghosts.take(hash_) is not None for hash_ in model)
    assert len(ghosts) == 0


def test_a_limit_that_falls_is_reached_in_small_steps() -> None:
    ghosts = Ghosts()
    for number in range(1000):
        ghosts.add(hash(b"%d" % number), 1000)
    sizes = []
    for number in range(1000, 1200):
        ghosts.add(hash(b"%d" % number), 10)
        sizes.append(len(ghosts))
    assert sizes[0] > 960
    assert sizes[-1] == 10
    ghosts._check()


@pytest.mark.slow
def test_a_ghost_is_small() -> None:
    tracemalloc.start()
    ghosts = Ghosts()
    for number in range(60_000):
        ghosts.add(hash(b"%d" % number), 60_000)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 32 * 60_000


def test_ghosts_are_freed_in_parts() -> None:
    ghosts = Ghosts()
    for number in range(5000):
        ghosts.add(number * 0x9E3779B97F4A7C15 % (1 << 62), 5000)
    calls = 0
    while len(ghosts):
        assert 0 < ghosts.free(64) <= 64
        calls += 1
    assert calls > 10
    assert ghosts.free(64) == 0
