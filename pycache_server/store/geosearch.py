"""Which members of a sorted set of geohashes lie within a shape, and how far from its middle.

Redis looks into up to nine cells of a grid, one after the other, and measures the distance of everything there; so its
answers come in the order of the cells, and of numbers within each. We look into the same cells, but measure only what
may be near enough: of each cell the parts, an eighth of its side, that a window around the shape touches, and of these
the numbers whose interleaved bits are within the window. What is left is decoded at once (geohash.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from functools import cache
from math import asin, cos, inf, isfinite, nan, pi, sin, sqrt
from typing import NamedTuple

from pycache_server.store.geohash import (
    CELL_HEIGHT,
    CELL_WIDTH,
    COLUMN_BITS,
    DIAMETER,
    EARTH_RADIUS,
    FIRST_MIDDLE,
    LATITUDE,
    LONGITUDE,
    RADIANS,
    ROW_BITS,
    SIDE,
    STEP,
    Cell,
    Place,
    cells_around,
    deinterleave,
    distance,
    interleave,
    middle,
)
from pycache_server.store.zset import SortedSet

_FEW = 16
"""So few candidates are not worth a choice by parts of their cell."""
_PART_BITS = 3
_PARTS = 1 << _PART_BITS
_AT_ONCE = 512
"""Candidates that a search for any members looks at in one go."""
_ROUNDING = 1e-9
"""By so much, in degrees and of the whole, the window is larger than it must be."""


class Hits:
    """What a search has found: parallel lists of members, scores, and distances in metres."""

    __slots__ = ("distances", "members", "scores")

    def __init__(self) -> None:
        self.members: list[bytes] = []
        self.scores = array("d")
        self.distances: list[float] = []

    def take(self, places: list[int]) -> None:
        """Keep those at some places, in that order."""
        self.members = [self.members[place] for place in places]
        self.scores = array("d", [self.scores[place] for place in places])
        self.distances = [self.distances[place] for place in places]


class Window(NamedTuple):
    """Columns and rows of the finest grid, from the first to the last; columns may go round the world."""

    first_column: int
    last_column: int
    first_row: int
    last_row: int


class Shape(ABC):
    """A part of the world around a place. ``width`` and ``height`` are half of its extent, in metres, ``reach`` is the
    distance of its farthest point."""

    def __init__(self, place: Place, width: float, height: float, reach: float) -> None:
        self.place = place
        self.width = width
        self.height = height
        self.reach = reach

    @abstractmethod
    def choose(self, columns: array[int], rows: array[int]) -> tuple[list[int], list[float]]:
        """The indices of cells of the finest grid whose middles are within the shape, and their distances."""

    @abstractmethod
    def extent(self) -> float:
        """How far, in degrees of longitude, anything within the shape can be from its middle; infinite where that is
        any longitude."""

    def bounds(self) -> tuple[float, float, float, float]:
        """The least longitude and latitude and the greatest, as Redis estimates them: of the parallel that is nearer to
        the pole, beyond which there is nonsense."""
        longitude, latitude = self.place
        height = self.height / EARTH_RADIUS / RADIANS
        parallel = latitude - height if latitude < 0 else latitude + height
        width = self.width / EARTH_RADIUS / cos(parallel * RADIANS) / RADIANS if isfinite(parallel) else nan
        return longitude - width, latitude - height, longitude + width, latitude + height

    def window(self) -> Window:
        """Columns and rows outside of which nothing can be within the shape."""
        longitude, latitude = self.place
        height = self.height / EARTH_RADIUS / RADIANS * (1 + _ROUNDING) + _ROUNDING
        width = min(self.extent() * (1 + _ROUNDING) + _ROUNDING, LONGITUDE)
        return Window(
            int((longitude - width + LONGITUDE) // CELL_WIDTH) - 1,
            int((longitude + width + LONGITUDE) // CELL_WIDTH) + 1,
            max(int(max(latitude - height + LATITUDE, 0) // CELL_HEIGHT) - 1, 0),
            int(min(latitude + height + LATITUDE, 2 * LATITUDE) // CELL_HEIGHT) + 1,
        )

    def search(self, zset: SortedSet, limit: int) -> Hits:
        """The members within the shape, in Redis's order; the first ``limit`` of them where that is not 0."""
        hits = Hits()
        window = self.window()
        for cell in cells_around(self.place, self.reach, self.bounds()):
            if limit:
                self._look_for_some(zset, cell, window, hits, limit)
                if len(hits.members) >= limit:
                    break
            else:
                first, end = cell.numbers()
                self._look_at(*zset.within((first, False), (end, True), -1), cell, window, hits)
        return hits

    def _look_for_some(self, zset: SortedSet, cell: Cell, window: Window, hits: Hits, limit: int) -> None:
        """Look into a cell until there are ``limit`` hits."""
        start, stop = (zset.below(number, False) for number in cell.numbers())
        while start < stop and len(hits.members) < limit:
            end = min(start + _AT_ONCE, stop)
            self._look_at(*zset.between(start, end), cell, window, hits)
            start = end
        for found in (hits.members, hits.scores, hits.distances):
            del found[limit:]

    def _look_at(self, members: list[bytes], scores: array[float], cell: Cell, window: Window, hits: Hits) -> None:
        """Add those members of a cell to the hits that are within the shape."""
        if not members:
            return
        candidates, numbers = _within_window(scores, cell, window)
        if not numbers:
            return
        chosen, distances = self.choose(*deinterleave(numbers))
        if candidates is not None:
            chosen = [candidates[index] for index in chosen]
        hits.members += [members[index] for index in chosen]
        hits.scores.extend([scores[index] for index in chosen])
        hits.distances += distances


class Circle(Shape):
    """Everything up to a distance from a place."""

    def __init__(self, place: Place, radius: float) -> None:
        super().__init__(place, radius, radius, radius)

    def extent(self) -> float:
        angle = self.reach / EARTH_RADIUS
        latitude = self.place[1] * RADIANS
        if angle + abs(latitude) >= pi / 2 - _ROUNDING:  # a pole is within
            return inf
        return asin(sin(angle) / cos(latitude)) / RADIANS

    def choose(self, columns: array[int], rows: array[int]) -> tuple[list[int], list[float]]:
        """Hot: what ``middle`` and ``distance`` do stands here once more, 0.6 us instead of 1.1 for each."""
        chosen: list[int] = []
        distances: list[float] = []
        radius = self.reach
        longitude, latitude = self.place[0] * RADIANS, self.place[1] * RADIANS
        cosine = cos(latitude)
        index = -1
        for column, row in zip(columns, rows, strict=True):
            index += 1
            other_longitude = column * CELL_WIDTH + FIRST_MIDDLE
            other_latitude = (row * CELL_HEIGHT - LATITUDE + ((row + 1) * CELL_HEIGHT - LATITUDE)) / 2
            if column >= SIDE or row >= SIDE:
                other_longitude, other_latitude = middle(column, row)
            other_latitude *= RADIANS
            v = sin((other_longitude * RADIANS - longitude) / 2)
            if v:
                u = sin((other_latitude - latitude) / 2)
                square = u * u + cosine * cos(other_latitude) * v * v
                metres = DIAMETER * asin(sqrt(square)) if square <= 1.0 else nan
            else:
                metres = EARTH_RADIUS * abs(other_latitude - latitude)
            if not metres > radius:
                chosen.append(index)
                distances.append(metres)
        return chosen, distances


class Box(Shape):
    """Everything up to a distance to the north or south of a place, and up to another to the east or west."""

    def extent(self) -> float:
        latitude = abs(self.place[1]) * RADIANS + self.height / EARTH_RADIUS
        angle = self.width / DIAMETER
        if latitude >= pi / 2 - _ROUNDING or angle >= pi / 2 or (sine := sin(angle) / cos(latitude)) >= 1:
            return inf
        return 2 * asin(sine) / RADIANS

    def choose(self, columns: array[int], rows: array[int]) -> tuple[list[int], list[float]]:
        chosen: list[int] = []
        distances: list[float] = []
        place = self.place
        for index, (column, row) in enumerate(zip(columns, rows, strict=True)):
            other = middle(column, row)
            if EARTH_RADIUS * abs(other[1] * RADIANS - place[1] * RADIANS) > self.height:
                continue
            if not distance(other, (place[0], other[1])) > self.width:
                chosen.append(index)
                distances.append(distance(place, other))
        return chosen, distances


def _within_window(scores: array[float], cell: Cell, window: Window) -> tuple[list[int] | None, list[int]]:
    """Which of the scores of a cell are within a window, None for all, and their numbers."""
    size = STEP - cell.step
    first, last, lowest, highest = window
    if size < _PART_BITS or last - first + (2 << size) >= SIDE:
        return None, list(map(int, scores))
    columns, rows = deinterleave((cell.bits,))
    column, row = columns[0] << size, rows[0] << size
    if last < column:  # the window may reach a cell on the other side of the world
        first, last = first + SIDE, last + SIDE
    elif first >= column + (1 << size):
        first, last = first - SIDE, last - SIDE
    end = (1 << size) - 1
    first, last = max(first - column, 0), min(last - column, end)
    lowest, highest = max(lowest - row, 0), min(highest - row, end)
    if first > last or lowest > highest:
        return [], []
    base, _ = cell.numbers()
    low_column, high_column = (interleave(each, 0) + (base & COLUMN_BITS) for each in (first, last))
    low_row, high_row = (interleave(0, each) + (base & ROW_BITS) for each in (lowest, highest))
    shift = size - _PART_BITS
    parts = _WHOLE
    if len(scores) > _FEW:
        parts = _runs(first >> shift, last >> shift, lowest >> shift, highest >> shift)
    candidates: list[int] = []
    numbers: list[int] = []
    stop = 0
    for first_part, end_part in parts:
        start = bisect_left(scores, base + (first_part << 2 * shift), stop)
        stop = bisect_left(scores, base + (end_part << 2 * shift), start)
        for index, number in enumerate(map(int, scores[start:stop]), start):
            if low_column <= number & COLUMN_BITS <= high_column and low_row <= number & ROW_BITS <= high_row:
                candidates.append(index)
                numbers.append(number)
    return candidates, numbers


_WHOLE: tuple[tuple[int, int], ...] = ((0, _PARTS * _PARTS),)


@cache
def _runs(first_column: int, last_column: int, first_row: int, last_row: int) -> tuple[tuple[int, int], ...]:
    """Parts of a cell, from one number up to another, that cover some of its columns and rows of parts."""
    numbers = sorted(
        interleave(column, row)
        for column in range(first_column, last_column + 1)
        for row in range(first_row, last_row + 1)
    )
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number + 1 for number in numbers if number + 1 not in numbers]
    return tuple(zip(starts, ends, strict=True))
