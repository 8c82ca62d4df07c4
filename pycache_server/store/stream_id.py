"""Ids of stream entries: a time in ms and a number within it, 64 bits each, as one integer of 128 bits."""

from __future__ import annotations

import re

SEQ_BITS = 64
LARGEST_SEQ = (1 << SEQ_BITS) - 1
LARGEST_ID = (1 << 2 * SEQ_BITS) - 1

_UNUSUAL = re.compile(rb"([ \t\n\v\f\r]*)([+-]?)(\d+)")
_LONGEST = 127
_DIGITS_OF_ANY = 20
"""Numbers of fewer digits fit into 64 bits without sign."""


class _Latest:
    """The first part of the id that was written last, and how it is written: the next one nearly always has the same.
    One tuple each, for servers in other threads."""

    __slots__ = ("moment", "part")

    def __init__(self) -> None:
        self.part = (0, b"0-")
        self.moment = (0.0, 0, b"0-")
        """The time at which an id was made last, in seconds, the first id of its ms, and that ms as ids begin."""


latest = _Latest()
FEW = 256
SMALL = [b"%d" % seq for seq in range(FEW)]


def begin_moment(seconds: float) -> tuple[float, int, bytes]:
    """The latest moment is another one."""
    ms, part = int(seconds * 1000), latest.part
    if part[0] != ms:
        part = latest.part = (ms, b"%d-" % ms)
    moment = latest.moment = (seconds, ms << SEQ_BITS, part[1])
    return moment


def format_id(number: int) -> bytes:
    """An id as clients see it."""
    ms, seq, part = number >> SEQ_BITS, number & LARGEST_SEQ, latest.part
    if ms != part[0]:
        part = latest.part = (ms, b"%d-" % ms)
    return part[1] + (SMALL[seq] if seq < FEW else b"%d" % seq)


def parse_id(text: bytes, missing: int = 0) -> int | None:
    """The id that ``text`` stands for, or None; ``missing`` is the second part where there is only one."""
    first, dash, second = text.partition(b"-")
    if first.isdigit() and second.isdigit() and len(first) < _DIGITS_OF_ANY > len(second):
        return int(first) << SEQ_BITS | int(second)
    if len(text) > _LONGEST:
        return None
    first, dash, second = text.split(b"\0", 1)[0].partition(b"-")
    ms = _parse_part(first)
    seq = _parse_part(second) if dash else missing
    return None if ms is None or seq is None else ms << SEQ_BITS | seq


def _parse_part(text: bytes) -> int | None:
    """A number of 64 bits without sign. What is none at first sight Redis gives to C's ``strtoull``, which takes
    leading blanks and signs and counts negative numbers from the end."""
    if text.isdigit():
        number = int(text)
        return number if number <= LARGEST_SEQ else None
    found = _UNUSUAL.fullmatch(text)
    if found is None:
        return None
    blanks, sign, digits = found.groups()
    number = int(digits)
    if number > LARGEST_SEQ:
        return None
    if sign != b"-":
        return number
    if not blanks and digits[0] != ord("0") and number <= 2**63:
        return None  # an ordinary negative number
    return -number & LARGEST_SEQ
