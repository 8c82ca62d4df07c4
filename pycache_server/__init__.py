"""pycache_server: a Redis-compatible in-memory cache server in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycache_server.commands.api import command as command
    from pycache_server.server.embed import Server as Server
    from pycache_server.server.embed import ThreadedServer as ThreadedServer

__version__ = "0.1.0"
REDIS_VERSION = "7.4.0"
"""The version of Redis whose behaviour we answer for; clients read it in HELLO and INFO."""

__all__ = ["REDIS_VERSION", "Server", "ThreadedServer", "__version__", "command"]


def __getattr__(name: str) -> object:
    """Import what is public on first use, so that tools which want only a part start fast."""
    if name == "command":
        from pycache_server.commands import api

        return api.command
    if name in ("Server", "ThreadedServer"):
        from pycache_server.server import embed

        return getattr(embed, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
