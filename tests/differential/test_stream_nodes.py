"""Random streams are divided into nodes where a real redis-server divides them: its listpacks and its radix tree are
counted by XINFO, and trimming with ``~`` drops whole ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from pycache_server.server.digest import key_digest
from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.strategies import Command

pytestmark = pytest.mark.interop

KEY = b"stream"
_EDGES = [edge + off for edge in (0, 2**7, 2**12, 2**15, 2**23, 2**31, 2**63) for off in (-1, 0, 1)]
_LENGTHS = [0, 1, 20, 21, 63, 64, 125, 126, 500, 4095, 4096, 17000]


class Program:
    """One random program. Most of its ids grow in small steps, some of them in very large ones."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.chance = random.Random(seed)
        self.entries = self.chance.choice([0, 1, 2, 5, 100, 200])
        self.size = self.chance.choice([0, 50, 256, 4096, 4096, 1000000])
        self.fields = self.chance.choice([[[b"f"]], [[b"a", b"b"], [b"f"], [b"x", b"y", b"123"], [b"z" * 30]]])
        self.small_values = self.chance.random() < 0.7
        self.wide_ids = self.chance.random() < 0.3

    def set_limits(self) -> None:
        names = (b"stream-node-max-entries", b"stream-node-max-bytes")
        values = (b"%d" % self.entries, b"%d" % self.size)
        self.pair.real.call([b"CONFIG", b"SET", *(word for pair in zip(names, values, strict=True) for word in pair)])
        encodings = self.pair.ours.world.core.keyspace.encodings
        encodings.stream_node_max_entries, encodings.stream_node_max_bytes = self.entries, self.size

    def run(self, steps: int) -> None:
        actions: list[Callable[[], Command]] = [self.add] * 12 + [self.delete] * 3 + [self.trim, self.read, self.copy]
        for number in range(steps):
            self.pair.run(self.chance.choice(actions)())
            if number % 25 == 0:
                self.compare()
        self.compare()

    def compare(self) -> None:
        self.pair.run([b"XINFO", b"STREAM", KEY, b"FULL", b"COUNT", b"0"])
        database = self.pair.ours.world.core.keyspace.databases[0]
        stream = database.peek(KEY)
        if stream is not None:
            stream._check()
        theirs = self.pair.real.call([b"DEBUG", b"DIGEST-VALUE", KEY])[0]
        assert theirs == key_digest(database, KEY).hex().encode()

    def last_id(self) -> tuple[int, int]:
        stream = self.pair.ours.world.core.keyspace.databases[0].peek(KEY)
        return (0, 0) if stream is None else (stream.last_id >> 64, stream.last_id & 2**64 - 1)

    def some_id(self) -> bytes:
        ms, _ = self.last_id()
        if self.wide_ids and self.chance.random() < 0.5:
            return b"%d-%d" % (self.chance.getrandbits(self.chance.randrange(1, 65)), self.chance.getrandbits(64))
        return b"%d-%d" % (self.chance.randrange(ms + 2), self.chance.randrange(6))

    def value(self) -> bytes:
        kind = self.chance.random()
        if self.small_values:
            return b"v%d" % self.chance.randrange(1000)
        if kind < 0.3:
            return b"%d" % (self.chance.choice(_EDGES) * self.chance.choice([1, -1]))
        if kind < 0.9:
            return bytes(self.chance.choices(b"ab-0127", k=self.chance.randrange(12)))
        return b"x" * self.chance.choice(_LENGTHS)

    def add(self) -> Command:
        ms, seq = self.last_id()
        ms += self.chance.choice([0, 0, 1, 5, 200, *([2 ** self.chance.randrange(60)] if self.wide_ids else [])])
        seq = seq + self.chance.choice([1, 200, 2**33] if self.wide_ids else [1]) if self.chance.random() < 0.8 else 0
        pairs = [word for field in self.chance.choice(self.fields) for word in (field, self.value())]
        limits = self.trimming() if self.chance.random() < 0.15 else []
        return [b"XADD", KEY, *limits, b"%d-%d" % (ms % 2**64, seq % 2**64), *pairs]

    def trimming(self) -> Command:
        length = b"%d" % self.chance.randrange(400)
        strategy = self.chance.choice([[b"MAXLEN", length], [b"MINID", self.some_id()]])
        if self.chance.random() < 0.5:
            strategy.insert(1, b"~")
            strategy += self.chance.choice([[], [], [b"LIMIT", b"%d" % self.chance.randrange(50)]])
        return strategy

    def trim(self) -> Command:
        return [b"XTRIM", KEY, *self.trimming()]

    def delete(self) -> Command:
        """Delete some entries; now and then all of a node, and of the last."""
        direction = self.chance.choice([[b"XRANGE", KEY, self.some_id(), b"+"], [b"XREVRANGE", KEY, b"+", b"-"]])
        found = self.pair.ours.call([*direction, b"COUNT", b"%d" % self.chance.randrange(1, 120)]) or []
        ids = [entry[0] for entry in found]
        if self.chance.random() < 0.8:
            ids = self.chance.sample(ids, min(len(ids), self.chance.randrange(1, 12)))
        return [b"XDEL", KEY, *ids, self.some_id()]

    def read(self) -> Command:
        count = self.chance.choice([[], [b"COUNT", b"%d" % self.chance.randrange(1, 150)]])
        verb = self.chance.choice([b"XRANGE", b"XREVRANGE"])
        return [verb, KEY, self.some_id(), self.some_id(), *count]

    def copy(self) -> Command:
        """Go on with a copy."""
        if self.last_id() != (0, 0):
            self.pair.run([b"COPY", KEY, b"copy", b"REPLACE"])
            return [b"RENAME", b"copy", KEY]
        return [b"XLEN", KEY]


@pytest.mark.parametrize("seed", range(12))
def test_nodes_begin_and_end_as_in_redis(real_redis: RealRedis, seed: int, request: pytest.FixtureRequest) -> None:
    for number in range(40 if request.config.getoption("--slow") else 1):
        pair = Pair(real_redis.port, 2)
        program = Program(pair, seed + 100 * number)
        try:
            program.set_limits()
            program.run(400)
        except AssertionError as error:
            raise AssertionError(f"seed {seed + 100 * number}: {error}") from error
        finally:
            pair.real.call([b"CONFIG", b"SET", b"stream-node-max-entries", b"100", b"stream-node-max-bytes", b"4096"])
            pair.close()
