"""A process that fills a server in process with values of one kind, and prints how much its account and the process
have grown: ``python -m tests.store.account_growth CASE POLICY``. The policy may be ``none``: then it is the census."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator

from pycache_server.evict.base import load_policy
from pycache_server.server.memory import resident_bytes
from pycache_server.store.census import Census
from pycache_server.testing.inprocess import Client, World

MEGABYTES = 40
"""About as much is written."""
Words = list[bytes]


def strings(size: int) -> Iterator[Words]:
    for number in range(MEGABYTES * 10**6 // (250 + size)):
        yield [b"SET", b"key:%012d" % number, (b"%08d" % number + bytes(size))[:size]]


def volatile_strings(size: int) -> Iterator[Words]:
    for number, words in enumerate(strings(size + 100)):
        yield [*words[:2], words[2][:size], b"PX", b"%d" % (10_000_000 + 7 * number)]


def counters(size: int) -> Iterator[Words]:
    for number in range(MEGABYTES * 10**6 // 250):
        yield [b"INCRBY", b"key:%012d" % number, b"%d" % (number + size)]


def appended(size: int) -> Iterator[Words]:
    for number in range(MEGABYTES * 10**6 // (size + 300)):
        key = b"key:%012d" % number
        yield [b"SET", key, bytes(size)]
        yield [b"APPEND", key, b"%d" % number]


def elements(
    *head: bytes, size: int, words: int = 1, score: bool = False, then: Words | None = None
) -> Iterator[Words]:
    """Collections of ``size`` elements of some words."""
    for number in range(max(1, MEGABYTES * 10**6 // (300 + size * 100 * words))):
        key = b"key:%012d" % number
        for start in range(0, size, 100):
            argv = [head[0], key, *head[1:]]
            for each in range(start, min(start + 100, size)):
                argv += [b"%d" % (7 * each)] if score else []
                argv += [b"element:%d:%012d" % (word, number * size + each) for word in range(words)]
            yield argv
        if then is not None:
            yield [then[0], key, *then[1:]]


def streams(size: int) -> Iterator[Words]:
    for number in range(max(1, MEGABYTES * 10**6 // (2000 + size * 120))):
        for each in range(size):
            yield [b"XADD", b"key:%012d" % number, b"*", b"field", b"value:%012d" % each, b"other", b"%d" % number]


def groups(size: int) -> Iterator[Words]:
    """Streams that three consumers of a group have read."""
    for number in range(max(1, MEGABYTES * 10**6 // (4000 + size * 60))):
        key = b"key:%012d" % number
        for each in range(size):
            yield [b"XADD", key, b"%d-1" % (1_700_000_000_000 + 7 * each), b"field", b"value:%04d" % (each % 10_000)]
        yield [b"XGROUP", b"CREATE", key, b"group", b"0"]
        for each in range(0, size, 10):
            reader = [b"GROUP", b"group", b"worker %d" % (each % 3), b"COUNT", b"10"]
            yield [b"XREADGROUP", *reader, b"STREAMS", key, b">"]


def timed_hashes(size: int) -> Iterator[Words]:
    for argv in elements(b"HSET", size=size, words=2):
        yield argv
        fields = argv[2::2]
        yield [b"HEXPIRE", argv[1], b"%d" % (1000 + hash(argv[1]) % 1000), b"FIELDS", b"%d" % len(fields), *fields]


CASES = {
    "string 1": lambda: strings(1),
    "string 16": lambda: strings(16),
    "string 100": lambda: strings(100),
    "string 1000": lambda: strings(1000),
    "string 100000": lambda: strings(100_000),
    "volatile string 16": lambda: volatile_strings(16),
    "volatile string 1000": lambda: volatile_strings(1000),
    "small counter": lambda: counters(1),
    "large counter": lambda: counters(1 << 62),
    "appended 20": lambda: appended(20),
    "appended 5000": lambda: appended(5000),
    "list of 3": lambda: elements(b"RPUSH", size=3),
    "list of 100": lambda: elements(b"RPUSH", size=100),
    "list of 100000": lambda: elements(b"RPUSH", size=100_000),
    "set of 3": lambda: elements(b"SADD", size=3),
    "set of 100": lambda: elements(b"SADD", size=100),
    "set of 100000": lambda: elements(b"SADD", size=100_000),
    "hash of 3": lambda: elements(b"HSET", size=3, words=2),
    "hash of 100": lambda: elements(b"HSET", size=100, words=2),
    "hash of 100000": lambda: elements(b"HSET", size=100_000, words=2),
    "timed hash of 3": lambda: timed_hashes(3),
    "timed hash of 100": lambda: timed_hashes(100),
    "timed hash of 50000": lambda: timed_hashes(50_000),
    "zset of 3": lambda: elements(b"ZADD", size=3, score=True),
    "zset of 100": lambda: elements(b"ZADD", size=100, score=True),
    "zset of 100000": lambda: elements(b"ZADD", size=100_000, score=True),
    "group of 3": lambda: groups(3),
    "group of 1000": lambda: groups(1000),
    "group of 500000": lambda: groups(500_000),
    "stream of 3": lambda: streams(3),
    "stream of 1000": lambda: streams(1000),
    "stream of 100000": lambda: streams(100_000),
}


def counted(world: World) -> int:
    if world.core.shape.counting:
        return world.core.keyspace.used()
    census = Census(world.core.keyspace)
    census.begin()
    while census.step(10_000):
        pass
    return census.bytes


def run(client: Client, commands: Iterator[Words]) -> None:
    for argv in commands:
        reply = client.call(*argv)
        assert not isinstance(reply, Exception), reply
        client.raw = b""


def main(case: str, policy: str) -> None:
    gc.disable()
    world = World(databases=1)
    client = world.connect(decode=False)
    if policy != "none":
        chosen = load_policy(policy)
        world.core.shape.surroundings.now = time.time  # each call makes a number, as in a server
        world.core.shape.use_engine(chosen.engine, chosen.volatile)
        while world.core.shape.step():
            pass
    run(client, strings(100_000))  # what the allocators keep by then is not counted twice
    client.call(b"FLUSHALL")
    for number in range(20_000):
        client.call(b"SET", b"warm:%d" % number, b"")
        client.raw = b""
    before, resident = counted(world), resident_bytes()
    run(client, CASES[case]())
    print(counted(world) - before, resident_bytes() - resident)


if __name__ == "__main__":
    main(*sys.argv[1:])
