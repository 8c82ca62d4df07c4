"""The sketch never counts too low, seldom too high, and forgets."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pycache_server.evict.sketch import MOST, PERIOD, Sketch


@pytest.mark.parametrize("seed", range(3))
def test_estimates_are_close(seed: int) -> None:
    chance = random.Random(seed)
    sketch = Sketch()
    while sketch.capacity < 2000:
        sketch.grow()
    counts: Counter[int] = Counter()
    hashes = [chance.getrandbits(63) for _ in range(3000)]
    for _ in range(PERIOD * 1000):
        hash_ = hashes[min(chance.randrange(3000), chance.randrange(3000))]
        counts[hash_] += 1
        sketch.touch(hash_)
    sketch._check()
    excess = [sketch.estimate(hash_) - min(MOST, counts[hash_]) for hash_ in hashes]
    assert min(excess) >= 0
    assert sum(excess) < 0.5 * len(hashes)


def test_counters_are_halved_after_a_while() -> None:
    sketch = Sketch()
    hot = hash(b"hot")
    for _ in range(MOST):
        sketch.touch(hot)
    assert sketch.estimate(hot) == MOST
    chance = random.Random(1)
    for _ in range(PERIOD * sketch.capacity):
        sketch.touch(chance.getrandbits(63) << 32)  # other blocks' bits, one set of counters
    assert sketch.estimate(hot) == MOST // 2


def test_growing_forgets_nothing() -> None:
    sketch = Sketch()
    hashes = [hash(b"%d" % number) for number in range(50)]
    for hash_ in hashes:
        for _ in range(4):
            sketch.touch(hash_)
    before = [sketch.estimate(hash_) for hash_ in hashes]
    for _ in range(5):
        sketch.grow()
    assert [sketch.estimate(hash_) for hash_ in hashes] == before
    sketch._check()
