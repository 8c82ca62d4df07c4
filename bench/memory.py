"""Resident bytes per key, beside redis-server, over types and sizes.

    python -m bench.memory                 # strings with and without a time to live, and every type of collection
    python -m bench.memory --keys 200000

What is measured is the growth of the process while the keys are written, divided by their number: for collections, by
the number of elements.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.common import ServerProcess, fill, our_server, pack, plot_bars, redis_server, save, table

Maker = Callable[[int], Iterator[bytes]]


def _key(number: int) -> bytes:
    return b"key:%012d" % number


def strings(size: int) -> Maker:
    """Keys of 16 bytes with values of ``size`` bytes."""
    return lambda count: (
        pack([b"SET", _key(number), (b"%08d" % number + b"x" * size)[:size]]) for number in range(count)
    )


def volatile(size: int) -> Maker:
    """The same with a time to live, each another one."""

    def make(count: int) -> Iterator[bytes]:
        for number in range(count):
            value = (b"%08d" % number + b"x" * size)[:size]
            yield pack([b"SET", _key(number), value, b"PX", b"%d" % (10_000_000 + 7 * number)])

    return make


def counters(count: int) -> Iterator[bytes]:
    """Integers, as INCR leaves them."""
    return (pack([b"INCRBY", _key(number), b"%d" % (number + 1000)]) for number in range(count))


def collections(verb: bytes, size: int, element: Callable[[int], list[bytes]]) -> Maker:
    """Collections of ``size`` elements, as many as make ``count`` elements together."""

    def make(count: int) -> Iterator[bytes]:
        for number in range(count):
            yield pack([verb, _key(number // size), *element(number)])

    return make


def _member(number: int) -> list[bytes]:
    return [b"element:%08d" % number]


def _field(number: int) -> list[bytes]:
    return [b"field:%06d" % number, b"value:%08d" % number]


def _scored(number: int) -> list[bytes]:
    return [b"%d" % number, *_member(number)]


def _entry(number: int) -> list[bytes]:
    return [b"*", *_field(number)]


CASES: dict[str, Maker] = {
    "string 8": strings(8),
    "string 64": strings(64),
    "string 64 with TTL": volatile(64),
    "string 1024": strings(1024),
    "counter": counters,
    "hash of 10": collections(b"HSET", 10, _field),
    "hash of 1000": collections(b"HSET", 1000, _field),
    "list of 10": collections(b"RPUSH", 10, _member),
    "list of 1000": collections(b"RPUSH", 1000, _member),
    "set of 10": collections(b"SADD", 10, _member),
    "set of 1000": collections(b"SADD", 1000, _member),
    "zset of 10": collections(b"ZADD", 10, _scored),
    "zset of 1000": collections(b"ZADD", 1000, _scored),
    "stream of 1000": collections(b"XADD", 1000, _entry),
}


def growth(start: Callable[[], ServerProcess], make: Maker, count: int, label: str) -> float:
    """Resident bytes per element in a fresh server."""
    with start() as server:
        fill(server, (pack([b"SET", b"warm:%d" % number, b"x"]) for number in range(2000)))
        server.call("FLUSHALL")
        time.sleep(0.3)
        before = server.resident()
        fill(server, make(count), label)
        time.sleep(0.3)
        return (server.resident() - before) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys, or elements of collections")
    parser.add_argument("--cases", help="names of cases, with commas")
    arguments = parser.parse_args()
    cases = arguments.cases.split(",") if arguments.cases else list(CASES)
    rows: list[dict[str, Any]] = []
    for case in cases:
        theirs = growth(redis_server, CASES[case], arguments.keys, case)
        ours = growth(our_server, CASES[case], arguments.keys, case)
        rows.append({"case": case, "redis": theirs, "pycache": ours, "ratio": ours / theirs})
    table(
        f"resident bytes per key or element, {arguments.keys:,} of them",
        ["case", "redis", "pycache", "ratio"],
        [[row["case"], row["redis"], row["pycache"], row["ratio"]] for row in rows],
    )
    save("memory", {"count": arguments.keys, "rows": rows})
    series = {name: [row[name] for row in rows] for name in ("redis", "pycache")}
    plot_bars("memory", "resident bytes per key or element", [row["case"] for row in rows], series, "bytes")


if __name__ == "__main__":
    main()
