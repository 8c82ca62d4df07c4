"""HyperLogLog: how many different elements there have been, from 16384 small registers, with an error of 0.81 %.

The value is a string, byte for byte as in Redis: a header (``HYLL``, the encoding, three zero bytes, and the last
estimate in eight bytes, whose highest bit says that it no longer holds), then the registers. *Dense*: six bits each,
the first one in the lowest bits of the first byte, so that all of them are one little-endian number, ``Registers``.
*Sparse*: runs of equal registers (sparse_registers.py), until the string gets too long or a register too large.

What touches all registers does so in bulk, without a step of Python for each: base64 takes three bytes apart into four
times six bits, and puts them together.

Source: Flajolet et al., "HyperLogLog" (2007); O. Ertl, "New cardinality estimation algorithms for HyperLogLog
sketches", arXiv:1702.01284 (2017); MurmurHash64A of Austin Appleby.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from math import floor, inf, sqrt
from struct import unpack_from
from typing import Final

from pycache_server.errors import RedisError

HEADER: Final = 16
MAGIC: Final = b"HYLL"
DENSE: Final = 0
SPARSE: Final = 1
COUNT: Final = 1 << 14
"""How many registers there are."""
BITS: Final = 6
DENSE_SIZE: Final = HEADER + COUNT * BITS // 8
_ENCODING = 4
_CACHE = slice(8, 16)
_STALE = 0x80
_EMPTY = MAGIC + bytes((SPARSE,)) + bytes(11) + b"\x7f\xff"

Text = bytes | bytearray
Registers = int
"""All registers, the first one lowest."""


class NotHyperLogLog(RedisError):
    text = b"WRONGTYPE Key is not a valid HyperLogLog string value."


class CorruptedHyperLogLog(RedisError):
    text = b"INVALIDOBJ Corrupted HLL object detected"


# The string


def empty() -> bytearray:
    """A new one, which is sparse."""
    return bytearray(_EMPTY)


def check(text: Text) -> None:
    """Raise NotHyperLogLog where a string cannot be one."""
    if (
        len(text) < HEADER
        or text[:_ENCODING] != MAGIC
        or text[_ENCODING] > SPARSE
        or (text[_ENCODING] == DENSE and len(text) != DENSE_SIZE)
    ):
        raise NotHyperLogLog


def is_dense(text: Text) -> bool:
    """Whether the registers are dense."""
    return text[_ENCODING] == DENSE


def cached(text: Text) -> int | None:
    """The estimate that was made last, None where registers have changed since."""
    return None if text[15] & _STALE else int.from_bytes(text[_CACHE], "little")


def cache(text: bytearray, estimate: int) -> None:
    """Keep an estimate."""
    text[_CACHE] = (estimate & (1 << 64) - 1).to_bytes(8, "little")


def invalidate(text: bytearray) -> None:
    """The last estimate does not hold any more."""
    text[15] |= _STALE


# Elements


_SEED = 0xADC83B19
_FACTOR = 0xC6A4A7935BD1E995
_MASK = (1 << 64) - 1
_END = 1 << 50
"""Behind the bits of the hash that are counted."""


def murmur(data: bytes) -> int:
    """The 64-bit hash of an element."""
    size = len(data)
    found = (_SEED ^ size * _FACTOR) & _MASK
    for word in unpack_from(f"<{size >> 3}Q", data):
        word = word * _FACTOR & _MASK
        word = (word ^ word >> 47) * _FACTOR & _MASK
        found = (found ^ word) * _FACTOR & _MASK
    if size & 7:
        found = (found ^ int.from_bytes(data[size & -8 :], "little")) * _FACTOR & _MASK
    found = (found ^ found >> 47) * _FACTOR & _MASK
    return found ^ found >> 47


def place_of(element: bytes) -> tuple[int, int]:
    """The register of an element, and the value that it must have at least."""
    found = murmur(element)
    rest = found >> 14 | _END
    return found & COUNT - 1, (rest & -rest).bit_length()


def raise_dense(text: bytearray, register: int, value: int) -> bool:
    """Let a dense register have a value at least. Whether it changes."""
    bit = register * BITS
    place, shift = HEADER + (bit >> 3), bit & 7
    if shift <= 2:
        old = text[place] >> shift & 63
        if old >= value:
            return False
        text[place] ^= (old ^ value) << shift
        return True
    old = (text[place] | text[place + 1] << 8) >> shift & 63
    if old >= value:
        return False
    change = (old ^ value) << shift
    text[place] ^= change & 255
    text[place + 1] ^= change >> 8
    return True


# All registers


_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_DIGITS = _DIGITS + bytes(192)
_FROM_DIGITS = bytes(max(_DIGITS.find(bytes((byte,))), 0) for byte in range(256))
_EVEN = int.from_bytes(b"\x3f\xf0\x03" * (COUNT * BITS // 24), "little")
"""Every other register with all of its bits, and six zero bits for the next one."""
_GUARDS = _EVEN // 63 << BITS
"""The bit above each of these."""


def registers_of(dense: Text) -> Registers:
    """The registers of a dense string."""
    return int.from_bytes(dense[HEADER:], "little")


def pack(values: bytes) -> Registers:
    """Registers from their values, a byte each."""
    return int.from_bytes(a2b_base64(values[::-1].translate(_TO_DIGITS)), "big")


def unpack(registers: Registers) -> bytes:
    """The values of registers, a byte each."""
    return _digits(registers).translate(_FROM_DIGITS)[::-1]


def _digits(registers: Registers) -> bytes:
    """The values as digits of base64, from the last one to the first."""
    return b2a_base64(registers.to_bytes(DENSE_SIZE - HEADER, "big"), newline=False)


def make_dense(text: bytearray, registers: Registers) -> None:
    """Let a string have these registers, and be dense."""
    text[_ENCODING] = DENSE
    text[HEADER:] = registers.to_bytes(DENSE_SIZE - HEADER, "little")


def greatest(one: Registers, other: Registers) -> Registers:
    """The greater of the values of each register."""
    even = _greatest_even(one & _EVEN, other & _EVEN)
    return even | _greatest_even(one >> BITS & _EVEN, other >> BITS & _EVEN) << BITS


def _greatest_even(one: Registers, other: Registers) -> Registers:
    """The same of every other register, with zeros between them: a bit above each stays where ``one`` is not less."""
    guards = (one | _GUARDS) - other & _GUARDS
    return other ^ (one ^ other) & guards - (guards >> BITS)


# The estimate


_LARGEST = 51
"""The largest value that a hash gives a register."""
_SCALE = 0.721347520444481703680 * COUNT * COUNT
_TOO_MANY = -(2**63)


def estimate(registers: Registers) -> int:
    """How many different elements have led to these registers."""
    counts = _histogram(_digits(registers))
    z = COUNT * _tau((COUNT - counts[_LARGEST]) / COUNT)
    for value in range(_LARGEST - 1, 0, -1):
        z = (z + counts[value]) * 0.5
    z += COUNT * _sigma(counts[0] / COUNT)
    if not z or (found := _SCALE / z) >= 2.0**63:
        return _TOO_MANY  # no hash has led to these
    whole = floor(found)
    return whole + (found - whole >= 0.5)


_OUTWARD = [sorted(range(64), key=lambda value: abs(value - usual)) for usual in range(64)]
"""All values, those nearest to each first."""


def _histogram(digits: bytes) -> list[int]:
    """How many digits there are of each value. Those of one value after the other are taken away, beginning with a
    usual one, so that little is left soon: 60 us where counting takes 400."""
    counts = [0] * 64
    usual = _FROM_DIGITS[sorted(digits[:31])[15]]
    for value in _OUTWARD[usual]:
        left = digits.translate(None, _DIGITS[value : value + 1])
        counts[value] = len(digits) - len(left)
        digits = left
        if not digits:
            break
    return counts


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) * (1 - x) * y
    return z / 3


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z
