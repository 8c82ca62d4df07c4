"""What the keyspace may hold for a string, and back.

=================  ==============================================  ======================
in the keyspace    when                                            OBJECT ENCODING
=================  ==============================================  ======================
bytes              as it was set                                   int, embstr or raw, by
                                                                   content and length
int                after INCR and its like                         int
bytearray          after an edit in place (APPEND, SETRANGE, ...)  raw
EmbeddedString     the result of INCRBYFLOAT                       embstr, digits or not
=================  ==============================================  ======================
"""

from __future__ import annotations

from typing import Any

from pycache_server.errors import NotAnInteger, WrongType
from pycache_server.store.numbers import parse_int

EMBEDDED_LIMIT = 44
"""Redis keeps strings up to this many bytes in one allocation with their object."""


class EmbeddedString(bytes):
    """A string that is never an int to OBJECT ENCODING, whatever it holds."""

    __slots__ = ()


STRING_TYPES = frozenset((bytes, int, bytearray, EmbeddedString))


def as_bytes(value: Any) -> bytes:
    """The string that a value of the keyspace stands for.

    Raises WrongType where it is another kind of value.
    """
    kind = type(value)
    if kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % value
    if kind in STRING_TYPES:
        return bytes(value)
    raise WrongType


def readable(value: Any) -> bytes | bytearray:
    """The same for one who only looks: no copy of what is edited in place. It must not be kept.

    Raises WrongType.
    """
    return value if type(value) is bytearray else as_bytes(value)


def to_int(value: Any) -> int:
    """The integer that a string of the keyspace holds.

    Raises WrongType, NotAnInteger.
    """
    if type(value) is int:
        return value
    if type(value) not in STRING_TYPES:
        raise WrongType
    number = parse_int(value)
    if number is None:
        raise NotAnInteger
    return number


def editable(value: Any) -> bytearray:
    """A bytearray with the content of a string of the keyspace: itself where it is one.

    Raises WrongType.
    """
    return value if type(value) is bytearray else bytearray(as_bytes(value))


def grow(text: bytearray, length: int) -> None:
    """Fill a text up with zero bytes to ``length``, if it is shorter."""
    if len(text) < length:
        text.extend(bytes(length - len(text)))


def string_encoding(value: Any) -> bytes:
    """What OBJECT ENCODING says of a string of the keyspace."""
    if type(value) is int or (type(value) is bytes and parse_int(value) is not None):
        return b"int"
    return b"embstr" if type(value) is not bytearray and len(value) <= EMBEDDED_LIMIT else b"raw"
