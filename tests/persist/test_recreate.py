"""Keys as commands that make them anew: whatever there is comes back with the same digest."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pycache_server.persist.recreate import ITEMS, Recreating, commands_of
from pycache_server.persist.replay import Replay
from pycache_server.server.digest import dataset_digest
from pycache_server.server.replaying import Replaying
from pycache_server.store.scan import SLOTS
from pycache_server.testing.inprocess import World


def commands(world: World, key: bytes, index: int = 0) -> list[list[bytes]]:
    database = world.core.keyspace.databases[index]
    value, expires = database.peek(key), database.expires_at(key)
    assert expires is not None
    return list(commands_of(key, value, expires))


def rebuilt(world: World) -> World:
    """Another server, made by the commands that recreate everything that this one holds."""
    recreating = Recreating(world.core.keyspace)
    data = recreating.head()
    for database in world.core.keyspace.databases:
        for slot in range(SLOTS):
            data += recreating.bucket(database.index, database.buckets[slot], None)
    data += recreating.foot()
    twin = World()
    replaying = Replaying(twin.core, "test")
    twin.core.clock.stand_aside()
    for unit in Replay(data):
        replaying.run(unit)
    twin.core.clock.come_back()
    assert not [message for level, message in twin.host.messages if level == "warning"], twin.host.messages
    twin.check()
    return twin


def test_collections_come_in_pieces(world: World) -> None:
    client = world.connect()
    client.call("RPUSH", "l", *range(ITEMS + 1))
    client.call("HSET", "h", *range(2 * ITEMS + 2))
    assert [len(argv) for argv in commands(world, b"l")] == [2 + ITEMS, 3]
    assert [len(argv) for argv in commands(world, b"h")] == [2 + 2 * ITEMS, 4]


def test_times_to_live_come_behind_their_keys(world: World) -> None:
    client = world.connect()
    client.call("SET", "k", "12", "PXAT", "1800000000000")
    client.call("HSET", "h", "a", "1", "b", "2")
    client.call("HPEXPIREAT", "h", "1800000000001", "FIELDS", "1", "b")
    client.call("PEXPIREAT", "h", "1800000000002")
    assert commands(world, b"k") == [[b"SET", b"k", b"12"], [b"PEXPIREAT", b"k", b"1800000000000"]]
    assert commands(world, b"h") == [
        [b"HMSET", b"h", b"a", b"1", b"b", b"2"],
        [b"HPEXPIREAT", b"h", b"1800000000001", b"FIELDS", b"1", b"b"],
        [b"PEXPIREAT", b"h", b"1800000000002"],
    ]


def test_a_stream_comes_with_counters_groups_and_what_is_pending(world: World) -> None:
    client = world.connect()
    for number in range(1, 6):
        client.call("XADD", "x", f"{number}-0", "f", number)
    client.call("XDEL", "x", "5-0")
    client.call("XGROUP", "CREATE", "x", "g", "0")
    client.call("XREADGROUP", "GROUP", "g", "alice", "COUNT", "2", "STREAMS", "x", ">")
    client.call("XGROUP", "CREATECONSUMER", "x", "g", "bob")
    twin = rebuilt(world).connect()
    for words in (["XINFO", "STREAM", "x"], ["XINFO", "GROUPS", "x"], ["XPENDING", "x", "g"]):
        assert twin.call(*words) == client.call(*words)
    assert [each[1] for each in twin.call("XINFO", "CONSUMERS", "x", "g")] == ["alice", "bob"]


def test_a_stream_without_entries_stays_one(world: World) -> None:
    client = world.connect()
    client.call("XGROUP", "CREATE", "new", "g", "$", "MKSTREAM")
    client.call("XADD", "emptied", "7-7", "f", "v")
    client.call("XDEL", "emptied", "7-7")
    twin = rebuilt(world).connect()
    for key in ("new", "emptied"):
        assert twin.call("XLEN", key) == 0
        mine, theirs = client.call("XINFO", "STREAM", key), twin.call("XINFO", "STREAM", key)
        assert theirs[mine.index("last-generated-id") + 1] == mine[mine.index("last-generated-id") + 1]


def _fill(chance: random.Random, client: Any) -> None:
    for number in range(chance.randrange(5, 40)):
        key = f"key{number}"
        client.call("SELECT", chance.randrange(3))
        count = chance.choice((1, 3, ITEMS, 200))
        words = [chance.choice((str(chance.randrange(1000)), chance.randbytes(8).hex())) for _ in range(count)]
        kind = chance.randrange(7)
        if kind == 0:
            client.call("SET", key, words[0])
        elif kind == 1:
            client.call("RPUSH", key, *words)
        elif kind == 2:
            client.call("SADD", key, *words)
        elif kind == 3:
            client.call("ZADD", key, *(part for word in words for part in (chance.random() * 100, word)))
        elif kind == 4:
            client.call("HSET", key, *(part for word in words for part in (word, "v")))
            if chance.random() < 0.5:
                client.call("HPEXPIREAT", key, "1800000000000", "FIELDS", "1", words[0])
        elif kind == 5:
            for word in words:
                client.call("XADD", key, "*", "f", word)
        else:
            client.call("SETBIT", key, chance.randrange(1000), "1")
        if chance.random() < 0.3:
            client.call("PEXPIREAT", key, "1800000000000")


@pytest.mark.parametrize("seed", range(12))
def test_any_data_set_comes_back_with_its_digest(seed: int) -> None:
    print("seed", seed)
    world = World()
    _fill(random.Random(seed), world.connect())
    assert dataset_digest(rebuilt(world).core.keyspace) == dataset_digest(world.core.keyspace)
