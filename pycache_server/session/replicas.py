"""What a primary without replicas says of them.

Contents: ROLE WAIT WAITAOF. Nobody ever acknowledges anything, so who waits for more than nobody waits until the time
is over, or for ever; within MULTI and scripts nobody waits. What is on disks is told in syncs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer, integer_in, positive, timeout_ms
from pycache_server.commands.context import NOT_READY
from pycache_server.commands.registry import BLOCKING, FAST, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import RedisError

if TYPE_CHECKING:
    from pycache_server.session.session import Session

_TIPS = ("request_policy:all_shards", "response_policy:agg_min")
_INTEGERS = {"numreplicas": "integer", "numlocal": "integer", "timeout": "integer"}


@Family("server").command("ROLE", NOSCRIPT, LOADING, STALE, FAST, since="2.8.12", categories="admin dangerous")
def role(session: Session, argv: list[bytes]) -> list[Any]:
    """Return what the server is in its replication: a master, the offset of its stream, and its replicas."""
    return session.core.replication.role()


@Family("generic").command(
    "WAIT numreplicas timeout", BLOCKING, since="3.0.0", categories="connection", tips=_TIPS, kinds=_INTEGERS
)
def wait(session: Session, argv: list[bytes]) -> Any:
    """Wait until so many replicas have what this client has written, or some milliseconds; return how many have."""
    wanted = integer(argv[1])
    timeout = timeout_ms(argv[2], session.keyspace.clock.today())
    return 0 if wanted <= 0 else _wait(session, timeout, 0)


@Family("generic").command(
    "WAITAOF numlocal numreplicas timeout",
    BLOCKING,
    since="7.2.0",
    categories="connection",
    tips=_TIPS,
    kinds=_INTEGERS,
)
def waitaof(session: Session, argv: list[bytes]) -> Any:
    """Wait until what this client has written is on the disk of this server or of replicas; return on how many it
    is."""
    local = integer_in(argv[1], 0, 1)
    wanted = positive(argv[2])
    timeout = timeout_ms(argv[3], session.keyspace.clock.today())
    if session.core.replication.following is not None:
        raise RedisError(
            b"ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just "
            b"local and are not propagated."
        )
    return session.core.syncs.wait(session, local, wanted, timeout)


def _wait(session: Session, timeout: float, answer: Any) -> Any:
    """Wait for what will not come."""
    return session.block([], lambda key: NOT_READY, timeout, answer)
