"""MONITOR: every command as it is executed, shown to whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.errors import RedisError
from pycache_server.resp.encode import NO_REPLY, OK

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")


@family.command("MONITOR", ADMIN, NOSCRIPT, LOADING, STALE, since="1.0.0", complexity="O(1) for each command shown")
def monitor(session: Session, argv: list[bytes]) -> Any:
    """Show every command that is executed from now on."""
    if session.deny_blocking:
        raise RedisError(b"ERR MONITOR isn't allowed for DENY BLOCKING client")
    if "monitor" in session.flags:
        return NO_REPLY
    session.flags.add("monitor")
    session.core.monitors.append(session)
    session.core.tables.refresh()
    session.choose_table()
    return OK


def stop_monitoring(session: Session) -> None:
    """Show a session no more commands."""
    if "monitor" in session.flags:
        session.flags.discard("monitor")
        session.core.monitors.remove(session)
        session.core.tables.refresh()
        session.choose_table()
