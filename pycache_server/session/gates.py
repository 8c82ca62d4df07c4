"""What stands before commands because of the server's state: too few followers, a leader out of reach, a full disk.

Each has a name, and a function that says of a command whether it stands before it, and if so which gate (modes.py) it
is. Setting one binds all rows anew; those that are not set are nowhere, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import MasterDown, NoReplicas, OutOfMemory, ReadOnlyReplica, Rejection

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Gate, Row
    from pycache_server.session.session import Session

GateOf = Callable[[Command], "Gate | None"]
ORDER: Final = ("group", "misled", "misconf", "noreplicas", "readonly", "masterdown", "nohistory", "loading")
"""The names, in the order in which Redis looks: behind the memory, before a pause."""


class Gates:
    """The gates of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._found: dict[str, GateOf] = {}

    def set(self, name: str, gate_of: GateOf | None) -> None:
        """Let the gate of that name stand before the commands for which ``gate_of`` gives one; None takes it away."""
        assert name in ORDER
        if self._found.get(name) is gate_of:
            return
        if gate_of is None:
            del self._found[name]
        else:
            self._found[name] = gate_of
        self._core.tables.refresh()

    @property
    def are_set(self) -> bool:
        """Whether one is set."""
        return bool(self._found)

    def of(self, command: Command) -> list[Gate]:
        """The gates before a command."""
        if not self._found:
            return []
        found = (self._found[name](command) for name in ORDER if name in self._found)
        return [gate for gate in found if gate is not None]


def refusing(is_refused: Callable[[Command], bool], error: type[Rejection]) -> GateOf:
    """The gates that answer commands with an error, and transactions in which such a command is queued."""

    def refuse(session: Session, row: Row, argv: list[bytes]) -> Any:
        raise error

    def refuse_queued(session: Session, row: Row, argv: list[bytes]) -> Any:
        if has_queued(session, is_refused):
            raise error

    def gate_of(command: Command) -> Gate | None:
        if command.name == "exec":
            return refuse_queued
        return refuse if is_refused(command) else None

    return gate_of


RUN_SCRIPTS: Final = frozenset(("eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"))


def script_gate(session: Session, row: Row, argv: list[bytes]) -> Any:
    """What a script or a function says of itself counts as if it were said of a command, before it runs and before it
    is queued. One that says nothing runs until it calls what may not be."""
    core = session.core
    flags = core.scripts.declared(row.command.name, argv) if core.scripts is not None else None
    if flags is None or session.kind() == "master":
        return
    writes = "no-writes" not in flags
    if writes and "allow-oom" not in flags and core.room.exceeded and not core.room.make():
        raise OutOfMemory
    replication = core.replication
    if writes:
        if core.disk_error is not None:
            raise Rejection(core.disk_error[0])
        if replication.lacks_replicas:
            raise NoReplicas
        if replication.refuses_writes:
            raise ReadOnlyReplica
    if replication.is_stale and "allow-stale" not in flags:
        raise MasterDown


def has_queued(session: Session, is_sought: Callable[[Command], bool]) -> bool:
    """Whether the transaction that a client would execute holds such a command."""
    transaction = session.transaction
    return transaction is not None and any(is_sought(row.command) for row, _ in transaction.queued)


def is_write(command: Command) -> bool:
    """Whether a command may change the data set."""
    return Flag.WRITE in command.flags


def wants_fresh(command: Command) -> bool:
    """Whether a command is none of those that who has no fresh data serves, too: INFO, CONFIG, REPLICAOF."""
    return Flag.STALE not in command.flags


def good_replicas(command: Command) -> Gate | None:
    """The gate of min-replicas-to-write: no write while fewer replicas are online and do not lag."""
    if command.name == "exec":
        return _refuse_transaction
    return _refuse_write if is_write(command) else None


def _refuse_write(session: Session, row: Row, argv: list[bytes]) -> Any:
    if session.core.replication.lacks_replicas:
        raise NoReplicas


def _refuse_transaction(session: Session, row: Row, argv: list[bytes]) -> Any:
    if has_queued(session, is_write):
        _refuse_write(session, row, argv)
