"""Sets of integers as Redis packs them: bytes of each (4 bytes), their number (4), the integers in their order."""

from __future__ import annotations

from itertools import pairwise
from struct import unpack_from

from pycache_server.rdb.reader import BadData

_FORMATS = {2: "h", 4: "i", 8: "q"}
_HEADER = 8


def decode(data: bytes) -> list[bytes]:
    """The integers as texts.

    Raises BadData.
    """
    if len(data) < _HEADER:
        raise BadData("an intset is cut off", len(data))
    width, count = unpack_from("<II", data)
    if width not in _FORMATS or not count or _HEADER + width * count != len(data):
        raise BadData("an intset has another length", 0)
    numbers = unpack_from(f"<{count}{_FORMATS[width]}", data, _HEADER)
    if any(one >= other for one, other in pairwise(numbers)):
        raise BadData("an intset is not in order", _HEADER)
    return [b"%d" % number for number in numbers]


def encode(elements: list[bytes]) -> bytes:
    """An intset of integers in their order, as texts; there is one at least."""
    numbers = list(map(int, elements))
    width = max(_width(numbers[0]), _width(numbers[-1]))
    body = b"".join([number.to_bytes(width, "little", signed=True) for number in numbers])
    return width.to_bytes(4, "little") + len(numbers).to_bytes(4, "little") + body


def _width(number: int) -> int:
    """The fewest bytes that hold an integer."""
    return next(width for width in _FORMATS if -1 << 8 * width - 1 <= number < 1 << 8 * width - 1)
