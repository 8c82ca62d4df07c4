"""A long list is cut where Redis cuts it: OBJECT ENCODING, and what DEBUG OBJECT tells of a quicklist's nodes.

Redis 7.2 brought lists that are one listpack. An older server keeps the same nodes where they are limited by elements
and no element is large, so there the nodes are compared in these cases alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from pycache_server.store.list import List, LongList
from pycache_server.store.quicklist import PLAIN
from tests.conftest import RealRedis
from tests.differential.oracle import Ours, Pair
from tests.differential.versions import Command

pytestmark = pytest.mark.interop

COMMANDS = 400
_NODES = re.compile(rb"ql_nodes:(\d+) .*ql_uncompressed_size:(\d+)")


class Writer:
    """Random commands that build up two lists and take them down again."""

    def __init__(self, seed: int, large: int) -> None:
        self.chance = random.Random(seed)
        self.large = large
        self.growing = True

    def element(self) -> bytes:
        chance = self.chance
        kind = chance.random()
        if kind < 0.4:
            return b"%d" % (chance.randrange(2 ** chance.randrange(1, 63)) * chance.choice([1, 1, -1]))
        if kind < 0.7:
            return chance.choice([b"x", b"pivot", b"", b"-", b"007", b"+1", b"9223372036854775808"])
        return b"v" * chance.choice([20, 63, 64, 100, 125, 126, 500, self.large, 2 * self.large])

    def command(self) -> Command:
        chance = self.chance
        if chance.random() < 0.03:
            self.growing = not self.growing
        key, other = chance.choice([(b"a", b"b"), (b"a", b"a"), (b"b", b"a"), (b"a", b"b")])
        grows = chance.random() < (0.8 if self.growing else 0.2)
        return chance.choice(list(self.growth(key) if grows else self.decline(key, other)))

    def growth(self, key: bytes) -> Iterator[Command]:
        chance = self.chance
        index = b"%d" % chance.randrange(-60, 60)
        yield [chance.choice([b"LPUSH", b"RPUSH"]), key, self.element()]
        yield [chance.choice([b"LPUSH", b"RPUSH"]), key, *(self.element() for _ in range(chance.randrange(1, 40)))]
        yield [b"LINSERT", key, chance.choice([b"BEFORE", b"AFTER"]), self.element(), self.element()]
        yield [b"LINSERT", key, chance.choice([b"BEFORE", b"AFTER"]), b"pivot", self.element()]
        yield [b"LSET", key, index, self.element()]

    def decline(self, key: bytes, other: bytes) -> Iterator[Command]:
        chance = self.chance
        few = b"%d" % chance.randrange(12)
        yield [chance.choice([b"LPOP", b"RPOP"]), key]
        yield [chance.choice([b"LPOP", b"RPOP"]), key, few]
        yield [b"LREM", key, chance.choice([b"0", b"1", b"-1", b"2", b"-3"]), self.element()]
        yield [b"LTRIM", key, few, b"-%d" % chance.randrange(1, 12)]
        yield [b"LMOVE", key, other, chance.choice([b"LEFT", b"RIGHT"]), chance.choice([b"LEFT", b"RIGHT"])]
        yield [b"LRANGE", key, b"%d" % chance.randrange(-60, 60), b"%d" % chance.randrange(-60, 60)]


def our_list(ours: Ours, key: bytes) -> List | None:
    value = ours.world.core.keyspace.databases[0].peek(key)
    assert value is None or isinstance(value, List)
    return value


def nodes_and_size(value: LongList) -> tuple[int, int]:
    sizes = [len(node[0]) if node.size == PLAIN else node.size for node in value.state.nodes]
    return len(sizes), sum(sizes)


def compare_nodes(pair: Pair, key: bytes, modern: bool) -> None:
    value = our_list(pair.ours, key)
    if value is None:
        return
    value._check()
    limits = pair.ours.world.core.keyspace.encodings
    if modern:
        assert pair.real.call([b"OBJECT", b"ENCODING", key]) == value.encoding(limits), key
    if isinstance(value, LongList) and value.encoding(limits) == b"quicklist":
        told = pair.real.call([b"DEBUG", b"OBJECT", key])
        found = _NODES.search(told)
        assert found is not None
        assert nodes_and_size(value) == (int(found[1]), int(found[2])), key


def run(pair: Pair, fill: int, seed: int) -> None:
    """One random program with one limit."""
    modern = pair.version >= (7, 2)
    if not modern and fill < 0:
        pytest.skip("from a time when lists were not listpacks")
    writer = Writer(seed, large=9000 if modern else 600)
    pair.run([b"CONFIG", b"SET", b"list-max-listpack-size", b"%d" % fill], compare=False)
    pair.ours.world.core.keyspace.encodings.list_max_listpack_size = fill
    done: list[Command] = []
    try:
        for _ in range(COMMANDS):
            done.append(writer.command())
            pair.run(done[-1])
            for key in (b"a", b"b"):
                compare_nodes(pair, key, modern)
    except AssertionError as error:
        last = "\n".join(repr(command)[:300] for command in done[-20:])
        raise AssertionError(f"seed {seed}, command {len(done)}: {error}\n{last}") from error
    finally:
        pair.real.call([b"CONFIG", b"SET", b"list-max-listpack-size", b"-2"])


@pytest.mark.parametrize("fill", [0, 1, 2, 3, 4, 7, 16, 64, 128, -1, -2, -3, -4, -5, -9])
def test_nodes_and_encodings_are_those_of_redis(
    real_redis: RealRedis, fill: int, request: pytest.FixtureRequest
) -> None:
    for seed in range(30 if request.config.getoption("--slow") else 1):
        pair = Pair(real_redis.port, 2)
        try:
            run(pair, fill, seed)
        finally:
            pair.close()
