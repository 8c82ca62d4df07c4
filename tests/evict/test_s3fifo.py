"""S3-FIFO against the paper's algorithm on plain queues."""

from __future__ import annotations

import random
from collections import OrderedDict, deque

import pytest

from pycache_server.evict.ring import LONGEST_WALK
from pycache_server.evict.s3fifo import S3Fifo
from tests.evict.simulate import Cache


class Model:
    """The small queue, the main one, the ghosts. Room is made after a key has come in."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.small: deque[int] = deque()
        self.main: deque[int] = deque()
        self.ghosts: OrderedDict[int, None] = OrderedDict()
        self.uses: dict[int, int] = {}

    def ask(self, key: int) -> bool:
        if key in self.uses:
            self.uses[key] = min(3, self.uses[key] + 1)
            return True
        if key in self.ghosts:
            del self.ghosts[key]
            self.main.append(key)
        else:
            self.small.append(key)
        self.uses[key] = 0
        if len(self.uses) > self.room:
            self.evict()
        return False

    def evict(self) -> None:
        count = len(self.uses)
        while True:
            if self.small and (len(self.small) >= count / 10 or not self.main):
                key = self.small.popleft()
                if self.uses[key] < 2:
                    del self.uses[key]
                    self.ghosts[key] = None
                    while len(self.ghosts) > count - count // 10:
                        self.ghosts.popitem(last=False)
                    return
                self.uses[key] = 0
            else:
                key = self.main.popleft()
                if not self.uses[key]:
                    del self.uses[key]
                    return
                self.uses[key] -= 1
            self.main.append(key)


@pytest.mark.parametrize("seed", range(6))
def test_the_queues_are_those_of_the_paper(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([10, 35, 100])
    cache, model = Cache(S3Fifo, room), Model(room)
    for number in range(6000):
        key = min(chance.randrange(4 * room) for _ in range(3)) + number // 2000 * room
        assert cache.ask(key) == model.ask(key)
        assert cache.entries.keys() == model.uses.keys()
    cache.engine._check()
    assert cache.engine.report() == {
        "small": len(model.small),
        "main": len(model.main),
        "ghosts": len(model.ghosts),
    }


def test_what_is_asked_for_once_leaves_by_the_small_queue() -> None:
    cache = Cache(S3Fifo, 100)
    for key in range(20):
        for _ in range(3):
            cache.ask(key)
    for key in range(1000, 3000):
        cache.ask(key)
    assert cache.entries.keys() >= set(range(20))


def test_who_comes_back_soon_goes_to_the_main_queue() -> None:
    cache = Cache(S3Fifo, 20)
    for key in range(21):
        cache.ask(key)
    assert 0 not in cache.entries
    cache.ask(0)
    assert cache.engine.report()["main"] == 1


def test_a_search_does_not_walk_through_everything() -> None:
    cache = Cache(S3Fifo, 10**6)
    for key in range(3 * LONGEST_WALK):
        for _ in range(3):
            cache.ask(key)
    assert cache.evict() == LONGEST_WALK
