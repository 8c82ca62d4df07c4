"""ARC against the algorithm of the paper, word for word."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest

from pycache_server.evict.arc import Arc
from tests.evict.simulate import Cache, zipf

Keys = OrderedDict[int, None]


class Model:
    """The paper's figure 4: T1, T2, B1, B2, each from least to most recently used, and p."""

    def __init__(self, room: int) -> None:
        self.c = room
        self.p = 0.0
        self.t1, self.t2, self.b1, self.b2 = Keys(), Keys(), Keys(), Keys()

    def ask(self, key: int) -> bool:
        if key in self.t1 or key in self.t2:
            self.t1.pop(key, None)
            self.t2.pop(key, None)
            self.t2[key] = None
            return True
        if key in self.b1:
            self.p = min(self.c, self.p + max(1.0, len(self.b2) / len(self.b1)))
            self.replace(key)
            del self.b1[key]
            self.t2[key] = None
        elif key in self.b2:
            self.p = max(0.0, self.p - max(1.0, len(self.b1) / len(self.b2)))
            self.replace(key)
            del self.b2[key]
            self.t2[key] = None
        else:
            self.make_room(key)
            self.t1[key] = None
        return False

    def make_room(self, key: int) -> None:
        if len(self.t1) + len(self.b1) == self.c:
            if len(self.t1) < self.c:
                self.b1.popitem(last=False)
                self.replace(key)
            else:
                self.t1.popitem(last=False)
        else:
            total = len(self.t1) + len(self.t2) + len(self.b1) + len(self.b2)
            if total == 2 * self.c:
                self.b2.popitem(last=False)
            if total >= self.c:
                self.replace(key)

    def replace(self, key: int) -> None:
        if self.t1 and (len(self.t1) > self.p or (key in self.b2 and len(self.t1) == self.p)):
            self.b1[self.t1.popitem(last=False)[0]] = None
        else:
            self.b2[self.t2.popitem(last=False)[0]] = None


@pytest.mark.parametrize("seed", range(6))
def test_it_hits_as_the_paper_does(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([50, 100, 200])
    cache, model = Cache(Arc, room), Model(room)
    same = 0
    trace = zipf(8000, 6 * room, chance.choice([0.6, 0.9]), seed)
    for number in range(0, 8000, 800):  # and runs of keys, some of which come back
        trace[number : number + 80] = range(10**6 + number // 1600, 10**6 + number // 1600 + 80)
    for key in trace:
        same += cache.ask(key) == model.ask(key)
    cache.engine._check()
    assert same >= 0.985 * len(trace), seed
    target = cache.engine.report()["recent_target"]
    assert isinstance(target, int)
    assert abs(target - model.p) <= 0.2 * room


def test_ghosts_of_a_list_make_it_longer() -> None:
    cache = Cache(Arc, 10)
    for key in range(5):
        cache.ask(key)
        cache.ask(key)
    for key in range(100, 110):
        cache.ask(key)
    assert 100 not in cache.entries
    assert cache.engine.report()["recent_target"] == 0
    cache.ask(100)
    assert cache.engine.report()["recent_target"] == 1
    cache.ask(101)
    target = cache.engine.report()["recent_target"]
    assert target == 2
    while all(key in cache.entries for key in range(5)):
        for key in range(100, 115):
            cache.ask(key)
    target = cache.engine.report()["recent_target"]
    cache.ask(next(key for key in range(5) if key not in cache.entries))
    assert cache.engine.report()["recent_target"] < target


def test_there_are_no_more_ghosts_than_entries() -> None:
    cache = Cache(Arc, 100)
    for key in zipf(20_000, 5000, 0.5):
        cache.ask(key)
    ghosts = cache.engine.report()["ghosts"]
    assert isinstance(ghosts, int)
    assert 50 <= ghosts <= 101
