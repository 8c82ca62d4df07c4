"""Unions, intersections and differences of sorted sets, in process."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome
from tests.commands.test_zsets import SYNTAX, WRONG_TYPE


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("ZADD", "x", 1, "a", 2, "b", 3, "c")
    client.call("ZADD", "y", 10, "b", 20, "c", 30, "d", 40, "e")
    client.call("ZADD", "inf", "inf", "a", "-inf", "b")
    client.call("SET", "text", "x")
    client.call("SADD", "set", "b", "z", "y", "x", "w")
    return client


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ZUNION 2 x y WITHSCORES", "a 1 b 12 c 23 d 30 e 40"),
        ("ZUNION 2 y x", "a b c d e"),
        ("ZUNION 1 none", ""),
        ("ZUNION 2 x none WITHSCORES", "a 1 b 2 c 3"),
        ("ZUNION 2 x y WEIGHTS 2 1 WITHSCORES", "a 2 b 14 c 26 d 30 e 40"),
        ("ZUNION 2 x y AGGREGATE MIN WITHSCORES", "a 1 b 2 c 3 d 30 e 40"),
        ("ZUNION 2 x y AGGREGATE max WEIGHTS 100 1 WITHSCORES", "d 30 e 40 a 100 b 200 c 300"),
        ("ZUNION 2 x x WITHSCORES", "a 2 b 4 c 6"),
        ("ZUNION 2 x inf WITHSCORES", "b -inf c 3 a inf"),
        ("ZUNION 2 inf inf WEIGHTS 1 -1 WITHSCORES", "a 0 b 0"),
        ("ZUNION 1 inf WEIGHTS 0 WITHSCORES", "a 0 b 0"),
        ("ZUNION 2 x set WITHSCORES", "a 1 w 1 x 1 y 1 z 1 b 3 c 3"),
        ("ZUNION 1 set WEIGHTS 2.5 WITHSCORES", "b 2.5 w 2.5 x 2.5 y 2.5 z 2.5"),
        ("ZINTER 2 x y WITHSCORES", "b 12 c 23"),
        ("ZINTER 2 x none", ""),
        ("ZINTER 1 x", "a b c"),
        ("ZINTER 3 x y x WEIGHTS 1 2 3 WITHSCORES", "b 28 c 52"),
        ("ZINTER 2 x y AGGREGATE MAX WITHSCORES", "b 10 c 20"),
        ("ZINTER 2 x set WITHSCORES", "b 3"),
        ("ZINTER 2 set y WEIGHTS 5 1 WITHSCORES", "b 15"),
        ("ZINTER 2 x inf WEIGHTS 1 0 WITHSCORES", "a 1 b 2"),
        ("ZINTER 2 inf x WEIGHTS 0 1 AGGREGATE MIN WITHSCORES", "a 0 b 0"),
        ("ZDIFF 2 x y WITHSCORES", "a 1"),
        ("ZDIFF 2 y x", "d e"),
        ("ZDIFF 2 x x", ""),
        ("ZDIFF 1 x", "a b c"),
        ("ZDIFF 2 none x", ""),
        ("ZDIFF 3 x none set withscores", "a 1 c 3"),
        ("ZDIFF 2 set x", "w x y z"),
    ],
)
def test_algebra(client: Client, words: str, reply: str) -> None:
    assert client.call(*words.split()) == reply.split()


def test_big_sets_and_big_sorted_sets_go_together(client: Client) -> None:
    client.call("SADD", "many", *(f"m{number}" for number in range(3000)))
    client.call("ZADD", "big", *(word for number in range(1000, 4000) for word in (number, f"m{number}")))
    assert client.call("ZUNIONSTORE", "d", 2, "many", "big") == 4000
    assert client.call("ZMSCORE", "d", "m5", "m1500", "m3500") == ["1", "1501", "3500"]
    assert client.call("ZINTERCARD", 2, "many", "big") == 2000
    assert client.call("ZINTERSTORE", "d", 2, "big", "many", "WEIGHTS", 1, 0) == 2000
    assert client.call("ZRANGE", "d", 0, 0, "WITHSCORES") == ["m1000", "1000"]
    assert client.call("ZDIFFSTORE", "d", 2, "big", "many") == 1000
    assert client.call("ZDIFFSTORE", "d", 2, "many", "big") == 1000


def test_scores_are_nested_in_resp3(client: Client) -> None:
    client.call("HELLO", 3)
    assert client.call("ZINTER", 2, "x", "y", "WITHSCORES") == [["b", 12.0], ["c", 23.0]]
    assert client.call("ZDIFF", 2, "x", "y", "WITHSCORES") == [["a", 1.0]]
    assert client.call("ZUNION", 1, "x") == ["a", "b", "c"]


def test_intersections_are_counted_up_to_a_limit(client: Client) -> None:
    assert client.call("ZINTERCARD", 2, "x", "y") == 2
    assert client.call("ZINTERCARD", 2, "x", "y", "LIMIT", 1) == 1
    assert client.call("ZINTERCARD", 2, "x", "y", "limit", 0) == 2
    assert client.call("ZINTERCARD", 2, "x", "none") == 0


def test_results_are_stored(client: Client) -> None:
    client.call("SET", "d", "old", "EX", 100)
    assert client.call("ZUNIONSTORE", "d", 2, "x", "y") == 5
    assert client.call("ZRANGE", "d", 0, 1, "WITHSCORES") == ["a", "1", "b", "12"]
    assert client.call("TTL", "d") == -1
    assert client.call("ZINTERSTORE", "x", 2, "x", "y", "WEIGHTS", 1, 0) == 2
    assert client.call("ZRANGE", "x", 0, -1, "WITHSCORES") == ["b", "2", "c", "3"]
    assert client.call("ZDIFFSTORE", "d", 2, "y", "x") == 2
    assert client.call("ZDIFFSTORE", "d", 2, "y", "y") == 0
    assert client.call("EXISTS", "d") == 0
    assert client.call("ZINTERSTORE", "none", 1, "none") == 0


def test_a_stored_result_is_a_listpack_again_where_it_is_short(client: Client) -> None:
    client.call("ZADD", "x", 1, "x" * 65)
    assert client.call("ZUNIONSTORE", "d", 2, "x", "y") == 6
    assert client.call("OBJECT", "ENCODING", "d") == "skiplist"
    assert client.call("ZINTERSTORE", "x", 2, "x", "y") == 2
    assert client.call("OBJECT", "ENCODING", "x") == "listpack"


def test_sums_are_made_from_the_smallest_set_to_the_largest(client: Client) -> None:
    client.call("ZADD", "one", 0.1, "m")
    client.call("ZADD", "two", 0.2, "m", 0, "n")
    client.call("ZADD", "three", 0.3, "m", 0, "n", 0, "o")
    expected = repr(0.1 + 0.2 + 0.3)
    assert client.call("ZUNION", 3, "three", "two", "one", "WITHSCORES")[-1] == expected
    assert client.call("ZINTER", 3, "two", "three", "one", "WITHSCORES")[-1] == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ZUNION x y", "ERR value is not an integer or out of range"),
        ("ZUNION 0 x", "ERR at least 1 input key is needed for 'zunion' command"),
        ("zInter -1 x", "ERR at least 1 input key is needed for 'zinter' command"),
        ("ZUNIONSTORE d 0 x", "ERR at least 1 input key is needed for 'zunionstore' command"),
        ("ZDIFF 2 x", SYNTAX),
        ("ZUNION 2 x text", WRONG_TYPE),
        ("ZUNION 1 text bad", WRONG_TYPE),
        ("ZUNION 1 x bad", SYNTAX),
        ("ZUNION 2 x y WEIGHTS 1", SYNTAX),
        ("ZUNION 2 x y WEIGHTS 1 x", "ERR weight value is not a float"),
        ("ZUNION 2 x y WEIGHTS 1 nan", "ERR weight value is not a float"),
        ("ZUNION 1 x AGGREGATE", SYNTAX),
        ("ZUNION 1 x AGGREGATE AVG", SYNTAX),
        ("ZUNIONSTORE d 1 x WITHSCORES", SYNTAX),
        ("ZDIFF 1 x WEIGHTS 1", SYNTAX),
        ("ZDIFFSTORE d 1 x WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 x WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 x LIMIT", SYNTAX),
        ("ZINTERCARD 1 x LIMIT -1", "ERR LIMIT can't be negative"),
        ("ZINTERCARD 1 x LIMIT x", "ERR LIMIT can't be negative"),
    ],
)
def test_errors(client: Client, words: str, error: Any) -> None:
    assert outcome(client.call(*words.split())) == error
