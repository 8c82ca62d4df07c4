"""Gates that refuse commands because of the data set: it is being loaded, or changes to it cannot be kept. And those
that let everybody wait: a script runs for long, or clients are paused.

``Tables.refresh`` (modes.py) puts them in front of the commands that they concern, while there is a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import Loading, Rejection

if TYPE_CHECKING:
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

_ASK_FOR_THE_DISK = frozenset(("exec", "ping"))
"""Refused with the commands that write: PING, so that who looks after the server hears of it."""


def waits_for_data(command: Command, how: str) -> bool:
    """Whether a command must wait while the data set is being loaded: ``sync``, or ``async`` while the old one is
    served."""
    if how == "sync":
        return Flag.LOADING not in command.flags
    return Flag.NO_ASYNC_LOADING in command.flags


def loading_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Refuse a command while the data set is being loaded."""
    raise Loading


def needs_the_disk(command: Command) -> bool:
    """Whether a command is refused while changes cannot be kept."""
    return Flag.WRITE in command.flags or command.name in _ASK_FOR_THE_DISK


def disk_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Refuse a command that writes while what it writes cannot be kept."""
    if row.command.name == "exec":
        queued = session.transaction.queued if session.transaction is not None else []
        if not any(Flag.WRITE in each.command.flags for each, _ in queued):
            return
    error = session.core.disk_error
    assert error is not None
    raise Rejection(error[0])


def busy_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Refuse a command while a script runs for long."""
    assert session.core.busy is not None
    raise session.core.busy


def pause_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """Postpone a command while clients are paused."""
    if "monitor" in session.flags:
        return None
    transaction = session.transaction
    scripts = session.core.scripts
    if session.core.pause.mode == "write":
        if row.command.name == "exec" and not (transaction is not None and transaction.may_change(scripts)):
            return None
        if row.command.promises is not None and row.command.promises(scripts, argv):
            return None
    return session.core.pause.postpone(session, argv)
