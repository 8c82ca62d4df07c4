"""django-redis whole: patterns, times to live, locks, serializers, compressors, clients, and its commands for
collections."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interop.conftest import require_command

pytest.importorskip("django_redis")
Make = Callable[..., Any]


@pytest.fixture
def make(redis_port: int, django_settings: None) -> Iterator[Make]:
    """Makes a cache with some options."""
    from django_redis.cache import RedisCache

    made = []

    def make(**options: Any) -> Any:
        params = {"OPTIONS": options, "KEY_PREFIX": "shop", "TIMEOUT": 300}
        made.append(RedisCache(f"redis://127.0.0.1:{redis_port}/4", params))
        return made[-1]

    yield make
    for cache in made:
        cache.close()
        cache.client.get_client().connection_pool.disconnect()


def test_times_to_live(make: Make) -> None:
    cache = make()
    cache.set("a", 1, timeout=100)
    cache.set("b", 2, timeout=None)
    assert 90 < cache.ttl("a") <= 100
    assert 90_000 < cache.pttl("a") <= 100_000
    assert cache.ttl("b") is None
    assert cache.ttl("nope") == 0
    assert cache.expire("b", 50)
    assert cache.pexpire("b", 40_000)
    assert 30 < cache.ttl("b") <= 40
    assert cache.expire_at("b", datetime.datetime.now() + datetime.timedelta(hours=1))
    assert 3000 < cache.ttl("b") <= 3600
    assert cache.persist("b")
    assert cache.touch("b", 10)
    cache.set("c", 1, timeout=0)
    assert cache.get("c") is None
    assert cache.set("d", 1, nx=True)
    assert not cache.set("d", 2, nx=True)
    assert cache.set("d", 3, xx=True)
    assert cache.get("d") == 3


def test_patterns_and_versions(make: Make) -> None:
    cache = make()
    for number in range(25):
        cache.set(f"item:{number}", number)
    cache.set("other", 1)
    cache.set("item:0", "second", version=2)
    assert len(cache.keys("item:*")) == 25
    assert sorted(cache.iter_keys("item:1?", itersize=3)) == [f"item:1{digit}" for digit in range(10)]
    assert cache.incr_version("other") == 2
    assert cache.get("other", version=2) == 1
    assert cache.delete_pattern("item:*", itersize=7) == 25
    assert cache.get("item:0", version=2) == "second"
    cache.clear()
    assert cache.keys("*") == []


def test_counters_keep_their_times(make: Make) -> None:
    cache = make()
    cache.set("n", 5, timeout=100)
    assert cache.get("n") == 5
    assert cache.set("big", 2**62)
    assert cache.get_many(["n", "big", "nope"]) == {"n": 5, "big": 2**62}


def test_counters_are_increased_by_lua_where_they_must_exist(make: Make, redis_port: int) -> None:
    require_command(redis_port, "EVAL")
    cache = make()
    cache.set("n", 5, timeout=100)
    assert cache.incr("n") == 6
    assert cache.decr("n", 2) == 4
    assert 90 < cache.ttl("n") <= 100
    assert cache.incr("new", 3, ignore_key_check=True) == 3
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nope")


@pytest.mark.parametrize("name", ["pickle.PickleSerializer", "json.JSONSerializer"])
@pytest.mark.parametrize("compressor", ["identity.IdentityCompressor", "zlib.ZlibCompressor", "lzma.LzmaCompressor"])
def test_serializers_and_compressors(make: Make, name: str, compressor: str) -> None:
    cache = make(SERIALIZER=f"django_redis.serializers.{name}", COMPRESSOR=f"django_redis.compressors.{compressor}")
    for value in ({"a": [1, None, 2.5]}, "text" * 1000, 7, True, ["é", "漢"]):
        cache.set("k", value)
        assert cache.get("k") == value
    cache.set_many({"x": 1, "y": ["z"]}, timeout=100)
    assert cache.get_many(["x", "y"]) == {"x": 1, "y": ["z"]}


def test_locks(make: Make, redis_port: int) -> None:
    require_command(redis_port, "EVALSHA", "SCRIPT")
    cache = make()
    with cache.lock("import", timeout=10):
        assert not cache.lock("import").acquire(blocking=False)
        assert 0 < cache.ttl("import") <= 10


def test_collections(make: Make) -> None:
    cache = make()
    assert cache.sadd("s", "a", "b", 3) == 3
    assert cache.smembers("s") == {"a", "b", 3}
    assert cache.sismember("s", "a")
    assert cache.scard("s") == 3
    assert cache.srem("s", "a") == 1
    assert cache.hset("h", "f", [1]) == 1
    assert cache.hlen("h") == 1
    assert cache.hkeys("h") == ["f"]
    assert cache.hexists("h", "f")
    assert cache.hdel("h", "f") == 1


def test_the_raw_client(make: Make) -> None:
    cache = make(CONNECTION_POOL_KWARGS={"max_connections": 3}, SOCKET_TIMEOUT=5)
    client = cache.client.get_client(write=True)
    assert client.set("raw", 1)
    assert client.get("raw") == b"1"
    assert client.connection_pool.connection_kwargs["db"] == 4


@pytest.mark.filterwarnings("ignore:get on sharded client:UserWarning")
def test_clients_that_spread_and_shard(make: Make, redis_port: int) -> None:
    from django_redis.cache import RedisCache

    url = f"redis://127.0.0.1:{redis_port}"
    for client, places in (
        ("sharded.ShardClient", [f"{url}/5", f"{url}/6"]),
        ("herd.HerdClient", f"{url}/7"),
        ("default.DefaultClient", [f"{url}/8", f"{url}/8"]),
    ):
        cache = RedisCache(places, {"OPTIONS": {"CLIENT_CLASS": f"django_redis.client.{client}"}})
        for number in range(10):
            cache.set(f"k{number}", number, timeout=100)
        assert cache.get_many([f"k{number}" for number in range(10)]) == {f"k{number}": number for number in range(10)}
        assert cache.delete("k1")
        assert cache.get("k1") is None
        cache.clear()
        assert cache.get("k2") is None
        cache.close()
