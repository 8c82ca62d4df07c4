"""A leader that has lost its data set, and replicas that have not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.interop.following import follow, wait_for
from tests.server.running import Running, Wire

pytestmark = pytest.mark.process

DELAY = ("--repl-diskless-sync-delay", "0")


class Pair:
    """A leader that can begin anew with nothing, and a replica."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.leader = self.begin()
        (directory / "replica").mkdir()
        self.replica = Running(directory / "replica", *DELAY)

    def begin(self, *options: str) -> Running:
        """Start the leader with nothing, at its port."""
        place = self.directory / f"leader{len(list(self.directory.iterdir()))}"
        place.mkdir()
        self.leader = Running(place, *DELAY, "--port", str(self.port), *options, wait=False)
        self.leader.port = self.port
        self.leader.wait_ready()
        return self.leader

    def lose(self, *options: str) -> None:
        """Let the leader begin anew."""
        self.leader.stop()
        self.begin(*options)

    def stop(self) -> None:
        self.leader.stop()
        self.replica.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    found = Pair(tmp_path)
    with found.replica.connect() as replica, found.leader.connect() as leader:
        leader.call("SET", "k", "v")
        follow(replica, found.port)
        leader.call("SET", "l", "w")
        wait_for(lambda: replica.call("GET", "l") == "w", "the stream")
    yield found
    found.stop()


def is_closed(pair: Pair) -> bool:
    return "NOHISTORY" in str(pair.leader.call("PING"))


def is_up(wire: Wire) -> bool:
    return "master_link_status:up" in str(wire.call("INFO", "replication"))


def test_a_leader_that_starts_without_data_serves_nobody_when_a_replica_returns_that_has_some(pair: Pair) -> None:
    pair.lose()
    wait_for(lambda: is_closed(pair), "the leader closed")
    with pair.leader.connect() as leader:
        for words in (("GET", "k"), ("SET", "k", "x"), ("PING",), ("DBSIZE",)):
            assert "NOHISTORY" in str(leader.call(*words)), words
        assert "pycache_empty_start:closed" in leader.call("INFO", "replication")
        leader.call("MULTI")
        assert "NOHISTORY" in str(leader.call("SET", "k", "x"))
        assert "EXECABORT" in str(leader.call("EXEC"))
        assert leader.call("ROLE")[0] == "master"
    assert pair.replica.call("GET", "l") == "w"
    assert "CONFIG SET min-boot-history no" in pair.leader.log()


def test_a_replica_that_is_promoted_gives_the_data_back(pair: Pair) -> None:
    pair.lose()
    wait_for(lambda: is_closed(pair), "the leader closed")
    with pair.leader.connect() as leader, pair.replica.connect() as replica:
        assert replica.call("REPLICAOF", "NO", "ONE") == "OK"
        leader.call("MULTI")  # as sentinels say it
        assert leader.call("SLAVEOF", "127.0.0.1", pair.replica.port) == "QUEUED"
        assert leader.call("EXEC") == ["OK"]
        wait_for(lambda: leader.call("GET", "l") == "w", "what was lost")


def test_an_operator_may_give_the_data_up(pair: Pair) -> None:
    pair.lose()
    wait_for(lambda: is_closed(pair), "the leader closed")
    with pair.leader.connect() as leader, pair.replica.connect() as replica:
        assert leader.call("CONFIG", "SET", "min-boot-history", "no") == "OK"
        assert leader.call("PING") == "PONG"
        wait_for(lambda: is_up(replica), "the replica in step")
        assert replica.call("DBSIZE") == 0


def test_who_has_given_the_data_up_before_serves_as_redis_does(pair: Pair) -> None:
    pair.lose("--min-boot-history", "no")
    with pair.replica.connect() as replica:
        wait_for(lambda: is_up(replica), "the replica in step")
        assert replica.call("DBSIZE") == 0
    assert pair.leader.call("PING") == "PONG"


def test_a_replica_without_data_or_of_another_leader_closes_nobody(pair: Pair, tmp_path: Path) -> None:
    with pair.replica.connect() as replica:
        (tmp_path / "other").mkdir()
        with Running(tmp_path / "other", *DELAY) as other:
            follow(replica, other.port)  # it has the longer history, and of another
            assert replica.call("DBSIZE") == 0
        follow(replica, pair.port)
        pair.leader.call("FLUSHALL")
        wait_for(lambda: replica.call("DBSIZE") == 0, "nothing")
        pair.lose()
        wait_for(lambda: is_up(replica), "the replica in step")
    assert pair.leader.call("PING") == "PONG"


def test_a_replica_that_was_in_step_and_has_led_since_closes_nobody(pair: Pair) -> None:
    with pair.leader.connect() as leader, pair.replica.connect() as replica:
        for number in range(3):
            replica.call("REPLICAOF", "NO", "ONE")
            for _ in range(100):  # its history is longer than the leader's now
                replica.call("SET", f"own{number}", "x" * 100)
            follow(replica, pair.port)
            assert replica.call("EXISTS", f"own{number}") == 0
            assert leader.call("PING") == "PONG"


def test_a_leader_with_data_of_its_own_closes_for_nobody(pair: Pair) -> None:
    pair.leader.call("SET", "m", "x")
    place = pair.leader.directory
    assert pair.leader.call("SAVE") == "OK"
    pair.leader.stop()
    pair.leader = Running(place, *DELAY, "--port", str(pair.port), wait=False)
    pair.leader.port = pair.port
    pair.leader.wait_ready()
    with pair.replica.connect() as replica:
        wait_for(lambda: is_up(replica), "the replica in step")
    assert pair.leader.call("GET", "m") == "x"
