"""BGREWRITEAOF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, Family
from pycache_server.errors import RedisError
from pycache_server.resp.encode import status
from pycache_server.server.appenddir import CannotAppend

if TYPE_CHECKING:
    from pycache_server.session.session import Session


@Family("server").command("BGREWRITEAOF", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, since="1.0.0")
def bgrewriteaof(session: Session, argv: list[bytes]) -> Any:
    """Write the append-only file anew in the background, as short as it can be."""
    try:
        return status(session.core.owner.aof.rewrite())
    except CannotAppend as problem:
        raise RedisError(b"ERR " + str(problem).encode()) from None
