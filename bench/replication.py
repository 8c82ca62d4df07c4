"""What replication costs a leader: server CPU per SET with real redis-servers following, beside a redis-server followed
by the same.

    python -m bench.replication                   # SET at depths 1 and 16 with 50 clients, with 0, 1 and 3 replicas
    python -m bench.replication --replicas 1 --rounds 9
    python -m bench.replication --full-sync       # a replica that needs a million keys: seconds until it is in step
    python -m bench.replication --followers       # CPU of a follower per SET beside that of its leader, all four pairs
    python -m bench.replication --group           # a group of three: what it costs to wait for a follower

The replicas of both leaders are redis-servers, so that what they cost is the same. Figures are medians over interleaved
rounds, after one that warms up and does not count; ratios are medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from bench.common import RESULTS, ServerProcess, fill, free_port, our_server, pack, progress, redis_server, save, table
from bench.throughput import REQUESTS, Run, run

CLIENTS = 50
LEVELS = ("async", "one", "quorum")
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


def _server(name: str) -> ServerProcess:
    server = redis_server() if name == "redis" else our_server("--repl-diskless-sync-delay", "0")
    server.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    return server


def full_sync(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds until a new replica holds everything, for each pair of leader and follower."""
    rows = []
    for leader_name in ("redis", "pycache"):
        with _server(leader_name) as leader:
            progress(f"filling {leader_name}")
            value = b"x" * arguments.size
            fill(leader, (pack([b"SET", b"key:%012d" % number, value]) for number in range(arguments.sync_keys)))
            for follower_name in ("redis", "pycache"):
                times = [_sync_once(leader, follower_name) for _ in range(arguments.syncs)]
                rows.append({"leader": leader_name, "follower": follower_name, "seconds": statistics.median(times)})
    progress("")
    theirs = rows[0]["seconds"]
    return [{**row, "ratio": row["seconds"] / theirs} for row in rows]


def _sync_once(leader: ServerProcess, follower_name: str) -> float:
    with _server(follower_name) as follower:
        progress(f"{follower_name} gets everything from {leader.name}")
        begin = time.monotonic()
        follower.call("REPLICAOF", "127.0.0.1", leader.port)
        wait_in_step(leader, [follower])
        return time.monotonic() - begin


def followers(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU of leader and follower per SET, in us, for each pair of them and each depth."""
    rows = []
    for leader_name in ("redis", "pycache"):
        for follower_name in ("redis", "pycache"):
            with _server(leader_name) as leader, _server(follower_name) as follower:
                follower.call("REPLICAOF", "127.0.0.1", leader.port)
                wait_in_step(leader, [follower])
                rows += [_follower_row(leader, follower, depth, arguments) for depth in arguments.depths]
    progress("")
    return rows


def _follower_row(
    leader: ServerProcess, follower: ServerProcess, depth: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    requests = int(REQUESTS.get(depth, 100_000) * arguments.scale)
    found: list[tuple[float, float]] = []
    for number in range(arguments.rounds + 1):
        progress(f"{follower.name} follows {leader.name}, depth {depth}: round {number}")
        before = follower.cpu_seconds()
        cpu = run(leader, "set", depth, CLIENTS, arguments.keys, arguments.size, requests).cpu
        wait_in_step(leader, [follower])
        if number:
            found.append((cpu, (follower.cpu_seconds() - before) / requests * 1e6))
    leads, follows = (statistics.median(each) for each in zip(*found, strict=True))
    return {"leader": leader.name, "follower": follower.name, "depth": depth, "leads": leads, "follows": follows}


def group(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A group's throughput and latency of SET for each ``repl-ack``, beside ``async`` with the same followers."""
    rows = []
    with ExitStack() as stack:
        leader = _leader_of_group(3, stack)
        for depth in arguments.depths:
            requests = int(REQUESTS.get(depth, 100_000) * arguments.scale)
            found: dict[str, list[Run]] = {level: [] for level in LEVELS}
            for number in range(arguments.rounds + 1):
                for level in LEVELS if number % 2 else reversed(LEVELS):
                    progress(f"repl-ack {level}, depth {depth}: round {number}")
                    leader.call("CONFIG", "SET", "repl-ack", level)
                    each = run(leader, "set", depth, CLIENTS, arguments.keys, arguments.size, requests)
                    if number:
                        found[level].append(each)
            rows += [_level_row(level, depth, found) for level in LEVELS]
    progress("")
    return rows


def _level_row(level: str, depth: int, found: dict[str, list[Run]]) -> dict[str, Any]:
    pairs = list(zip(found[level], found["async"], strict=True))
    return {
        "repl-ack": level,
        "depth": depth,
        "req/s": round(statistics.median(each.rate for each in found[level])),
        "of async": statistics.median(each.rate / usual.rate for each, usual in pairs),
        "leader CPU us": statistics.median(each.cpu for each in found[level]),
        "p50 ms": statistics.median(each.p50 for each in found[level]),
        "added p50 ms": statistics.median(each.p50 - usual.p50 for each, usual in pairs),
    }


def _leader_of_group(count: int, stack: ExitStack) -> ServerProcess:
    """Start so many voters of one group; the leader, when all follow it."""
    ports = [free_port() for _ in range(count)]
    options = ("--group-voters", *(f"127.0.0.1:{port}" for port in ports), "--group-secret", "of a bench")
    voters = [stack.enter_context(our_server(*options, port=port)) for port in ports]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for voter in voters:
            lines = voter.call("INFO", "replication").decode().splitlines()
            if "role:master" in lines and f"connected_slaves:{count - 1}" in lines:
                return voter
        time.sleep(0.05)
    sys.exit("the group has no leader that all follow")


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows that have the same columns."""
    table(title, list(rows[0]), [list(row.values()) for row in rows])


PARTS: Final[Sequence[tuple[str, str, Callable[[argparse.Namespace], list[dict[str, Any]]]]]] = (
    ("full_sync", "Seconds until a replica has everything", full_sync),
    ("followers", "us of CPU per SET", followers),
    ("group", "SET in a group of three", group),
    ("leader", "us of the leader's CPU per SET", measure),
)
"""What can be measured: the option that asks for it, the title, and what measures it; the last one is the usual."""


def _kept() -> dict[str, Any]:
    """What earlier runs have kept of other parts."""
    path = RESULTS / "replication.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return {name: found[name] for name, *_ in PARTS if name in found}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[0, 1, 3])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--full-sync", action="store_true", help="measure replicas that need everything")
    parser.add_argument("--sync-keys", type=int, default=1_000_000)
    parser.add_argument("--syncs", type=int, default=3, help="how often each pair is measured")
    parser.add_argument("--followers", action="store_true", help="measure what a follower costs")
    parser.add_argument("--group", action="store_true", help="measure what waiting for followers costs in a group")
    parser.add_argument("--save", action="store_true", help="keep the figures in bench/results")
    arguments = parser.parse_args()
    part, title, figures = next(part for part in PARTS if getattr(arguments, part[0], True))
    rows = figures(arguments)
    show(title, rows)
    if arguments.save:
        save("replication", {**_kept(), part: rows})


if __name__ == "__main__":
    main()
