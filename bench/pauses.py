"""The longest pause that a client sees: while the keyspace grows, from garbage collection, in a storm of expiry.

    python -m bench.pauses                      # growth to 10 million keys; needs about 3 GB
    python -m bench.pauses --keys 2000000

A probe sends a PING every millisecond and keeps how long each took. "grow" loads keys in pipelines of 100;
"collections" loads hashes with times to live, the objects that a garbage collector would walk; "storm" lets 100,000
keys expire at one instant; "flush" empties the database of the keys that "grow" has left; "unlink" removes one set of a
million elements. Before each part but "flush" the database is emptied and its memory given back, which is not measured.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from bench.common import ServerProcess, our_server, pack, plot_bars, progress, redis_server, save, table

PING = pack([b"PING"])


class Probe:
    """Measures while it is entered; ``longest`` and ``percentile`` are in ms."""

    command = PING

    def __init__(self, server: ServerProcess) -> None:
        self._connection = server.connect()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stop = threading.Event()
        self._times: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            begin = time.perf_counter()
            self._connection.sendall(self.command)
            self._connection.recv(256)
            self._times.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.001)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    @property
    def longest(self) -> float:
        return max(self._times)

    def percentile(self, percent: float) -> float:
        ordered = sorted(self._times)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def send(server: ServerProcess, commands: Iterable[bytes], depth: int, show: str) -> None:
    """Pipelines of ``depth`` commands whose replies are lines."""
    with server.connect() as connection:
        batch: list[bytes] = []
        total = 0
        for command in commands:
            batch.append(command)
            if len(batch) == depth:
                connection.sendall(b"".join(batch))
                lines = 0
                while lines < depth:
                    lines += connection.recv(1 << 16).count(b"\n")
                total += depth
                batch = []
                if total % 100_000 == 0:
                    progress(f"{server.name}: {show}, {total:,}")


def empty(server: ServerProcess) -> None:
    """Empty the database, and wait until its memory has been given back."""
    server.call("FLUSHALL")
    _wait_for_memory(server)


def _wait_for_memory(server: ServerProcess) -> None:
    while b"lazyfree_pending_objects:0" not in server.call("INFO", "memory"):
        time.sleep(0.1)


def grow(server: ServerProcess, keys: int) -> None:
    send(server, (pack([b"SET", b"key:%012d" % number, b"x" * 64]) for number in range(keys)), 100, "keys")


def collections(server: ServerProcess, keys: int) -> None:
    count = keys // 10
    commands = (
        command
        for number in range(count)
        for command in (
            pack([b"HSET", b"hash:%d" % number, b"a", b"1", b"b", b"2"]),
            pack([b"EXPIRE", b"hash:%d" % number, b"10000"]),
        )
    )
    send(server, commands, 100, "hashes")


def storm(server: ServerProcess, keys: int) -> None:
    due = int((time.time() + 4) * 1000)
    send(
        server,
        (pack([b"SET", b"due:%d" % number, b"x" * 64, b"PXAT", b"%d" % due]) for number in range(100_000)),
        100,
        "keys",
    )
    time.sleep(max(0.0, due / 1000 - time.time()) + 3)


def flush(server: ServerProcess, keys: int) -> None:
    if server.call("DBSIZE") == b":0\r\n":
        grow(server, keys)
    server.call("FLUSHALL", "ASYNC")
    _wait_for_memory(server)


def unlink(server: ServerProcess, keys: int) -> None:
    send(server, (pack([b"SADD", b"big", b"element:%d" % number]) for number in range(1_000_000)), 100, "elements")
    server.call("UNLINK", "big")
    time.sleep(2)


PARTS: dict[str, Callable[[ServerProcess, int], None]] = {
    "grow": grow,
    "flush": flush,
    "collections": collections,
    "storm": storm,
    "unlink": unlink,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--parts", default=",".join(PARTS), help="names of parts, with commas")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with redis_server() as redis, our_server() as ours:
        for part in arguments.parts.split(","):
            for server in (redis, ours):
                if part != "flush":
                    empty(server)
                with Probe(server) as probe:
                    PARTS[part](server, arguments.keys)
                rows.append(
                    {
                        "part": part,
                        "server": server.name,
                        "p99": probe.percentile(99),
                        "p99.9": probe.percentile(99.9),
                        "longest": probe.longest,
                    }
                )
    progress("")
    table(
        f"ms that a PING took meanwhile, {arguments.keys:,} keys",
        ["part", "server", "p99", "p99.9", "longest"],
        [list(row.values()) for row in rows],
    )
    save("pauses", {"keys": arguments.keys, "rows": rows})
    parts = list(dict.fromkeys(row["part"] for row in rows))
    series = {
        name: [row["longest"] for row in rows if row["server"] == name]
        for name in dict.fromkeys(row["server"] for row in rows)
    }
    plot_bars("pauses", "longest pause in ms", parts, series, "ms")


if __name__ == "__main__":
    main()
