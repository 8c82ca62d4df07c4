"""INCREX: add to a number within bounds, and give it a time to live, in one step. Since Redis 8.8.

A sum that is out of bounds changes nothing, not even the time to live, unless SATURATE lets it stop at the bound. The
reply is the number and what was really added. Integers are exact; floats are long doubles as for INCRBYFLOAT, an
infinite one being a Python float.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pycache_server.commands.args import Options
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_increx
from pycache_server.commands.expiry import expiry_of, is_future
from pycache_server.commands.registry import DENYOOM, FAST, WRITE, Family
from pycache_server.commands.strings import INCRBY, INCRBYFLOAT, UNITS
from pycache_server.entry import NEVER
from pycache_server.errors import BadSyntax, NotAFloat, RedisError
from pycache_server.resp.encode import Wire
from pycache_server.store.events import DEL, EXPIRE, PERSIST
from pycache_server.store.numbers import (
    INT_MAX,
    INT_MIN,
    format_long_double,
    parse_int,
    parse_long_double,
    round_long_double,
)
from pycache_server.store.strings import EmbeddedString, as_bytes, to_int

command = Family("string").command

Number = int | Fraction | float
LARGEST = Fraction((2**64 - 1) * 2 ** (16384 - 64))
"""The largest long double."""


@dataclass(slots=True)
class _Wanted:
    """What INCREX is asked for; numbers are still text."""

    is_float: bool = False
    increment: bytes = b"1"
    lower: bytes | None = None
    upper: bytes | None = None
    saturates: bool = False
    unit: bytes | None = None
    """EX and its like, or PERSIST."""
    amount: bytes | None = None
    only_new: bool = False
    """Whether a time to live that is there stays (ENX)."""


@command(
    "INCREX key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]",
    WRITE,
    DENYOOM,
    FAST,
    since="8.8.0",
    keys="RW ACCESS UPDATE",
    kinds={"float": "double", "integer": "integer"},
    effect=of_increx,
)
def increx(session: Context, argv: list[bytes]) -> list[Any]:
    """Add to the number at a key, within bounds, and change its time to live; return it and what was added."""
    wanted = _parse(argv)
    increment = _number(wanted, wanted.increment, b"Increment")
    lower, upper = _bounds(wanted)
    expires = NEVER if wanted.amount is None else expiry_of(session, wanted.unit, wanted.amount, b"increx")
    value = _current(session, argv[1], wanted.is_float)
    result = _sum(value, increment)
    if not lower <= result <= upper:
        if not wanted.saturates:
            return _reply(session, value, 0 if isinstance(value, int) else Fraction(0))
        result = max(lower, min(result, upper))
    applied = _difference(result, value)
    before = session.db.dirty
    _store(session, argv[1], result, wanted, expires)
    session.db.dirty = before + 1
    return _reply(session, result, applied)


def _parse(argv: list[bytes]) -> _Wanted:
    """Read the options, each of which may be given once.

    Raises BadSyntax and RedisError.
    """
    wanted = _Wanted()
    by = False
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option in (b"BYFLOAT", b"BYINT") and not by and options.left():
            by, wanted.is_float, wanted.increment = True, option == b"BYFLOAT", options.value()
        elif option == b"LBOUND" and wanted.lower is None:
            wanted.lower = options.value()
        elif option == b"UBOUND" and wanted.upper is None:
            wanted.upper = options.value()
        elif option == b"SATURATE" and not wanted.saturates:
            wanted.saturates = True
        elif option == b"ENX" and not wanted.only_new:
            wanted.only_new = True
        elif option == b"PERSIST" and wanted.unit is None:
            wanted.unit = option
        elif option in UNITS and wanted.unit is None and options.left():
            wanted.unit, wanted.amount = option, options.value()
        else:
            options.fail()
    if wanted.only_new and wanted.unit == b"PERSIST":
        raise BadSyntax
    if wanted.only_new and wanted.unit is None:
        raise RedisError(b"ERR ENX flag requires an expiration")
    return wanted


def _number(wanted: _Wanted, text: bytes, name: bytes) -> Number:
    """An argument as a number of the kind that is added.

    Raises RedisError.
    """
    if wanted.is_float:
        wide = parse_long_double(text)
        if wide is None:
            raise RedisError(b"ERR " + name + b" is not a valid float")
        return wide
    whole = parse_int(text)
    if whole is None:
        raise RedisError(b"ERR " + name + b" is not an integer or out of range")
    return whole


def _bounds(wanted: _Wanted) -> tuple[Number, Number]:
    """The bounds, which are those of the kind of number where none are given.

    Raises RedisError.
    """
    lower: Number = -LARGEST if wanted.is_float else INT_MIN
    upper: Number = LARGEST if wanted.is_float else INT_MAX
    if wanted.lower is not None:
        lower = _number(wanted, wanted.lower, b"LBOUND")
    if wanted.upper is not None:
        upper = _number(wanted, wanted.upper, b"UBOUND")
    if lower > upper:
        raise RedisError(b"ERR LBOUND can't be greater than UBOUND")
    return lower, upper


def _current(session: Context, key: bytes, is_float: bool) -> Number:
    """The number at a key, 0 where there is nothing.

    Raises WrongType, NotAnInteger and NotAFloat.
    """
    value = session.db.find(key)
    if value is None:
        return Fraction(0) if is_float else 0
    if not is_float:
        return to_int(value)
    number = parse_long_double(as_bytes(value))
    if number is None:
        raise NotAFloat
    return number


def _sum(value: Number, increment: Number) -> Number:
    """The sum, infinite where it is too large a long double."""
    if isinstance(value, int) and isinstance(increment, int):
        return value + increment
    if isinstance(value, float):
        return value
    if isinstance(increment, float):
        return increment
    exact = Fraction(value) + increment
    rounded = round_long_double(exact)
    if rounded is not None:
        return rounded
    return float("inf") if exact > 1 else float("-inf") if exact < -1 else Fraction(0)


def _difference(result: Number, value: Number) -> Number:
    """What is added where a number becomes another.

    Raises RedisError where nothing could say so.
    """
    if isinstance(result, int) and isinstance(value, int):
        if not INT_MIN <= result - value <= INT_MAX:
            raise RedisError(b"ERR applied increment would overflow")
        return result - value
    applied = float("inf") if isinstance(result, float) or isinstance(value, float) else _sum(result, -value)
    if isinstance(applied, float):
        raise RedisError(b"ERR applied increment would be Infinity")
    return applied


def _store(session: Context, key: bytes, result: Number, wanted: _Wanted, expires: int) -> None:
    db = session.db
    if isinstance(result, Fraction):
        db.update(key, EmbeddedString(format_long_double(result)), INCRBYFLOAT)
    else:
        db.update(key, result, INCRBY)
    if wanted.unit == b"PERSIST":
        db.persist(key, PERSIST)
    elif wanted.unit is not None and not (wanted.only_new and db.expires_at(key) != NEVER):
        if is_future(session, expires):
            db.expire(key, expires, EXPIRE)
        else:
            db.delete(key, DEL)


def _reply(session: Context, value: Number, applied: Number) -> list[Any]:
    """Both numbers: integers, or floats as strings in RESP2 and doubles in RESP3."""
    if isinstance(value, int):
        return [value, applied]
    texts = [_text(value), _text(applied)]
    return [Wire(b"," + text + b"\r\n") for text in texts] if session.resp == 3 else list(texts)


def _text(value: Number) -> bytes:
    if isinstance(value, float):
        return b"inf" if value > 0 else b"-inf"
    return format_long_double(Fraction(value))
