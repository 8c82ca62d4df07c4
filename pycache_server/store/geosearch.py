"""Which members of a sorted set of geohashes lie within a shape, and how far from its middle.

Redis looks into up to nine cells of a grid, one after the other, and measures the distance of everything there; so its
answers come in the order of the cells, and of numbers within each. We fetch the same cells, but measure only what is
within a window of columns and rows around the shape (geowindow.py). Most circles are found in another way, where this
one would take three times as long (geoflat.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable
from math import asin, cos, floor, inf, isfinite, nan, pi, sin, sqrt

from pycache_server.store.geohash import (
    CELL_HEIGHT,
    CELL_WIDTH,
    COLUMNS_OF_DEGREE,
    DIAMETER,
    EARTH_RADIUS,
    FIRST_MIDDLE,
    LATITUDE,
    LONGITUDE,
    RADIANS,
    ROWS_OF_DEGREE,
    SIDE,
    Edges,
    Place,
    cells_around,
    middle,
)
from pycache_server.store.geowindow import AT_ONCE, Range, Window
from pycache_server.store.zset import SortedSet

_FEW = 512
"""Candidates that a search for any members looks at in one go."""
ROUNDING = 1e-9
"""By so much, in degrees and of the whole, the window is larger than it must be."""
Chosen = tuple[list[int], list[float]]
"""The places of what is chosen, and its distances in metres, if those are wanted."""


class Hits:
    """What a search has found: parallel lists of members, and where that is wanted of their scores, and of their
    distances in metres."""

    __slots__ = ("distances", "measured", "members", "scored", "scores")

    def __init__(self, scored: bool, measured: bool) -> None:
        self.scored = scored
        self.measured = measured
        self.members: list[bytes] = []
        self.scores: list[float] = []
        self.distances: list[float] = []

    def take(self, places: Iterable[int]) -> None:
        """Keep those at some places, in that order."""
        places = list(places)
        self.members = [self.members[place] for place in places]
        self.scores = [self.scores[place] for place in places] if self.scored else []
        self.distances = [self.distances[place] for place in places] if self.measured else []


class Region(ABC):
    """What is searched for members."""

    __slots__ = ()

    @abstractmethod
    def ranges(self) -> list[Range]:
        """The scores of what may be within, in the order in which Redis looks at them."""

    @abstractmethod
    def look_at(self, members: list[bytes], scores: array[float], hits: Hits) -> None:
        """Add those of some members to the hits that are within; their scores are in the ranges."""

    def search(self, zset: SortedSet, limit: int, scored: bool, measured: bool) -> Hits:
        """The members within the region, in Redis's order; the first ``limit`` of them where that is not 0."""
        hits = Hits(scored, measured)
        if limit:
            self._look_for_some(zset, hits, limit)
            return hits
        members, scores = zset.gather(self.ranges())
        if len(members) <= AT_ONCE:
            if members:
                self.look_at(members, scores, hits)
            return hits
        for start in range(0, len(members), AT_ONCE):
            end = start + AT_ONCE
            self.look_at(members[start:end], scores[start:end], hits)
        return hits

    def _look_for_some(self, zset: SortedSet, hits: Hits, limit: int) -> None:
        """Look into cells, a part at a time, until there are ``limit`` hits. What comes behind the first part of a cell
        is found by rank."""
        for low, high in self.ranges():
            members, scores = zset.within((low, False), (high, True), _FEW)
            start = stop = 0
            while members:
                self.look_at(members, scores, hits)
                if len(hits.members) >= limit:
                    del hits.members[limit:], hits.scores[limit:], hits.distances[limit:]
                    return
                if len(members) < _FEW:
                    break
                start = (start or zset.below(low, False)) + _FEW
                stop = stop or zset.below(high, False)
                members, scores = zset.between(start, min(start + _FEW, stop)) if start < stop else ([], scores)


class Shape(Region):
    """A part of the world around a place. ``width`` and ``height`` are half of its extent, in metres, ``reach`` is the
    distance of its farthest point."""

    __slots__ = ("_ranges", "extent", "height", "place", "reach", "width", "window")

    def __init__(self, place: Place, width: float, height: float, reach: float) -> None:
        self.place = place
        self.width = width
        self.height = height
        self.reach = reach
        self.extent = self._extent()
        """How far, in degrees of longitude, anything within it can be from its middle; infinite where that is any
        longitude."""
        self.window = self._window()
        self._ranges = self.window.ranges(cells_around(place, reach, self.bounds()))

    @abstractmethod
    def _extent(self) -> float: ...

    @abstractmethod
    def measure(self, columns: list[int], rows: list[int], measured: bool) -> Chosen:
        """Choose those cells of the finest grid whose middles are within the shape, with their distances, which nobody
        looks at unless they are to be ``measured``."""

    def bounds(self) -> Edges:
        """Its edges, as Redis estimates them: of the parallel that is nearer to the pole, beyond which there is
        nonsense."""
        longitude, latitude = self.place
        height = self.height / EARTH_RADIUS / RADIANS
        parallel = latitude - height if latitude < 0 else latitude + height
        width = self.width / EARTH_RADIUS / cos(parallel * RADIANS) / RADIANS if isfinite(parallel) else nan
        return longitude - width, latitude - height, longitude + width, latitude + height

    def _window(self) -> Window:
        """Columns and rows outside of which nothing is within the shape."""
        longitude, latitude = self.place
        height = self.height / EARTH_RADIUS / RADIANS * (1 + ROUNDING) + ROUNDING
        width = self.extent * (1 + ROUNDING) + ROUNDING
        first_row = int(max(latitude - height + LATITUDE, 0.0) * ROWS_OF_DEGREE) - 1
        last_row = int(min(latitude + height + LATITUDE, 2 * LATITUDE) * ROWS_OF_DEGREE) + 1
        if width >= LONGITUDE - 1:
            return Window(0, SIDE, first_row, last_row)
        first_column = floor((longitude - width + LONGITUDE) * COLUMNS_OF_DEGREE) - 1
        last_column = int((longitude + width + LONGITUDE) * COLUMNS_OF_DEGREE) + 1
        return Window(first_column, last_column - first_column, first_row, last_row)

    def ranges(self) -> list[Range]:
        return self._ranges

    def look_at(self, members: list[bytes], scores: array[float], hits: Hits) -> None:
        places, columns, rows = self.window.choose(scores, self._ranges)
        chosen, distances = self.measure(columns, rows, hits.measured)
        if hits.measured:
            hits.distances += distances
        places = [places[place] for place in chosen]
        hits.members += [members[place] for place in places]
        if hits.scored:
            hits.scores += [scores[place] for place in places]


class Circle(Shape):
    """Everything up to a distance from a place, however far that is."""

    __slots__ = ()

    def __init__(self, place: Place, radius: float) -> None:
        super().__init__(place, radius, radius, radius)

    def _extent(self) -> float:
        angle = self.reach / EARTH_RADIUS
        latitude = self.place[1] * RADIANS
        if angle + abs(latitude) >= pi / 2 - ROUNDING:  # a pole is within
            return inf
        return asin(sin(angle) / cos(latitude)) / RADIANS

    def measure(self, columns: list[int], rows: list[int], measured: bool) -> Chosen:
        """Hot: what ``middle`` and ``distance`` do stands here once more, 0.5 us instead of 1.1 for each."""
        chosen: list[int] = []
        distances: list[float] = []
        radius = self.reach
        longitude, latitude = self.place[0] * RADIANS, self.place[1] * RADIANS
        cosine = cos(latitude)
        for place, column, row in zip(range(len(rows)), columns, rows, strict=True):
            if column < SIDE and row < SIDE:
                other_longitude = column * CELL_WIDTH + FIRST_MIDDLE
                other_latitude = (row * CELL_HEIGHT - LATITUDE + ((row + 1) * CELL_HEIGHT - LATITUDE)) / 2
            else:
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
                chosen.append(place)
                distances.append(metres)
        return chosen, distances


class Box(Shape):
    """Everything up to a distance to the north or south of a place, and up to another to the east or west."""

    __slots__ = ()

    def _extent(self) -> float:
        latitude = abs(self.place[1]) * RADIANS + self.height / EARTH_RADIUS
        angle = self.width / DIAMETER
        if latitude >= pi / 2 - ROUNDING or angle >= pi / 2 or (sine := sin(angle) / cos(latitude)) >= 1:
            return inf
        return 2 * asin(sine) / RADIANS

    def measure(self, columns: list[int], rows: list[int], measured: bool) -> Chosen:
        """Hot, as in a circle. The distance to the meridian of the middle decides on the width."""
        chosen: list[int] = []
        distances: list[float] = []
        width, height = self.width, self.height
        longitude, latitude = self.place[0] * RADIANS, self.place[1] * RADIANS
        cosine = cos(latitude)
        for place, column, row in zip(range(len(rows)), columns, rows, strict=True):
            if column < SIDE and row < SIDE:
                other_longitude = column * CELL_WIDTH + FIRST_MIDDLE
                other_latitude = (row * CELL_HEIGHT - LATITUDE + ((row + 1) * CELL_HEIGHT - LATITUDE)) / 2
            else:
                other_longitude, other_latitude = middle(column, row)
            other_latitude *= RADIANS
            upright = EARTH_RADIUS * abs(other_latitude - latitude)
            if upright > height:
                continue
            v = sin((other_longitude * RADIANS - longitude) / 2)
            if v:
                other_cosine = cos(other_latitude)
                square = other_cosine * other_cosine * v * v
                if square <= 1.0 and DIAMETER * asin(sqrt(square)) > width:
                    continue
            chosen.append(place)
            if measured:
                if v:
                    u = sin((other_latitude - latitude) / 2)
                    square = u * u + cosine * other_cosine * v * v
                    upright = DIAMETER * asin(sqrt(square)) if square <= 1.0 else nan
                distances.append(upright)
        return chosen, distances
