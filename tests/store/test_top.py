"""Space-Saving beside exact counts: its bounds hold for any stream."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pycache_server.store.top import Frequent, Top
from tests.evict.simulate import zipf


def test_what_fits_is_counted_exactly() -> None:
    top = Top[str](3)
    for letter in "abacab":
        top.add(letter)
    assert top.most(2) == [Frequent("a", 3, 0), Frequent("b", 2, 0)]
    assert len(top) == 3
    top.add("d")  # takes the counter of c
    assert Frequent("d", 2, 1) in top.most(9)
    assert len(top.most(9)) == 3


@pytest.mark.parametrize("seed", range(20))
def test_the_bounds_hold(seed: int) -> None:
    chance = random.Random(seed)
    room = chance.choice([1, 2, 10, 50])
    names = chance.choice([5, 40, 500])
    stream = zipf(2000, names, chance.choice([0, 0.8, 1.5]), seed)
    top, exact = Top[int](room), Counter[int]()
    for name in stream:
        top.add(name)
        exact[name] += 1
    top._check()
    found = top.most(room)
    assert [each.most for each in found] == sorted((each.most for each in found), reverse=True)
    for each in found:
        assert each.most - each.error <= exact[each.name] <= each.most, seed
        assert each.error <= len(stream) / room
    often = {name for name, count in exact.items() if count > len(stream) / room}
    assert often <= {each.name for each in found}, seed
