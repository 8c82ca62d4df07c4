"""Union, intersection and difference of plain sets and Bags are those of Python's sets."""

from __future__ import annotations

import random
from itertools import chain

import pytest

from pycache_server.store.algebra import Elements, difference, intersection, union
from pycache_server.store.table import SMALL, Bag


def draw(chance: random.Random) -> Elements:
    size = chance.choice([0, 1, 5, 100, SMALL, SMALL + 1, 3000, 9000])
    start = chance.randrange(2000)
    drawn = {b"%d" % (start + number) for number in range(size)}
    return Bag(drawn) if size > SMALL else drawn


@pytest.mark.parametrize("seed", range(30))
def test_the_results_are_those_of_python(seed: int) -> None:
    chance = random.Random(seed)
    sets = [draw(chance) for _ in range(chance.choice([1, 2, 2, 3, 5]))]
    if chance.random() < 0.2:
        sets.append(sets[0])
    models = [set(each) for each in sets]
    assert set(union(sets)) == set[bytes]().union(*models), seed
    assert sorted(chain.from_iterable(intersection(sets))) == sorted(models[0].intersection(*models[1:])), seed
    others = [each for each in sets[1:] if each is not sets[0]]
    expected = models[0].difference(*map(set, others))
    assert sorted(chain.from_iterable(difference(sets[0], others))) == sorted(expected), seed
    assert [set(each) for each in sets] == models, f"operands must not change, seed {seed}"


def test_a_union_shares_nothing_with_its_operands() -> None:
    small, big = {b"a"}, Bag({b"%d" % number for number in range(3000)})
    for operands in ([small], [big], [small, big]):
        result = union(operands)
        result.add(b"new")
        assert b"new" not in small and b"new" not in big
    assert union([]) == set()
