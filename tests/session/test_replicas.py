"""ROLE, WAIT and WAITAOF of a primary without replicas."""

from __future__ import annotations

import pytest

from tests.peers import AnyClient, Client, Ours, Peer, error_of


def test_role(client: AnyClient) -> None:
    name, offset, replicas = client.call("ROLE")
    assert (name, replicas) == ("master", [])
    assert offset >= 0


@pytest.mark.parametrize("wanted", [0, -1])
def test_who_waits_for_nobody_goes_on(client: AnyClient, wanted: int) -> None:
    assert client.call("WAIT", wanted, 0) == 0


def test_waiting_ends_with_the_time(ours: Ours) -> None:
    for words, answer in ((("WAIT", 1, 50), 0), (("WAITAOF", 0, 1, 50), [0, 0])):
        client = ours.connect()
        client.start(*words)
        ours.world.advance(0.049)
        assert client.read_all() == []
        ours.world.advance(0.001)
        assert client.read_all() == [answer]
        assert client.call("PING") == "PONG"


@pytest.mark.parametrize("command", ["WAIT 1 0", "WAIT 9 0"])
def test_who_waits_for_ever_may_be_woken(peer: Peer, client: AnyClient, command: str) -> None:
    other = peer.connect()
    number = client.call("CLIENT", "ID")
    client.start(*command.split())
    assert client.read_all() == []
    assert other.call("CLIENT", "UNBLOCK", number) == 1
    assert client.read() == 0
    client.start(*command.split())
    assert other.call("CLIENT", "UNBLOCK", number, "ERROR") == 1
    assert error_of(client.read()) == "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def test_within_a_transaction_nobody_waits(client: AnyClient) -> None:
    client.call("MULTI")
    client.call("WAIT", 1, 0)
    client.call("ROLE")
    found = client.call("EXEC")
    assert (found[0], found[1][0]) == (0, "master")


def test_waitaof_within_a_transaction(our_client: Client) -> None:
    our_client.call("MULTI")
    our_client.call("WAITAOF", 0, 1, 0)
    assert our_client.call("EXEC") == [[0, 0]]
    assert our_client.call("WAITAOF", 0, 0, 0) == [0, 0]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("WAIT x 0", "ERR value is not an integer or out of range"),
        ("WAIT 0 x", "ERR timeout is not an integer or out of range"),
        ("WAIT 0 -1", "ERR timeout is negative"),
        ("WAIT 1", "ERR wrong number of arguments for 'wait' command"),
        ("ROLE x", "ERR wrong number of arguments for 'role' command"),
    ],
)
def test_errors(client: AnyClient, command: str, error: str) -> None:
    assert error_of(client.call(*command.split())) == error


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("WAITAOF x 0 0", "ERR value is not an integer or out of range"),
        ("WAITAOF 2 0 0", "ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF 0 -1 0", "ERR value is out of range, must be positive"),
        ("WAITAOF 0 x 0", "ERR value is out of range, must be positive"),
        ("WAITAOF 1 0 x", "ERR timeout is not an integer or out of range"),
        ("WAITAOF 1 0 -1", "ERR timeout is negative"),
        ("WAITAOF 1 0 0", "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
        ("WAITAOF 0 0", "ERR wrong number of arguments for 'waitaof' command"),
    ],
)
def test_errors_of_waitaof(our_client: Client, command: str, error: str) -> None:
    assert error_of(our_client.call(*command.split())) == error
