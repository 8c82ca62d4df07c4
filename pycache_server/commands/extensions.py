"""Loading commands that are not ours: by entry point in the group ``pycache_server.commands``, or by name.

A name is that of a module or a package; its commands are those that the module and the modules below it have
registered (api.py) when it has been imported. Two packages cannot have one command, and none can replace one of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from pycache_server.commands.api import ADDED
from pycache_server.commands.registry import REGISTRY, Command
from pycache_server.plugins import LoadError, entry_point_targets, load_target

ENTRY_POINT_GROUP = "pycache_server.commands"


def load_commands(modules: Iterable[str]) -> list[Command]:
    """The commands of some modules, each loaded once.

    Raises LoadError.
    """
    found: dict[str, Command] = {}
    for module in dict.fromkeys(modules):
        found |= _load(module)
    return list(found.values())


def installed_modules() -> list[str]:
    """The modules that installed packages name by entry point."""
    return [target.partition(":")[0] for target in entry_point_targets(ENTRY_POINT_GROUP).values()]


def _load(module: str) -> dict[str, Command]:
    before = dict(ADDED)
    try:
        load_target(module)
    except LoadError as error:
        _forget(module, before)
        raise LoadError(f"Can't load commands from {error}") from error
    found = {name: command for name, command in ADDED.items() if _is_of(module, command)}
    if not found:
        raise LoadError(f"Can't load commands from {module}: it registers none")
    taken = sorted(found.keys() & REGISTRY.keys())
    if taken:
        raise LoadError(f"Can't load commands from {module}: {taken[0].upper()} is a command of the server")
    return found


def _is_of(module: str, command: Command) -> bool:
    """Whether a command, or a subcommand of a container, was registered by a module or by one below it."""
    functions = [each.function for each in (command, *command.subcommands.values())]
    return any(f"{function.__module__}.".startswith(f"{module}.") for function in functions)


def _forget(module: str, before: dict[str, Command]) -> None:
    """Forget what a module has done that could not be imported, so that it can be tried again."""
    ADDED.clear()
    ADDED.update(before)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{module}.")]:
        del sys.modules[name]
