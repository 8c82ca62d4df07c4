"""INFO and CONFIG GET beside a real redis-server: every name is there; and the figures are true."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.server.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("server")) as running:
        yield running


def sections_of(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            fields = found[line[2:]] = {}
        elif ":" in line:
            name, value = line.split(":", 1)
            fields[name] = value
    return found


@pytest.mark.interop
@pytest.mark.parametrize("wanted", [[], ["all"], ["everything"], ["default"], ["server", "CPU"], ["nonsense"]])
def test_info_has_every_section_and_field_of_redis(real_redis: RealRedis, server: Running, wanted: list[str]) -> None:
    real = Real(real_redis.port, 2)
    real.call([b"SET", b"a", b"1"])
    theirs = sections_of(real.call([b"INFO", *(word.encode() for word in wanted)]).decode())
    real.close()
    server.call("SET", "a", "1")
    ours = sections_of(server.call("INFO", *wanted))
    assert [name for name in ours if name in theirs] == list(theirs)
    for section, fields in theirs.items():
        counted = section in ("Commandstats", "Errorstats", "Latencystats")
        missing = [] if counted else [name for name in fields if name not in ours[section]]
        assert not missing, section


@pytest.mark.interop
def test_config_get_knows_every_directive_of_redis(real_redis: RealRedis, server: Running) -> None:
    real = Real(real_redis.port, 2)
    theirs = real.call([b"CONFIG", b"GET", b"*"])
    real.close()
    ours = server.call("CONFIG", "GET", "*")
    assert {name.decode() for name in theirs[::2]} <= set(ours[::2])


def test_figures_are_true(server: Running) -> None:
    server.call("FLUSHALL")
    server.call("CONFIG", "RESETSTAT")
    with server.connect() as wire:
        for number in range(100):
            wire.call("SET", f"k{number}", "x" * 10_000)
        wire.call("PEXPIRE", "k0", "100000")
        wire.call("GET", "k1")
        wire.call("GET", "nope")
        wire.call("LPUSH", "k1", "x")
        wire.call("GET")
        wire.send(b"*1\r\n$4\r\nNOPE\r\n")
        wire.read()
        found = server.info("everything")
    assert found["db0"].startswith("keys=100,expires=1,avg_ttl=")
    assert (found["keyspace_hits"], found["keyspace_misses"]) == ("1", "1")
    assert int(found["total_commands_processed"]) == 105
    assert int(found["total_net_input_bytes"]) > 1_000_000
    assert found["cmdstat_set"].startswith("calls=100,")
    assert found["cmdstat_set"].endswith("rejected_calls=0,failed_calls=0")
    assert found["cmdstat_get"].startswith("calls=2,")
    assert found["cmdstat_get"].endswith("rejected_calls=1,failed_calls=0")
    assert found["cmdstat_lpush"].endswith("rejected_calls=0,failed_calls=1")
    assert found["errorstat_WRONGTYPE"] == "count=1"
    assert found["errorstat_ERR"] == "count=2"
    assert found["total_error_replies"] == "3"
    assert found["connected_clients"] == "2"
    assert "latency_percentiles_usec_set" in found
    assert int(found["used_memory_rss"]) > int(found["used_memory"])
    assert found["rdb_changes_since_last_save"] != "0"


def test_a_server_without_keys_tells_that_it_uses_a_little(tmp_path: Path) -> None:
    with Running(tmp_path) as server:
        found = server.info("memory")
        assert 0 < int(found["used_memory"]) == int(found["used_memory_startup"]) < 4096
        assert found["used_memory_dataset"] == "0"


def test_used_memory_follows_the_data(server: Running) -> None:
    server.call("FLUSHALL")
    before = int(server.info("memory")["used_memory"])
    with server.connect() as wire:
        for number in range(2000):
            wire.call("SET", f"big{number}", "x" * 10_000)
        deadline = time.monotonic() + 20
        grown = 0
        while grown < 18_000_000 and time.monotonic() < deadline:  # the figure may be a tenth of a second old
            grown = int(wire.call("INFO", "memory").partition("used_memory:")[2].split()[0]) - before
    assert 18_000_000 <= grown < 26_000_000
