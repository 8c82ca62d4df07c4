"""The real HAProxy with the configuration that ``pycache-server haproxy-config`` prints, in front of three nodes:
writes go to the leader alone, reads to followers as each way of balancing says, and no client has to know who leads.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pycache_server.cli.haproxy import BALANCE, Node, configuration, main, node
from tests.conftest import RealRedis, free_port, require_program
from tests.server.running import ROOT, Running, Wire

WEIGHTS = (10, 10, 30)


class Proxied:
    """Three nodes, the first of which leads, and HAProxy."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.nodes: list[Running | RealRedis] = []
        for number in range(3):
            place = directory / f"node{number}"
            place.mkdir()
            delay = ("--repl-diskless-sync-delay", "0")
            self.nodes.append(Running(place, *delay) if kind == "ours" else RealRedis(place, *delay))
        self.lead(0)
        self.write_port = free_port()
        self.read_ports = {way: free_port() for way in BALANCE}
        nodes = [Node("127.0.0.1", each.port, weight) for each, weight in zip(self.nodes, WEIGHTS, strict=True)]
        config = directory / "haproxy.cfg"
        config.write_text(configuration(nodes, "127.0.0.1", self.write_port, list(self.read_ports.items())))
        log = (directory / "haproxy.log").open("wb")
        self._haproxy = subprocess.Popen([require_program("haproxy"), "-db", "-f", str(config)], stdout=log, stderr=log)
        log.close()

    def lead(self, leader: int) -> None:
        """Let a node lead, and the others follow it."""
        self.tell(leader, "REPLICAOF", "NO", "ONE")
        for number in {0, 1, 2} - {leader}:
            self.tell(number, "REPLICAOF", "127.0.0.1", str(self.nodes[leader].port))

    def tell(self, number: int, *words: str) -> object:
        with Wire(("127.0.0.1", self.nodes[number].port)) as wire:
            return wire.call(*words)

    def port_behind(self, port: int) -> int | None:
        """The port of the node that a new connection to HAProxy is given; None where it is given none."""
        try:
            with Wire(("127.0.0.1", port)) as wire:
                return int(wire.call("CONFIG", "GET", "port")[1])
        except OSError:
            return None

    def stop(self) -> None:
        self._haproxy.kill()
        self._haproxy.wait()
        for each in self.nodes:
            each.stop()


@pytest.fixture(scope="module", params=["ours", "redis"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    require_program("haproxy")
    found = Proxied(tmp_path_factory.mktemp("haproxy"), request.param)
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def _empty() -> None:
    """The nodes are not those that other tests share."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come to be."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not come to be in 30 seconds"
        time.sleep(0.05)


def ports(proxied: Proxied, *numbers: int) -> set[int]:
    return {proxied.nodes[number].port for number in numbers}


def settled(proxied: Proxied, leader: int) -> bool:
    """Whether HAProxy knows who leads, and both others follow."""
    followers = ports(proxied, *({0, 1, 2} - {leader}))
    return proxied.port_behind(proxied.write_port) == proxied.nodes[leader].port and all(
        {proxied.port_behind(port) for _ in range(8)} <= followers for port in proxied.read_ports.values()
    )


def test_writes_go_to_the_leader_alone_and_are_read_from_followers(proxied: Proxied) -> None:
    until(lambda: settled(proxied, 0))
    with Wire(("127.0.0.1", proxied.write_port)) as writer, Wire(("127.0.0.1", proxied.read_ports["random"])) as reader:
        assert writer.call("SET", "k", "v") == "OK"
        until(lambda: reader.call("GET", "k") == "v")
        assert "READONLY" in str(reader.call("SET", "k", "other"))


@pytest.mark.parametrize("way", BALANCE)
def test_every_way_of_balancing_serves_reads_from_followers(proxied: Proxied, way: str) -> None:
    until(lambda: settled(proxied, 0))
    found = Counter(proxied.port_behind(proxied.read_ports[way]) for _ in range(40))
    assert set(found) == ports(proxied, 1, 2)
    if way in ("roundrobin", "weighted"):
        assert found[proxied.nodes[1].port] == 10


def test_connections_that_are_held_are_counted_by_leastconn(proxied: Proxied) -> None:
    until(lambda: settled(proxied, 0))
    port = proxied.read_ports["leastconn"]
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        with Wire(("127.0.0.1", port)) as wire:
            assert wire.call("PING") == "PONG"
        follower = [str(proxied.tell(number, "CLIENT", "LIST", "TYPE", "normal")).count("\n") for number in (1, 2)]
        assert follower[1] > follower[0] > 1  # 30 to 10 by weight, the one that asks included
    finally:
        for each in held:
            each.close()


def test_a_failover_and_a_failback_need_no_change_of_a_client(proxied: Proxied) -> None:
    until(lambda: settled(proxied, 0))
    for leader in (1, 0):
        proxied.lead(leader)
        until(lambda leader=leader: settled(proxied, leader))  # type: ignore[misc]
        with Wire(("127.0.0.1", proxied.write_port)) as writer:
            assert writer.call("SET", "leader", str(leader)) == "OK"


def test_the_leader_serves_reads_where_no_follower_is_left(proxied: Proxied) -> None:
    until(lambda: settled(proxied, 0))
    for number in (1, 2):
        proxied.tell(number, "REPLICAOF", "127.0.0.1", str(free_port()))  # nobody is there
    until(lambda: proxied.port_behind(proxied.read_ports["weighted"]) == proxied.nodes[0].port)
    proxied.lead(0)
    until(lambda: settled(proxied, 0))


def test_nodes_are_named_as_one_would_expect() -> None:
    assert node("db1:6379") == Node("db1", 6379, 1)
    assert node("10.0.0.1:6379:30") == Node("10.0.0.1", 6379, 30)
    assert node("[::1]:6379:2") == Node("::1", 6379, 2)
    for text in ("db1", "db1:0", "db1:x", ":6379", "db1:1:0", "db1:1:257"):
        with pytest.raises(ValueError, match=r"\w*"):
            node(text)


def test_checks_authenticate_where_a_password_is_given(tmp_path: Path) -> None:
    text = configuration([Node("::1", 1, 1)], user="haproxy", password='a b#"c')
    assert 'tcp-check send AUTH\\ haproxy\\ a\\ b\\#\\"c\\r\\n' in text
    assert "server node1 [::1]:1 check weight 1" in text
    (tmp_path / "haproxy.cfg").write_text(text)
    command = [require_program("haproxy"), "-c", "-f", str(tmp_path / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_example_is_what_the_command_in_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    example = (ROOT / "conf" / "haproxy.cfg").read_text()
    comments = [line for line in example.splitlines() if line.startswith("#")]
    words = " ".join(line.lstrip("# ").rstrip("\\") for line in comments).split()
    assert main(words[words.index("haproxy-config") + 1 :]) == 0
    assert example == "\n".join(comments) + "\n" + capsys.readouterr().out
