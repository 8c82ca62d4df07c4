"""Writing the primitives: lengths, strings, doubles, times (reader.py tells how they look).

Texts that are small integers are packed as such, and texts of more than 20 bytes by LZF where that makes them shorter,
as Redis does with ``rdbcompression yes``. Where there is no package that compresses (lzf.py), a Writer does it for
texts of up to LONGEST_COMPRESSED bytes, and until it has looked at MOST_COMPRESSED bytes: small values become what
Redis makes of them, and larger ones stay as they are, which every reader takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from pycache_server.rdb.lzf import FAST, compress
from pycache_server.store.numbers import parse_int

LONGEST_COMPRESSED = 1 << 62 if FAST else 1024
MOST_COMPRESSED = 1 << 62 if FAST else 4096
"""Without the package a millisecond of work; with it there is no limit."""
SHORTEST_COMPRESSED = 21
PACKED = b"\xc3"
"""In front of a compressed string: its length, that of the text, and what it is compressed to follow."""
_LONGEST_INTEGER = 11
_AFTER_INTEGERS = 58
"""The code of the character behind the digits."""
_DOUBLE = Struct("<d")
_SHORT_LENGTHS = [bytes((size,)) for size in range(64)]


def encode_length(number: int) -> bytes:
    """A length, or another number without sign of up to 64 bits."""
    if number < 1 << 6:
        return _SHORT_LENGTHS[number]
    if number < 1 << 14:
        return (number | 0x4000).to_bytes(2, "big")
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def encode_integer(number: int) -> bytes | None:
    """A string that is an integer of up to 32 bits; None where it has more."""
    if -128 <= number < 128:
        return b"\xc0" + number.to_bytes(1, "little", signed=True)
    if -1 << 15 <= number < 1 << 15:
        return b"\xc1" + number.to_bytes(2, "little", signed=True)
    if -1 << 31 <= number < 1 << 31:
        return b"\xc2" + number.to_bytes(4, "little", signed=True)
    return None


def encode_time(when: int) -> bytes:
    """A time in ms since 1970."""
    return when.to_bytes(8, "little", signed=True)


class Writer:
    """Parts of what is written. ``compressible`` is how many bytes may still be compressed, or 0."""

    __slots__ = ("compressible", "parts")

    def __init__(self, compress: bool = True) -> None:
        self.parts: list[bytes] = []
        self.compressible = MOST_COMPRESSED if compress else 0

    def data(self) -> bytes:
        """Everything that has been written."""
        return b"".join(self.parts)

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.parts.append(data)

    def length(self, number: int) -> None:
        """Write a length."""
        self.parts.append(encode_length(number))

    def lengths(self, *numbers: int) -> None:
        """Write some lengths."""
        self.parts += map(encode_length, numbers)

    def string(self, text: bytes) -> None:
        """Write a byte string."""
        size = len(text)
        if size <= _LONGEST_INTEGER and (packed := _as_integer(text)) is not None:
            self.parts.append(packed)
            return
        if SHORTEST_COMPRESSED <= size <= LONGEST_COMPRESSED and size <= self.compressible:
            self.compressible -= size
            shorter = compress(text)
            if shorter is not None:
                self.parts += (PACKED, encode_length(len(shorter)), encode_length(size), shorter)
                return
        self.parts += (encode_length(size), text)

    def strings(self, texts: Iterable[bytes]) -> None:
        """Write some byte strings."""
        parts, string = self.parts, self.string
        for text in texts:
            size = len(text)
            if size < SHORTEST_COMPRESSED and (size > _LONGEST_INTEGER or text >= b":"):  # most
                parts += (_SHORT_LENGTHS[size], text)
            else:
                string(text)

    def scored(self, texts: Iterable[bytes], scores: Iterable[float]) -> None:
        """Write some byte strings, each with a double behind it."""
        parts, string, pack = self.parts, self.string, _DOUBLE.pack
        for text, score in zip(texts, scores, strict=True):
            string(text)
            parts.append(pack(score))


def _as_integer(text: bytes) -> bytes | None:
    if not text or text[0] >= _AFTER_INTEGERS:
        return None
    number = int(text) if text.isdigit() and text[0] != 48 else parse_int(text)
    return None if number is None else encode_integer(number)
