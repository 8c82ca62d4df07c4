"""Fields of a hash with what becomes of them: read and removed, read and given a time, set with one. Since Redis 8.0.

Contents: HGETDEL HGETEX HSETEX. Times follow the rules of hash_expiry.py: a field that is given a time which has passed
is removed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from pycache_server.commands.args import integer_in, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_hgetdel, of_hgetex, of_hsetex
from pycache_server.commands.hash_expiry import HEXPIRE, HPERSIST, moment, numbered_fields
from pycache_server.commands.hashes import HDEL, HSET, has_grown, has_shrunk, hash_of
from pycache_server.commands.registry import DENYOOM, FAST, WRITE, Family
from pycache_server.errors import RedisError, wrong_arity
from pycache_server.store.field_expiry import make_volatile
from pycache_server.store.hash import Hash, VolatileHash

command = Family("hash").command

_UNITS = {b"EX": 1000, b"PX": 1, b"EXAT": 1000, b"PXAT": 1}
"""Milliseconds of a unit."""
_RELATIVE = frozenset((b"EX", b"PX"))
_MOST = 2**31 - 1
_NOT_POSITIVE = b"ERR Number of fields must be a positive integer"


def _time_of(session: Context, unit: bytes, amount: bytes, name: bytes) -> int:
    """The time that ``EX amount`` and its like stand for, in ms since 1970.

    Raises NotAnInteger and RedisError.
    """
    base = session.keyspace.clock.today() if unit in _RELATIVE else 0
    return moment(amount, _UNITS[unit], base, name)


@command(
    "HGETDEL key <FIELDS numfields field [field ...]>",
    WRITE,
    FAST,
    since="8.0.0",
    complexity="O(N), N = fields",
    keys="RW ACCESS DELETE",
    effect=of_hgetdel,
)
def hgetdel(session: Context, argv: list[bytes]) -> list[bytes | None]:
    """Return the values of fields of a hash and remove the fields, and the key with the last one."""
    db, key = session.db, argv[1]
    value = hash_of(db, key, db.find(key))
    fields = numbered_fields(argv, 2, _NOT_POSITIVE)
    if value is None:
        return [None] * len(fields)
    values: list[bytes | None] = []
    for field in fields:
        values.append(value.get(field))
        value.delete(field)
    removed = len(values) - values.count(None)
    if removed:
        has_shrunk(db, key, value, HDEL, removed)
    return values


@command(
    "HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] "
    "<FIELDS numfields field [field ...]>",
    WRITE,
    FAST,
    since="8.0.0",
    complexity="O(N), N = fields",
    keys="RW ACCESS UPDATE",
    effect=of_hgetex,
)
def hgetex(session: Context, argv: list[bytes]) -> list[bytes | None]:
    """Return the values of fields of a hash and change how long the fields live."""
    db, key = session.db, argv[1]
    value = hash_of(db, key, db.read(key))
    option, when = option_of(argv[2]), None
    if option in _UNITS:
        when = _time_of(session, option, argv[3], b"hgetex")
    position = 4 if when is not None else 3 if option == b"PERSIST" else 2
    fields = numbered_fields(argv, position, _NOT_POSITIVE)
    if value is None:
        return [None] * len(fields)
    values = value.get_many(fields)
    found = [field for field, text in zip(fields, values, strict=True) if text is not None]
    db.will_edit(key)
    if when is not None and found:
        _give_time(session, key, value, found, when)
    elif option == b"PERSIST" and type(value) is VolatileHash:
        _take_time(session, key, value, found)
    return values


def _give_time(session: Context, key: bytes, value: Hash, fields: list[bytes], when: int) -> None:
    """Let fields that are there expire, or remove them where the time has passed."""
    db = session.db
    value.timed = True
    if when <= db.clock.now():
        removed = sum(map(value.delete, fields))
        db.expired_fields += removed
        has_shrunk(db, key, value, HDEL, removed)
        return
    _set_times(session, key, value, fields, when)
    has_grown(db, key, value, HEXPIRE, len(fields))


def _set_times(session: Context, key: bytes, value: Hash, fields: list[bytes], when: int) -> None:
    volatile = value if isinstance(value, VolatileHash) else make_volatile(session.db, key, value)
    for field in fields:
        volatile.times.set(field, when)


def _take_time(session: Context, key: bytes, value: VolatileHash, fields: list[bytes]) -> None:
    """Let fields that are there not expire."""
    timed = [field for field in dict.fromkeys(fields) if field in value.times.at]
    for field in timed:
        value.times.forget(field)
    if timed:
        has_grown(session.db, key, value, HPERSIST, len(timed))


@dataclass(slots=True)
class _Setting:
    """The options of HSETEX. ``when`` is a time in ms since 1970, None where there is none."""

    condition: bytes = b""
    when: int | None = None
    keeps: bool = False
    words: list[bytes] | None = None
    """Fields and values in turn."""


@command(
    "HSETEX key [FNX | FXX] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] "
    "<FIELDS numfields field value [field value ...]>",
    WRITE,
    DENYOOM,
    FAST,
    since="8.0.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
    effect=of_hsetex,
)
def hsetex(session: Context, argv: list[bytes]) -> int:
    """Set fields of a hash, all or none, and how long they live; create the hash where it is not there."""
    setting = _parse_hsetex(session, argv)
    assert setting.words is not None
    fields, texts = setting.words[::2], setting.words[1::2]
    db, key = session.db, argv[1]
    found = hash_of(db, key, db.find(key))
    if not _is_met(setting.condition, found, fields):
        return 0
    value = Hash() if found is None else found
    if setting.keeps:
        for field, text in zip(fields, texts, strict=True):
            value.rewrite(field, text)
    else:
        value.set_many(fields, texts)
    if found is None:
        db.put(key, value, HSET)
        db.dirty += len(fields) - 1
    else:
        has_grown(db, key, value, HSET, len(fields))
    if setting.when is not None:
        changes = db.dirty
        _give_time(session, key, value, list(dict.fromkeys(fields)), setting.when)
        db.dirty = changes  # the whole counts as its fields
    return 1


def _is_met(condition: bytes, value: Hash | None, fields: list[bytes]) -> bool:
    """Whether all of the fields are there, or none of them, as the condition wants it."""
    if not condition:
        return True
    there = condition == b"FXX"
    return all((value is not None and value.get(field) is not None) == there for field in fields)


def _parse_hsetex(session: Context, argv: list[bytes]) -> _Setting:
    """The options of HSETEX, which may come in any order before FIELDS."""
    setting, position = _Setting(), 2
    while position < len(argv):
        word = option_of(argv[position])
        if word == b"FIELDS":
            setting.words = _pairs(argv, position)
            return setting
        if word in (b"FNX", b"FXX"):
            if setting.condition:
                raise RedisError(b"ERR Only one of FXX or FNX arguments can be specified")
            setting.condition = word
        elif word == b"KEEPTTL" or word in _UNITS:
            if setting.keeps or setting.when is not None:
                raise RedisError(b"ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
            setting.keeps = word == b"KEEPTTL"
            if not setting.keeps:
                position += 1
                if position == len(argv):
                    raise RedisError(b"ERR missing expire time")
                setting.when = _time_of(session, word, argv[position], b"hsetex")
        else:
            raise RedisError(b"ERR unknown argument: " + argv[position])
        position += 1
    raise RedisError(b"ERR missing FIELDS argument")


def _pairs(argv: list[bytes], position: int) -> list[bytes]:
    """The fields and values behind ``FIELDS numfields``, which is at a position.

    Raises RedisError.
    """
    if position >= len(argv) - 3:
        raise wrong_arity(b"hsetex")
    count = integer_in(argv[position + 1], 1, _MOST, b"ERR invalid number of fields")
    if len(argv) - position - 2 != 2 * count:
        raise wrong_arity(b"hsetex")
    return argv[position + 2 :]
