"""Listpacks: total length (4 bytes), number of elements (2), elements, an end mark.

An element is a header with its content, and its length once more behind it for walking backwards, seven bits a byte,
the last one first. A text that is the spelling of a 64-bit integer is kept as that. How long all this becomes is also
told, without making it, by store/listpack.py.

``decode`` looks at every byte, as Redis does with ``sanitize-dump-payload yes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pycache_server.rdb.reader import BadData
from pycache_server.store.numbers import parse_int

_HEADER = 6
_END = 255
_UNKNOWN = 65535
"""The number of elements where it is that or more."""
_LONGEST_INTEGER = 20
_AFTER_TEXTS = 58
"""The code of the character behind the digits: no integer begins with a greater one."""
_INTEGERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
_SMALL = tuple(b"%d" % number for number in range(128))


# Reading


def decode(data: bytes) -> list[bytes]:
    """The elements, integers as texts.

    Raises BadData.
    """
    return _decode(data, _SMALL, b"%d".__mod__)


def decode_mixed(data: bytes) -> list[bytes | int]:
    """The same with integers as such.

    Raises BadData.
    """
    return _decode(data, range(128), int)


def _decode(data: bytes, small: Sequence[Any], form: Callable[[int], Any]) -> list[Any]:
    size = len(data)
    if size <= _HEADER or int.from_bytes(data[:4], "little") != size or data[-1] != _END:
        raise BadData("a listpack has another length", 0)
    found: list[Any] = []
    add = found.append
    place, last = _HEADER, size - 1
    try:
        while (code := data[place]) != _END:
            if code < 0x80:
                add(small[code])
                end = place + 1
            elif code < 0xC0:
                end = place + 1 + (code & 0x3F)
                add(data[place + 1 : end])
            elif code in _INTEGERS:
                end = place + 1 + _INTEGERS[code]
                add(form(int.from_bytes(data[place + 1 : end], "little", signed=True)))
            elif code < 0xE0:
                number = (code & 31) << 8 | data[place + 1]
                end = place + 2
                add(form(number - 8192 if number >= 4096 else number))
            else:
                begin, end = _extent(data, place, code)
                add(data[begin:end])
            length = end - place
            if length < 0x80:
                place = end + 1
                if data[end] != length and not _is_length(data, place, length):
                    raise BadData("a listpack cannot be walked backwards", end)
            else:
                place = end + _length_bytes(length)
                if place > last or not _is_length(data, place, length):
                    raise BadData("a listpack cannot be walked backwards", end)
            if place > last:
                break
    except IndexError:
        place = size
    if place != last:
        raise BadData("a listpack does not end where it should", place)
    if data[4] | data[5] << 8 not in (len(found), _UNKNOWN):
        raise BadData("a listpack has another number of elements", 4)
    return found


def _extent(data: bytes, place: int, code: int) -> tuple[int, int]:
    """Where a text begins and ends that is not short."""
    if code < 0xF0:
        return place + 2, place + 2 + ((code & 15) << 8 | data[place + 1])
    if code == 0xF0:
        return place + 5, place + 5 + int.from_bytes(data[place + 1 : place + 5], "little")
    raise BadData(f"a listpack has an element of the unknown kind {code:#x}", place)


def _length_bytes(length: int) -> int:
    """How many bytes the length behind an element takes."""
    return 1 + (length > 127) + (length >= 16383) + (length >= 2097151) + (length >= 268435455)


def _is_length(data: bytes, end: int, length: int) -> bool:
    """Whether who walks backwards from ``end`` reads that length."""
    found = 0
    for number, place in enumerate(range(end - 1, end - 6, -1)):
        byte = data[place]
        found |= (byte & 127) << 7 * number
        if byte < 128:
            return found == length
    return False


# Writing


def encode(elements: Iterable[bytes]) -> bytes:
    """A listpack of some texts."""
    parts = [
        _TEXTS_BEFORE[size] + text + _TEXTS_BEHIND[size] if (size := len(text)) < 64 and text >= b":" else entry(text)
        for text in elements
    ]
    return framed(parts, len(parts))


def framed(parts: list[bytes], count: int) -> bytes:
    """A listpack of ``count`` elements that are encoded already, any number of them in a part."""
    body = b"".join(parts)
    size = len(body) + _HEADER + 1
    return size.to_bytes(4, "little") + min(count, _UNKNOWN).to_bytes(2, "little") + body + b"\xff"


def entry(text: bytes) -> bytes:
    """An element of a listpack."""
    size = len(text)
    if 0 < size <= _LONGEST_INTEGER and text[0] < _AFTER_TEXTS and (number := parse_int(text)) is not None:
        return integer(number)
    if size < 64:
        return _TEXTS_BEFORE[size] + text + _TEXTS_BEHIND[size]
    if size < 4096:
        return bytes((0xE0 | size >> 8, size & 255)) + text + _length(size + 2)
    return b"\xf0" + size.to_bytes(4, "little") + text + _length(size + 5)


def integer(number: int) -> bytes:
    """An element that is a 64-bit integer."""
    if 0 <= number < 128:
        return bytes((number, 1))
    if -4096 <= number < 4096:
        return bytes((0xC0 | (number >> 8) & 31, number & 255, 2))
    before, size, behind = _OF_BITS[(number if number >= 0 else ~number).bit_length()]
    return before + number.to_bytes(size, "little", signed=True) + behind


def _length(length: int) -> bytes:
    """The length behind an element."""
    count = _length_bytes(length)
    digits = [length >> 7 * number & 127 | (128 if number < count - 1 else 0) for number in range(count)]
    return bytes(reversed(digits))


_OF_BITS = [
    next((bytes((code,)), size, bytes((size + 1,))) for code, size in _INTEGERS.items() if bits < 8 * size)
    for bits in range(64)
]
"""For an integer of so many bits: its header, how many bytes it takes, and the length behind it."""
_TEXTS_BEFORE = [bytes((0x80 | size,)) for size in range(64)]
_TEXTS_BEHIND = [bytes((size + 1,)) for size in range(64)]
