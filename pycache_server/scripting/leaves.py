"""What Lua's libraries here leave to Python: numbers as bytes, integers of 32 bits, checksums.

Each function gets bytes and numbers and returns such. None of them raises.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from struct import pack, unpack
from typing import Any

_FLOAT_MOST = 3.4028234663852886e38


def sha1hex(text: bytes) -> bytes:
    """The SHA-1 of a text in hex digits."""
    return sha1(text, usedforsecurity=False).hexdigest().encode()


def pack_float(value: float, order: bytes) -> bytes:
    """A number as 4 bytes; what is too large for them is infinite."""
    number = float(value)
    if abs(number) > _FLOAT_MOST and number == number:
        rounded = unpack("<d", pack("<d", number))[0]
        try:
            return pack(order.decode() + "f", rounded)
        except OverflowError:
            number = float("inf") if number > 0 else float("-inf")
    return pack(order.decode() + "f", number)


def pack_double(value: float, order: bytes) -> bytes:
    """A number as 8 bytes."""
    return pack(order.decode() + "d", float(value))


def unpack_float(data: bytes, order: bytes) -> float:
    """The number that 4 bytes are."""
    return float(unpack(order.decode() + "f", data)[0])


def unpack_double(data: bytes, order: bytes) -> float:
    """The number that 8 bytes are."""
    return float(unpack(order.decode() + "d", data)[0])


def is_float(value: float) -> bool:
    """Whether 4 bytes hold a number exactly."""
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return True
    try:
        return bool(unpack("<f", pack("<f", number))[0] == number)
    except OverflowError:
        return False


def pack_integer(value: float, size: int, order: bytes) -> bytes:
    """The lower ``size`` bytes of a whole number, as C cuts it from 64 bits."""
    number = as_int64(value)
    return (number & (1 << 8 * size) - 1).to_bytes(size, "big" if order == b">" else "little")


def unpack_integer(data: bytes, order: bytes, signed: bool) -> int | float:
    """The whole number that bytes are, as a double."""
    number = int.from_bytes(data, "big" if order == b">" else "little", signed=signed)
    return number if -(1 << 53) < number < 1 << 53 else float(number)


def as_int64(value: float) -> int:
    """A number cast to a long long of C on this kind of machine."""
    if value != value or not -(2.0**63) <= value < 2.0**63:
        return -(1 << 63)
    return int(value)


def bits(operation: bytes, first: float, *others: float) -> int:
    """An operation of the library ``bit`` on numbers: 32 bits, with a sign."""
    value = tobit(first)
    if operation == b"and":
        for other in others:
            value &= tobit(other)
    elif operation == b"or":
        for other in others:
            value |= tobit(other)
    elif operation == b"xor":
        for other in others:
            value ^= tobit(other)
    elif operation == b"not":
        value ^= 0xFFFFFFFF
    elif operation == b"swap":
        value = int.from_bytes(value.to_bytes(4, "little"), "big")
    elif operation != b"bit":
        value = _shift(operation, value, tobit(others[0]) & 31)
    return value - (1 << 32) if value >= 1 << 31 else value


def _shift(operation: bytes, value: int, count: int) -> int:
    if operation == b"left":
        return value << count & 0xFFFFFFFF
    if operation == b"right":
        return value >> count
    if operation == b"arithmetic":
        return ((value - (1 << 32) if value >= 1 << 31 else value) >> count) & 0xFFFFFFFF
    count = count if operation == b"rotate left" else -count & 31
    return (value << count | value >> (32 - count)) & 0xFFFFFFFF


def tobit(value: float) -> int:
    """The lower 32 bits of a number, rounded as adding 2^52 + 2^51 to it does."""
    if isinstance(value, int) and -(1 << 51) <= value <= 1 << 51:
        return value & 0xFFFFFFFF
    raw: int = unpack("<Q", pack("<d", float(value) + 6755399441055744.0))[0]
    return raw & 0xFFFFFFFF


LEAVES: dict[bytes, Callable[..., Any]] = {
    b"sha1hex": sha1hex,
    b"pack_float": pack_float,
    b"pack_double": pack_double,
    b"unpack_float": unpack_float,
    b"unpack_double": unpack_double,
    b"is_float": is_float,
    b"pack_integer": pack_integer,
    b"unpack_integer": unpack_integer,
    b"bits": bits,
}
"""By the names under which Lua calls them."""
