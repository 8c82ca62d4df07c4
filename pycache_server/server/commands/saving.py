"""SAVE, BGSAVE, LASTSAVE, SHUTDOWN."""

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
from pycache_server.resp.encode import HALT, OK, status
from pycache_server.server.ending import FAILED
from pycache_server.server.saves import IN_PROGRESS

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

family = Family("server")
command = family.command

_SHUTDOWN_OPTIONS = {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}


@command("SAVE", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI, since="1.0.0", complexity="O(N), N = keys")
def save(session: Session, argv: list[bytes]) -> Any:
    """Write the data set to disk while everybody waits."""
    saves = session.core.owner.saves
    if saves.running is not None:
        raise RedisError(IN_PROGRESS)
    if not saves.save():
        raise RedisError(b"ERR")
    return OK


@command("BGSAVE [SCHEDULE]", ADMIN, NOSCRIPT, NO_ASYNC_LOADING, since="1.0.0")
def bgsave(session: Session, argv: list[bytes]) -> Any:
    """Write the data set to disk in the background; SCHEDULE waits for another snapshot to end."""
    if len(argv) > 2 or (len(argv) == 2 and option_of(argv[1]) != b"SCHEDULE"):
        raise BadSyntax
    return status(session.core.owner.saves.request(len(argv) == 2, in_exec=session.executing))


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
    return int(session.core.owner.saves.last_save)


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
    """End the server, after saving where there are save points or SAVE asks for it."""
    options = list(map(option_of, argv[1:]))
    if not _SHUTDOWN_OPTIONS.issuperset(options) or {b"NOSAVE", b"SAVE"}.issubset(options):
        raise BadSyntax
    if b"ABORT" in options:
        if len(options) > 1:
            raise BadSyntax
        if not session.core.owner.ending.abort():
            raise RedisError(b"ERR No shutdown in progress.")
        return OK
    if b"NOW" not in options and session.deny_blocking:  # what a file that is loaded may hold ends nothing
        raise RedisError(b"ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    app: App = session.core.owner
    app.log.write("notice", "User requested shutdown...")
    ends = app.ending.request({option.decode().lower() for option in options})
    if ends is None:
        return app.ending.hold(session)
    if not ends:
        raise FAILED
    if session.core.scripts is not None:
        session.core.scripts.abandon()
    if session.deny_blocking or app.embedded:  # whose program decides when it ends
        session.closing = True
        return HALT
    return app.ending.hold(session)  # who sees the connection end may rely on it that nobody listens any more
