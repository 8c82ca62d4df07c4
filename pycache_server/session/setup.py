"""All commands together: importing this registers those of the families and those of the session layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import pycache_server.commands
import pycache_server.session.acl
import pycache_server.session.bigkeys
import pycache_server.session.client_tracking
import pycache_server.session.clients
import pycache_server.session.commandlog
import pycache_server.session.connection
import pycache_server.session.failover
import pycache_server.session.hotkeys
import pycache_server.session.latency
import pycache_server.session.latency_report
import pycache_server.session.monitor
import pycache_server.session.psync
import pycache_server.session.pubsub
import pycache_server.session.replicas
import pycache_server.session.slowlog
import pycache_server.session.transactions  # noqa: F401
from pycache_server.commands.api import ADDED
from pycache_server.commands.registry import REGISTRY, Command
from pycache_server.session.core import Core
from pycache_server.session.host import NO_LINK, Host
from pycache_server.session.introspection import add_help
from pycache_server.session.session import Session


def make_core(
    host: Host,
    databases: int = 16,
    renamed: Mapping[str, str] | None = None,
    added: Iterable[Command] = (),
    commands: Iterable[Command] | None = None,
) -> Core:
    """A Core with every command, or with these ``commands``, and those that others have ``added``; ``renamed`` is
    rename-command: old names -> new ones, empty to take one away."""
    add_help()
    add_help(ADDED)
    core = Core(host, databases, [*(REGISTRY.values() if commands is None else commands), *added], renamed)
    core.make_session = partial(Session, core, NO_LINK, hidden=True)
    return core
