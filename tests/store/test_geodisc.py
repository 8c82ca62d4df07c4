"""Circles on a plane: what is said to be surely so is so."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, inf, pi, radians, sin
from random import Random

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.geodisc import NOT, PERHAPS, SURELY
from pycache_server.store.geoflat import flat_circle
from pycache_server.store.geohash import (
    CELL_HEIGHT,
    CELL_WIDTH,
    EARTH_RADIUS,
    LATITUDE,
    LONGITUDE,
    SIDE,
    Place,
    decode,
    distance,
    encode,
)
from pycache_server.store.geosearch import Circle
from pycache_server.store.zset import SortedSet
from tests.conftest import some_slow

METRES = 111_195.0
"""Of a degree of latitude."""


def near_the_edge(random: Random, middle: Place, radius: float, spread: float) -> Place:
    way, far = random.uniform(0, 360), radius * (1 + random.gauss(0, spread))
    east, north = far * sin(radians(way)), far * cos(radians(way))
    return middle[0] + east / METRES / cos(radians(middle[1])), middle[1] + north / METRES


def at_a_distance(random: Random, middle: Place, metres: float) -> Place:
    """A place that is so far away, on the sphere."""
    way, far, latitude = random.uniform(0, 2 * pi), metres / EARTH_RADIUS, radians(middle[1])
    there = asin(sin(latitude) * cos(far) + cos(latitude) * sin(far) * cos(way))
    east = atan2(sin(way) * sin(far) * cos(latitude), cos(far) - sin(latitude) * sin(there))
    return middle[0] + degrees(east), degrees(there)


@pytest.mark.parametrize("latitude", some_slow([-60.0, 0.0, 52.5, 79.0, -79.0, -33.0, -1.0, 10.0, 40.0, 70.0], 4))
@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0])
def test_only_what_is_near_the_edge_must_be_measured(latitude: float, spread: float) -> None:
    random = Random(f"{latitude}{spread}")
    sifted = left = 0
    for turn in range(60):
        longitude = random.uniform(-170, 170) if turn % 3 else random.uniform(-0.01, 0.01)
        middle, radius = (longitude, latitude + random.uniform(-1, 1)), 10 ** random.uniform(1, 5.5)
        places = [near_the_edge(random, middle, radius, spread) for _ in range(200)]
        scores_of = {b"%f %f" % place: float(encode(*place)) for place in places if abs(place[1]) <= LATITUDE}
        zset = SortedSet.of(scores_of, Encodings())
        circle = flat_circle(middle, radius)
        if circle is None or not (scores := zset.gather(circle.ranges())[1]):
            continue
        verdicts = circle.sift(scores)
        assert len(verdicts) == len(scores)
        for place, verdict in zip(decode(map(int, scores)), verdicts, strict=True):
            assert verdict == PERHAPS or verdict == (SURELY if distance(middle, place) <= radius else NOT)
        sifted += len(scores)
        left += verdicts.count(PERHAPS)
    assert sifted > 4000
    assert spread < 1 or left < 0.15 * sifted


@pytest.mark.parametrize("radius", [30.0, 444.0, 5000.0, 77_000.0])
def test_what_is_far_from_the_circle_in_its_cells_is_not_taken_for_something_near(radius: float) -> None:
    random = Random(radius)
    for _ in range(40):
        middle = random.uniform(-170, 170), random.uniform(-60, 60)
        circle = flat_circle(middle, radius)
        assert circle is not None
        ranges = circle.ranges()
        numbers = sorted({random.randrange(int(low), int(high)) for low, high in ranges for _ in range(50)})
        zset = SortedSet.of({b"%d" % number: float(number) for number in numbers}, Encodings())
        _, scores = zset.gather(sorted(ranges))
        for place, verdict in zip(decode(map(int, scores)), circle.sift(scores), strict=True):
            assert verdict == PERHAPS or verdict == (SURELY if distance(middle, place) <= radius else NOT)


def test_what_is_not_flat_or_hardly_wider_than_a_cell_is_not_sifted() -> None:
    for place in ((0.1, 85.0), (0.1, -85.04), (179.99, 1.0), (-179.99, 1.0), (-179.0, 1.0)):
        assert flat_circle(place, 150_000.0) is None
    assert flat_circle((10.0, 10.0), 1_000_000.0) is None
    assert flat_circle((10.0, 10.0), inf) is None
    assert flat_circle((10.0, 10.0), 2.0) is None
    assert flat_circle((10.0, 10.0), 0.0) is None


@pytest.mark.parametrize("spread", [1e-9, 1e-7, 1e-5, 1e-3])
def test_however_near_the_edge_something_is_the_formula_decides(spread: float) -> None:
    random = Random(spread)
    inside = outside = 0
    for _ in range(60):
        middle, radius = (random.uniform(-170, 170), random.uniform(-80, 80)), 10 ** random.uniform(1.3, 5)
        places = [at_a_distance(random, middle, radius * (1 + random.gauss(0, spread))) for _ in range(50)]
        scores = sorted({float(encode(*place)) for place in places if abs(place[1]) <= LATITUDE})
        circle = flat_circle(middle, radius)
        if circle is None or not scores:
            continue
        zset = SortedSet.of({b"%d" % score: score for score in scores}, Encodings())
        expected = {b"%d" % score for score in scores if distance(middle, decode([int(score)])[0]) <= radius}
        assert set(circle.search(zset, 0, False, False).members) == expected
        inside += len(expected)
        outside += len(scores) - len(expected)
    assert inside > 500 and outside > 500


def test_on_flat_ground_the_cells_are_those_of_any_circle_in_the_same_order() -> None:
    """The general way leaves out the cells that Redis leaves out; some of them, in which nothing can be within, the
    other one looks at, too."""
    random = Random(5)
    found = 0
    for turn in range(3000):
        cell = 1 << random.randrange(4, 22)
        near = random.randrange(0, SIDE, cell) + random.choice((-1, 0, 1)), random.randrange(0, SIDE, cell)
        grid = near[0] * CELL_WIDTH - LONGITUDE, near[1] * CELL_HEIGHT - LATITUDE
        place = grid if turn % 2 else (random.uniform(-180, 180), random.uniform(-85, 85))
        if not (-180 <= place[0] <= 180 and abs(place[1]) <= LATITUDE):
            continue
        radius = 10 ** random.uniform(1, 5.8)
        circle = flat_circle(place, radius)
        if circle is None:
            continue
        found += 1
        expected = Circle(place, radius).ranges()
        ranges = [each for each in circle.ranges() if each in expected]
        assert ranges == expected, (place, radius)
    assert found > 1000
