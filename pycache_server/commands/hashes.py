"""Hashes: HSET, HGET and their relatives.

Contents: HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN
HVALS. Times to live of fields are in hash_expiry.py. A hash whose fields last is a Hash, which the common commands look
into themselves; ``hash_of`` finds a hash of either class.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from pycache_server.commands.args import draws, frequent_integer, integer, integer_in, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_hincrby, of_hincrbyfloat, of_hsetnx
from pycache_server.commands.generic import scan_cursor, scan_options
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.commands.strings import add_long_doubles
from pycache_server.errors import BadSyntax, NotAFloat, RedisError, WouldOverflow, WrongType, wrong_arity
from pycache_server.resp.encode import EMPTY_ARRAY, OK
from pycache_server.store.database import Database
from pycache_server.store.events import DEL, HASH, Event
from pycache_server.store.field_expiry import drop_some_due, retime
from pycache_server.store.glob import compile_glob
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.numbers import INT_MAX, INT_MIN, parse_int, parse_long_double
from pycache_server.store.table import random_elements, random_sample

family = Family("hash")
command = family.command

HSET = Event(HASH, b"hset")
HDEL = Event(HASH, b"hdel")
HINCRBY = Event(HASH, b"hincrby")
HINCRBYFLOAT = Event(HASH, b"hincrbyfloat")


def hash_of(db: Database, key: bytes, value: Any) -> Hash | None:
    """What was found at a key, if it is a hash or nothing. Of fields that have expired, some are removed.

    Raises WrongType.
    """
    if type(value) is Hash or value is None:
        return value
    if type(value) is not VolatileHash:
        raise WrongType
    if value.times.expires <= db.clock.now() and not db.keyspace.stands_still:
        drop_some_due(db, key, value)
    return value


def has_grown(db: Database, key: bytes, value: Hash, event: Event, changes: int = 1) -> None:
    """Fields of the hash at a key have been set."""
    if type(value) is VolatileHash:
        retime(db, key, value)
    db.touched(key, event, changes)


def has_shrunk(db: Database, key: bytes, value: Hash, event: Event, changes: int) -> None:
    """Fields of the hash at a key have been removed, maybe the last one, with which the key goes."""
    left = value.held if type(value) is Hash else len(value)
    if left and type(value) is VolatileHash:
        retime(db, key, value)
    if left:
        db.touched(key, event, changes)
    else:
        if value.held:
            db.has_lost_rest(key)
        db.touched(key, event, changes - 1)  # ``delete`` counts one
        db.delete(key, DEL)


# Setting


@command(
    "HSET key field value [field value ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="2.0.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
)
def hset(session: Context, argv: list[bytes]) -> int:
    """Set fields of a hash; create it where it is not there. Returns how many fields are new."""
    if len(argv) != 4:
        return _set_fields(session, argv, b"hset")
    _, key, field, text = argv
    db = session.db
    value = db.find(key)
    if type(value) is Hash:
        created = value.set(field, text)
        db.touched(key, HSET)
        return created
    found = hash_of(db, key, value)
    if found is None:
        return _create(db, key, field, text, HSET)
    created = found.set(field, text)
    has_grown(db, key, found, HSET)
    return created


@command(
    "HMSET key field value [field value ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="2.0.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
)
def hmset(session: Context, argv: list[bytes]) -> Any:
    """Set fields of a hash; create it where it is not there."""
    _set_fields(session, argv, b"hmset")
    return OK


def _set_fields(session: Context, argv: list[bytes], name: bytes) -> int:
    if len(argv) % 2:
        raise wrong_arity(name)
    db, key = session.db, argv[1]
    found = hash_of(db, key, db.find(key))
    value = Hash() if found is None else found
    created = value.set_many(argv[2::2], argv[3::2])
    count = len(argv) // 2 - 1
    if found is None:
        db.put(key, value, HSET)
        db.dirty += count - 1
    else:
        has_grown(db, key, value, HSET, count)
    return created


@command("HSETNX key field value", WRITE, DENYOOM, FAST, since="2.0.0", keys="RW INSERT", effect=of_hsetnx)
def hsetnx(session: Context, argv: list[bytes]) -> int:
    """Set a field of a hash unless it exists."""
    _, key, field, text = argv
    value = hash_of(session.db, key, session.db.find(key))
    if value is not None and value.get(field) is not None:
        return 0
    _rewrite(session.db, key, value, field, text, HSET)
    return 1


def _create(db: Database, key: bytes, field: bytes, text: bytes, event: Event) -> int:
    value = Hash()
    value.set(field, text)
    db.put(key, value, event)
    return 1


def _rewrite(db: Database, key: bytes, value: Hash | None, field: bytes, text: bytes, event: Event) -> None:
    """Set a field, which keeps its time to live, of the hash that was found at a key or of a new one."""
    if value is None:
        _create(db, key, field, text, event)
    else:
        value.rewrite(field, text)
        has_grown(db, key, value, event)


@command("HINCRBY key field increment", WRITE, DENYOOM, FAST, since="2.0.0", keys="RW ACCESS UPDATE", effect=of_hincrby)
def hincrby(session: Context, argv: list[bytes]) -> int:
    """Add to the integer in a field of a hash."""
    _, key, field, increment = argv
    result = integer(increment)
    db = session.db
    value = db.find(key)
    if type(value) is not Hash:
        value = hash_of(db, key, value)
    text = None if value is None else value.get(field)
    if text is not None:
        number = frequent_integer(text)
        if number is None:
            number = parse_int(text)
            if number is None:
                raise RedisError(b"ERR hash value is not an integer")
        result += number
        if not INT_MIN <= result <= INT_MAX:
            raise WouldOverflow
    if type(value) is Hash:
        value.set(field, b"%d" % result)
        db.touched(key, HINCRBY)
    else:
        _rewrite(db, key, value, field, b"%d" % result, HINCRBY)
    return result


@command(
    "HINCRBYFLOAT key field increment",
    WRITE,
    DENYOOM,
    FAST,
    since="2.6.0",
    keys="RW ACCESS UPDATE",
    effect=of_hincrbyfloat,
)
def hincrbyfloat(session: Context, argv: list[bytes]) -> bytes:
    """Add to the number in a field of a hash."""
    _, key, field, increment = argv
    amount = parse_long_double(increment)
    if amount is None:
        raise NotAFloat
    if isinstance(amount, float):
        raise RedisError(b"ERR value is NaN or Infinity")
    value = hash_of(session.db, key, session.db.find(key))
    text = None if value is None else value.get(field)
    result = add_long_doubles(b"0" if text is None else text, increment, b"ERR hash value is not a float")
    _rewrite(session.db, key, value, field, result, HINCRBYFLOAT)
    return result


@command("HDEL key field [field ...]", WRITE, FAST, since="2.0.0", complexity="O(N), N = fields", keys="RW DELETE")
def hdel(session: Context, argv: list[bytes]) -> int:
    """Remove fields of a hash, and the key with the last one. Returns how many there were."""
    db, key = session.db, argv[1]
    value = db.find(key)
    if type(value) is not Hash:
        value = hash_of(db, key, value)
        if value is None:
            return 0
    deleted = value.delete(argv[2]) if len(argv) == 3 else sum(map(value.delete, argv[2:]))
    if deleted:
        has_shrunk(db, key, value, HDEL, deleted)
    return deleted


# Getting


@command("HGET key field", READONLY, FAST, since="2.0.0", keys="RO ACCESS")
def hget(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the value of a field of a hash."""
    _, key, field = argv
    value = session.db.read(key)
    if type(value) is Hash:
        text: bytes | None = value.fields.get(field)
        return text
    found = hash_of(session.db, key, value)
    return None if found is None else found.get(field)


@command("HMGET key field [field ...]", READONLY, FAST, since="2.0.0", complexity="O(N), N = fields", keys="RO ACCESS")
def hmget(session: Context, argv: list[bytes]) -> list[bytes | None]:
    """Return the values of some fields of a hash, null for those that it does not have."""
    value = hash_of(session.db, argv[1], session.db.read(argv[1]))
    return [None] * (len(argv) - 2) if value is None else value.get_many(argv[2:])


def _live_fields(session: Context, key: bytes) -> Any:
    """The fields of a hash with their values, a dict or a Table; empty where there is no hash."""
    value = session.db.read(key)
    if type(value) is Hash:
        return value.fields
    found = hash_of(session.db, key, value)
    return {} if found is None else found.live()


@command(
    "HGETALL key",
    READONLY,
    since="2.0.0",
    complexity="O(N), N = fields of the hash",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def hgetall(session: Context, argv: list[bytes]) -> dict[bytes, bytes]:
    """Return all fields of a hash with their values."""
    live = _live_fields(session, argv[1])
    return live.copy() if type(live) is dict else dict(live.items())


@command(
    "HKEYS key",
    READONLY,
    since="2.0.0",
    complexity="O(N), N = fields of the hash",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def hkeys(session: Context, argv: list[bytes]) -> list[bytes]:
    """Return all fields of a hash."""
    return list(_live_fields(session, argv[1]))


@command(
    "HVALS key",
    READONLY,
    since="2.0.0",
    complexity="O(N), N = fields of the hash",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def hvals(session: Context, argv: list[bytes]) -> list[bytes]:
    """Return the values of all fields of a hash."""
    return list(_live_fields(session, argv[1]).values())


@command("HLEN key", READONLY, FAST, since="2.0.0", keys="RO")
def hlen(session: Context, argv: list[bytes]) -> int:
    """Count the fields of a hash."""
    value = hash_of(session.db, argv[1], session.db.read(argv[1]))
    return 0 if value is None else len(value)


def _value_of(session: Context, argv: list[bytes]) -> bytes | None:
    value = hash_of(session.db, argv[1], session.db.read(argv[1]))
    return None if value is None else value.get(argv[2])


@command("HEXISTS key field", READONLY, FAST, since="2.0.0", keys="RO")
def hexists(session: Context, argv: list[bytes]) -> int:
    """Return whether a hash has a field."""
    return int(_value_of(session, argv) is not None)


@command("HSTRLEN key field", READONLY, FAST, since="3.2.0", keys="RO")
def hstrlen(session: Context, argv: list[bytes]) -> int:
    """Return the length of the value of a field of a hash."""
    return len(_value_of(session, argv) or b"")


# Some of the fields


@command(
    "HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    READONLY,
    since="2.8.0",
    complexity="O(1) for every call, O(N) for all of them, N = fields of the hash",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def hscan(session: Context, argv: list[bytes]) -> list[Any]:
    """Go through the fields of a hash, some at a time; a small hash is returned at once."""
    db, key = session.db, argv[1]
    cursor = scan_cursor(argv[2])
    value = hash_of(db, key, db.read(key))
    if value is None:
        return [b"0", EMPTY_ARRAY]
    pattern, count, novalues = scan_options(argv, 3, with_novalues=True)
    if value.encoding(session.keyspace.encodings) == b"hashtable":
        cursor, fields = value.scan(cursor, count)
    else:
        cursor, fields = 0, list(value.live())
    if pattern is not None:
        fields = list(filter(compile_glob(pattern), fields))
    if novalues is not None:
        return [b"%d" % cursor, fields]
    pairs = zip(fields, value.get_many(fields), strict=True)
    return [b"%d" % cursor, list(chain.from_iterable(pairs))]


@command(
    "HRANDFIELD key [count [WITHVALUES]]",
    READONLY,
    since="6.2.0",
    complexity="O(N), N = fields returned",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def hrandfield(session: Context, argv: list[bytes]) -> Any:
    """Return a random field of a hash, or some: different ones, or as many as wanted where the count is negative."""
    if len(argv) == 2:
        live = _live_fields(session, argv[1])
        return random_elements(live, 1, session.keyspace.choose)[0] if len(live) else None
    count = integer_in(argv[2], -INT_MAX, INT_MAX)
    if len(argv) > 4 or (len(argv) == 4 and option_of(argv[3]) != b"WITHVALUES"):
        raise BadSyntax
    if len(argv) == 4 and abs(count) > INT_MAX // 2:
        raise RedisError(b"ERR value is out of range")
    live = _live_fields(session, argv[1])
    if not len(live):
        return EMPTY_ARRAY
    if count < 0:
        fields = random_elements(live, draws(count), session.keyspace.choose)
    else:
        fields = random_sample(live, count, session.keyspace.choose)
    if len(argv) == 3:
        return fields
    pairs = zip(fields, map(live.get, fields), strict=True)
    return list(map(list, pairs)) if session.resp == 3 else list(chain.from_iterable(pairs))
