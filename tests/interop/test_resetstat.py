"""What CONFIG RESETSTAT sets back to zero, and what stays, beside a real redis-server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RealRedis
from tests.interop.following import info, wait_for
from tests.server.running import Running, Wire

FIELDS = (
    *("total_connections_received", "total_commands_processed", "total_net_input_bytes", "total_net_output_bytes"),
    *("total_net_repl_output_bytes", "instantaneous_ops_per_sec", "instantaneous_input_kbps"),
    *(
        "instantaneous_output_kbps",
        "instantaneous_output_repl_kbps",
        "sync_full",
        "sync_partial_ok",
        "sync_partial_err",
    ),
    *("expired_keys", "evicted_keys", "keyspace_hits", "keyspace_misses", "latest_fork_usec", "total_forks"),
    *("total_error_replies", "total_reads_processed", "total_writes_processed", "rdb_saves", "aof_rewrites"),
    *("used_memory_peak", "rdb_last_save_time", "master_repl_offset", "connected_clients"),
)
STAYS = {"used_memory_peak", "rdb_last_save_time", "master_repl_offset", "connected_clients"}
LEFT = 2000.0
"""RESETSTAT and INFO leave something themselves: less than that."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """The servers are not those that other tests share."""


@pytest.fixture(params=["real", "ours"])
def wire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    options = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    if request.param == "real":
        real = RealRedis(tmp_path, *options)
        with Wire(("127.0.0.1", real.port)) as found:
            yield found
        real.stop()
        return
    with Running(tmp_path, *options) as running, running.connect() as found:
        yield found


def numbers(wire: Wire) -> dict[str, float]:
    found = info(wire, "everything")
    return {name: float(found[name]) for name in FIELDS}


def test_the_same_fields_begin_anew_as_in_redis(wire: Wire) -> None:
    ours = wire.socket.getpeername()
    with Wire(ours) as first, Wire(ours) as second, Wire(ours) as third:
        first.send(b"PSYNC ? -1\r\n")
        wait_for(lambda: "state=online" in info(wire, "replication").get("slave0", ""), "a snapshot")
        second.send(b"PSYNC %s 1\r\n" % (b"0" * 40))
        stream = info(wire, "replication")
        third.send(b"PSYNC %s %d\r\n" % (stream["master_replid"].encode(), int(stream["master_repl_offset"]) + 1))
        wait_for(lambda: info(wire, "stats")["sync_partial_ok"] == "1", "an accepted partial resync")
        for number in range(3000):
            wire.call("SET", f"key:{number}", "x" * 500)
        wire.call("SET", "short", "1", "PX", "1")
        wire.call("GET", "key:1")
        wire.call("GET", "missing")
        wire.call("LPUSH", "key:1", "a")
        wait_for(lambda: wire.call("GET", "short") is None, "the end of a key")
        wire.call("BGSAVE")
        wait_for(lambda: info(wire, "persistence")["rdb_saves"] != "0", "a save")
        wait_for(lambda: info(wire, "persistence")["rdb_bgsave_in_progress"] == "0", "the end of the save")
        wire.call("BGREWRITEAOF")
        wait_for(lambda: info(wire, "persistence")["aof_rewrites"] != "0", "a rewrite")
        used = int(info(wire, "memory")["used_memory"])
        wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        wire.call("CONFIG", "SET", "maxmemory", str(used // 2))
        wait_for(lambda: wire.call("SET", "one", "more") and info(wire, "stats")["evicted_keys"] != "0", "room")
        wait_for(lambda: float(info(wire, "stats")["instantaneous_output_repl_kbps"]) > 0, "a rate of the stream")
        before = numbers(wire)
        assert wire.call("CONFIG", "RESETSTAT") == "OK"
        after = numbers(wire)
    assert [name for name in FIELDS if not before[name]] == []
    assert {name for name in FIELDS if after[name] >= before[name]} == STAYS
    assert [name for name in FIELDS if name not in STAYS and after[name] > LEFT] == []
