"""Which commands are refused while the append-only file cannot be written, and in which words: -MISCONF."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import Rejection

if TYPE_CHECKING:
    from pycache_server.session.gates import GateOf
    from pycache_server.session.modes import Gate, Row
    from pycache_server.session.session import Session

_SCRIPTS = frozenset(("eval", "evalsha", "fcall"))


def refuse_writes(trouble: Callable[[], OSError | None]) -> GateOf:
    """The gate before commands that write, and before PING, so that who looks after the server sees it. It stands in
    front of scripts, too, but for those that cannot write: which commands a script will call nobody knows."""

    def refuse(session: Session, row: Row, argv: list[bytes]) -> Any:
        error = trouble()
        if error is None or (row.command.name == "exec" and not _writes(session)):
            return
        raise Rejection(b"MISCONF Errors writing to the AOF file: " + _text(error))

    def refuse_script(session: Session, row: Row, argv: list[bytes]) -> Any:
        error = trouble()
        if error is not None:
            raise Rejection(
                b"MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. "
                b"Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: " + _text(error)
            )

    def gate_of(command: Command) -> Gate | None:
        if command.name in _SCRIPTS:
            return refuse_script
        return refuse if Flag.WRITE in command.flags or command.name in ("ping", "exec") else None

    return gate_of


def _writes(session: Session) -> bool:
    transaction = session.transaction
    return transaction is not None and any(Flag.WRITE in row.command.flags for row, _ in transaction.queued)


def _text(error: OSError) -> bytes:
    return (error.strerror or str(error)).encode("utf-8", "replace")
