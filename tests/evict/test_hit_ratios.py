"""What engines hit of generated traces, beside each other: each is good at what its theory says."""

from __future__ import annotations

import pytest

from pycache_server.evict.arc import Arc
from pycache_server.evict.lfu import Lfu
from pycache_server.evict.lru import Lru
from pycache_server.evict.random import Random
from pycache_server.evict.s3fifo import S3Fifo
from pycache_server.evict.sieve import Sieve
from pycache_server.evict.timebucket import TimeBucket
from pycache_server.evict.tinylfu import TinyLfu
from pycache_server.evict.ttl import Ttl
from tests.evict.simulate import Cache, bursts, drifting, hit_ratio, loop, with_scans, zipf

RESISTANT = (Lfu, S3Fifo, Sieve, TinyLfu, Arc)


def test_scans_do_not_push_out_what_is_asked_for_often() -> None:
    trace = list(with_scans(zipf(20_000, 2000, 0.9), 500, 300))
    lru = hit_ratio(Lru, trace, 200)
    for engine in RESISTANT:
        assert hit_ratio(engine, trace, 200) > lru + 3


def test_frequency_beats_recency_where_popularity_stays() -> None:
    trace = zipf(20_000, 3000, 0.8)
    lru = hit_ratio(Lru, trace, 300)
    for engine in RESISTANT:
        assert hit_ratio(engine, trace, 300) > lru + 2


@pytest.mark.slow
def test_what_was_popular_yesterday_is_given_up() -> None:
    trace = list(drifting(zipf(60_000, 2000, 1.0), 5000, 500))
    lru = hit_ratio(Lru, trace, 200)
    assert hit_ratio(Lfu, trace, 200) > lru - 5
    assert hit_ratio(S3Fifo, trace, 200) > lru - 2


def test_a_loop_does_not_defeat_lfu() -> None:
    trace = list(loop(500, 60))
    assert hit_ratio(Lru, trace, 300) == 0
    assert hit_ratio(Random, trace, 300) > 20
    assert hit_ratio(Lfu, trace, 300) > 40


@pytest.mark.slow
def test_bursts_do_not_defeat_lfu() -> None:
    trace = list(bursts(40_000, 8, 150))
    # 0.88 as a rule; one run in twenty, by its hashes, settles at 0.63 and not at that
    assert hit_ratio(Lfu, trace, 300) > 0.55 * hit_ratio(Lru, trace, 300)


@pytest.mark.slow
def test_regions_keep_what_is_hit_whatever_its_time_to_live() -> None:
    """Short-lived keys that are in use, long-lived ones that are not: the order of expiry is exactly wrong."""
    found = {}
    for engine in (TimeBucket, Ttl, Lru):
        cache = Cache(engine, 300)
        popular = zipf(30_000, 400, 0.6)
        for number, key in enumerate(popular):
            cache.now += 0.001
            cache.ask(key, 60)
            cache.ask(10**6 + number, 3600)
        cache.engine._check()
        found[engine] = cache.hits
    assert found[TimeBucket] > 1.3 * found[Lru]
    assert found[TimeBucket] > 2 * found[Ttl]
