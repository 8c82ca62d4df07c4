"""XINFO: what it tells of streams, groups and consumers."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import START, Client, World
from tests.commands.test_stream_groups import WRONG_TYPE, read, with_group

NOW = int(START * 1000)


@pytest.fixture
def client(client: Client) -> Client:
    client.call("HELLO", 3)
    with_group(client)
    read(client, "a", ">", "COUNT", 2)
    client.call("XGROUP", "CREATECONSUMER", "s", "g", "b")
    client.call("XGROUP", "CREATE", "s", "e", "$")
    return client


def test_groups_are_told_in_the_order_of_their_names(client: Client) -> None:
    assert client.call("XINFO", "GROUPS", "s") == [
        {"name": "e", "consumers": 0, "pending": 0, "last-delivered-id": "5-0", "entries-read": None, "lag": 0},
        {"name": "g", "consumers": 2, "pending": 2, "last-delivered-id": "2-0", "entries-read": 2, "lag": 3},
    ]


def test_consumers_tell_how_long_they_have_been_silent(world: World, client: Client) -> None:
    world.advance(1)
    assert client.call("XINFO", "CONSUMERS", "s", "g") == [
        {"name": "a", "pending": 2, "idle": 1000, "inactive": 1000},
        {"name": "b", "pending": 0, "idle": 1000, "inactive": -1},
    ]


def test_a_stream_tells_everything(client: Client) -> None:
    info = client.call("XINFO", "STREAM", "s", "FULL", "COUNT", 1)
    assert [number for number, _ in info["entries"]] == ["1-0"]
    assert info["groups"][1] == {
        "name": "g",
        "last-delivered-id": "2-0",
        "entries-read": 2,
        "lag": 3,
        "pel-count": 2,
        "pending": [["1-0", "a", NOW, 1]],
        "consumers": [
            {"name": "a", "seen-time": NOW, "active-time": NOW, "pel-count": 2, "pending": [["1-0", NOW, 1]]},
            {"name": "b", "seen-time": NOW, "active-time": -1, "pel-count": 0, "pending": []},
        ],
    }
    info = client.call("XINFO", "STREAM", "s", "FULL", "COUNT", 0)
    assert [number for number, *_ in info["groups"][1]["pending"]] == ["1-0", "2-0"]
    assert client.call("XINFO", "STREAM", "s")["groups"] == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("GROUPS none", "ERR no such key"),
        ("GROUPS text", WRONG_TYPE),
        ("CONSUMERS none g", "ERR no such key"),
        ("CONSUMERS s nobody", "NOGROUP No such consumer group 'nobody' for key name 's'"),
        ("CONSUMERS s", "ERR wrong number of arguments for 'xinfo|consumers' command"),
        ("STREAM none", "ERR no such key"),
        ("STREAM s FULL COUNT x", "ERR value is not an integer or out of range"),
        ("FOO s", "ERR unknown subcommand 'FOO'. Try XINFO HELP."),
    ],
)
def test_what_xinfo_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert str(client.call("XINFO", *words.split())) == error
