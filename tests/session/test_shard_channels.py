"""Shard channels: SSUBSCRIBE, SUNSUBSCRIBE, SPUBLISH and what PUBSUB tells of them. They are a world of their own,
beside channels and patterns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers import AnyClient, Client, Ours, Peer, error_of

ALLOWED = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"


def run(client: AnyClient, *commands: str) -> list[Any]:
    """All that a client is sent because of some commands, errors as text."""
    for command in commands:
        client.start(*command.split())
    return [str(reply) if isinstance(reply, Exception) else reply for reply in client.read_all()]


@pytest.fixture
def other(peer: Peer) -> AnyClient:
    """Who speaks."""
    return peer.connect()


def test_each_channel_is_confirmed_with_the_number_of_shard_channels(client: AnyClient) -> None:
    assert run(client, "SUBSCRIBE z", "SSUBSCRIBE a b a", "PSUBSCRIBE p*") == [
        *[["subscribe", "z", 1], ["ssubscribe", "a", 1], ["ssubscribe", "b", 2], ["ssubscribe", "a", 2]],
        ["psubscribe", "p*", 2],
    ]
    assert run(client, "SUNSUBSCRIBE b none", "UNSUBSCRIBE", "SUNSUBSCRIBE") == [
        *[["sunsubscribe", "b", 1], ["sunsubscribe", "none", 1], ["unsubscribe", "z", 1], ["sunsubscribe", "a", 0]],
    ]


def test_who_listens_to_nothing_unsubscribes_from_a_null(client: AnyClient) -> None:
    assert run(client, "SUNSUBSCRIBE", "SUNSUBSCRIBE x y") == [
        *[["sunsubscribe", None, 0], ["sunsubscribe", "x", 0], ["sunsubscribe", "y", 0]],
    ]


def test_a_message_reaches_shard_channels_and_nothing_else(client: AnyClient, other: AnyClient) -> None:
    run(client, "SSUBSCRIBE a", "SUBSCRIBE b", "PSUBSCRIBE *")
    assert run(other, "SPUBLISH a 1", "SPUBLISH b 2", "PUBLISH a 3") == [1, 0, 1]
    assert client.read_all() == [["smessage", "a", "1"], ["pmessage", "*", "a", "3"]]


def test_messages_and_confirmations_are_pushed_in_resp3(client: AnyClient, other: AnyClient) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    run(client, "SSUBSCRIBE a")
    other.call("SPUBLISH", "a", "x")
    run(client, "SUNSUBSCRIBE", "SUNSUBSCRIBE")
    assert client.raw == (
        b">3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n"
        b">3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
        b">3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n>3\r\n$12\r\nsunsubscribe\r\n_\r\n:0\r\n"
    )


def test_a_listener_in_resp2_can_do_little_else(client: AnyClient) -> None:
    client.call("SSUBSCRIBE", "a")
    assert run(client, "GET k", "PING", "PING hello", "UNSUBSCRIBE", "GET k") == [
        f"ERR Can't execute 'get': only {ALLOWED} are allowed in this context",
        *[["pong", ""], ["pong", "hello"], ["unsubscribe", None, 0]],
        f"ERR Can't execute 'get': only {ALLOWED} are allowed in this context",
    ]
    assert run(client, "SUNSUBSCRIBE a", "GET k", "PING") == [["sunsubscribe", "a", 0], None, "PONG"]


def test_a_listener_in_resp3_can_do_everything(client: AnyClient) -> None:
    client.call("HELLO", 3)
    assert run(client, "SSUBSCRIBE a", "SET k v", "PING") == [["ssubscribe", "a", 1], "OK", "PONG"]


def test_nobody_subscribes_within_a_transaction(client: AnyClient) -> None:
    error = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
    run(client, "MULTI", "SSUBSCRIBE a", "SPUBLISH a x")
    client.start("EXEC")
    refused, sent = client.read()
    assert (error_of(refused), sent) == (error, 0)


def test_one_may_unsubscribe_within_a_transaction(client: AnyClient) -> None:
    client.call("HELLO", 3)
    run(client, "SSUBSCRIBE a", "MULTI", "SUNSUBSCRIBE a", "EXEC")
    assert client.call("PUBSUB", "SHARDCHANNELS") == []


def test_listeners_hear_in_the_order_of_a_transaction(client: AnyClient, other: AnyClient) -> None:
    client.call("SSUBSCRIBE", "a")
    assert run(other, "MULTI", "SPUBLISH a 1", "SPUBLISH a 2", "EXEC")[-1] == [1, 1]
    assert client.read_all() == [["smessage", "a", "1"], ["smessage", "a", "2"]]


def test_what_a_client_tells_itself_follows_the_reply(our_client: Client) -> None:
    our_client.call("HELLO", 3)
    our_client.call("SSUBSCRIBE", "a")
    assert run(our_client, "SPUBLISH a 1", "ECHO x") == [1, ["smessage", "a", "1"], "x"]


def test_reset_and_leaving_end_all(peer: Peer, client: AnyClient, other: AnyClient) -> None:
    run(client, "SSUBSCRIBE a b")
    assert client.call("RESET") == "RESET"
    assert other.call("SPUBLISH", "a", "x") == 0
    run(client, "SSUBSCRIBE a", "QUIT")
    assert other.call("SPUBLISH", "a", "x") == 0
    assert other.call("PUBSUB", "SHARDCHANNELS") == []


def test_pubsub_tells_who_listens(peer: Peer, client: AnyClient, other: AnyClient) -> None:
    run(client, "SSUBSCRIBE news.a news.b talk", "SUBSCRIBE plain")
    run(peer.connect(), "SSUBSCRIBE talk")
    assert sorted(other.call("PUBSUB", "SHARDCHANNELS")) == ["news.a", "news.b", "talk"]
    assert sorted(other.call("PUBSUB", "shardchannels", "news.*")) == ["news.a", "news.b"]
    assert other.call("PUBSUB", "CHANNELS") == ["plain"]
    assert other.call("PUBSUB", "SHARDNUMSUB") == []
    assert other.call("PUBSUB", "SHARDNUMSUB", "talk", "plain", "news.a") == ["talk", 2, "plain", 0, "news.a", 1]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("SSUBSCRIBE", "ERR wrong number of arguments for 'ssubscribe' command"),
        ("SPUBLISH a", "ERR wrong number of arguments for 'spublish' command"),
        ("SPUBLISH a b c", "ERR wrong number of arguments for 'spublish' command"),
        (
            "PUBSUB shardchannels a b",
            "ERR unknown subcommand or wrong number of arguments for 'shardchannels'. Try PUBSUB HELP.",
        ),
        ("COMMAND GETKEYS SPUBLISH a b", "ERR The command has no key arguments"),
        ("COMMAND GETKEYSANDFLAGS SSUBSCRIBE a b", "ERR The command has no key arguments"),
    ],
)
def test_errors(client: AnyClient, command: str, error: str) -> None:
    assert run(client, command) == [error]


def test_client_list_counts_them_and_the_client_is_a_listener(client: AnyClient, other: AnyClient) -> None:
    run(client, "CLIENT SETNAME listener", "SSUBSCRIBE a b", "SUBSCRIBE c")
    line = next(line for line in other.call("CLIENT", "LIST").splitlines() if " name=listener " in line)
    fields = dict(field.split("=", 1) for field in line.split())
    assert (fields["flags"], fields["sub"], fields["psub"], fields["ssub"]) == ("P", "1", "0", "2")
    assert "name=listener" in other.call("CLIENT", "LIST", "TYPE", "PUBSUB")


def test_a_listener_that_does_not_read_is_limited_as_one(ours: Ours) -> None:
    client = ours.connect()
    client.call("SSUBSCRIBE", "a")
    assert client.session.kind() == "pubsub"
    assert client.session.waits()
