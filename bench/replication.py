"""What replication costs a leader: server CPU per SET with real redis-servers following, beside a redis-server followed
by the same.

    python -m bench.replication                   # SET at depths 1 and 16 with 50 clients, with 0, 1 and 3 replicas
    python -m bench.replication --replicas 1 --rounds 9

The replicas of both leaders are redis-servers, so that what they cost is the same. Figures are medians over interleaved
rounds, after one that warms up and does not count; ratios are medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from typing import Any

from bench.common import ServerProcess, our_server, progress, redis_server, save, table
from bench.throughput import REQUESTS, run

CLIENTS = 50
PATIENCE = 30.0
"""Seconds that replicas may take to be there, and to have everything."""


def follow(leader: ServerProcess, count: int, stack: ExitStack) -> list[ServerProcess]:
    """So many redis-servers that follow a leader, when they are in step."""
    replicas = [stack.enter_context(redis_server()) for _ in range(count)]
    for replica in replicas:
        replica.call("REPLICAOF", "127.0.0.1", leader.port)
    wait_in_step(leader, replicas)
    return replicas


def wait_in_step(leader: ServerProcess, replicas: list[ServerProcess]) -> None:
    """Wait until all have what the leader has."""
    deadline = time.monotonic() + PATIENCE
    while any(offset_of(replica, True) < offset_of(leader, False) for replica in replicas):
        if time.monotonic() > deadline:
            sys.exit(f"the replicas of {leader.name} did not get into step")
        time.sleep(0.05)


def offset_of(server: ServerProcess, follows: bool) -> int:
    """How far a server is in its history, -1 where it should follow and does not."""
    lines = server.call("INFO", "replication").decode().splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    if follows and found.get("master_link_status") != "up":
        return -1
    return int(found["master_repl_offset"])


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each number of replicas and depth."""
    rows = []
    for count in arguments.replicas:
        with ExitStack() as stack:
            options = ("--repl-diskless-sync-delay", "0")
            leaders = [stack.enter_context(redis_server()), stack.enter_context(our_server(*options))]
            leaders[0].call("CONFIG", "SET", options[0][2:], "0")
            replicas = [follow(leader, count, stack) for leader in leaders]
            rows += [compare(leaders, replicas, depth, arguments) for depth in arguments.depths]
    return rows


def compare(
    leaders: list[ServerProcess], replicas: list[list[ServerProcess]], depth: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """One row."""
    requests = int(REQUESTS.get(depth, 100_000) * arguments.scale)
    found: list[list[float]] = [[], []]
    for number in range(arguments.rounds + 1):
        for place in (0, 1) if number % 2 else (1, 0):
            leader = leaders[place]
            progress(f"{len(replicas[place])} replicas, depth {depth}: round {number}, {leader.name}")
            cpu = run(leader, "set", depth, CLIENTS, arguments.keys, arguments.size, requests).cpu
            wait_in_step(leader, replicas[place])
            if number:
                found[place].append(cpu)
    progress("")
    ratios = [ours / theirs for theirs, ours in zip(*found, strict=True)]
    return {
        "replicas": len(replicas[0]),
        "depth": depth,
        "redis": statistics.median(found[0]),
        "pycache": statistics.median(found[1]),
        "ratio": statistics.median(ratios),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[0, 1, 3])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results")
    arguments = parser.parse_args()
    rows = measure(arguments)
    head = ["replicas", "depth", "redis", "pycache", "ratio"]
    table("us of the leader's CPU per SET", head, [[row[name] for name in head] for row in rows])
    if arguments.save:
        save("replication", {"leader": rows})


if __name__ == "__main__":
    main()
