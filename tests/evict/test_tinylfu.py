"""W-TinyLFU against the paper's policy with exact counts in the place of the sketch."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict

import pytest

from pycache_server.evict.sketch import MOST, PERIOD
from pycache_server.evict.tinylfu import TinyLfu
from tests.evict.simulate import Cache, hit_ratio, with_scans, zipf

Keys = OrderedDict[int, None]


class Model:
    """Each part from least to most recently used."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.window, self.probation, self.protected = Keys(), Keys(), Keys()
        self.counts: Counter[int] = Counter()
        self.left = PERIOD * room

    def ask(self, key: int) -> bool:
        self.count(key)
        for part in (self.window, self.protected):
            if key in part:
                part.move_to_end(key)
                return True
        window_room = max(1, self.room // 100)
        if key in self.probation:
            del self.probation[key]
            self.protected[key] = None
            if len(self.protected) > 0.8 * (self.room - window_room):
                self.probation[self.protected.popitem(last=False)[0]] = None
            return True
        self.window[key] = None
        if len(self.window) > window_room:
            self.enter(self.window.popitem(last=False)[0])
        return False

    def enter(self, candidate: int) -> None:
        if len(self.window) + len(self.probation) + len(self.protected) < self.room:
            self.probation[candidate] = None
            return
        part = self.probation or self.protected
        threatened = next(iter(part))
        if self.counts[candidate] > self.counts[threatened]:
            del part[threatened]
            self.probation[candidate] = None

    def count(self, key: int) -> None:
        self.counts[key] = min(MOST, self.counts[key] + 1)
        self.left -= 1
        if not self.left:
            self.counts = Counter({key: count // 2 for key, count in self.counts.items() if count > 1})
            self.left = PERIOD * self.room // 2


@pytest.mark.parametrize("seed", range(4))
def test_it_hits_as_the_paper_does(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([100, 200])
    trace = list(with_scans(zipf(12_000, 10 * room, chance.choice([0.7, 0.9]), seed), 400, 100))
    model = Model(room)
    hits = sum(model.ask(key) for key in trace)
    assert hit_ratio(TinyLfu, trace, room) == pytest.approx(100 * hits / len(trace), abs=1.5), seed


def test_who_is_not_asked_for_more_often_does_not_get_in() -> None:
    cache = Cache(TinyLfu, 100)
    for _ in range(3):
        for key in range(100):
            cache.ask(key)
    for key in range(1000, 1100):
        cache.ask(key)
    assert sum(key in cache.entries for key in range(100)) >= 97
    for _ in range(10):
        cache.ask(5000)
        cache.ask(next(iter(range(6000, 6001))))
    assert 5000 in cache.entries


def test_the_parts_have_their_shares() -> None:
    cache = Cache(TinyLfu, 1000)
    for key in zipf(30_000, 5000, 0.9):
        cache.ask(key)
    cache.engine._check()
    report = cache.engine.report()
    assert report["window"] in (10, 11)
    assert 700 <= int(report["protected"]) <= 793
