"""EVICTION in a server of its own: what it takes, what it answers, what INFO says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.evict.simulate import zipf
from tests.server.running import Running, Wire

DEFAULTS = {"allkeys-lru", "allkeys-lfu", "allkeys-s3fifo", "allkeys-sieve"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = ("--maxmemory", "200kb", "--maxmemory-policy", "allkeys-random")
    with Running(tmp_path_factory.mktemp("server"), *options) as running:
        yield running


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    with server.connect() as wire:
        wire.call("FLUSHALL")
        wire.call("EVICTION", "STOP")
        wire.call("HELLO", 3)
        yield wire


def ask(wire: Wire, count: int = 3000) -> None:
    for number in zipf(count, 2000, 0.9):
        if wire.call("GET", f"key:{number}") is None:
            wire.call("SET", f"key:{number}", "x" * 64)


def test_a_report_has_a_row_for_each_cache_and_a_curve(wire: Wire, server: Running) -> None:
    assert wire.call("EVICTION", "START", "RATE", "1") == "OK"
    ask(wire)
    report = wire.call("EVICTION", "REPORT")
    assert report["policy"] == "allkeys-random"
    assert report["memory"] == 200 << 10
    assert report["reads"] == 3000
    assert report["sample-rate"] == 1
    rows = report["caches"]
    assert len(rows) == 5 * 5
    assert {row["policy"] for row in rows} == DEFAULTS | {"allkeys-random"}
    whole = [row for row in rows if row["size"] == 100]
    assert [row["hit-ratio"] for row in whole] == sorted((row["hit-ratio"] for row in whole), reverse=True)
    assert all(row["memory"] == 200 << 10 for row in whole)
    assert abs(next(row["hit-ratio"] for row in whole if "random" in row["policy"]) - report["hit-ratio"]) < 0.05
    misses = [point["miss-ratio"] for point in report["lru-curve"]]
    assert len(misses) == 16
    assert misses == sorted(misses, reverse=True)
    info = server.info("eviction")
    assert info["pycache_shadow_reads"] == "3000"
    assert info["pycache_shadow_best"].startswith(f"policy={whole[0]['policy']},size=100,hit_ratio=0.")


def test_by_default_a_thousand_of_the_keys_are_enough(wire: Wire) -> None:
    wire.call("CONFIG", "SET", "maxmemory", "100mb")
    assert wire.call("EVICTION", "START") == "OK"
    assert wire.call("EVICTION", "REPORT")["sample-rate"] == pytest.approx(0.05, abs=0.001)
    for start in range(0, 40_960, 4096):
        wire.call("MSET", *(word for number in range(start, start + 4096) for word in (f"key:{number}", "x")))
    assert wire.call("EVICTION", "START") == "OK"
    assert wire.call("EVICTION", "REPORT")["sample-rate"] == pytest.approx(0.025, abs=0.001)
    wire.call("CONFIG", "SET", "maxmemory", "200kb")


def test_policies_sizes_and_memory_can_be_chosen_and_filtered(wire: Wire) -> None:
    words = [
        "POLICY",
        "allkeys-lru",
        "policy",
        "volatile-ttl",
        "SIZE",
        "10",
        "SIZE",
        "20",
        "MEMORY",
        "1mb",
        "KEYS",
        "50",
    ]
    assert wire.call("EVICTION", "START", *words) == "OK"
    ask(wire, 500)
    rows = wire.call("EVICTION", "REPORT")["caches"]
    assert {(row["policy"], row["size"], row["memory"]) for row in rows} == {
        (policy, size, (size << 20) // 100) for policy in ("allkeys-lru", "volatile-ttl") for size in (10, 20)
    }
    rows = wire.call("EVICTION", "REPORT", "POLICY", "volatile-ttl", "SIZE", "20", "SIZE", "30")["caches"]
    assert [(row["policy"], row["size"]) for row in rows] == [("volatile-ttl", 20)]
    assert wire.call("EVICTION", "RESET") == "OK"
    report = wire.call("EVICTION", "REPORT")
    assert (report["reads"], report["hit-ratio"]) == (0, 0)


def test_resp2_gets_flat_lists(server: Running, wire: Wire) -> None:
    wire.call("EVICTION", "START", "POLICY", "allkeys-lru", "SIZE", "100")
    reply = server.call("EVICTION", "REPORT")
    assert reply[:2] == ["policy", "allkeys-random"]
    assert reply[reply.index("caches") + 1][0][:4] == ["policy", "allkeys-lru", "size", 100]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("REPORT", "ERR nothing is simulated, EVICTION START begins"),
        ("RESET", "ERR nothing is simulated, EVICTION START begins"),
        ("START POLICY allkeys-nothing", "ERR unknown policy 'allkeys-nothing'"),
        ("START SIZE 0", "ERR value is out of range, value must between 1 and 10000"),
        ("START SIZE x", "ERR value is not an integer or out of range"),
        ("START KEYS 0", "ERR value is out of range, value must between 1 and 32000"),
        ("START RATE 0", "ERR RATE must be greater than 0 and no more than 1"),
        ("START RATE nan", "ERR RATE must be greater than 0 and no more than 1"),
        ("START MEMORY much", "ERR argument must be a memory value"),
        ("START POLICY", "ERR syntax error"),
        ("START NONSENSE", "ERR syntax error"),
        ("REPORT MEMORY", "ERR syntax error"),
        ("START MEMORY 0", "ERR there is no maxmemory that the sizes could be parts of: give MEMORY bytes"),
        ("NONSENSE", "ERR unknown subcommand 'NONSENSE'. Try EVICTION HELP."),
    ],
)
def test_errors(wire: Wire, words: str, error: str) -> None:
    assert str(wire.call("EVICTION", *words.split())) == error
