"""Reading the primitives: lengths, strings, doubles, times.

A length takes 6 or 14 bits of one or two bytes, or four or eight bytes more; the fourth form, with the two highest bits
set, tells how a string is packed: as an integer of 8, 16 or 32 bits, or by LZF. Multi-byte lengths are big-endian,
everything else is little-endian. Source: "Redis RDB file format", and what redis-server answers to DUMP.

A Reader never believes a length: it is compared with what is left before anything is made of it.
"""

from __future__ import annotations

from struct import Struct
from typing import NoReturn

from pycache_server.rdb.lzf import MOST_TIMES, decompress
from pycache_server.store.numbers import parse_float

_DOUBLE = Struct("<d")
_ENCODED = 0xC0
_LZF = 3
_SPECIAL_DOUBLES = {253: float("nan"), 254: float("inf"), 255: float("-inf")}


class BadData(Exception):
    """What is read is no value: ``reason`` says why, ``offset`` where, in bytes from the beginning."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset


class EmptyCollection(BadData):
    """A collection has no elements, which Redis's own bugs have made; what follows it can be read."""


class Reader:
    """A place in data that is read from there on."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        """Bytes, or what gives bytes for slices, as a file that is mapped into memory."""
        self.position = position

    def fail(self, reason: str) -> NoReturn:
        """What is read makes no sense.

        Raises BadData, always.
        """
        raise BadData(reason, self.position)

    def left(self) -> int:
        """How many bytes follow."""
        return len(self.data) - self.position

    def raw(self, size: int) -> bytes:
        """The next ``size`` bytes.

        Raises BadData where there are fewer.
        """
        start = self.position
        end = start + size
        if end > len(self.data):
            self.fail(f"{size} bytes are missing")
        self.position = end
        return self.data[start:end]

    def byte(self) -> int:
        """The next byte.

        Raises BadData where there is none.
        """
        if self.position >= len(self.data):
            self.fail("a byte is missing")
        self.position += 1
        return self.data[self.position - 1]

    def length(self) -> int:
        """A length, or another number without sign of up to 64 bits. In place of one Redis takes what tells how a
        string is packed, too: for its number.

        Raises BadData.
        """
        first = self.byte()
        if first < 0x40 or first >= _ENCODED:
            return first & 0x3F
        if first < 0x80:
            return (first & 0x3F) << 8 | self.byte()
        if first > 0x81:
            self.fail(f"unknown kind of length {first:#x}")
        return int.from_bytes(self.raw(4 if first == 0x80 else 8), "big")

    def count(self, least: int = 1) -> int:
        """How many things follow, each of ``least`` bytes at least.

        Raises BadData where there is no room for as many.
        """
        found = self.length()
        if found * least > self.left():
            self.fail(f"{found} elements are missing")
        return found

    def string(self) -> bytes:
        """A byte string.

        Raises BadData.
        """
        data, start = self.data, self.position
        if start < len(data) and data[start] >= _ENCODED:
            self.position = start + 1
            return self._packed(data[start] & 0x3F)
        return self.raw(self.length())

    def _packed(self, kind: int) -> bytes:
        if kind < _LZF:
            return b"%d" % int.from_bytes(self.raw(1 << kind), "little", signed=True)
        if kind != _LZF:
            self.fail(f"unknown kind of string {kind}")
        packed, size = self.length(), self.length()
        start = self.position
        source = self.raw(packed)
        if size > len(source) * MOST_TIMES:
            raise BadData(f"{packed} bytes cannot hold {size}", start)
        text = decompress(source, size)
        if text is None:
            raise BadData("bad LZF", start)
        return text

    def strings(self, count: int) -> list[bytes]:
        """``count`` byte strings, in half of the time that one by one takes.

        Raises BadData.
        """
        data, place = self.data, self.position
        if count > len(data) - place:
            self.fail(f"{count} strings are missing")
        found: list[bytes] = []
        add = found.append
        try:
            for _ in range(count):
                size = data[place]
                if size < 0x40:  # most are that short
                    end = place + size + 1
                    add(data[place + 1 : end])
                    place = end
                else:
                    self.position = place
                    add(self.string())
                    place = self.position
        except IndexError:
            raise BadData("a string is missing", place) from None
        if place > len(data):
            raise BadData("the last string is cut off", place)
        self.position = place
        return found

    def scored(self, count: int) -> tuple[list[bytes], list[float]]:
        """``count`` byte strings, each with a double behind it, and these.

        Raises BadData.
        """
        texts: list[bytes] = []
        scores: list[float] = []
        data, place, unpack = self.data, self.position, _DOUBLE.unpack_from
        if count * 9 > len(data) - place:
            self.fail(f"{count} scores are missing")
        for _ in range(count):
            size = data[place] if place < len(data) else 0
            if size < 0x40 and place + size + 9 <= len(data):
                end = place + size + 1
                texts.append(data[place + 1 : end])
                scores += unpack(data, end)
                place = end + 8
            else:
                self.position = place
                texts.append(self.string())
                scores.append(self.double())
                place = self.position
        self.position = place
        return texts, scores

    def double(self) -> float:
        """A double of eight bytes.

        Raises BadData.
        """
        return float(_DOUBLE.unpack(self.raw(8))[0])

    def text_double(self) -> float:
        """A double in digits, behind their number: that of versions before 8.

        Raises BadData.
        """
        size = self.byte()
        if size in _SPECIAL_DOUBLES:
            return _SPECIAL_DOUBLES[size]
        text = self.raw(size)
        value = parse_float(text)
        if value is None:
            raise BadData(f"{text!r} is no number", self.position)
        return value

    def time(self) -> int:
        """A time in ms since 1970, with a sign.

        Raises BadData.
        """
        return int.from_bytes(self.raw(8), "little", signed=True)
