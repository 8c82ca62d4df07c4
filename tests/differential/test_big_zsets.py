"""Sorted sets of thousands of members answer as Redis's: hypothesis draws small ones only."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.strategies import Command

pytestmark = pytest.mark.interop

MEMBERS = 6000


class Drawer:
    """Draws commands for a set whose scores are of a kind."""

    def __init__(self, chance: random.Random, draw_score: Callable[[], float]) -> None:
        self.chance = chance
        self.draw_score = draw_score

    def member(self) -> bytes:
        return b"member:%d" % self.chance.randrange(MEMBERS)

    def score(self) -> bytes:
        return repr(self.draw_score()).encode()

    def bound(self) -> bytes:
        return self.chance.choice([b"", b"("]) + self.chance.choice([self.score(), self.score(), b"-inf", b"+inf"])

    def lex(self) -> bytes:
        return self.chance.choice([b"[", b"("]) + self.member()[: self.chance.randrange(1, 12)]

    def rank(self) -> bytes:
        return b"%d" % self.chance.randrange(-MEMBERS, MEMBERS)

    def limit(self) -> Command:
        return [b"LIMIT", b"%d" % self.chance.randrange(100), b"%d" % self.chance.randrange(-1, 600)]

    def add(self) -> Command:
        count = self.chance.choice([1, 1, 5, 500])
        return [b"ZADD", b"z", *(word for _ in range(count) for word in (self.score(), self.member()))]

    def change(self) -> Command:
        return self.chance.choice(
            [
                [b"ZINCRBY", b"z", self.score(), self.member()],
                [b"ZREM", b"z", *(self.member() for _ in range(self.chance.choice([1, 100])))],
                [self.chance.choice([b"ZPOPMIN", b"ZPOPMAX"]), b"z", b"%d" % self.chance.choice([1, 1, 10, 200])],
                [b"ZREMRANGEBYRANK", b"z", (start := b"%d" % self.chance.randrange(MEMBERS)), start],
                [b"ZUNIONSTORE", b"z", b"2", b"z", b"other", b"WEIGHTS", b"1", b"0.5"],
                [b"ZRANGESTORE", b"other", b"z", self.bound(), self.bound(), b"BYSCORE", *self.limit()],
            ]
        )

    def remove_much(self) -> Command:
        start = self.chance.randrange(MEMBERS // 2)
        return self.chance.choice(
            [
                [b"ZREMRANGEBYRANK", b"z", b"%d" % start, b"%d" % (start + self.chance.randrange(3000))],
                [b"ZREMRANGEBYSCORE", b"z", self.bound(), self.score()],
                [b"ZDIFFSTORE", b"z", b"2", b"z", b"other"],
            ]
        )

    def read(self) -> Command:
        return self.chance.choice(
            [
                [b"ZRANK", b"z", self.member()],
                [b"ZREVRANK", b"z", self.member()],
                [b"ZSCORE", b"z", self.member()],
                [b"ZCARD", b"z"],
                [b"ZCOUNT", b"z", self.bound(), self.bound()],
                [b"ZRANGE", b"z", self.rank(), self.rank(), b"WITHSCORES"],
                [b"ZREVRANGE", b"z", self.rank(), self.rank()],
                [b"ZRANGEBYSCORE", b"z", self.bound(), self.bound(), *self.limit()],
                [b"ZREVRANGEBYSCORE", b"z", self.bound(), self.bound(), *self.limit(), b"WITHSCORES"],
                [b"ZINTERCARD", b"2", b"z", b"other", b"LIMIT", b"50"],
            ]
        )

    def read_lex(self) -> Command:
        return self.chance.choice(
            [
                [b"ZLEXCOUNT", b"z", self.lex(), self.lex()],
                [b"ZRANGEBYLEX", b"z", self.lex(), b"+", *self.limit()],
                [b"ZREVRANGEBYLEX", b"z", self.lex(), self.lex(), *self.limit()],
            ]
        )


@pytest.mark.parametrize("seed", range(6))
def test_random_commands_on_a_big_set(real_redis: RealRedis, seed: int) -> None:
    chance = random.Random(seed)
    one_score = seed % 3 == 2
    draw = [lambda: chance.uniform(-1e6, 1e6), lambda: float(chance.randrange(20)), lambda: 0.0][seed % 3]
    drawer = Drawer(chance, draw)
    pair = Pair(real_redis.port, 2 + seed % 2)
    try:
        for _ in range(1500):
            dice = chance.random()
            if dice < 0.4:
                command = drawer.add()
            elif dice < 0.5:
                command = drawer.change() if not one_score else [b"ZREM", b"z", drawer.member()]
            elif dice < 0.505:
                command = drawer.remove_much()
            else:
                command = drawer.read_lex() if one_score and chance.random() < 0.5 else drawer.read()
            pair.run(command)
            if chance.random() < 0.02:
                pair.ours.world.check()
        pair.compare_state()
    finally:
        pair.close()
