"""Commands for keys of any type.

Contents: COPY DEL EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS MOVE OBJECT PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PTTL
RANDOMKEY RENAME RENAMENX SCAN TOUCH TTL TYPE UNLINK, and of the server group DBSIZE FLUSHALL FLUSHDB SWAPDB. SORT is in
sort.py.
"""

from __future__ import annotations

import re
from typing import Any

from pycache_server.commands.args import Options, int32, integer, integer_in, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_expire
from pycache_server.commands.expiry import any_expiry_of, is_future
from pycache_server.commands.registry import (
    DENYOOM,
    FAST,
    READONLY,
    WRITE,
    Family,
)
from pycache_server.commands.types import encoding_of, type_name
from pycache_server.entry import NEVER
from pycache_server.errors import BadDatabase, BadSyntax, NoSuchKey, RedisError, SameObject, c_string
from pycache_server.evict.base import Engine, keeps_account
from pycache_server.resp.encode import OK, Wire, status
from pycache_server.store.database import Database
from pycache_server.store.events import (
    COPY_TO,
    DEL,
    EXPIRE,
    MOVE_FROM,
    MOVE_TO,
    PERSIST,
    RENAME_FROM,
    RENAME_TO,
    UNHEARD,
    Event,
)
from pycache_server.store.glob import compile_glob, is_literal
from pycache_server.store.numbers import parse_int

family = Family("generic")
command = family.command
server_command = Family("server").command

NONE = status(b"none")
ALL_SHARDS = ("request_policy:all_shards", "response_policy:agg_sum")


# Existence


@command(
    "DEL key [key ...]",
    WRITE,
    since="1.0.0",
    complexity="O(N), N = keys",
    keys="RM DELETE",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def del_(session: Context, argv: list[bytes]) -> int:
    """Remove keys."""
    delete = session.db.delete
    if len(argv) == 2:
        return int(delete(argv[1], DEL))
    return sum(delete(key, DEL) for key in argv[1:])


@command(
    "UNLINK key [key ...]",
    WRITE,
    FAST,
    since="4.0.0",
    complexity="O(N), N = keys",
    keys="RM DELETE",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def unlink(session: Context, argv: list[bytes]) -> int:
    """Remove keys; big values are freed in the background, as after DEL here."""
    return del_(session, argv)


@command(
    "EXISTS key [key ...]",
    READONLY,
    FAST,
    since="1.0.0",
    complexity="O(N), N = keys",
    keys="RO",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def exists(session: Context, argv: list[bytes]) -> int:
    """Count how many of the keys exist; one that is named twice counts twice."""
    look = session.db.look
    return sum(look(key) is not None for key in argv[1:])


@command(
    "TOUCH key [key ...]",
    READONLY,
    FAST,
    since="3.2.1",
    complexity="O(N), N = keys",
    keys="RO",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def touch(session: Context, argv: list[bytes]) -> int:
    """Count how many of the keys exist, and let that be an access to them."""
    read = session.db.read
    return sum(read(key) is not None for key in argv[1:])


@command("TYPE key", READONLY, FAST, since="1.0.0", keys="RO")
def type_(session: Context, argv: list[bytes]) -> Wire:
    """Return what kind of value a key holds."""
    value = session.db.look(argv[1])
    return NONE if value is None else status(type_name(value))


# Time to live


def _expire_generic(session: Context, argv: list[bytes], unit: bytes, name: bytes) -> int:
    """EXPIRE and its like: set the time, under the conditions that may follow it."""
    db, key = session.db, argv[1]
    conditions = _conditions(argv)
    expires = any_expiry_of(session, unit, argv[2], name)
    current = db.expires_at(key)
    if current is None or not _allowed(conditions, current, expires):
        return 0
    if is_future(session, expires):
        db.expire(key, expires, EXPIRE)
    else:
        db.delete(key, DEL)
    return 1


def _conditions(argv: list[bytes]) -> set[bytes]:
    """The conditions NX, XX, GT, LT behind the time.

    Raises RedisError.
    """
    found: set[bytes] = set()
    for word in argv[3:]:
        option = option_of(word)
        if option not in (b"NX", b"XX", b"GT", b"LT"):
            raise RedisError(b"ERR Unsupported option " + c_string(word))
        found.add(option)
    if b"NX" in found and len(found) > 1:
        raise RedisError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if found >= {b"GT", b"LT"}:
        raise RedisError(b"ERR GT and LT options at the same time are not compatible")
    return found


def _allowed(conditions: set[bytes], current: int, expires: int) -> bool:
    """Whether conditions allow the change; a key that does not expire counts as expiring last of all."""
    if b"NX" in conditions and current != NEVER:
        return False
    if b"XX" in conditions and current == NEVER:
        return False
    if b"GT" in conditions and (current == NEVER or expires <= current):
        return False
    return not (b"LT" in conditions and current != NEVER and expires >= current)


@command("EXPIRE key seconds [NX | XX | GT | LT]", WRITE, FAST, since="1.0.0", keys="RW UPDATE", effect=of_expire)
def expire(session: Context, argv: list[bytes]) -> int:
    """Let a key expire after some seconds."""
    return _expire_generic(session, argv, b"EX", b"expire")


@command("PEXPIRE key milliseconds [NX | XX | GT | LT]", WRITE, FAST, since="2.6.0", keys="RW UPDATE", effect=of_expire)
def pexpire(session: Context, argv: list[bytes]) -> int:
    """Let a key expire after some milliseconds."""
    return _expire_generic(session, argv, b"PX", b"pexpire")


@command(
    "EXPIREAT key unix-time-seconds [NX | XX | GT | LT]", WRITE, FAST, since="1.2.0", keys="RW UPDATE", effect=of_expire
)
def expireat(session: Context, argv: list[bytes]) -> int:
    """Let a key expire at a time, in seconds since 1970."""
    return _expire_generic(session, argv, b"EXAT", b"expireat")


@command(
    "PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]",
    WRITE,
    FAST,
    since="2.6.0",
    keys="RW UPDATE",
    effect=of_expire,
)
def pexpireat(session: Context, argv: list[bytes]) -> int:
    """Let a key expire at a time, in milliseconds since 1970."""
    return _expire_generic(session, argv, b"PXAT", b"pexpireat")


def _time_left(session: Context, key: bytes) -> int:
    """Milliseconds until a key expires, -1 where it does not, -2 where it does not exist."""
    expires = _expires_at(session, key)
    return expires if expires < 0 else max(0, expires - session.keyspace.clock.today())


def _expires_at(session: Context, key: bytes) -> int:
    """When a key expires, in ms since 1970, -1 where it does not, -2 where it does not exist."""
    if session.db.look(key) is None:
        return -2
    expires = session.db.expires_at(key)
    assert expires is not None
    return -1 if expires == NEVER else expires


@command("TTL key", READONLY, FAST, since="1.0.0", keys="RO ACCESS", tips=("nondeterministic_output",))
def ttl(session: Context, argv: list[bytes]) -> int:
    """Return how many seconds a key has left."""
    left = _time_left(session, argv[1])
    return left if left < 0 else (left + 500) // 1000


@command("PTTL key", READONLY, FAST, since="2.6.0", keys="RO ACCESS", tips=("nondeterministic_output",))
def pttl(session: Context, argv: list[bytes]) -> int:
    """Return how many milliseconds a key has left."""
    return _time_left(session, argv[1])


@command("EXPIRETIME key", READONLY, FAST, since="7.0.0", keys="RO ACCESS")
def expiretime(session: Context, argv: list[bytes]) -> int:
    """Return when a key expires, in seconds since 1970."""
    expires = pexpiretime(session, argv)
    return expires if expires < 0 else (expires + 500) // 1000


@command("PEXPIRETIME key", READONLY, FAST, since="7.0.0", keys="RO ACCESS")
def pexpiretime(session: Context, argv: list[bytes]) -> int:
    """Return when a key expires, in milliseconds since 1970."""
    return _expires_at(session, argv[1])


@command("PERSIST key", WRITE, FAST, since="2.2.0", keys="RW UPDATE")
def persist(session: Context, argv: list[bytes]) -> int:
    """Let a key not expire."""
    return int(session.db.persist(argv[1], PERSIST))


# Names


@command("RENAME key newkey", WRITE, since="1.0.0", keys="RW ACCESS DELETE;OW UPDATE")
def rename(session: Context, argv: list[bytes]) -> Any:
    """Give a key another name, whatever had that name before."""
    _, key, new = argv
    if session.db.find(key) is None:
        raise NoSuchKey
    if key != new:
        _hand_over(session.db, key, RENAME_FROM, session.db, new, RENAME_TO)
    return OK


@command("RENAMENX key newkey", WRITE, FAST, since="1.0.0", keys="RW ACCESS DELETE;OW INSERT")
def renamenx(session: Context, argv: list[bytes]) -> int:
    """Give a key another name that no key has yet."""
    _, key, new = argv
    if session.db.find(key) is None:
        raise NoSuchKey
    if session.db.find(new) is not None:
        return 0
    _hand_over(session.db, key, RENAME_FROM, session.db, new, RENAME_TO)
    return 1


def _hand_over(source: Database, key: bytes, left: Event, target: Database, name: bytes, arrived: Event) -> None:
    """Give what a key holds, with its time to live, to another name or to another database, whatever that holds."""
    taken = source.take(key)
    assert taken is not None
    target.vacate(name)
    target.place(name, *taken, UNHEARD)
    source.announce(key, left)
    target.announce(name, arrived)


def _database(session: Context, word: bytes) -> Database:
    """The database of a number.

    Raises RedisError.
    """
    index = int32(word)
    if not 0 <= index < len(session.keyspace.databases):
        raise BadDatabase
    return session.keyspace.databases[index]


@command("MOVE key db", WRITE, FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def move(session: Context, argv: list[bytes]) -> int:
    """Move a key to another database that has none of that name."""
    key, target = argv[1], _database(session, argv[2])
    if target is session.db:
        raise SameObject
    if session.db.find(key) is None or target.find(key) is not None:
        return 0
    _hand_over(session.db, key, MOVE_FROM, target, key, MOVE_TO)
    return 1


@command(
    "COPY source destination [DB destination-db] [REPLACE]",
    WRITE,
    DENYOOM,
    since="6.2.0",
    complexity="O(N), N = elements",
    keys="RO ACCESS;OW UPDATE",
)
def copy(session: Context, argv: list[bytes]) -> int:
    """Copy a key with its value and time to live."""
    _, source, destination, *_ = argv
    target, replace = session.db, False
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and options.left():
            target = _database(session, options.value())
        else:
            options.fail()
    if target is session.db and source == destination:
        raise SameObject
    value, expires = session.db.read(source), session.db.expires_at(source)
    if value is None or expires is None or (target.find(destination) is not None and not replace):
        return 0
    target.vacate(destination)
    target.place(destination, copied(value), expires, COPY_TO)
    return 1


def copied(value: Any) -> Any:
    """A value that shares nothing with another which may change."""
    return value if isinstance(value, (bytes, int)) else value.copy()


# All keys


@command(
    "KEYS pattern",
    READONLY,
    since="1.0.0",
    complexity="O(N), N = keys in the database",
    categories="keyspace dangerous",
    tips=("request_policy:all_shards", "nondeterministic_output_order"),
)
def keys(session: Context, argv: list[bytes]) -> list[bytes]:
    """List the keys that match a pattern."""
    pattern = argv[1]
    if pattern == b"*":
        return list(session.db.keys())
    if is_literal(pattern):
        return [pattern] if session.db.peek(pattern) is not None else []
    return list(filter(compile_glob(pattern), session.db.keys()))


@command("RANDOMKEY", READONLY, since="1.0.0", tips=("request_policy:all_shards", "nondeterministic_output"))
def randomkey(session: Context, argv: list[bytes]) -> bytes | None:
    """Return some key."""
    return session.db.random_key()


@command(
    "SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]",
    READONLY,
    since="2.8.0",
    complexity="O(1) for every call, O(N) for all of them, N = keys in the database",
    tips=("nondeterministic_output", "request_policy:special"),
)
def scan(session: Context, argv: list[bytes]) -> list[Any]:
    """Go through all keys, some at a time."""
    cursor = scan_cursor(argv[1])
    pattern, count, kind = scan_options(argv, 2, with_type=True)
    cursor, found = session.db.scan(cursor, count)
    if pattern is not None:
        found = list(filter(compile_glob(pattern), found))
    if kind is not None:
        found = [key for key in found if (value := _peek(session, key)) is not None and type_name(value) == kind]
    return [b"%d" % cursor, found]


_CURSOR = re.compile(rb"[ \t-\r]*([+-]?)0*(\d{1,20})")


def scan_cursor(word: bytes) -> int:
    """The cursor of a scan, as C's ``strtoull`` reads it: behind blanks, with a sign, zeros in front. Only a negative
    number in its plain spelling is refused.

    Raises RedisError.
    """
    found = _CURSOR.fullmatch(c_string(word))
    if found is None or int(found[2]) >= 2**64 or (found[1] == b"-" and parse_int(word) is not None):
        raise RedisError(b"ERR invalid cursor")
    return -int(found[2]) % 2**64 if found[1] == b"-" else int(found[2])


def scan_options(
    argv: list[bytes], position: int, with_type: bool = False, with_novalues: bool = False
) -> tuple[bytes | None, int, bytes | None]:
    """Pattern (None for all), count and type of a scan; where NOVALUES is allowed, it takes the place of the type.

    Raises RedisError.
    """
    pattern = kind = None
    count = 10
    options = Options(argv, position)
    while (option := options.take()) is not None:
        if option == b"COUNT" and options.left():
            count = integer(options.value())
            if count < 1:
                raise BadSyntax
        elif option == b"MATCH" and options.left():
            pattern = options.value()
        elif option == b"TYPE" and with_type and options.left():
            kind = c_string(options.value()).lower()
        elif option == b"NOVALUES":
            if not with_novalues:
                raise RedisError(b"ERR NOVALUES option can only be used in HSCAN")
            kind = option
        else:
            options.fail()
    return (None if pattern == b"*" else pattern), count, kind


# OBJECT

_SHARED_INTEGERS = 10_000
_SHARED = 2**31 - 1
"""What Redis calls the number of references to an object that is never freed."""

family.container("OBJECT", since="2.2.3", help_since="6.2.0", summary="Commands that look behind a value.")


def _peek(session: Context, key: bytes) -> Any:
    """The value at a key, None where there is none. Counts as a read, but nobody hears of it."""
    return session.db.look(key, announce=False)


@command("OBJECT ENCODING key", READONLY, since="2.2.3", keys="RO", tips=("nondeterministic_output",))
def object_encoding(session: Context, argv: list[bytes]) -> bytes | None:
    """Return how Redis would keep the value."""
    value = _peek(session, argv[2])
    return None if value is None else encoding_of(value, session.keyspace.encodings)


@command("OBJECT REFCOUNT key", READONLY, since="2.2.3", keys="RO", tips=("nondeterministic_output",))
def object_refcount(session: Context, argv: list[bytes]) -> int | None:
    """Return how many references there are to the value: one, but small integers are everybody's, for which Redis has
    the greatest number, unless what is given up depends on how the one key is used."""
    value = _peek(session, argv[2])
    if value is None:
        return None
    is_shared = encoding_of(value, session.keyspace.encodings) == b"int" and 0 <= int(value) < _SHARED_INTEGERS
    engine = session.db.engine_for(argv[2])
    if session.keyspace.maxmemory and engine is not None and keeps_account(type(engine)):
        is_shared = False
    return _SHARED if is_shared else 1


@command("OBJECT IDLETIME key", READONLY, since="2.2.3", keys="RO", tips=("nondeterministic_output",))
def object_idletime(session: Context, argv: list[bytes]) -> int | None:
    """Return how many seconds ago a key was accessed last: 0 where no eviction engine keeps account of that."""
    if _peek(session, argv[2]) is None:
        return None
    db = session.db
    idle = db.engine_knows(argv[2], lambda engine, entry: engine.idle_seconds(entry))
    if idle is None and _counts_accesses(db.engine_for(argv[2])):
        raise RedisError(
            b"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
            b"policies at runtime LRU and LFU data will take some time to adjust."
        )
    return idle or 0


@command("OBJECT FREQ key", READONLY, since="4.0.0", keys="RO", tips=("nondeterministic_output",))
def object_freq(session: Context, argv: list[bytes]) -> int | None:
    """Return how often a key is accessed, on the logarithmic scale of LFU: 0 for a key that the policy never gives
    up."""
    if _peek(session, argv[2]) is None:
        return None
    db = session.db
    if not _counts_accesses(db.engine_for(argv[2])):
        raise RedisError(
            b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
            b"switching between policies at runtime LRU and LFU data will take some time to adjust."
        )
    return db.engine_knows(argv[2], lambda engine, entry: engine.frequency(entry)) or 0


def _counts_accesses(engine: Engine | None) -> bool:
    return engine is not None and type(engine).frequency is not Engine.frequency


# Databases


@server_command("DBSIZE", READONLY, FAST, since="1.0.0", categories="keyspace", tips=ALL_SHARDS)
def dbsize(session: Context, argv: list[bytes]) -> int:
    """Count the keys of the database."""
    return session.db.shown_size()


def _check_flush_mode(argv: list[bytes]) -> None:
    if len(argv) > 2 or (len(argv) == 2 and option_of(argv[1]) not in (b"SYNC", b"ASYNC")):
        raise BadSyntax


FLUSH_TIPS = ("request_policy:all_shards", "response_policy:all_succeeded")


@server_command(
    "FLUSHDB [ASYNC | SYNC]",
    WRITE,
    since="1.0.0",
    complexity="O(1); the memory comes back in slices",
    categories="keyspace dangerous",
    tips=FLUSH_TIPS,
)
def flushdb(session: Context, argv: list[bytes]) -> Any:
    """Remove all keys of the database."""
    _check_flush_mode(argv)
    session.keyspace.flush([session.db])
    return OK


@server_command(
    "FLUSHALL [ASYNC | SYNC]",
    WRITE,
    since="1.0.0",
    complexity="O(1); the memory comes back in slices",
    categories="keyspace dangerous",
    tips=FLUSH_TIPS,
)
def flushall(session: Context, argv: list[bytes]) -> Any:
    """Remove all keys of all databases."""
    _check_flush_mode(argv)
    session.keyspace.flush(session.keyspace.databases)
    session.keyspace.on_flushed()
    return OK


@server_command(
    "SWAPDB index1 index2",
    WRITE,
    FAST,
    since="4.0.0",
    complexity="O(N), N = clients that watch or wait",
    categories="keyspace dangerous",
)
def swapdb(session: Context, argv: list[bytes]) -> Any:
    """Exchange two databases."""
    first = integer_in(argv[1], -(2**31), 2**31 - 1, b"ERR invalid first DB index")
    second = integer_in(argv[2], -(2**31), 2**31 - 1, b"ERR invalid second DB index")
    count = len(session.keyspace.databases)
    if not (0 <= first < count and 0 <= second < count):
        raise BadDatabase
    session.keyspace.swap(first, second)
    return OK
