"""What a server says of its role, and clients that wait until replicas have what they have written (waits.py).

Contents: ROLE WAIT WAITAOF. Within MULTI and scripts nobody waits. What is on disks is told in syncs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer, integer_in, positive, timeout_ms
from pycache_server.commands.registry import BLOCKING, FAST, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import RedisError
from pycache_server.resp.encode import HALT
from pycache_server.session.waits import Wait

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
    replication = session.core.replication
    if not replication.leads:
        raise RedisError(
            b"ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
            b"configured to be writable (which is not the default) writes to replicas are just local and are not "
            b"propagated."
        )
    wanted = integer(argv[1])
    timeout = timeout_ms(argv[2], session.keyspace.clock.today())
    return replication.waits.begin(session, Wait(session.told, wanted), timeout)


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
    replication = session.core.replication
    local = integer_in(argv[1], 0, 1)
    wanted = positive(argv[2])
    timeout = timeout_ms(argv[3], session.keyspace.clock.today())
    if not replication.leads:
        raise RedisError(
            b"ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just "
            b"local and are not propagated."
        )
    answer = session.core.syncs.wait(session, local, wanted, timeout)
    if answer is HALT and wanted:
        replication.leading.ask()
    return answer
