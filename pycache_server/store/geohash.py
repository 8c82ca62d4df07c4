"""Geohashes: places on Earth as 52-bit numbers, which are the scores of a sorted set.

The world between the latitudes that Mercator maps show is a grid of 2^26 by 2^26 cells. The bits of a cell's column and
row are interleaved, a column's bit before a row's, so that places that are near each other have numbers that mostly
are. With fewer bits, ``step`` of each kind, the grid is coarser, and a cell of it is a range of numbers.

Every sum is made as Redis makes it, in the same order, since clients see the last digits. Angles are in degrees,
distances in metres.

Source: the geohash of Gustavo Niemeyer (2008), and the haversine formula.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache
from math import asin, cos, frexp, nan, pi, sin, sqrt
from sys import byteorder
from typing import Final, NamedTuple

LONGITUDE: Final = 180.0
"""The greatest longitude."""
LATITUDE: Final = 85.05112878
"""The greatest latitude."""
STEP: Final = 26
"""Bits of a column and of a row."""
SIDE: Final = 1 << STEP
"""Columns and rows of the finest grid."""
RADIANS: Final = pi / 180.0
EARTH_RADIUS: Final = 6372797.560856
DIAMETER: Final = 2.0 * EARTH_RADIUS
_LONGITUDE_SCALE = 360.0
_LATITUDE_SCALE = LATITUDE + LATITUDE
CELL_WIDTH: Final = _LONGITUDE_SCALE / SIDE
CELL_HEIGHT: Final = _LATITUDE_SCALE / SIDE
COLUMNS_OF_DEGREE: Final = SIDE / _LONGITUDE_SCALE
ROWS_OF_DEGREE: Final = SIDE / _LATITUDE_SCALE
FIRST_MIDDLE: Final = CELL_WIDTH / 2 - LONGITUDE
"""The longitude of the middle of the first column."""
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"

Place = tuple[float, float]
"""Longitude and latitude."""


# Columns and rows <-> numbers


def _spread(number: int) -> int:
    """The bits of a number, with a zero before each."""
    return int(f"{number:b}", 4)


SPREAD = list(map(_spread, range((1 << 13) + 1)))
"""Of half of the bits that a column or a row has, and one more."""
_HEX = b"0123456789abcdef"
ROW_NIBBLES = bytes(_HEX[int(f"{byte & 0x55:x}".replace("4", "2").replace("5", "3"), 4)] for byte in range(256))
COLUMN_NIBBLES = bytes(ROW_NIBBLES[byte >> 1] for byte in range(256))
"""The four bits of a row, or of a column, that a byte of a number has, as a hexadecimal digit."""


def bits_of(line: int) -> int:
    """The bits of a column or a row, with a zero before each."""
    return (SPREAD[line >> 13] << 26) + SPREAD[line & 8191] if line <= SIDE else _spread(line)


def interleave(column: int, row: int) -> int:
    """The number of a cell. Either may be 2^26, beyond the end: the greatest longitude and latitude are."""
    spread = SPREAD
    return (spread[column >> 13] << 27) + (spread[column & 8191] << 1) + (spread[row >> 13] << 26) + spread[row & 8191]


def deinterleave(numbers: Iterable[int]) -> tuple[array[int], array[int]]:
    """The columns and the rows of cells, many at once: the bits that belong to either are put together by the
    translation of bytes, which takes a tenth of the time that arithmetic does."""
    data = array("Q", numbers)
    if byteorder == "little":
        data.byteswap()
    raw = data.tobytes()
    found = []
    for nibbles in (COLUMN_NIBBLES, ROW_NIBBLES):
        part = array("I", bytes.fromhex(raw.translate(nibbles).decode("ascii")))
        if byteorder == "little":
            part.byteswap()
        found.append(part)
    return found[0], found[1]


def encode(longitude: float, latitude: float) -> int:
    """The number of the cell of the finest grid in which a place is."""
    return interleave(
        int((longitude + LONGITUDE) / _LONGITUDE_SCALE * SIDE), int((latitude + LATITUDE) / _LATITUDE_SCALE * SIDE)
    )


def decode(numbers: Iterable[int]) -> list[Place]:
    """The middles of cells of the finest grid. Numbers have 64 bits; beyond the grid is its edge."""
    return list(map(middle, *deinterleave(numbers)))


def middle(column: int, row: int) -> Place:
    """The middle of a cell of the finest grid."""
    longitude = column * CELL_WIDTH + FIRST_MIDDLE  # exactly what the mean of both edges is
    latitude = (row * CELL_HEIGHT - LATITUDE + ((row + 1) * CELL_HEIGHT - LATITUDE)) / 2
    return min(longitude, LONGITUDE), min(latitude, LATITUDE)


def place_at(number: int) -> Place:
    """The middle of one cell of the finest grid: 1 us, where ``decode`` takes 3 for one and 0.4 for each of many."""
    raw = number.to_bytes(8, "big")
    return middle(int(raw.translate(COLUMN_NIBBLES), 16), int(raw.translate(ROW_NIBBLES), 16))


_MOST_KNOWN = 1 << 14


class AnglesOf(dict[float, complex]):
    """The places of scores that are numbers of cells, in radians, as ``distance`` calculates with them: a longitude as
    the real part, a latitude as the imaginary one. So they are one object each: 50 of them that were not used lately
    take as long to fetch as to calculate with. Those that were asked for are kept, 150 bytes each, up to a number."""

    __slots__ = ()

    def __missing__(self, score: float) -> complex:
        longitude, latitude = place_at(int(score))
        if len(self) >= _MOST_KNOWN:
            self.clear()
        found = self[score] = complex(longitude * RADIANS, latitude * RADIANS)
        return found


def number_of(score: float) -> int:
    """The number that a score is, made of any double as C does it on most machines, where it is undefined."""
    if 0 <= score < 2.0**64:
        return int(score)
    if -(2.0**63) <= score < 0:
        return int(score) & (1 << 64) - 1
    return 0 if score > 0 else 1 << 63


def text_of(place: Place) -> bytes:
    """The geohash of a place as it is written elsewhere: eleven characters, for a grid that reaches to the poles."""
    longitude, latitude = place
    bits = interleave(int((longitude + LONGITUDE) / _LONGITUDE_SCALE * SIDE), int((latitude + 90.0) / LONGITUDE * SIDE))
    return bytes(_ALPHABET[bits >> shift & 31] for shift in range(47, 0, -5)) + b"0"


# Distances


def distance(one: Place, other: Place) -> float:
    """The distance of two places on a sphere, by the haversine formula."""
    latitude, other_latitude = one[1] * RADIANS, other[1] * RADIANS
    v = sin((other[0] * RADIANS - one[0] * RADIANS) / 2)
    if v == 0.0:
        return EARTH_RADIUS * abs(other_latitude - latitude)
    u = sin((other_latitude - latitude) / 2)
    square = u * u + cos(latitude) * cos(other_latitude) * v * v
    return DIAMETER * asin(sqrt(square)) if square <= 1.0 else nan


# Cells

Edges = tuple[float, float, float, float]
"""The least longitude and latitude of something and the greatest."""
Around = tuple[tuple[int, int], ...]
"""Which way it is to some cells from the one in the middle, east and north."""


class Cells(NamedTuple):
    """The cell of a place in a grid whose cells are 2^shift columns and rows of the finest one, and those around it, in
    the order in which Redis looks into them."""

    shift: int
    column: int
    row: int
    around: Around
    """The first column is beside the last one, and so it is with rows."""
    west: int
    """-1 where there are cells to the west of the middle, else 0; and so on."""
    east: int
    south: int
    north: int


def cells_around(place: Place, radius: float, bounds: Edges) -> Cells:
    """Where to look for what is near a place. ``bounds`` are those of what is wanted."""
    step = step_for(radius, place[1])
    column, row = _cell_at(place, step)
    if step > 1 and reaches_beyond(column, row, step, bounds):
        step -= 1
        column, row = _cell_at(place, step)
    shift = STEP - step
    if step == 1:
        return Cells(shift, column, row, _QUARTERS, -1, 1, -1, 1)
    side = 1 << step
    west = -1 if not -LONGITUDE + column / side * _LONGITUDE_SCALE < bounds[0] else 0
    south = -1 if not -LATITUDE + row / side * _LATITUDE_SCALE < bounds[1] else 0
    east = 1 if not -LONGITUDE + (column + 1) / side * _LONGITUDE_SCALE > bounds[2] else 0
    north = 1 if not -LATITUDE + (row + 1) / side * _LATITUDE_SCALE > bounds[3] else 0
    return Cells(shift, column, row, _around(west, east, south, north), west, east, south, north)


_AROUND = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Of a grid of two columns and rows, where it is as far to the east as to the west."""


@cache
def _around(west: int, east: int, south: int, north: int) -> Around:
    return tuple(way for way in _AROUND if west <= way[0] <= east and south <= way[1] <= north)


def _cell_at(place: Place, step: int) -> tuple[int, int]:
    """The column and the row of a place, in a grid of 2^step of either."""
    side = 1 << step
    longitude, latitude = place
    return (
        int((longitude + LONGITUDE) / _LONGITUDE_SCALE * side),
        int((latitude + LATITUDE) / _LATITUDE_SCALE * side),
    )


def reaches_beyond(column: int, row: int, step: int, bounds: Edges) -> bool:
    """Whether the cells around one do not cover something: near the end of the grid they do not."""
    side = 1 << step
    last = side - 1
    return (
        -LATITUDE + ((row + 1 & last) + 1) / side * _LATITUDE_SCALE < bounds[3]
        or -LATITUDE + (row - 1 & last) / side * _LATITUDE_SCALE > bounds[1]
        or -LONGITUDE + ((column + 1 & last) + 1) / side * _LONGITUDE_SCALE < bounds[2]
        or -LONGITUDE + (column - 1 & last) / side * _LONGITUDE_SCALE > bounds[0]
    )


_MERCATOR_MAX = 20037726.37
_MAX_FRACTION, _MAX_EXPONENT = frexp(_MERCATOR_MAX)


def step_for(radius: float, latitude: float) -> int:
    """How fine a grid must be, so that nine cells hold a circle and are not much larger: one step less than the times
    that the radius must be doubled to reach half around the world."""
    if not radius:
        return STEP
    step = -1
    if radius < _MERCATOR_MAX:
        fraction, exponent = frexp(radius)
        step = _MAX_EXPONENT - exponent - (fraction >= _MAX_FRACTION)
    step -= (abs(latitude) > 66) + (abs(latitude) > 80)  # meridians are closer to each other near the poles
    return max(1, min(step, STEP))
