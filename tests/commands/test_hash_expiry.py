"""Times to live of fields, in process: what each command answers, and that an expired field is never seen again."""

from __future__ import annotations

import pytest

from pycache_server.server.digest import key_digest
from pycache_server.testing.inprocess import START, Client, World
from tests.commands.test_hashes import WRONG_TYPE, error_of, events, listen

NOW = int(START)
LATEST = (1 << 46) - 1


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("HSET", "h", "a", "1", "b", "2", "c", "3")
    return client


def test_fields_are_given_times_and_tell_them(client: Client) -> None:
    assert client.call("HEXPIRE", "h", 10, "FIELDS", 2, "a", "x") == [1, -2]
    assert client.call("HPEXPIRE", "h", 1234, "FIELDS", 1, "b") == [1]
    assert client.call("HTTL", "h", "FIELDS", 4, "a", "b", "c", "x") == [10, 2, -1, -2]
    assert client.call("HPTTL", "h", "fields", 4, "a", "b", "c", "x") == [10000, 1234, -1, -2]
    assert client.call("HEXPIRETIME", "h", "FIELDS", 3, "a", "b", "c") == [NOW + 10, NOW + 2, -1]
    assert client.call("HPEXPIRETIME", "h", "FIELDS", 2, "a", "b") == [NOW * 1000 + 10000, NOW * 1000 + 1234]
    assert client.call("HEXPIREAT", "h", NOW + 5, "FIELDS", 1, "a") == [1]
    assert client.call("HPEXPIREAT", "h", NOW * 1000 + 77, "FIELDS", 1, "b") == [1]
    assert client.call("HPTTL", "h", "FIELDS", 2, "a", "b") == [5000, 77]


def test_an_array_is_answered_where_there_is_no_key(client: Client) -> None:
    for name in ("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"):
        assert client.call(name, "none", 1000, "FIELDS", 2, "a", "b") == [-2, -2]
    for name in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"):
        assert client.call(name, "none", "FIELDS", 2, "a", "b") == [-2, -2]


@pytest.mark.parametrize(
    ("condition", "seconds", "expected"),
    [
        ("NX", 10, [0, 1]),
        ("XX", 10, [1, 0]),
        ("gt", 101, [1, 0]),
        ("GT", 100, [0, 0]),
        ("LT", 99, [1, 1]),
        ("lt", 100, [0, 1]),
    ],
)
def test_conditions(client: Client, condition: str, seconds: int, expected: list[int]) -> None:
    client.call("HEXPIRE", "h", 100, "FIELDS", 1, "a")
    assert client.call("HEXPIRE", "h", seconds, condition, "FIELDS", 2, "a", "b") == expected
    times = client.call("HTTL", "h", "FIELDS", 2, "a", "b")
    assert times == [seconds if expected[0] else 100, seconds if expected[1] else -1]


def test_a_time_in_the_past_removes_the_field_and_the_last_one_the_key(world: World, client: Client) -> None:
    db = world.core.keyspace.databases[0]
    listener = listen(world)
    assert client.call("HEXPIRE", "h", 0, "FIELDS", 3, "a", "a", "x") == [2, -2, -2]
    assert client.call("HPEXPIREAT", "h", NOW * 1000, "FIELDS", 1, "b") == [2]
    assert client.call("HKEYS", "h") == ["c"]
    assert client.call("HEXPIRE", "h", 0, "GT", "FIELDS", 1, "c") == [0]
    assert client.call("HEXPIREAT", "h", 1, "LT", "FIELDS", 1, "c") == [2]
    assert client.call("EXISTS", "h") == 0
    assert events(listener) == [("h", "hdel"), ("h", "hdel"), ("h", "hdel"), ("h", "del")]
    assert db.expired_fields == 3
    world.check()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["HEXPIRE", "h", "1", "FIELDS", "1"], "ERR wrong number of arguments for 'hexpire' command"),
        (["HTTL", "h", "FIELDS", "1"], "ERR wrong number of arguments for 'httl' command"),
        (["HPERSIST", "h", "FIELDS", "1"], "ERR wrong number of arguments for 'hpersist' command"),
        (["HEXPIRE", "h", "x", "FIELDS", "1", "a"], "ERR value is not an integer or out of range"),
        (["HEXPIRE", "h", "-1", "FIELDS", "1", "a"], "ERR invalid expire time, must be >= 0"),
        (["HPEXPIREAT", "h", str(LATEST + 1), "FIELDS", "1", "a"], "ERR invalid expire time in 'hpexpireat' command"),
        (
            ["HEXPIREAT", "h", str(LATEST // 1000 + 1), "FIELDS", "1", "a"],
            "ERR invalid expire time in 'hexpireat' command",
        ),
        (["HPEXPIRE", "h", str(LATEST), "FIELDS", "1", "a"], "ERR invalid expire time in 'hpexpire' command"),
        (["HEXPIRE", "h", str(2**63 - 1), "FIELDS", "1", "a"], "ERR invalid expire time in 'hexpire' command"),
        (
            ["HEXPIRE", "h", "1", "FIELD", "1", "a"],
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ),
        (
            ["HEXPIRE", "h", "1", "NX", "XX", "FIELDS", "1", "a"],
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ),
        (
            ["HTTL", "h", "1", "FIELDS", "a"],
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ),
        (["HEXPIRE", "h", "1", "FIELDS", "0", "a"], "ERR Parameter `numFields` should be greater than 0"),
        (["HEXPIRE", "h", "1", "FIELDS", "x", "a"], "ERR Parameter `numFields` should be greater than 0"),
        (["HPERSIST", "h", "FIELDS", "0", "a"], "ERR Number of fields must be a positive integer"),
        (["HPTTL", "h", "FIELDS", "-1", "a"], "ERR Number of fields must be a positive integer"),
        (
            ["HEXPIRE", "h", "1", "FIELDS", "2", "a"],
            "ERR The `numfields` parameter must match the number of arguments",
        ),
        (
            ["HEXPIRE", "h", "1", "NX", "FIELDS", "1"],
            "ERR The `numfields` parameter must match the number of arguments",
        ),
        (
            ["HEXPIRETIME", "h", "FIELDS", "1", "a", "b"],
            "ERR The `numfields` parameter must match the number of arguments",
        ),
        (["HEXPIRE", "s", "x", "FIELDS", "1", "a"], WRONG_TYPE),
        (["HTTL", "s", "BAD", "1", "a"], WRONG_TYPE),
        (["HPERSIST", "s", "BAD", "1", "a"], WRONG_TYPE),
    ],
)
def test_arguments_are_checked_in_the_order_of_redis(client: Client, words: list[str], error: str) -> None:
    client.call("SET", "s", "text")
    assert error_of(client.call(*words)) == error
    assert client.call("HTTL", "h", "FIELDS", 1, "a") == [-1]


def test_the_latest_time_is_allowed(world: World, client: Client) -> None:
    assert client.call("HPEXPIREAT", "h", LATEST, "FIELDS", 1, "a") == [1]
    assert client.call("HPEXPIRE", "h", LATEST - NOW * 1000, "FIELDS", 1, "b") == [1]
    assert client.call("HPEXPIRETIME", "h", "FIELDS", 2, "a", "b") == [LATEST, LATEST]
    world.check()


def test_fields_can_be_made_to_last_again(world: World, client: Client) -> None:
    client.call("HEXPIRE", "h", 10, "FIELDS", 2, "a", "b")
    listener = listen(world)
    assert client.call("HPERSIST", "h", "FIELDS", 4, "a", "a", "c", "x") == [1, -1, -1, -2]
    assert client.call("HPERSIST", "h", "FIELDS", 1, "c") == [-1]
    assert events(listener) == [("h", "hpersist")]
    world.advance(11)
    assert client.call("HKEYS", "h") == ["a", "c"]
    world.check()


def test_setting_a_field_lets_it_last_and_adding_to_it_does_not(world: World, client: Client) -> None:
    client.call("HEXPIRE", "h", 10, "FIELDS", 3, "a", "b", "c")
    client.call("HSET", "h", "a", "9")
    client.call("HINCRBY", "h", "b", "5")
    client.call("HINCRBYFLOAT", "h", "c", "0.5")
    assert client.call("HTTL", "h", "FIELDS", 3, "a", "b", "c") == [-1, 10, 10]
    assert client.call("HSETNX", "h", "b", "1") == 0
    client.call("HDEL", "h", "b")
    client.call("HSET", "h", "b", "new")
    assert client.call("HTTL", "h", "FIELDS", 1, "b") == [-1]
    client.call("HMSET", "h", "c", "7")
    assert client.call("HTTL", "h", "FIELDS", 1, "c") == [-1]
    world.check()


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("others", [0, 200])
def test_an_expired_field_is_never_seen(world: World, client: Client, swept: bool, others: int) -> None:
    if others:
        client.call("HSET", "h", *(word for number in range(others) for word in (number, "x")))
        client.call("HEXPIRE", "h", 1, "FIELDS", others, *range(others))
    client.call("HPEXPIRE", "h", 1000, "FIELDS", 2, "a", "b")
    world.advance(0.999)
    assert client.call("HLEN", "h") == 3 + others
    world.advance(0.001)
    if swept:
        world.expire()
    twin = world.connect()
    twin.call("HSET", "twin", "c", "3")
    assert client.call("HLEN", "h") == 1
    assert client.call("HGET", "h", "a") is None
    assert client.call("HMGET", "h", "a", "c") == [None, "3"]
    assert client.call("HGETALL", "h") == ["c", "3"]
    assert client.call("HKEYS", "h") == ["c"]
    assert client.call("HVALS", "h") == ["3"]
    assert client.call("HEXISTS", "h", "a") == client.call("HSTRLEN", "h", "a") == client.call("HDEL", "h", "a") == 0
    assert client.call("HSCAN", "h", 0, "COUNT", 1000)[1] == ["c", "3"]
    assert client.call("HRANDFIELD", "h") == "c"
    assert client.call("HRANDFIELD", "h", 10) == ["c"]
    assert set(client.call("HRANDFIELD", "h", -20)) == {"c"}
    assert client.call("HTTL", "h", "FIELDS", 2, "a", "c") == [-2, -1]
    assert client.call("HPERSIST", "h", "FIELDS", 1, "a") == [-2]
    assert client.call("HEXPIRE", "h", 10, "FIELDS", 1, "a") == [-2]
    db = world.core.keyspace.databases[0]
    assert key_digest(db, b"h") == key_digest(db, b"twin")
    client.call("COPY", "h", "copy")
    assert client.call("HGETALL", "copy") == ["c", "3"]
    assert client.call("HINCRBY", "h", "a", 5) == 5
    assert client.call("HSETNX", "h", "b", "new") == 1
    assert client.call("HTTL", "h", "FIELDS", 2, "a", "b") == [-1, -1]
    world.check()


def test_a_field_that_expires_shows_in_the_digest_but_not_when(world: World, client: Client) -> None:
    db = world.core.keyspace.databases[0]
    lasting = key_digest(db, b"h")
    client.call("HEXPIRE", "h", 10, "FIELDS", 1, "a")
    expiring = key_digest(db, b"h")
    assert expiring != lasting
    client.call("HEXPIRE", "h", 20, "FIELDS", 1, "a")
    assert key_digest(db, b"h") == expiring
    client.call("HPERSIST", "h", "FIELDS", 1, "a")
    assert key_digest(db, b"h") == lasting


def test_the_key_goes_with_its_last_field(world: World, client: Client) -> None:
    client.call("HPEXPIRE", "h", 1000, "FIELDS", 3, "a", "b", "c")
    assert client.call("TTL", "h") == -1
    listener = listen(world)
    world.advance(1)
    assert client.call("EXISTS", "h") == client.call("DBSIZE") == 0
    assert client.call("TYPE", "h") == "none"
    assert client.call("HSET", "h", "new", "1") == 1
    assert client.call("HGETALL", "h") == ["new", "1"]
    assert events(listener) == [("h", "hexpired"), ("h", "del"), ("h", "hset")]
    world.check()


def test_a_field_that_is_removed_takes_the_key_along_if_the_others_have_expired(world: World, client: Client) -> None:
    client.call("HPEXPIRE", "h", 10, "FIELDS", 2, "a", "b")
    world.advance(1)
    listener = listen(world)
    assert client.call("HDEL", "h", "c") == 1
    assert events(listener) == [("h", "hexpired"), ("h", "hdel"), ("h", "del")]
    assert client.call("EXISTS", "h") == 0
    world.check()


def test_times_go_where_the_hash_goes(world: World, client: Client) -> None:
    client.call("HEXPIRE", "h", 10, "FIELDS", 1, "a")
    client.call("EXPIRE", "h", 100)
    client.call("RENAME", "h", "g")
    client.call("COPY", "g", "copy")
    client.call("COPY", "g", "copy", "DB", 1)
    client.call("MOVE", "g", 2)
    client.call("SWAPDB", 2, 3)
    for database, key in ((0, "copy"), (1, "copy"), (3, "g")):
        client.call("SELECT", database)
        assert client.call("HTTL", key, "FIELDS", 2, "a", "b") == [10, -1]
        assert client.call("TTL", key) == 100
        assert client.call("OBJECT", "ENCODING", key) == "listpackex"
    world.advance(11)
    world.expire()
    for database, key in ((0, "copy"), (1, "copy"), (3, "g")):
        client.call("SELECT", database)
        assert client.call("HKEYS", key) == ["b", "c"]
        assert world.core.keyspace.databases[database].expired_fields == 1
    world.check()


def test_the_time_of_the_key_is_its_own(world: World, client: Client) -> None:
    client.call("HEXPIRE", "h", 10, "FIELDS", 3, "a", "b", "c")
    client.call("EXPIRE", "h", 20)
    assert client.call("TTL", "h") == 20
    assert client.call("PERSIST", "h") == 1
    assert client.call("TTL", "h") == -1
    assert client.call("PERSIST", "h") == 0
    client.call("EXPIRE", "h", 5)
    world.advance(6)
    assert client.call("EXISTS", "h") == 0
    assert world.core.keyspace.databases[0].expired == 1
    world.check()


def test_the_encoding_remembers_that_fields_could_expire(client: Client) -> None:
    assert client.call("OBJECT", "ENCODING", "h") == "listpack"
    client.call("HEXPIRE", "h", 10, "XX", "FIELDS", 1, "a")
    assert client.call("OBJECT", "ENCODING", "h") == "listpackex"
    client.call("HPERSIST", "h", "FIELDS", 1, "a")
    assert client.call("OBJECT", "ENCODING", "h") == "listpackex"
    client.call("HSET", "h", "long", "x" * 65)
    assert client.call("OBJECT", "ENCODING", "h") == "hashtable"


def test_a_transaction_fails_if_a_field_of_a_watched_hash_has_expired(world: World, client: Client) -> None:
    client.call("HPEXPIRE", "h", 10, "FIELDS", 1, "a")
    client.call("WATCH", "h")
    world.advance(1)
    world.expire()
    client.call("MULTI")
    client.call("PING")
    assert client.call("EXEC") is None


def test_a_transaction_fails_if_a_watched_hash_has_died(world: World, client: Client) -> None:
    client.call("HPEXPIRE", "h", 10, "FIELDS", 3, "a", "b", "c")
    client.call("WATCH", "h")
    world.advance(1)
    client.call("MULTI")
    client.call("PING")
    assert client.call("EXEC") is None


def test_events_and_changes_are_told(world: World, client: Client) -> None:
    listener = listen(world)
    db = world.core.keyspace.databases[0]
    for words, expected, changes in (
        (("HEXPIRE", "h", 10, "FIELDS", 3, "a", "b", "x"), ["hexpire"], 2),
        (("HPEXPIREAT", "h", LATEST, "NX", "FIELDS", 2, "a", "x"), [], 0),
        (("HPERSIST", "h", "FIELDS", 2, "a", "b"), ["hpersist"], 1),
        (("HPERSIST", "h", "FIELDS", 2, "a", "b"), [], 0),
        (("HEXPIRE", "h", 0, "FIELDS", 1, "a"), ["hdel"], 1),
        (("HEXPIRE", "h", 0, "FIELDS", 2, "b", "c"), ["hdel", "del"], 2),
    ):
        before = db.dirty
        client.call(*words)
        assert [event for _, event in events(listener)] == expected, words
        assert db.dirty - before == changes, words
        world.check()
