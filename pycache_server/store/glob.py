"""Glob patterns as Redis matches them (``stringmatchlen``), in time linear in pattern and text for each star.

``*`` any bytes, ``?`` one byte, ``[abc]``, ``[a-z]`` (ends in either order), ``[^a]`` (and not ``[!a]``), ``\\x`` the
byte x. Pattern and text are bytes, newlines and NUL included. A class that is not closed reaches to the end of the
pattern; a backslash at the very end stands for itself.

A pattern is translated into a regular expression once. Backtracking, which makes ``KEYS`` with thirty stars hang a
naive matcher, cannot happen: each stretch between two stars is an atomic group, taken where it matches first, and
that is enough: if any placement of the stretches matches, the leftmost one does. The last stretch has a fixed length
and is tried at the end alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[bytes], object]


@lru_cache(maxsize=256)
def compile_glob(pattern: bytes, ignore_case: bool = False) -> Matcher:
    """A function that is true of the byte strings which ``pattern`` matches."""
    if pattern.strip(b"*") == b"" and pattern:
        return _anything
    stretches = _stretches(pattern)
    first, *others = stretches
    expression = rb"\A" + first
    if others:
        *middle, last = others
        expression += b"".join(b"(?>.*?" + stretch + b")" for stretch in middle)
        if last:
            expression += b".*" + last
    if not others or others[-1]:
        expression += rb"\Z"
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0)).match


def _anything(text: bytes) -> object:
    return text != b""  # as in Redis, where the loop over the text is not entered; KEYS * and SCAN do not ask


def is_literal(pattern: bytes) -> bool:
    """Whether the pattern holds nothing special, so that it matches itself alone."""
    return not any(byte in pattern for byte in b"*?[\\")


def _stretches(pattern: bytes) -> list[bytes]:
    """The parts between stars, each as a regular expression that matches a fixed number of bytes."""
    stretches = [b""]
    position, end = 0, len(pattern)
    while position < end:
        byte = pattern[position]
        position += 1
        if byte == 0x2A:
            if position < 2 or pattern[position - 2] != 0x2A or len(stretches) == 1 or stretches[-1]:
                stretches.append(b"")
        elif byte == 0x3F:
            stretches[-1] += b"."
        elif byte == 0x5B:
            members, position = _class(pattern, position)
            stretches[-1] += members
        else:
            if byte == 0x5C and position < end:
                byte = pattern[position]
                position += 1
            stretches[-1] += re.escape(bytes([byte]))
    return stretches


def _class(pattern: bytes, position: int) -> tuple[bytes, int]:
    """The character class that begins behind a ``[``, and the position behind it."""
    end = len(pattern)
    negated = position < end and pattern[position] == 0x5E
    if negated:
        position += 1
    members: set[int] = set()
    while position < end and pattern[position] != 0x5D:
        byte = pattern[position]
        if byte == 0x5C and position + 1 < end:
            members.add(pattern[position + 1])
            position += 2
        elif position + 2 < end and pattern[position + 1] == 0x2D:
            low, high = sorted((byte, pattern[position + 2]))
            members.update(range(low, high + 1))
            position += 3
        else:
            members.add(byte)
            position += 1
    if negated:
        members = set(range(256)) - members
    if not members:
        return b"(?!)", position + 1
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]", position + 1
