"""Which of many places on a plane are within a circle: surely, perhaps or not, without a step of Python for each.

A window around the circle is mapped to 256 columns and 256 rows, so that a byte tells where a place is in either
direction; the translation of bytes squares it, and long integers add the squares of both directions, which is all of
Pythagoras. The square of the radius is 120. What the mapping loses is known: it makes a margin, and what lies within
that must be measured. 190 places take 14 us, where a float for each takes 45.

The places come in lanes of 32 bits of a long integer (geowindow.py), counted in columns or rows from the beginning of
the window, and multiplied by any power of two.
"""

from __future__ import annotations

from functools import cache

NOT, SURELY, PERHAPS = 0, 1, 2
WIDEST = 24
"""The greatest margin, in parts of 120 of the square of the radius, with which it is worth the while."""
_LANE = 32
_RADIUS = 120
_BITS = 15
"""Of how a place lies in the window."""
_MOST = (1 << _BITS) - 1
_SQUARES = bytes(round(_RADIUS * ((2 * place + 1) / 256 - 1) ** 2) for place in range(256))


def margin_of(error: float, least: int) -> int:
    """The margin for a plane on which the square of a distance may be wrong by this part, and a window that reaches
    ``least`` cells to each side, two of them more than the circle does."""
    bent = 1 / 256 + 1 / 8192 + 2 / least  # of half of the window, by so much a place is elsewhere
    return 2 + int(_RADIUS * (3 * bent + 2 * error))


def sift(columns: int, rows: int, within: int, width: int, height: int, count: int, margin: int) -> bytes:
    """For each of ``count`` lanes NOT, SURELY or PERHAPS. ``within`` has a one in those lanes whose column is from 0 to
    ``width`` and row from 0 to ``height``; the others are not looked at."""
    seen = within * _MOST
    squares = _squares(columns, seen, width, count) + _squares(rows, seen, height, count)
    return squares.to_bytes(count, "big").translate(_verdicts(margin))


def _squares(places: int, seen: int, width: int, count: int) -> int:
    """The squares of the distances from the middle of the window, in lanes of 8 bits."""
    cut = max(0, width.bit_length() - _BITS)
    places = (places >> cut & seen) * ((1 << _LANE) // ((width >> cut) + 1))
    return int.from_bytes(places.to_bytes(4 * count, "big")[::4].translate(_SQUARES), "big")


@cache
def _verdicts(margin: int) -> bytes:
    """What a sum of two squares tells."""
    return bytes(
        SURELY if square < _RADIUS - margin else PERHAPS if square <= _RADIUS + margin else NOT for square in range(256)
    )
