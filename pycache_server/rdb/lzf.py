"""LZF, the compression of Redis's strings: Marc Lehmann's LibLZF, format and choices.

Compressed data is a sequence of two things. A byte below 32 is followed by literal bytes, one more than it says. Others
begin a reference: three bits of length, seven of them continued in the next byte, and 13 bits of how far back. What
``compress`` makes is byte for byte what Redis makes: the same table of 65,536 places where three bytes have been met
last, the same hash of them, and the same greed.

The package python-neo-lzf does it, where it is installed (extra ``lzf``): 0.4 us and 0.5 to 3 ns a byte. Without it
Python has to, and takes 100 to 300 ns a byte: ``FAST`` tells who writes, who then compresses small strings alone
(writer.py).
"""

from __future__ import annotations

from collections.abc import Callable

MOST_TIMES = 88
"""No byte stands for more: three of them for 264."""
_LONGEST_REFERENCE = 264
_LONGEST_LITERAL = 32
_FARTHEST = 1 << 13
_PLACES = (1 << 16) - 1


def decompress_in_python(data: bytes, size: int) -> bytes | None:
    """The ``size`` bytes that ``data`` stands for; None where it does not, and no more than that is ever made."""
    out = bytearray()
    place, end = 0, len(data)
    try:
        while place < end:
            code = data[place]
            place += 1
            if code < 32:
                stop = place + code + 1
                if stop > end:
                    return None
                out += data[place:stop]
                place = stop
            else:
                length = code >> 5
                if length == 7:
                    length += data[place]
                    place += 1
                length += 2
                back = ((code & 31) << 8 | data[place]) + 1
                place += 1
                start = len(out) - back
                if start < 0:
                    return None
                piece = out[start : start + length]
                out += piece if back >= length else (piece * (length // back + 1))[:length]
            if len(out) > size:
                return None
    except IndexError:
        return None
    return bytes(out) if len(out) == size else None


def compress_in_python(data: bytes) -> bytes | None:
    """Fewer bytes, by four at least, that stand for ``data``; None where there are none."""
    limit = len(data) - 4
    if limit < 1:
        return None
    out = bytearray()
    seen: dict[int, int] = {}
    last, place, begin = len(data) - 2, 0, 0
    while place < last:
        three = data[place] << 16 | data[place + 1] << 8 | data[place + 2]
        slot = ((three >> 8) - three * 5) & _PLACES
        found = seen.get(slot, 0)
        seen[slot] = place
        if not found or place - found > _FARTHEST or data[found : found + 3] != data[place : place + 3]:
            if len(out) + place - begin + 1 >= limit:
                return None
            place += 1
            if place - begin == _LONGEST_LITERAL:
                out.append(_LONGEST_LITERAL - 1)
                out += data[begin:place]
                begin = place
            continue
        literal = place - begin
        if len(out) + (literal and literal + 1) + 4 >= limit:
            return None
        if literal:
            out.append(literal - 1)
            out += data[begin:place]
        length = _matching(data, found, place)
        back = place - found - 1
        if length < 9:
            out += bytes((length - 2 << 5 | back >> 8, back & 255))
        else:
            out += bytes((7 << 5 | back >> 8, length - 9, back & 255))
        begin = place = place + length
        if place >= last:
            break
        for before in (place - 2, place - 1):
            three = data[before] << 16 | data[before + 1] << 8 | data[before + 2]
            seen[((three >> 8) - three * 5) & _PLACES] = before
    return _ended(data, out, begin, place, limit)


def _matching(data: bytes, found: int, place: int) -> int:
    """How many bytes are equal from two places on, of which the first three are."""
    most = min(len(data) - place - 2, _LONGEST_REFERENCE)
    if 16 < most < 19:  # Redis compares so many before it looks at the end again
        most = 19
    length = 3
    while length < most and data[found + length] == data[place + length]:
        length += 1
    return length


def _ended(data: bytes, out: bytearray, begin: int, place: int, limit: int) -> bytes | None:
    """The output with the literal bytes at the end, those from ``place`` on included; None where they may not fit."""
    if len(out) + 1 + place - begin + 3 > limit:
        return None
    while begin < len(data):
        piece = data[begin : begin + _LONGEST_LITERAL]
        out.append(len(piece) - 1)
        out += piece
        begin += len(piece)
    return bytes(out)


def _best() -> tuple[bool, Callable[[bytes], bytes | None], Callable[[bytes, int], bytes | None]]:
    """Whether the package is there; the fastest ways that there are."""
    try:
        from lzf import compress as pack
        from lzf import decompress as unpack
    except ImportError:
        return False, compress_in_python, decompress_in_python

    def compress(data: bytes) -> bytes | None:
        size = len(data) - 5  # the package allows for one byte more than it is told
        packed: bytes | None = pack(data, size) if size > 0 else None
        return packed

    def decompress(data: bytes, size: int) -> bytes | None:
        if not size or not data:
            return decompress_in_python(data, size)
        try:
            text: bytes | None = unpack(data, size)
        except ValueError:
            return None
        return text if text is not None and len(text) == size else None

    return True, compress, decompress


FAST, compress, decompress = _best()
