"""Sorted sets, in process: members, scores, ranks, walks and samples."""

from __future__ import annotations

from collections import Counter

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"


def test_zadd_counts_new_members_and_moves_old_ones(client: Client) -> None:
    assert client.call("ZADD", "z", 1, "a") == 1
    assert client.call("ZADD", "z", 2, "a") == 0
    assert client.call("ZADD", "z", 2, "a", 1, "b", 3, "c", 4, "c") == 2
    assert client.call("ZRANGE", "z", 0, -1, "WITHSCORES") == ["b", "1", "a", "2", "c", "4"]
    assert client.call("ZADD", "z", "CH", 2, "a", 9, "b", 4, "d") == 2
    assert client.call("ZCARD", "z") == 4


def test_members_of_one_score_are_ordered_by_their_bytes(client: Client) -> None:
    client.call("ZADD", "z", 0, "b", 0, b"\xff", 0, "", 0, "aa", 0, "a", 0, b"a\x00", -0.0, "B")
    assert client.call("ZRANGE", "z", 0, -1) == ["", "B", "a", "a\x00", "aa", "b", "\udcff"]


@pytest.mark.parametrize(
    ("options", "new", "lower", "higher"),
    [
        (["NX"], "3", "5", "5"),
        (["XX"], None, "4", "6"),
        (["GT"], "3", "5", "6"),
        (["LT"], "3", "4", "5"),
        (["XX", "GT"], None, "5", "6"),
        (["xx", "lt"], None, "4", "5"),
    ],
)
def test_conditions(client: Client, options: list[str], new: str | None, lower: str, higher: str) -> None:
    client.call("ZADD", "z", 5, "lower", 5, "higher", 5, "same")
    client.call("ZADD", "z", *options, 3, "new", 4, "lower", 6, "higher", 5, "same")
    assert client.call("ZMSCORE", "z", "new", "lower", "higher", "same") == [new, lower, higher, "5"]
    assert client.call("ZADD", "none", "XX", 1, "a") == 0
    assert client.call("EXISTS", "none") == 0


def test_incr_answers_the_score_or_null_where_it_may_not(client: Client) -> None:
    assert client.call("ZADD", "z", "INCR", 2, "a") == "2"
    assert client.call("ZADD", "z", "INCR", "0.5", "a") == "2.5"
    assert client.call("ZADD", "z", "NX", "INCR", 1, "a") is None
    assert client.call("ZADD", "z", "XX", "INCR", 1, "b") is None
    assert client.call("ZADD", "z", "GT", "INCR", -1, "a") is None
    assert client.call("ZADD", "z", "LT", "CH", "INCR", -1, "a") == "1.5"
    assert client.call("ZADD", "z", "GT", "INCR", 0, "a") is None
    assert client.call("ZADD", "none", "XX", "INCR", 1, "a") is None
    assert client.call("ZINCRBY", "z", "1e1", "a") == "11.5"
    assert client.call("ZINCRBY", "y", "-2", "new") == "-2"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ZADD", "z", "1"], "ERR wrong number of arguments for 'zadd' command"),
        (["ZADD", "z", "1", "a", "2"], SYNTAX),
        (["ZADD", "z", "NX", "CH"], SYNTAX),
        (["ZADD", "z", "NX", "1"], SYNTAX),
        (["ZADD", "z", "x", "a"], NOT_A_FLOAT),
        (["ZADD", "z", "nan", "a"], NOT_A_FLOAT),
        (["ZADD", "z", "1", "a", "1e400", "b"], NOT_A_FLOAT),
        (["ZADD", "z", "NX", "XX", "x", "a"], "ERR XX and NX options at the same time are not compatible"),
        (["ZADD", "z", "NX", "GT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"),
        (["ZADD", "z", "LT", "GT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"),
        (["ZADD", "z", "INCR", "1", "a", "2", "b"], "ERR INCR option supports a single increment-element pair"),
        (["ZADD", "text", "1", "a"], WRONG_TYPE),
        (["ZADD", "text", "x", "a"], NOT_A_FLOAT),
        (["ZINCRBY", "z", "x", "a"], NOT_A_FLOAT),
        (["ZINCRBY", "z", "nx", "a"], SYNTAX),
        (["ZINCRBY", "z", "-inf", "a"], "ERR resulting score is not a number (NaN)"),
        (["ZADD", "z", "GT", "INCR", "-inf", "a"], "ERR resulting score is not a number (NaN)"),
        (["ZINCRBY", "text", "1", "a"], WRONG_TYPE),
        (["ZREM", "text", "a"], WRONG_TYPE),
        (["ZCARD", "text"], WRONG_TYPE),
        (["ZSCORE", "text", "a"], WRONG_TYPE),
        (["ZMSCORE", "text", "a"], WRONG_TYPE),
        (["ZRANK", "text", "a"], WRONG_TYPE),
        (["ZRANK", "z", "a", "WITHSCORES"], SYNTAX),
        (["ZRANK", "z", "a", "WITHSCORE", "x"], "ERR wrong number of arguments for 'zrank' command"),
        (["ZREVRANK", "z", "a", "WITHSCORE", "x"], "ERR wrong number of arguments for 'zrevrank' command"),
        (["ZSCAN", "z", "x"], "ERR invalid cursor"),
        (["ZSCAN", "text", "0"], WRONG_TYPE),
        (["ZSCAN", "z", "0", "COUNT", "0"], SYNTAX),
        (["ZSCAN", "z", "0", "COUNT", "x"], "ERR value is not an integer or out of range"),
        (["ZSCAN", "z", "0", "MATCH"], SYNTAX),
        (["ZSCAN", "text", "0", "COUNT", "x"], WRONG_TYPE),
        (["ZRANDMEMBER", "text"], WRONG_TYPE),
        (["ZRANDMEMBER", "z", "x"], "ERR value is not an integer or out of range"),
        (["ZRANDMEMBER", "z", "1", "x"], SYNTAX),
        (["ZRANDMEMBER", "z", "1", "WITHSCORES", "x"], SYNTAX),
        (["ZRANDMEMBER", "z", str(2**62), "WITHSCORES"], "ERR value is out of range"),
        (
            ["ZRANDMEMBER", "z", str(-(2**63))],
            f"ERR value is out of range, value must between {-(2**63) + 1} and {2**63 - 1}",
        ),
    ],
)
def test_errors(client: Client, words: list[str], error: str) -> None:
    client.call("SET", "text", "x")
    client.call("ZADD", "z", "inf", "a")
    assert outcome(client.call(*words)) == error
    assert client.call("ZRANGE", "z", 0, -1, "WITHSCORES") == ["a", "inf"]


def test_a_failing_zadd_changes_nothing(client: Client) -> None:
    assert outcome(client.call("ZADD", "z", 1, "a", "x", "b")) == NOT_A_FLOAT
    assert client.call("EXISTS", "z") == 0


def test_zrem_removes_members_and_at_last_the_key(client: Client) -> None:
    client.call("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert client.call("ZREM", "z", "a", "x", "a") == 1
    assert client.call("ZREM", "z", "b", "c", "d") == 2
    assert client.call("EXISTS", "z") == 0
    assert client.call("ZREM", "z", "b") == 0


def test_scores_and_ranks(client: Client) -> None:
    client.call("ZADD", "z", 1, "a", 2.5, "b", 3, "c")
    assert client.call("ZSCORE", "z", "b") == "2.5"
    assert client.call("ZSCORE", "z", "x") is None
    assert client.call("ZMSCORE", "z", "c", "x", "c") == ["3", None, "3"]
    assert client.call("ZRANK", "z", "c") == 2
    assert client.call("ZREVRANK", "z", "c") == 0
    assert client.call("ZRANK", "z", "c", "WITHSCORE") == [2, "3"]
    assert client.call("ZREVRANK", "z", "a", "withscore") == [2, "1"]
    assert client.call("ZRANK", "z", "x") is None
    assert client.call("ZRANK", "none", "x", "WITHSCORE") is None
    assert client.raw.endswith(b"*-1\r\n")
    assert [client.call(name, "none", "x") for name in ("ZSCORE", "ZRANK", "ZREVRANK")] == [None] * 3
    assert client.call("ZMSCORE", "none", "x", "y") == [None, None]
    assert client.call("ZCARD", "none") == 0


def test_resp3_has_doubles(client: Client) -> None:
    client.call("HELLO", 3)
    client.call("ZADD", "z", 1, "a", "inf", "b")
    assert client.call("ZSCORE", "z", "a") == 1.0
    assert client.call("ZMSCORE", "z", "b", "x") == [float("inf"), None]
    assert client.call("ZINCRBY", "z", "0.5", "a") == 1.5
    assert client.call("ZRANK", "z", "a", "WITHSCORE") == [0, 1.5]
    assert client.call("ZSCAN", "z", 0) == ["0", ["a", "1.5", "b", "inf"]]


@pytest.mark.parametrize(
    ("score", "text"),
    [("0x10", "16"), ("-0", "0"), ("1e17", "100000000000000000"), ("+1.50", "1.5"), (".5", "0.5"), ("-INF", "-inf")],
)
def test_scores_are_read_as_strtod_does_and_printed_shortly(client: Client, score: str, text: str) -> None:
    assert client.call("ZADD", "z", score, "a") == 1
    assert client.call("ZSCORE", "z", "a") == text


def test_the_encoding_follows_the_limits_of_the_moment(world: World, client: Client) -> None:
    limits = world.core.keyspace.encodings
    for number in range(128):
        client.call("ZADD", "z", number, f"m{number}")
    assert client.call("OBJECT", "ENCODING", "z") == "listpack"
    client.call("ZADD", "z", 5, "one more")
    assert client.call("OBJECT", "ENCODING", "z") == "skiplist"
    client.call("ZREM", "z", "one more")
    assert client.call("OBJECT", "ENCODING", "z") == "skiplist"
    client.call("ZADD", "long", 1, "x" * 65)
    assert client.call("OBJECT", "ENCODING", "long") == "skiplist"
    client.call("ZADD", "few", 1, "a", 2, "b")
    limits.zset_max_listpack_entries = 1
    assert client.call("OBJECT", "ENCODING", "few") == "listpack"
    client.call("ZADD", "few", 3, "a")
    assert client.call("OBJECT", "ENCODING", "few") == "listpack"
    client.call("ZADD", "few", 3, "a", 4, "a")  # more pairs than a listpack may have
    assert client.call("OBJECT", "ENCODING", "few") == "skiplist"


def test_zscan_of_a_listpack_gives_everything_in_order(client: Client) -> None:
    client.call("ZADD", "z", 2, "b", 1.5, "a", "1e17", "c")
    assert client.call("ZSCAN", "z", 0, "COUNT", 1) == ["0", ["a", "1.5", "b", "2", "c", "100000000000000000"]]
    assert client.call("ZSCAN", "z", 0, "MATCH", "[ab]", "COUNT", 1) == ["0", ["a", "1.5", "b", "2"]]
    assert client.call("ZSCAN", "none", 0) == ["0", []]
    assert client.call("ZSCAN", "none", 0, "bad", "option") == ["0", []]


def test_zscan_of_a_skiplist_goes_in_steps_and_has_seventeen_digits(client: Client) -> None:
    for number in range(300):
        client.call("ZADD", "z", number + 0.1, f"m{number}")
    seen: list[str] = []
    cursor, calls = "0", 0
    while calls == 0 or cursor != "0":
        cursor, found = client.call("ZSCAN", "z", cursor, "MATCH", "m1*")
        seen += found
        calls += 1
    assert calls > 10
    assert dict(zip(seen[::2], seen[1::2], strict=True)) == {
        f"m{number}": "%.17g" % (number + 0.1) for number in range(300) if str(number).startswith("1")
    }


def test_zrandmember_gives_different_members_or_any(client: Client) -> None:
    for number in range(40):
        client.call("ZADD", "z", number, f"m{number}")
    assert client.call("ZRANDMEMBER", "z").startswith("m")
    assert len(set(client.call("ZRANDMEMBER", "z", 10))) == 10
    assert len(set(client.call("ZRANDMEMBER", "z", 39))) == 39
    assert client.call("ZRANDMEMBER", "z", 50) == [f"m{number}" for number in range(40)]
    assert len(client.call("ZRANDMEMBER", "z", -100)) == 100
    assert client.call("ZRANDMEMBER", "z", 0) == []
    assert client.call("ZRANDMEMBER", "none") is None
    assert client.call("ZRANDMEMBER", "none", 5) == []
    flat = client.call("ZRANDMEMBER", "z", 3, "WITHSCORES")
    assert [f"m{score}" for score in flat[1::2]] == flat[::2]
    client.call("HELLO", 3)
    pairs = client.call("ZRANDMEMBER", "z", -3, "WITHSCORES")
    assert len(pairs) == 3
    assert all(member == f"m{score:.0f}" for member, score in pairs)


@pytest.mark.parametrize("count", [30, 2000])
def test_random_members_are_equally_likely(client: Client, count: int) -> None:
    client.call("ZADD", "z", *(word for number in range(count) for word in (number, f"m{number}")))
    drawn = Counter(client.call("ZRANDMEMBER", "z", -40 * count))
    assert len(drawn) == count
    assert max(drawn.values()) < 100
    samples: Counter[str] = Counter()
    for _ in range(40):
        samples.update(client.call("ZRANDMEMBER", "z", count // 2))
    assert len(samples) == count
    assert max(samples.values()) <= 40
