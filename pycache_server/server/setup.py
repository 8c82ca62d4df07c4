"""All commands together: those of the families, of the session layer and of this layer, in a Core."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pycache_server.server.commands
import pycache_server.session.setup  # noqa: F401
from pycache_server.commands.registry import REGISTRY, Command
from pycache_server.session.core import Core
from pycache_server.session.host import Host
from pycache_server.session.introspection import add_help


def make_core(host: Host, databases: int = 16, renamed: dict[str, str] | None = None) -> Core:
    """A Core with every command; ``renamed`` is rename-command: old names -> new ones, empty to leave one out."""
    add_help()
    return Core(host, databases, _renamed(REGISTRY.values(), renamed or {}))


def _renamed(commands: Iterable[Command], renamed: dict[str, str]) -> Iterable[Command]:
    for command in commands:
        name = renamed.get(command.name)
        if name is None:
            yield command
        elif name:
            yield replace(command, name=name.lower())
