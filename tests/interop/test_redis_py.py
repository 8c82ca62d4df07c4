"""redis-py, blocking and asyncio, in both versions of the protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.server.running import Running


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest, server: Running) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, protocol=request.param, decode_responses=True, db=1) as found:
        yield found


def test_the_default_options_connect(server: Running) -> None:
    with redis.Redis(port=server.port) as client:
        assert client.set("a", 1)
        assert client.get("a") == b"1"
        about = client.info("server")
        assert about["redis_version"].startswith("7.4")
        assert about["server_name"] == "pycache"
    with redis.Redis.from_url(f"redis://127.0.0.1:{server.port}/3", client_name="me", protocol=3) as client:
        assert client.client_info()["name"] == "me"
        assert client.client_info()["lib-name"].startswith("redis-py")


def test_strings_and_expiry(client: redis.Redis) -> None:
    assert client.set("a", "1", ex=100, nx=True) is True
    assert client.set("a", "2", nx=True) is None
    assert 0 < client.ttl("a") <= 100
    assert client.incrby("a", 5) == 6
    assert client.incrbyfloat("a", 0.5) == 6.5
    assert client.mset({"x": 1, "y": 2})
    assert client.mget("x", "nope", "y") == ["1", None, "2"]
    assert client.getdel("x") == "1"
    assert client.persist("a") is True
    assert client.setbit("bits", 7, 1) == 0
    assert client.bitcount("bits") == 1
    assert sorted(client.scan_iter(count=1)) == ["a", "bits", "y"]


def test_lists(client: redis.Redis) -> None:
    assert client.rpush("l", "a", "b", "c") == 3
    assert client.lrange("l", 0, -1) == ["a", "b", "c"]
    assert client.blpop(["nope", "l"], timeout=1) in (("l", "a"), ["l", "a"])
    assert client.lpos("l", "c") == 1
    assert client.lmove("l", "m", "LEFT", "RIGHT") == "b"
    assert client.blpop("nope", timeout=0.01) is None


def test_hashes_sets_and_sorted_sets(client: redis.Redis) -> None:
    assert client.hset("h", mapping={"f": 1, "g": "x"}) == 2
    assert client.hgetall("h") == {"f": "1", "g": "x"}
    assert client.hincrbyfloat("h", "f", 1.5) == 2.5
    assert client.hexpire("h", 100, "f") == [1]
    assert client.httl("h", "f") == [100]
    assert client.sadd("s", "a", "b") == 2
    assert set(client.smembers("s")) == {"a", "b"}
    assert client.smismember("s", ["a", "z"]) == [1, 0]
    assert client.zadd("z", {"a": 1, "b": 2.5}) == 2
    assert [tuple(pair) for pair in client.zrange("z", 0, -1, withscores=True)] == [("a", 1.0), ("b", 2.5)]
    assert client.zscore("z", "b") == 2.5
    assert [tuple(pair) for pair in client.zpopmin("z", 1)] == [("a", 1.0)]


def test_streams(client: redis.Redis) -> None:
    first = client.xadd("st", {"a": 1})
    second = client.xadd("st", {"a": 2}, maxlen=100)
    assert client.xlen("st") == 2
    assert client.xrange("st") == [(first, {"a": "1"}), (second, {"a": "2"})]
    found = client.xread({"st": first})
    entries = found["st"][0] if isinstance(found, dict) else found[0][1]
    assert [tuple(entry) for entry in entries] == [(second, {"a": "2"})]


def test_transactions_and_optimistic_locking(client: redis.Redis) -> None:
    with client.pipeline() as pipeline:
        pipeline.watch("n")
        pipeline.multi()
        pipeline.incr("n")
        pipeline.get("n")
        assert pipeline.execute() == [1, "1"]
        pipeline.watch("n")
        client.incr("n")
        pipeline.multi()
        pipeline.incr("n")
        with pytest.raises(redis.WatchError):
            pipeline.execute()

    def increase(pipeline: Any) -> None:
        seen = int(pipeline.get("n"))
        pipeline.multi()
        pipeline.set("n", seen + 1)

    assert client.transaction(increase, "n") == [True]
    assert client.get("n") == "3"


def test_pipelines_report_errors_in_their_place(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipeline:
        found = pipeline.set("a", "x").incr("a").get("a").execute(raise_on_error=False)
    assert found[0] is True
    assert isinstance(found[1], redis.ResponseError)
    assert found[2] == "x"


def test_pubsub_and_keyspace_events(client: redis.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("news")
        listener.psubscribe("__keyevent@1__:*")
        for _ in range(2):
            listener.get_message(timeout=5)
        assert client.publish("news", "hello") == 1
        client.set("k", 1)
        seen = [listener.get_message(timeout=5) for _ in range(2)]
    assert [(each["channel"], each["data"]) for each in seen if each] == [
        ("news", "hello"),
        ("__keyevent@1__:set", "k"),
    ]


def test_a_blocked_client_is_woken_by_another(client: redis.Redis) -> None:
    timer = threading.Timer(0.05, lambda: client.rpush("queue", "job"))
    timer.start()
    assert list(client.blpop("queue", timeout=10)) == ["queue", "job"]
    timer.join()


def test_errors_have_their_classes(client: redis.Redis) -> None:
    client.set("a", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("a", 1)
    with pytest.raises(redis.ResponseError, match="unknown command 'NOPE'"):
        client.execute_command("NOPE")


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(server: Running, protocol: int) -> None:
    async def program() -> None:
        client = redis.asyncio.Redis(port=server.port, protocol=protocol, decode_responses=True)
        async with client.pipeline(transaction=True) as pipeline:
            assert await pipeline.set("a", 1).incr("a").execute() == [True, 2]
        waiting = asyncio.create_task(client.brpop("q", timeout=10))
        await asyncio.sleep(0.02)
        await client.lpush("q", "x")
        assert list(await waiting) == ["q", "x"]
        await asyncio.gather(*(client.incr("n") for _ in range(50)))
        assert await client.get("n") == "50"
        async with client.pubsub() as listener:
            await listener.subscribe("c")
            await listener.get_message(timeout=5)
            await client.publish("c", "hi")
            message = await listener.get_message(timeout=5)
            assert message is not None
            assert message["data"] == "hi"
        await client.aclose()

    asyncio.run(program())


def test_a_password_is_asked_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Running(tmp_path_factory.mktemp("locked"), "--requirepass", "secret", wait=False) as locked:
        locked.wait_ready()
        for protocol in (2, 3):
            with redis.Redis(port=locked.port, password="secret", protocol=protocol) as client:
                assert client.ping()
            for password in (None, "wrong"):
                once = Retry(NoBackoff(), 0)
                with (
                    redis.Redis(port=locked.port, password=password, protocol=protocol, retry=once) as client,
                    pytest.raises(redis.AuthenticationError),
                ):
                    client.ping()
