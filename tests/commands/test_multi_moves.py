"""LMOVEM and BLMOVEM: several elements at once, in which order, and who waits for how many."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import Heard, outcome

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_POSITIVE = "ERR count should be greater than 0"


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("RPUSH", "l", *"12345")
    client.call("RPUSH", "m", "x", "y")
    return client


@pytest.mark.parametrize(
    ("words", "reply", "source", "destination"),
    [
        ("LEFT LEFT", "1", "2345", "1xy"),
        ("right left", "5", "1234", "5xy"),
        ("LEFT LEFT COUNT 3 OBO", "321", "45", "321xy"),
        ("LEFT LEFT COUNT 3 BULK", "123", "45", "123xy"),
        ("LEFT RIGHT COUNT 3 OBO", "123", "45", "xy123"),
        ("LEFT RIGHT COUNT 3 BULK", "123", "45", "xy123"),
        ("RIGHT LEFT COUNT 3 OBO", "345", "12", "345xy"),
        ("RIGHT LEFT COUNT 3 BULK", "345", "12", "345xy"),
        ("RIGHT RIGHT COUNT 3 OBO", "543", "12", "xy543"),
        ("RIGHT RIGHT COUNT 3 BULK", "345", "12", "xy345"),
        ("LEFT RIGHT EXACTLY 5 BULK", "12345", "", "xy12345"),
        ("LEFT RIGHT COUNT 9 BULK", "12345", "", "xy12345"),
    ],
)
def test_elements_are_moved_in_an_order(client: Client, words: str, reply: str, source: str, destination: str) -> None:
    assert client.call("LMOVEM", "l", "m", *words.split()) == list(reply)
    assert client.call("LRANGE", "l", 0, -1) == list(source)
    assert client.call("LRANGE", "m", 0, -1) == list(destination)
    assert client.call("EXISTS", "l") == bool(source)


def test_a_list_may_be_moved_within(client: Client) -> None:
    assert client.call("LMOVEM", "l", "l", "LEFT", "RIGHT", "COUNT", 2, "BULK") == ["1", "2"]
    assert client.call("LRANGE", "l", 0, -1) == list("34512")
    assert client.call("LMOVEM", "l", "l", "LEFT", "LEFT", "EXACTLY", 2, "OBO") == ["4", "3"]
    assert client.call("LRANGE", "l", 0, -1) == list("43512")
    assert client.call("LMOVEM", "l", "l", "RIGHT", "RIGHT", "COUNT", 9, "BULK") == list("43512")
    assert client.call("LRANGE", "l", 0, -1) == list("43512")


def test_long_lists(world: World, client: Client) -> None:
    client.call("RPUSH", "long", *range(5000))
    assert len(client.call("LMOVEM", "long", "other", "LEFT", "RIGHT", "COUNT", 4000, "BULK")) == 4000
    assert client.call("LRANGE", "other", 0, 1) == ["0", "1"]
    assert client.call("LINDEX", "other", -1) == "3999"
    assert client.call("LMOVEM", "long", "other", "LEFT", "LEFT", "COUNT", 4000, "OBO")[0] == "4999"
    assert client.call("LLEN", "other") == 5000
    world.check()


def test_nothing_is_moved_where_there_is_too_little(client: Client) -> None:
    assert client.call("LMOVEM", "none", "m", "LEFT", "LEFT") == []
    assert client.call("LMOVEM", "none", "m", "LEFT", "LEFT", "COUNT", 2, "OBO") == []
    client.raw = b""
    assert client.call("LMOVEM", "l", "m", "LEFT", "LEFT", "EXACTLY", 6, "OBO") is None
    assert client.raw == b"$-1\r\n"
    assert client.call("LLEN", "l") == 5


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("l m LEFT LEFT COUNT 2", "ERR syntax error"),
        ("l m LEFT LEFT COUNT 2 OBO x", "ERR syntax error"),
        ("l m LEFT LEFT FOO 2 OBO", "ERR syntax error"),
        ("l m LEFT LEFT COUNT 2 FOO", "ERR syntax error"),
        ("l m UP LEFT", "ERR syntax error"),
        ("l m LEFT UP", "ERR syntax error"),
        ("l m LEFT LEFT COUNT 0 OBO", NOT_POSITIVE),
        ("l m LEFT LEFT EXACTLY -1 BULK", NOT_POSITIVE),
        ("l m LEFT LEFT COUNT a BULK", NOT_POSITIVE),
        ("s m LEFT LEFT", WRONG_TYPE),
        ("l s LEFT LEFT COUNT 2 OBO", WRONG_TYPE),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    client.call("SET", "s", "x")
    assert outcome(client.call("LMOVEM", *words.split())) == error
    first, second, *rest = words.split()
    assert outcome(client.call("BLMOVEM", first, second, *rest[:2], "0", *rest[2:])) == error
    assert client.call("LLEN", "l") == 5


def test_arity_and_timeouts(client: Client) -> None:
    assert outcome(client.call("LMOVEM", "l", "m", "LEFT")) == "ERR wrong number of arguments for 'lmovem' command"
    assert outcome(client.call("BLMOVEM", "l", "m", "LEFT", "LEFT", "-1")) == "ERR timeout is negative"
    assert (
        outcome(client.call("BLMOVEM", "l", "m", "LEFT", "LEFT", "x")) == "ERR timeout is not a float or out of range"
    )


def test_who_waits_for_some_gets_what_comes(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("BLMOVEM", "q", "done", "LEFT", "RIGHT", 0, "COUNT", 3, "BULK")
    assert waiting.read_all() == []
    client.call("RPUSH", "q", "a", "b")
    assert waiting.read_all() == [["a", "b"]]
    assert client.call("LRANGE", "done", 0, -1) == ["a", "b"]


def test_who_waits_for_a_number_waits_until_there_are_as_many(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("BLMOVEM", "q", "done", "LEFT", "RIGHT", 0, "EXACTLY", 3, "BULK")
    for element in "ab":
        client.call("RPUSH", "q", element)
        assert waiting.read_all() == []
    client.call("LPUSH", "q", "c", "d")
    assert waiting.read_all() == [["d", "c", "a"]]
    assert client.call("LRANGE", "q", 0, -1) == ["b"]


def test_others_are_served_while_somebody_waits_for_more(world: World, client: Client) -> None:
    patient, hasty = world.connect(), world.connect()
    patient.start("BLMOVEM", "q", "done", "LEFT", "RIGHT", 1, "EXACTLY", 3, "OBO")
    hasty.start("BLPOP", "q", 0)
    client.call("RPUSH", "q", "a", "b")
    assert (patient.read_all(), hasty.read_all()) == ([], [["q", "a"]])
    world.advance(1)
    client.raw = b""
    assert patient.read_all() == [None]
    assert patient.raw.endswith(b"*-1\r\n")
    client.call("RPUSH", "q", "c", "d")
    assert client.call("LLEN", "q") == 3


def test_within_a_transaction_nobody_waits(client: Client) -> None:
    client.call("MULTI")
    client.call("BLMOVEM", "none", "m", "LEFT", "LEFT", 0)
    client.call("BLMOVEM", "l", "m", "LEFT", "LEFT", 0, "EXACTLY", 6, "OBO")
    assert client.call("EXEC") == [None, None]


def test_events(client: Client, heard: Heard) -> None:
    client.call("LMOVEM", "l", "m", "LEFT", "RIGHT", "COUNT", 2, "BULK")
    client.call("LMOVEM", "l", "new", "RIGHT", "LEFT", "COUNT", 3, "OBO")
    assert heard() == [
        *[("m", "rpush"), ("l", "lpop"), ("new", "new"), ("new", "lpush"), ("l", "rpop"), ("l", "del")],
    ]
