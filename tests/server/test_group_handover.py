"""Planned handovers of a group in processes: who asks is answered, everybody else is sent to the new leader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hiredis import pack_command

from tests.server.group_processes import Voters, until
from tests.server.running import Running

pytestmark = pytest.mark.process


@pytest.fixture
def voters(tmp_path: Path) -> Iterator[Voters]:
    with Voters(tmp_path) as found:
        yield found


def test_who_asks_for_a_handover_is_answered_and_all_clients_are_disconnected(voters: Voters) -> None:
    old = voters.wait_whole()
    new = (old + 1) % 3
    with voters.nodes[old].connect() as asker, voters.nodes[old].connect() as other:
        assert other.call("SET", "k", "v") == "OK"
        assert asker.call("GROUP", "HANDOVER", voters.seat(new)) == "OK"
        for each in (asker, other):
            with pytest.raises(ConnectionError):
                each.read()
    until(lambda: voters.role(new) == "master", "the lead of the one that was meant")
    assert voters.nodes[new].call("GET", "k") == "v"
    assert voters.wait_whole() == new


def test_who_asks_is_answered_behind_writes_that_are_not_acknowledged_yet(voters: Voters) -> None:
    old = voters.wait_whole()
    with voters.nodes[old].connect() as asker:
        writes = b"".join(pack_command(("RPUSH", "list", number)) for number in range(500))
        asker.send(writes + pack_command(("GROUP", "HANDOVER", voters.seat((old + 1) % 3))))
        assert [asker.read() for _ in range(500)] == list(range(1, 501))
        assert asker.read() == "OK"
        with pytest.raises(ConnectionError):
            asker.read()
    new = voters.wait_whole()
    assert new == (old + 1) % 3
    assert voters.nodes[new].call("LLEN", "list") == 500


def test_failover_is_a_handover_and_wants_a_voter(voters: Voters) -> None:
    old = voters.wait_whole()
    new = (old + 2) % 3
    with voters.nodes[old].connect() as asker:
        assert "is no voter that follows" in str(asker.call("FAILOVER", "TO", "127.0.0.1", 1))
        assert asker.call("SET", "k", "v") == "OK"
        assert asker.call("FAILOVER", "TO", "127.0.0.1", voters.ports[new]) == "OK"
    until(lambda: voters.role(new) == "master", "the lead of the one that was meant")
    with voters.nodes[old].connect() as asker:
        assert "READONLY" in str(asker.call("SET", "k", "w"))
        assert "ERR this node does not lead" in str(asker.call("GROUP", "HANDOVER"))


def wait_acknowledged(leader: Running) -> None:
    """Wait until all follow by the links that they have now, which a write that all acknowledge shows."""
    with leader.connect() as wire:
        assert wire.call("CLIENT", "ACK", "all") == "OK"
        until(lambda: wire.call("SET", "k", "v") == "OK", "what all have")


def test_no_handover_goes_to_who_never_leads(voters: Voters) -> None:
    old = voters.wait_whole()
    never, other = (old + 1) % 3, (old + 2) % 3
    leader = voters.nodes[old]
    for number in (never, other):
        assert voters.nodes[number].call("CONFIG", "SET", "replica-priority", 0) == "OK"
    wait_acknowledged(leader)
    assert "no voter follows that may lead" in str(leader.call("GROUP", "HANDOVER"))
    assert "never leads: its replica-priority is 0" in str(leader.call("GROUP", "HANDOVER", voters.seat(never)))
    assert leader.call("SET", "k", "v") == "OK"  # the leader leads on, and they count
    assert voters.nodes[other].call("CONFIG", "SET", "replica-priority", 100) == "OK"
    wait_acknowledged(leader)
    assert leader.call("GROUP", "HANDOVER") == "OK"
    until(lambda: voters.role(other) == "master", "the lead of the one that may")
    assert voters.wait_whole() == other


def test_a_leader_that_ends_does_not_hand_over_to_who_never_leads(tmp_path: Path) -> None:
    with Voters(tmp_path, "--replica-priority", "0", count=3) as voters:  # forms no leader before one may lead
        first, second = voters.nodes[0], voters.nodes[1]
        assert first.call("CONFIG", "SET", "replica-priority", 100) == "OK"
        assert voters.wait_whole() == 0
        assert second.call("CONFIG", "SET", "replica-priority", 100) == "OK"
        wait_acknowledged(first)
        with first.connect() as wire:
            wire.send(pack_command(("SHUTDOWN", "NOSAVE")))
        first.process.wait(timeout=30)
        until(lambda: voters.role(1) == "master", "the lead of the one that may")
        assert second.call("GET", "k") == "v"


def test_a_leader_that_ends_waits_for_a_voter_that_is_catching_up(tmp_path: Path) -> None:
    with Voters(tmp_path) as voters:
        old = voters.wait_whole()
        leader, returned = voters.nodes[old], (old + 1) % 3
        with leader.connect() as wire:
            data = b"".join(pack_command(("SET", f"key:{number}", "x" * 10_000)) for number in range(1000))
            for _ in range(10):
                wire.send(data)
                assert [wire.read() for _ in range(1000)] == ["OK"] * 1000
        voters.nodes[returned].process.kill()
        voters.nodes[returned].process.wait()
        voters.restart(returned)
        before = len(leader.log())
        with leader.connect() as wire:
            wire.send(pack_command(("SHUTDOWN", "NOSAVE")))
        leader.process.wait(timeout=30)
        log = leader.log()[before:]
        assert "Ending, though" not in log
        assert voters.nodes[returned].info("replication")["sync_state"] in ("in-sync", "leader", "disconnected")
        running = [number for number in range(3) if number != old]
        until(lambda: voters.leader() in running, "a leader, of two that hold everything")
        assert voters.nodes[running[0]].call("DBSIZE") == voters.nodes[running[1]].call("DBSIZE") == 1000


def test_a_leader_that_ends_tells_when_nobody_can_lead_without_it(voters: Voters) -> None:
    old = voters.wait_whole()
    leader = voters.nodes[old]
    voters.nodes[(old + 1) % 3].stop()
    with leader.connect() as wire:
        wire.send(pack_command(("SHUTDOWN", "NOSAVE")))
        assert leader.call("SET", "k", "v") == "OK"  # one voter in three may be missing, and it serves while it waits
    leader.process.wait(timeout=30)
    assert "Ending, though without this voter there is no majority. Catching up: none" in leader.log()
