"""Times to live of the fields of a hash.

Contents: HEXPIRE HEXPIREAT HEXPIRETIME HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HTTL. Each answers with one
number for each field, -2 for a field that is not there.
"""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.commands.args import integer, integer_in, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_hexpire
from pycache_server.commands.hashes import HDEL, has_grown, has_shrunk, hash_of
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.entry import NEVER
from pycache_server.errors import RedisError, invalid_expire
from pycache_server.store.events import HASH, Event
from pycache_server.store.field_expiry import make_volatile, retime
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.numbers import INT_MAX

command = Family("hash").command

HEXPIRE = Event(HASH, b"hexpire")
HPERSIST = Event(HASH, b"hpersist")

LATEST = (1 << 46) - 1
"""The latest time, in ms since 1970, that a field may be given."""
NO_FIELD = -2
NO_TIME = -1
_NOT_MET, _SET, _DELETED = 0, 1, 2
_CONDITIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))


def numbered_fields(argv: list[bytes], position: int, message: bytes) -> list[bytes]:
    """The fields behind ``FIELDS numfields`` at a position.

    Raises RedisError, with ``message`` where numfields is not a positive number.
    """
    if position >= len(argv) - 1 or option_of(argv[position]) != b"FIELDS":
        raise RedisError(b"ERR Mandatory argument FIELDS is missing or not at the right position")
    count = integer_in(argv[position + 1], 1, INT_MAX, message)
    if count != len(argv) - position - 2:
        raise RedisError(b"ERR The `numfields` parameter must match the number of arguments")
    return argv[position + 2 :]


# Setting times


def moment(amount: bytes, unit: int, base: int, name: bytes) -> int:
    """A time in ms from one in units of so many ms after ``base``.

    Raises NotAnInteger, and RedisError with the name of the command where the time is too large.
    """
    value = integer(amount)
    if value < 0:
        raise RedisError(b"ERR invalid expire time, must be >= 0")
    if value * unit + base > LATEST:
        raise invalid_expire(name)
    return value * unit + base


def _expire_fields(session: Context, argv: list[bytes], unit: int, base: int, name: bytes) -> list[int]:
    """HEXPIRE and its like: let fields expire, or remove them at once where the time has passed."""
    db, key = session.db, argv[1]
    found = hash_of(db, key, db.find(key))
    when = moment(argv[2], unit, base, name)
    word = option_of(argv[3])
    condition = word if word in _CONDITIONS else b""
    fields = numbered_fields(argv, 4 if condition else 3, b"ERR Parameter `numFields` should be greater than 0")
    if found is None:
        return [NO_FIELD] * len(fields)
    found.timed = True
    value = found if isinstance(found, VolatileHash) else make_volatile(db, key, found)
    past = when <= db.clock.now() and not session.obeys
    results = [_expire_field(value, field, when, condition, past) for field in fields]
    deleted, changes = results.count(_DELETED), results.count(_SET)
    db.expired_fields += deleted
    if deleted:
        has_shrunk(db, key, value, HDEL, deleted + changes)
    elif changes:
        has_grown(db, key, value, HEXPIRE, changes)
    else:
        retime(db, key, value)
    return results


def _expire_field(value: VolatileHash, field: bytes, when: int, condition: bytes, past: bool) -> int:
    if value.get(field) is None:
        return NO_FIELD
    current = value.times.get(field)
    if condition and not _MEETS[condition](when, current):
        return _NOT_MET
    if past:
        value.delete(field)
        return _DELETED
    value.times.set(field, when)
    return _SET


_MEETS: dict[bytes, Callable[[int, int], bool]] = {
    b"NX": lambda when, current: current == NEVER,
    b"XX": lambda when, current: current != NEVER,
    b"GT": lambda when, current: current != NEVER and when > current,
    b"LT": lambda when, current: when < current,
}


@command(
    "HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
    effect=of_hexpire,
)
def hexpire(session: Context, argv: list[bytes]) -> list[int]:
    """Let fields of a hash expire after some seconds."""
    return _expire_fields(session, argv, 1000, session.keyspace.clock.today(), b"hexpire")


@command(
    "HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
    effect=of_hexpire,
)
def hpexpire(session: Context, argv: list[bytes]) -> list[int]:
    """Let fields of a hash expire after some milliseconds."""
    return _expire_fields(session, argv, 1, session.keyspace.clock.today(), b"hpexpire")


@command(
    "HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
    effect=of_hexpire,
)
def hexpireat(session: Context, argv: list[bytes]) -> list[int]:
    """Let fields of a hash expire at a time, in seconds since 1970."""
    return _expire_fields(session, argv, 1000, 0, b"hexpireat")


@command(
    "HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
    effect=of_hexpire,
)
def hpexpireat(session: Context, argv: list[bytes]) -> list[int]:
    """Let fields of a hash expire at a time, in milliseconds since 1970."""
    return _expire_fields(session, argv, 1, 0, b"hpexpireat")


@command(
    "HPERSIST key FIELDS numfields field [field ...]",
    WRITE,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RW UPDATE",
)
def hpersist(session: Context, argv: list[bytes]) -> list[int]:
    """Let fields of a hash not expire."""
    db, key = session.db, argv[1]
    value = hash_of(db, key, db.find(key))
    fields = numbered_fields(argv, 2, _NOT_POSITIVE)
    if not isinstance(value, VolatileHash):
        return _times(value, fields)
    results = [_persist_field(value, field) for field in fields]
    if _SET in results:
        has_grown(db, key, value, HPERSIST)
    return results


def _persist_field(value: VolatileHash, field: bytes) -> int:
    if value.get(field) is None:
        return NO_FIELD
    if value.times.get(field) == NEVER:
        return NO_TIME
    value.times.forget(field)
    return _SET


# Reading times

_NOT_POSITIVE = b"ERR Number of fields must be a positive integer"


def _times(value: Hash | None, fields: list[bytes]) -> list[int]:
    """When fields expire, in ms since 1970: NO_TIME where they do not, NO_FIELD where they are not there."""
    if value is None:
        return [NO_FIELD] * len(fields)
    if not isinstance(value, VolatileHash):
        return [NO_FIELD if value.get(field) is None else NO_TIME for field in fields]
    found = [NO_FIELD if value.get(field) is None else value.times.get(field) for field in fields]
    return [NO_TIME if when == NEVER else when for when in found]


def _read_times(session: Context, argv: list[bytes], unit: int, base: int) -> list[int]:
    """When fields expire, in units of so many ms after ``base``, rounded up."""
    value = hash_of(session.db, argv[1], session.db.read(argv[1]))
    times = _times(value, numbered_fields(argv, 2, _NOT_POSITIVE))
    return [when if when < 0 else (when - base + unit - 1) // unit for when in times]


@command(
    "HTTL key FIELDS numfields field [field ...]",
    READONLY,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RO ACCESS",
)
def httl(session: Context, argv: list[bytes]) -> list[int]:
    """Return how many seconds fields of a hash have left."""
    return _read_times(session, argv, 1000, session.keyspace.clock.today())


@command(
    "HPTTL key FIELDS numfields field [field ...]",
    READONLY,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RO ACCESS",
)
def hpttl(session: Context, argv: list[bytes]) -> list[int]:
    """Return how many milliseconds fields of a hash have left."""
    return _read_times(session, argv, 1, session.keyspace.clock.today())


@command(
    "HEXPIRETIME key FIELDS numfields field [field ...]",
    READONLY,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RO ACCESS",
)
def hexpiretime(session: Context, argv: list[bytes]) -> list[int]:
    """Return when fields of a hash expire, in seconds since 1970."""
    return _read_times(session, argv, 1000, 0)


@command(
    "HPEXPIRETIME key FIELDS numfields field [field ...]",
    READONLY,
    FAST,
    since="7.4.0",
    complexity="O(N), N = fields",
    keys="RO ACCESS",
)
def hpexpiretime(session: Context, argv: list[bytes]) -> list[int]:
    """Return when fields of a hash expire, in milliseconds since 1970."""
    return _read_times(session, argv, 1, 0)
