"""From names and directives to engines."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.coordinator.engine import Setup
from pycache_server.plugins import LoadError
from pycache_server.server.coordinator import http, kinds
from pycache_server.server.coordinator.begin import setup_of
from pycache_server.server.coordinator.builtin import Builtin
from pycache_server.settings.config import ConfigError, Settings
from tests.coordinator.group import SEATS, FakeGroup

A = SEATS[0]
SETUP = Setup(A, "cache", ("127.0.0.1",))


@pytest.mark.parametrize("name", ["builtin", "etcd", "consul"])
def test_ours_are_known_by_name(name: str) -> None:
    assert kinds.make_engine(name, SETUP, FakeGroup()).kind == name


def test_an_installed_package_s_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"theirs": "pycache_server.server.coordinator.builtin:Builtin"}
    monkeypatch.setattr(kinds, "entry_point_targets", lambda group: points)
    assert isinstance(kinds.make_engine("theirs", SETUP, FakeGroup()), Builtin)


def test_any_class_is_known_by_its_module() -> None:
    target = "pycache_server.server.coordinator.builtin:Builtin"
    assert isinstance(kinds.make_engine(target, SETUP, FakeGroup()), Builtin)


@pytest.mark.parametrize(
    ("name", "setup", "why"),
    [
        ("zookeeper", SETUP, "there is no coordinator 'zookeeper'; there are builtin, consul, etcd"),
        ("no.such:Engine", SETUP, "no.such:Engine: ModuleNotFoundError"),
        ("etcd", Setup(A, "cache"), "coordinator etcd: coordinator-endpoints is empty"),
        ("consul", Setup(A, "cache", ("a b",)), "coordinator consul: 'a b' is no endpoint"),
    ],
)
def test_what_cannot_be_had_is_told(name: str, setup: Setup, why: str) -> None:
    with pytest.raises(LoadError, match=why):
        kinds.make_engine(name, setup, FakeGroup())


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "h11", None)
    with pytest.raises(LoadError, match="coordinator etcd: etcd and Consul need the package h11"):
        kinds.make_engine("etcd", SETUP, FakeGroup())


def settings(text: str) -> Any:
    found = Settings()
    found.load(text)
    return found.values


def test_directives_become_a_setup() -> None:
    text = """
    coordinator etcd
    coordinator-endpoints one:2379 https://two
    coordinator-prefix caches/main
    coordinator-ttl 5000
    coordinator-username cache
    coordinator-password secret
    """
    found = setup_of(settings(text), A)
    assert found == Setup(A, "caches/main", ("one:2379", "https://two"), 5000.0, "cache", "secret")
    assert (found.every, found.seconds) == (1250.0, 2.5)


def test_consul_is_the_agent_of_this_machine_unless_others_are_named() -> None:
    assert setup_of(settings("coordinator consul\ncoordinator-token t"), A) == Setup(
        A, "pycache", ("127.0.0.1",), 2000.0, token="t"
    )


@pytest.mark.parametrize("line", ["coordinator-prefix /x", "coordinator-prefix a//b", "coordinator-ttl 999"])
def test_a_directive_that_cannot_be_is_an_error(line: str) -> None:
    with pytest.raises(ConfigError):
        settings(line)
