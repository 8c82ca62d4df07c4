"""Shadows beside real caches: exact where every key is in the sample, near where few are."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Iterable

import pytest

from pycache_server.evict.base import load_policy
from pycache_server.store.database import Database
from pycache_server.store.memory import free_slice
from pycache_server.store.simulation import ShadowedDatabase, Simulation
from pycache_server.testing.inprocess import Client, World
from tests.conftest import more_in_ci, some_slow
from tests.evict.simulate import zipf

MEMORY = 60_000
"""Some 240 keys with a value of 64 bytes."""
VALUE = "x" * 64


def evicting(policy: str, memory: int) -> World:
    """A world with a maxmemory."""
    world, chosen = World(), load_policy(policy)
    world.core.shape.use_engine(chosen.engine, chosen.volatile)
    settle(world)
    world.core.room.limit(memory)
    world.core.tables.refresh()
    return world


def settle(world: World) -> None:
    while world.core.shape.step():
        pass


def simulate(
    world: World,
    policies: Iterable[str],
    percents: Iterable[int] = (100,),
    memory: int = MEMORY,
    most: int = 10_000,
    rate: float = 1.0,
) -> Simulation:
    found = [load_policy(name) for name in policies]
    simulation = Simulation(memory, found, percents, world.core.shape.surroundings, most, rate)
    world.core.shape.use_shadows(simulation)
    return simulation


def ask(client: Client, trace: Iterable[int], value: str = VALUE) -> float:
    """Get keys, and set those that are not there, as users of a cache do. The hit ratio."""
    hits = requests = 0
    for number in trace:
        requests += 1
        if client.call("GET", f"key:{number}") is None:
            client.call("SET", f"key:{number}", value)
        else:
            hits += 1
    return hits / requests


def simulation_of(world: World) -> Simulation:
    """The present one: after a flush it is another."""
    shadows = world.core.keyspace.shadows
    assert shadows is not None
    return shadows


TRACE = zipf(4000, 1200, 0.9)


SIMULATED = ["adaptive", "lru", "s3fifo", "lfu", "sieve", "arc", "tinylfu"]


@pytest.mark.parametrize("name", SIMULATED[: more_in_ci(3, len(SIMULATED))])
def test_a_shadow_of_the_policy_in_force_hits_what_the_server_does(name: str) -> None:
    world = evicting(f"allkeys-{name}", MEMORY)
    simulation = simulate(world, [f"allkeys-{name}"])
    real = ask(world.connect(), TRACE)
    found = simulation.ratio(simulation.shadows[0].hits)
    assert found == pytest.approx(
        real, abs=1e-9 if name in ("lru", "sieve") else 0.04
    )  # others draw, or count by hashes
    assert simulation.ratio(simulation.hits) == pytest.approx(real) == simulation.real_ratio
    assert simulation.shadows[0].full
    simulation._check()


@pytest.mark.parametrize(("policy", "percent"), [("allkeys-lru", 50), ("allkeys-lru", 200), ("allkeys-sieve", 25)])
def test_a_shadow_hits_what_a_server_of_that_policy_and_size_does(policy: str, percent: int) -> None:
    world = evicting("allkeys-random", MEMORY)
    simulation = simulate(world, [policy], [25, 50, 100, 200])
    ask(world.connect(), TRACE)
    shadow = next(each for each in simulation.shadows if each.percent == percent)
    real = ask(evicting(policy, MEMORY * percent // 100).connect(), TRACE)
    assert simulation.ratio(shadow.hits) == pytest.approx(
        real, abs=0.001
    )  # it makes room for what the real one fetches
    simulation._check()


@pytest.mark.slow
def test_the_curve_agrees_with_shadows_of_lru_at_all_sizes() -> None:
    world = evicting("allkeys-lfu", MEMORY)
    simulation = simulate(world, ["allkeys-lru"], [25, 50, 75, 100, 200, 400])
    ask(world.connect(), TRACE)
    for shadow in simulation.shadows:
        ratio = simulation.ratio(shadow.hits)
        assert simulation.lru_ratio(shadow.percent) == pytest.approx(ratio, abs=0.012), shadow.percent
    assert simulation.lru_ratio(25) < simulation.lru_ratio(100) < simulation.lru_ratio(400)


@pytest.mark.parametrize("seed", some_slow([1, 2, 3], 1))
def test_a_tenth_of_the_keys_tells_nearly_the_same(seed: int) -> None:
    trace = zipf(12_000, 6000, 0.8, seed)
    world = evicting("allkeys-lru", 4 * MEMORY)
    simulation = simulate(world, ["allkeys-lru", "allkeys-lfu"], [50, 100], 4 * MEMORY, rate=0.2)
    real = ask(world.connect(), trace)
    assert len(simulation) < 1000
    found = {(each.policy.name, each.percent): simulation.ratio(each.hits) for each in simulation.shadows}
    assert found["allkeys-lru", 100] == pytest.approx(real, abs=0.05)
    assert simulation.real_ratio == real
    assert found["allkeys-lru", 50] < found["allkeys-lru", 100] < found["allkeys-lfu", 100]
    simulation._check()


@pytest.mark.slow
def test_the_rate_falls_so_that_no_more_keys_are_known_than_are_wanted() -> None:
    world = evicting("allkeys-lru", 4 * MEMORY)
    simulation = simulate(world, ["allkeys-lru", "allkeys-sieve"], [50, 400], 4 * MEMORY, most=300)
    client = world.connect()
    for number, key in enumerate(zipf(10_000, 8000, 0.6)):
        ask(client, [key])
        assert len(simulation) <= 300
        if not number % 1000:
            simulation._check()
    assert 0.03 < simulation.rate < 0.3
    assert max(map(len, simulation.shadows)) <= 300
    assert simulation.ratio(simulation.shadows[0].hits) < simulation.ratio(simulation.shadows[1].hits)


def test_one_key_at_most_is_a_sample_too() -> None:
    world = evicting("allkeys-lru", MEMORY)
    simulation = simulate(world, ["allkeys-lru"], [100], most=1)
    ask(world.connect(), TRACE[:500])
    simulation._check()


def test_what_is_deleted_or_expires_leaves_the_shadows_and_what_is_evicted_does_not() -> None:
    world = evicting("allkeys-lru", MEMORY)
    simulation = simulate(world, ["allkeys-lru"], [100, 400])
    client = world.connect()
    small, big = simulation.shadows
    client.call("SET", "a", "1", "EX", "10")
    client.call("SET", "b", "1")
    client.call("SET", "c", "1", "EX", "10")
    client.call("PERSIST", "c")
    world.advance(11)
    client.call("GET", "other")
    assert b"0:a" not in big and b"0:b" in big and b"0:c" in big
    client.call("RENAME", "b", "d")
    client.call("DEL", "c")
    assert {name for name in (b"0:b", b"0:c", b"0:d") if name in big} == {b"0:d"}
    client.call("RPUSH", "list", *"abc")
    before = big.used
    client.call("RPUSH", "list", "x" * 100)
    assert big.used > before + 100
    client.call("LPOP", "list", 4)
    assert b"0:list" not in big
    ask(client, range(500))
    assert client.call("EXISTS", "d") == 0
    assert b"0:d" not in small and b"0:d" in big
    client.call("GET", "d")
    assert big.hits > small.hits
    simulation._check()


def test_a_key_that_another_cache_would_have_had_is_not_accessed_twice_when_the_client_fetches_it() -> None:
    world = evicting("allkeys-lfu", MEMORY)
    simulation = simulate(world, ["allkeys-lfu"], [400])
    client, shadow = world.connect(), simulation.shadows[0]
    calls: list[object] = []
    accessed = shadow._candidates.access
    client.call("SET", "k", "v")
    world.core.keyspace.databases[0].evict()
    shadow._candidates.access = lambda entry: (calls.append(entry), accessed(entry))[1]  # type: ignore[func-returns-value]
    assert client.call("GET", "k") is None
    client.call("SET", "k", "v")
    assert len(calls) == 1
    client.call("SET", "k", "v")
    assert len(calls) == 2
    assert simulation.ratio(shadow.hits) == 1.0


def test_volatile_policies_keep_what_has_no_time_to_live() -> None:
    world = evicting("volatile-lru", MEMORY)
    simulation = simulate(world, ["volatile-lru", "noeviction"], [50])
    client = world.connect()
    client.call("SET", "lasting", "1")
    for number in range(600):
        client.call("SET", f"key:{number}", VALUE, "EX", "1000")
    volatile, none = simulation.shadows
    assert b"0:lasting" in volatile and b"0:key:599" in volatile and b"0:key:0" not in volatile
    assert b"0:key:0" in none and b"0:key:599" not in none
    simulation._check()


def test_a_flush_or_an_exchange_of_databases_empties_the_shadows_and_keeps_the_counts() -> None:
    world = evicting("allkeys-lru", MEMORY)
    simulate(world, ["allkeys-lru"])
    client = world.connect()
    for words in (["FLUSHALL"], ["FLUSHDB"], ["SWAPDB", "0", "1"]):
        old = simulation_of(world)
        ask(client, [1, 1])
        client.call(*words)
        new = simulation_of(world)
        assert (
            new is not old and len(new) == 0 and new.asked == old.asked and new.shadows[0].hits == old.shadows[0].hits
        )
    while free_slice(world.core.keyspace, 4096):
        pass
    assert len(old) == 0


def test_what_is_forgotten_leaves_no_cycles() -> None:
    world = evicting("allkeys-lru", MEMORY)
    gc.disable()
    try:
        gone = weakref.ref(simulate(world, ["allkeys-lru", "volatile-ttl", "allkeys-s3fifo"], [50, 400]))
        client = world.connect()
        ask(client, range(500))
        client.call("SET", "k", "v", "EX", "10")
        world.core.shape.use_shadows(None)
        while free_slice(world.core.keyspace, 200):
            pass
        assert gone() is None
    finally:
        gc.enable()


def test_databases_have_the_class_only_while_something_is_simulated() -> None:
    world = World()
    database = world.core.keyspace.databases[0]
    assert type(database) is Database
    simulation = simulate(world, ["allkeys-lru"])
    assert isinstance(database, ShadowedDatabase)
    ask(world.connect(), [1, 2, 3, 1])
    assert len(simulation) == 3
    world.core.shape.use_shadows(None)
    assert type(database) is Database and world.core.keyspace.shadows is None
    while free_slice(world.core.keyspace, 200):
        pass
    assert len(simulation) == 0 and not world.core.keyspace.discarded


COMMANDS = [
    "GET", "SET", "SET", "SETEX", "APPEND", "INCR", "GETSET", "GETDEL", "RPUSH", "LPOP", "SADD", "SREM", "HSET", "HDEL",
    "HEXPIRE", "ZADD", "ZREM", "DEL", "EXPIRE", "PERSIST", "RENAME", "COPY", "MOVE", "FLUSHDB", "SETRANGE", "UNLINK",
    "XADD",
]  # fmt: skip


@pytest.mark.parametrize("seed", some_slow(range(5), 2))
def test_any_commands_leave_everything_sound(seed: int) -> None:
    chance = random.Random(seed)
    world = evicting(f"allkeys-{chance.choice(['lru', 'lfu', 'adaptive'])}", 8000)
    policies = chance.sample(["allkeys-lru", "volatile-lru", "allkeys-arc", "volatile-ttl", "allkeys-random"], 3)
    simulate(world, policies, [50, 200], 8000, most=chance.choice([10, 10_000]))
    if seed % 2:
        world.core.shape.observe("test")
    client = world.connect()
    for number in range(1000):
        key, other = (f"k{chance.randrange(80)}" for _ in range(2))
        name = chance.choice(COMMANDS)
        rest = {
            "SETEX": ["5", VALUE], "LPOP": [], "GET": [], "INCR": [], "GETDEL": [], "DEL": [], "PERSIST": [],
            "HSET": ["f", VALUE], "HDEL": ["f"], "HEXPIRE": ["3", "FIELDS", "1", "f"], "ZADD": ["1", "m"],
            "ZREM": ["m"], "EXPIRE": [str(chance.randrange(-1, 20))], "RENAME": [other], "MOVE": ["1"],
            "COPY": [other, "REPLACE"],
            "SETRANGE": ["10", "x"], "UNLINK": [other], "XADD": ["*", "f", "v"],
        }.get(name, [VALUE[: chance.randrange(60)]])  # fmt: skip
        if name != "FLUSHDB":
            client.call(name, key, *rest)
        elif chance.random() < 0.05:
            client.call(name)
        if chance.random() < 0.1:
            world.advance(chance.random())
        if chance.random() < 0.02:
            engine = chance.choice([None, "lru", "sieve", "lfu"])
            world.core.shape.use_engine(None if engine is None else load_policy(f"allkeys-{engine}").engine)
        world.core.shape.step()
        if not number % 50:
            simulation_of(world)._check()
    world.check()
    simulation_of(world)._check()
