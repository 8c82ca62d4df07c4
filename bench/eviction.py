"""What eviction costs, beside redis-server with allkeys-lru: CPU per command, late answers, and a change of engine.

    python -m bench.eviction                                     # lru, lfu, timebucket and adaptive
    python -m bench.eviction --policies allkeys-sieve --parts cpu
    python -m bench.eviction --keys 1000000 --parts change

Both servers get the maxmemory at which 70 % of the keys fit. "cpu" is redis-benchmark's GET and SET over all keys:
three reads in ten miss, and three writes in ten put in a key for which another has to go. "late" sends SETs at a fixed
rate, all of keys that are new, so each evicts; they are timed from when they were due (bench/latency.py). "change" goes
from one engine to the next and back to none while a probe sends a PING every millisecond (bench/pauses.py). How long an
answer takes says on a shared machine more about the machine; so it is told as well how much CPU time the thread that
serves used between the PING and the answer, on whatever kept it from answering.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from pathlib import Path
from typing import Any

from bench.common import ServerProcess, fill, geometric_mean, our_server, pack, plot_bars, progress, redis_server, save
from bench.common import table as show
from bench.latency import VALUE, capacity, measure
from bench.pauses import Probe
from bench.throughput import REQUESTS, run

POLICIES = "allkeys-lru,allkeys-lfu,allkeys-timebucket,allkeys-adaptive"
SHARE = 0.7
"""The part of the keys that fit."""
PARTS = ("cpu", "late", "change")


def used(server: ServerProcess) -> int:
    """``used_memory`` in bytes."""
    found = re.search(rb"used_memory:(\d+)", server.call("INFO"))
    assert found is not None
    return int(found[1])


def make_full(server: ServerProcess, policy: str, keys: int) -> None:
    """Fill a server, under a policy, with more keys than it has room for."""
    server.call("CONFIG", "SET", "maxmemory", 0)
    server.call("FLUSHALL")
    server.call("CONFIG", "SET", "maxmemory-policy", policy)
    server.call("CONFIG", "SET", "maxmemory", 1 << 40)  # what is there is counted from here on
    time.sleep(1)
    before = used(server)
    fill(server, (pack([b"SET", b"key:%012d" % number, VALUE]) for number in range(keys)), "keys loaded")
    server.call("CONFIG", "SET", "maxmemory", before + int((used(server) - before) * SHARE))
    time.sleep(1)


def cpu(servers: list[ServerProcess], policies: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU per command in microseconds, interleaved; one row a policy, test and depth."""
    rows = []
    redis, ours = servers
    for policy in policies:
        make_full(redis, "allkeys-lru", arguments.keys)
        make_full(ours, policy, arguments.keys)
        for depth in map(int, arguments.depths.split(",")):
            for test in ("get", "set"):
                requests = int(REQUESTS.get(depth, 100_000) * arguments.scale)
                runs: dict[str, list[float]] = {server.name: [] for server in servers}
                for number in range(arguments.rounds + 1):
                    for server in servers if number % 2 else servers[::-1]:
                        progress(f"{policy}, {test} depth {depth}: round {number}, {server.name}")
                        found = run(server, test, depth, 50, arguments.keys, len(VALUE), requests)
                        if number:  # the first one warms up
                            runs[server.name].append(found.cpu)
                ratio = statistics.median(
                    mine / other for mine, other in zip(runs[ours.name], runs[redis.name], strict=True)
                )
                medians = [statistics.median(runs[server.name]) for server in servers]
                rows.append(
                    {"policy": policy, "test": test, "depth": depth, "redis": medians[0], "ours": medians[1]}
                    | {"ratio": ratio}
                )
    return rows


def late(servers: list[ServerProcess], policies: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Latencies in ms of SETs that evict, at half of the rate that the slower server can do."""
    rate = min(capacity(server) for server in servers) / 2
    rows = []
    for number, policy in enumerate(["allkeys-lru", *policies]):
        server = servers[min(number, 1)]
        make_full(server, policy, arguments.keys)
        progress(f"{server.name} {policy} at {rate:,.0f} SETs a second")
        found = measure(server, 50, 1_000_000_000, rate, arguments.seconds, every=1)
        rows.append(
            {"server": server.name, "policy": policy, "rate": rate}
            | {
                f"p{part:g}": found[min(int(len(found) * part / 100), len(found) - 1)] * 1000
                for part in (50, 99.9, 100)
            }
        )
    return rows


class Stops(Probe):
    """Keeps for each PING how much CPU time the thread that serves used until the answer, in ms, instead of how
    long it took, which is kept in ``waits``."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(server)
        pid = server.process.pid
        self._clock = Path(f"/proc/{pid}/task/{pid}/schedstat")  # of the thread that serves, see proc(5)
        self.waits: list[float] = []

    def _run(self) -> None:
        while not self._stop.is_set():
            begin, used_before = time.perf_counter(), self._used()
            self._connection.sendall(self.command)
            self._connection.recv(256)
            self._times.append(self._used() - used_before)
            self.waits.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.001)

    def _used(self) -> float:
        """The thread's CPU time in ms."""
        return int(self._clock.read_text().split()[0]) / 1e6

    def row(self, name: str) -> dict[str, Any]:
        """What was found while something happened."""
        waits = sorted(self.waits)
        return {
            "change": name,
            "cpu p99.9": self.percentile(99.9),
            "cpu longest": self.longest,
            "wait p99.9": waits[len(waits) * 999 // 1000],
            "wait longest": waits[-1],
            "pings": len(waits),
        }


def settle(server: ServerProcess, most: float = 60.0) -> None:
    """Wait until a change of engine has come to its end, or so many seconds."""
    until = time.monotonic() + most
    while b"pycache_eviction_changing:0" not in server.call("INFO", "pycache") and time.monotonic() < until:
        time.sleep(0.25)


def change(servers: list[ServerProcess], policies: list[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Answers while one policy changes to the next, with all keys in memory."""
    ours = servers[1]
    rows = []
    make_full(ours, "noeviction", arguments.keys)
    ours.call("CONFIG", "SET", "maxmemory", 0)
    settle(ours)
    steps: list[tuple[str, str | int]] = [
        ("maxmemory", 1 << 40),
        *(("maxmemory-policy", policy) for policy in policies),
        ("maxmemory", 0),
    ]
    fill(ours, (pack([b"SET", b"key:%012d" % number, VALUE]) for number in range(arguments.keys)), "keys loaded")
    time.sleep(2)
    with Stops(ours) as quiet:
        time.sleep(3)
    rows.append(quiet.row("nothing"))
    for name, value in steps:
        with Stops(ours) as probe:
            ours.call("CONFIG", "SET", name, value)
            time.sleep(0.25)
            settle(ours)
        rows.append(probe.row(f"{name} {value}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", default=POLICIES, help="our policies, with commas")
    parser.add_argument("--parts", default=",".join(PARTS), help="names of parts, with commas")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--depths", default="1,16,100", help="pipeline depths, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of requests")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long SETs are sent that evict")
    parser.add_argument("--name", default="eviction", help="name of the results")
    arguments = parser.parse_args()
    policies = arguments.policies.split(",")
    results: dict[str, list[dict[str, Any]]] = {}
    with redis_server() as redis, our_server() as ours:
        for part in arguments.parts.split(","):
            rows = {"cpu": cpu, "late": late, "change": change}[part]([redis, ours], policies, arguments)
            results[part] = rows
            progress("")
            show(part, list(rows[0]), [list(row.values()) for row in rows])
    if rows := results.get("cpu", []):
        for policy in policies:
            ratios = [geometric_mean(row["ratio"] for row in rows if row["policy"] == policy and row["depth"] == depth)
                      for depth in dict.fromkeys(row["depth"] for row in rows)]  # fmt: skip
            print(policy, "geometric means by depth:", " ".join(f"{ratio:.2f}x" for ratio in ratios))
        labels = [f"{row['policy'].removeprefix('allkeys-')} {row['test']} P{row['depth']}" for row in rows]
        series = {name: [row[name] for row in rows] for name in ("redis", "ours")}
        plot_bars(arguments.name, "server CPU per command, full (us)", labels, series, "us")
    save(arguments.name, results)


if __name__ == "__main__":
    main()
