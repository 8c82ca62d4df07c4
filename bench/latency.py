"""Latency at a fixed rate, beside redis-server: an open loop, so that a pause is seen by every request that it delays.

    python -m bench.latency                     # 1 million keys, 50 clients, half of what the slower server can do
    python -m bench.latency --rate 20000

Requests are sent when they are due, whether earlier ones have been answered or not, and timed from when they were due
(closed loops hide pauses: "coordinated omission"). The load comes from a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import selectors
import socket
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

import hiredis

from bench.common import ServerProcess, fill, our_server, pack, plot_bars, progress, redis_server, save, table

VALUE = b"x" * 64
PERCENTILES = (50.0, 99.0, 99.9, 100.0)


class Client:
    """One connection: when its unanswered requests were due, and what came back in part."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due: deque[float] = deque()
        self._reader = hiredis.Reader(notEnoughData=self)

    def send(self, due: float, request: bytes) -> None:
        self.due.append(due)
        self.socket.sendall(request)

    def take(self, latencies: list[float]) -> None:
        """Read what has come."""
        self._reader.feed(self.socket.recv(1 << 16))
        done = time.perf_counter()
        while self._reader.gets() is not self:
            latencies.append(done - self.due.popleft())


def drive(port: int, clients: int, keys: int, rate: float, seconds: float, every: int, pipe: Connection) -> None:
    """Send GETs and SETs at a rate, ``every`` so many a SET; answer with the sorted latencies in seconds."""
    selector = selectors.DefaultSelector()
    connections = [Client(port) for _ in range(clients)]
    for client in connections:
        selector.register(client.socket, selectors.EVENT_READ, client)
    total = int(rate * seconds)
    requests = [_request(number % every == 0, b"key:%012d" % random.randrange(keys)) for number in range(total)]
    latencies: list[float] = []
    begin = time.perf_counter() + 0.05
    sent = 0
    while sent < total or any(client.due for client in connections):
        now = time.perf_counter()
        while sent < total and begin + sent / rate <= now:
            connections[sent % clients].send(begin + sent / rate, requests[sent])
            sent += 1
        wait = begin + sent / rate - time.perf_counter() if sent < total else 0.2
        for event, _ in selector.select(max(0.0, wait)):
            event.data.take(latencies)
    pipe.send(sorted(latencies))


def _request(writes: bool, key: bytes) -> bytes:
    return pack([b"SET", key, VALUE]) if writes else pack([b"GET", key])


def measure(
    server: ServerProcess, clients: int, keys: int, rate: float, seconds: float, every: int = 10
) -> list[float]:
    """The latencies of one run in seconds, sorted; ``every`` so many requests one writes."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=drive, args=(server.port, clients, keys, rate, seconds, every, theirs))
    process.start()
    found: list[float] = mine.recv()
    process.join()
    return found


def capacity(server: ServerProcess) -> float:
    """Requests per second that redis-benchmark gets at depth 1."""
    from bench.throughput import run

    return run(server, "get", 1, 50, 100_000, 64, 40_000).rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second; default half the slower capacity")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with redis_server() as redis, our_server() as ours:
        servers = [redis, ours]
        for server in servers:
            fill(
                server,
                (pack([b"SET", b"key:%012d" % number, VALUE]) for number in range(arguments.keys)),
                "keys loaded",
            )
        rate = arguments.rate or min(capacity(server) for server in servers) / 2
        runs: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(arguments.rounds):
            for server in servers if number % 2 else servers[::-1]:
                progress(f"round {number + 1}: {server.name} at {rate:,.0f} requests a second")
                runs[server.name] += measure(server, arguments.clients, arguments.keys, rate, arguments.seconds)
    progress("")
    rows: list[dict[str, Any]] = []
    for name, latencies in runs.items():
        latencies.sort()
        found = {
            f"p{percent:g}": latencies[min(int(len(latencies) * percent / 100), len(latencies) - 1)] * 1000
            for percent in PERCENTILES
        }
        rows.append({"server": name, "requests": len(latencies), **found})
    table(
        f"latency in ms at {rate:,.0f} requests a second, {arguments.clients} clients, {arguments.keys:,} keys",
        ["server", "requests", *(f"p{percent:g}" for percent in PERCENTILES)],
        [list(row.values()) for row in rows],
    )
    print(f"p99.9 ratio: {rows[1]['p99.9'] / rows[0]['p99.9']:.2f}x")
    save("latency", {"rate": rate, "rows": rows})
    labels = [f"p{percent:g}" for percent in PERCENTILES]
    plot_bars(
        "latency",
        "latency in ms at a fixed rate",
        labels,
        {row["server"]: [row[label] for label in labels] for row in rows},
        "ms",
    )


if __name__ == "__main__":
    main()
