"""Strings under conditions: SET with IF options, DELEX, DELIFEQ, DIGEST and MSETEX, as Redis 8.4 and Valkey 9 have
them."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import Heard, outcome

HELLO = "9555e8555c62dcfd"
OTHER = "0" * 16
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_DIGEST = "ERR digest must be exactly 16 hexadecimal characters"


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("SET", "k", "hello")
    client.call("RPUSH", "l", "x")
    return client


@pytest.mark.parametrize(
    ("words", "is_met"),
    [
        (("IFEQ", "hello"), True),
        (("IFEQ", "other"), False),
        (("ifne", "other"), True),
        (("IFNE", "hello"), False),
        (("IFDEQ", HELLO), True),
        (("IFDEQ", HELLO.upper()), True),
        (("IFDEQ", OTHER), False),
        (("IFDEQ", "z" * 16), False),
        (("IFDNE", OTHER), True),
        (("IFDNE", HELLO), False),
    ],
)
def test_a_string_is_set_or_removed_where_it_meets_the_condition(
    client: Client, words: tuple[str, str], is_met: bool
) -> None:
    assert client.call("SET", "k", "new", *words) == ("OK" if is_met else None)
    assert client.call("GET", "k") == ("new" if is_met else "hello")
    client.call("SET", "k", "hello")
    assert client.call("SET", "k", "new", "GET", *words) == "hello"
    assert client.call("GET", "k") == ("new" if is_met else "hello")
    client.call("SET", "k", "hello")
    assert client.call("DELEX", "k", *words) == is_met
    assert client.call("EXISTS", "k") == (not is_met)


@pytest.mark.parametrize(("condition", "is_set"), [("IFEQ", False), ("IFDEQ", False), ("IFNE", True), ("IFDNE", True)])
def test_what_is_not_there_is_different_from_everything(client: Client, condition: str, is_set: bool) -> None:
    assert client.call("SET", "none", "new", condition, "1234567890") == ("OK" if is_set else None)
    assert client.call("EXISTS", "none") == is_set
    client.call("DEL", "none")
    assert client.call("SET", "none", "new", condition, "1234567890", "GET") is None
    assert client.call("EXISTS", "none") == is_set
    client.call("DEL", "none")
    assert client.call("DELEX", "none", condition, "1234567890") == 0


def test_numbers_are_compared_as_text(client: Client) -> None:
    client.call("SET", "n", "41")
    client.call("INCR", "n")
    assert client.call("DELEX", "n", "IFEQ", "042") == 0
    assert client.call("SET", "n", "0123", "IFEQ", "42") == "OK"
    assert client.call("DELEX", "n", "IFNE", "123") == 1


def test_a_conditional_set_may_give_a_time_to_live(client: Client) -> None:
    assert client.call("SET", "k", "a", "IFEQ", "hello", "EX", 100) == "OK"
    assert client.call("SET", "k", "b", "KEEPTTL", "IFEQ", "a") == "OK"
    assert client.call("TTL", "k") == 100
    assert client.call("SET", "k", "c", "PX", 5000, "IFNE", "x", "GET") == "b"
    assert client.call("PTTL", "k") == 5000


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("SET l v IFEQ x", WRONG_TYPE),
        ("SET l v IFDNE 123", WRONG_TYPE),
        ("SET k v IFEQ", "ERR syntax error"),
        ("SET k v IFEQ hello NX", "ERR syntax error"),
        ("SET k v XX IFEQ hello", "ERR syntax error"),
        ("SET k v IFEQ hello IFEQ hello", "ERR syntax error"),
        ("SET k v IFEQ hello IFNE x", "ERR syntax error"),
        ("SET k v IFDEQ 123", NO_DIGEST),
        ("SET k v IFDNE 12345678901234567", NO_DIGEST),
        ("SET k v IFEQ hello EX 0", "ERR invalid expire time in 'set' command"),
        ("DELEX k IFDEQ 123", NO_DIGEST),
        ("DELEX k FOO hello", "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
        ("DELEX l FOO x", "ERR Key should be of string type if conditions are specified"),
        ("DELEX l IFEQ x", "ERR Key should be of string type if conditions are specified"),
        ("DELEX k IFEQ", "ERR wrong number of arguments for 'delex' command"),
        ("DELEX none IFEQ", "ERR wrong number of arguments for 'delex' command"),
        ("DELEX k IFEQ hello x", "ERR wrong number of arguments for 'delex' command"),
        ("DELEX", "ERR wrong number of arguments for 'delex' command"),
        ("DELIFEQ l x", WRONG_TYPE),
        ("DELIFEQ k", "ERR wrong number of arguments for 'delifeq' command"),
        ("DIGEST l", WRONG_TYPE),
        ("DIGEST k x", "ERR wrong number of arguments for 'digest' command"),
        ("MSETEX x a 1", "ERR invalid numkeys value"),
        ("MSETEX 0 a 1", "ERR invalid numkeys value"),
        ("MSETEX 2147483648 a 1", "ERR invalid numkeys value"),
        ("MSETEX 2 a 1 b", "ERR wrong number of key-value pairs"),
        ("MSETEX 1 a 1 NX XX", "ERR syntax error"),
        ("MSETEX 1 a 1 EX", "ERR syntax error"),
        ("MSETEX 1 a 1 EX 5 KEEPTTL", "ERR syntax error"),
        ("MSETEX 1 a 1 foo", "ERR syntax error"),
        ("MSETEX 1 a 1 EX x", "ERR value is not an integer or out of range"),
        ("MSETEX 1 a 1 EX 0", "ERR invalid expire time in 'msetex' command"),
        ("MSETEX 1 a", "ERR wrong number of arguments for 'msetex' command"),
    ],
)
def test_errors(client: Client, command: str, error: str) -> None:
    assert outcome(client.call(*command.split())) == error
    assert client.call("GET", "k") == "hello"
    assert client.call("EXISTS", "a") == 0


def test_without_a_condition_anything_is_removed(client: Client) -> None:
    assert client.call("DELEX", "l") == 1
    assert client.call("DELEX", "l") == 0
    assert client.call("DELEX", "none", "FOO", "x") == 0


def test_delifeq_removes_what_is_equal(client: Client) -> None:
    assert client.call("DELIFEQ", "k", "other") == 0
    assert client.call("DELIFEQ", "k", "hello") == 1
    assert client.call("DELIFEQ", "k", "hello") == 0


def test_digest(client: Client) -> None:
    assert client.call("DIGEST", "k") == HELLO
    assert client.call("DIGEST", "none") is None
    client.call("INCRBY", "n", 123)
    assert client.call("DIGEST", "n") == "404a763b3f4c8c9a"


def test_several_keys_are_set_with_one_time(client: Client) -> None:
    assert client.call("MSETEX", 2, "a", "1", "b", "2", "EX", 100) == 1
    assert client.call("MGET", "a", "b") == ["1", "2"]
    assert [client.call("TTL", key) for key in "ab"] == [100, 100]
    assert client.call("MSETEX", 2, "a", "3", "b", "4", "KEEPTTL", "XX") == 1
    assert [client.call("TTL", key) for key in "ab"] == [100, 100]
    assert client.call("MSETEX", 2, "a", "5", "a", "6") == 1
    assert (client.call("GET", "a"), client.call("TTL", "a")) == ("6", -1)


@pytest.mark.parametrize(("condition", "keys"), [("NX", ("k", "none")), ("XX", ("k", "none"))])
def test_several_keys_are_set_all_or_none(client: Client, condition: str, keys: tuple[str, str]) -> None:
    assert client.call("MSETEX", 2, keys[0], "new", keys[1], "new", condition) == 0
    assert client.call("MGET", *keys) == ["hello", None]
    only = keys[condition == "NX"]
    assert client.call("MSETEX", 1, only, "new", condition) == 1
    assert client.call("GET", only) == "new"


def test_the_keys_and_what_is_done_to_them_are_known(client: Client) -> None:
    def keys(*words: Any) -> Any:
        return client.call("COMMAND", "GETKEYSANDFLAGS", *words)

    assert keys("MSETEX", 2, "a", 1, "b", 2, "NX") == [["a", ["OW", "update"]], ["b", ["OW", "update"]]]
    assert outcome(keys("MSETEX", 3, "a", 1, "b", 2)) == "ERR Invalid arguments specified for command"
    assert keys("DELEX", "k") == [["k", ["RM", "delete"]]]
    assert keys("DELEX", "k", "IFEQ", "v") == [["k", ["RW", "access", "delete"]]]
    assert keys("SET", "k", "v", "IFEQ", "v") == [["k", ["RW", "access", "update"]]]
    assert keys("SET", "k", "v", "NX") == [["k", ["OW", "update"]]]


def test_events(client: Client, heard: Heard) -> None:
    client.call("SET", "k", "v", "IFEQ", "x")
    client.call("SET", "k", "v", "IFEQ", "hello", "EX", 10)
    client.call("DELEX", "k", "IFEQ", "x")
    client.call("DELEX", "k", "IFEQ", "v")
    client.call("MSETEX", 2, "a", 1, "b", 2, "EX", 10)
    client.call("DELIFEQ", "a", 1)
    assert heard() == [
        *[("k", "set"), ("k", "expire"), ("k", "del")],
        *[("a", "new"), ("a", "set"), ("a", "expire"), ("b", "new"), ("b", "set"), ("b", "expire"), ("a", "del")],
    ]
