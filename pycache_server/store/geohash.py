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
from math import asin, cos, nan, pi, sin, sqrt
from sys import byteorder
from typing import Final

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
FIRST_MIDDLE: Final = CELL_WIDTH / 2 - LONGITUDE
"""The longitude of the middle of the first column."""
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"

Place = tuple[float, float]
"""Longitude and latitude."""


# Columns and rows <-> numbers


def _spread(number: int) -> int:
    """The bits of a number, with a zero before each."""
    return int(f"{number:b}", 4)


_SPREAD = list(map(_spread, range((1 << 13) + 1)))
"""Of half of the bits that a column or a row has, and one more."""
_HEX = b"0123456789abcdef"
ROW_NIBBLES = bytes(_HEX[int(f"{byte & 0x55:x}".replace("4", "2").replace("5", "3"), 4)] for byte in range(256))
COLUMN_NIBBLES = bytes(ROW_NIBBLES[byte >> 1] for byte in range(256))
"""The four bits of a row, or of a column, that a byte of a number has, as a hexadecimal digit."""


def interleave(column: int, row: int) -> int:
    """The number of a cell. Either may be 2^26, beyond the end: the greatest longitude and latitude are."""
    spread = _SPREAD
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


Rectangle = tuple[int, int, int, int]
"""The first column and row of cells of the finest grid, and the last ones."""


def cells_around(place: Place, radius: float, bounds: Edges) -> list[Rectangle]:
    """Where to look for what is near a place: cells of a coarser grid, in Redis's order. ``bounds`` are those of what
    is wanted."""
    step = _step_for(radius, place[1])
    column, row = _cell_at(place, step)
    if step > 1 and _reaches_beyond(column, row, step, bounds):
        step -= 1
        column, row = _cell_at(place, step)
    columns = rows = _ALL
    if step >= 2:
        west, south, east, north = _edges(column, row, step)
        columns = _SOME[west < bounds[0], east > bounds[2]]
        rows = _SOME[south < bounds[1], north > bounds[3]]
    shift = STEP - step
    size, last = (1 << shift) - 1, (1 << step) - 1
    found: list[Rectangle] = []
    for to_east, to_north in _AROUND:
        if to_east in columns and to_north in rows:  # the last column is beside the first one, and so it is with rows
            first_column = (column + to_east & last if to_east else column) << shift
            first_row = (row + to_north & last if to_north else row) << shift
            cell = first_column, first_row, first_column + size, first_row + size
            if len(found) < 2 or cell != found[-1]:  # two cells to the east may be as far as to the west
                found.append(cell)
    return found


_SOME = {
    (no_less, no_more): frozenset((0, *(() if no_less else (-1,)), *(() if no_more else (1,))))
    for no_less in (False, True)
    for no_more in (False, True)
}
_ALL = _SOME[False, False]
_AROUND = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Which way it is to the cells to look into, east and north."""


def _cell_at(place: Place, step: int) -> tuple[int, int]:
    """The column and the row of a place, in a grid of 2^step of either."""
    side = 1 << step
    longitude, latitude = place
    return (
        int((longitude + LONGITUDE) / _LONGITUDE_SCALE * side),
        int((latitude + LATITUDE) / _LATITUDE_SCALE * side),
    )


def _moved(line: int, by: int, step: int) -> int:
    """A column or a row that is so many to the east or north. The last one is beside the first one."""
    return line + by & (1 << step) - 1 if by else line


def _edges(column: int, row: int, step: int) -> Edges:
    side = 1 << step
    return (
        -LONGITUDE + column / side * _LONGITUDE_SCALE,
        -LATITUDE + row / side * _LATITUDE_SCALE,
        -LONGITUDE + (column + 1) / side * _LONGITUDE_SCALE,
        -LATITUDE + (row + 1) / side * _LATITUDE_SCALE,
    )


def _reaches_beyond(column: int, row: int, step: int, bounds: Edges) -> bool:
    """Whether the cells around one do not cover something: near the end of the grid they do not."""
    _, _, east, north = _edges(_moved(column, 1, step), _moved(row, 1, step), step)
    west, south, _, _ = _edges(_moved(column, -1, step), _moved(row, -1, step), step)
    return north < bounds[3] or south > bounds[1] or east < bounds[2] or west > bounds[0]


_MERCATOR_MAX = 20037726.37


def _step_for(radius: float, latitude: float) -> int:
    """How fine a grid must be, so that nine cells hold a circle and are not much larger."""
    if not radius:
        return STEP
    step = -1
    while radius < _MERCATOR_MAX:
        radius *= 2
        step += 1
    step -= (abs(latitude) > 66) + (abs(latitude) > 80)  # meridians are closer to each other near the poles
    return max(1, min(step, STEP))
