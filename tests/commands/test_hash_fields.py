"""HGETDEL, HGETEX and HSETEX: fields with what becomes of them."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import START, Client, World
from tests.commands.conftest import Heard, outcome

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_FIELDS = "ERR Mandatory argument FIELDS is missing or not at the right position"
NOT_POSITIVE = "ERR Number of fields must be a positive integer"
NO_MATCH = "ERR The `numfields` parameter must match the number of arguments"
ONE_TIME = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
ONE_CONDITION = "ERR Only one of FXX or FNX arguments can be specified"
NO_INTEGER = "ERR value is not an integer or out of range"
NEGATIVE = "ERR invalid expire time, must be >= 0"
ARITY = "ERR wrong number of arguments for 'hsetex' command"


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("HSET", "h", "a", "1", "b", "2", "c", "3")
    client.call("SET", "s", "x")
    return client


def times(client: Client, *fields: str) -> list[int]:
    found: list[int] = client.call("HTTL", "h", "FIELDS", len(fields), *fields)
    return found


# HGETDEL


def test_fields_are_returned_and_removed_and_the_key_with_the_last_one(client: Client) -> None:
    assert client.call("HGETDEL", "h", "FIELDS", 3, "a", "x", "a") == ["1", None, None]
    assert client.call("HGETALL", "h") == ["b", "2", "c", "3"]
    assert client.call("HGETDEL", "h", "fields", 2, "c", "b") == ["3", "2"]
    assert client.call("EXISTS", "h") == 0
    assert client.call("HGETDEL", "h", "FIELDS", 2, "a", "b") == [None, None]


def test_an_expired_field_is_not_returned(world: World, client: Client) -> None:
    client.call("HPEXPIRE", "h", 100, "FIELDS", 1, "a")
    world.advance(0.1)
    assert client.call("HGETDEL", "h", "FIELDS", 2, "a", "b") == [None, "2"]
    assert client.call("HGETALL", "h") == ["c", "3"]


# HGETEX


def test_fields_are_returned_and_given_times(client: Client) -> None:
    assert client.call("HGETEX", "h", "FIELDS", 2, "a", "x") == ["1", None]
    assert times(client, "a", "b") == [-1, -1]
    assert client.call("HGETEX", "h", "EX", 10, "FIELDS", 2, "a", "x") == ["1", None]
    assert client.call("HGETEX", "h", "pxat", int(START * 1000) + 7000, "FIELDS", 1, "b") == ["2"]
    assert times(client, "a", "b", "c") == [10, 7, -1]
    assert client.call("HGETEX", "h", "PERSIST", "FIELDS", 2, "b", "c") == ["2", "3"]
    assert times(client, "a", "b", "c") == [10, -1, -1]
    assert client.call("HGETEX", "none", "EX", 10, "FIELDS", 1, "a") == [None]
    assert client.call("EXISTS", "none") == 0


def test_fields_that_are_given_a_time_in_the_past_are_returned_and_removed(client: Client) -> None:
    assert client.call("HGETEX", "h", "PX", 0, "FIELDS", 2, "a", "b") == ["1", "2"]
    assert client.call("HGETALL", "h") == ["c", "3"]
    assert client.call("HGETEX", "h", "EXAT", 1, "FIELDS", 1, "c") == ["3"]
    assert client.call("EXISTS", "h") == 0


def test_reads_are_counted(world: World, client: Client) -> None:
    db = world.core.keyspace.databases[0]
    hits, misses = db.hits, db.misses
    client.call("HGETEX", "h", "FIELDS", 1, "a")
    client.call("HGETEX", "none", "FIELDS", 1, "a")
    client.call("HGETDEL", "h", "FIELDS", 1, "a")
    assert (db.hits - hits, db.misses - misses) == (1, 1)


# HSETEX


def test_fields_are_set_with_a_time(client: Client) -> None:
    assert client.call("HSETEX", "h", "EX", 10, "FIELDS", 2, "a", "x", "d", "y") == 1
    assert client.call("HMGET", "h", "a", "b", "d") == ["x", "2", "y"]
    assert times(client, "a", "b", "d") == [10, -1, 10]
    assert client.call("HSETEX", "h", "KEEPTTL", "FIELDS", 2, "a", "z", "b", "z") == 1
    assert times(client, "a", "b", "d") == [10, -1, 10]
    assert client.call("HSETEX", "h", "FIELDS", 1, "a", "last") == 1
    assert times(client, "a") == [-1]
    assert client.call("HSETEX", "new", "PX", 5000, "FIELDS", 1, "a", "1") == 1
    assert client.call("HPTTL", "new", "FIELDS", 1, "a") == [5000]


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("h FNX FIELDS 2 a 9 x 9", 0),
        ("h FNX FIELDS 2 x 9 y 9", 1),
        ("h fxx EX 10 FIELDS 2 a 9 x 9", 0),
        ("h EX 10 FXX FIELDS 2 a 9 b 9", 1),
        ("none FXX FIELDS 1 a 9", 0),
        ("none FNX FIELDS 1 a 9", 1),
    ],
)
def test_fields_are_set_all_or_none(client: Client, words: str, reply: int) -> None:
    key = words.split()[0]
    before = client.call("HGETALL", key)
    assert client.call("HSETEX", *words.split()) == reply
    assert (client.call("HGETALL", key) != before) == bool(reply)
    assert client.call("EXISTS", "none") == (reply if key == "none" else 0)


def test_a_time_in_the_past_removes_what_was_set(client: Client) -> None:
    assert client.call("HSETEX", "h", "EXAT", 1, "FIELDS", 2, "a", "9", "x", "9") == 1
    assert client.call("HGETALL", "h") == ["b", "2", "c", "3"]
    assert client.call("HSETEX", "new", "PX", 0, "FIELDS", 1, "a", "1") == 1
    assert client.call("EXISTS", "new") == 0


# Errors, events


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("HGETDEL h FIELDS 1", "ERR wrong number of arguments for 'hgetdel' command"),
        ("HGETDEL s FOO 0 a", WRONG_TYPE),
        ("HGETDEL h FOO 1 a", NO_FIELDS),
        ("HGETDEL h FIELDS 0 a", NOT_POSITIVE),
        ("HGETDEL h FIELDS x a", NOT_POSITIVE),
        ("HGETDEL h FIELDS 2 a", NO_MATCH),
        ("HGETDEL none FIELDS 2 a", NO_MATCH),
        ("HGETEX s FOO 0 a", WRONG_TYPE),
        ("HGETEX h FOO 1 a", NO_FIELDS),
        ("HGETEX h PERSIST 1 FIELDS 1 a", NO_FIELDS),
        ("HGETEX h PXAT 1 1", NO_FIELDS),
        ("HGETEX h PX 1 FIELDS", NO_FIELDS),
        ("HGETEX h FIELDS 0 a", NOT_POSITIVE),
        ("HGETEX h FIELDS 9223372036854775808 a", NOT_POSITIVE),
        ("HGETEX h FIELDS 2 a", NO_MATCH),
        ("HGETEX h EX x FIELDS 1 a", NO_INTEGER),
        ("HGETEX h PX -1 FIELDS 1 a", NEGATIVE),
        ("HGETEX h EX 281474976710656 FIELDS 1 a", "ERR invalid expire time in 'hgetex' command"),
        ("HGETEX h FIELDS 1", "ERR wrong number of arguments for 'hgetex' command"),
        ("HSETEX h FIELDS 1 a", ARITY),
        ("HSETEX h FIELDS 2 a b c", ARITY),
        ("HSETEX h FIELDS 1 a b x", ARITY),
        ("HSETEX h FIELDS 1 a b c d", ARITY),
        ("HSETEX h EX 10 FIELDS 1 a", ARITY),
        ("HSETEX h FIELDS x a b", "ERR invalid number of fields"),
        ("HSETEX h FIELDS 0 a b", "ERR invalid number of fields"),
        ("HSETEX h nx FIELDS 1 a b", "ERR unknown argument: nx"),
        ("HSETEX h FXX FNX FIELDS 1 a b", ONE_CONDITION),
        ("HSETEX h FXX FXX FIELDS 1 a b", ONE_CONDITION),
        ("HSETEX h EX 10 KEEPTTL FIELDS 1 a b", ONE_TIME),
        ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 a b", ONE_TIME),
        ("HSETEX h PX 10 PX 10 FIELDS 1 a b", ONE_TIME),
        ("HSETEX h EX FIELDS 1 a b", NO_INTEGER),
        ("HSETEX h EX -1 FIELDS 1 a b", NEGATIVE),
        ("HSETEX h EXAT 281474976710656 FIELDS 1 a b", "ERR invalid expire time in 'hsetex' command"),
        ("HSETEX h FXX KEEPTTL FIELDS 1", ARITY),
        ("HSETEX h FXX EX 10 PX", ONE_TIME),
        ("HSETEX h FXX FOO EX 1", "ERR unknown argument: FOO"),
        ("HSETEX h FXX EX 5 EX", ONE_TIME),
        ("HSETEX h FXX KEEPTTL FNX x", ONE_CONDITION),
        ("HSETEX s FIELDS 1 a b", WRONG_TYPE),
        ("HSETEX s FIELDS 0 a b", "ERR invalid number of fields"),
    ],
)
def test_errors(client: Client, command: str, error: str) -> None:
    assert outcome(client.call(*command.split())) == error
    assert client.call("HGETALL", "h") == ["a", "1", "b", "2", "c", "3"]


def test_hsetex_needs_its_fields(client: Client) -> None:
    assert outcome(client.call("HSETEX", "h", "FXX", "PX", "1", "KEEPTTL")) == ONE_TIME
    assert outcome(client.call("HSETEX", "h", "EX", "1", "FXX", "EX")) == ONE_TIME
    assert outcome(client.call("HSETEX", "h", "FXX", "EXAT", "12", "fields")) == ARITY
    assert outcome(client.call("HSETEX", "h", "EX", "10", "FNX", "foo")) == "ERR unknown argument: foo"


def test_events(world: World, client: Client, heard: Heard) -> None:
    db = world.core.keyspace.databases[0]
    before = db.dirty
    client.call("HSETEX", "h", "EX", 10, "FIELDS", 2, "a", "x", "d", "y")
    client.call("HSETEX", "h", "FIELDS", 1, "a", "x")
    client.call("HGETEX", "h", "EX", 5, "FIELDS", 1, "b")
    client.call("HGETEX", "h", "PERSIST", "FIELDS", 2, "b", "c")
    client.call("HGETEX", "h", "FIELDS", 1, "b")
    client.call("HGETDEL", "h", "FIELDS", 2, "b", "x")
    client.call("HSETEX", "new", "PX", 0, "FIELDS", 1, "a", "1")
    assert heard() == [
        *[("h", "hset"), ("h", "hexpire"), ("h", "hset"), ("h", "hexpire"), ("h", "hpersist"), ("h", "hdel")],
        *[("new", "new"), ("new", "hset"), ("new", "hdel"), ("new", "del")],
    ]
    assert db.dirty - before == 2 + 1 + 1 + 1 + 1 + 1


def test_an_expired_field_is_told_of_before_what_is_removed(world: World, client: Client, heard: Heard) -> None:
    client.call("HSETEX", "h", "PX", 100, "FIELDS", 1, "d", "4")
    world.advance(0.1)
    client.call("HGETDEL", "h", "FIELDS", 2, "a", "d")
    assert heard() == [("h", "hset"), ("h", "hexpire"), ("h", "hexpired"), ("h", "hdel")]
