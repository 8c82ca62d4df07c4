"""HyperLogLogs: counting different elements in 12 KB, with an error of 0.81 %.

Contents: PFADD PFCOUNT PFDEBUG PFMERGE PFSELFTEST. The value is a string (store/hyperloglog.py); what changes it edits
a bytearray in place, as the commands of bitmaps.py do.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.args import option_of
from pycache_server.commands.context import Context
from pycache_server.commands.registry import ADMIN, DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError, c_string
from pycache_server.resp.encode import OK, Wire, status
from pycache_server.store import hyperloglog as hll
from pycache_server.store.events import REWRITTEN, STRING, UNHEARD, Event
from pycache_server.store.sparse_registers import expand, expand_all, raise_all, raise_sparse, runs
from pycache_server.store.strings import editable, readable

family = Family("hyperloglog")
command = family.command

ADDED = Event(STRING, b"pfadd")


# What all of them share


def _edit(session: Context, key: bytes, value: Any) -> bytearray:
    """The HyperLogLog that a key holds, to be edited in place.

    Raises WrongType, NotHyperLogLog.
    """
    hll.check(readable(value))
    text = editable(value)
    if text is not value:
        session.db.recast(key, text)
    return text


def _registers_of(text: hll.Text) -> hll.Registers:
    """The registers of a HyperLogLog of either form.

    Raises CorruptedHyperLogLog.
    """
    return hll.registers_of(text) if hll.is_dense(text) else hll.pack(expand(text))


def _union(session: Context, keys: list[bytes]) -> tuple[hll.Registers, bool]:
    """The greatest registers of some keys, and whether any of them is dense.

    Raises WrongType, NotHyperLogLog, CorruptedHyperLogLog.
    """
    registers, dense = 0, False
    for key in keys:
        value = session.db.read(key)
        if value is not None:
            text = readable(value)
            hll.check(text)
            dense = dense or hll.is_dense(text)
            found = _registers_of(text)
            registers = hll.greatest(registers, found) if registers else found
    return registers, dense


def _become_dense(text: bytearray) -> bool:
    """Make a HyperLogLog dense. Whether it was not.

    Raises CorruptedHyperLogLog.
    """
    if hll.is_dense(text):
        return False
    hll.make_dense(text, hll.pack(expand(text)))
    return True


# The commands


@command(
    "PFADD key [element [element ...]]",
    WRITE,
    DENYOOM,
    FAST,
    since="2.8.9",
    complexity="O(1) for each element",
    keys="RW INSERT",
)
def pfadd(session: Context, argv: list[bytes]) -> int:
    """Add elements to a HyperLogLog; return whether its estimate may have changed."""
    db, key = session.db, argv[1]
    value = db.find(key)
    text = hll.empty() if value is None else _edit(session, key, value)
    try:
        changes = _add_all(session, text, argv[2:])
    except hll.CorruptedHyperLogLog:
        db.touched(key, UNHEARD, 0)  # some may have been added before that was found
        if session.effects is not None:
            session.effects.append([b"SET", key, bytes(text), b"KEEPTTL"])
        raise
    if value is None:
        hll.invalidate(text)
        db.put(key, text, ADDED)
        db.dirty += changes
    elif changes:
        hll.invalidate(text)
        db.touched(key, ADDED, changes)
    return 1 if changes or value is None else 0


def _add_all(session: Context, text: bytearray, elements: list[bytes]) -> int:
    """Add elements. How many of them have changed a register."""
    changes = 0
    for element in elements:
        register, count = hll.place_of(element)
        if hll.is_dense(text):
            changes += hll.raise_dense(text, register, count)
        else:
            changes += raise_sparse(text, register, count, session.keyspace.encodings.hll_sparse_max_bytes) is not None
    return changes


@command(
    "PFCOUNT key [key ...]",
    READONLY,
    since="2.8.9",
    complexity="O(1) for one key whose estimate is known, else O(N), N = keys",
    key_specs=(
        KeySpec(
            last=-1,
            flags=("RW", "ACCESS"),
            notes="RW because it may change the internal representation of the key, and propagate to replicas",
        ),
    ),
)
def pfcount(session: Context, argv: list[bytes]) -> int:
    """Estimate how many different elements have been added to HyperLogLogs."""
    if len(argv) > 2:
        return hll.estimate(_union(session, argv[1:])[0])
    key = argv[1]
    value = session.db.read(key)
    if value is None:
        return 0
    session.db.will_edit(key)
    text = _edit(session, key, value)
    count = hll.cached(text)
    if count is None:
        count = _estimate(text)
        hll.cache(text, count)
        session.db.touched(key, REWRITTEN)
    return count


def _estimate(text: bytearray) -> int:
    """The estimate of a HyperLogLog of its own.

    Raises CorruptedHyperLogLog.
    """
    if hll.is_dense(text):
        return hll.estimate(hll.registers_of(text))
    values = expand_all(text)
    if len(values) != hll.COUNT:
        raise hll.CorruptedHyperLogLog
    return hll.estimate(hll.pack(values))


@command(
    "PFMERGE destkey [sourcekey [sourcekey ...]]",
    WRITE,
    DENYOOM,
    since="2.8.9",
    complexity="O(N), N = keys",
    key_specs=(KeySpec(flags=("RW", "ACCESS", "INSERT")), KeySpec(2, last=-1, flags=("RO", "ACCESS"))),
    kinds={"sourcekey": "key"},
)
def pfmerge(session: Context, argv: list[bytes]) -> Wire:
    """Add everything that has been added to HyperLogLogs to another."""
    db, key = session.db, argv[1]
    registers, dense = _union(session, argv[1:])
    value = db.find(key)
    text = hll.empty() if value is None else _edit(session, key, value)
    if dense:
        _become_dense(text)
    if hll.is_dense(text):
        hll.make_dense(text, registers)
    else:
        raise_all(text, hll.unpack(registers), session.keyspace.encodings.hll_sparse_max_bytes)
    hll.invalidate(text)
    if value is None:
        db.put(key, text, ADDED)
    else:
        db.touched(key, ADDED)
    return OK


# For those who look into it


@command("PFDEBUG subcommand key", WRITE, DENYOOM, ADMIN, since="2.8.9", complexity="O(1)", keys="RW ACCESS")
def pfdebug(session: Context, argv: list[bytes]) -> Any:
    """Look at a HyperLogLog: GETREG, DECODE, ENCODING, TODENSE."""
    key = argv[2]
    value = session.db.find(key)
    if value is None:
        raise RedisError(b"ERR The specified key does not exist")
    text = _edit(session, key, value)
    view = _VIEWS.get(option_of(argv[1]))
    if view is None:
        raise RedisError(b"ERR Unknown PFDEBUG subcommand '" + c_string(argv[1]) + b"'")
    return view(session, key, text)


def _getreg(session: Context, key: bytes, text: bytearray) -> list[int]:
    """All registers; a sparse HyperLogLog becomes dense for that."""
    _todense(session, key, text)
    return list(hll.unpack(hll.registers_of(text)))


def _decode(session: Context, key: bytes, text: bytearray) -> bytes:
    """The runs of a sparse HyperLogLog."""
    if hll.is_dense(text):
        raise RedisError(b"ERR HLL encoding is not sparse")
    return b" ".join(
        b"%b:%d,%d" % (kind, value, length) if value else b"%b:%d" % (kind, length)
        for kind, value, length in runs(text)
    )


def _encoding(session: Context, key: bytes, text: bytearray) -> Wire:
    return status(b"dense" if hll.is_dense(text) else b"sparse")


def _todense(session: Context, key: bytes, text: bytearray) -> int:
    if not _become_dense(text):
        return 0
    session.db.touched(key, UNHEARD)
    return 1


_VIEWS = {b"GETREG": _getreg, b"DECODE": _decode, b"ENCODING": _encoding, b"TODENSE": _todense}


_TESTED = 20_000


@command("PFSELFTEST", ADMIN, since="2.8.9", complexity="O(1)", arity=1)
def pfselftest(session: Context, argv: list[bytes]) -> Wire:
    """Test HyperLogLogs: registers, both forms against each other, and the error of estimates."""
    choose = session.keyspace.choose
    values = bytes(choose(64) for _ in range(hll.COUNT))
    if hll.unpack(hll.pack(values)) != values:
        raise RedisError(b"ERR TESTFAILED registers do not come back as they were stored")
    salt = choose(1 << 32)
    dense, sparse = hll.empty(), hll.empty()
    _become_dense(dense)
    for number in range(_TESTED):
        register, count = hll.place_of(b"%d" % (salt + number))
        hll.raise_dense(dense, register, count)
        if not hll.is_dense(sparse):
            raise_sparse(sparse, register, count, _LONGEST_SPARSE)
            if not number % 100 and _registers_of(sparse) != hll.registers_of(dense):
                raise RedisError(b"ERR TESTFAILED sparse and dense registers differ")
    error = abs(hll.estimate(hll.registers_of(dense)) / _TESTED - 1)
    if error > 0.0081 * 6:
        raise RedisError(b"ERR TESTFAILED the estimate is wrong by %.2f %%" % (error * 100))
    return OK


_LONGEST_SPARSE = 3000
