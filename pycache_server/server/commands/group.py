"""GROUP and CLIENT ACK: a voter's group, and when replies leave.

Contents: GROUP ADD ASIDE BOOTSTRAP FORCE HANDOVER INFO LINK REMOVE REPLACE TELL VOTERS; CLIENT ACK. TELL, ASIDE and
LINK are what voters say to each other: they prove themselves by the group's secret, and need no password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import (
    ADMIN,
    ALLOW_BUSY,
    LOADING,
    NO_AUTH,
    NO_MULTI,
    NOSCRIPT,
    OWN,
    STALE,
    Family,
)
from pycache_server.election.machine import Refusal
from pycache_server.errors import BadSyntax, RedisError, c_string
from pycache_server.resp.encode import OK
from pycache_server.server.group.report import info_of
from pycache_server.server.loads import CannotLoad
from pycache_server.session.clients import family as connection

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group
    from pycache_server.session.session import Session

family = Family("server")
command = family.command
family.container("GROUP", since=OWN, summary="Commands for the group of voters that this server belongs to.")
_SILENT = (NOSCRIPT, LOADING, STALE, NO_AUTH, ALLOW_BUSY, NO_MULTI)
_OPERATOR = (ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI)


def group_of(session: Session) -> Group:
    """The group of the server.

    Raises RedisError where it has none.
    """
    group: Group | None = session.core.owner.group
    if group is None:
        raise RedisError(b"ERR This server belongs to no group: group-voters is not set")
    return group


def _obey(call: Any) -> Any:
    try:
        call()
    except Refusal as refusal:
        raise RedisError(b"ERR " + str(refusal).encode()) from None
    return OK


def _seat(word: bytes) -> str:
    return c_string(word).decode("utf-8", "backslashreplace")


@command("GROUP TELL envelope", *_SILENT, since=OWN)
def group_tell(session: Session, argv: list[bytes]) -> Any:
    """Take a signed message of another voter; nothing is answered."""
    return group_of(session).post.receive(session, argv[2])


@command("GROUP ASIDE envelope", *_SILENT, since=OWN)
def group_aside(session: Session, argv: list[bytes]) -> Any:
    """Take a signed message of another voter that is not about the election; nothing is answered."""
    return group_of(session).post.receive_aside(session, argv[2])


@command("GROUP LINK version from to nonce", *_SILENT, since=OWN)
def group_link(session: Session, argv: list[bytes]) -> Any:
    """Make the connection a link between two voters."""
    return group_of(session).links.accept(session, argv)


@command("GROUP INFO", NOSCRIPT, LOADING, STALE, since=OWN)
def group_info(session: Session, argv: list[bytes]) -> Any:
    """Return what is known of the group: names and values."""
    words: list[bytes] = []
    for name, value in info_of(group_of(session)):
        words += (name.encode(), str(value).encode())
    return words


@command("GROUP VOTERS", NOSCRIPT, LOADING, STALE, since=OWN)
def group_voters(session: Session, argv: list[bytes]) -> Any:
    """Return the seats that vote."""
    return [seat.encode() for seat in group_of(session).voters]


@command("GROUP FORCE", *_OPERATOR, since=OWN)
def group_force(session: Session, argv: list[bytes]) -> Any:
    """Make this node lead without votes: acknowledged writes may be lost."""
    return _obey(group_of(session).orders.force)


@command("GROUP BOOTSTRAP [FROM seat]", *_OPERATOR, since=OWN)
def group_bootstrap(session: Session, argv: list[bytes]) -> Any:
    """Declare the data of this node those of the group: acknowledged writes may be lost."""
    group = group_of(session)
    if len(argv) != 2:
        if len(argv) != 4 or argv[2].upper() != b"FROM":
            raise BadSyntax
        if _seat(argv[3]) != group.seat:
            raise RedisError(b"ERR This is " + group.seat.encode() + b": say it to the node whose data are meant")
    try:
        return _obey(group.orders.bootstrap)
    except (CannotLoad, OSError) as error:
        raise RedisError(b"ERR " + str(error).encode()) from None


@command("GROUP ADD seat", *_OPERATOR, since=OWN)
def group_add(session: Session, argv: list[bytes]) -> Any:
    """Let another seat vote, which follows already."""
    group, seat = group_of(session), _seat(argv[2])
    return _obey(lambda: group.orders.change(lambda changes, epoch, now: changes.add(seat, epoch, now)))


@command("GROUP REMOVE seat", *_OPERATOR, since=OWN)
def group_remove(session: Session, argv: list[bytes]) -> Any:
    """Let a seat vote no more."""
    group, seat = group_of(session), _seat(argv[2])
    return _obey(lambda: group.orders.change(lambda changes, epoch, now: changes.remove(seat, epoch, now)))


@command("GROUP REPLACE old new", *_OPERATOR, since=OWN)
def group_replace(session: Session, argv: list[bytes]) -> Any:
    """Remove a seat, and when that is committed add another."""
    group, old, new = group_of(session), _seat(argv[2]), _seat(argv[3])
    return _obey(lambda: group.orders.change(lambda changes, epoch, now: changes.replace(old, new, epoch, now)))


@command("GROUP HANDOVER [seat]", *_OPERATOR, since=OWN, arity=-2)
def group_handover(session: Session, argv: list[bytes]) -> Any:
    """Let another voter take over, the one that has most where none is named; nothing is lost."""
    if len(argv) > 3:
        raise BadSyntax
    group = group_of(session)
    return _obey(lambda: group.orders.hand_over(_seat(argv[2]) if len(argv) == 3 else None))


@connection.command("CLIENT ACK level", NOSCRIPT, LOADING, STALE, since=OWN)
def client_ack(session: Session, argv: list[bytes]) -> Any:
    """Choose when replies to this connection leave: async, one, a number of followers, quorum, all, or default."""
    group = group_of(session)
    try:
        group.set_client_level(session, argv[2].lower().decode("ascii", "replace"))
    except ValueError as problem:
        raise RedisError(b"ERR " + str(problem).replace("repl-ack", "CLIENT ACK").encode()) from None
    return OK
