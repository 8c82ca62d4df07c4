"""The bench of expiry: engines by a clock of their own."""

from __future__ import annotations

from bench.caches import EngineCache
from bench.expiry import POLICIES, hits
from pycache_server.evict.base import load_policy


def test_a_dead_key_is_no_hit_and_leaves_when_it_is_said_to() -> None:
    for lazy in (False, True):
        cache = EngineCache(load_policy("allkeys-lru").engine, 10, lazy)
        assert [cache.ask(1, 1000), cache.ask(1, 1000)] == [False, True]
        cache.ask(2)
        cache.now += 1
        cache.ask(2)
        assert len(cache.entries) == 1 + lazy
        assert not cache.ask(1, 1000)


def test_the_dead_leave_room_for_the_living() -> None:
    for policy in POLICIES:
        at_once, lazily = hits(policy, 5000, False), hits(policy, 5000, True)
        assert 5 < lazily < 95
        assert at_once > lazily - 2
