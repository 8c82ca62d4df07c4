"""INFO; its sections are in server/info.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import LOADING, STALE, Family
from pycache_server.resp.encode import Verbatim
from pycache_server.server import info

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("server")


@family.command(
    "INFO [section [section ...]]",
    LOADING,
    STALE,
    since="1.0.0",
    categories="dangerous",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def info_(session: Session, argv: list[bytes]) -> Any:
    """Return what there is to know of the server, by section."""
    wanted = [word.decode("ascii", "replace").lower() for word in argv[1:]]
    return Verbatim(info.render(session.core.owner, wanted).encode())
