"""REPLICAOF and SLAVEOF: whom the server follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer_in
from pycache_server.commands.registry import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, STALE, Family
from pycache_server.election.machine import Refusal
from pycache_server.errors import RedisError, c_string
from pycache_server.resp.encode import OK, Wire
from pycache_server.session.describe import describe

if TYPE_CHECKING:
    from pycache_server.session.session import Session

command = Family("server").command
_ALREADY = Wire(b"+OK Already connected to specified master\r\n")


@command("REPLICAOF <<host port> | <NO ONE>>", ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING, since="5.0.0", arity=3)
def replicaof(session: Session, argv: list[bytes]) -> Any:
    """Follow another server, or nobody any more."""
    follow = session.core.owner.follow
    host = c_string(argv[1]).decode("utf-8", "surrogateescape")
    if session.core.owner.group is not None:
        return _ask_group(session, argv, host, claims=False)
    if argv[1].upper() == b"NO" and argv[2].upper() == b"ONE":
        if not session.core.replication.leads:
            follow.lead()
            session.core.host.log("notice", f"MASTER MODE enabled (user request from '{describe(session)}')")
        return OK
    port = integer_in(argv[2], 0, 65535, b"ERR Invalid master port")
    if not session.core.replication.leads and (follow.host.lower(), follow.port) == (host.lower(), port):
        text = (
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation "
        )
        session.core.host.log("notice", text + "performed.")
        return _ALREADY
    follow.follow(host, port)
    session.core.host.log("notice", f"REPLICAOF {host}:{port} enabled (user request from '{describe(session)}')")
    return OK


def _ask_group(session: Session, argv: list[bytes], host: str, claims: bool) -> Any:
    """A voter is nobody's to order about: it is nominated, or asks whether the other one leads. It ``claims`` the lead,
    too, if it is Redis's sentinels that want it (server/group/watched.py): those say SLAVEOF."""
    group = session.core.owner.group
    try:
        if argv[1].upper() == b"NO" and argv[2].upper() == b"ONE":
            group.orders.nominate(claims)
        else:
            group.orders.redirect(f"{host}:{integer_in(argv[2], 0, 65535, b'ERR Invalid master port')}")
    except Refusal as refusal:
        raise RedisError(b"ERR " + str(refusal).encode()) from None
    return OK


@command("SLAVEOF <<host port> | <NO ONE>>", ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING, since="1.0.0", arity=3)
def slaveof(session: Session, argv: list[bytes]) -> Any:
    """Follow another server, or nobody any more."""
    if session.core.owner.group is not None:
        return _ask_group(session, argv, c_string(argv[1]).decode("utf-8", "surrogateescape"), claims=True)
    return replicaof(session, argv)
