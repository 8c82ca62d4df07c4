"""default-ttl and max-ttl, applied where the write happens."""

from __future__ import annotations

import pytest

from pycache_server.entry import NEVER
from pycache_server.evict.lru import Lru
from pycache_server.store.database import Database
from pycache_server.store.mortal import Lifetimes
from pycache_server.store.scopes import Scope, Scoped
from pycache_server.testing.inprocess import Client, World

EVERYWHERE = Scope()


def lifetimes(default: dict[Scope, int] | None = None, longest: dict[Scope, int] | None = None) -> Lifetimes:
    """Seconds by scope."""
    return Lifetimes(
        *(Scoped([(key, 1000 * value) for key, value in (each or {}).items()]) for each in (default, longest))
    )


@pytest.fixture(params=["plain", "evicting", "observed"])
def client(world: World, request: pytest.FixtureRequest) -> Client:
    if request.param == "evicting":
        world.core.shape.use_engine(Lru)
        while world.core.shape.step():
            pass
    elif request.param == "observed":
        world.core.shape.observe("test")
    return world.connect()


MAKERS = [
    "SET k v", "MSET k v", "SETNX k v", "GETSET k v", "APPEND k v", "SETRANGE k 3 v", "SETBIT k 7 1", "INCR k",
    "INCRBYFLOAT k 1.5", "LPUSH k a", "SADD k a", "HSET k f v", "HINCRBY k f 1", "ZADD k 1 a", "XADD k * f v",
    "SUNIONSTORE k other", "ZRANGESTORE k zset 0 -1", "SORT list STORE k", "COPY list k", "RENAME list k",
    "LMOVE list k LEFT LEFT", "SMOVE other k m", "SET k v KEEPTTL", "BITOP NOT k text",
]  # fmt: skip


@pytest.mark.parametrize("line", MAKERS)
def test_a_key_that_is_made_without_a_time_to_live_gets_the_default(world: World, client: Client, line: str) -> None:
    for words in ("SADD other m n", "ZADD zset 1 a", "RPUSH list 2 1", "SET text abc"):
        client.call(*words.split())
    world.core.shape.use_lifetimes(lifetimes({EVERYWHERE: 100}))
    reply = client.call(*line.split())
    assert not isinstance(reply, Exception), reply
    assert client.call("TTL", "k") == 100
    world.advance(50)
    client.call("EXPIRE", "k", 1000)
    assert client.call("TTL", "k") == 1000
    assert client.call("PERSIST", "k") == 1
    assert client.call("TTL", "k") == -1


def test_a_key_that_is_there_keeps_its_time_when_it_changes(world: World, client: Client) -> None:
    client.call("RPUSH", "list", "a")
    client.call("SET", "n", "1")
    world.core.shape.use_lifetimes(lifetimes({EVERYWHERE: 100}, {EVERYWHERE: 200}))
    client.call("RPUSH", "list", "b")
    client.call("INCR", "n")
    client.call("APPEND", "n", "1")
    assert (client.call("TTL", "list"), client.call("TTL", "n")) == (-1, -1)
    client.call("SET", "n", "2")
    assert client.call("TTL", "n") == 100


@pytest.mark.parametrize(
    "lines",
    [
        ["SET k v"], ["SET k v EX 1000"], ["SETEX k 1000 v"], ["SET k v", "EXPIRE k 1000"], ["SET k v", "PERSIST k"],
        ["SET k v", "GETEX k EX 1000"], ["SET k v", "GETEX k PERSIST"], ["SET a v", "RENAME a k"], ["HSET k f v"],
        ["HSET k f v", "HEXPIRE k 5000 FIELDS 1 f", "PERSIST k"], ["SET k v PXAT 9999999999999"],
        ["HSET a f v", "HEXPIRE a 5000 FIELDS 1 f", "COPY a k"],
    ],
)  # fmt: skip
def test_no_key_lives_longer_than_the_longest_time(world: World, client: Client, lines: list[str]) -> None:
    world.core.shape.use_lifetimes(lifetimes(longest={EVERYWHERE: 60}))
    for line in lines:
        reply = client.call(*line.split())
        assert not isinstance(reply, Exception), reply
    assert client.call("TTL", "k") == 60
    client.call("EXPIRE", "k", 30)
    assert client.call("TTL", "k") == 30
    world.advance(31)
    assert client.call("EXISTS", "k") == 0


def test_the_longest_prefix_counts_then_the_database(world: World, client: Client) -> None:
    world.core.shape.use_lifetimes(
        lifetimes(
            {
                EVERYWHERE: 10,
                Scope(1): 20,
                Scope(prefix=b"s:"): 30,
                Scope(prefix=b"s:long:"): 40,
                Scope(prefix=b"no:"): 0,
            }
        )
    )
    for key, seconds in (("k", 10), ("s:k", 30), ("s:long:k", 40), ("no:k", -1), ("s", 10)):
        client.call("SET", key, "v")
        assert client.call("TTL", key) == seconds
    client.call("SELECT", 1)
    client.call("SET", "k", "v")
    assert client.call("TTL", "k") == 20


def test_databases_without_a_setting_pay_nothing(world: World) -> None:
    world.core.shape.use_lifetimes(lifetimes(longest={Scope(1): 60}))
    first, second, *_ = world.core.keyspace.databases
    assert type(first) is Database is not type(second)
    world.core.shape.use_lifetimes(lifetimes())
    assert type(second) is Database


def test_a_scope_without_a_setting_says_nothing() -> None:
    scoped = Scoped[int]([(Scope(3), 1)])
    assert scoped.of(3, b"k") == 1
    assert scoped.of(2, b"k") is None
    assert scoped.concerns(3) and not scoped.concerns(2)
    assert lifetimes().end(0, b"k", NEVER, 5) == NEVER
