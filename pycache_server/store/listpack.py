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
    if size <= _LONGEST_INTEGER and text < b":":  # begins with a digit or a sign, perhaps
        number = parse_int(text)
        if number is not None:
            return integer_bytes(number)
    if size < 64:
        return size + 2
    size += 2 if size < 4096 else 5
    for length, limit in enumerate((128, 16383, 2097151, 268435455), 1):
        if size < limit:
            return size + length
    return size + 5
