"""maxmemory in a server of its own: limits that change, policies that change, and what INFO says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from pycache_server.server.memory import EMPTY
from tests.server.running import Running, Wire

pytestmark = pytest.mark.process

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("server"), "--notify-keyspace-events", "KEA") as running:
        yield running


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    with server.connect() as wire:
        for words in (
            ["FLUSHALL"],
            ["CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction"],
            ["CONFIG", "RESETSTAT"],
        ):
            assert wire.call(*words) == "OK"
        yield wire


def fill(wire: Wire, count: int, size: int, prefix: str = "key") -> list[object]:
    """Set keys in pipelines; the replies that are not OK."""
    failed = []
    for start in range(0, count, 200):
        numbers = range(start, min(start + 200, count))
        wire.send(b"".join(command("SET", f"{prefix}:{number}", "x" * size) for number in numbers))
        failed += [reply for _ in numbers if (reply := wire.read()) != "OK"]
    return failed


def command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words)


def used(server: Running) -> int:
    return int(server.info("memory")["used_memory"])


def await_true(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_a_policy_that_asks_how_keys_are_used_keeps_account_without_a_limit(wire: Wire) -> None:
    def call(*words: str) -> object:
        wire.send(command(*words))
        return wire.read()

    wire.send(command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") + command("SET", "k", "v"))
    assert [wire.read(), wire.read()] == ["OK", "OK"]
    payload = b"\x00\x01v\x06\x00\a\xe5\xa62\xecm\xb6]"
    for rest, words in ((("IDLETIME", "1000"), ("IDLETIME", "r")), (("FREQ", "100"), ("FREQ", "r"))):
        if rest[0] == "FREQ":
            assert call("CONFIG", "SET", "maxmemory-policy", "volatile-lfu") == "OK"
            await_true(lambda: "pycache_eviction_changing:0" in str(call("INFO", "everything")), "the change of policy")
        parts = [word.encode() for word in ("RESTORE", "r", "100000")] + [payload, b"REPLACE"]
        parts += [word.encode() for word in rest]
        wire.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        assert wire.read() == "OK"
        told = call("OBJECT", *words)
        assert isinstance(told, int)
        assert int(rest[1]) <= told <= int(rest[1]) + 10
    assert call("CONFIG", "SET", "maxmemory-policy", "noeviction") == "OK"
    assert "LFU maxmemory policy is not selected" in str(call("OBJECT", "FREQ", "r"))


def test_maxmemory_is_held_and_evictions_are_counted(server: Running, wire: Wire) -> None:
    wire.call("CONFIG", "SET", "maxmemory", "5mb", "maxmemory-policy", "allkeys-lru")
    assert fill(wire, 20_000, 500) == []
    assert 4.5 * MEGABYTE < used(server) <= 5 * MEGABYTE + 1000
    stats, own = server.info("stats"), server.info("pycache")
    assert int(stats["evicted_keys"]) == int(own["pycache_evicted_lru"]) > 10_000
    assert stats["current_eviction_exceeded_time"] == "0"
    assert own["pycache_eviction_engine"] == "allkeys-lru"
    eviction = server.info("eviction")
    assert int(eviction["pycache_db0_bytes"]) == used(server) - EMPTY


def test_a_limit_below_what_is_held_is_reached_while_nobody_writes(server: Running, wire: Wire) -> None:
    wire.call("CONFIG", "SET", "maxmemory", "50mb", "maxmemory-policy", "allkeys-lru")
    fill(wire, 20_000, 500)
    wire.call("CONFIG", "SET", "maxmemory", "2mb")
    await_true(lambda: used(server) <= 2 * MEGABYTE, "eviction does not go on")


def test_a_limit_for_data_that_are_there_takes_effect_without_an_error(server: Running, wire: Wire) -> None:
    assert fill(wire, 20_000, 500) == []
    wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "3mb")
    assert fill(wire, 500, 500, "new") == []
    await_true(lambda: server.info("pycache")["pycache_eviction_changing"] == "0", "adoption does not end")
    await_true(lambda: used(server) <= 3 * MEGABYTE, "eviction does not go on")
    for number in (0, 20, 19_999):
        size = wire.call("MEMORY", "USAGE", f"key:{number}")
        assert size is None or 600 < size < 1000


def test_a_policy_changes_without_losing_a_key(server: Running, wire: Wire) -> None:
    wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1gb")
    fill(wire, 10_000, 10)
    await_true(lambda: server.info("pycache")["pycache_eviction_changing"] == "0", "the change does not end")
    before = used(server)
    for policy in ("noeviction", "volatile-lru", "allkeys-lru"):
        wire.call("CONFIG", "SET", "maxmemory-policy", policy)
        assert fill(wire, 1000, 10) == []
        await_true(lambda: server.info("pycache")["pycache_eviction_changing"] == "0", "the change does not end")
        assert wire.call("DBSIZE") == 10_000
        assert abs(used(server) - before) < before / 3
    wire.call("CONFIG", "SET", "maxmemory", "0")
    await_true(lambda: server.info("pycache")["pycache_eviction_changing"] == "0", "the change does not end")
    assert wire.call("DBSIZE") == 10_000


def test_directives_of_eviction_are_taken_live(wire: Wire) -> None:
    values = {
        "maxmemory-samples": "7",
        "lfu-log-factor": "3",
        "lfu-decay-time": "9",
        "maxmemory-eviction-tenacity": "50",
    }
    for name, value in values.items():
        assert wire.call("CONFIG", "SET", name, value) == "OK"
        assert wire.call("CONFIG", "GET", name) == [name, value]


def test_used_memory_without_a_limit_follows_the_data_down_as_well(server: Running, wire: Wire) -> None:
    fill(wire, 40_000, 300)
    full = used(server)
    assert 14_000_000 < full < 30_000_000
    await_true(lambda: 16_500_000 < used(server) < 17_500_000, "the census does not end")
    for start in range(0, 40_000, 1000):
        wire.call("DEL", *[f"key:{number}" for number in range(start, start + 900)])
    assert 1_500_000 < used(server) < 4_000_000
    wire.call("FLUSHALL")
    assert used(server) == EMPTY
    fill(wire, 500, 300)
    assert 200_000 < used(server) < 300_000


def test_times_to_live_by_scope_are_set_live_and_a_database_that_is_not_there_is_refused(wire: Wire) -> None:
    assert wire.call("CONFIG", "SET", "default-ttl", "100 prefix s: 50", "max-ttl", "db 1 10") == "OK"
    wire.call("SET", "k", "v")
    wire.call("SET", "s:k", "v")
    assert (wire.call("TTL", "k"), wire.call("TTL", "s:k")) == (100, 50)
    reply = wire.call("CONFIG", "SET", "max-ttl", "db 16 10")
    assert str(reply) == "ERR CONFIG SET failed (possibly related to argument 'max-ttl') - there is no database 16"
    assert wire.call("CONFIG", "GET", "default-ttl", "max-ttl") == [
        "default-ttl",
        "100 prefix s: 50",
        "max-ttl",
        "db 1 10",
    ]
    assert wire.call("CONFIG", "SET", "default-ttl", "", "max-ttl", "") == "OK"
    wire.call("SET", "k", "v")
    assert wire.call("TTL", "k") == -1


def test_a_limit_of_a_prefix_is_set_live(server: Running, wire: Wire) -> None:
    assert wire.call("CONFIG", "SET", "limit", "prefix session: 100kb lru db 2 1mb volatile-lru") == "OK"
    assert fill(wire, 1000, 300, "session") == []
    assert fill(wire, 1000, 300, "other") == []
    assert len(wire.call("KEYS", "other:*")) == 1000
    assert 100 < len(wire.call("KEYS", "session:*")) < 300
    limit = server.info("eviction")["pycache_db0_limit0"]
    assert limit.startswith("prefix=session:,policy=allkeys-lru,bytes=") and limit.endswith(",limit=102400")
    for text, problem in (
        ("db 99 1mb lru", "there is no database 99"),
        ("prefix p 1mb fifo", "'fifo' is not a policy, which must be one of the following: volatile-"),
    ):
        error = f"ERR CONFIG SET failed (possibly related to argument 'limit') - {problem}"
        assert str(wire.call("CONFIG", "SET", "limit", text)).startswith(error)
    assert wire.call("CONFIG", "SET", "limit", "") == "OK"
    await_true(lambda: server.info("pycache")["pycache_eviction_changing"] == "0", "the change does not end")
    assert fill(wire, 1000, 300, "session") == []
    assert wire.call("DBSIZE") == 2000


def test_used_memory_tells_at_once_what_has_come_after_a_flush(server: Running, wire: Wire) -> None:
    """Whoever sizes a cache fills it, asks, empties it, and fills it with something else."""
    for size in (4000, 1000, 300, 1000):
        wire.call("FLUSHALL")
        assert fill(wire, 5000, size) == []
        assert 0.9 < used(server) / (5000 * (size + 125)) < 1.1, size
