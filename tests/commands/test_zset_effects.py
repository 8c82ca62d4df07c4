"""What changes of sorted sets announce and count, how reads count, and digests: the same as a redis-server says."""

from __future__ import annotations

import random

import pytest

from pycache_server.server.digest import dataset_digest, key_digest
from pycache_server.testing.inprocess import World
from tests.conftest import RealRedis
from tests.differential.oracle import Real

pytestmark = pytest.mark.interop

COMMANDS = [
    "ZADD z 1 a 2 b",
    "ZADD z 1 a",
    "ZADD z 3 a 2 b 4 c",
    "ZADD z NX 1 a",
    "ZADD z XX 1 nobody",
    "ZADD none XX 1 nobody",
    "ZADD z INCR 1 a",
    "ZADD z INCR 0 a",
    "ZINCRBY z 2 a",
    "ZINCRBY new 2 a",
    "ZINCRBY new 0 b",
    "ZADD z 1 d 1 d 2 d",
    "ZREM z nobody",
    "ZREM z a nobody b",
    "ZREM new a b c",
    "ZADD y 1 a 2 b 3 c 4 d",
    "ZPOPMIN y",
    "ZPOPMAX y 2",
    "ZPOPMIN y 0",
    "ZPOPMIN y 5",
    "ZPOPMIN y",
    "ZADD y 1 a 2 b 3 c 4 d",
    "ZMPOP 2 none y MIN COUNT 2",
    "ZMPOP 2 none y MAX COUNT 9",
    "ZMPOP 2 none y MAX",
    "ZADD y 1 a 2 b 3 c 4 d",
    "BZPOPMIN none y 0",
    "BZMPOP 0 1 y MAX COUNT 2",
    "BZPOPMAX y 0",
    "ZADD y 1 a 2 b 3 c 4 d",
    "ZREMRANGEBYRANK y 0 0",
    "ZREMRANGEBYRANK y 9 10",
    "ZREMRANGEBYSCORE y 2 3",
    "ZREMRANGEBYSCORE y 0 1",
    "ZREMRANGEBYLEX y - [d",
    "ZREMRANGEBYLEX y - +",
    "ZUNIONSTORE u 2 z y",
    "ZUNIONSTORE u 1 none",
    "ZUNIONSTORE u 1 none",
    "ZINTERSTORE u 2 z z",
    "ZINTERSTORE u 2 z none",
    "ZDIFFSTORE u 2 z none",
    "ZDIFFSTORE u 2 z z",
    "ZRANGESTORE u z 0 -1",
    "ZRANGESTORE u z 5 9",
    "ZRANGESTORE u none 0 -1",
    "ZSCORE z d",
    "ZSCORE none d",
    "ZMSCORE none d",
    "ZMSCORE z d e",
    "ZRANK none d",
    "ZCARD z",
    "ZCOUNT z 0 1",
    "ZRANGE z 0 -1",
    "ZRANGE none 0 -1",
    "ZUNION 3 z none z",
    "ZINTERCARD 2 none z",
    "ZDIFF 2 z none",
    "ZSCAN none 0",
    "ZSCAN z 0",
    "ZRANDMEMBER none",
    "ZRANDMEMBER z 2",
    "ZUNION 2 z text",
    "ZADD text 1 a",
]


class Counted:
    """What one server has told and counted since it was asked last; one subclass a server."""

    def __init__(self) -> None:
        self.last = self.read()

    def read(self) -> tuple[int, int, int]:
        """Changes, hits and misses so far."""
        raise NotImplementedError

    def since(self) -> tuple[int, ...]:
        before, self.last = self.last, self.read()
        return tuple(new - old for new, old in zip(self.last, before, strict=True))


class CountedReal(Counted):
    def __init__(self, real: Real) -> None:
        self.real = real
        super().__init__()

    def read(self) -> tuple[int, int, int]:
        info = self.real.call([b"INFO", b"everything"])
        fields = dict(line.split(b":", 1) for line in info.split(b"\r\n") if b":" in line)
        names = (b"rdb_changes_since_last_save", b"keyspace_hits", b"keyspace_misses")
        changes, hits, misses = (int(fields[name]) for name in names)
        return changes, hits, misses


class CountedOurs(Counted):
    def __init__(self, world: World) -> None:
        self.database = world.core.keyspace.databases[0]
        super().__init__()

    def read(self) -> tuple[int, int, int]:
        return self.database.dirty, self.database.hits, self.database.misses


def test_events_changes_hits_and_misses_are_those_of_redis(real_redis: RealRedis) -> None:
    real, listener = Real(real_redis.port, 2), Real(real_redis.port, 2)
    real.call([b"FLUSHALL"])
    real.call([b"CONFIG", b"SET", b"notify-keyspace-events", b"EAmn"])
    listener.call([b"PSUBSCRIBE", b"__keyevent@0__:*"])
    world = World()
    client, ears = world.connect(decode=False), world.connect(decode=False)
    world.core.observers.notify(-1)
    ears.call("PSUBSCRIBE", "__keyevent@0__:*")
    for who in (real.call, lambda argv: client.call(*argv)):
        who([b"SET", b"text", b"x"])
    theirs, ours = CountedReal(real), CountedOurs(world)
    ears.read_all()
    for words in COMMANDS:
        argv = [word.encode() for word in words.split()]
        real.call(argv)
        client.call(*argv)
        assert ours.since() == theirs.since(), words
        real.call([b"PUBLISH", b"__keyevent@0__:end", b"end"])
        expected = []
        while (message := listener.read())[3] != b"end":
            expected.append(message[2:])
        expected = [message for message in expected if b"text" not in message]
        heard = [message[2:] for message in ears.read_all()]
        assert heard == expected, words
    real.call([b"CONFIG", b"SET", b"notify-keyspace-events", b""])
    real.close()
    listener.close()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("long", [False, True])
def test_digests_are_those_of_redis(real_redis: RealRedis, seed: int, long: bool) -> None:
    chance = random.Random(seed)
    real = Real(real_redis.port, 2)
    world = World()
    client = world.connect(decode=False)
    scores = ["0.1", "-0", "inf", "-inf", "1e20", "1e17", "3", "0.30000000000000004", "5e-324", "1.7e308", "-12345.678"]
    scores += [repr(chance.uniform(-1e9, 1e9)) for _ in range(200)]
    real.call([b"FLUSHALL"])
    for number, score in enumerate(chance.sample(scores, len(scores) if long else 60)):
        argv = [b"ZADD", b"z", score.encode(), b"member:%d" % number]
        assert real.call(argv) == client.call(*argv) == 1
    theirs = real.call([b"DEBUG", b"DIGEST-VALUE", b"z"])
    assert [key_digest(world.core.keyspace.databases[0], b"z").hex().encode()] == theirs
    assert dataset_digest(world.core.keyspace).hex().encode() == real.call([b"DEBUG", b"DIGEST"])
    real.close()
