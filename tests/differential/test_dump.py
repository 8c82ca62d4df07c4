"""Values travel between both servers: random ones are dumped here and restored there, and the other way."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from pycache_server.persist.saving import save
from pycache_server.rdb.payload import BadData, BadPayload, restore
from pycache_server.store.encodings import Encodings
from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.versions import Command
from tests.rdb.corpus import NEWER, PAYLOADS, SINCE_7_2, mutated

pytestmark = pytest.mark.interop

_NUMBERS = [sign * (1 << bits) + more for bits in (3, 7, 12, 15, 23, 31, 62) for sign in (1, -1) for more in (-1, 0, 1)]
_SCORES = [b"1", b"-5", b"0.5", b"3.25", b"1e300", b"inf", b"-inf", b"-1e17", b"1e15", b"0.1"]
COUNTS = (1, 2, 5, 20, 60, 140, 600)


class Maker:
    """Random values."""

    def __init__(self, seed: int, modern: bool) -> None:
        self.chance = random.Random(seed)
        self.modern = modern

    def text(self) -> bytes:
        chance = self.chance
        kind = chance.random()
        if kind < 0.3:
            return b"%d" % chance.choice([*_NUMBERS, chance.randrange(-200, 3000)])
        if kind < 0.6:
            return bytes(chance.choices(b"abcdef0189-", k=chance.randrange(12)))
        if kind < 0.8:
            return chance.choice([b"x", b"ab"]) * chance.randrange(100)
        return chance.randbytes(chance.choice([1, 20, 21, 63, 64, 65, 127, 300, 4096]) if kind < 0.85 else 30)

    def texts(self, count: int) -> list[bytes]:
        return [self.text() for _ in range(count)]

    def value(self) -> Iterator[Command]:
        """Commands that make the value of the key k."""
        chance = self.chance
        count = chance.choice(COUNTS)
        make = chance.choice([self.string, self.list, self.set, self.zset, self.hash, self.stream])
        return make(count)

    def string(self, count: int) -> Iterator[Command]:
        yield [b"SET", b"k", self.text() * self.chance.choice([1, 1, 1, 60])]
        if self.chance.random() < 0.3:
            yield [b"APPEND", b"k", self.text()]

    def list(self, count: int) -> Iterator[Command]:
        yield [b"RPUSH", b"k", *self.texts(count)]
        if self.chance.random() < 0.1:
            yield [b"RPUSH", b"k", bytes(9000), b"behind"]
        yield [b"LTRIM", b"k", b"1", b"-2"] if count > 5 else [b"LPUSH", b"k", b"x"]

    def set(self, count: int) -> Iterator[Command]:
        if self.chance.random() < 0.5:
            width = self.chance.choice([10, 20, 40, 60])
            yield [b"SADD", b"k", *(b"%d" % (self.chance.getrandbits(width) - 500) for _ in range(count))]
        else:
            yield [b"SADD", b"k", *self.texts(count)]

    def zset(self, count: int) -> Iterator[Command]:
        scores = self.chance.choices([*_SCORES, b"%r" % self.chance.random()], k=count)
        yield [b"ZADD", b"k", *(word for pair in zip(scores, self.texts(count), strict=True) for word in pair)]

    def hash(self, count: int) -> Iterator[Command]:
        fields = self.texts(count)
        yield [b"HSET", b"k", *(word for pair in zip(fields, self.texts(count), strict=True) for word in pair)]
        if self.modern and self.chance.random() < 0.5:
            for field in fields[:: self.chance.randrange(1, 9)]:
                time = b"%d" % (4_000_000_000_000 + self.chance.randrange(10**9))
                yield [b"HPEXPIREAT", b"k", time, b"FIELDS", b"1", field]

    def stream(self, count: int) -> Iterator[Command]:
        chance = self.chance
        ms, ids = chance.choice([1, 1_700_000_000_000]), []
        fields = self.texts(chance.randrange(1, 4))
        for number in range(count):
            ms += chance.choice([0, 0, 1, 5000])
            ids.append(b"%d-%d" % (ms, number + 1))
            names = fields if chance.random() < 0.8 else self.texts(chance.randrange(1, 4))
            yield [b"XADD", b"k", ids[-1], *(word for name in names for word in (name, self.text()))]
        for number in ids[:: chance.randrange(2, 9)]:
            yield [b"XDEL", b"k", number]
        if chance.random() < 0.2:
            yield [b"XTRIM", b"k", b"MAXLEN", b"%d" % (count // 2)]
        for group in chance.sample([b"g", b"h", b"17"], chance.randrange(3)):
            yield [b"XGROUP", b"CREATE", b"k", group, chance.choice([b"0", b"$", ids[0]])]
            yield [b"XREADGROUP", b"GROUP", group, b"alice", b"COUNT", b"7", b"STREAMS", b"k", b">"]
            yield [b"XACK", b"k", group, ids[0], ids[-1]]


QUESTIONS: list[Command] = [
    [b"TYPE", b"copy"],
    [b"OBJECT", b"ENCODING", b"copy"],
    [b"TTL", b"copy"],
    [b"GET", b"copy"],
    [b"LRANGE", b"copy", b"0", b"-1"],
    [b"SMEMBERS", b"copy"],
    [b"ZRANGE", b"copy", b"0", b"-1", b"WITHSCORES"],
    [b"HGETALL", b"copy"],
    [b"XRANGE", b"copy", b"-", b"+"],
    [b"XINFO", b"STREAM", b"copy"],
    [b"XPENDING", b"copy", b"g"],
    [b"XPENDING", b"copy", b"h"],
]


def exchange(pair: Pair, maker: Maker) -> bool:
    """Make a value on both, and let each have the other's. Whether both have made the same bytes of it."""
    for server in (pair.real, pair.ours):
        server.call([b"FLUSHALL"])
    for command in maker.value():
        pair.run(command, compare=False)
    theirs, mine = pair.real.call([b"DUMP", b"k"]), pair.ours.call([b"DUMP", b"k"])
    if theirs is None:
        assert mine is None
        return True
    assert pair.real.call([b"RESTORE", b"copy", b"0", mine]) == b"OK", mine
    assert pair.ours.call([b"RESTORE", b"copy", b"0", theirs]) == b"OK", theirs
    digests = pair.real.call([b"DEBUG", b"DIGEST-VALUE", b"k", b"copy"])
    assert digests[0] == digests[1], mine
    pair.ours.world.check()
    for question in QUESTIONS:
        pair.run(question)
    if pair.version >= (7, 4) and pair.real.call([b"TYPE", b"copy"]) == b"hash":
        fields = pair.real.call([b"HKEYS", b"copy"])
        pair.run([b"HPEXPIRETIME", b"copy", b"FIELDS", b"%d" % len(fields), *fields])
    return bool(theirs == mine)


def test_random_values_travel_both_ways(real_redis: RealRedis, request: pytest.FixtureRequest) -> None:
    pair = Pair(real_redis.port, 2)
    try:
        for seed in range(2000 if request.config.getoption("--slow") else 60):
            try:
                exchange(pair, Maker(seed, pair.version >= (7, 4)))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}"[:5000]) from error
    finally:
        pair.close()


SAME: list[list[Command]] = [
    [[b"SET", b"k", b"text"]],
    [[b"SET", b"k", b"12345678901"]],
    [[b"SET", b"k", b"-2147483648"]],
    [[b"SET", b"k", b"hello " * 100]],
    [[b"SET", b"k", b"7"], [b"INCRBY", b"k", b"300"]],
    [[b"SET", b"k", b"7"], [b"APPEND", b"k", b"7"]],
    [[b"RPUSH", b"k", b"a", b"17", b"-4097", b"b" * 64, b"9223372036854775807", b""]],
    [[b"RPUSH", b"k", *(b"element %d" % number for number in range(60))]],
    [[b"SADD", b"k", b"3", b"-1", b"2"]],
    [[b"SADD", b"k", b"70000", b"1"]],
    [[b"SADD", b"k", b"1", b"5000000000"]],
    [[b"SADD", b"k", b"one"]],
    [[b"ZADD", b"k", b"2", b"b", b"1", b"a", b"-3", b"c", b"0.5", b"d", b"inf", b"e", b"1e15", b"f"]],
    [[b"ZADD", b"k", *(word for number in range(200) for word in (b"%d" % (number * 7 % 50), b"m%d" % number))]],
    [[b"HSET", b"k", b"f", b"v", b"7", b"-9", b"long", b"x" * 60]],
    [[b"HSET", b"k", b"f", b"v"], [b"HDEL", b"k", b"f"], [b"HSET", b"k", b"g", b"w", b"f", b"x"]],
    [[b"HSET", b"k", b"f", b"x" * 65]],
    [[b"XADD", b"k", b"1-1", b"f", b"v"], [b"XADD", b"k", b"1-2", b"f", b"17"], [b"XADD", b"k", b"9-0", b"g", b"v"]],
    [[b"XADD", b"k", b"1-1", b"f", b"v"], [b"XADD", b"k", b"1-2", b"f", b"w"], [b"XDEL", b"k", b"1-1"]],
    [[b"XADD", b"k", b"1-1", b"f", b"v"], [b"XGROUP", b"CREATE", b"k", b"g", b"0"]],
    [[b"XADD", b"k", b"5-1", b"f", b"v"], [b"XTRIM", b"k", b"MAXLEN", b"0"]],
]


SAME_LARGE: list[list[Command]] = [
    [[b"SET", b"k", b"hello " * 10_000]],
    [[b"RPUSH", b"k", *(b"element %d" % number for number in range(900))]],
    [[b"RPUSH", b"k", b"a"], [b"LPUSH", b"k", b"b" * 5000]],
    [[b"HSET", b"k", *(b"w%d" % number for number in range(800))]],
    [[b"HSET", b"k", *(b"some field or its value %d" % number for number in range(60))]],
    [[b"SADD", b"k", b"x" * 200]],
    [[b"SADD", b"k", *(b"%d" % number for number in range(500))]],
    [[b"ZADD", b"k", *(word for at in range(200) for word in (b"%d" % at, b"member %d of a sorted set" % at))]],
    [[b"XADD", b"k", b"1-%d" % number, b"f", b"v%d" % number] for number in range(1, 250)],
]


@pytest.mark.parametrize("compression", [True, False], ids=["compressed", "plain"])
@pytest.mark.parametrize("commands", SAME_LARGE, ids=lambda commands: b" ".join(commands[0][:2]).decode())
def test_larger_values_become_the_same_bytes(real_redis: RealRedis, commands: list[Command], compression: bool) -> None:
    pair = Pair(real_redis.port, 2)
    try:
        pair.real.call([b"CONFIG", b"SET", b"rdbcompression", b"yes" if compression else b"no"])
        pair.ours.world.core.keyspace.compress = compression
        for command in commands:
            pair.run(command)
        theirs, mine = pair.real.call([b"DUMP", b"k"]), pair.ours.call([b"DUMP", b"k"])
        if theirs[0] == mine[0]:  # else it is of another version
            assert mine[:-10] == theirs[:-10]
        assert mine[1:-10] in b"".join(save(pair.ours.world.core.keyspace)), "in a file the value is another one"
    finally:
        pair.real.call([b"CONFIG", b"SET", b"rdbcompression", b"yes"])
        pair.close()


@pytest.mark.parametrize("commands", SAME, ids=lambda commands: b" ".join(commands[-1][:3]).decode())
def test_small_values_become_the_bytes_that_redis_makes_of_them(real_redis: RealRedis, commands: list[Command]) -> None:
    pair = Pair(real_redis.port, 2)
    try:
        for command in commands:
            pair.run(command)
        theirs, mine = pair.real.call([b"DUMP", b"k"]), pair.ours.call([b"DUMP", b"k"])
        if theirs[0] == mine[0]:  # else it is of another version
            assert mine[:-10] == theirs[:-10]
    finally:
        pair.close()


STRICTER = (
    "LZF",
    "order",
    "length",
    "score",
    "number",
    "missing",
    "cut off",
    "pending",
    "delivered",
    "sense",
    "known",
    "kind",
)
"""What may be wrong with a value that we refuse and Redis takes: LZF that claims to be nothing, scores that are no
numbers, streams whose ids are not in order or that count wrongly, and values that reach into what stands behind them.
"""


def test_what_is_broken_is_refused_as_redis_refuses_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RealRedis(tmp_path_factory.mktemp("strict"), "--sanitize-dump-payload", "yes")
    pair = Pair(server.port, 2)
    try:
        rng = random.Random(11)
        clock, limits = pair.ours.world.core.clock, Encodings()
        older = {name: data for name, data in PAYLOADS.items() if name not in SINCE_7_2 and "stream" not in name}
        known = list((older if pair.version < (7, 4) else {**PAYLOADS, **NEWER}).values())
        taken = refused = 0
        for _ in range(1500):
            data = mutated(rng, rng.choice(known))
            if pair.version < (7, 4) and data[0] > 19:
                continue
            try:
                value = restore(data, limits, clock)
                if hasattr(value, "_check"):
                    value._check()
                error = ""
            except (BadData, BadPayload) as problem:
                error = str(problem)
            accepted = pair.real.call([b"RESTORE", b"k", b"0", data, b"REPLACE"]) == b"OK"
            assert accepted == (not error) or any(word in error for word in STRICTER), (data.hex(), error)
            taken += accepted
            refused += not accepted
        assert taken > 200
        assert refused > 500
    finally:
        pair.close()
        server.stop()
