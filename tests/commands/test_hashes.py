"""Hashes, in process: what each command answers, announces and counts."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def error_of(reply: Any) -> str:
    assert isinstance(reply, Exception), reply
    return str(reply)


def listen(world: World) -> Client:
    """A client that is told of every keyspace event."""
    world.core.observers.notify(-1)
    listener = world.connect()
    listener.call("PSUBSCRIBE", "__keyspace@0__:*")
    listener.read_all()
    return listener


def events(listener: Client) -> list[tuple[str, str]]:
    """Keys and events that a listener has heard of, but for new keys and misses."""
    heard = [(channel.split(":", 1)[1], event) for _, _, channel, event in listener.read_all()]
    return [each for each in heard if each[1] not in ("new", "keymiss")]


def test_hset_counts_new_fields(client: Client) -> None:
    assert client.call("HSET", "h", "a", "1") == 1
    assert client.call("HSET", "h", "a", "2") == 0
    assert client.call("HSET", "h", "a", "3", "b", "4", "b", "5", "c", "6") == 2
    assert client.call("HGETALL", "h") == ["a", "3", "b", "5", "c", "6"]
    assert client.call("HMSET", "h", "d", "7") == "OK"
    assert client.call("HLEN", "h") == 4


def test_replies_are_maps_and_pairs_in_resp3(client: Client) -> None:
    client.call("HELLO", 3)
    client.call("HSET", "h", "a", "1", "b", "2")
    assert client.call("HGETALL", "h") == {"a": "1", "b": "2"}
    assert client.call("HGETALL", "none") == {}
    assert sorted(client.call("HRANDFIELD", "h", 5, "WITHVALUES")) == [["a", "1"], ["b", "2"]]


def test_hsetnx_sets_once(client: Client) -> None:
    assert client.call("HSETNX", "h", "a", "1") == 1
    assert client.call("HSETNX", "h", "a", "2") == 0
    assert client.call("HGET", "h", "a") == "1"


def test_fields_are_read(client: Client) -> None:
    client.call("HSET", "h", "a", "1", "b", "")
    assert client.call("HGET", "h", "x") is None
    assert client.call("HMGET", "h", "a", "x", "b", "a") == ["1", None, "", "1"]
    assert client.call("HMGET", "none", "a", "b") == [None, None]
    assert [client.call("HEXISTS", "h", field) for field in "abx"] == [1, 1, 0]
    assert [client.call("HSTRLEN", "h", field) for field in "abx"] == [1, 0, 0]
    assert client.call("HKEYS", "h") == ["a", "b"]
    assert client.call("HVALS", "h") == ["1", ""]
    assert client.call("HKEYS", "none") == client.call("HVALS", "none") == client.call("HGETALL", "none") == []
    assert (
        client.call("HLEN", "none") == client.call("HEXISTS", "none", "a") == client.call("HSTRLEN", "none", "a") == 0
    )


def test_the_key_goes_with_its_last_field(client: Client) -> None:
    client.call("HSET", "h", "a", "1", "b", "2")
    assert client.call("HDEL", "h", "x", "a", "a") == 1
    assert client.call("HDEL", "h", "a", "b", "c") == 1
    assert client.call("EXISTS", "h") == 0
    assert client.call("HDEL", "h", "a") == 0


def test_sums_are_those_of_integers_and_of_long_doubles(client: Client) -> None:
    assert client.call("HINCRBY", "h", "n", "5") == 5
    assert client.call("HINCRBY", "h", "n", "-7") == -2
    assert client.call("HINCRBYFLOAT", "h", "n", "0.1") == "-1.9"
    assert client.call("HINCRBYFLOAT", "h", "x", "1e3") == "1000"
    assert client.call("HGET", "h", "n") == "-1.9"
    client.call("HSET", "h", "big", str(2**63 - 1), "text", "a", "inf", "inf")
    for words, error in (
        (("HINCRBY", "h", "big", "1"), "ERR increment or decrement would overflow"),
        (("HINCRBY", "h", "text", "1"), "ERR hash value is not an integer"),
        (("HINCRBY", "h", "n", "1.5"), "ERR value is not an integer or out of range"),
        (("HINCRBYFLOAT", "h", "n", "x"), "ERR value is not a valid float"),
        (("HINCRBYFLOAT", "h", "n", "inf"), "ERR value is NaN or Infinity"),
        (("HINCRBYFLOAT", "h", "text", "1"), "ERR hash value is not a float"),
        (("HINCRBYFLOAT", "h", "inf", "1"), "ERR increment would produce NaN or Infinity"),
    ):
        assert error_of(client.call(*words)) == error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["HSET", "h", "a"], "ERR wrong number of arguments for 'hset' command"),
        (["HSET", "h", "a", "1", "b"], "ERR wrong number of arguments for 'hset' command"),
        (["HMSET", "h", "a", "1", "b"], "ERR wrong number of arguments for 'hmset' command"),
        (["HSCAN", "h", "x"], "ERR invalid cursor"),
        (["HSCAN", "h", "0", "COUNT", "0"], "ERR syntax error"),
        (["HSCAN", "h", "0", "COUNT", "x"], "ERR value is not an integer or out of range"),
        (["HSCAN", "h", "0", "TYPE", "hash"], "ERR syntax error"),
        (["SCAN", "0", "NOVALUES"], "ERR NOVALUES option can only be used in HSCAN"),
        (["HRANDFIELD", "h", "x"], "ERR value is not an integer or out of range"),
        (["HRANDFIELD", "h", "1", "VALUES"], "ERR syntax error"),
        (["HRANDFIELD", "h", "1", "WITHVALUES", "x"], "ERR syntax error"),
        (["HRANDFIELD", "h", str(2**62), "WITHVALUES"], "ERR value is out of range"),
        (
            ["HRANDFIELD", "h", str(-(2**63))],
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
    ],
)
def test_arguments_are_checked(client: Client, words: list[str], error: str) -> None:
    client.call("HSET", "h", "a", "1")
    assert error_of(client.call(*words)) == error
    assert client.call("HGETALL", "h") == ["a", "1"]


@pytest.mark.parametrize(
    "words",
    [
        ["HSET", "s", "a", "1"],
        ["HSET", "s", "a", "1", "b", "2"],
        ["HMSET", "s", "a", "1"],
        ["HSETNX", "s", "a", "1"],
        ["HINCRBY", "s", "a", "1"],
        ["HINCRBYFLOAT", "s", "a", "1"],
        ["HDEL", "s", "a"],
        ["HGET", "s", "a"],
        ["HMGET", "s", "a"],
        ["HGETALL", "s"],
        ["HKEYS", "s"],
        ["HVALS", "s"],
        ["HLEN", "s"],
        ["HEXISTS", "s", "a"],
        ["HSTRLEN", "s", "a"],
        ["HSCAN", "s", "0"],
        ["HRANDFIELD", "s"],
        ["HRANDFIELD", "s", "1"],
    ],
)
def test_other_kinds_of_value_are_refused(client: Client, words: list[str]) -> None:
    client.call("SET", "s", "text")
    assert error_of(client.call(*words)) == WRONG_TYPE
    assert client.call("GET", "s") == "text"


def test_a_small_hash_is_scanned_at_once(client: Client) -> None:
    client.call("HSET", "h", *(word for number in range(100) for word in (number, "v")))
    cursor, found = client.call("HSCAN", "h", 0, "COUNT", 1)
    assert cursor == "0"
    assert found[1::2] == ["v"] * 100
    assert client.call("HSCAN", "h", 0, "MATCH", "9?", "NOVALUES")[1] == [str(number) for number in range(90, 100)]
    assert client.call("HSCAN", "h", 0, "MATCH", "7") == ["0", ["7", "v"]]
    assert client.call("HSCAN", "none", 0, "BAD") == ["0", []]


def test_a_big_hash_is_scanned_in_steps(client: Client) -> None:
    client.call("HSET", "h", *(word for number in range(3000) for word in (number, number * 2)))
    found: dict[str, str] = {}
    cursor, steps = "0", 0
    while cursor != "0" or not steps:
        cursor, flat = client.call("HSCAN", "h", cursor, "COUNT", 100)
        assert len(flat) <= 2 * 150
        found |= dict(zip(flat[::2], flat[1::2], strict=True))
        steps += 1
    assert found == {str(number): str(number * 2) for number in range(3000)}
    assert steps > 10


@pytest.mark.parametrize("size", [10, 5000])
def test_random_fields_are_fields(client: Client, size: int) -> None:
    client.call("HSET", "h", *(word for number in range(size) for word in (number, f"v{number}")))
    fields = {str(number) for number in range(size)}
    assert client.call("HRANDFIELD", "h") in fields
    several = client.call("HRANDFIELD", "h", 6)
    assert len(several) == len(set(several)) == 6
    assert set(several) <= fields
    assert set(client.call("HRANDFIELD", "h", size)) == set(client.call("HRANDFIELD", "h", size + 1)) == fields
    assert len(set(client.call("HRANDFIELD", "h", size - 1))) == size - 1
    repeated = client.call("HRANDFIELD", "h", -3 * size)
    assert len(repeated) == 3 * size
    assert set(repeated) <= fields
    flat = client.call("HRANDFIELD", "h", -4, "WITHVALUES")
    assert flat[1::2] == [f"v{field}" for field in flat[::2]]
    assert client.call("HRANDFIELD", "h", 0) == client.call("HRANDFIELD", "none", 3) == []
    assert client.call("HRANDFIELD", "none") is None


def test_events_and_changes_are_told(world: World, client: Client) -> None:
    listener = listen(world)
    db = world.core.keyspace.databases[0]
    for words, expected, changes in (
        (("HSET", "h", "a", "1", "b", "2"), ["hset"], 2),
        (("HSET", "h", "a", "1"), ["hset"], 1),
        (("HMSET", "h", "a", "1", "c", "3"), ["hset"], 2),
        (("HSETNX", "h", "a", "1"), [], 0),
        (("HSETNX", "h", "d", "1"), ["hset"], 1),
        (("HINCRBY", "h", "a", "1"), ["hincrby"], 1),
        (("HINCRBYFLOAT", "h", "a", "1"), ["hincrbyfloat"], 1),
        (("HINCRBY", "n", "a", "1"), ["hincrby"], 1),
        (("HDEL", "h", "x"), [], 0),
        (("HDEL", "h", "a", "b"), ["hdel"], 2),
        (("HDEL", "h", "c", "d"), ["hdel", "del"], 2),
        (("HGET", "n", "a"), [], 0),
    ):
        before = db.dirty
        client.call(*words)
        assert [event for _, event in events(listener)] == expected, words
        assert db.dirty - before == changes, words


def test_reads_count_as_hits_and_misses(world: World, client: Client) -> None:
    db = world.core.keyspace.databases[0]
    client.call("HSET", "h", "a", "1")
    for name in ("HGET", "HMGET", "HEXISTS", "HSTRLEN"):
        client.call(name, "h", "x")
        client.call(name, "none", "x")
    for name in ("HGETALL", "HKEYS", "HVALS", "HLEN", "HRANDFIELD"):
        client.call(name, "h")
        client.call(name, "none")
    assert (db.hits, db.misses) == (9, 9)


def test_a_reply_within_a_transaction_is_not_changed_by_what_follows(client: Client) -> None:
    client.call("HSET", "h", "a", "1")
    client.call("MULTI")
    client.call("HGETALL", "h")
    client.call("HDEL", "h", "a")
    assert client.call("EXEC") == [["a", "1"], 1]
