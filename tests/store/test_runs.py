"""The order of a big sorted set against a sorted list of pairs."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter

import pytest

from pycache_server.store.runs import LONGEST, Bound, Runs
from tests.conftest import some_slow

Pair = tuple[float, bytes]


def within(pairs: Iterable[Pair], low: Bound, high: Bound) -> Iterator[Pair]:
    """The pairs between two bounds."""
    for pair in pairs:
        above = pair[0] > low[0] if low[1] else pair[0] >= low[0]
        if above and (pair[0] < high[0] if high[1] else pair[0] <= high[0]):
            yield pair


class Actor:
    """Does the same to Runs and to a list."""

    def __init__(self, seed: int, draw: Callable[[random.Random], float], size: int) -> None:
        self.chance = random.Random(seed)
        self.draw = draw
        self.size = size
        self.model: list[Pair] = sorted({(draw(self.chance), b"%d" % self.chance.randrange(9**9)) for _ in range(size)})
        self.runs = Runs([member for _, member in self.model], [score for score, _ in self.model])

    def add(self) -> None:
        pair = (self.draw(self.chance), b"%d" % self.chance.randrange(9**9))
        place = bisect_left(self.model, pair)
        if self.model[place : place + 1] != [pair]:
            self.model.insert(place, pair)
            self.runs.add(*pair)

    def remove(self) -> None:
        score, member = self.model.pop(self.chance.randrange(len(self.model)))
        self.runs.remove(score, bytes(bytearray(member)))

    def move(self) -> None:
        place = self.chance.randrange(len(self.model))
        score, member = self.model[place]
        near = self.chance.random() < 0.5
        other = score + self.chance.choice([-0.5, 0.5]) if near else self.draw(self.chance)
        if other != score:
            del self.model[place]
            place = bisect_left(self.model, (other, member))
            self.model.insert(place, (other, member))
            self.runs.move(score, other, bytes(bytearray(member)))
            assert self.runs.between(place, place + 1)[0][0] is member

    def pop(self) -> None:
        last = self.chance.random() < 0.5
        score, member = self.model.pop(-1 if last else 0)
        assert self.runs.pop(last) == (member, score)

    def cut(self) -> None:
        start = self.chance.randrange(len(self.model))
        stop = start + 1 + self.chance.randrange(self.chance.choice([1, 40, LONGEST, 3 * LONGEST]))
        stop = min(stop, len(self.model))
        if stop - start < len(self.model):
            assert self.runs.cut(start, stop) == [member for _, member in self.model[start:stop]]
            del self.model[start:stop]

    def ask(self) -> None:
        rank = self.chance.randrange(len(self.model))
        assert self.runs.rank(*self.model[rank]) == rank
        score = self.model[rank][0] if self.chance.random() < 0.5 else self.draw(self.chance)
        assert self.runs.below(score, False) == bisect_left(self.model, score, key=itemgetter(0))
        assert self.runs.below(score, True) == bisect_right(self.model, score, key=itemgetter(0))
        stop = rank + 1 + self.chance.randrange(3 * LONGEST)
        members, found = self.runs.between(rank, min(stop, len(self.model)))
        assert list(zip(found, members, strict=True)) == self.model[rank:stop]
        assert self.runs.members(rank, min(stop, len(self.model))) == members
        low, high = (score, self.chance.random() < 0.5), (self.draw(self.chance), self.chance.random() < 0.5)
        limit = self.chance.choice([-1, 0, 1, 10, LONGEST, 3 * LONGEST])
        members, found = self.runs.within(low, high, limit)
        expected = list(within(self.model, low, high))
        assert list(zip(found, members, strict=True)) == (expected if limit < 0 else expected[:limit])

    def step(self) -> None:
        if len(self.model) < 10:
            for _ in range(100):
                self.add()
        growing = len(self.model) < self.size
        dice = self.chance.random()
        if dice < (0.5 if growing else 0.3):
            self.add()
        elif dice < 0.7:
            self.remove()
        elif dice < 0.75:
            self.move()
        elif dice < 0.8:
            self.pop()
        elif dice < 0.805:
            self.cut()
        else:
            self.ask()

    def check(self) -> None:
        self.runs._check()
        assert list(zip(self.runs.scores(), self.runs, strict=True)) == self.model
        assert self.runs.has_one_score() == (len({score for score, _ in self.model}) == 1)
        assert self.runs.copy().size == len(self.model)


DRAWS: dict[str, Callable[[random.Random], float]] = {
    "different": lambda chance: chance.uniform(-1e6, 1e6),
    "few": lambda chance: float(chance.randrange(5)),
    "one": lambda chance: 0.0,
    "infinite": lambda chance: chance.choice([float("-inf"), -1.5, 0.0, 1e300, float("inf")]),
}


@pytest.mark.parametrize(("size", "seed"), [(300, 0), (5000, 0), *some_slow([(300, 1), (20000, 0)], 0)])
@pytest.mark.parametrize("kind", DRAWS)
def test_runs_are_a_sorted_list(kind: str, size: int, seed: int) -> None:
    actor = Actor(seed, DRAWS[kind], size)
    for number in range(1200):
        actor.step()
        if number % 500 == 0:
            actor.check()
    actor.check()


@pytest.mark.parametrize("seed", range(3))
def test_members_of_one_score_are_found_by_themselves(seed: int) -> None:
    chance = random.Random(seed)
    members = sorted({b"%x" % chance.randrange(10**6) for _ in range(4000)})
    runs = Runs(members, [1.0] * len(members))
    for _ in range(300):
        asked = chance.choice(members) if chance.random() < 0.5 else b"%x" % chance.randrange(10**6)
        assert runs.before(asked, False) == bisect_left(members, asked)
        assert runs.before(asked, True) == bisect_right(members, asked)


def test_what_is_added_in_order_fills_the_runs() -> None:
    runs = Runs([b"0"], [0.0])
    for number in range(1, 20000):
        runs.add(float(number), b"%d" % number)
    runs._check()
    assert runs.memory() < 20000 * 19


def test_runs_that_shrink_are_joined() -> None:
    runs = Runs([b"%06d" % number for number in range(20000)], [0.0] * 20000)
    for number in range(20000):
        if number % 100:
            runs.remove(0.0, b"%06d" % number)
    runs._check()
    assert runs.memory() < 200 * 40


def test_ranks_stay_right_while_pairs_come_and_go() -> None:
    runs = Runs([b"%06d" % (2 * number) for number in range(30000)], [0.0] * 30000)
    assert runs.rank(0.0, b"%06d" % 40000) == 20000
    for number in range(1, 200, 2):
        runs.add(0.0, b"%06d" % number)
    assert runs.rank(0.0, b"%06d" % 40000) == 20100
    for number in range(100):
        runs.remove(0.0, b"%06d" % (2 * number))
    assert runs.rank(0.0, b"%06d" % 40000) == 20000
    runs._check()
