"""Geohashes: numbers and places, cells in their order, distances."""

from __future__ import annotations

from math import inf, isnan, nextafter
from random import Random

import pytest

from pycache_server.store.geohash import (
    LATITUDE,
    SIDE,
    cells_around,
    decode,
    deinterleave,
    distance,
    encode,
    interleave,
    number_of,
    text_of,
)
from pycache_server.store.geowindow import Window

PALERMO, CATANIA = (13.361389, 38.115556), (15.087269, 37.502669)


def test_a_place_has_the_number_that_redis_gives_it() -> None:
    assert encode(*PALERMO) == 3479099956230698
    assert encode(*CATANIA) == 3479447370796909
    assert encode(-180.0, -LATITUDE) == 0


def test_columns_and_rows_come_back_from_numbers() -> None:
    random = Random(1)
    cells = [(random.randrange(SIDE), random.randrange(SIDE)) for _ in range(500)] + [(0, 0), (SIDE, SIDE)]
    columns, rows = deinterleave(interleave(*cell) for cell in cells)
    assert list(zip(columns, rows, strict=True)) == cells
    assert list(map(len, deinterleave([]))) == [0, 0]


def test_a_number_is_decoded_to_the_middle_of_its_cell() -> None:
    random = Random(2)
    for _ in range(500):
        place = random.uniform(-180, 180), random.uniform(-LATITUDE, LATITUDE)
        (found,) = decode([encode(*place)])
        assert abs(found[0] - place[0]) <= 180 / SIDE
        assert abs(found[1] - place[1]) <= LATITUDE / SIDE * 1.001
        assert encode(*found) == encode(*place)
    longitude, latitude = decode([encode(*PALERMO)])[0]
    assert f"{longitude:.17f} {latitude:.17f}" == "13.36138933897018433 38.11555639549629859"


def test_the_end_of_the_grid_is_not_left() -> None:
    assert decode([encode(180.0, LATITUDE)]) == [(180.0, LATITUDE)]
    assert decode([(1 << 64) - 1]) == [(180.0, LATITUDE)]


@pytest.mark.parametrize(
    ("score", "number"),
    [(5.9, 5), (-1.5, 2**64 - 1), (2.0**63, 2**63), (inf, 0), (-inf, 2**63), (1e300, 0), (-1e300, 2**63)],
)
def test_any_score_is_a_number(score: float, number: int) -> None:
    assert number_of(score) == number


def test_text_is_that_of_the_usual_geohash() -> None:
    assert text_of(decode([encode(*PALERMO)])[0]) == b"sqc8b49rny0"
    assert text_of(decode([encode(*CATANIA)])[0]) == b"sqdtr74hyu0"


def test_distances() -> None:
    assert round(distance(PALERMO, CATANIA)) == 166274
    assert distance(PALERMO, PALERMO) == 0
    assert distance((10.0, 0.0), (10.0, 1.0)) == pytest.approx(111226.3, abs=0.1)
    assert isnan(distance((0.0, 0.0), (180.0, 0.0))) or distance((0.0, 0.0), (180.0, 0.0)) > 2e7


def test_cells_are_looked_into_in_the_order_of_redis_and_none_twice() -> None:
    everywhere = Window(0, SIDE - 1, 0, SIDE - 1)
    quarter = 1 << 50
    assert everywhere.ranges(cells_around((0.0, 0.0), 1e7, (-90.0, -80.0, 90.0, 80.0))) == [
        (number * quarter, (number + 1) * quarter) for number in (3, 2, 1, 0)
    ]
    nearby = everywhere.ranges(cells_around(PALERMO, 1000.0, (13.35, 38.10, 13.37, 38.12)))
    assert len(set(nearby)) == len(nearby) <= 9
    first, end = nearby[0]
    assert first <= encode(*PALERMO) < end


@pytest.mark.parametrize("doublings", range(30))
def test_a_grid_is_as_fine_as_the_radius_can_be_doubled(doublings: int) -> None:
    """Half around the world is 20037726.37 m; the numbers are right where it is met exactly, and just not."""
    steps = [max(1, min(step, 26)) for step in (doublings, doublings - 1)]
    half = 20037726.37 / (1 << doublings)
    found = [cells_around((0.0, 0.0), radius, (0.0, 0.0, 0.0, 0.0)).shift for radius in (nextafter(half, 0), half)]
    assert [26 - shift for shift in found] == steps
