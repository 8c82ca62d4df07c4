"""Planned handovers of a group in processes: who asks is answered, everybody else is sent to the new leader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hiredis import pack_command

from tests.server.group_processes import Voters, until


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
