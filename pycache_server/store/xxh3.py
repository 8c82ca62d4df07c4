"""XXH3 with 64 bits and no seed: the digest by which DIGEST, SET IFDEQ and DELEX IFDEQ know a string.

The package ``xxhash`` (the extra ``digest``) calculates it where it is installed, at some GB/s. Where it is not, this
file does: the same digests, in 1 to 20 us for a string of up to 240 bytes and 50 ms for one of a megabyte. It refuses
what is LONGEST or longer, so that nobody can stop the server for long. Nothing else needs these digests.

Strings of up to 16, 128 and 240 bytes and longer ones are mixed in four different ways. Numbers are unsigned with 64
bits; ``_fold`` multiplies two of them and keeps both halves. Source: "XXH3 algorithm" of the xxHash specification.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from

from pycache_server.errors import RedisError

_MASK = (1 << 64) - 1
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_P_MX1, _P_MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
"""The 192 bytes that the specification mixes in where there is no other key."""
_STRIPE, _STEP = 64, 8
"""Bytes that are taken at once, and by how many the secret moves on for the next ones."""


def _word(data: bytes, offset: int) -> int:
    found: int = unpack_from("<Q", data, offset)[0]
    return found


def _secret(offset: int) -> int:
    return _word(_SECRET, offset)


def _fold(left: int, right: int) -> int:
    product = left * right
    return (product ^ product >> 64) & _MASK


def _avalanche(value: int) -> int:
    value ^= value >> 37
    value = value * _P_MX1 & _MASK
    return value ^ value >> 32


def _avalanche64(value: int) -> int:
    """The last step of the older XXH64."""
    value ^= value >> 33
    value = value * _P64_2 & _MASK
    value ^= value >> 29
    value = value * _P64_3 & _MASK
    return value ^ value >> 32


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size > 8:
        low, high = _word(data, 0), _word(data, size - 8)
        low ^= _secret(24) ^ _secret(32)
        high ^= _secret(40) ^ _secret(48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(size + swapped + high + _fold(low, high) & _MASK)
    if size > 3:
        first, last = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        value = (last + (first << 32)) ^ _secret(8) ^ _secret(16)
        value ^= _rotate(value, 49) ^ _rotate(value, 24)
        value = value * _P_MX2 & _MASK
        value ^= (value >> 35) + size
        value = value * _P_MX2 & _MASK
        return value ^ value >> 28
    if size:
        value = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        first, second = unpack_from("<II", _SECRET)
        return _avalanche64(value ^ first ^ second)
    return _avalanche64(_secret(56) ^ _secret(64))


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK


def _mix(data: bytes, offset: int, secret: int) -> int:
    low, high = unpack_from("<QQ", data, offset)
    return _fold(low ^ _secret(secret), high ^ _secret(secret + 8))


def _up_to_128(data: bytes) -> int:
    size = len(data)
    value = size * _P64_1
    for pair in range((size - 1) // 32, -1, -1):
        value += _mix(data, 16 * pair, 32 * pair) + _mix(data, size - 16 * (pair + 1), 32 * pair + 16)
    return _avalanche(value & _MASK)


def _up_to_240(data: bytes) -> int:
    size = len(data)
    value = size * _P64_1 + sum(_mix(data, 16 * part, 16 * part) for part in range(8))
    value = _avalanche(value & _MASK)
    value += sum(_mix(data, 16 * part, 16 * (part - 8) + 3) for part in range(8, size // 16))
    value += _mix(data, size - 16, 136 - 17)
    return _avalanche(value & _MASK)


def _longer(data: bytes) -> int:
    size = len(data)
    lanes = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    stripes_of_block = (len(_SECRET) - _STRIPE) // _STEP
    keys = [unpack_from("<8Q", _SECRET, _STEP * stripe) for stripe in range(stripes_of_block)]
    scramble = unpack_from("<8Q", _SECRET, len(_SECRET) - _STRIPE)
    last = (size - 1) // _STRIPE
    for stripe in range(last):
        place = stripe % stripes_of_block
        if stripe and not place:
            _scramble(lanes, scramble)
        _accumulate(lanes, unpack_from("<8Q", data, _STRIPE * stripe), keys[place])
    if last and not last % stripes_of_block:
        _scramble(lanes, scramble)
    key = unpack_from("<8Q", _SECRET, len(_SECRET) - _STRIPE - 7)
    _accumulate(lanes, unpack_from("<8Q", data, size - _STRIPE), key)
    value = size * _P64_1
    for pair in range(4):
        low, high = unpack_from("<QQ", _SECRET, 11 + 16 * pair)
        value += _fold(lanes[2 * pair] ^ low, lanes[2 * pair + 1] ^ high)
    return _avalanche(value & _MASK)


def _accumulate(lanes: list[int], words: tuple[int, ...], key: tuple[int, ...]) -> None:
    """Take eight words: each is multiplied, one half with the other, and added as it is to the lane beside."""
    for lane, (word, part) in enumerate(zip(words, key, strict=True)):
        mixed = word ^ part
        lanes[lane ^ 1] = lanes[lane ^ 1] + word & _MASK
        lanes[lane] = lanes[lane] + (mixed & 0xFFFFFFFF) * (mixed >> 32) & _MASK


def _scramble(lanes: list[int], key: tuple[int, ...]) -> None:
    for lane, part in enumerate(key):
        value = lanes[lane]
        lanes[lane] = (value ^ value >> 47 ^ part) * _P32_1 & _MASK


def xxh3(data: bytes) -> int:
    """The digest of a byte string, calculated here."""
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 128:
        return _up_to_128(data)
    return _up_to_240(data) if size <= 240 else _longer(data)


def _fastest() -> Callable[[bytes], int]:
    """The function of the package ``xxhash``, or the one above where it is not installed."""
    try:
        from xxhash import xxh3_64_intdigest
    except ImportError:
        return xxh3
    found: Callable[[bytes], int] = xxh3_64_intdigest
    return found


_digest = _fastest()


LONGEST = 16 << 20
"""From so many bytes on the package is needed."""


def hex_digest(data: bytes) -> bytes:
    """The digest as 16 hexadecimal digits in lower case.

    Raises RedisError where that would take too long.
    """
    if _digest is xxh3 and len(data) >= LONGEST:
        raise RedisError(b"ERR a digest of so long a string needs the Python package xxhash, which is not installed")
    return b"%016x" % _digest(data)
