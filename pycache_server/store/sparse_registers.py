"""The sparse form of a HyperLogLog (hyperloglog.py): runs of equal registers, one after the other.

==================  ==========================================
``00xxxxxx``        1 to 64 registers are 0
``01xxxxxx`` + 8    1 to 16384 registers are 0, 14 bits
``1vvvvvxx``        1 to 4 registers have a value of 1 to 32
==================  ==========================================

Which runs there are for the same registers depends on the history, and clients can see it; so a register is changed in
the steps in which Redis does that: the run in which it lies is split, then runs of equal values are joined, among five
from the one before on. To find the run no step of Python is made for each: between long runs of zeros all are of one
byte, and a checksum adds up how many registers they have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from zlib import adler32

from pycache_server.store.hyperloglog import (
    COUNT,
    HEADER,
    CorruptedHyperLogLog,
    Text,
    greatest,
    invalidate,
    is_dense,
    make_dense,
    pack,
    raise_dense,
)

_GREATEST = 32
"""The greatest value that a run can have."""
_LONGEST = 4
"""Most registers of a run that are not 0."""
_LONGEST_ZERO = 64
"""Most registers of a run of zeros of one byte."""
_JOINED = 5
_TOKENS = re.compile(rb"([\x00-\x3f\x80-\xff]+)|[\x40-\x7f][\x00-\xff]?", re.DOTALL)
"""Runs of one byte, as many as follow each other, or one of two."""


def _value(byte: int) -> int:
    """The value of the registers of a run."""
    return (byte >> 2 & 31) + 1 if byte & 0x80 else 0


def _length(byte: int) -> int:
    """How many registers a run of one byte has."""
    return (byte & 3 if byte & 0x80 else byte & 63) + 1


_LENGTHS = bytes(map(_length, range(256)))
_EXPANDED = [bytes((_value(byte),)) * _length(byte) for byte in range(256)]
_SUMMED = 1000
"""So many lengths do not exceed the modulus of the checksum."""


def _sum(lengths: bytes) -> int:
    total = 0
    while len(lengths) > _SUMMED:
        total += (adler32(lengths[:_SUMMED]) & 0xFFFF) - 1
        lengths = lengths[_SUMMED:]
    return total + (adler32(lengths) & 0xFFFF) - 1


def _zeros(count: int) -> bytes:
    """A run of zeros."""
    if count > _LONGEST_ZERO:
        return bytes((0x40 | count - 1 >> 8, count - 1 & 255))
    return bytes((count - 1,)) if count else b""


def _run(value: int, count: int) -> bytes:
    """A run of a value."""
    return bytes((0x80 | value - 1 << 2 | count - 1,)) if count else b""


def _long_length(run: Text) -> int:
    """How many registers a run of two bytes has; a second byte that is missing is 0."""
    return ((run[0] & 63) << 8 | (run[1] if len(run) > 1 else 0)) + 1


class Place(NamedTuple):
    """A run: where it is in the string, its first register, how many it has; and where the run before it is, 0 where
    there is none, and its first register."""

    start: int
    first: int
    length: int
    before: int
    first_before: int


class Hint(NamedTuple):
    """A run from which to search: where it is, and its first register."""

    start: int
    first: int


_BEGINNING = Hint(HEADER, 0)
_NOWHERE = Place(0, 0, 0, 0, 0)


def _find(text: bytearray, register: int, hint: Hint) -> Place:
    """The run in which a register lies.

    Raises CorruptedHyperLogLog.
    """
    first, before, first_before = hint.first, 0, 0
    for token in _TOKENS.finditer(text, hint.start):
        start = token.start()
        runs = token[1]
        if runs is None:
            length = _long_length(token[0])
        else:
            lengths = runs[:COUNT].translate(_LENGTHS)
            length = _sum(lengths)
        if register < first + length:
            place = Place(start, first, length, before, first_before)
            return place if runs is None else _find_within(lengths, register, place)
        first += length
        before = start if runs is None else token.end() - 1
        first_before = first - (length if runs is None else lengths[-1])
    raise CorruptedHyperLogLog


def _find_within(lengths: bytes, register: int, runs: Place) -> Place:
    """The same among runs of one byte."""
    first, low, high = runs.first, 0, len(lengths)
    while high - low > 1:
        half = (low + high) // 2
        length = _sum(lengths[low:half])
        if register < first + length:
            high = half
        else:
            first += length
            low = half
    place = Place(runs.start + low, first, lengths[low], runs.before, runs.first_before)
    return place._replace(before=place.start - 1, first_before=first - lengths[low - 1]) if low else place


def raise_sparse(text: bytearray, register: int, value: int, limit: int, hint: Hint = _BEGINNING) -> Place | None:
    """Let a register of a sparse string have a value at least; the string becomes dense where it would be longer than
    ``limit`` else. Where the register was, None where it does not change.

    Raises CorruptedHyperLogLog.
    """
    if value > _GREATEST:
        _promote(text, register, value)
        return _NOWHERE
    place = _find(text, register, hint)
    start, first, length, before, _ = place
    old = text[start : start + 2]
    old_value = _value(old[0])
    if old_value >= value:
        return None
    size = 2 if old[0] & 0xC0 == 0x40 else 1
    behind = first + length - 1 - register
    if old_value:
        new = _run(old_value, register - first) + _run(value, 1) + _run(old_value, behind)
    else:
        new = _zeros(register - first) + _run(value, 1) + _zeros(behind)
    if len(new) > size and len(text) + len(new) - size > limit:
        _promote(text, register, value)
        return place
    missing = max(start + size - len(text), 0)  # of a string that is cut off, which Redis makes longer all the same
    text[start : start + size] = new[: len(new) - missing]
    _join(text, before or HEADER)
    invalidate(text)
    return place


def _join(text: bytearray, start: int) -> None:
    """Join runs of the same value, among the few from a place on."""
    for _ in range(_JOINED):
        if start + 1 >= len(text):
            return
        byte, following = text[start], text[start + 1]
        if byte & following & 0x80 and not (byte ^ following) & 0x7C:
            length = _length(byte) + _length(following)
            if length <= _LONGEST:
                text[start : start + 2] = _run(_value(byte), length)
                continue
        start += 2 if byte & 0xC0 == 0x40 else 1


def _promote(text: bytearray, register: int, value: int) -> None:
    """Make a string dense, and let a register have a value.

    Raises CorruptedHyperLogLog.
    """
    make_dense(text, pack(expand(text)))
    raise_dense(text, register, value)


def raise_all(text: bytearray, values: bytes, limit: int) -> None:
    """Let all registers of a sparse string have values at least, one after the other.

    Raises CorruptedHyperLogLog.
    """
    mine = expand(text)
    hint, last = _BEGINNING, _BEGINNING
    for found in re.finditer(rb"[^\x00]", values):
        register = found.start()
        value = values[register]
        if mine[register] >= value or (place := raise_sparse(text, register, value, limit, hint)) is None:
            continue
        if is_dense(text):
            make_dense(text, greatest(pack(mine), pack(values)))
            return
        if last.start < place.before:
            hint = last  # no joining reaches it any more
        if place.before:
            last = Hint(place.before, place.first_before)


def expand(text: Text) -> bytes:
    """The values of the registers of a sparse string, a byte each.

    Raises CorruptedHyperLogLog.
    """
    found = expand_all(text)
    if len(found) != COUNT:
        raise CorruptedHyperLogLog
    return found


def expand_all(text: Text) -> bytes:
    """The same of all runs there are, or of more than enough to see that there are too many registers."""
    parts: list[bytes] = []
    total = 0
    for token in _TOKENS.finditer(text, HEADER):
        found = bytes(_long_length(token[0])) if token[1] is None else _expand_short(token[1])
        parts.append(found)
        total += len(found)
        if total > COUNT:
            break
    return b"".join(parts)


def _expand_short(text: bytes) -> bytes:
    return b"".join(map(_EXPANDED.__getitem__, text[: COUNT + 1]))


def runs(text: Text) -> Iterator[tuple[bytes, int, int]]:
    """The runs: the letter under which PFDEBUG shows their kind, the value, and how many registers they have."""
    for token in _TOKENS.finditer(text, HEADER):
        if token[1] is None:
            yield b"Z", 0, _long_length(token[0])
        else:
            for byte in token[1]:
                yield b"v" if byte & 0x80 else b"z", _value(byte), _length(byte)
