"""Searches against measuring every member."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.geoflat import circle_around, flat_circle
from pycache_server.store.geohash import LATITUDE, Place, decode, distance, encode
from pycache_server.store.geosearch import Box, Circle, Region
from pycache_server.store.zset import SortedSet
from tests.conftest import more_in_ci


def set_of(places: list[Place]) -> SortedSet:
    return SortedSet.of({b"%d" % number: float(encode(*place)) for number, place in enumerate(places)}, Encodings())


def place_near(random: Random, around: Place, spread: float) -> Place:
    longitude = (around[0] + random.gauss(0, spread) + 540) % 360 - 180
    return longitude, max(-LATITUDE, min(LATITUDE, around[1] + random.gauss(0, spread)))


@pytest.mark.parametrize("around", [(13.4, 52.5), (-179.99, 0.0), (179.99, -40.0), (0.0, 70.0), (0.0, 0.0)])
@pytest.mark.parametrize("count", [30, 3000])
def test_a_circle_holds_what_is_near_enough_measured_or_not(around: Place, count: int) -> None:
    random = Random(f"{around}{count}")
    zset = set_of([place_near(random, around, random.choice((0.001, 0.1, 2))) for _ in range(count)])
    places = dict(zip(zset, decode(map(int, (score for _, score in zset.items()))), strict=True))
    for _ in range(more_in_ci(10, 30)):
        middle = place_near(random, around, 0.1)
        radius = 10 ** random.uniform(0, 5)
        expected = {member for member, place in places.items() if distance(middle, place) <= radius}
        circle = circle_around(middle, radius)
        measured, chosen = circle.search(zset, 0, True, True), circle.search(zset, 0, False, False)
        assert measured.members == chosen.members == Circle(middle, radius).search(zset, 0, False, False).members
        assert set(measured.members) == expected
        assert measured.distances == [distance(middle, places[member]) for member in measured.members]
        assert chosen.distances == chosen.scores == []
        assert measured.scores == [zset.score(member) for member in measured.members]


def test_a_box_has_sides_of_its_own() -> None:
    zset = set_of([(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)])
    assert sorted(Box((0.0, 0.0), 70_000.0, 70_000.0, 99_000.0).search(zset, 0, False, False).members) == [
        b"0",
        b"1",
        b"2",
        b"3",
    ]
    assert sorted(Box((0.0, 0.0), 70_000.0, 100.0, 70_000.0).search(zset, 0, False, False).members) == [b"0", b"1"]
    assert sorted(Box((0.0, 0.0), 100.0, 70_000.0, 70_000.0).search(zset, 0, False, False).members) == [b"0", b"2"]


@pytest.mark.parametrize("around", [Circle, flat_circle])
def test_a_limited_search_gives_the_beginning_of_the_whole_one(around: Callable[[Place, float], Region]) -> None:
    random = Random(4)
    zset = set_of([place_near(random, (10.0, 50.0), 0.5) for _ in range(5000)])
    circle = around((10.0, 50.0), 60_000.0)
    whole = circle.search(zset, 0, True, True)
    assert len(whole.members) > 1000
    for limit in (1, 10, 700):
        some = circle.search(zset, limit, False, True)
        assert (some.members, some.distances) == (whole.members[:limit], whole.distances[:limit])


@pytest.mark.parametrize("longitude", [-180.0, 180.0])
@pytest.mark.parametrize("latitude", [-LATITUDE, -60.0, 0.0, 60.0, LATITUDE])
def test_the_ends_of_the_world_are_searched(longitude: float, latitude: float) -> None:
    zset = set_of([(longitude, latitude), (-longitude, latitude), (0.0, 0.0)])
    for reach in (1000.0, 1_000_000.0):
        for shape in (circle_around((longitude, latitude), reach), Box((longitude, latitude), reach, reach, 2 * reach)):
            assert b"0" in shape.search(zset, 0, False, False).members
            assert b"0" in shape.search(zset, 1, False, True).members + shape.search(zset, 2, False, True).members


@pytest.mark.parametrize("radius", [0.0, 1e-9, 3e7, 1e300, inf])
def test_no_radius_is_too_small_or_too_large(radius: float) -> None:
    zset = set_of([(0.0, 0.0), (179.9, 85.0), (-180.0, -LATITUDE), (179.0, 0.0)])
    place = decode([encode(0.0, 0.0)])[0]
    assert len(circle_around(place, radius).search(zset, 0, False, False).members) == (4 if radius > 1 else 1)
    assert len(Box(place, radius, radius, radius).search(zset, 0, False, False).members) in (
        (2, 3, 4) if radius > 1 else (1,)
    )
