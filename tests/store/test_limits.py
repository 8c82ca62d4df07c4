"""Limits and policies of their own for databases and prefixes."""

from __future__ import annotations

import pytest

from pycache_server.evict.lru import Lru
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.database import Database
from pycache_server.store.limits import Limit, LimitedDatabase
from pycache_server.store.scopes import Scope
from pycache_server.testing.inprocess import Client, World

OOM = "OOM command not allowed when used memory > 'maxmemory'."
SESSIONS = Limit(Scope(prefix=b"session:"), 50_000, "allkeys-lru", Lru, False)


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def limit(world: World, *limits: Limit) -> None:
    world.core.shape.use_engine(NoEviction if limits else None, limits=limits)
    world.core.tables.refresh()
    settle(world)


def settle(world: World) -> None:
    while world.core.shape.step():
        pass
    while world.core.room.trim():
        pass


def fill(client: Client, prefix: str, count: int) -> None:
    for number in range(count):
        assert client.call("SET", f"{prefix}{number}", "x" * 100) == "OK"


def held(world: World, index: int = 0) -> list[int]:
    database = world.core.keyspace.databases[index]
    assert isinstance(database, LimitedDatabase)
    return [group.used for group in database.groups()]


def test_a_prefix_gives_up_its_own_keys_and_no_others(world: World, client: Client) -> None:
    limit(world, SESSIONS)
    fill(client, "other:", 500)
    fill(client, "session:", 500)
    assert 45_000 < held(world)[0] <= 50_000 + 1000
    assert client.call("GET", "session:499") is not None
    assert client.call("EXISTS", "session:0") == 0
    assert len(client.call("KEYS", "other:*")) == 500
    assert world.core.keyspace.evicted_by == {Lru: world.core.keyspace.evicted}


def test_the_engine_of_a_prefix_hears_of_accesses(world: World, client: Client) -> None:
    limit(world, SESSIONS)
    fill(client, "session:", 100)
    for number in range(100, 400):
        client.call("GET", "session:7")
        client.call("SET", f"session:{number}", "x" * 100)
    assert client.call("GET", "session:7") is not None


def test_the_longest_prefix_counts_then_the_database(world: World, client: Client) -> None:
    limit(
        world,
        SESSIONS,
        SESSIONS._replace(scope=Scope(prefix=b"session:long:")),
        SESSIONS._replace(scope=Scope(database=1)),
    )
    fill(client, "session:", 10)
    fill(client, "session:long:", 20)
    client.call("SELECT", 1)
    fill(client, "other:", 30)
    fill(client, "session:", 40)
    assert [round(used / held(world)[0] * 10) for used in held(world)] == [10, 20]
    assert [round(used / held(world)[0] * 10) for used in held(world, 1)] == [40, 0, 30]


def test_a_prefix_without_eviction_refuses_commands_on_its_keys(world: World, client: Client) -> None:
    limit(world, SESSIONS._replace(engine=NoEviction, size=1170))
    fill(client, "session:", 4)
    for words in (["SET", "session:9", "v"], ["APPEND", "session:1", "v"], ["MSET", "a", "b", "session:7", "v"]):
        assert str(client.call(*words)) == OOM
    assert client.call("SET", "other", "v") == "OK"
    assert client.call("GET", "session:1") is not None
    client.call("MULTI")
    assert str(client.call("SET", "session:1", "v")) == OOM
    client.call("DISCARD")
    assert client.call("DEL", "session:1", "session:2", "session:3") == 3
    assert client.call("SET", "session:9", "v") == "OK"


def test_limits_are_set_lowered_and_taken_away_while_keys_are_there(world: World, client: Client) -> None:
    fill(client, "session:", 1000)
    limit(world, SESSIONS)
    assert held(world)[0] <= 50_000
    left = client.call("DBSIZE")
    assert 100 < left < 300
    limit(world, SESSIONS._replace(size=20_000))
    assert held(world)[0] <= 20_000
    limit(world)
    assert type(world.core.keyspace.databases[0]) is Database
    fill(client, "session:", 1000)
    assert client.call("DBSIZE") == 1000


def test_where_maxmemory_is_reached_the_rest_gives_up_first(world: World, client: Client) -> None:
    world.core.shape.use_engine(Lru, limits=(SESSIONS,))
    world.core.room.limit(120_000)
    world.core.tables.refresh()
    settle(world)
    fill(client, "session:", 100)
    fill(client, "other:", 500)
    assert len(client.call("KEYS", "session:*")) == 100
    world.core.room.limit(10_000)
    assert world.core.room.make()
    assert client.call("DBSIZE") < 60


def test_a_flushed_database_keeps_its_limits(world: World, client: Client) -> None:
    limit(world, SESSIONS)
    fill(client, "session:", 300)
    client.call("FLUSHALL")
    assert held(world) == [0]
    fill(client, "session:", 300)
    assert 45_000 < held(world)[0] <= 51_000
