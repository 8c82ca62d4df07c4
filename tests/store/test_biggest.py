"""The biggest keys, beside the sizes of all."""

from __future__ import annotations

import random

import pytest

from pycache_server.evict.lru import Lru
from pycache_server.store.biggest import Biggest
from pycache_server.store.memory import size_of_key
from pycache_server.testing.inprocess import World


@pytest.mark.parametrize("evicting", [False, True])
@pytest.mark.parametrize("budget", [1, 100, 10**9])
def test_the_biggest_are_found_in_slices_of_any_length(budget: int, evicting: bool) -> None:
    chance, world = random.Random(1), World()
    client = world.connect()
    if evicting:
        world.core.shape.use_engine(Lru)
        while world.core.shape.step():
            pass
    for number in range(200):
        client.call("SELECT", number % 3)
        client.call("SET", f"key:{number}", "x" * chance.randrange(2000))
        client.call("RPUSH", f"list:{number}", *"x" * chance.randrange(1, 200))
        client.call("SET", f"dying:{number}", "x" * 10_000, "EX", 1)
        client.call("SET", f"integer:{number}", "1")
    world.advance(2)
    search = Biggest(world.core.keyspace, 20)
    steps = 1
    while search.step(budget):
        steps += 1
    assert (steps > 100) == (budget < 10**9)
    assert search.seen == 600
    sizes = [
        (size_of_key(key, database.peek(key), database.entry(key)), database.index, key)
        for database in world.core.keyspace.databases
        for key in map(bytes, database.keys())
    ]
    assert [each[:3] for each in search.result()] == sorted(sizes, reverse=True)[:20]


def test_kind_and_number_of_elements_are_told() -> None:
    world = World()
    client = world.connect()
    client.call("SET", "text", "x" * 1000)
    client.call("INCRBY", "number", 12345)
    client.call("HSET", "hash", "f", "v", "g", "w")
    search = Biggest(world.core.keyspace, 10)
    assert not search.step(10**9)
    assert {(each.key, each.kind, each.elements) for each in search.result()} == {
        (b"text", b"string", 1000),
        (b"number", b"string", 5),
        (b"hash", b"hash", 2),
    }
    search = Biggest(world.core.keyspace, 10, b"hash")
    search.step(10**9)
    assert [each.key for each in search.result()] == [b"hash"]
