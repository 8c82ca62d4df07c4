"""All commands together: importing this registers those of the families and those of the session layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pycache_server.commands
import pycache_server.session.bigkeys
import pycache_server.session.clients
import pycache_server.session.connection
import pycache_server.session.hotkeys
import pycache_server.session.latency
import pycache_server.session.monitor
import pycache_server.session.pubsub
import pycache_server.session.slowlog
import pycache_server.session.transactions  # noqa: F401
from pycache_server.session.core import Core
from pycache_server.session.host import NO_LINK, Host
from pycache_server.session.introspection import add_help
from pycache_server.session.session import Session


def make_core(host: Host, databases: int = 16, renamed: Mapping[str, str] | None = None) -> Core:
    """A Core with every command; ``renamed`` is rename-command: old names -> new ones, empty to take one away."""
    add_help()
    core = Core(host, databases, renamed=renamed)
    core.make_session = partial(Session, core, NO_LINK, hidden=True)
    return core
