"""Waiting for sorted sets, in process. The scenarios were played on a redis-server first."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome
from tests.commands.test_zsets import SYNTAX, WRONG_TYPE


def waiting(world: World, words: str, resp: int = 2) -> Client:
    """A client that waits."""
    client = world.connect()
    client.call("HELLO", resp)
    client.start(*words.split())
    assert client.read_all() == []
    return client


def test_what_is_there_is_taken_at_once(client: Client) -> None:
    client.call("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d")
    assert client.call("BZPOPMIN", "x", "z", 0) == ["z", "a", "1"]
    assert client.call("BZPOPMAX", "z", "x", 0.5) == ["z", "d", "4"]
    assert client.call("BZMPOP", 0, 2, "x", "z", "MAX") == ["z", [["c", "3"]]]
    assert client.call("BZMPOP", 0, 1, "z", "MIN", "COUNT", 9) == ["z", [["b", "2"]]]


def test_clients_are_served_in_the_order_of_their_coming(world: World, client: Client) -> None:
    first, second = waiting(world, "BZPOPMIN z 0"), waiting(world, "BZPOPMAX z 0", resp=3)
    third = waiting(world, "BZPOPMIN y z 0")
    assert client.call("ZADD", "z", 1.5, "a", 2, "b", 3, "c") == 3
    assert first.read() == ["z", "a", "1.5"]
    assert second.read() == ["z", "c", 3.0]
    assert third.read() == ["z", "b", "2"]
    assert client.call("EXISTS", "z") == 0
    world.check()


def test_bzmpop_takes_several(world: World, client: Client) -> None:
    first, second = waiting(world, "BZMPOP 0 2 x y MAX COUNT 2", resp=3), waiting(world, "BZMPOP 0 1 y MIN")
    client.call("ZADD", "y", 1, "a", 2, "b", 3, "c")
    assert first.read() == ["y", [["c", 3.0], ["b", 2.0]]]
    assert second.read() == ["y", [["a", "1"]]]


def test_time_runs_out(world: World, client: Client) -> None:
    patient, hasty = waiting(world, "BZPOPMIN z 0"), waiting(world, "BZMPOP 0.2 1 z MIN")
    world.advance(0.3)
    assert hasty.read() is None
    assert hasty.raw.endswith(b"*-1\r\n")
    client.call("ZADD", "z", 1, "a")
    assert patient.read() == ["z", "a", "1"]


@pytest.mark.parametrize(
    "words",
    [
        "ZADD z 1 a",
        "ZINCRBY z 1 a",
        "RENAME o z",
        "COPY o z",
        "ZUNIONSTORE z 1 o",
        "ZINTERSTORE z 1 o",
        "ZDIFFSTORE z 1 o",
        "ZRANGESTORE z o 0 -1",
    ],
)
def test_whatever_makes_the_set_wakes_who_waits_for_it(world: World, client: Client, words: str) -> None:
    client.call("ZADD", "o", 1, "a")
    waiter = waiting(world, "BZPOPMIN z 0")
    client.call(*words.split())
    assert waiter.read() == ["z", "a", "1"]


def test_a_transaction_is_looked_at_as_a_whole(world: World, client: Client) -> None:
    waiter = waiting(world, "BZPOPMIN first second 0")
    client.call("MULTI")
    for words in ("ZADD second 1 a", "ZADD gone 1 x", "DEL gone", "ZADD first 1 b", "ZADD first 0 c"):
        client.call(*words.split())
    client.call("EXEC")
    assert waiter.read() == ["first", "c", "0"]  # its keys in its order, as since 7.2
    assert client.call("ZCARD", "second") == 1


def test_a_set_that_comes_and_goes_within_a_transaction_serves_nobody(world: World, client: Client) -> None:
    waiter = waiting(world, "BZPOPMIN z 1")
    client.call("MULTI")
    client.call("ZADD", "z", 1, "a")
    client.call("DEL", "z")
    client.call("EXEC")
    assert waiter.read_all() == []
    world.advance(2)
    assert waiter.read() is None


def test_other_types_serve_nobody(world: World, client: Client) -> None:
    waiter = waiting(world, "BZPOPMIN z 0")
    client.call("SET", "z", "x")
    assert waiter.read_all() == []
    client.call("DEL", "z")
    client.call("ZADD", "z", 1, "a")
    assert waiter.read() == ["z", "a", "1"]


def test_within_a_transaction_nobody_waits(client: Client) -> None:
    client.call("MULTI")
    for words in ("BZPOPMIN none 0", "BZMPOP 0 1 none MIN", "ZADD z 1 a", "BZPOPMAX z 0"):
        client.call(*words.split())
    assert client.call("EXEC") == [None, None, 1, ["z", "a", "1"]]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("BZPOPMIN z x", "ERR timeout is not a float or out of range"),
        ("BZPOPMIN z -1", "ERR timeout is negative"),
        ("BZPOPMIN text x", "ERR timeout is not a float or out of range"),
        ("BZPOPMIN none text 0", WRONG_TYPE),
        ("BZMPOP x 1 z MAX", "ERR timeout is not a float or out of range"),
        ("BZMPOP x 0 z MAX", "ERR numkeys should be greater than 0"),
        ("BZMPOP 0 1 z MAX COUNT 0", "ERR count should be greater than 0"),
        ("BZMPOP 0 2 z MAX", SYNTAX),
        ("BZMPOP 0 1 text MAX", WRONG_TYPE),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert outcome(client.call(*words.split())) == error
