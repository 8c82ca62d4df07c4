"""All commands together: those of the families, of the session layer and of this layer, in a Core."""

from __future__ import annotations

from collections.abc import Mapping

import pycache_server.server.commands
import pycache_server.session.setup  # noqa: F401
from pycache_server.session.core import Core
from pycache_server.session.host import Host
from pycache_server.session.introspection import add_help


def make_core(host: Host, databases: int = 16, renamed: Mapping[str, str] | None = None) -> Core:
    """A Core with every command; ``renamed`` is rename-command: old names -> new ones, empty to take one away."""
    add_help()
    return Core(host, databases, renamed=renamed)
