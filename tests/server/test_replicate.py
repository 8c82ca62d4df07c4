"""Real redis-servers that follow ours: everything of every type, cut links, restarts, several with one snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hiredis import pack_command

from tests.conftest import RealRedis
from tests.proxy import Proxy
from tests.server.random_commands import random_commands
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop
PATIENCE = 20.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it never came to be that {what}"
        time.sleep(0.02)


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[Running]:
    directory = tmp_path / "leader"
    directory.mkdir()
    options = ("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--save", "")
    with Running(directory, *options) as running:
        yield running


class Replica:
    """A redis-server that follows a port."""

    def __init__(self, directory: Path, port: int, *options: str) -> None:
        directory.mkdir(exist_ok=True)
        self.server = RealRedis(directory, "--replicaof", "127.0.0.1", str(port), *options)
        self.wire = Wire(("127.0.0.1", self.server.port))

    def info(self) -> dict[str, str]:
        lines = str(self.wire.call("INFO", "replication")).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def is_up(self) -> bool:
        return self.info().get("master_link_status") == "up"

    def stop(self) -> None:
        self.wire.close()
        self.server.stop()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(port: int, *options: str) -> Replica:
        made.append(Replica(tmp_path / f"replica{len(made)}", port, *options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def assert_same(leader: Running, wire: Wire, replica: Replica) -> None:
    """Once the replica has everything, it holds the same: when what is due has expired, on either side."""

    def caught_up() -> bool:
        return replica.is_up() and int(replica.info()["master_repl_offset"]) >= int(wire.call("ROLE")[1])

    wait_until(caught_up, "the replica has everything")
    wait_until(lambda: replica.wire.call("DEBUG", "DIGEST") == wire.call("DEBUG", "DIGEST"), "both hold the same")


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_real_replica_holds_what_we_hold(leader: Running, replicas: Callable[..., Replica], diskless: str) -> None:
    with leader.connect() as wire:
        wire.call("CONFIG", "SET", "repl-diskless-sync", diskless)
        run(wire, 500, seed=1)
        replica = replicas(leader.port)
        run(wire, 5000, seed=2)
        assert_same(leader, wire, replica)
        assert leader.info("stats")["sync_full"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--appendonly", "yes"), ("--snapshot-method", "slices")])
def test_a_hundred_thousand_commands_over_a_bad_link(
    tmp_path: Path, replicas: Callable[..., Replica], options: tuple[str, ...]
) -> None:
    always = ("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--save", "")
    with Running(tmp_path, *always, *options) as leader, Proxy(leader.port) as proxy, leader.connect() as wire:
        replica = replicas(proxy.port)
        for number in range(20):
            run(wire, 5000, seed=1000 + number)
            if number % 5 == 4:
                assert_same(leader, wire, replica)
            proxy.cut()
        assert_same(leader, wire, replica)
        assert int(leader.info("stats")["sync_partial_ok"]) >= 10


def run(wire: Wire, count: int, seed: int) -> None:
    """Random commands of all types."""
    print(f"seed {seed}")
    random = Random(seed)
    for words in random_commands(random, count):
        wire.call(*words)


def test_cut_links_are_mended_by_what_was_missed(leader: Running, replicas: Callable[..., Replica]) -> None:
    with Proxy(leader.port) as proxy, leader.connect() as wire:
        replica = replicas(proxy.port)
        wait_until(replica.is_up, "the replica is up")
        for number in range(5):
            run(wire, 200, seed=number)
            proxy.pieces = (1 << 16, 7, 1)[number % 3]
            proxy.cut()
            run(wire, 100, seed=100 + number)
            assert_same(leader, wire, replica)
        stats = leader.info("stats")
        assert (stats["sync_full"], stats["sync_partial_err"]) == ("1", "0")
        assert int(stats["sync_partial_ok"]) >= 4


def test_several_replicas_share_one_snapshot(leader: Running, replicas: Callable[..., Replica]) -> None:
    with leader.connect() as wire:
        run(wire, 300, seed=3)
        wire.call("CONFIG", "SET", "repl-diskless-sync-delay", "1")
        found = [replicas(leader.port) for _ in range(3)]
        run(wire, 300, seed=4)
        for replica in found:
            assert_same(leader, wire, replica)
        assert leader.log().count("Starting BGSAVE for SYNC") == 1


def test_a_replica_that_stalls_is_dropped_at_its_limit_and_comes_back(
    leader: Running, replicas: Callable[..., Replica]
) -> None:
    with Proxy(leader.port) as proxy, leader.connect() as wire:
        replica = replicas(proxy.port)
        wait_until(replica.is_up, "the replica is up")
        wire.call("CONFIG", "SET", "client-output-buffer-limit", "slave 4mb 0 0")
        proxy.stall()
        wait_until(lambda: wire.call("SET", "big", "x" * 500_000) == "OK" and not wire.call("ROLE")[2], "it is dropped")
        assert "overcoming of output buffer limits" in leader.log()
        proxy.go_on()
        proxy.cut()
        assert_same(leader, wire, replica)


def test_a_restarted_leader_is_followed_without_everything_anew(
    tmp_path: Path, replicas: Callable[..., Replica]
) -> None:
    options = ("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--save", "3600 1")
    with Running(tmp_path, *options) as first, Proxy(first.port) as proxy:
        replica = replicas(proxy.port)
        wait_until(replica.is_up, "the replica is up")
        with first.connect() as wire:
            run(wire, 300, seed=5)
            assert_same(first, wire, replica)
        assert first.terminate() == 0
        with Running(tmp_path, *options) as second, second.connect() as wire:
            proxy.target = second.port
            run(wire, 100, seed=6)
            assert_same(second, wire, replica)
            assert second.info("stats")["sync_partial_ok"] == "1"
            assert second.info("stats")["sync_full"] == "0"


def test_a_leader_that_ends_waits_for_its_replicas(leader: Running, replicas: Callable[..., Replica]) -> None:
    replica = replicas(leader.port)
    wait_until(replica.is_up, "the replica is up")
    with leader.connect() as wire:
        for number in range(2000):
            wire.call("SET", number, "x" * 100)
    assert leader.terminate() == 0
    assert replica.wire.call("DBSIZE") == 2000
    assert "1 of 1 replicas are in sync when shutting down." in leader.log()


def test_handing_over_to_a_real_replica(leader: Running, replicas: Callable[..., Replica]) -> None:
    replica = replicas(leader.port)
    wait_until(replica.is_up, "the replica is up")
    with leader.connect() as wire:
        wire.call("SET", "a", "1")
        assert wire.call("FAILOVER", "TO", "127.0.0.1", replica.server.port, "TIMEOUT", 10000) == "OK"
        wait_until(lambda: leader.info("replication")["role"] == "slave", "we follow")
        wait_until(lambda: leader.info("replication")["master_link_status"] == "up", "the link is up")
        assert replica.info()["role"] == "master"
        assert leader.info("replication")["master_failover_state"] == "no-failover"
        replica.wire.call("SET", "b", "2")
        wait_until(lambda: wire.call("GET", "b") == "2", "we hear of it")


def test_the_end_is_waited_for_as_long_as_it_may_take(leader: Running, replicas: Callable[..., Replica]) -> None:
    with Proxy(leader.port) as proxy, leader.connect() as wire, leader.connect() as other:
        replica = replicas(proxy.port)
        wait_until(replica.is_up, "the replica is up")
        proxy.stall()
        wire.call("SET", "a", "1")
        wire.send(b"*1\r\n$8\r\nSHUTDOWN\r\n")
        wait_until(lambda: "Waiting for replicas before shutting down." in leader.log(), "it waits")
        assert 0 < int(leader.info("server")["shutdown_in_milliseconds"]) <= 10_000
        assert other.call("SHUTDOWN", "ABORT") == "OK"
        assert "shutdown_in_milliseconds" not in leader.info("server")
        assert "Errors trying to SHUTDOWN" in str(wire.read())
        assert other.call("SET", "b", "2") == "OK"
        other.call("CONFIG", "SET", "shutdown-timeout", "1")
        assert leader.terminate() == 0
        assert "0 of 1 replicas are in sync when shutting down." in leader.log()
        assert "Lagging replica" in leader.log()


def test_what_was_gathered_for_replicas_is_sent_before_the_end(
    leader: Running, replicas: Callable[..., Replica]
) -> None:
    replica = replicas(leader.port)
    wait_until(replica.is_up, "the replica is up")
    rounds, each = 30, 20  # as much as is gathered, in rounds of the event loop
    with leader.connect() as wire:
        for first in range(0, rounds * each, each):
            wire.send(b"".join(pack_command(("SET", f"key:{first + number}", "x" * 100)) for number in range(each)))
            assert [wire.read() for _ in range(each)] == ["OK"] * each
        wire.send(pack_command(("SHUTDOWN", "NOSAVE", "NOW")))
        wait_until(lambda: "now ready to exit" in leader.log(), "the leader ends")
    wait_until(lambda: replica.wire.call("DBSIZE") == rounds * each, "the replica has everything")
