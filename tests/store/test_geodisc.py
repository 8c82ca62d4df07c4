"""Circles on a plane: what is said to be surely so is so."""

from __future__ import annotations

from array import array
from math import cos, radians, sin
from random import Random

import pytest

from pycache_server.store.geodisc import NOT, PERHAPS, SURELY, WIDEST
from pycache_server.store.geohash import Place, decode, distance, encode
from pycache_server.store.geosearch import Circle

METRES = 111_195.0
"""Of a degree of latitude."""


def near_the_edge(random: Random, middle: Place, radius: float, spread: float) -> Place:
    way, far = random.uniform(0, 360), radius * (1 + random.gauss(0, spread))
    east, north = far * sin(radians(way)), far * cos(radians(way))
    return middle[0] + east / METRES / cos(radians(middle[1])), middle[1] + north / METRES


@pytest.mark.parametrize("latitude", [-79.0, -60.0, -33.0, -1.0, 10.0, 40.0, 52.5, 70.0, 79.0])
@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0])
def test_only_what_is_near_the_edge_must_be_measured(latitude: float, spread: float) -> None:
    random = Random(f"{latitude}{spread}")
    sifted = left = 0
    for _ in range(40):
        middle = random.uniform(-170, 170), latitude + random.uniform(-1, 1)
        circle = Circle(middle, 10 ** random.uniform(2, 5))
        numbers = sorted(encode(*near_the_edge(random, middle, circle.reach, spread)) for _ in range(200))
        scores = array("d", map(float, numbers))
        ranges = [(scores[0], scores[-1] + 1)]
        verdicts = circle.window.sift(scores, ranges, circle.margin) if circle.margin < WIDEST else None
        if verdicts is None:
            continue
        assert len(verdicts) == len(numbers)
        for place, verdict in zip(decode(numbers), verdicts, strict=True):
            assert verdict == PERHAPS or verdict == (SURELY if distance(middle, place) <= circle.reach else NOT)
        sifted += len(numbers)
        left += verdicts.count(PERHAPS)
    assert sifted > 2000
    assert spread < 1 or left < 0.1 * sifted


def test_a_window_that_reaches_beyond_the_grid_is_not_sifted() -> None:
    for middle in ((0.1, 85.0), (0.1, -85.04), (179.99, 1.0), (-179.99, 1.0)):
        circle = Circle(middle, 20_000.0)
        scores = array("d", [float(encode(*middle))])
        ranges = [(scores[0], scores[0] + 1)]
        assert circle.margin >= WIDEST or circle.window.sift(scores, ranges, circle.margin) is None
