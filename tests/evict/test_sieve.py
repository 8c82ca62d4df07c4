"""SIEVE against the paper's algorithm on a plain list."""

from __future__ import annotations

import random

import pytest

from pycache_server.evict.ring import LONGEST_WALK
from pycache_server.evict.sieve import Sieve
from tests.evict.simulate import Cache


class Model:
    """Keys from the oldest to the newest. Room is made before a key comes in, as in the paper."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.queue: list[int] = []
        self.visited: set[int] = set()
        self.hand: int | None = None  # a key, or None for the oldest

    def ask(self, key: int) -> bool:
        if key in self.queue:
            self.visited.add(key)
            return True
        if len(self.queue) == self.room:
            self.evict()
        self.queue.append(key)
        return False

    def evict(self) -> int:
        place = self.queue.index(self.hand) if self.hand is not None else 0
        while self.queue[place] in self.visited:
            self.visited.remove(self.queue[place])
            place = (place + 1) % len(self.queue)
        gone = self.queue.pop(place)
        self.hand = self.queue[place] if place < len(self.queue) else None
        return gone


@pytest.mark.parametrize("seed", range(6))
def test_the_hand_goes_as_in_the_paper(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([2, 5, 30])
    cache, model = Cache(Sieve, room), Model(room)
    for _ in range(4000):
        key = min(chance.randrange(3 * room), chance.randrange(3 * room))
        assert cache.ask(key) == model.ask(key)
        assert sorted(cache.entries) == sorted(model.queue)
    cache.engine._check()


def test_what_is_visited_stays_where_it_was() -> None:
    cache = Cache(Sieve, 4)
    for key in (1, 2, 3, 4, 1, 3):
        cache.ask(key)
    cache.ask(5)
    assert sorted(cache.entries) == [1, 3, 4, 5]  # the hand has passed 1
    cache.ask(6)
    assert sorted(cache.entries) == [1, 3, 5, 6]  # and 3
    cache.ask(7)
    assert sorted(cache.entries) == [1, 3, 6, 7]


def test_entries_that_go_by_themselves_do_not_take_the_hand_with_them() -> None:
    chance = random.Random(1)
    cache = Cache(Sieve, 20)
    for _ in range(3000):
        key = chance.randrange(40)
        if key in cache.entries and chance.random() < 0.4:
            cache.drop(key)
        else:
            cache.ask(key)
        cache.engine._check()


def test_a_search_does_not_walk_through_everything() -> None:
    cache = Cache(Sieve, 10**6)
    for key in range(3 * LONGEST_WALK):
        cache.ask(key)
        cache.ask(key)
    assert cache.evict() == LONGEST_WALK
