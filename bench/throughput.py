"""Requests per second, server CPU per command and latency, beside redis-server, with redis-benchmark as the client.

    python -m bench.throughput                    # GET, SET, INCR at depths 1, 16 and 100 with 50 clients
    python -m bench.throughput --all              # redis-benchmark's whole default set at depths 1 and 16
    python -m bench.throughput --more             # queues on streams, places, and scripts
    python -m bench.throughput --clients 1,50,500
    python -m bench.throughput --loop asyncio     # without uvloop

Each figure is the median over interleaved rounds, after one that warms both servers up and does not count; ratios are
medians of the rounds' ratios. "CPU" is microseconds of server CPU per command: what the server costs, whatever the
client and the machine are busy with.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha1
from random import Random
from typing import Any

from bench.common import (
    ServerProcess,
    fill,
    geometric_mean,
    our_server,
    pack,
    plot_bars,
    progress,
    redis_server,
    save,
    table,
)

CORE = ("get", "set", "incr")
DEFAULT_SET = (
    "ping_inline", "ping_mbulk", "set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd",
    "zpopmin", "lrange_100", "lrange_300", "lrange_500", "lrange_600", "mset", "xadd",
)  # fmt: skip
QUEUE = ("xreadgroup", "xreadgroup_10", "xack")
REQUESTS = {1: 50_000, 16: 250_000, 100: 400_000}
HEAVY = {
    "geosearch": 10, "lrange_100": 10, "lrange_300": 25, "lrange_500": 40, "lrange_600": 50, "mset": 5,
    "xreadgroup_10": 10, "zrange_100": 10,
}  # fmt: skip
"""Tests that do more per request, and by how much fewer requests make a run as long."""
CUSTOM = {
    "xadd": "XADD mystream * myfield xxx",
    "xreadgroup": "XREADGROUP GROUP mygroup worker COUNT 1 STREAMS mystream >",
    "xreadgroup_10": "XREADGROUP GROUP mygroup worker COUNT 10 STREAMS mystream >",
    "xack": "XACK mystream mygroup __rand_int__-1",
    "lrange_100": "LRANGE mylist 0 99",
    "lrange_300": "LRANGE mylist 0 299",
    "lrange_500": "LRANGE mylist 0 499",
    "lrange_600": "LRANGE mylist 0 599",
    "zrange_100": "ZRANGE myzset 0 99",
    "geoadd": "GEOADD places __rand_int__e-5 __rand_int__e-5 member:__rand_int__",
    "geosearch": "GEOSEARCH towns FROMLONLAT __rand_int__e-5 __rand_int__e-5 BYRADIUS 4.4 km",
}
TOWNS = 10_000
"""Places in one degree by one, of which a search finds 50."""
SCRIPT = "local v = redis.call('get', KEYS[1]) redis.call('set', KEYS[1], ARGV[1]) return v"
LIBRARY = """#!lua name=bench
redis.register_function('getset', function(keys, args)
    local v = redis.call('get', keys[1]) redis.call('set', keys[1], args[1]) return v
end)
"""
SCRIPTED = {
    "eval": ["EVAL", SCRIPT, "1", "key:__rand_int__", "__data__"],
    "evalsha": ["EVALSHA", sha1(SCRIPT.encode()).hexdigest(), "1", "key:__rand_int__", "__data__"],
    "fcall": ["FCALL", "getset", "1", "key:__rand_int__", "__data__"],
}
"""Tests of scripts that get and set, which redis-benchmark does not have."""
MORE = ("eval", "evalsha", "fcall", "xadd", *QUEUE, "zadd", "zrange_100", "geoadd", "geosearch")


@dataclass
class Run:
    """One run of redis-benchmark against one server; latencies in ms."""

    rate: float
    cpu: float
    p50: float
    p99: float
    p999: float


def run(server: ServerProcess, test: str, depth: int, clients: int, keys: int, size: int, requests: int) -> Run:
    """Run redis-benchmark once."""
    command = ["redis-benchmark", "-p", str(server.port), "-n", str(requests), "-P", str(depth), "-c", str(clients)]
    command += ["-r", str(keys), "-d", str(size)]
    if test in SCRIPTED:
        command += [word.replace("__data__", "x" * size) for word in SCRIPTED[test]]
    else:
        command += CUSTOM[test].split() if test in CUSTOM else ["-t", test]
    before = server.cpu_seconds()
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = (server.cpu_seconds() - before) / requests * 1e6
    return Run(_rate(output), cpu, *_latencies(output))


def _rate(output: str) -> float:
    found = re.search(r"([\d.]+) requests per second", output.replace("throughput summary: ", ""))
    if found is None:
        sys.exit(f"redis-benchmark said nothing of requests per second:\n{output[-500:]}")
    return float(found[1])


def _latencies(output: str) -> tuple[float, float, float]:
    """p50, p99 and p99.9 from the distribution that redis-benchmark prints."""
    points = [(float(share), float(time)) for share, time in re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds", output)]
    return tuple(next((time for share, time in points if share >= wanted), 0.0) for wanted in (50, 99, 99.9))  # type: ignore[return-value]


def prepare(server: ServerProcess, test: str, arguments: argparse.Namespace) -> None:
    """The data set that a test works on: what it reads is there, and what it makes grow is not."""
    if test in SCRIPTED:
        server.call("SCRIPT", "LOAD", SCRIPT)
        server.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
    if test in ("set", "get", *SCRIPTED):
        command = ["redis-benchmark", "-p", str(server.port), "-t", "set", "-n", str(6 * arguments.keys), "-P", "100"]
        command += ["-r", str(arguments.keys), "-d", str(arguments.size), "-q"]
        subprocess.run(command, capture_output=True, check=True)
    if test.startswith("lrange") or test in ("lpop", "rpop"):
        server.call("DEL", "mylist")
        subprocess.run(
            [
                "redis-benchmark",
                "-p",
                str(server.port),
                "-t",
                "lpush",
                "-n",
                "20000" if "range" in test else "400000",
                "-P",
                "100",
                "-q",
            ],
            capture_output=True,
            check=True,
        )
    if test == "geosearch":
        chance, towns = Random(1), []
        for number in range(TOWNS):
            place = f"{chance.random():.6f} {chance.random():.6f}"
            towns.append(pack(f"GEOADD towns {place} town:{number}".encode().split()))
        fill(server, towns)
    if test in ("lpush", "rpush", "xadd"):
        server.call("DEL", "mystream" if test == "xadd" else "mylist")


def prepare_queue(server: ServerProcess, test: str, entries: int) -> None:
    """A stream of so many entries, of which a group has read none; or all, and acknowledged none."""
    entries += -entries % 100
    server.call("DEL", "mystream")
    numbers = range(entries)
    fill(server, (pack((b"XADD", b"mystream", b"%d-1" % each, b"myfield", b"xxx")) for each in numbers), lines=2)
    server.call("XGROUP", "CREATE", "mystream", "mygroup", "0")
    if test == "xack":
        words = b"XREADGROUP GROUP mygroup worker COUNT 100 STREAMS mystream >".split()
        fill(server, (pack(words) for _ in range(0, entries, 100)), lines=5 + 8 * 100)


def measure(
    servers: list[ServerProcess],
    tests: tuple[str, ...],
    depths: list[int],
    clients: list[int],
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """All runs, interleaved; one row a test, depth and number of clients."""
    rows = []
    for count in clients:
        for depth in depths:
            for test in tests:
                requests = int(REQUESTS.get(depth, 100_000) * arguments.scale) // HEAVY.get(test, 1)
                keys = requests if test == "xack" else arguments.keys
                runs: dict[str, list[Run]] = {server.name: [] for server in servers}
                for server in servers:
                    prepare(server, test, arguments)
                for number in range(arguments.rounds + 1):
                    for server in servers if number % 2 else servers[::-1]:
                        if test in QUEUE:
                            prepare_queue(server, test, 10 * requests if test == "xreadgroup_10" else requests)
                        progress(f"{test} depth {depth} clients {count}: round {number}, {server.name}")
                        found = run(server, test, depth, count, keys, arguments.size, max(requests, 1000))
                        if number:
                            runs[server.name].append(found)
                rows.append(_row(test, depth, count, runs))
    progress("")
    return rows


def _row(test: str, depth: int, clients: int, runs: dict[str, list[Run]]) -> dict[str, Any]:
    theirs, ours = runs.values()
    row: dict[str, Any] = {"test": test, "depth": depth, "clients": clients}
    for name, found in runs.items():
        for field in ("rate", "cpu", "p50", "p99", "p999"):
            row[f"{name}_{field}"] = statistics.median(getattr(each, field) for each in found)
    row["cpu_ratio"] = statistics.median(mine.cpu / other.cpu for mine, other in zip(ours, theirs, strict=True))
    row["rate_ratio"] = statistics.median(mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True))
    return row


def show(rows: list[dict[str, Any]], names: list[str]) -> None:
    """Print one table for each depth and number of clients."""
    theirs, ours = names
    for depth, clients in dict.fromkeys((row["depth"], row["clients"]) for row in rows):
        group = [row for row in rows if (row["depth"], row["clients"]) == (depth, clients)]
        head = ["test", f"{theirs} req/s", f"{ours} req/s", "ratio", f"{theirs} CPU us", f"{ours} CPU us", "ratio"]
        head += [f"{name} {field}" for field in ("p50", "p99", "p99.9") for name in ("redis", "ours")]
        cells = [
            [
                row["test"],
                row[f"{theirs}_rate"],
                row[f"{ours}_rate"],
                row["rate_ratio"],
                row[f"{theirs}_cpu"],
                row[f"{ours}_cpu"],
                row["cpu_ratio"],
                *(row[f"{name}_{field}"] for field in ("p50", "p99", "p999") for name in names),
            ]
            for row in group
        ]
        table(f"pipeline depth {depth}, {clients} clients", head, cells)
        print(f"geometric mean of the CPU ratios: {geometric_mean(row['cpu_ratio'] for row in group):.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="redis-benchmark's whole default set")
    parser.add_argument("--more", action="store_true", help="queues on streams, places, and scripts")
    parser.add_argument("--tests", help="names of tests of redis-benchmark, with commas")
    parser.add_argument("--depths", help="pipeline depths, with commas")
    parser.add_argument("--clients", default="50", help="numbers of clients, with commas")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64, help="bytes of a value")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of requests")
    parser.add_argument("--loop", default="auto", choices=("auto", "asyncio", "uvloop"))
    parser.add_argument("--name", help="name of the results, by default throughput or throughput-all")
    arguments = parser.parse_args()
    if shutil.which("redis-benchmark") is None:
        sys.exit("redis-benchmark is not installed")
    tests = DEFAULT_SET if arguments.all else MORE if arguments.more else CORE
    if arguments.tests:
        tests = tuple(arguments.tests.split(","))
    usual = "1,16,100" if tests is CORE else "1,16"
    depths = [int(word) for word in (arguments.depths or usual).split(",")]
    clients = [int(word) for word in arguments.clients.split(",")]
    with redis_server() as redis, our_server(loop=arguments.loop) as ours:
        names = [redis.name, ours.name]
        rows = measure([redis, ours], tests, depths, clients, arguments)
    show(rows, names)
    kind = "throughput-all" if arguments.all else "throughput-more" if arguments.more else "throughput"
    name = arguments.name or kind + ("" if arguments.loop == "auto" else f"-{arguments.loop}")
    save(name, {"servers": names, "rows": rows})
    labels = [f"{row['test']} P{row['depth']}" + (f" c{row['clients']}" if len(clients) > 1 else "") for row in rows]
    plot_bars(
        name,
        "server CPU per command (us)",
        labels,
        {each: [row[f"{each}_cpu"] for row in rows] for each in names},
        "us",
    )


if __name__ == "__main__":
    main()
