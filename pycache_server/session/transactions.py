"""MULTI, EXEC, DISCARD, WATCH, UNWATCH.

MULTI gives the session a table in which every command is queued, after the checks that would refuse it: a refusal makes
EXEC fail as a whole. EXEC runs the queue through the rows' ``call``; what a command raises then is its element of the
reply, and the others run all the same. Blocking commands do not block within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import (
    ALLOW_BUSY,
    FAST,
    LOADING,
    NOSCRIPT,
    SKIP_SLOWLOG,
    STALE,
    Family,
    Flag,
)
from pycache_server.errors import ExecAborted, OutOfMemory, RedisError, Rejection
from pycache_server.resp.encode import HALT, NO_REPLY, NULL_ARRAY, OK, QUEUED, Wire
from pycache_server.session.permissions import refusal_at_exec

if TYPE_CHECKING:
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

family = Family("transactions")
command = family.command

_NOTHING = Wire(b"")


class Transaction:
    """What a session has queued since MULTI."""

    __slots__ = ("outdated", "queued", "size", "spoiled")

    def __init__(self) -> None:
        self.queued: list[tuple[Row, list[bytes]]] = []
        self.spoiled = False
        """Whether a command was refused, so that EXEC must fail."""
        self.outdated = False
        """Whether a watched key has changed, so that EXEC must do nothing."""
        self.size = 0
        """Bytes of the arguments."""

    def queue(self, session: Session, row: Row, argv: list[bytes]) -> Any:
        """Keep a command, if nothing speaks against it."""
        row = row.resolve(argv)
        if Flag.NO_MULTI in row.command.flags:
            raise Rejection(b"ERR Command not allowed inside a transaction")
        if not session.core.room.make():  # the queue takes memory, whatever the command does
            raise OutOfMemory
        if row.gate is not None and row.gate(session, row, argv) is HALT:
            return HALT
        self.queued.append((row, argv))
        self.size += sum(map(len, argv))
        return QUEUED

    def may_change(self, scripts: Any) -> bool:
        """Whether a command is queued that may change something."""
        return any(row.command.may_change(scripts, argv) for row, argv in self.queued)


@command("MULTI", NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, since="1.2.0")
def multi(session: Session, argv: list[bytes]) -> Any:
    """Begin a transaction."""
    if session.transaction is not None:
        raise RedisError(b"ERR MULTI calls can not be nested")
    session.transaction = Transaction()
    session.transaction.outdated = session.outdated
    session.choose_table()
    return OK


@command("EXEC", NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG, since="1.2.0", complexity="Depends on the commands")
def exec_(session: Session, argv: list[bytes]) -> Any:
    """Run all commands of a transaction."""
    transaction = session.transaction
    if transaction is None:
        raise RedisError(b"ERR EXEC without MULTI")
    outdated = transaction.outdated or session.core.observers.has_expired(session)
    if session.watched:
        session.core.observers.unwatch(session)
    session.row = session.core.tables.rows["exec"]
    session.executing = session.deny_blocking = True
    try:
        if transaction.spoiled:
            raise ExecAborted
        if outdated:
            return NULL_ARRAY
        values = _execute_all(session, transaction)
    finally:
        session.executing = session.deny_blocking = False
        end_transaction(session)
    if session.closing:
        return session.finish(values)
    return session.with_late(values) if session.late else values


def _execute_all(session: Session, transaction: Transaction) -> Any:
    """Run what was queued. HELLO and CLIENT REPLY take effect between the elements of the reply: each is encoded for
    the version that is spoken by then, and left out while the client is not to be answered, whatever the reply says of
    their number."""
    encode, silence = session.encode, session.silence
    values: list[Any] = []
    for row, argv in transaction.queued:
        value = session.execute(session, row, argv)
        if session.encode is not encode:
            values = [Wire(encode(each)) for each in values]
            encode = session.encode
        values.append(value if session.silence != "off" else _NOTHING)
    return Wire(b"".join(map(encode, values))) if silence == "off" else values


def execute(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Run one queued command; its element of the reply."""
    core = session.core
    row.calls += 1
    mark = session.written()
    try:
        value = row.call(session, argv)
    except RedisError as error:
        row.stats.failed += 1
        core.stats.count_error(error.code)
        return error
    except Exception as error:
        core.report_failure(f"command {row.command.name} in EXEC", error)
        return RedisError(b"ERR internal error, see the server's log")
    if value is NO_REPLY or value is HALT:
        return Wire(b"".join(session.take_back(mark)))  # SUBSCRIBE and its like have sent their replies themselves
    return _NOTHING if session.closing else value


def execute_guarded(session: Session, row: Row, argv: list[bytes]) -> Any:
    """The same for a user that may not do everything: its permissions may have changed since."""
    denial = session.guard.check(row.command, argv) if session.guard is not None else None
    if denial is None:
        return execute(session, row, argv)
    session.core.access.note(session, row.command, argv, denial)
    session.core.stats.count_error("NOPERM")
    return refusal_at_exec(denial)


@command("DISCARD", NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, since="2.0.0", complexity="O(N), N = commands queued")
def discard(session: Session, argv: list[bytes]) -> Any:
    """Forget a transaction."""
    if session.transaction is None:
        raise RedisError(b"ERR DISCARD without MULTI")
    end_transaction(session)
    return OK


@command("WATCH key [key ...]", NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, since="2.2.0", keys="RO")
def watch(session: Session, argv: list[bytes]) -> Any:
    """Let the next transaction do nothing if one of the keys changes before."""
    if session.transaction is not None:
        raise RedisError(b"ERR WATCH inside MULTI is not allowed")
    for key in argv[1:]:
        session.core.observers.watch(session, key)
    return OK


@command("UNWATCH", NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, since="2.2.0")
def unwatch(session: Session, argv: list[bytes]) -> Any:
    """Forget the watched keys."""
    if session.watched:
        session.core.observers.unwatch(session)
    session.outdated = False
    return OK


def end_transaction(session: Session) -> None:
    """Leave MULTI, whatever came of it."""
    session.transaction = None
    session.outdated = False
    if session.watched:
        session.core.observers.unwatch(session)
    session.choose_table()


def refuse_transaction(session: Session, row: Row | None, error: RedisError) -> RedisError:
    """A command was refused; within MULTI, EXEC must fail. Where it was EXEC itself, it has. The error to send."""
    if session.transaction is not None:
        session.transaction.spoiled = True
    if row is None or row.command.name != "exec":
        return error
    if session.transaction is not None:
        end_transaction(session)
    return RedisError(b"EXECABORT Transaction discarded because of: " + error.text.removeprefix(b"ERR "))
