"""How long Redis's listpack would be: the bytes of its elements, for those who must know where Redis begins a new one.

An element is a header with its content, and its length once more behind it for walking backwards. A whole number that
fits into 64 bits is kept as an integer, also where it was given as text.
"""

from __future__ import annotations

from pycache_server.store.numbers import parse_int

FRAME = 7
"""Bytes of a listpack without elements: total length, number of elements, end mark."""
_OF_BITS = [2] * 8 + [3] * 5 + [4] * 3 + [5] * 8 + [6] * 8 + [10] * 32
_LONGEST_INTEGER = 20
MODERATE = 1024
BYTES_OF_TEXT = [
    *(size + 2 for size in range(64)),
    *(size + 3 for size in range(64, 126)),
    *(size + 4 for size in range(126, MODERATE)),
]
"""Bytes of a byte string that is no number, by its length, for those shorter than MODERATE."""


def integer_bytes(number: int) -> int:
    """Bytes of an integer; one that does not fit into 64 bits wraps around as in C."""
    if 0 <= number < 128:
        return 2
    bits = (number if number >= 0 else ~number).bit_length()
    if bits > 63:
        return integer_bytes((number + 2**63) % 2**64 - 2**63)
    return _OF_BITS[bits] if number >= 0 else max(3, _OF_BITS[bits])


def element_bytes(text: bytes) -> int:
    """Bytes of a byte string."""
    size = len(text)
    if 0 < size <= _LONGEST_INTEGER and text[0] < 58 and (short := _bytes_as_integer(text)):
        return short
    return BYTES_OF_TEXT[size] if size < MODERATE else size + _around(size)


_OF_DIGITS = (
    (b"", 0, 0),
    (b"9", 2, 0),
    (b"99", 2, 0),
    (b"127", 2, 3),
    (b"4095", 3, 4),
    (b"32767", 4, 5),
    (b"999999", 5, 0),
    (b"8388607", 5, 6),
    (b"99999999", 6, 0),
    (b"999999999", 6, 0),
    (b"2147483647", 6, 10),
    *((b"9" * digits, 10, 0) for digits in range(11, 19)),
    (b"9223372036854775807", 10, 0),
    (b"", 0, 0),
)
"""For each number of digits the largest numeral of a size, that size, and the size of larger ones."""


def _bytes_as_integer(text: bytes) -> int:
    """Bytes of a short text that is an integer, 0 where it is none. Looking at digits is twice as fast as reading
    them, and most integers are not negative."""
    if text.isdigit():
        if text[0] == 48:
            return 2 if len(text) == 1 else 0
        largest, size, beyond = _OF_DIGITS[len(text)]
        return size if text <= largest else beyond
    number = parse_int(text)
    return 0 if number is None else integer_bytes(number)


def bytes_of_each(texts: list[bytes]) -> list[int]:
    """``element_bytes`` of some byte strings; 50 ns for each where all are short and none is a number."""
    lengths = list(map(len, texts))
    if max(lengths, default=0) < 64 and min(texts, default=b"") >= b":":
        return [length + 2 for length in lengths]
    return list(map(element_bytes, texts))


def bytes_of_all(texts: list[bytes], lengths: list[int]) -> int:
    """``element_bytes`` of some byte strings with these lengths, in sum; there is one at least. That is nearly for
    nothing where none is a number, and the lengths are much the same."""
    if min(texts) >= b":":
        shortest, longest = min(lengths), max(lengths)
        around = _around(shortest)
        if around == _around(longest):
            return sum(lengths) + around * len(lengths)
    return sum(map(element_bytes, texts))


def _around(size: int) -> int:
    """Bytes before and behind a text of a length that is no number; not fewer for a longer one."""
    if size < 64:
        return 2
    size += (header := 2 if size < 4096 else 5)
    for length, limit in enumerate((128, 16383, 2097151, 268435455), 1):
        if size < limit:
            return header + length
    return header + 5
