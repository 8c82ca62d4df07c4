"""Which of many places on a plane are within a circle: surely, perhaps or not, without a step of Python for each.

The cells that a circle is looked for in are few and wide (``cells_around``), so that eight bits of a place's column,
and eight of its row, tell where it is among them: counted in strips of columns or rows, modulo 256. They are taken from
the bytes of an array of geohashes, be they doubles or integers, by the translation of bytes, three bytes of each number
for either. A second translation makes of a strip the square of its distance from the middle, where the square of the
radius is 100; and adding two long integers adds the squares for all places at once, which is all of Pythagoras. What is
lost on the way is known: it makes a margin, and what lies within that must be measured. 100 places take 4 us, where a
float for each takes 50.
"""

from __future__ import annotations

from array import array
from functools import cache, lru_cache
from math import ceil, frexp, hypot, sqrt
from sys import byteorder

NOT, SURELY, PERHAPS = 0, 1, 2
_RADIUS = 100
_FAR = 127
"""The greatest square that is told from others: two of them fit into a byte."""
_MOST = 124
"""Of a circle that is worth the while, nothing that lies within has a greater square than this."""
_PARTS = 8
"""Where the middle is in its strip, and how large the radius is, is counted in parts of a strip."""
_NARROWEST = 16 * _PARTS
_HALF = _PARTS / 2 + 0.5
ERRORS = 1 << 12
"""By what part of it the square of a distance may be wrong is counted in parts of so many."""
_FRACTION = 52
"""Bits of the fraction of a double."""

Strips = tuple[int, int, bytes]
"""How wide strips are, as a power of two; the radius of the circle in parts of one; and for each strip the square of
its distance from the middle, or nothing where the radius is too small."""


def strips_for(middle: float, radius: float, first: int, end: int) -> Strips:
    """Strips of columns, or of rows, for a circle's middle and radius in these; all places that are asked for are from
    ``first`` up to below ``end``, and so is the circle. What comes around, modulo 256, is not taken for what is near
    the circle."""
    far, other = middle - first, end - middle
    if far < other:
        far = other
    far += 1.25 * radius
    shift = int(far).bit_length() - 8
    if shift < 0:
        shift = 0
    scale = _PARTS / (1 << shift)
    parts = int(radius * scale + 0.5)
    if parts < _NARROWEST:
        return shift, parts, b""
    position = int(middle * scale + 0.5)
    start = 128 - position // _PARTS & 255
    return shift, parts, _squares(parts, position % _PARTS)[start : start + 256]


@lru_cache(4096)
def verdicts_of(width: int, height: int, errors: int) -> bytes | None:
    """What the sum of the squares of a strip of columns and of one of rows tells, as ``sift`` takes it; None where
    not enough is sure. ``width`` and ``height`` are the radius in parts of either kind of strips. The square of a
    distance on this plane may be wrong by a part of it, which ``errors`` counts.

    The middle of a strip is up to half of it from a place, and counting in parts moves it by half of one more; the
    radius is wrong by half of a part. So a vector as long as the radius gets longer or shorter by ``lost`` of that.
    Both squares are rounded."""
    error = errors / ERRORS
    if width < _NARROWEST or height < _NARROWEST:
        return None
    lost = hypot(_HALF / width, _HALF / height) + 0.5 / min(width, height)
    most = _RADIUS * (1 + lost) ** 2 / (1 - error) + 1
    if most >= _MOST:
        return None
    return _verdicts(ceil(_RADIUS * (1 / sqrt(1 + error) - lost) ** 2 - 1), int(most))


def sift(
    scores: array[float],
    low: float,
    high: float,
    columns: Strips,
    rows: Strips,
    verdicts: bytes,
) -> bytes:
    """For each score NOT, SURELY or PERHAPS; all of them are geohashes from ``low`` up to below ``high``, in the
    cells that the strips were made for."""
    # hot: to have the twelve steps for either axis in a function of their own takes a tenth more
    column_shift, _, across = columns
    row_shift, _, up = rows
    column_bit, row_bit = 2 * column_shift + 1, 2 * row_shift
    exponent = frexp(low)[1] - 1
    if column_bit + 15 <= exponent and row_bit + 16 <= exponent and high <= 2.0 ** (exponent + 1):
        raw = scores.tobytes()
        column_bit += _FRACTION - exponent  # the bits of such doubles are those of their fractions, moved
        row_bit += _FRACTION - exponent
    else:
        raw = array("Q", map(int, scores)).tobytes()
    if byteorder == "big":
        swapped = array("Q", raw)
        swapped.byteswap()
        raw = swapped.tobytes()
    count, number = len(scores), int.from_bytes
    first, low_bits, middle_bits, high_bits = _bits_from(column_bit)
    strips = (
        number(raw[first::8].translate(low_bits), "little")
        | number(raw[first + 1 :: 8].translate(middle_bits), "little")
        | number(raw[first + 2 :: 8].translate(high_bits), "little")
    )
    squares = number(strips.to_bytes(count, "little").translate(across), "little")
    first, low_bits, middle_bits, high_bits = _bits_from(row_bit)
    strips = (
        number(raw[first::8].translate(low_bits), "little")
        | number(raw[first + 1 :: 8].translate(middle_bits), "little")
        | number(raw[first + 2 :: 8].translate(high_bits), "little")
    )
    squares += number(strips.to_bytes(count, "little").translate(up), "little")
    return squares.to_bytes(count, "little").translate(verdicts)


@lru_cache(4096)
def _squares(radius: int, part: int) -> bytes:
    """The squares of the distances of 256 strips from a middle that is in this part of number 128; twice, so that any
    256 of them are a cycle."""
    near = min(127, radius * 10 // (8 * _PARTS) + 1)  # strips: behind that all are far
    scale = _RADIUS / (radius * radius)
    offset = _PARTS // 2 - part
    found = [min(_FAR, int((place * _PARTS + offset) ** 2 * scale + 0.5)) for place in range(-near, near + 1)]
    cycle = (bytes([_FAR]) * (128 - near) + bytes(found) + bytes([_FAR]) * 128)[:256]
    return cycle + cycle


@cache
def _bits_from(first_bit: int) -> tuple[int, bytes, bytes, bytes]:
    """How to take eight bits, every second one from ``first_bit`` on, from a number of 64: the first of the three bytes
    that have them, and what is translated to what of each."""
    start, offset = divmod(first_bit, 8)
    low, middle, high = (
        bytes(
            sum((byte >> place & 1) << bit for bit in range(8) if 0 <= (place := offset + 2 * bit - 8 * number) < 8)
            for byte in range(256)
        )
        for number in range(3)
    )
    return start, low, middle, high


@cache
def _verdicts(least: int, most: int) -> bytes:
    """What a sum of two squares tells: what lies outside has ``least`` at least, what lies within ``most`` at most."""
    return bytes(SURELY if square < least else PERHAPS if square <= most else NOT for square in range(256))
