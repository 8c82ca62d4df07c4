"""Circles on a plane: what is said to be surely so is so."""

from __future__ import annotations

from math import cos, radians, sin
from random import Random

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.geodisc import NOT, PERHAPS, SURELY
from pycache_server.store.geohash import LATITUDE, Place, decode, distance, encode
from pycache_server.store.geosearch import Circle
from pycache_server.store.zset import SortedSet

METRES = 111_195.0
"""Of a degree of latitude."""


def near_the_edge(random: Random, middle: Place, radius: float, spread: float) -> Place:
    way, far = random.uniform(0, 360), radius * (1 + random.gauss(0, spread))
    east, north = far * sin(radians(way)), far * cos(radians(way))
    return middle[0] + east / METRES / cos(radians(middle[1])), middle[1] + north / METRES


@pytest.mark.parametrize("latitude", [-79.0, -60.0, -33.0, -1.0, 0.0, 10.0, 40.0, 52.5, 70.0, 79.0])
@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0])
def test_only_what_is_near_the_edge_must_be_measured(latitude: float, spread: float) -> None:
    random = Random(f"{latitude}{spread}")
    sifted = left = 0
    for turn in range(60):
        longitude = random.uniform(-170, 170) if turn % 3 else random.uniform(-0.01, 0.01)
        circle = Circle((longitude, latitude + random.uniform(-1, 1)), 10 ** random.uniform(1, 5.5))
        places = [near_the_edge(random, circle.place, circle.reach, spread) for _ in range(200)]
        scores_of = {b"%f %f" % place: float(encode(*place)) for place in places if abs(place[1]) <= LATITUDE}
        zset = SortedSet.of(scores_of, Encodings())
        ranges = circle.window.ranges(circle.cells)
        _, scores = zset.gather(ranges)
        disc = circle.disc()
        if disc is None or not scores:
            continue
        verdicts = disc.sift(scores, min(ranges)[0], max(ranges)[1])
        assert len(verdicts) == len(scores)
        for place, verdict in zip(decode(map(int, scores)), verdicts, strict=True):
            assert verdict == PERHAPS or verdict == (SURELY if distance(circle.place, place) <= circle.reach else NOT)
        sifted += len(scores)
        left += verdicts.count(PERHAPS)
    assert sifted > 4000
    assert spread < 1 or left < 0.15 * sifted


@pytest.mark.parametrize("radius", [30.0, 444.0, 5000.0, 77_000.0])
def test_what_is_far_from_the_circle_in_its_cells_is_not_taken_for_something_near(radius: float) -> None:
    random = Random(radius)
    for _ in range(40):
        circle = Circle((random.uniform(-170, 170), random.uniform(-60, 60)), radius)
        disc = circle.disc()
        assert disc is not None
        ranges = circle.window.ranges(circle.cells)
        numbers = sorted({random.randrange(int(low), int(high)) for low, high in ranges for _ in range(50)})
        zset = SortedSet.of({b"%d" % number: float(number) for number in numbers}, Encodings())
        _, scores = zset.gather(sorted(ranges))
        verdicts = disc.sift(scores, min(ranges)[0], max(ranges)[1])
        for place, verdict in zip(decode(map(int, scores)), verdicts, strict=True):
            assert verdict == PERHAPS or verdict == (SURELY if distance(circle.place, place) <= circle.reach else NOT)


def test_what_is_not_flat_or_hardly_wider_than_a_cell_is_not_sifted() -> None:
    for place in ((0.1, 85.0), (0.1, -85.04), (179.99, 1.0), (-179.99, 1.0)):
        assert Circle(place, 20_000.0).disc() is None
    assert Circle((10.0, 10.0), 1_000_000.0).disc() is None
    assert Circle((10.0, 10.0), 2.0).disc() is None
    assert Circle((10.0, 10.0), 0.0).disc() is None
