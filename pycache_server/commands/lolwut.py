"""LOLWUT: the version of the server, below a piece of computer art where a version is asked for that has one.

Version 5 draws Georg Nees' Schotter in braille, eight dots a character: squares that get into disorder from the third
row on. Version 6 draws a town at night in colours of the terminal, for which every character is a pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, floor, pi, sin
from struct import pack, unpack
from typing import Any

from pycache_server import REDIS_VERSION
from pycache_server.commands.args import integer, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.registry import FAST, READONLY, Family
from pycache_server.resp.encode import Verbatim

Choose = Callable[[int], int]

_MOST = 1000
_MOST_SQUARES = 200
_MOST_DOTS = 1 << 24
"""More than all usual sizes take, and drawn in half a second: there is no picture of gigabytes."""
_CHANCES = 1 << 31


class Dots:
    """A picture of black dots in braille characters: ``width`` by ``height`` dots, two by four of them a character.
    What is drawn outside is lost."""

    __slots__ = ("_cells", "_columns", "_height", "_width")

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._columns = (width + 1) // 2
        self._cells = bytearray(self._columns * ((height + 3) // 4))

    def draw_line(self, x: int, y: int, to_x: int, to_y: int) -> None:
        """Draw a line from one point to another (Bresenham)."""
        wide, high = abs(to_x - x), abs(to_y - y)
        right, down = (1 if x < to_x else -1), (1 if y < to_y else -1)
        error = wide - high
        while True:
            if 0 <= x < self._width and 0 <= y < self._height:
                self._cells[y // 4 * self._columns + x // 2] |= _BITS[x % 2][y % 4]
            if x == to_x and y == to_y:
                return
            twice = 2 * error
            if twice > -high:
                error -= high
                x += right
            if twice < wide:
                error += wide
                y += down

    def draw_square(self, x: int, y: int, side: float, angle: float) -> None:
        """Draw a square around a point, turned by an angle."""
        radius = _round(_single(side / 1.4142135623))
        turn = _single(pi / 4 + angle)
        corners = []
        for _ in range(4):
            corners.append((_round(sin(turn) * radius + x), _round(cos(turn) * radius + y)))
            turn = _single(turn + pi / 2)
        for corner in range(4):
            self.draw_line(*corners[corner], *corners[(corner + 1) % 4])

    def text(self) -> str:
        """The picture in lines; the last one has no end where it is one dot high."""
        text = "".join(
            "".join([_BRAILLE[cell] for cell in self._cells[start : start + self._columns]]) + "\n"
            for start in range(0, len(self._cells), self._columns)
        )
        return text[:-1] if self._height % 4 == 1 else text


_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of a dot in its character, by column and row."""
_BRAILLE = [chr(0x2800 + bits) for bits in range(256)]


def _round(value: float) -> int:
    """The nearest integer, halves away from 0, as in C."""
    return floor(value + 0.5) if value >= 0 else -floor(0.5 - value)


def _single(value: float) -> float:
    """A number with the precision of a C float."""
    found: float = unpack("f", pack("f", value))[0]
    return found


def schotter(columns: int, across: int, down: int, choose: Choose) -> bytes:
    """Version 5: so many squares across and down, on so many columns of characters."""
    width = columns * 2
    padding = 2 if width > 4 else 0
    side = _single((width - padding * 2) / across)
    down = max(1, min(down, int(_MOST_DOTS / width / max(side, 1))))
    dots = Dots(width, int(side * down + padding * 2))
    for row in range(down):
        for column in range(across):
            x, y = _middle(column, side, padding), _middle(row, side, padding)
            angle = 0.0
            if row > 1:
                angle, aside, below = (_some(choose, row / down) for _ in range(3))
                x, y = int(x + aside * side / 3), int(y + below * side / 3)
            dots.draw_square(x, y, side, angle)
    return dots.text().encode()


def _middle(number: int, side: float, padding: int) -> int:
    """Where the middle of a square lies, calculated in C floats."""
    return int(_single(_single(_single(number * side) + _single(side / 2)) + padding))


def _some(choose: Choose, most: float) -> float:
    """A random number from -``most`` to ``most``."""
    found = choose(_CHANCES) / (_CHANCES - 1) * most
    return -found if choose(2) else found


def skyline(columns: int, rows: int, choose: Choose) -> bytes:
    """Version 6: houses in two greys, and black ones with windows before them."""
    picture = [bytearray([_WHITE]) * columns for _ in range(rows)]
    for colour in (2, 1):
        place = -10
        while place < columns:
            place += choose(8)
            width = 10 + choose(9)
            _draw_house(picture, place, width, rows // 2 + choose(rows) // 2, colour, None)
            place += width // 2
    place = -10
    while place < columns:
        place += choose(8)
        width = 5 + choose(14)
        width += width % 3 if width % 4 else 0
        _draw_house(picture, place, width, rows // 3 + choose(rows) // 2, 0, choose)
        place += width + 1
    return b"\n".join(b"".join([_COLOURS[pixel] for pixel in line]) for line in picture)


_COLOURS = [b"\x1b[%bm \x1b[0m" % code for code in (b"0;30;40", b"0;90;100", b"0;37;47", b"0;97;107")]
_WHITE = 3


def _draw_house(
    picture: list[bytearray], left: int, width: int, height: int, colour: int, choose: Choose | None
) -> None:
    """Draw a house, with windows where there is a ``choose`` that lights them. Its roof is four pixels narrower."""
    bottom = len(picture) - 1
    top, right = bottom - height + 1, left + width - 1
    for y in range(bottom, max(top, 0) - 1, -1):
        line = picture[y]
        edge = 2 if y == top else 0
        for x in range(max(left + edge, 0), min(right - edge, len(line) - 1) + 1):
            across, down = x - left - 1, y - top - 1
            inside = left + 1 < x < right - 1 and top + 1 < y < bottom - 1
            if choose is None or not inside or not across // 2 % 2 or not down % 2:
                line[x] = colour
            else:  # windows are two pixels wide and one high
                line[x] = 1 + choose(2) if across % 2 == 0 or not x else line[x - 1]


@Family("server").command("LOLWUT [VERSION version [arg [arg ...]]]", READONLY, FAST, since="5.0.0", arity=-1)
def lolwut(session: Context, argv: list[bytes]) -> Any:
    """Return the version of the server, with the art of a version where one is asked for."""
    version, words = int(REDIS_VERSION[0]), argv[1:]
    if len(argv) >= 3 and option_of(argv[1]) == b"VERSION":
        version, words = integer(argv[2]), argv[3:]
    choose = session.keyspace.choose
    if version == 5:
        columns, across, down = _sizes(words, (66, _MOST), (8, _MOST_SQUARES), (12, _MOST_SQUARES))
        art = schotter(columns, across, down, choose) + b"\nGeorg Nees - schotter, plotter on paper, 1968. "
    elif version == 6:
        columns, rows = _sizes(words, (80, _MOST), (20, _MOST))
        art = skyline(columns, rows, choose) + (
            b"\nDedicated to the 8 bit game developers of past and present.\n"
            b"Original 8 bit image from Plaguemon by hikikomori. "
        )
    else:
        art = b""
    return Verbatim(art + b"Redis ver. " + REDIS_VERSION.encode() + b"\n")


def _sizes(words: list[bytes], *limits: tuple[int, int]) -> list[int]:
    """The numbers that are given, or the usual ones, within 1 and the most.

    Raises NotAnInteger.
    """
    found = [integer(word) for word in words[: len(limits)]] + [usual for usual, _ in limits[len(words) :]]
    return [max(1, min(size, most)) for size, (_, most) in zip(found, limits, strict=True)]
