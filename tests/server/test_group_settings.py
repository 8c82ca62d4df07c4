"""Directives for groups on a server that is in none: none is accepted and without effect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pycache_server.server import apply
from pycache_server.settings.config import Settings
from pycache_server.settings.table import DIRECTIVES, OF_GROUPS
from tests.server.running import Running

SAID = {
    "group-seat": "127.0.0.1:1",
    "group-secret": "s",
    "group-state-file": "f",
    "group-lease": "900",
    "group-down-after": "2000",
    "preferred-leader": "127.0.0.1:1",
    "failback-delay": "1",
    "failback-interval": "1",
    "sentinel-port": "26379",
    "sentinel-master-name": "other",
    "repl-ack": "all",
    "repl-ack-timeout": "1",
    "coordinator": "etcd",
    "coordinator-endpoints": "127.0.0.1:1",
    "coordinator-prefix": "other",
    "coordinator-ttl": "3000",
    "coordinator-fallback": "1",
    "coordinator-username": "u",
    "coordinator-password": "p",
    "coordinator-token": "t",
}
"""Values that are no defaults."""


def app_of(*lines: str) -> Any:
    settings = Settings()
    settings.load("\n".join(lines))
    return cast("Any", SimpleNamespace(settings=settings))


def test_every_directive_of_groups_is_known_to_be_one() -> None:
    starts = ("group-", "failback-", "coordinator", "sentinel-", "repl-ack", "preferred-")
    assert (
        {name for name in DIRECTIVES if name.startswith(starts)}
        == {*OF_GROUPS, "group-voters"}
        == {
            *SAID,
            "group-voters",
        }
    )


@pytest.mark.parametrize("name", SAID)
def test_a_server_of_no_group_refuses_what_is_for_groups(name: str) -> None:
    with pytest.raises(apply.CannotApply, match=f"^{name} needs group-voters"):
        apply.check_group_settings(app_of(f"{name} {SAID[name]}"))
    apply.check_group_settings(app_of(f"{name} {SAID[name]}", "group-voters 127.0.0.1:1"))


def test_defaults_claim_nothing() -> None:
    apply.check_group_settings(app_of("repl-ack quorum", "sentinel-port 0", "coordinator builtin"))


def test_config_set_refuses_it_too_and_changes_nothing(tmp_path: Path) -> None:
    server = Running(tmp_path)
    try:
        assert "repl-ack needs group-voters" in str(server.call("CONFIG", "SET", "repl-ack", "all"))
        assert server.call("CONFIG", "GET", "repl-ack") == ["repl-ack", "quorum"]
        assert server.call("CONFIG", "SET", "repl-ack", "quorum") == "OK"
    finally:
        server.stop()
