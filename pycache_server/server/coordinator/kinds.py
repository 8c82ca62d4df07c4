"""Which engine a name stands for: builtin, etcd, consul, one that a package has installed, or ``package.module:Class``.

Packages name theirs in the entry point group ``pycache_server.coordinators``; the class is an Engine
(coordinator/engine.py).
"""

from __future__ import annotations

from typing import Final, cast

from pycache_server.coordinator.engine import Engine, Setup
from pycache_server.coordinator.group import Group
from pycache_server.plugins import LoadError, entry_point_targets, load_target
from pycache_server.server.coordinator.http import NotInstalled

BUILTIN: Final = "builtin"
_HERE = "pycache_server.server.coordinator"
OURS: Final = {
    BUILTIN: f"{_HERE}.builtin:Builtin",
    "etcd": f"{_HERE}.etcd:Etcd",
    "consul": f"{_HERE}.consul:Consul",
}
GROUP: Final = "pycache_server.coordinators"


def make_engine(name: str, setup: Setup, group: Group) -> Engine:
    """The engine of that name.

    Raises LoadError where it cannot be had, with what to do about it.
    """
    targets = {**entry_point_targets(GROUP), **OURS}
    target = targets.get(name, name if ":" in name else "")
    if not target:
        raise LoadError(f"there is no coordinator '{name}'; there are {', '.join(sorted(targets))}")
    try:
        return cast("Engine", load_target(target)(setup, group))
    except (NotInstalled, ValueError) as error:
        raise LoadError(f"coordinator {name}: {error}") from error
