"""Clients ride through one failover after another without being started again: redis-py and ioredis find the leader by
our sentinels, and whoever knows nothing of it goes through HAProxy."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from pycache_server.cli.haproxy import Node, configuration
from tests.conftest import free_port, require_program, some_slow
from tests.interop.conftest import NODE
from tests.interop.groups import Group
from tests.interop.sentinels import NAME, Deployment, GroupDeployment, ask, until

PATIENCE = 90
"""Seconds that a failover and everything around it may take on a machine that is busy with other tests."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """There is no server that tests share."""


class Application:
    """Appends rising numbers to a list of its own for as long as it lives, and never sends one twice."""

    name = ""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def stop(self) -> None:
        """End it."""
        raise NotImplementedError


class InPython(Application):
    """One that has a client of redis-py, told not to resend: by itself it resends up to ten times when a connection
    breaks, and what the server had taken before the break is written twice."""

    def __init__(self, name: str, client: Redis) -> None:
        super().__init__()
        self.name = name
        self._client = client
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._ends.wait(0.01):
            number += 1
            try:
                self._client.rpush(self.name, number)
            except RedisError:
                continue  # whether it was written nobody knows
            self.acknowledged.append(number)

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()
        self._client.close()


class InNode(Application):
    """ioredis, in a node of its own."""

    name = "ioredis"

    def __init__(self, ports: list[int]) -> None:
        super().__init__()
        command = [require_program("node"), str(NODE / "ioredis_sentinel.js"), ",".join(map(str, ports))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._thread = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._thread.start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self.acknowledged.append(int(line))

    def stop(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._thread.join()
            self._process.stdout.close()


class Balanced:
    """HAProxy in front of a deployment."""

    def __init__(self, directory: Path, ports: list[int]) -> None:
        self.port = free_port()
        config = directory / "haproxy.cfg"
        nodes = [Node("127.0.0.1", port, 1) for port in ports]
        config.write_text(configuration(nodes, "127.0.0.1", self.port, []))
        self._process = subprocess.Popen([require_program("haproxy"), "-db", "-f", str(config)])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Any]]:
    """What is to be stopped in the end, the last one first."""
    require_program("haproxy")
    found: list[Any] = []
    yield found
    for each in reversed(found):
        each.stop()


def begin(
    tmp_path: Path, places: list[Any], kind: type[Deployment] = Deployment
) -> tuple[Deployment, list[Application]]:
    """A deployment of ours, and three applications."""
    deployment = kind(tmp_path, ["ours"] * 3, ["ours"] * 3)
    places.append(deployment)
    balanced = Balanced(tmp_path, [each.port for each in deployment.nodes])
    places.append(balanced)
    ports = [each.port for each in deployment.sentinels]
    sentinels = Sentinel([("127.0.0.1", port) for port in ports], socket_timeout=2)  # type: ignore[no-untyped-call]
    once = Retry(NoBackoff(), 0)
    master = sentinels.master_for(NAME, socket_timeout=2, retry=once)  # type: ignore[no-untyped-call]
    applications: list[Application] = []
    for make in (
        lambda: InPython("redis-py", master),
        lambda: InPython("haproxy", Redis(port=balanced.port, socket_timeout=2, retry=once)),
        lambda: InNode(ports),
    ):
        applications.append(make())
        places.append(applications[-1])
    until(lambda: all(each.acknowledged for each in applications), PATIENCE)
    return deployment, applications


def kill(deployment: Deployment, number: int) -> None:
    """The leader dies, and is back when another leads."""
    deployment.nodes[number].process.kill()
    deployment.nodes[number].process.wait()
    until(lambda: deployment.leader() not in (None, number), PATIENCE)
    deployment.restart(number)


def hand_over(deployment: Deployment, number: int) -> None:
    """Somebody wants another leader."""
    until(lambda: deployment.sentinels[0].ask("SENTINEL", "FAILOVER", NAME) == "OK", PATIENCE)
    until(lambda: deployment.leader() not in (None, number), PATIENCE)


def ride(
    deployment: Deployment, applications: list[Application], failover: Callable[[Deployment, int], None], times: int
) -> int:
    """Fail over so many times; after each all applications get on. The port of the last leader."""
    for _ in range(times):
        until(deployment.is_whole, PATIENCE)
        number = deployment.leader()
        assert number is not None
        failover(deployment, number)
        before = [len(each.acknowledged) for each in applications]
        until(lambda before=before: all(_got_on(applications, before)), PATIENCE)  # type: ignore[misc]
    found = deployment.leader()
    assert found is not None
    return deployment.nodes[found].port


def _got_on(applications: list[Application], before: list[int]) -> Iterator[bool]:
    for application, count in zip(applications, before, strict=True):
        yield len(application.acknowledged) > count + 5


@pytest.mark.parametrize("times", some_slow([3, 20], 1))
def test_clients_ride_through_the_deaths_of_one_leader_after_another(
    tmp_path: Path, places: list[Any], times: int
) -> None:
    deployment, applications = begin(tmp_path, places)
    port = ride(deployment, applications, kill, times)
    for each in applications:
        assert ask(port, "RPUSH", f"{each.name}:end", "1") == 1


@pytest.mark.parametrize("times", some_slow([3, 20], 1))
def test_planned_failovers_lose_nothing_that_was_acknowledged(tmp_path: Path, places: list[Any], times: int) -> None:
    deployment, applications = begin(tmp_path, places)
    port = ride(deployment, applications, hand_over, times)
    for each in applications:
        each.stop()
        kept = [int(number) for number in ask(port, "LRANGE", each.name, "0", "-1")]
        assert set(each.acknowledged) <= set(kept), each.name
        assert len(kept) == len(set(kept)), each.name


@pytest.mark.parametrize("times", some_slow([3, 20], 1))
@pytest.mark.parametrize("failover", [kill, hand_over])
def test_a_group_loses_nothing_that_was_acknowledged_whatever_happens_to_its_leaders(
    tmp_path: Path, places: list[Any], failover: Callable[[Deployment, int], None], times: int
) -> None:
    deployment, applications = begin(tmp_path, places, GroupDeployment)
    port = ride(deployment, applications, failover, times)
    for each in applications:
        each.stop()
        kept = [int(number) for number in ask(port, "LRANGE", each.name, "0", "-1")]
        assert set(each.acknowledged) <= set(kept), each.name
        assert len(kept) == len(set(kept)), each.name


def test_ioredis_learns_of_all_voters_from_one_and_rides_through_its_end(tmp_path: Path, places: list[Any]) -> None:
    with Group(tmp_path, 3, "--sentinel-master-name", NAME) as group:
        leader = group.leader()
        group.wait_whole()
        known = ["SENTINEL", "MASTER", NAME]
        until(lambda: _field(ask(leader.sentinel_port, *known), "num-other-sentinels") == "2", PATIENCE)
        application = InNode([leader.sentinel_port])
        places.append(application)
        until(lambda: bool(application.acknowledged), PATIENCE)
        leader.end()
        before = len(application.acknowledged)
        until(lambda: len(application.acknowledged) > before + 20, PATIENCE)


def _field(row: list[str], name: str) -> str:
    return row[row.index(name) + 1] if name in row else ""
