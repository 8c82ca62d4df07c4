"""Which geohashes are within a window of columns and rows: many at once, without a step of Python for each.

The scores of a cell are doubles that have the same exponent, unless the cell is the first one: so the bits of their
numbers are those of their fractions, all moved by the same count, and can be taken from the bytes of an array as it is.
The translation of bytes takes columns and rows apart (geohash.py), and puts each into a lane of 32 bits of one long
integer. Long integers are subtracted, shifted and masked at once: a bit that stays above each lane says whether it is
not less than a bound. That takes 0.1 us for each score; to ask each one for its bits takes 0.5.
"""

from __future__ import annotations

from array import array
from functools import cache
from itertools import compress
from math import frexp, trunc
from struct import pack
from sys import byteorder
from typing import NamedTuple

from pycache_server.store.geohash import COLUMN_NIBBLES, ROW_NIBBLES, SIDE, SPREAD, Cells, bits_of, deinterleave

AT_ONCE = 4096
"""Most scores that are looked at together."""
_LANE = 32
_ONES = ((1 << _LANE * AT_ONCE) - 1) // ((1 << _LANE) - 1)
"""A one in each lane."""
_GUARD = 1 << _LANE - 1
_FRACTION = 52
"""Bits of the fraction of a double."""
_AROUND = SIDE - 1
"""Columns are counted modulo 2^26."""

_BEYOND = SIDE << 1
Range = tuple[float, float]
Chosen = tuple[list[int], list[int], list[int]]
"""Places among the scores, and the columns and the rows of these."""


class Window(NamedTuple):
    """So many columns behind the first one, around the world, and rows from the first to the last."""

    first_column: int
    columns: int
    first_row: int
    last_row: int

    def ranges(self, cells: Cells) -> list[Range]:
        """The numbers in some cells, but those that are surely not within: from that of the first column and row of
        each up to below the one behind that of the last. They are doubles, as scores are: to compare those with
        integers takes four times as long.

        The bits of columns and rows are spread once for all cells that have them: half of the time."""
        first, last = self.first_column, self.first_column + self.columns
        if first < 0 or last >= SIDE:  # it lies on the date line
            first, last = 0, _BEYOND
        shift, column, row, around, west, east, south, north = cells
        columns = _lines(column, shift, west, east, first, last)
        rows = _lines(row, shift, south, north, max(0, self.first_row), self.last_row)
        found: list[Range] = []
        for to_east, to_north in around:
            across, up = columns[to_east], rows[to_north]
            if across is not None and up is not None:
                found.append((2.0 * across[0] + up[0], 2.0 * across[1] + up[1] + 1.0))
        return found

    def choose(self, scores: array[float], ranges: list[Range]) -> Chosen:
        """The scores that are within; all of them are numbers from one up to below another of some ranges."""
        lanes = self._lanes(scores, ranges)
        if lanes is not None:
            return lanes.choose(len(scores))
        columns, rows = deinterleave(map(trunc, scores))
        first, count, lowest, highest = self
        places = [
            place
            for place, column, row in zip(range(len(rows)), columns, rows, strict=True)
            if lowest <= row <= highest and column - first & _AROUND <= count
        ]
        return places, [columns[place] for place in places], [rows[place] for place in places]

    def _lanes(self, scores: array[float], ranges: list[Range]) -> Lanes | None:
        """Columns and rows of scores that have the same exponent; None where they do not."""
        last = self.first_column + self.columns
        fraction, size = frexp(max(ranges)[1])
        if fraction == 0.5:  # the last number is one less
            size -= 1
        if (
            size != frexp(min(ranges)[0])[1]
            or not 2 < size <= _FRACTION + 1
            or not 0 <= self.first_column <= last <= SIDE
        ):
            return None
        layout = _layout_of(size - 1)
        ones = _ONES >> _LANE * (AT_ONCE - len(scores))
        data = scores[:]
        if byteorder == "little":
            data.byteswap()
        raw = data.tobytes()
        columns = layout[0].lanes(raw, ones)
        rows = layout[1].lanes(raw, ones)
        guards = ones * _GUARD
        to_east = (columns | guards) - ones * self.first_column
        to_north = (rows | guards) - ones * max(self.first_row, 0)
        within = to_east & (guards | ones * last) - columns & to_north & (guards | ones * self.last_row) - rows & guards
        return Lanes(columns, rows, within)


def _lines(line: int, shift: int, before: int, after: int, low: int, high: int) -> list[tuple[int, int] | None]:
    """The spread bits of the first and the last one of the columns, or rows, from ``low`` to ``high`` that cells have:
    of the cells at a line of the grid, of those at the next one if ``after`` is not 0, and, so that it is at -1, of
    those at the one before if ``before`` is not."""
    found: list[tuple[int, int] | None] = [None, None, None]
    last, size, spread = (SIDE >> shift) - 1, (1 << shift) - 1, SPREAD
    for way in (0, before, after) if before and after else (0, before or after):
        begin = (line + way & last if way else line) << shift
        end = begin + size
        if begin < low:
            begin = low
        if end > high:
            end = high
        if begin > end:
            continue
        if end > SIDE:
            found[way] = bits_of(begin), bits_of(end)
        else:  # the same without the calls
            first_half, last_half = spread[begin >> 13] << 26, spread[end >> 13] << 26
            found[way] = first_half + spread[begin & 8191], last_half + spread[end & 8191]
    return found


class Lanes(NamedTuple):
    """Columns and rows of many scores, one in each lane. The guard of a lane is set in ``within`` where the score is
    within the window."""

    columns: int
    rows: int
    within: int

    def choose(self, count: int) -> Chosen:
        """Those that are within."""
        chosen = (self.within >> _LANE - 1).to_bytes(4 * count, "big")[3::4]
        return (
            list(compress(range(count), chosen)),
            list(compress(_numbers(self.columns, count), chosen)),
            list(compress(_numbers(self.rows, count), chosen)),
        )


class Layout(NamedTuple):
    """Where the bits of columns, or of rows, are in doubles of an exponent."""

    nibbles: bytes
    """The table that takes them out of bytes."""
    exponent: int
    """What it takes out of the exponent."""
    shift: int
    """By how much they are moved."""
    first: int
    """What the leading bit of the number is, which a fraction does not have."""

    def lanes(self, raw: bytes, ones: int) -> int:
        """The columns, or rows, of doubles in big-endian bytes: the first one is in the highest lane."""
        found = int.from_bytes(bytes.fromhex(raw.translate(self.nibbles).decode("ascii")), "big")
        found = (found ^ ones * self.exponent) >> self.shift
        return found & ones * ((1 << _LANE - self.shift) - 1) | ones * self.first


@cache
def _layout_of(exponent: int) -> tuple[Layout, Layout]:
    """The layouts of columns and rows in the doubles from 2^exponent up to the double of that."""
    moved = _FRACTION - exponent
    tables = (ROW_NIBBLES, COLUMN_NIBBLES) if moved & 1 else (COLUMN_NIBBLES, ROW_NIBBLES)
    shifts = (moved + 1) // 2, moved // 2
    least = pack(">d", 2.0**exponent)
    columns, rows = deinterleave((1 << exponent,))
    first, second = (
        Layout(table, int(least.translate(table), 16), shift, leading)
        for table, shift, leading in zip(tables, shifts, (columns[0], rows[0]), strict=True)
    )
    return first, second


def _numbers(lanes: int, count: int) -> array[int]:
    """What is in each lane, the highest one first."""
    found = array("I", lanes.to_bytes(4 * count, "big"))
    if byteorder == "little":
        found.byteswap()
    return found
