"""Taking members from an end, in process."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome
from tests.commands.test_zsets import SYNTAX, WRONG_TYPE

NOT_POSITIVE = "ERR value is out of range, must be positive"


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("ZADD", "z", 1, "a", 2, "b", 3, "c", 4.5, "d")
    client.call("SET", "text", "x")
    return client


def test_the_lowest_and_the_highest_are_taken(client: Client) -> None:
    assert client.call("ZPOPMIN", "z") == ["a", "1"]
    assert client.call("ZPOPMAX", "z") == ["d", "4.5"]
    assert client.call("ZPOPMAX", "z", 0) == []
    assert client.call("ZPOPMAX", "z", 5) == ["c", "3", "b", "2"]
    assert client.call("EXISTS", "z") == 0
    assert client.call("ZPOPMIN", "z") == []
    assert client.call("ZPOPMIN", "z", 2) == []


def test_resp3_nests_pairs_where_a_count_is_given(client: Client) -> None:
    client.call("HELLO", 3)
    assert client.call("ZPOPMIN", "z") == ["a", 1.0]
    assert client.call("ZPOPMIN", "z", 1) == [["b", 2.0]]
    assert client.call("ZPOPMAX", "z", 2) == [["d", 4.5], ["c", 3.0]]


def test_zmpop_takes_from_the_first_set_that_there_is(client: Client) -> None:
    client.call("ZADD", "y", 9, "y")
    assert client.call("ZMPOP", 3, "none", "z", "y", "MIN") == ["z", [["a", "1"]]]
    assert client.call("ZMPOP", 3, "none", "z", "y", "max", "COUNT", 2) == ["z", [["d", "4.5"], ["c", "3"]]]
    assert client.call("ZMPOP", 1, "z", "MAX", "COUNT", 9) == ["z", [["b", "2"]]]
    client.call("HELLO", 3)
    assert client.call("ZMPOP", 2, "z", "y", "MIN") == ["y", [["y", 9.0]]]
    assert client.call("ZMPOP", 2, "z", "y", "MIN") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ZPOPMIN z -1", NOT_POSITIVE),
        ("ZPOPMIN z x", NOT_POSITIVE),
        ("ZPOPMIN z 1 2", SYNTAX),
        ("ZPOPMAX text", WRONG_TYPE),
        ("ZPOPMAX text 0", WRONG_TYPE),
        ("ZPOPMAX text -1", NOT_POSITIVE),
        ("ZMPOP 0 z MIN", "ERR numkeys should be greater than 0"),
        ("ZMPOP x z MIN", "ERR numkeys should be greater than 0"),
        ("ZMPOP 2 z MIN", SYNTAX),
        ("ZMPOP 3 z MIN", SYNTAX),
        ("ZMPOP 1 z MID", SYNTAX),
        ("ZMPOP 1 z MIN COUNT", SYNTAX),
        ("ZMPOP 1 z MIN COUNT 0", "ERR count should be greater than 0"),
        ("ZMPOP 1 z MIN COUNT x", "ERR count should be greater than 0"),
        ("ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX),
        ("ZMPOP 1 z MIN WITHSCORES", SYNTAX),
        ("ZMPOP 2 text z MIN", WRONG_TYPE),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    assert outcome(client.call(*words.split())) == error
    assert client.call("ZCARD", "z") == 4


def test_a_big_set_is_taken_apart_in_order(client: Client) -> None:
    client.call("ZADD", "big", *(word for number in range(3000) for word in (number % 50, f"m{number:04d}")))
    expected = sorted((number % 50, f"m{number:04d}") for number in range(3000))
    for _ in range(1200):
        assert client.call("ZPOPMIN", "big") == [expected[0][1], str(expected[0][0])]
        assert client.call("ZPOPMAX", "big") == [expected[-1][1], str(expected[-1][0])]
        expected = expected[1:-1]
    taken = client.call("ZPOPMIN", "big", 10_000)
    assert taken[::2] == [member for _, member in expected]
    assert client.call("EXISTS", "big") == 0
