"""Groups of real servers whose voters are nominated by a real etcd, or who tell a FakeConsul what they are."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.coordinator.etcd_cluster import EtcdCluster
from tests.coordinator.fake_consul import FakeConsul
from tests.server.running import Running

pytestmark = pytest.mark.process

PATIENCE = 40.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it does not come: {what}"
        time.sleep(0.02)
    return found


class Group:
    """Three voters, each in a process of its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.ports = [free_port() for _ in range(3)]
        self.seats = [f"127.0.0.1:{port}" for port in self.ports]
        self._directory = directory
        self._options = options
        self.voters = [self.start(port) for port in self.ports]
        for voter in self.voters:
            voter.wait_ready()

    def start(self, port: int) -> Running:
        directory = self._directory / str(port)
        directory.mkdir(exist_ok=True)
        words = ("--port", str(port), "--group-voters", " ".join(self.seats), "--group-secret", "for tests")
        kept = ("--dir", str(directory), "--appendonly", "yes", "--appendfsync", "always", "--save", "")
        voter = Running(directory, *words, *kept, *self._options, wait=False)
        voter.port = port
        return voter

    def info(self, voter: Running) -> dict[str, str]:
        try:
            return voter.info("replication")
        except (OSError, RuntimeError):
            return {}

    def leader(self, *but: Running) -> Running | None:
        """Who leads and answers, beside some."""
        for voter in self.voters:
            if voter not in but and voter.process.poll() is None and self.info(voter).get("role") == "master":
                return voter
        return None

    def wait_leader(self, *but: Running) -> Running:
        found = until(lambda: self.leader(*but), "a leader")
        assert isinstance(found, Running)
        return found

    def seat(self, voter: Running) -> str:
        return f"127.0.0.1:{voter.port}"

    def holds(self, voter: Running) -> bool:
        return self.info(voter).get("coordinator_state") == "holding"

    def restart(self, voter: Running) -> Running:
        again = self.start(voter.port)
        self.voters[self.voters.index(voter)] = again
        again.wait_ready()
        return again

    def stop(self) -> None:
        for voter in self.voters:
            if voter.process.poll() is None:
                voter.process.send_signal(signal.SIGCONT)
            voter.stop()


@pytest.fixture
def etcd_group(etcd: EtcdCluster, tmp_path: Path) -> Iterator[Group]:
    words = ("--coordinator", "etcd", "--coordinator-endpoints", " ".join(etcd.endpoints), "--coordinator-ttl", "1000")
    group = Group(
        tmp_path, *words, "--coordinator-prefix", f"servers/{tmp_path.name}", "--coordinator-fallback", "3000"
    )
    yield group
    group.stop()


@pytest.mark.interop
def test_who_holds_the_key_of_etcd_is_elected_and_after_a_kill_another(etcd_group: Group) -> None:
    group = etcd_group
    leader = group.wait_leader()
    until(lambda: group.holds(leader), "the key of the leader")
    assert leader.call("SET", "k", "acknowledged") == "OK"
    first = group.info(leader)
    assert first["coordinator_kind"] == "etcd" and first["coordinator_holder"] == group.seat(leader)
    assert first["coordinator_last_error"] == ""
    leader.stop()
    second = group.wait_leader(leader)
    until(lambda: group.holds(second), "the key of the next leader")
    assert second.call("GET", "k") == "acknowledged"
    assert int(group.info(second)["coordinator_token"]) > int(first["coordinator_token"])
    again = group.restart(leader)
    until(lambda: group.info(again).get("coordinator_holder") == group.seat(second), "that the first knows it")
    until(lambda: group.info(again).get("coordinator_state") == "waiting", "that it is registered")


@pytest.mark.interop
def test_a_holder_that_was_stopped_leads_no_more_and_the_key_is_another_s(etcd_group: Group) -> None:
    group = etcd_group
    leader = group.wait_leader()
    assert leader.call("SET", "k", "acknowledged") == "OK"
    until(lambda: group.holds(leader), "the key of the leader")
    leader.process.send_signal(signal.SIGSTOP)
    other = group.wait_leader(leader)
    assert other.call("SET", "k", "later") == "OK"
    leader.process.send_signal(signal.SIGCONT)
    assert is_refused(leader, "SET", "k", "too late")
    assert not group.holds(leader)
    until(lambda: group.info(leader).get("coordinator_holder") == group.seat(other), "that the first knows it")
    assert other.call("GET", "k") == "later"


@pytest.mark.interop
def test_without_etcd_a_leader_leads_on_and_if_it_dies_the_others_wait_and_then_elect(
    etcd_group: Group, etcd: EtcdCluster
) -> None:
    group = etcd_group
    leader = group.wait_leader()
    until(lambda: group.holds(leader), "the key of the leader")
    for server in etcd.servers:
        server.send(signal.SIGSTOP)
    until(lambda: group.info(leader).get("coordinator_last_error"), "that etcd is missed")
    assert leader.call("SET", "k", "acknowledged") == "OK"
    leader.stop()
    second = group.wait_leader(leader)
    assert group.info(second)["coordinator_state"] == "fallback"
    assert second.call("GET", "k") == "acknowledged"
    until(lambda: "the group elects without it" in second.log(), "a line in the log")
    for server in etcd.servers:
        server.send(signal.SIGCONT)
    until(lambda: group.holds(second), "the key, now that etcd is back")


@pytest.mark.interop
def test_the_key_follows_a_handover(etcd_group: Group) -> None:
    group = etcd_group
    leader = group.wait_leader()
    until(lambda: group.holds(leader), "the key of the leader")
    target = next(voter for voter in group.voters if voter is not leader)
    until(lambda: hands_over(leader, group.seat(target)), "a handover")
    until(lambda: group.holds(target) and group.info(target).get("role") == "master", "the key of the target")
    assert not group.holds(leader)


def is_refused(voter: Running, *words: str) -> bool:
    """Whether a command is answered with an error, or with the end of the connection."""
    try:
        return isinstance(voter.call(*words), Exception)
    except ConnectionError:
        return True


def hands_over(leader: Running, target: str) -> bool:
    """Ask for it; who leads no more hangs up on its clients."""
    try:
        return bool(leader.call("GROUP", "HANDOVER", target) == "OK")
    except ConnectionError:
        return True


def test_consul_is_told_who_leads(tmp_path: Path) -> None:
    fake = FakeConsul()
    words = ("--coordinator", "consul", "--coordinator-endpoints", fake.endpoint, "--coordinator-ttl", "1000")
    group = Group(tmp_path, *words)
    try:
        leader = group.wait_leader()
        until(lambda: group.holds(leader), "the lock of the leader")
        until(lambda: tags(fake).get(group.seat(leader)) == ["leader"], "its tag")
        assert sorted(tags(fake)) == sorted(group.seats)
        leader.stop()
        second = group.wait_leader(leader)
        until(lambda: group.holds(second), "the lock of the next leader")
        until(lambda: tags(fake)[group.seat(second)] == ["leader"], "its tag")
        until(lambda: critical(fake) == {group.seat(leader)}, "that the first is missed")
        second.terminate()
        until(lambda: group.seat(second) not in tags(fake), "that the second has left")
    finally:
        group.stop()
        fake.close()


def tags(fake: FakeConsul) -> dict[str, list[str]]:
    fake.advance(0)
    return {each.body["meta"]["seat"]: each.body["tags"] for each in list(fake.state.services.values())}


def critical(fake: FakeConsul) -> set[str]:
    fake.advance(0)
    return {each.body["meta"]["seat"] for each in list(fake.state.services.values()) if each.status == "critical"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--coordinator", "etcd"), "coordinator needs group-voters: it is for groups"),
        (
            ("--coordinator", "etcd", "--group-voters", "127.0.0.1:{port}", "--group-secret", "s"),
            "coordinator etcd: coordinator-endpoints is empty",
        ),
        (
            ("--coordinator", "raft", "--group-voters", "127.0.0.1:{port}", "--group-secret", "s"),
            "there is no coordinator 'raft'; there are builtin, consul, etcd",
        ),
    ],
    ids=["no group", "no endpoints", "no such coordinator"],
)
def test_a_coordinator_that_cannot_be_had_ends_the_start(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    port = free_port()
    given = [word.format(port=port) for word in words]
    server = Running(tmp_path, "--port", str(port), "--dir", str(tmp_path), *given, wait=False)
    assert server.process.wait(timeout=20) == 1
    assert why in server.log()
