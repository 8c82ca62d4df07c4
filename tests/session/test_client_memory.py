"""maxmemory-clients: who is counted with what, and who goes."""

from __future__ import annotations

import random

import pytest

from pycache_server.session.client_memory import LEAST
from pycache_server.session.describe import CONNECTION, memory_of
from pycache_server.testing.inprocess import Client, World

MANY = 300_000


def look(world: World) -> None:
    """What each tick of the server does where there are few clients."""
    world.core.client_memory.look(list(world.core.sessions.values()))
    world.core.client_memory._check()


def total_of(client: Client) -> int:
    line = client.call("CLIENT", "INFO")
    return int(line.split("tot-mem=")[1].split(" ")[0])


def test_a_connection_is_counted_with_all_that_is_kept_for_it(world: World) -> None:
    client = world.connect()
    assert memory_of(client.session) == CONNECTION
    client.start("MULTI")
    client.start("SET", "key", "x" * 1000)
    assert 1000 < memory_of(client.session) - CONNECTION < 1100
    client.start("DISCARD")
    client.send(b"*2\r\n$3\r\nGET\r\n$100000\r\n" + b"x" * 50_000)
    assert 50_000 <= memory_of(client.session) - CONNECTION < 120_000
    stuck = world.connect()
    stuck.call("SET", "large", "x" * 1000)
    stuck.stuck = True
    stuck.start("GET", "large")
    assert memory_of(stuck.session) - CONNECTION == 1000 + len("$1000\r\n\r\n")
    assert total_of(world.connect()) >= CONNECTION


def test_the_largest_goes_and_the_others_stay(world: World) -> None:
    core = world.core
    core.client_memory.share = 500_000
    others = [world.connect() for _ in range(5)]
    small, large = world.connect(), world.connect()
    for client, size in ((small, 200_000), (large, 400_000)):
        client.send(b"*2\r\n$3\r\nGET\r\n$1000000\r\n" + b"x" * size)
    look(world)
    assert large.closed
    assert not any(client.closed for client in (small, *others))
    assert core.stats.evicted_clients == 1
    assert any("Evicting client: " in text for _, text in world.host.messages)
    assert small.session.id in core.sessions


def test_nobody_goes_without_a_limit_or_below_it(world: World) -> None:
    client = world.connect()
    client.send(b"*2\r\n$3\r\nGET\r\n$1000000\r\n" + b"x" * MANY)
    look(world)
    assert not client.closed
    world.core.client_memory.share = 2 * MANY
    look(world)
    assert not client.closed and world.core.client_memory.total > MANY
    world.core.client_memory.share = 0
    look(world)
    assert world.core.client_memory.total == 0


def test_who_asks_not_to_be_evicted_stays_and_counts(world: World) -> None:
    core = world.core
    core.client_memory.share = MANY
    spared, other = world.connect(), world.connect()
    assert spared.call("CLIENT", "NO-EVICT", "ON") == "OK"
    spared.send(b"*2\r\n$3\r\nGET\r\n$1000000\r\n" + b"x" * MANY)
    look(world)
    assert other.closed and not spared.closed
    for _ in range(3):
        look(world)
    warning = ("warning", "Over client maxmemory after evicting all evictable clients")
    assert world.host.messages.count(warning) == 1


def test_a_percentage_is_one_of_maxmemory(world: World) -> None:
    memory, keyspace = world.core.client_memory, world.core.keyspace
    memory.share = -5
    assert memory.limit == 0
    keyspace.maxmemory = 100_000_000
    assert memory.limit == 5_000_000
    keyspace.maxmemory = 1000
    assert memory.limit == LEAST


def test_who_stops_reading_is_counted_at_once(world: World) -> None:
    client, other = world.connect(), world.connect()
    other.call("SET", "large", "x" * 2 * LEAST)
    world.core.client_memory.share = LEAST
    client.stuck = True
    client.start("GET", "large")
    assert client.closed and not other.closed


def test_what_has_shrunk_is_counted_less_and_who_has_gone_not_at_all(world: World) -> None:
    memory = world.core.client_memory
    memory.share = 10 * MANY
    client = world.connect()
    client.send(b"*2\r\n$3\r\nGET\r\n$300000\r\n" + b"x" * (MANY - 1))
    look(world)
    assert memory.total > MANY
    client.send(b"x\r\n")
    memory.look(())  # large ones are looked at whether it is their turn
    assert memory.total < MANY
    memory._check()
    client.send(b"*2\r\n$3\r\nGET\r\n$300000\r\n" + b"x" * (MANY - 1))
    look(world)
    client.session.on_lost()
    assert memory.total < MANY
    memory._check()


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_is_right_whatever_happens(world: World, seed: int) -> None:
    chance = random.Random(seed)
    memory = world.core.client_memory
    memory.share = 1_000_000
    clients: list[Client] = []
    for _ in range(300):
        choice = chance.randrange(6)
        open_ones = [client for client in clients if not client.closed]
        if choice == 0 or not open_ones:
            clients.append(world.connect())
            continue
        client = chance.choice(open_ones)
        if choice == 1:
            client.close()
        elif choice == 2:
            client.send(b"*2\r\n$3\r\nGET\r\n$200000\r\n" + b"x" * 150_000)
            client.send(b"x" * 50_000 + b"\r\n" * chance.randrange(2))
        elif choice == 3:
            client.start("CLIENT", "NO-EVICT", chance.choice(["ON", "OFF"]))
        else:
            memory.look([client.session for client in chance.sample(open_ones, min(3, len(open_ones)))])
        memory._check()
    look(world)
    spared = sum(memory_of(client.session) for client in clients if not client.closed)
    assert memory.total == spared
    assert memory.total < memory.limit or all("no-evict" in s.flags for s in world.core.sessions.values())


def test_a_command_that_is_too_large_is_not_executed(world: World) -> None:
    world.core.client_memory.share = MANY
    client, other = world.connect(), world.connect()
    for _ in range(5):
        assert client.call("SET", "key", "x" * (MANY // 2)) == "OK"
    client.start("SET", "key", "x" * MANY)
    assert client.closed and not other.closed
    assert other.call("STRLEN", "key") == MANY // 2


@pytest.mark.parametrize("command", ["WATCH", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
def test_what_a_client_watches_and_listens_to_counts(world: World, command: str) -> None:
    world.core.client_memory.share = LEAST
    client, other = world.connect(), world.connect()
    for number in range(LEAST // 100):
        if client.closed:
            break
        client.start(command, f"name:{number}")
        look(world)
    assert client.closed and not other.closed


def test_who_may_be_evicted_again_is_counted_then(world: World) -> None:
    world.core.client_memory.share = MANY
    client = world.connect()
    client.call("CLIENT", "NO-EVICT", "ON")
    client.start("MULTI")
    for _ in range(4):
        client.start("SET", "key", "x" * (MANY // 2))
    look(world)
    assert not client.closed
    client.start("CLIENT", "NO-EVICT", "OFF")
    client.start("EXEC")
    look(world)
    client.read_all()
    assert client.call("PING") == "PONG"
    client.start("MULTI")
    for _ in range(4):
        client.start("SET", "key", "x" * (MANY // 2))
    assert client.closed
