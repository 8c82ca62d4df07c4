"""Conditions on the string that is at a key: IFEQ, IFNE, IFDEQ and IFDNE of SET and DELEX.

The first two compare with a value, the others with the digest of one (store/xxh3.py), so that a client need not send
back all that it has read.
"""

from __future__ import annotations

from pycache_server.errors import RedisError
from pycache_server.store.strings import as_bytes
from pycache_server.store.xxh3 import hex_digest

COMPARISONS = frozenset((b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"))
_DIGITS = 16


def compares(condition: bytes, value: object, operand: bytes) -> bool:
    """Whether the string at a key meets a condition.

    Raises WrongType, and RedisError where ``operand`` has not the length of a digest.
    """
    text = as_bytes(value)
    if condition in (b"IFDEQ", b"IFDNE"):
        if len(operand) != _DIGITS:
            raise RedisError(b"ERR digest must be exactly 16 hexadecimal characters")
        return (hex_digest(text) == operand.lower()) == (condition == b"IFDEQ")
    return (text == operand) == (condition == b"IFEQ")
