"""Strings, under conditions: what Redis 8.4 and Valkey 9 have brought beside the IF options of SET.

Contents: DELEX DELIFEQ DIGEST MSETEX.
"""

from __future__ import annotations

from pycache_server.commands.args import Options, integer_in, option_of
from pycache_server.commands.conditions import COMPARISONS, compares
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_getdel, of_msetex
from pycache_server.commands.expiry import expiry_of
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.commands.strings import SET, UNITS
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError, wrong_arity
from pycache_server.store.events import DEL, EXPIRE
from pycache_server.store.strings import STRING_TYPES, as_bytes
from pycache_server.store.xxh3 import hex_digest

command = Family("string").command

_MOST_KEYS = 2**31 - 1


@command("DIGEST key", READONLY, FAST, since="8.4.0", complexity="O(N), N = length of the string", keys="RO ACCESS")
def digest(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the XXH3 digest of the string at a key as 16 hexadecimal digits."""
    value = session.db.read_string(argv[1])
    return None if value is None else hex_digest(value)


def _key_flags_of_delex(argv: list[bytes]) -> str:
    """What DELEX does to its key: it need not look at what it removes without a condition."""
    return "RW ACCESS DELETE" if len(argv) > 2 else "RM DELETE"


@command(
    "DELEX key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
    WRITE,
    FAST,
    since="8.4.0",
    complexity="O(1) for IFEQ and IFNE, O(N) for IFDEQ and IFDNE, N = length of the string",
    keys="RW DELETE VARIABLE_FLAGS",
    key_flags=_key_flags_of_delex,
    effect=of_getdel,
)
def delex(session: Context, argv: list[bytes]) -> int:
    """Remove a key, of a string where it meets a condition."""
    db, key = session.db, argv[1]
    if len(argv) not in (2, 4):
        raise wrong_arity(b"delex")
    if len(argv) == 4:
        value = db.find(key)
        if value is None:
            return 0
        if type(value) not in STRING_TYPES:
            raise RedisError(b"ERR Key should be of string type if conditions are specified")
        condition = option_of(argv[2])
        if condition not in COMPARISONS:
            raise RedisError(b"ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
        if not compares(condition, value, argv[3]):
            return 0
    return int(db.delete(key, DEL))


@command("DELIFEQ key value", WRITE, FAST, since="9.0.0", keys="RW ACCESS DELETE", effect=of_getdel)
def delifeq(session: Context, argv: list[bytes]) -> int:
    """Remove a key if it holds a string that is equal to a value."""
    _, key, wanted = argv
    value = session.db.find(key)
    if value is None or as_bytes(value) != wanted:
        return 0
    return int(session.db.delete(key, DEL))


@command(
    "MSETEX numkeys key value [key value ...] [NX | XX] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    WRITE,
    DENYOOM,
    since="8.4.0",
    complexity="O(N), N = keys",
    key_specs=(KeySpec(1, counted=True, step=2, flags=("OW", "UPDATE")),),
    tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
    effect=of_msetex,
)
def msetex(session: Context, argv: list[bytes]) -> int:
    """Set some keys to strings, all or none, with one time to live."""
    db = session.db
    count = integer_in(argv[1], 1, _MOST_KEYS, b"ERR invalid numkeys value")
    end = 2 + 2 * count
    if end > len(argv):
        raise RedisError(b"ERR wrong number of key-value pairs")
    condition, unit, amount = _options_of_msetex(argv, end)
    expires = expiry_of(session, unit, amount, b"msetex") if amount is not None else None
    keys, values = argv[2:end:2], argv[3:end:2]
    if condition is not None and any((db.find(key) is None) == (condition == b"XX") for key in keys):
        return 0
    for key, value in zip(keys, values, strict=True):
        if unit == b"KEEPTTL":
            db.update(key, value, SET)
        elif expires is None:
            db.put(key, value, SET)
        else:
            db.put_until(key, value, expires, SET)
            db.announce(key, EXPIRE)
    return 1


def _options_of_msetex(argv: list[bytes], position: int) -> tuple[bytes | None, bytes | None, bytes | None]:
    """The condition, and the unit and the amount of the time to live."""
    condition = unit = amount = None
    options = Options(argv, position)
    while (option := options.take()) is not None:
        if option in (b"NX", b"XX") and condition is None:
            condition = option
        elif option == b"KEEPTTL" and unit is None:
            unit = option
        elif option in UNITS and unit is None and options.left():
            unit, amount = option, options.value()
        else:
            options.fail()
    return condition, unit, amount
