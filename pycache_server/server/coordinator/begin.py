"""From the directives to a coordinator that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pycache_server.coordinator.engine import Setup
from pycache_server.coordinator.voter import Voter
from pycache_server.plugins import LoadError
from pycache_server.server.coordinator.coordinate import Coordinator
from pycache_server.server.coordinator.kinds import make_engine

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group

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


def make_coordinator(group: Group) -> Coordinator:
    """The coordinator of a voter, which has not begun (``nominate_for``).

    Raises ValueError where it cannot be had, with what to do about it.
    """
    app, settings = group.app, group.app.settings.values
    voter = Voter(
        group.seat, lambda: group.voters, lambda: group.member.machine, lambda now: group.leads, lambda: group.now()
    )
    try:
        engine = make_engine(settings["coordinator"], setup_of(settings, group.seat), voter)
    except LoadError as problem:
        raise ValueError(str(problem)) from None
    fallback = float(settings["coordinator-fallback"])
    return Coordinator(engine, voter, fallback, app.log.write, app.core.report_failure, app.core.host.ticks)
