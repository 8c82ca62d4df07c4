"""What a follower refuses its clients: writes, everything while its leader is out of reach, everything while it loads.

These are gates (gates.py), which stand before commands only while there is a reason. The leader's own commands, and
those of scripts, do not pass them: what a script may write is asked where it is run (scripting/calls.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import Loading, MasterDown, ReadOnlyReplica

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Gate, Row
    from pycache_server.session.session import Session

READ_ONLY, MASTER_DOWN, LOADING = "readonly", "masterdown", "loading"


def refuse(core: Core, read_only: bool, master_down: bool, loading: str) -> None:
    """Let clients be refused what they are in a state: writes (``replica-read-only``), what asks for fresh data
    (``replica-serve-stale-data``), and what does not go together with loading, ``"all"`` or ``"async"``."""
    core.replication.refuses_writes = read_only
    core.gates.set(READ_ONLY, _read_only if read_only else None)
    core.gates.set(MASTER_DOWN, _master_down if master_down else None)
    core.gates.set(LOADING, {"": None, "all": _loading, "async": _async_loading}[loading])


def _queued(session: Session) -> list[Command]:
    transaction = session.transaction
    return [row.command for row, _ in transaction.queued] if transaction is not None else []


def _read_only(command: Command) -> Gate | None:
    if command.name == "exec":
        return _refuse_written
    return _refuse_write if Flag.WRITE in command.flags else None


def _refuse_write(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise ReadOnlyReplica


def _refuse_written(session: Session, row: Row, argv: list[bytes]) -> Any:
    if any(Flag.WRITE in command.flags for command in _queued(session)):
        raise ReadOnlyReplica


def _master_down(command: Command) -> Gate | None:
    if command.name == "exec":
        return _refuse_stale
    return None if Flag.STALE in command.flags else _refuse_all_stale


def _refuse_all_stale(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise MasterDown


def _refuse_stale(session: Session, row: Row, argv: list[bytes]) -> Any:
    if any(Flag.STALE not in command.flags for command in _queued(session)):
        raise MasterDown


def _loading(command: Command) -> Gate | None:
    if command.name == "exec":
        return _refuse_loading
    return None if Flag.LOADING in command.flags else _refuse_all_loading


def _async_loading(command: Command) -> Gate | None:
    return _refuse_all_loading if Flag.NO_ASYNC_LOADING in command.flags else None


def _refuse_all_loading(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise Loading


def _refuse_loading(session: Session, row: Row, argv: list[bytes]) -> Any:
    if any(Flag.LOADING not in command.flags for command in _queued(session)):
        raise Loading
