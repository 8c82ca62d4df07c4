"""What is saved is what is loaded."""

from __future__ import annotations

import mmap
import random
from pathlib import Path

import pytest

from pycache_server.entry import NEVER
from pycache_server.evict.base import load_policy
from pycache_server.persist.opcodes import aux_of_position, aux_of_server
from pycache_server.persist.saving import CHUNK, Saving, save
from pycache_server.testing.inprocess import World
from tests.persist.files import begin, digest, file_of, fill, load, saved, text


def _other() -> World:
    return World(seed=2, databases=4)


def test_one_of_everything_comes_back_as_it_was(world: World) -> None:
    fill(world.connect())
    other = _other()
    loading = load(other, saved(world))
    assert digest(other) == digest(world)
    assert loading.version == 12
    assert loading.progress.keys == sum(database.size for database in world.core.keyspace.databases)
    other.check()


def test_the_file_is_of_redis_7_0_where_no_fields_expire(world: World) -> None:
    fill(world.connect(), fields=False)
    other = _other()
    assert load(other, saved(world)).version == 10
    assert digest(other) == digest(world)


def test_fields_lose_their_times_for_a_reader_that_does_not_know_them(world: World) -> None:
    fill(world.connect())
    saving = Saving(world.core.keyspace, without_times=True)
    data = b"".join(save(world.core.keyspace, saving=saving))
    assert saving.stripped == 2
    other = _other()
    assert load(other, data).version == 10
    assert other.connect().call("HPTTL", "volatile", "FIELDS", 2, "f", "g") == [-1, -1]
    assert other.connect().call("PTTL", "volatile") == world.connect().call("PTTL", "volatile")


def test_a_file_comes_in_chunks_of_about_the_same_size(world: World) -> None:
    client, chance = world.connect(), random.Random(1)
    for number in range(5000):
        client.call("SET", f"key {number}", chance.randbytes(100))
    chunks = list(save(world.core.keyspace))
    assert len(chunks) > 5
    assert all(CHUNK <= len(chunk) < 2 * CHUNK for chunk in chunks[:-1])


def test_what_a_file_tells_of_itself_comes_back(world: World) -> None:
    aux = [*aux_of_server("7.4.1", 1_700_000_000, 12345), *aux_of_position(3, b"a" * 40, 99)]
    loading = load(world, saved(world, aux=aux, functions=[b"#!lua name=l\ncode"]))
    assert loading.aux == dict(aux)
    assert loading.functions == [b"#!lua name=l\ncode"]


def test_it_loads_from_a_mapped_file(world: World, tmp_path: Path) -> None:
    fill(world.connect())
    path = tmp_path / "dump.rdb"
    path.write_bytes(saved(world))
    other = _other()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        load(other, mapped)
    assert digest(other) == digest(world)


def test_a_file_within_other_data_ends_where_it_ends(world: World) -> None:
    world.connect().call("SET", "k", "v")
    data = saved(world)
    other = _other()
    loading = load(other, b"before" + data + b"*1\r\n", start=6)
    assert loading.end == 6 + len(data)
    assert other.connect().call("GET", "k") == "v"


def test_nothing_is_seen_before_the_file_is_installed(world: World) -> None:
    fill(world.connect())
    data, other = saved(world), _other()
    other.connect().call("SET", "old", "v")
    loading = begin(other, data)
    while loading.step(10):
        assert other.connect().call("DBSIZE") == 1
    loading.install()
    assert other.connect().call("GET", "old") is None
    assert digest(other) == digest(world)


def test_what_was_there_is_freed_in_slices(world: World) -> None:
    fill(world.connect())
    data = saved(world)
    load(world, data)
    assert world.core.keyspace.discarded
    assert digest(world) != bytes(20)
    world.check()


def test_keys_whose_time_is_over_are_left_out(world: World) -> None:
    client = world.connect()
    client.call("SET", "short", "v", "PX", 1000)
    client.call("SET", "long", "v", "PX", 100_000)
    client.call("HSET", "fields", "f", "v")
    client.call("HPEXPIRE", "fields", 1000, "FIELDS", 1, "f")
    data = saved(world)
    other = _other()
    other.advance(50)
    loading = load(other, data)
    assert (loading.progress.keys, loading.progress.expired) == (1, 2)
    assert other.connect().call("KEYS", "*") == ["long"]


def test_a_follower_keeps_keys_whose_time_is_over(world: World) -> None:
    world.connect().call("SET", "short", "v", "PX", 1000)
    data = saved(world)
    other = _other()
    other.advance(50)
    assert load(other, data, keep_expired=True).progress.keys == 1
    assert other.core.keyspace.databases[0].size == 1
    assert other.connect().call("GET", "short") is None


def test_an_expired_key_that_has_not_been_removed_is_saved_unless_nothing_is_left_of_it(world: World) -> None:
    client = world.connect()
    client.call("SET", "short", "v", "PX", 1000)
    client.call("HSET", "fields", "f", "v")
    client.call("HPEXPIRE", "fields", 1000, "FIELDS", 1, "f")
    world.advance(2)
    other = World(seed=3, databases=4)
    assert load(other, saved(world)).progress.keys == 1


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "allkeys-lfu", "noeviction"])
def test_the_account_is_right_under_an_eviction_policy(world: World, policy: str) -> None:
    fill(world.connect())
    data = saved(world)
    other = _other()
    chosen = load_policy(policy)
    other.core.shape.use_engine(chosen.engine, chosen.volatile)
    while other.core.shape.step():
        pass
    other.connect().call("SET", "old", "v")
    load(other, data)
    keyspace = other.core.keyspace
    assert keyspace.held == sum(database.used for database in keyspace.databases) > 100_000
    assert digest(other) == digest(world)
    assert not other.core.shape.changing
    other.check()
    other.connect().call("FLUSHALL")
    assert keyspace.held == 0


def test_a_policy_that_is_chosen_meanwhile_takes_over_in_slices(world: World) -> None:
    fill(world.connect())
    data = saved(world)
    other = _other()
    loading = begin(other, data)
    loading.step(20)
    other.core.shape.use_engine(load_policy("allkeys-lru").engine)
    while other.core.shape.step():
        pass
    while loading.step():
        pass
    loading.install()
    assert other.core.shape.changing
    while other.core.shape.step():
        pass
    assert other.core.keyspace.held > 100_000
    assert digest(other) == digest(world)
    other.check()


def test_idle_times_and_frequencies_come_back(world: World) -> None:
    for name, question, expected in (("allkeys-lru", "IDLETIME", 100), ("allkeys-lfu", "FREQ", None)):
        first, other = World(databases=4), World(databases=4)
        for each in (first, other):
            each.core.shape.use_engine(load_policy(name).engine)
            while each.core.shape.step():
                pass
        client = first.connect()
        client.call("SET", "k", "v")
        for _ in range(50):
            client.call("GET", "k")
        first.advance(100)
        told = client.call("OBJECT", question, "k")
        other.advance(100)
        load(other, saved(first))
        assert other.connect().call("OBJECT", question, "k") == told
        assert expected in (None, told)


def test_a_key_twice_is_refused_unless_it_is_in_two_databases(world: World) -> None:
    key = b"\x00" + text(b"k") + text(b"v")
    load(world, file_of(b"\xfe\x00", key, b"\xfe\x01", key))
    assert [database.size for database in world.core.keyspace.databases] == [1, 1, 0, 0]


def test_merging_adds_to_what_is_there(world: World) -> None:
    client = world.connect()
    client.call("SET", "k", "old")
    client.call("SET", "mine", "v")
    loading = begin(world, file_of(b"\xfe\x00\x00" + text(b"k") + text(b"new"), b"\x00" + text(b"theirs") + text(b"v")))
    while loading.step():
        pass
    assert loading.merge(overwrite=False) == b"k"
    assert client.call("MGET", "k", "theirs") == ["old", None]
    assert loading.merge(overwrite=True) is None
    assert client.call("MGET", "k", "theirs", "mine") == ["new", "v", "v"]


def test_watchers_and_blocked_clients_hear_of_a_new_data_set(world: World) -> None:
    world.connect().call("RPUSH", "list", "x")
    data, other = saved(world), _other()
    client, waiter, idle = other.connect(), other.connect(), other.connect()
    for each, key in ((client, "list"), (idle, "nowhere")):
        each.call("WATCH", key)
        each.call("MULTI")
        each.call("PING")
    waiter.start("BLPOP", "list", 0)
    load(other, data)
    other.core.blocking.serve_ready()
    other.host.settle()
    assert client.call("EXEC") is None
    assert idle.call("EXEC") == ["PONG"]
    assert waiter.read() == ["list", "x"]


def test_keys_that_expire_in_a_loaded_data_set_wake_the_upkeep(world: World) -> None:
    world.connect().call("SET", "k", "v", "PX", 10_000_000)
    other = _other()
    load(other, saved(world))
    other.expire()
    woken: list[int] = []
    other.core.keyspace.on_wake = lambda: woken.append(1)
    other.connect().call("SET", "j", "v", "PX", 10)
    assert woken
    assert other.core.keyspace.databases[0].next_due() != NEVER
