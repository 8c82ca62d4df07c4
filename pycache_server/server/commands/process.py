"""TIME, LASTSAVE, SHUTDOWN, and the commands of persistence, which say that there is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import option_of
from pycache_server.commands.registry import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
    Family,
)
from pycache_server.errors import BadSyntax, RedisError
from pycache_server.resp.encode import HALT

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command

_NO_PERSISTENCE = b"ERR this version keeps data in memory only: there is no persistence yet"


@command("TIME", LOADING, STALE, FAST, since="2.6.0", tips=("nondeterministic_output",))
def time(session: Session, argv: list[bytes]) -> list[bytes]:
    """Return the time in seconds since 1970 and the microseconds of the second."""
    microseconds = int(session.core.host.time() * 1e6)
    return [b"%d" % (microseconds // 10**6), b"%d" % (microseconds % 10**6)]


@command(
    "SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    NO_MULTI,
    ALLOW_BUSY,
    since="1.0.0",
    complexity="O(N) if it saves, N = keys",
)
def shutdown(session: Session, argv: list[bytes]) -> Any:
    """End the server."""
    options = list(map(option_of, argv[1:]))
    known = {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}
    if not known.issuperset(options) or {b"NOSAVE", b"SAVE"}.issubset(options):
        raise BadSyntax
    if b"ABORT" in options:
        if len(options) > 1:
            raise BadSyntax
        raise RedisError(b"ERR No shutdown in progress.")
    if b"SAVE" in options:
        raise RedisError(_NO_PERSISTENCE)
    app = session.core.owner
    app.log.write("notice", "User requested shutdown...")
    app.stop_requested()
    if session.core.scripts is not None:
        session.core.scripts.abandon()
    session.closing = True
    return HALT


@command(
    "LASTSAVE",
    LOADING,
    STALE,
    FAST,
    since="1.0.0",
    categories="admin dangerous",
    tips=("nondeterministic_output",),
)
def lastsave(session: Session, argv: list[bytes]) -> int:
    """Return when the data set was last written to disk, in seconds since 1970; before that, when the server began."""
    return int(session.core.owner.started_at)


@command("SAVE", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI, since="1.0.0", complexity="O(N), N = keys")
def save(session: Session, argv: list[bytes]) -> Any:
    """Write the data set to disk: an error until there is persistence."""
    raise RedisError(_NO_PERSISTENCE)


@command("BGSAVE [SCHEDULE]", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, since="1.0.0")
def bgsave(session: Session, argv: list[bytes]) -> Any:
    """Write the data set to disk in the background: an error until there is persistence."""
    raise RedisError(_NO_PERSISTENCE)
