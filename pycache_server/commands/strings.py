"""Strings: GET, SET and their relatives.

Contents: APPEND DECR DECRBY GET GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT MGET MSET MSETNX PSETEX SET SETEX
SETNX SETRANGE STRLEN SUBSTR. Bit operations are in bitmaps.py. How a string may be represented is told in
store/strings.py; ``read_string`` hides it.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.args import Options, integer, option_of
from pycache_server.commands.conditions import COMPARISONS, compares
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_getdel, of_getex, of_getset, of_incrbyfloat, of_set, of_setex
from pycache_server.commands.expiry import expiry_of, is_future
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.entry import NEVER
from pycache_server.errors import NotAFloat, RedisError, StringTooLong, WrongType, wrong_arity
from pycache_server.resp.encode import OK, Wire
from pycache_server.store.bulk import put_all
from pycache_server.store.events import DEL, EXPIRE, PERSIST, STRING, Event
from pycache_server.store.numbers import INT_MIN, format_long_double, parse_long_double, round_long_double
from pycache_server.store.strings import STRING_TYPES, EmbeddedString, as_bytes, editable, grow, readable

family = Family("string")
command = family.command

SET = Event(STRING, b"set")
APPEND = Event(STRING, b"append")
INCRBY = Event(STRING, b"incrby")
INCRBYFLOAT = Event(STRING, b"incrbyfloat")
SETRANGE = Event(STRING, b"setrange")


@command("GET key", READONLY, FAST, since="1.0.0", keys="RO ACCESS")
def get(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the string at a key."""
    return session.db.get_string(argv[1])


UNITS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
"""The options that give a time to live."""
_READING = COMPARISONS | {b"GET"}


def _key_flags_of_set(argv: list[bytes]) -> str:
    """What SET may do to its key: read it only with GET, or to compare."""
    return "OW UPDATE" if _READING.isdisjoint(map(option_of, argv[3:])) else "RW ACCESS UPDATE"


@command(
    "SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    WRITE,
    DENYOOM,
    since="1.0.0",
    keys="RW ACCESS UPDATE VARIABLE_FLAGS",
    key_flags=_key_flags_of_set,
    effect=of_set,
    plain=3,
)
def set_(session: Context, argv: list[bytes]) -> Any:
    """Set a key to a string, whatever it held; the options make it conditional, give it a time to live or return
    what was there."""
    count = len(argv)
    if count == 3:
        session.db.put(argv[1], argv[2], SET)
        return OK
    if count == 5 and argv[3] in _USUAL_UNITS:
        return _set_until(session, argv[1], argv[2], argv[3], argv[4], b"set")
    return _set_with_options(session, argv)


_USUAL_UNITS = frozenset((b"EX", b"ex", b"PX", b"px"))


def _set_until(session: Context, key: bytes, value: bytes, unit: bytes, amount: bytes, name: bytes) -> Wire:
    """SET with a time to live and nothing else, SETEX and PSETEX: what caches send most."""
    expires = expiry_of(session, unit.upper(), amount, name)
    db = session.db
    db.put_until(key, value, expires, SET)
    db.announce(key, EXPIRE)
    return OK


def _set_with_options(session: Context, argv: list[bytes]) -> Any:
    condition = get = unit = amount = None
    operand = b""
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option in (b"NX", b"XX") and condition in (None, option):
            condition = option
        elif option in COMPARISONS and condition is None and options.left():
            condition, operand = option, options.value()
        elif option == b"GET":
            get = True
        elif option == b"KEEPTTL" and unit in (None, option):
            unit = option
        elif option in UNITS and unit in (None, option) and options.left():
            unit, amount = option, options.value()
        else:
            options.fail()
    expires = expiry_of(session, unit, amount, b"set") if amount is not None else NEVER
    old = session.db.read_string(argv[1]) if get else None
    if condition is not None and not _is_met(session, argv[1], condition, operand):
        return old
    _store(session, argv[1], argv[2], expires, unit == b"KEEPTTL")
    return old if get else OK


def _is_met(session: Context, key: bytes, condition: bytes, operand: bytes) -> bool:
    """Whether SET may go on. Of what is not there, anything is different.

    Raises WrongType and RedisError.
    """
    value = session.db.find(key)
    if condition not in COMPARISONS:
        return (value is not None) == (condition == b"XX")
    return compares(condition, value, operand) if value is not None else condition in (b"IFNE", b"IFDNE")


def _store(session: Context, key: bytes, value: bytes, expires: int, keep: bool = False) -> None:
    """Set a key, to expire or not."""
    db = session.db
    if keep:
        db.update(key, value, SET)
    elif expires == NEVER:
        db.put(key, value, SET)
    else:
        db.put_until(key, value, expires, SET)
        db.announce(key, EXPIRE)


@command("SETNX key value", WRITE, DENYOOM, FAST, since="1.0.0", keys="OW INSERT")
def setnx(session: Context, argv: list[bytes]) -> int:
    """Set a key to a string unless it exists."""
    if session.db.find(argv[1]) is not None:
        return 0
    session.db.put(argv[1], argv[2], SET)
    return 1


@command("SETEX key seconds value", WRITE, DENYOOM, since="2.0.0", keys="OW UPDATE", effect=of_setex)
def setex(session: Context, argv: list[bytes]) -> Any:
    """Set a key to a string with a time to live in seconds."""
    return _set_until(session, argv[1], argv[3], b"EX", argv[2], b"setex")


@command("PSETEX key milliseconds value", WRITE, DENYOOM, since="2.6.0", keys="OW UPDATE", effect=of_setex)
def psetex(session: Context, argv: list[bytes]) -> Any:
    """Set a key to a string with a time to live in milliseconds."""
    return _set_until(session, argv[1], argv[3], b"PX", argv[2], b"psetex")


@command("GETSET key value", WRITE, DENYOOM, FAST, since="1.0.0", keys="RW ACCESS UPDATE", effect=of_getset)
def getset(session: Context, argv: list[bytes]) -> bytes | None:
    """Set a key to a string and return the one before."""
    old = session.db.read_string(argv[1])
    session.db.put(argv[1], argv[2], SET)
    return old


@command("GETDEL key", WRITE, FAST, since="6.2.0", keys="RW ACCESS DELETE", effect=of_getdel)
def getdel(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the string at a key and remove the key."""
    value = session.db.read_string(argv[1])
    if value is not None:
        session.db.delete(argv[1], DEL)
    return value


@command(
    "GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    WRITE,
    FAST,
    since="6.2.0",
    keys="RW ACCESS UPDATE",
    effect=of_getex,
)
def getex(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the string at a key and change its time to live."""
    db, key = session.db, argv[1]
    unit = amount = None
    options = Options(argv, 2)
    while (option := options.take()) is not None:
        if option == b"PERSIST" and unit in (None, option):
            unit = option
        elif option in UNITS and unit in (None, option) and options.left():
            unit, amount = option, options.value()
        else:
            options.fail()
    value = db.read_string(key)
    if value is None:
        return None
    if amount is not None:
        expires = expiry_of(session, unit, amount, b"getex")
        if is_future(session, expires):
            db.expire(key, expires, EXPIRE)
        else:
            db.delete(key, DEL)
    elif unit is not None:
        db.persist(key, PERSIST)
    return value


@command("STRLEN key", READONLY, FAST, since="2.2.0", keys="RO")
def strlen(session: Context, argv: list[bytes]) -> int:
    """Return the length of the string at a key."""
    value = session.db.read(argv[1])
    if type(value) in (bytes, bytearray):
        return len(value)
    return 0 if value is None else len(as_bytes(value))


@command("APPEND key value", WRITE, DENYOOM, FAST, since="2.0.0", keys="RW INSERT")
def append(session: Context, argv: list[bytes]) -> int:
    """Append to the string at a key; create it where it is not there."""
    _, key, tail = argv
    value = session.db.find(key)
    if value is None:
        session.db.put(key, tail, APPEND)
        return len(tail)
    text = editable(value)
    check_length(session, len(text) + len(tail))
    text += tail
    session.db.update(key, text, APPEND)
    return len(text)


@command(
    "SETRANGE key offset value", WRITE, DENYOOM, since="2.2.0", complexity="O(N), N = length of value", keys="RW UPDATE"
)
def setrange(session: Context, argv: list[bytes]) -> int:
    """Overwrite a part of the string at a key, filling up with zero bytes."""
    _, key, offset, part = argv
    start = integer(offset)
    if start < 0:
        raise RedisError(b"ERR offset is out of range")
    value = session.db.find(key)
    if not part:
        return 0 if value is None else len(as_bytes(value))
    if value is not None and type(value) not in STRING_TYPES:
        raise WrongType
    check_length(session, start + len(part))
    text = bytearray() if value is None else editable(value)
    grow(text, start)
    text[start : start + len(part)] = part
    session.db.update(key, text, SETRANGE)
    return len(text)


def check_length(session: Context, length: int) -> None:
    """Raise StringTooLong where a string of ``length`` bytes would exceed proto-max-bulk-len."""
    if length > session.keyspace.longest_string:
        raise StringTooLong


@command("GETRANGE key start end", READONLY, since="2.4.0", complexity="O(N), N = bytes returned", keys="RO ACCESS")
def getrange(session: Context, argv: list[bytes]) -> bytes:
    """Return a part of the string at a key; negative places count from the end."""
    start, end = integer(argv[2]), integer(argv[3])
    value = session.db.read(argv[1])
    if value is None:
        return b""
    text = readable(value)
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(start + len(text), 0) if start < 0 else start
    end = max(end + len(text), 0) if end < 0 else end
    return bytes(text[start : end + 1])


@command("SUBSTR key start end", READONLY, since="1.0.0", complexity="O(N), N = bytes returned", keys="RO ACCESS")
def substr(session: Context, argv: list[bytes]) -> bytes:
    """Return a part of the string at a key; the old name of GETRANGE."""
    return getrange(session, argv)


@command(
    "MGET key [key ...]",
    READONLY,
    FAST,
    since="1.0.0",
    complexity="O(N), N = keys",
    keys="RO ACCESS",
    tips=("request_policy:multi_shard",),
)
def mget(session: Context, argv: list[bytes]) -> list[bytes | None]:
    """Return the strings at some keys, null for what is no string."""
    read = session.db.read
    values: list[bytes | None] = []
    for key in argv[1:]:
        value = read(key)
        if type(value) is not bytes and value is not None:
            value = as_bytes(value) if type(value) in STRING_TYPES else None
        values.append(value)
    return values


@command(
    "MSET key value [key value ...]",
    WRITE,
    DENYOOM,
    since="1.0.1",
    complexity="O(N), N = keys",
    keys="OW UPDATE",
    tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
)
def mset(session: Context, argv: list[bytes]) -> Any:
    """Set some keys to strings, all or none."""
    if len(argv) % 2 == 0:
        raise wrong_arity(b"mset")
    put_all(session.db, argv[1::2], argv[2::2], SET)
    return OK


@command(
    "MSETNX key value [key value ...]",
    WRITE,
    DENYOOM,
    since="1.0.1",
    complexity="O(N), N = keys",
    keys="OW INSERT",
    tips=("request_policy:multi_shard", "response_policy:agg_min"),
)
def msetnx(session: Context, argv: list[bytes]) -> int:
    """Set some keys to strings, unless one of them exists."""
    if len(argv) % 2 == 0:
        raise wrong_arity(b"msetnx")
    if any(session.db.find(key) is not None for key in argv[1::2]):
        return 0
    mset(session, argv)
    return 1


@command("INCR key", WRITE, DENYOOM, FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def incr(session: Context, argv: list[bytes]) -> int:
    """Add one to the integer at a key."""
    return session.db.increment(argv[1], 1, INCRBY)


@command("DECR key", WRITE, DENYOOM, FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def decr(session: Context, argv: list[bytes]) -> int:
    """Subtract one from the integer at a key."""
    return session.db.increment(argv[1], -1, INCRBY)


@command("INCRBY key increment", WRITE, DENYOOM, FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def incrby(session: Context, argv: list[bytes]) -> int:
    """Add to the integer at a key."""
    return session.db.increment(argv[1], integer(argv[2]), INCRBY)


@command("DECRBY key decrement", WRITE, DENYOOM, FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def decrby(session: Context, argv: list[bytes]) -> int:
    """Subtract from the integer at a key."""
    amount = integer(argv[2])
    if amount == INT_MIN:
        raise RedisError(b"ERR decrement would overflow")
    return session.db.increment(argv[1], -amount, INCRBY)


@command(
    "INCRBYFLOAT key increment",
    WRITE,
    DENYOOM,
    FAST,
    since="2.6.0",
    keys="RW ACCESS UPDATE",
    kinds={"increment": "double"},
    effect=of_incrbyfloat,
)
def incrbyfloat(session: Context, argv: list[bytes]) -> bytes:
    """Add to the number at a key."""
    _, key, increment = argv
    value = session.db.find(key)
    result = add_long_doubles(b"0" if value is None else as_bytes(value), increment)
    session.db.update(key, EmbeddedString(result), INCRBYFLOAT)
    return result


def add_long_doubles(first: bytes, second: bytes, message: bytes | None = None) -> bytes:
    """The sum of two numbers as Redis calculates and prints it.

    Raises NotAFloat, with ``message`` where ``first`` is no number, and RedisError where the sum is too large.
    """
    left, right = parse_long_double(first), parse_long_double(second)
    if left is None:
        raise RedisError(message) if message is not None else NotAFloat
    if right is None:
        raise NotAFloat
    total = None
    if not isinstance(left, float) and not isinstance(right, float):
        total = round_long_double(left + right)
    if total is None:
        raise RedisError(b"ERR increment would produce NaN or Infinity")
    return format_long_double(total)
