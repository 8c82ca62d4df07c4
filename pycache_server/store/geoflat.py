"""Circles where the Earth is flat: most that are asked for, from ten metres up to a few hundred kilometres, but at the
poles and the date line.

For these neither the window of columns and rows nor the cells around it have special cases, so the ranges of numbers
follow from six columns and rows. Where nobody wants to know distances, nothing is measured but what is close to the
edge: the Earth is flat enough to count in strips of columns and rows, with an error that is known (geodisc.py). What is
known of a radius wherever it is asked for is kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache
from itertools import compress
from math import asin, cos, sin, sqrt, tan
from typing import NamedTuple

from pycache_server.store.geodisc import ERRORS, NOT, PERHAPS, Strips, sift, strips_for, verdicts_of
from pycache_server.store.geohash import (
    CELL_HEIGHT,
    CELL_WIDTH,
    COLUMNS_OF_DEGREE,
    DIAMETER,
    EARTH_RADIUS,
    LATITUDE,
    LONGITUDE,
    RADIANS,
    ROWS_OF_DEGREE,
    SIDE,
    SPREAD,
    STEP,
    AnglesOf,
    Place,
    reaches_beyond,
    step_for,
)
from pycache_server.store.geosearch import ROUNDING, Circle, Hits, Region
from pycache_server.store.geowindow import Range

_FLAT = 0.1
"""The greatest error of a square on the plane that is worth the while."""
_WIDEST = 1_000_000.0
_SLACK = 1e-8
"""What rounding may make of a square on the plane, of the smallest circle that is flat ground: ten times of that."""

_LINE_BITS = (4**STEP - 1) // 3
_OTHER_BITS = _LINE_BITS << 1
_SLIGHTLY_LESS = 1 - ROUNDING
_DEGREES_AROUND = 2 * LONGITUDE
_DEGREES_UP = LATITUDE + LATITUDE

Line = tuple[int, int]
"""The spread bits of the first and the last of some columns or rows."""
Lines = tuple[Line | None, Line, Line | None]
Plane = tuple[float, float, Strips, Strips, bytes]
"""The least score that is looked for, the one behind the greatest, and the rest of what ``sift`` takes."""
Ellipse = tuple[float, float, float, float]
"""What a circle is on the plane of longitudes and latitudes: the radius in either, in radians, and the squares, in
those of the radius, up to which something is surely within and from which on it surely is not."""


class Ring(NamedTuple):
    """What is known of the circles of a radius, wherever they are."""

    angle: float
    """The radius as seen from the centre of the Earth, in radians."""
    sine: float
    height: float
    """The radius in degrees of latitude; and a little more, in which nothing is missed for rounding."""
    tall: float
    rows: float
    """The radius in rows of the finest grid."""
    step: int
    """How fine the grid is, but near the poles."""


@lru_cache(1024)
def ring_of(reach: float) -> Ring | None:
    """The ring of a radius in metres; None where that is too large to be flat."""
    if reach > _WIDEST:
        return None
    angle = reach / EARTH_RADIUS
    height = angle / RADIANS
    tall = height * (1 + ROUNDING) + ROUNDING
    return Ring(angle, sin(angle), height, tall, height * ROWS_OF_DEGREE, step_for(reach, 0.0))


def circle_around(place: Place, reach: float) -> Region:
    """Everything up to a distance in metres from a place."""
    return flat_circle(place, reach) or Circle(place, reach)


def flat_circle(place: Place, reach: float) -> FlatCircle | None:
    """The same, if it is on flat ground.

    Hot, and so in one piece: what Shape, ``cells_around`` and Window.ranges do, where nothing is special."""
    ring = ring_of(reach)
    if ring is None:
        return None
    angle, sine, height, tall, radius, step = ring
    longitude, latitude = place
    southern, northern = latitude - height, latitude + height
    polar = -southern if latitude < 0 else northern  # how far north, or south, it reaches
    if polar >= LATITUDE:
        return None
    if polar > 66:
        step = step_for(reach, latitude)
    # the window: columns and rows outside of which nothing is within
    extent = asin(sine / cos(latitude * RADIANS)) / RADIANS
    width = extent * (1 + ROUNDING) + ROUNDING
    first_column = int((longitude - width + LONGITUDE) * COLUMNS_OF_DEGREE) - 1
    last_column = int((longitude + width + LONGITUDE) * COLUMNS_OF_DEGREE) + 1
    first_row = int((latitude - tall + LATITUDE) * ROWS_OF_DEGREE) - 1
    last_row = int((latitude + tall + LATITUDE) * ROWS_OF_DEGREE) + 1
    if first_column < 0 or last_column >= SIDE or first_row < 0 or last_row >= SIDE:
        return None
    across = 2 * width * RADIANS
    error = 2 * (tan(polar * RADIANS) * angle + angle * angle + across * across) + ROUNDING
    if error > _FLAT:
        return None
    # the cell in the middle; its grid is mostly fine enough, which is seen without asking as Redis does
    column = int((longitude + LONGITUDE) / _DEGREES_AROUND * SIDE)
    row = int((latitude + LATITUDE) / _DEGREES_UP * SIDE)
    wide = angle / cos(polar * RADIANS) / RADIANS
    shift = STEP - step
    size = 1 << shift
    if not (
        wide < _SLIGHTLY_LESS * CELL_WIDTH * size
        and height < _SLIGHTLY_LESS * CELL_HEIGHT * size
        and size <= column < SIDE - size
        and size <= row < SIDE - size
    ):
        bounds = longitude - wide, southern, longitude + wide, northern
        if step > 1 and reaches_beyond(column >> shift, row >> shift, step, bounds):
            step -= 1
            shift += 1
            size += size
        if step < 2:
            return None
    column &= -size
    row &= -size
    # what is on a plane is sure
    columns = strips_for(
        (longitude + LONGITUDE) * COLUMNS_OF_DEGREE,
        extent * COLUMNS_OF_DEGREE,
        column - size if first_column < column else column,
        column + size + size if last_column >= column + size else column + size,
    )
    rows = strips_for(
        (latitude + LATITUDE) * ROWS_OF_DEGREE,
        radius,
        row - size if first_row < row else row,
        row + size + size if last_row >= row + size else row + size,
    )
    verdicts = verdicts_of(columns[1], rows[1], int(error * ERRORS) + 1)
    if verdicts is None:
        return None
    ranges, low, high = _ranges(
        *_lines(first_column, last_column, column, size), *_lines(first_row, last_row, row, size)
    )
    error += _SLACK
    ellipse = extent * RADIANS, angle, 1 - error, 1 / (1 - error)
    return FlatCircle(place, reach, ranges, (low, high, columns, rows, verdicts), ellipse)


def _lines(first: int, last: int, begin: int, size: int) -> Lines:
    """The spread bits of the first and the last of the columns, or rows, from ``first`` to ``last`` that cells have: of
    those that begin at ``begin``, of those before and of those behind them.

    Bits are spread only where that is needed: the neighbours of a line are one less or more, with the carries let
    through the bits between."""
    spread = SPREAD
    bits = (spread[begin >> 13] << 26) + spread[begin & 8191]
    before = after = None
    if first < begin:
        low = bits
        line = begin - size
        if line < first:
            line = first
        before = (spread[line >> 13] << 26) + spread[line & 8191], bits - 1 & _LINE_BITS
    else:
        low = (spread[first >> 13] << 26) + spread[first & 8191]
    end = begin + size
    if last >= end:
        high = bits + size * size // 3
        line = end + size - 1
        if line > last:
            line = last
        after = (high | _OTHER_BITS) + 1 & _LINE_BITS, (spread[line >> 13] << 26) + spread[line & 8191]
    else:
        high = (spread[last >> 13] << 26) + spread[last & 8191]
    return before, (low, high), after


def _ranges(
    west: Line | None, middle: Line, east: Line | None, south: Line | None, level: Line, north: Line | None
) -> tuple[list[Range], float, float]:
    """The ranges of numbers that cells have in their columns and rows, in the order in which Redis looks at cells; the
    first number of all, and the one behind the last."""
    first, last = 2.0 * middle[0], 2.0 * middle[1] + 1.0
    bottom, top = level
    found = [(first + bottom, last + top)]
    add = found.append
    if north is not None:
        add((first + north[0], last + north[1]))
    if south is not None:
        add((first + south[0], last + south[1]))
    end = last
    if east is not None:
        begin, end = 2.0 * east[0], 2.0 * east[1] + 1.0
        add((begin + bottom, end + top))
    if west is not None:
        first, last = 2.0 * west[0], 2.0 * west[1] + 1.0
        add((first + bottom, last + top))
    if north is not None:
        top = north[1]
        if east is not None:
            add((begin + north[0], end + top))
        if west is not None:
            add((first + north[0], last + top))
    if south is not None:
        bottom = south[0]
        if east is not None:
            add((begin + bottom, end + south[1]))
        if west is not None:
            add((first + bottom, last + south[1]))
    return found, first + bottom, end + top


class FlatCircle(Region):
    """A circle on flat ground."""

    __slots__ = ("_ellipse", "_plane", "_ranges", "place", "reach")

    def __init__(self, place: Place, reach: float, ranges: list[Range], plane: Plane, ellipse: Ellipse) -> None:
        self.place = place
        self.reach = reach
        self._ranges = ranges
        self._plane = plane
        self._ellipse = ellipse

    def ranges(self) -> list[Range]:
        return self._ranges

    def sift(self, scores: array[float]) -> bytes:
        """For each score in the ranges, of which there is one at least, what the plane tells."""
        return sift(scores, *self._plane)

    def look_at(self, members: list[bytes], scores: array[float], hits: Hits) -> None:
        verdicts = self.sift(scores)
        chosen: bytes | bytearray = verdicts
        if hits.measured:
            chosen, distances = self._measure(scores, verdicts)
            hits.distances += distances
        elif PERHAPS in verdicts:
            chosen = self._settle(scores, verdicts)
        hits.members += compress(members, chosen)
        if hits.scored:
            hits.scores += compress(scores, chosen)

    def _settle(self, scores: array[float], verdicts: bytes) -> bytearray:
        """Verdicts in which nothing is open any more: most of them on the plane, too, without strips."""
        settled = bytearray(verdicts)
        longitude, latitude = self.place[0] * RADIANS, self.place[1] * RADIANS
        width, height, within, beyond = self._ellipse
        place = verdicts.find(PERHAPS)
        while place >= 0:
            there = _angles_of(scores[place])
            across, up = (there.real - longitude) / width, (there.imag - latitude) / height
            square = across * across + up * up
            if square > within and (square > beyond or self._distances((scores[place],))[0] > self.reach):
                settled[place] = NOT
            place = verdicts.find(PERHAPS, place + 1)
        return settled

    def _measure(self, scores: array[float], verdicts: bytes) -> tuple[bytes | bytearray, list[float]]:
        """The same, and the distances of what is within."""
        distances = self._distances(compress(scores, verdicts))
        radius = self.reach
        if PERHAPS not in verdicts or max(distances) <= radius:
            return verdicts, distances
        settled = bytearray(verdicts)
        for place, metres in zip(compress(range(len(verdicts)), verdicts), distances, strict=True):
            if metres > radius:
                settled[place] = NOT
        return settled, [metres for metres in distances if metres <= radius]

    def _distances(self, scores: Iterable[float]) -> list[float]:
        """The distances of cells, in metres, as ``distance`` calculates them; none is so far that it is undefined.

        Hot: 0.4 us for each, where a call of ``distance`` takes 0.9."""
        longitude, latitude = self.place[0] * RADIANS, self.place[1] * RADIANS
        cosine = cos(latitude)
        return [
            DIAMETER
            * asin(
                sqrt(
                    (u := sin(((north := place.imag) - latitude) / 2)) * u
                    + cosine * cos(north) * (v := sin((east - longitude) / 2)) * v
                )
            )
            if (east := place.real) != longitude
            else EARTH_RADIUS * abs(place.imag - latitude)
            for place in map(_angles_of, scores)
        ]


_angles_of = AnglesOf().__getitem__
