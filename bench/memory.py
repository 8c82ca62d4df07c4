"""Resident bytes per key, beside redis-server, over types and sizes.

    python -m bench.memory                 # strings with and without a time to live, and every type of collection
    python -m bench.memory --streams       # one stream of small entries, and the same with all of them pending
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


def one_stream(count: int) -> Iterator[bytes]:
    """Small entries of one stream."""
    return (pack([b"XADD", b"stream", b"*", b"f", b"v"]) for _ in range(count))


def deliveries(consumers: int) -> Maker:
    """A group of one stream reads everything, in pieces of DELIVERED, by its consumers in turn."""

    def make(count: int) -> Iterator[bytes]:
        yield pack([b"XGROUP", b"CREATE", b"stream", b"group", b"0"])
        for number in range(count // DELIVERED):
            consumer = b"consumer-%d" % (number % consumers)
            words = b"XREADGROUP GROUP group %b COUNT %d STREAMS stream >" % (consumer, DELIVERED)
            yield pack(words.split())

    return make


DELIVERED = 100
_LINES = 5 + 8 * DELIVERED
"""Of the reply to a delivery."""
STREAMS = {"stream of all": 0, "stream of all, pending for 1": 1, "stream of all, pending for 100": 100}
"""How many consumers have read everything and acknowledged nothing."""
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


def growth(start: Callable[[], ServerProcess], make: Maker, count: int, label: str, consumers: int = 0) -> float:
    """Resident bytes per element in a fresh server."""
    with start() as server:
        fill(server, (pack([b"SET", b"warm:%d" % number, b"x"]) for number in range(2000)))
        server.call("FLUSHALL")
        time.sleep(0.3)
        before = server.resident()
        fill(server, make(count), label, lines=2 if "stream" in label else 1)
        if consumers:
            create, *reads = deliveries(consumers)(count)
            fill(server, [create])
            for start_of in range(0, len(reads), 10):
                fill(server, reads[start_of : start_of + 10], lines=_LINES)
        time.sleep(0.3)
        return (server.resident() - before) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys, or elements of collections")
    parser.add_argument("--streams", action="store_true", help="one stream of small entries, with and without a group")
    parser.add_argument("--cases", help="names of cases, with commas")
    arguments = parser.parse_args()
    cases = arguments.cases.split(",") if arguments.cases else list(STREAMS if arguments.streams else CASES)
    rows: list[dict[str, Any]] = []
    for case in cases:
        make, consumers = CASES.get(case, one_stream), STREAMS.get(case, 0)
        theirs = growth(redis_server, make, arguments.keys, case, consumers)
        ours = growth(our_server, make, arguments.keys, case, consumers)
        rows.append({"case": case, "redis": theirs, "pycache": ours, "ratio": ours / theirs})
    table(
        f"resident bytes per key or element, {arguments.keys:,} of them",
        ["case", "redis", "pycache", "ratio"],
        [[row["case"], row["redis"], row["pycache"], row["ratio"]] for row in rows],
    )
    name = "memory-streams" if arguments.streams else "memory"
    save(name, {"count": arguments.keys, "rows": rows})
    series = {name: [row[name] for row in rows] for name in ("redis", "pycache")}
    plot_bars(name, "resident bytes per key or element", [row["case"] for row in rows], series, "bytes")


if __name__ == "__main__":
    main()
