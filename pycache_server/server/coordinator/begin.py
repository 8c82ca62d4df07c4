"""From the directives to a coordinator that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pycache_server.coordinator.engine import Setup
from pycache_server.coordinator.group import Group
from pycache_server.server.coordinator.coordinate import Coordinator
from pycache_server.server.coordinator.kinds import make_engine

if TYPE_CHECKING:
    from pycache_server.server.app import App

LOCAL_AGENT: Final = ("127.0.0.1",)
"""Where Consul is looked for, if nobody says so: its agent runs on every machine."""


def setup_of(settings: Mapping[str, Any], seat: str) -> Setup:
    """What the directives say about one seat."""
    endpoints = settings["coordinator-endpoints"]
    if not endpoints and settings["coordinator"] == "consul":
        endpoints = LOCAL_AGENT
    return Setup(
        seat,
        settings["coordinator-prefix"],
        endpoints,
        float(settings["coordinator-ttl"]),
        settings["coordinator-username"],
        settings["coordinator-password"],
        settings["coordinator-token"],
    )


def make_coordinator(app: App, group: Group) -> Coordinator:
    """The coordinator of a voter, which ``start`` lets begin.

    Raises plugins.LoadError where it cannot be had.
    """
    settings = app.settings.values
    engine = make_engine(settings["coordinator"], setup_of(settings, group.seat), group)
    fallback = float(settings["coordinator-fallback"])
    return Coordinator(engine, group, fallback, app.log.write, app.core.report_failure, app.core.host.ticks)
