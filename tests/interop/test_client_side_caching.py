"""redis-py's cache of what it has read, which it keeps right by what the server tells it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig, CacheKey

from tests.server.running import Running


@pytest.fixture
def client(server: Running) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, protocol=3, decode_responses=True, cache_config=CacheConfig()) as found:
        yield found


@pytest.fixture
def other(server: Running) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, decode_responses=True) as found:
        yield found


def is_cached(client: redis.Redis, *words: str) -> bool:
    cache = client.get_cache()
    assert cache is not None
    return cache.get(CacheKey(command=words[0], redis_keys=words[1:2], redis_args=words)) is not None


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.005)


def test_what_was_read_is_cached_until_it_changes(client: redis.Redis, other: redis.Redis) -> None:
    other.set("a", 1)
    assert client.get("a") == "1"
    assert is_cached(client, "GET", "a")
    calls = other.info("commandstats")["cmdstat_get"]["calls"]
    assert client.get("a") == "1"
    assert other.info("commandstats")["cmdstat_get"]["calls"] == calls
    other.set("a", 2)
    until(lambda: client.get("a") == "2")


def test_what_a_client_writes_itself_is_read_anew(client: redis.Redis) -> None:
    client.set("a", 1)
    assert client.get("a") == "1"
    client.set("a", 2)
    until(lambda: client.get("a") == "2")


def test_other_types_expiry_and_flushing(client: redis.Redis, other: redis.Redis) -> None:
    other.hset("h", "f", 1)
    other.set("soon", 1)
    assert client.hgetall("h") == {"f": "1"}
    assert client.get("soon") == "1"
    other.pexpire("soon", 20)
    other.hset("h", "f", 2)
    until(lambda: client.hgetall("h") == {"f": "2"})
    until(lambda: client.get("soon") is None)
    other.flushall()
    until(lambda: client.hgetall("h") == {})


def test_connections_of_a_pool_share_the_cache(server: Running, other: redis.Redis) -> None:
    pool = redis.ConnectionPool(port=server.port, protocol=3, decode_responses=True, cache_config=CacheConfig())
    with redis.Redis(connection_pool=pool) as first, redis.Redis(connection_pool=pool) as second:
        other.set("a", 1)
        assert first.get("a") == second.get("a") == "1"
        other.set("a", 2)
        until(lambda: first.get("a") == "2" and second.get("a") == "2")
        with second.pipeline() as pipeline:
            assert pipeline.set("a", 3).get("a").execute() == [True, "3"]
        until(lambda: first.get("a") == "3")
