"""LFU against the same rules on plain dicts with exact levels, and what operators see of it."""

from __future__ import annotations

import random
from collections import OrderedDict
from math import exp2, log2

import pytest

from pycache_server.evict.base import AHEAD
from pycache_server.evict.lfu import (
    ADVANTAGE,
    BLAME,
    HALF_LIFE,
    LONGEST_TRIAL,
    LOWEST,
    SCALE,
    SHORTEST_TRIAL,
    TICKS,
    VICTIMS,
    VISIT,
    Lfu,
    LfuEntry,
)
from tests.evict.simulate import Cache, hit_ratio, with_scans, zipf


class Model:
    """Frequencies that decay, a trial, a hand that goes round, a bound, ghosts."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.level: dict[int, float] = {}
        self.visits: dict[int, int] = {}  # since the last look
        self.trial: list[int] = []
        self.through: list[int] = []  # in the order in which the hand will come to them
        self.ghosts: OrderedDict[int, tuple[float, int, bool]] = OrderedDict()
        self.longest = self.bound = 0.0
        self.asked = self.gone = 0
        self.looks: list[bool] = []

    @property
    def time(self) -> float:
        return self.asked * TICKS // self.room / TICKS / HALF_LIFE

    def rise(self, key: int, level: float, credit: float) -> float:
        self.level[key] = self.time + max(0.0, log2(exp2(level - self.time) + credit))
        return self.level[key]

    def look_at(self, key: int) -> float:
        visits, self.visits[key] = self.visits[key], 0
        return self.rise(key, self.level[key], visits**VISIT) if visits else self.level[key]

    def ask(self, key: int) -> bool:
        if key in self.visits:
            self.visits[key] += 1
            return True
        self.asked += 1
        self.level[key], self.visits[key] = self.time, 0
        if key in self.ghosts:
            level, number, passed = self.ghosts.pop(key)
            self.rise(key, level, 1.0)
            if passed:
                self.longest -= 2
            elif self.gone - 1 - number <= BLAME * self.room:
                self.longest += 1
        self.longest = min(max(self.longest, SHORTEST_TRIAL * self.room, 1.0), LONGEST_TRIAL * self.room)
        self.trial.append(key)
        if len(self.visits) > self.room:
            self.give_up_one()
        while len(self.trial) > self.longest:
            self.pass_first()
        return False

    def pass_first(self) -> None:
        self.look_at(self.trial[0])
        self.through.append(self.trial.pop(0))

    def give_up_one(self) -> None:
        while len(self.trial) > self.longest:
            if self.look_at(self.trial[0]) <= self.bound + ADVANTAGE:
                self.forget(self.trial.pop(0), False)
                break
            self.pass_first()
        else:
            if self.through:
                self.forget(self.low(), True)
            else:
                self.forget(self.trial.pop(0), False)
        self.gone += 1
        if self.gone % VICTIMS == 0 and self.through:
            self.turn()
        if len(self.looks) >= 16 * LOWEST:
            share = sum(self.looks) * LOWEST / len(self.looks)
            self.bound += (share < 0.8) / 8 - (share > 1.25) / 8
            self.looks.clear()

    def turn(self) -> int:
        """The hand goes past one."""
        key = self.through.pop(0)
        self.through.append(key)
        self.looks.append(self.look_at(key) <= self.bound)
        return key

    def low(self) -> int:
        seen = []
        for _ in range(32):
            seen.append(self.turn())
            if self.looks[-1]:
                break
        key = min(seen, key=lambda key: (self.level[key], -seen.index(key))) if not self.looks[-1] else seen[-1]
        self.through.remove(key)
        return key

    def forget(self, key: int, passed: bool) -> None:
        self.ghosts[key] = self.level[key], self.gone, passed
        del self.visits[key]
        if len(self.ghosts) > self.room:
            self.ghosts.popitem(last=False)


@pytest.mark.parametrize("seed", range(4))
def test_it_hits_as_its_rules_say(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([50, 100])
    trace = list(with_scans(zipf(8000, 10 * room, chance.choice([0.7, 0.9]), seed), 300, 60))
    model = Model(room)
    hits = sum(model.ask(key) for key in trace)
    assert hit_ratio(Lfu, trace, room) == pytest.approx(100 * hits / len(trace), abs=1), seed  # hashes forget


def entry_of(cache: Cache, key: int) -> LfuEntry:
    entry = cache.entries[key]
    assert isinstance(entry, LfuEntry)
    return entry


@pytest.mark.parametrize(
    ("hits", "factor", "expected"),
    [(0, 10, 5), (1, 10, 5), (10, 10, 6), (100, 10, 9), (1000, 10, 19), (10**5, 10, 146), (10**6, 10, 255), (7, 0, 12)],
)
def test_frequency_is_on_the_scale_of_redis(hits: int, factor: int, expected: int) -> None:
    cache = Cache(Lfu, 100)
    cache.surroundings.log_factor = factor
    cache.ask(1)
    entry = entry_of(cache, 1)
    for _ in range(min(hits, 1000)):
        cache.engine.access(entry)
    entry.mark = max(hits, entry.mark)
    assert cache.engine.frequency(entry) == expected
    assert cache.engine.idle_seconds(entry) is None


def test_frequency_fades_as_the_cache_turns_over() -> None:
    cache = Cache(Lfu, 100)
    cache.ask(1)
    for _ in range(1000):
        cache.ask(1)
    entry = entry_of(cache, 1)
    before = cache.engine.frequency(entry)
    assert before == 19
    for key in range(1000, 1000 + 100 * HALF_LIFE):
        cache.ask(key)
    after = cache.engine.frequency(entry)
    assert after is not None
    assert 13 <= after <= 15


def test_nothing_fades_where_ageing_is_off() -> None:
    cache = Cache(Lfu, 100)
    cache.surroundings.decay_time = 0
    for _ in range(1000):
        cache.ask(1)
    for key in range(1000, 3000):
        cache.ask(key)
    assert cache.engine.frequency(entry_of(cache, 1)) == 19


def test_what_was_hot_goes_in_the_end() -> None:
    cache = Cache(Lfu, 100)
    hot = range(50)
    for _ in range(20):
        for key in hot:
            cache.ask(key)
        for key in range(1000, 1020):  # time passes by what comes in
            cache.ask(key)
    for key in range(10_000, 14_000):
        cache.ask(key // 2)
        cache.ask(key // 2 - 40)
    assert not any(key in cache.entries for key in hot)


def test_who_comes_back_has_not_been_forgotten() -> None:
    cache = Cache(Lfu, 20)
    for key in range(21):
        cache.ask(key)
    missing = next(key for key in range(21) if key not in cache.entries)
    cache.ask(missing)
    assert entry_of(cache, missing).level > cache.engine._now + 0.85 * SCALE


def test_the_trial_gets_longer_when_those_come_back_who_failed_it() -> None:
    cache = Cache(Lfu, 200)
    for key in zipf(4000, 200, 0.5):
        cache.ask(key)
    shortest = cache.engine.report()["trial_share"]
    for key in range(10**5, 10**5 + 4000):
        cache.ask(key)
        cache.ask(key - 45)
    assert cache.engine.report()["trial_share"] > shortest
    cache.engine._check()


def test_what_is_asked_for_very_often_at_once_stays_for_a_while() -> None:
    cache = Cache(Lfu, 100)
    for key in range(20):
        for _ in range(200):
            cache.ask(key)
    for key in range(1000, 1300):
        cache.ask(key)
    assert all(key in cache.entries for key in range(20))


@pytest.mark.parametrize(("at_once", "holds"), [(1, 500), (2, 500), (1 + (4000 >> AHEAD), 4000)])
def test_newcomers_are_tried_where_victims_are_asked_for_together(at_once: int, holds: int) -> None:
    """As a database does it: without a trial nothing of a loop would be hit."""
    cache = Cache(Lfu, holds)
    for _ in range(60 if holds < 1000 else 20):
        for key in range(2 * holds):
            cache.requests += 1
            if key in cache.entries:
                cache.engine.access(cache.entries[key])
                cache.hits += 1
                continue
            if len(cache.entries) >= cache.room:
                for victim in cache.engine.take_victims(at_once, 1 << 30):
                    del cache.entries[int(victim.key)]
            cache.entries[key] = entry = LfuEntry(b"%d" % key, None)
            entry.size = 100
            cache.engine.admit(entry)
    cache.engine._check()
    assert cache.hits > 0.35 * cache.requests


def test_nobody_goes_where_nothing_is_asked_for() -> None:
    cache = Cache(Lfu, 100)
    for key in range(200):
        cache.ask(key)
    assert cache.engine.take_victims(0, 100) == cache.engine.take_victims(1, 0) == []
    cache.engine._check()


@pytest.mark.slow
def test_that_the_history_forgets_does_not_lengthen_the_trial() -> None:
    """The same cold keys again and again, and popular ones that are given up and come back: a third of what is
    remembered has been overwritten when it is asked for."""
    cache, popular = Cache(Lfu, 324), zipf(240_000, 30_000, 0.9)
    for start in range(0, len(popular), 24_000):
        for key in (*range(30_000, 36_000), *popular[start : start + 24_000]):
            cache.ask(key)
    assert cache.engine.report()["trial_share"] < 0.35
