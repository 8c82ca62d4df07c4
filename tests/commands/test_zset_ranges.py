"""Ranges of sorted sets, in process: by rank, by score, by member."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome
from tests.commands.test_zsets import SYNTAX, WRONG_TYPE

NOT_AN_INTEGER = "ERR value is not an integer or out of range"
BAD_SCORE = "ERR min or max is not a float"
BAD_LEX = "ERR min or max not valid string range item"


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d")
    client.call("ZADD", "lex", 0, "a", 0, "b", 0, "c", 0, "d")
    client.call("SET", "text", "x")
    return client


@pytest.mark.parametrize(
    ("words", "members"),
    [
        ("ZRANGE z 0 -1", "abcd"),
        ("ZRANGE z 1 2", "bc"),
        ("ZRANGE z -2 -1", "cd"),
        ("ZRANGE z 3 1", ""),
        ("ZRANGE z 4 9", ""),
        ("ZRANGE z -9 0", "a"),
        ("ZRANGE z 0 1 REV", "dc"),
        ("ZRANGE z -9 9 REV", "dcba"),
        ("ZRANGE z -2 -1 rev", "ba"),
        ("ZREVRANGE z 0 0", "d"),
        ("ZREVRANGE z 3 9", "a"),
        ("ZREVRANGE z 4 9", ""),
        ("ZRANGE z 0 -1 LIMIT 2 -1", "abcd"),
        ("ZRANGE z 2 3 BYSCORE", "bc"),
        ("ZRANGE z (2 3 BYSCORE", "c"),
        ("ZRANGE z (2 (3 BYSCORE", ""),
        ("ZRANGE z 3 2 BYSCORE REV", "cb"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 2", "bc"),
        ("ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2", "cb"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 -5", "bcd"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 0 0", ""),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 4 1", ""),
        ("ZRANGE z -inf +inf BYSCORE LIMIT -1 1", ""),
        ("ZRANGEBYSCORE z 2 +inf", "bcd"),
        ("ZRANGEBYSCORE z 3 1", ""),
        ("ZRANGEBYSCORE z 1.5 2.5 LIMIT 0 5", "b"),
        ("ZREVRANGEBYSCORE z (4 -inf LIMIT 0 2", "cb"),
        ("ZREVRANGEBYSCORE z 1 4", ""),
        ("ZRANGE lex [b (d BYLEX", "bc"),
        ("ZRANGE lex (d [b BYLEX REV", "cb"),
        ("ZRANGE lex - + BYLEX LIMIT 1 2", "bc"),
        ("ZRANGE lex + - BYLEX REV LIMIT 3 2", "a"),
        ("ZRANGEBYLEX lex - (c", "ab"),
        ("ZRANGEBYLEX lex [aa [c", "bc"),
        ("ZRANGEBYLEX lex + -", ""),
        ("ZRANGEBYLEX lex - -", ""),
        ("ZRANGEBYLEX lex (b (b", ""),
        ("ZREVRANGEBYLEX lex + [c", "dc"),
        ("ZREVRANGEBYLEX lex [c - LIMIT 1 1", "b"),
        ("ZRANGE none 0 -1", ""),
        ("ZRANGE none 0 1 BYSCORE", ""),
    ],
)
def test_ranges(client: Client, words: str, members: str) -> None:
    assert client.call(*words.split()) == list(members)


@pytest.mark.parametrize(
    "words", ["ZRANGE z 1 2 WITHSCORES", "ZRANGEBYSCORE z (1 3 withscores", "ZRANGE z 2 3 BYSCORE WITHSCORES"]
)
def test_scores_are_flat_in_resp2_and_nested_in_resp3(client: Client, words: str) -> None:
    assert client.call(*words.split()) == ["b", "2", "c", "3"]
    client.call("HELLO", 3)
    assert client.call(*words.split()) == [["b", 2.0], ["c", 3.0]]


def test_empty_bounds_are_zero_as_for_strtod(client: Client) -> None:
    assert client.call("ZADD", "zero", 0, "m", -1, "n")
    assert client.call("ZRANGEBYSCORE", "zero", "", "") == ["m"]
    assert client.call("ZRANGEBYSCORE", "zero", "(", "+inf") == []
    assert client.call("ZRANGEBYSCORE", "zero", " -1", b"0\x00 junk") == ["n", "m"]
    assert client.call("ZRANGEBYSCORE", "zero", "-1e999", "1e999") == ["n", "m"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ZRANGE z x 1", NOT_AN_INTEGER),
        ("ZRANGE z 0 1 WITHSCORE", SYNTAX),
        ("ZRANGE z 0 1 LIMIT 1", SYNTAX),
        ("ZRANGE z 0 1 LIMIT x 1", NOT_AN_INTEGER),
        ("ZRANGE z 0 1 REV REV", SYNTAX),
        ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX),
        (
            "ZRANGE z x 1 LIMIT 0 1",
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ),
        (
            "ZRANGE z x 1 BYLEX WITHSCORES",
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ),
        ("ZRANGE z x 1 BYSCORE", BAD_SCORE),
        ("ZRANGE z nan 1 BYSCORE", BAD_SCORE),
        ("ZRANGE z 1 ((2 BYSCORE", BAD_SCORE),
        ("ZRANGE z a [b BYLEX", BAD_LEX),
        ("ZRANGE z -a [b BYLEX", BAD_LEX),
        ("ZRANGE text 0 1", WRONG_TYPE),
        ("ZRANGE text x 1", NOT_AN_INTEGER),
        ("ZREVRANGE z 0 1 REV", SYNTAX),
        ("ZREVRANGE z 0 1 BYSCORE", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 REV", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 BYLEX", SYNTAX),
        ("ZRANGEBYLEX z - + WITHSCORES", "ERR syntax error, WITHSCORES not supported in combination with BYLEX"),
        ("ZRANGESTORE d z 0 1 WITHSCORES", SYNTAX),
        ("ZRANGESTORE d text 0 1", WRONG_TYPE),
        ("ZRANGESTORE d z x 1", NOT_AN_INTEGER),
        ("ZCOUNT z x 1", BAD_SCORE),
        ("ZCOUNT text 0 1", WRONG_TYPE),
        ("ZLEXCOUNT z a +", BAD_LEX),
        ("ZLEXCOUNT text - +", WRONG_TYPE),
        ("ZREMRANGEBYRANK z x 1", NOT_AN_INTEGER),
        ("ZREMRANGEBYSCORE z 1 x", BAD_SCORE),
        ("ZREMRANGEBYLEX z - x", BAD_LEX),
        ("ZREMRANGEBYRANK text 0 1", WRONG_TYPE),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    assert outcome(client.call(*words.split())) == error


def test_counts(client: Client) -> None:
    assert client.call("ZCOUNT", "z", "(1", 3) == 2
    assert client.call("ZCOUNT", "z", 3, 1) == 0
    assert client.call("ZCOUNT", "none", 0, 1) == 0
    assert client.call("ZLEXCOUNT", "lex", "-", "[b") == 2
    assert client.call("ZLEXCOUNT", "lex", "+", "-") == 0


def test_removing_ranges(client: Client) -> None:
    assert client.call("ZREMRANGEBYRANK", "z", 0, 0) == 1
    assert client.call("ZREMRANGEBYSCORE", "z", "(3", "inf") == 1
    assert client.call("ZREMRANGEBYSCORE", "z", 5, 1) == 0
    assert client.call("ZRANGE", "z", 0, -1) == ["b", "c"]
    assert client.call("ZREMRANGEBYRANK", "z", -5, 5) == 2
    assert client.call("EXISTS", "z") == 0
    assert client.call("ZREMRANGEBYRANK", "z", 0, -1) == 0
    assert client.call("ZREMRANGEBYLEX", "lex", "(a", "[c") == 2
    assert client.call("ZRANGE", "lex", 0, -1) == ["a", "d"]


def test_storing_ranges(client: Client) -> None:
    client.call("SET", "d", "old", "EX", 100)
    assert client.call("ZRANGESTORE", "d", "z", 3, 1, "BYSCORE", "REV", "LIMIT", 0, 2) == 2
    assert client.call("ZRANGE", "d", 0, -1, "WITHSCORES") == ["b", "2", "c", "3"]
    assert client.call("TTL", "d") == -1
    assert client.call("OBJECT", "ENCODING", "d") == "listpack"
    assert client.call("ZRANGESTORE", "z", "z", 1, -1) == 3
    assert client.call("ZRANGE", "z", 0, -1) == ["b", "c", "d"]
    assert client.call("ZRANGESTORE", "d", "none", 0, -1) == 0
    assert client.call("EXISTS", "d") == 0


def test_a_stored_range_of_a_skiplist_may_be_a_listpack_again(client: Client) -> None:
    client.call("ZADD", "z", *(word for number in range(200) for word in (number, f"m{number}")))
    assert client.call("ZRANGESTORE", "d", "z", 0, 127) == 128
    assert client.call("OBJECT", "ENCODING", "d") == "listpack"
    assert client.call("ZRANGESTORE", "d", "z", 0, 128) == 129
    assert client.call("OBJECT", "ENCODING", "d") == "skiplist"


def test_a_negative_offset_gives_nothing_from_a_listpack_and_the_last_ones_from_a_skiplist(client: Client) -> None:
    assert client.call("ZRANGEBYSCORE", "z", "-inf", "inf", "LIMIT", -2, 5) == []
    client.call("ZADD", "z", 9, "x" * 65)
    assert client.call("ZRANGEBYSCORE", "z", 2, 4, "LIMIT", -2, 5) == ["c", "d"]
    assert client.call("ZREVRANGEBYSCORE", "z", 4, 2, "LIMIT", -2, 1) == ["c"]
    assert client.call("ZRANGEBYSCORE", "z", 2, 4, "LIMIT", -4, 5) == []


def test_ranges_by_member_over_different_scores_go_through_a_listpack_as_redis_does(client: Client) -> None:
    client.call("ZADD", "mixed", 1, "b", 2, "a", 3, "c", 4, "a2")
    assert client.call("ZRANGEBYLEX", "mixed", "[a", "[b") == ["b", "a"]
    assert client.call("ZRANGEBYLEX", "mixed", "[a", "[b", "LIMIT", 3, 1) == ["a2"]
    assert client.call("ZREVRANGEBYLEX", "mixed", "[b", "[a") == ["a2", "c", "a", "b"]
    assert client.call("ZLEXCOUNT", "mixed", "(b", "+") == 0
    assert client.call("ZLEXCOUNT", "mixed", "(a", "+") == 4
    assert client.call("ZREMRANGEBYLEX", "mixed", "[a", "[b") == 2


def range_of(client: Client, *words: Any) -> list[Any]:
    reply = client.call(*words)
    assert isinstance(reply, list)
    return reply


def test_big_sets_answer_as_sorted_lists(client: Client) -> None:
    pairs = sorted((number * 7919 % 5000 / 10, f"m{number:05d}") for number in range(5000))
    client.call("ZADD", "big", *(word for score, member in pairs for word in (score, member)))
    members = [member for _, member in pairs]
    assert range_of(client, "ZRANGE", "big", 0, -1) == members
    assert range_of(client, "ZRANGE", "big", 1234, 2345) == members[1234:2346]
    assert range_of(client, "ZREVRANGE", "big", 10, 20) == members[::-1][10:21]
    assert range_of(client, "ZRANGEBYSCORE", "big", 100, "(250.1", "LIMIT", 100, 700) == members[1100:1800]
    assert client.call("ZREMRANGEBYRANK", "big", 100, 4899) == 4800
    assert range_of(client, "ZRANGE", "big", 0, -1) == members[:100] + members[4900:]
