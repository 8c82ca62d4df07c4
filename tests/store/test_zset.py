"""Sorted sets against dicts that are sorted when somebody asks."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.zset import FEW, LargeSortedSet, SortedSet
from tests.conftest import more_in_ci, some_slow

LIMITS = Encodings()


class Actor:
    """Does the same to a sorted set and to a dict."""

    def __init__(self, seed: int, draw: Callable[[random.Random], float], size: int) -> None:
        self.chance = random.Random(seed)
        self.draw = draw
        self.size = size
        self.zset = SortedSet()
        self.model: dict[bytes, float] = {}
        self.growing = True

    def ordered(self) -> list[tuple[bytes, float]]:
        return sorted(self.model.items(), key=lambda item: (item[1], item[0]))

    def member(self) -> bytes:
        return b"member:%d" % self.chance.randrange(2 * self.size)

    def put(self) -> None:
        member, score = self.member(), self.draw(self.chance)
        assert self.zset.put(member, score, LIMITS) == self.model.get(member)
        self.model[member] = score

    def remove(self) -> None:
        member = self.chance.choice(list(self.model)) if self.chance.random() < 0.5 else self.member()
        assert self.zset.remove(member) == (member in self.model)
        self.model.pop(member, None)

    def pop(self) -> None:
        last = self.chance.random() < 0.5
        expected = self.ordered()[-1 if last else 0]
        assert self.zset.pop(last) == expected
        del self.model[expected[0]]

    def cut(self) -> None:
        start = self.chance.randrange(len(self.model))
        stop = min(start + self.chance.randrange(1, 20), len(self.model))
        if stop - start < len(self.model):
            gone = self.ordered()[start:stop]
            self.zset.cut(start, stop)
            for member, _ in gone:
                del self.model[member]

    def ask(self) -> None:
        ordered = self.ordered()
        rank = self.chance.randrange(len(ordered))
        member, score = ordered[rank]
        assert self.zset.rank(member) == rank
        assert self.zset.score(member) == score
        assert member in self.zset
        assert b"nobody" not in self.zset
        assert self.zset.score(b"nobody") is None
        assert self.zset.rank(b"nobody") is None
        assert self.zset.below(score, False) == sum(other < score for _, other in ordered)
        assert self.zset.below(score, True) == sum(other <= score for _, other in ordered)
        stop = min(rank + 5, len(ordered))
        members, scores = self.zset.between(rank, stop)
        assert list(zip(members, scores, strict=True)) == ordered[rank:stop]
        assert self.zset.members(rank, stop) == members
        low, high = (score, self.chance.random() < 0.5), (self.draw(self.chance), self.chance.random() < 0.5)
        limit = self.chance.choice([-1, 0, 2, 100])
        members, scores = self.zset.within(low, high, limit)
        expected = ordered[self.zset.below(*low) : self.zset.below(high[0], not high[1])]
        assert list(zip(members, scores, strict=True)) == (expected if limit < 0 else expected[:limit])
        assert not self.zset.is_empty()

    def step(self) -> None:
        if len(self.model) < 3:
            self.growing = True
        elif len(self.model) >= self.size:
            self.growing = False
        actions = [self.put, self.put] if self.growing else [self.remove, self.remove, self.pop]
        if len(self.model) > 2:
            actions += [self.pop, self.remove] if self.chance.random() < 0.2 else []
            actions += [self.cut] if self.chance.random() < 0.1 else []
            actions += [self.ask] if self.chance.random() < 0.2 else []
        self.chance.choice(actions)()

    def check(self) -> None:
        self.zset._check()
        assert list(self.zset.items()) == self.ordered()
        assert list(self.zset) == [member for member, _ in self.ordered()]
        assert len(self.zset) == len(self.model)


DRAWS: dict[str, Callable[[random.Random], float]] = {
    "different": lambda chance: chance.uniform(-1e6, 1e6),
    "few": lambda chance: float(chance.randrange(4)),
}


@pytest.mark.parametrize("seed", some_slow(range(2), 1))
@pytest.mark.parametrize("size", [6, FEW + 30, 1400])
@pytest.mark.parametrize("kind", DRAWS)
def test_a_sorted_set_is_a_dict_that_is_sorted(kind: str, size: int, seed: int) -> None:
    actor = Actor(seed, DRAWS[kind], size)
    for number in range(more_in_ci(2, 4) * size + 500):
        actor.step()
        if number % 200 == 0:
            actor.check()
    actor.check()


def made(count: int, text: str = "member:%07d", seed: int = 1) -> SortedSet:
    chance = random.Random(seed)
    zset = SortedSet()
    for number in range(count):
        zset.put((text % number).encode(), chance.random(), LIMITS)
    return zset


def test_a_set_grows_large_and_turns_back() -> None:
    zset = made(FEW)
    assert type(zset) is SortedSet
    zset.put(b"one more", 0.5, LIMITS)
    assert type(zset) is LargeSortedSet
    while type(zset) is LargeSortedSet:
        zset.pop(False)
        zset._check()
    assert 0 < len(zset) < FEW


def test_a_set_that_was_huge_gives_its_buckets_up() -> None:
    zset = made(40000)
    zset.cut(100, 40000)
    zset._check()
    assert zset.memory() < 100 * 250


def held(thing: Any, seen: set[int]) -> int:
    """Bytes of everything that an object holds."""
    if id(thing) in seen or thing is None or isinstance(thing, (int, bool)):
        return 0
    seen.add(id(thing))
    parts: list[Any] = []
    if isinstance(thing, dict):
        parts = [*thing.keys(), *thing.values()]
    elif isinstance(thing, (list, tuple)):
        parts = list(thing)
    else:
        slots = [slot for kind in type(thing).__mro__ for slot in getattr(kind, "__slots__", ())]
        parts = [getattr(thing, slot) for slot in slots if hasattr(thing, slot)]
    return ((sys.getsizeof(thing) + 15) & ~15) + sum(held(part, seen) for part in parts)


@pytest.mark.parametrize("count", some_slow([1, 5, 10, 30, 64, 65, 100, 171, 500, 1024, 1500, 5000, 40000], 12))
@pytest.mark.parametrize("removed", [0, 3])
def test_memory_is_what_python_holds(count: int, removed: int) -> None:
    zset = made(count)
    for number in range(0, count - 1, removed) if removed else ():
        zset.remove(b"member:%07d" % number)
    assert zset.memory() == pytest.approx(held(zset, set()), rel=0.1)


def test_a_small_set_takes_no_more_than_it_must() -> None:
    assert made(5, "m%d").memory() < 600
    assert made(10, "m%d").memory() < 1000


@pytest.mark.parametrize("count", [3, 200, 5000, 50000])
def test_a_copy_shares_nothing_that_could_change(count: int) -> None:
    zset = made(count)
    twin = zset.copy()
    before = list(zset.items())
    twin._check()
    twin.put(b"new", 0.0, LIMITS)
    twin.remove(before[0][0])
    twin.put(before[1][0], -1.0, LIMITS)
    assert list(zset.items()) == before
    assert type(twin.copy()) is type(twin)
    zset._check()


@pytest.mark.parametrize("count", [3, 200, 5000, 50000])
def test_freeing_goes_in_slices(count: int) -> None:
    zset = made(count)
    slices = freed = 0
    while len(zset):
        done = zset.free(1000)
        assert done >= 1
        freed += done
        slices += 1
    assert freed == count
    assert slices >= count // 2000


def test_a_set_made_at_once_is_the_same_as_one_made_step_by_step() -> None:
    scores = dict(made(3000).items())
    zset = SortedSet.of(scores, LIMITS)
    zset._check()
    assert dict(zset.items()) == scores
    assert SortedSet.of({b"b": 1.0, b"a": 1.0}, LIMITS).between(0, 2)[0] == [b"a", b"b"]
    assert len(SortedSet.of({}, LIMITS)) == 0


def test_the_encoding_remembers_how_long_it_has_been() -> None:
    zset = made(128)
    assert zset.encoding(LIMITS) == b"listpack"
    zset.put(b"one more", 0.5, LIMITS)
    assert zset.encoding(LIMITS) == b"skiplist"
    zset.cut(0, 100)
    assert zset.encoding(LIMITS) == b"skiplist"
    assert zset.copy().encoding(LIMITS) == b"skiplist"
    assert SortedSet.of(dict(zset.items()), LIMITS).encoding(LIMITS) == b"listpack"


def test_a_long_member_ends_the_listpack() -> None:
    zset = made(3)
    zset.put(b"x" * 64, 0.5, LIMITS)
    assert zset.compact
    zset.put(b"x" * 65, 0.5, LIMITS)
    assert not zset.compact
    assert not SortedSet.of({b"x" * 65: 0.5}, LIMITS).compact


def test_a_listpack_knows_no_negative_zero() -> None:
    zset = made(3)
    zset.put(b"zero", -0.0, LIMITS)
    assert str(zset.score(b"zero")) == "0.0"
    zset.compact = False
    zset.put(b"other", -0.0, LIMITS)
    assert str(zset.score(b"other")) == "-0.0"
    assert zset.put(b"other", 0.0, LIMITS) == 0.0
    assert str(zset.score(b"other")) == "-0.0"


def test_a_scan_of_a_listpack_gives_everything_at_once_and_one_of_a_skiplist_some() -> None:
    small = made(100)
    assert small.scan(0, 5) == (0, list(small.items()))
    for zset in (made(1000), made(20), made(5000)):
        zset.compact = False
        seen: list[tuple[bytes, float]] = []
        cursor, calls = 0, 0
        while calls == 0 or cursor:
            cursor, found = zset.scan(cursor, 10)
            seen += found
            calls += 1
        assert calls > 1
        assert sorted(seen) == sorted(zset.items())


def test_digest_parts_have_seventeen_digits() -> None:
    zset = made(0)
    for member, score in ((b"a", 0.1), (b"b", float("inf")), (b"c", 1e20), (b"d", 3.0)):
        zset.put(member, score, LIMITS)
    assert dict(zset.digest_parts()) == {b"a": b"0.10000000000000001", b"b": b"inf", b"c": b"1e+20", b"d": b"3"}
