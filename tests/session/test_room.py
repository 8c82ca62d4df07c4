"""How maxmemory is held: at once in a steady state, in slices where the limit has been lowered."""

from __future__ import annotations

import random

import pytest

from pycache_server.evict.base import load_policy
from pycache_server.evict.lru import Lru
from pycache_server.session.room import Room, seconds_of
from pycache_server.store.events import UNHEARD
from pycache_server.testing.inprocess import Client, World

OOM = "OOM command not allowed when used memory > 'maxmemory'."


class Ticks:
    """A clock of which each look takes some time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 1e-5

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def use(world: World, policy: str, limit: int) -> None:
    chosen = load_policy(policy)
    world.core.shape.use_engine(chosen.engine, chosen.volatile)
    world.core.room.limit(limit)
    world.core.tables.refresh()


def settle(world: World) -> None:
    while world.core.shape.step():
        pass


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def fill(client: Client, count: int, size: int = 100) -> None:
    for number in range(count):
        client.call("SET", f"key:{number}", "x" * size)


def test_no_more_is_held_than_maxmemory_and_one_value(world: World, client: Client) -> None:
    limit = 1_000_000
    use(world, "allkeys-lru", limit)
    settle(world)
    chance = random.Random(5)
    for number in range(8000):
        size = chance.choice([1, 100, 1000, 20_000])
        kind = chance.randrange(4)
        if kind == 0:
            client.call("RPUSH", f"list:{number % 50}", "x" * size)
        elif kind == 1:
            client.call("APPEND", f"text:{number % 50}", "x" * size)
        else:
            client.call("SET", f"key:{number}", "x" * size, "PX", 10**9)
        before = world.core.keyspace.held
        client.call("EXPIRE", f"key:{number}", 10**6)
        assert world.core.keyspace.held <= before
    assert world.core.keyspace.held <= limit + 50_000
    client.call("SET", "one", "more")
    assert world.core.keyspace.held <= limit + 1000
    assert world.core.keyspace.evicted > 1000


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-ttl"])
def test_nothing_is_written_where_no_key_would_fit(world: World, client: Client, policy: str) -> None:
    use(world, policy, 1)
    settle(world)
    for words in (["SET", "a", "1"], ["RPUSH", "l", "x"], ["APPEND", "a", "1"]):
        assert str(client.call(*words)) == OOM
    assert client.call("GET", "a") is None
    assert client.call("DEL", "a") == 0
    assert str(client.call("EVAL", "return redis.call('set', KEYS[1], 'x')", 1, "a")).startswith("OOM ")
    assert world.core.room.exceeded
    use(world, policy, 0)
    assert client.call("SET", "a", "1") == "OK"


def test_a_key_is_given_up_for_one_that_comes(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    fill(client, 1000)
    world.core.room.limit(world.core.keyspace.held)
    for number in range(1000):
        client.call("GET", f"key:{number}")
        client.call("SET", f"new:{number}", "x" * 100)
        assert abs(client.call("DBSIZE") - 1000) < 20


def test_a_limit_that_is_lowered_is_reached_in_slices_and_never_receded_from(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    fill(client, 5000)
    keyspace = world.core.keyspace
    ticks = Ticks()
    world.core.room = Room(keyspace, world.core.shape, ticks)
    full = keyspace.held
    world.core.room.limit(full // 2)
    slices = 0
    highest = keyspace.held
    while keyspace.held > full // 2 + 1000:
        assert client.call("SET", f"new:{slices}", "x" * 400) == "OK"
        assert keyspace.held < highest + full // 100
        highest = min(highest, keyspace.held)
        slices += 1
    assert 20 < slices < 500
    while world.core.room.exceeded:
        world.core.room.make()
    assert world.core.room.exceeded_seconds()[0] > 0
    assert world.core.room.exceeded_seconds()[1] == 0


def test_a_slice_is_followed_by_a_rest(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    fill(client, 5000)
    keyspace = world.core.keyspace
    ticks = Ticks()
    room = Room(keyspace, world.core.shape, ticks)
    room.limit(keyspace.held // 2)
    assert room.make()
    first = keyspace.evicted
    assert room.make()
    assert keyspace.evicted - first < 20
    ticks.now += 1
    assert room.make()
    assert keyspace.evicted - first > 30


def test_what_a_command_adds_is_taken_off_at_once_whatever_time_it_takes(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    fill(client, 5000, 10)
    keyspace = world.core.keyspace
    limit = keyspace.held
    ticks = Ticks()
    ticks.step = 1.0
    world.core.room = Room(keyspace, world.core.shape, ticks)
    world.core.room.limit(limit)
    for number in range(4):
        client.call("SET", f"big:{number}", "x" * (limit // 6))
        assert keyspace.held < limit * 1.02 + limit / 6 + 1000


def test_where_nothing_can_go_commands_are_refused_and_the_time_is_counted(world: World, client: Client) -> None:
    use(world, "noeviction", 0)
    fill(client, 10)
    use(world, "noeviction", 1000)
    settle(world)
    assert str(client.call("SET", "k", "v")) == OOM
    world.advance(5)
    assert world.core.room.exceeded_seconds() == (5, 5)
    assert client.call("DEL", *[f"key:{number}" for number in range(10)]) == 10
    assert client.call("SET", "k", "v") == "OK"
    total, current = world.core.room.exceeded_seconds()
    assert (total, current) == (5, 0)
    assert world.core.stats.errors["OOM"] == 1


def test_a_volatile_policy_refuses_where_no_key_expires(world: World, client: Client) -> None:
    use(world, "volatile-lru", 3000)
    settle(world)
    client.call("SET", "timed", "v", "EX", 1000)
    fill(client, 30)
    assert client.call("EXISTS", "timed") == 0
    assert str(client.call("SET", "timed", "v", "EX", 1000)) == OOM
    assert client.call("GET", "key:1") is not None
    assert client.call("EXPIRE", "key:1", 100) == 1
    assert client.call("SET", "a", "v") == "OK" or world.core.keyspace.evicted == 2


def test_keys_that_an_engine_does_not_know_yet_are_brought_to_it(world: World, client: Client) -> None:
    fill(client, 3000)
    use(world, "allkeys-lru", 100_000)
    for number in range(300):
        assert client.call("SET", f"new:{number}", "x" * 100) == "OK"
    settle(world)
    client.call("SET", "last", "x")
    assert world.core.keyspace.held <= 101_000
    assert world.core.keyspace.evicted > 2000


def test_nothing_is_given_up_while_changes_are_paused(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    fill(client, 100)
    world.core.keyspace.keeps_all = True
    world.core.room.limit(1000)
    assert world.core.room.make()
    assert world.core.keyspace.evicted == 0
    world.core.keyspace.keeps_all = False
    assert world.core.room.make()
    assert world.core.keyspace.evicted > 90


def test_upkeep_is_called_where_memory_has_grown_without_a_command_that_makes_room(world: World) -> None:
    woken: list[bool] = []
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    world.core.room.limit(100)
    world.core.keyspace.on_wake = lambda: woken.append(True)
    world.core.room.look()
    assert not woken
    world.core.keyspace.databases[0].put(b"k", b"v", UNHEARD)
    world.core.room.look()
    assert woken


@pytest.mark.parametrize(
    ("tenacity", "microseconds"), [(0, 0), (1, 50), (10, 500), (11, 575), (50, 133_931), (100, float("inf"))]
)
def test_slices_are_as_long_as_those_of_redis(tenacity: int, microseconds: float) -> None:
    assert seconds_of(tenacity) == pytest.approx(microseconds / 1e6, rel=1e-3)


def test_evictions_are_announced_and_spoil_transactions(world: World, client: Client) -> None:
    world.core.observers.notify(0b11_1111_1111)
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    client.call("SET", "old", "x")
    listener = world.connect()
    listener.call("SUBSCRIBE", "__keyevent@0__:evicted")
    other = world.connect()
    other.call("WATCH", "old")
    other.call("MULTI")
    world.core.room.limit(1)
    client.call("DEL", "nothing")
    assert listener.read() == ["message", "__keyevent@0__:evicted", "old"]
    assert other.call("EXEC") is None
    assert world.core.keyspace.evicted_by == {Lru: 1}


def test_values_that_expire_or_are_evicted_are_published_up_to_a_size(world: World, client: Client) -> None:
    use(world, "allkeys-lru", 1 << 30)
    settle(world)
    world.core.observers.notify_values(5)
    listener = world.connect()
    listener.call("PSUBSCRIBE", "__keyvalue@0__:*")
    client.call("SET", "short", "value", "PX", 10)
    client.call("SET", "long", "values", "PX", 10)
    client.call("RPUSH", "list", "a")
    client.call("PEXPIRE", "list", 10)
    client.call("SET", "counter", 1)
    client.call("INCR", "counter")
    world.advance(0.1)
    world.expire()
    world.core.room.limit(1)
    world.core.room.make()
    world.advance(0)
    heard = [message[2:] for message in listener.read_all()]
    assert heard == [["__keyvalue@0__:expired:short", "value"], ["__keyvalue@0__:evicted:counter", "2"]]
    world.core.observers.notify_values(0)
    client.call("SET", "another", "v")
    assert not listener.read_all()


def test_set_has_its_options_while_memory_is_limited() -> None:
    world = World()
    world.core.room.limit(1 << 30)
    world.core.tables.refresh()
    world.core.stats.sample_mask = -1  # as where the server is busy: calls are not timed, and SET is done by its gate
    client = world.connect()
    assert client.call("SET", "k", "v") == "OK"
    assert client.call("SET", "k", "w", "NX") is None
    assert client.call("SET", "k", "w", "XX", "GET") == "v"
    assert client.call("SET", "k", "x", "PX", 5000) == "OK"
    assert client.call("PTTL", "k") == 5000
    assert "syntax error" in str(client.call("SET", "k", "v", "OTHER"))
    assert client.call("GET", "k") == "x"
