"""The bench of expiry: engines by a clock of their own."""

from __future__ import annotations

from bench.caches import EngineCache
from bench.expiry import POLICIES, hits, served_hits, work
from bench.replay import Client
from pycache_server import ThreadedServer
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
    given = work(5000)
    for policy in POLICIES:
        at_once, lazily = hits(policy, given, False), hits(policy, given, True)
        assert 5 < lazily < 95
        assert at_once > lazily - 2


def test_a_server_hits_what_the_engine_hits_in_process() -> None:
    given = work(2000)
    with ThreadedServer() as server, Client("127.0.0.1", server.port) as client:
        for policy in ("allkeys-lru", "volatile-ttl"):
            assert abs(served_hits(client, policy, given) - hits(policy, given, False)) < 8
