"""TIME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.commands.registry import FAST, LOADING, STALE, Family

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")
command = family.command


@command("TIME", LOADING, STALE, FAST, since="2.6.0", tips=("nondeterministic_output",))
def time(session: Session, argv: list[bytes]) -> list[bytes]:
    """Return the time in seconds since 1970 and the microseconds of the second: in a script always that at which it
    began."""
    core = session.core
    in_script = core.scripts is not None and core.scripts.session is not None
    microseconds = int((core.clock.seconds() if in_script else core.host.time()) * 1e6)
    return [b"%d" % (microseconds // 10**6), b"%d" % (microseconds % 10**6)]
