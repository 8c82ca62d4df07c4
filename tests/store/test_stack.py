"""Stack distances beside a plain list, and hits by size."""

from __future__ import annotations

import random

import pytest

from pycache_server.store.stack import Curve, Stack


@pytest.mark.parametrize("seed", range(20))
def test_distances_are_those_of_a_list(seed: int) -> None:
    chance = random.Random(seed)
    most = chance.choice([1, 5, 30, 200])
    stack, model = Stack(), list[tuple[bytes, int]]()  # newest last
    for _ in range(600):
        name, size = b"%d" % chance.randrange(most + 5), chance.randrange(1, 100)
        place = next((place for place, (other, _) in enumerate(model) if other == name), None)
        action = chance.choice(["touch", "touch", "touch", "resize", "remove"])
        if action == "touch":
            if place is None and len(model) > most:
                assert stack.oldest() == model[0][0]
                stack.remove(model.pop(0)[0])
            expected = None if place is None else sum(each for _, each in model[place:])
            assert stack.touch(name, size) == expected, seed
            if place is not None:
                del model[place]
            model.append((name, size))
        elif place is not None and action == "resize":
            stack.resize(name, size)
            model[place] = name, size
        elif place is not None:
            stack.remove(name)
            del model[place]
        assert len(stack) == len(model) and stack.total == sum(size for _, size in model), seed
        assert (name in stack) == any(other == name for other, _ in model)
    stack._check()


def test_a_curve_tells_the_hits_of_every_size_to_two_percent() -> None:
    curve, chance = Curve(), random.Random(1)
    distances = [chance.randrange(1, 100_000) for _ in range(2000)]
    for distance in distances:
        curve.add(distance, 2.0)
    for size in (1, 10, 1000, 12_345, 50_000, 100_000):
        fewest = 2 * sum(distance <= size * 0.977 for distance in distances)
        most = 2 * sum(distance <= size for distance in distances)
        assert fewest <= curve.hits(size) <= most
    assert curve.hits(0) == 0
    assert curve.hits(200_000) == 4000
