"""What a voter of a group refuses its clients (gates.py), because of what it knows of itself.

*A leader* serves under its lease alone, which is tested here, with a clock that is read after the command was: a
process that was stopped in between has a request and no lease. Without it, it answers as a replica without a master
does: writes with -READONLY, so that clients look for another, all else with -MASTERDOWN. A write whose level of
acknowledgement cannot be reached is refused before it is executed: -NOREPLICAS.

*A follower* takes no writes. *Who is recovering*, or holds what may yet be dropped, serves nothing at all.

PING is answered with an error that is none of Redis's by whoever serves nothing, since -LOADING and -MASTERDOWN count
as alive for those who watch. So does a follower answer those who watch it as the leader (server/group/watched.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import MasterDown, NoReplicas, ReadOnlyReplica, Rejection
from pycache_server.session.gates import has_queued, is_write

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.gates import GateOf
    from pycache_server.session.rows import Gate, Row
    from pycache_server.session.session import Session

NAME = "group"


class Isolated(Rejection):
    text = b"ISOLATED This node leads a group, and has not heard from a majority of its voters in time."


class Recovering(Rejection):
    text = b"RECOVERING This node of a group does not hold all that it has acknowledged, and waits for its leader."


class Misled(Rejection):
    text = b"FOLLOWER This node of a group follows another one, and is taken for the leader."


class Standing(Protocol):
    """What is known of a voter."""

    lease_ends: float
    """In ticks of the host (session/host.py): until then nobody else can lead."""

    def has_enough(self, session: Session) -> bool:
        """Whether so many voters follow that a reply to this client can leave."""


def refuse_as_leader(core: Core, standing: Standing) -> None:
    """Let clients be served under the lease."""
    core.gates.set(NAME, _leader(standing, core.host.ticks))


def refuse_all(core: Core) -> None:
    """Let clients be served nothing."""
    core.gates.set(NAME, _nothing)


def refuse_as_follower(core: Core) -> None:
    """Let clients be refused what a replica refuses, which is for others to say."""
    core.gates.set(NAME, None)


def refuse_ping_of(core: Core, is_misled: Callable[[Session], bool] | None) -> None:
    """Let clients hear an error in place of PONG who take this follower for the leader; None for nobody any more."""
    core.gates.set("misled", None if is_misled is None else _pinged(is_misled))


def _pinged(is_misled: Callable[[Session], bool]) -> GateOf:
    def refuse(session: Session, row: Row, argv: list[bytes]) -> Any:
        if is_misled(session):
            raise Misled

    return lambda command: refuse if command.name == "ping" else None


def _leader(standing: Standing, ticks: Callable[[], float]) -> GateOf:
    def under_lease(session: Session, row: Row, argv: list[bytes]) -> Any:
        if ticks() >= standing.lease_ends:
            raise ReadOnlyReplica if Flag.WRITE in row.command.flags else MasterDown

    def write(session: Session, row: Row, argv: list[bytes]) -> Any:
        if ticks() >= standing.lease_ends:
            raise ReadOnlyReplica
        if not standing.has_enough(session):
            raise NoReplicas

    def execute(session: Session, row: Row, argv: list[bytes]) -> Any:
        writes = _writes(session)
        if ticks() >= standing.lease_ends:
            raise ReadOnlyReplica if writes else MasterDown
        if writes and not standing.has_enough(session):
            raise NoReplicas

    def ping(session: Session, row: Row, argv: list[bytes]) -> Any:
        if ticks() >= standing.lease_ends:
            raise Isolated

    def gate_of(command: Command) -> Gate | None:
        if command.name == "exec":
            return execute
        if command.name == "ping":
            return ping
        if Flag.WRITE in command.flags or Flag.MAY_REPLICATE in command.flags:
            return write
        return None if Flag.STALE in command.flags else under_lease

    return gate_of


def _writes(session: Session) -> bool:
    return has_queued(session, is_write)


def _nothing(command: Command) -> Gate | None:
    if command.name == "ping":
        return _recovering
    if command.name == "exec":
        return _no_exec
    if Flag.WRITE in command.flags or Flag.MAY_REPLICATE in command.flags:
        return _read_only
    return None if Flag.STALE in command.flags else _down


def _recovering(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise Recovering


def _down(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise MasterDown


def _read_only(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise ReadOnlyReplica


def _no_exec(session: Session, row: Row, argv: list[bytes]) -> Any:
    raise ReadOnlyReplica if _writes(session) else MasterDown


def part_with(session: Session) -> None:
    """Disconnect a client at once; but who has asked for that (GROUP HANDOVER) gets its answer, unless something waits
    before it."""
    line = getattr(session.link, "line", None)
    if session.is_executing and not (line is not None and line.held):
        session.close()
    else:
        session.abort()
