"""INCREX: bounds, saturation, and times to live, for integers and for long doubles."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import Heard, outcome

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
HUGE = "1.1e4932"
"""A long double that has no double."""


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("SET", "k", "10")
    client.call("SET", "huge", "1.1e4932")
    client.call("SET", "depth", "-1.1e4932")
    client.call("SET", "largest", LARGEST)
    client.call("RPUSH", "l", "x")
    client.call("SET", "text", "abc")
    return client


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("none", [1, 1]),
        ("k", [11, 1]),
        ("k BYINT 5", [15, 5]),
        ("k byint -20", [-10, -20]),
        ("k BYINT 5 UBOUND 12", [10, 0]),
        ("k BYINT 5 UBOUND 12 SATURATE", [12, 2]),
        ("k SATURATE BYINT 5 UBOUND 5", [5, -5]),
        ("k BYINT -5 LBOUND 20 SATURATE", [20, 10]),
        ("k BYINT 5 LBOUND 10 UBOUND 10 SATURATE", [10, 0]),
        ("k BYINT 9223372036854775807 UBOUND 100", [10, 0]),
        ("k BYINT 9223372036854775807 UBOUND 100 SATURATE", [100, 90]),
        ("largest", [LARGEST, 0]),
        ("largest SATURATE", [LARGEST, 0]),
        ("k BYFLOAT 2.5 LBOUND 5.0 UBOUND 15.0", ["12.5", "2.5"]),
        ("k BYFLOAT 5.5 UBOUND 12.5", ["10", "0"]),
        ("k BYFLOAT 5.5 UBOUND 12.5 SATURATE", ["12.5", "2.5"]),
        (f"k BYFLOAT {HUGE} UBOUND 100 SATURATE", ["100", "90"]),
        (f"k BYFLOAT -{HUGE} LBOUND -100 SATURATE", ["-100", "-110"]),
        (f"k BYFLOAT {HUGE} UBOUND 100", ["10", "0"]),
        ("k BYFLOAT 1.0 LBOUND -inf UBOUND -inf", ["10", "0"]),
        ("k BYFLOAT 1.0 LBOUND inf UBOUND inf", ["10", "0"]),
        ("k BYFLOAT 1.0 UBOUND +inf LBOUND -inf", ["11", "1"]),
        ("k BYFLOAT inf", ["10", "0"]),
        ("none BYFLOAT 1e-20", ["0", "0"]),
    ],
)
def test_the_number_and_what_was_added(client: Client, words: str, reply: list[Any]) -> None:
    key = words.split()[0]
    before = client.call("GET", key)
    assert outcome(client.call("INCREX", *words.split())) == reply
    assert client.call("GET", key) == (str(reply[0]) if str(reply[1]) != "0" or "none" in key else before)


def test_a_float_that_is_too_large_stops_at_the_largest_long_double(client: Client) -> None:
    value, added = client.call("INCREX", "huge", "BYFLOAT", HUGE, "SATURATE")
    assert client.call("GET", "huge") == value
    assert (value[:9], len(value), len(added)) == ("118973149", 4933, 4931)


@pytest.mark.parametrize(
    ("words", "exists", "reply"),
    [
        ("UBOUND 5", True, [1, 1]),
        ("UBOUND 0", False, [0, 0]),
        ("UBOUND 0 SATURATE", True, [0, 0]),
        ("LBOUND 5", False, [0, 0]),
        ("LBOUND 5 SATURATE", True, [5, 5]),
    ],
)
def test_a_key_is_made_where_something_is_stored(client: Client, words: str, exists: bool, reply: list[int]) -> None:
    assert client.call("INCREX", "none", *words.split()) == reply
    assert client.call("EXISTS", "none") == exists


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("k BYINT 1 BYINT 2", "ERR syntax error"),
        ("k BYINT 1 BYFLOAT 2", "ERR syntax error"),
        ("k BYINT", "ERR syntax error"),
        ("k LBOUND", "ERR syntax error"),
        ("k LBOUND 1 LBOUND 2", "ERR syntax error"),
        ("k SATURATE SATURATE", "ERR syntax error"),
        ("k EX 10 PX 10", "ERR syntax error"),
        ("k EX 10 PERSIST", "ERR syntax error"),
        ("k PERSIST PERSIST", "ERR syntax error"),
        ("k PERSIST ENX", "ERR syntax error"),
        ("k ENX ENX EX 10", "ERR syntax error"),
        ("k ENX", "ERR ENX flag requires an expiration"),
        ("k BYINT abc", "ERR Increment is not an integer or out of range"),
        ("k BYINT 1.5", "ERR Increment is not an integer or out of range"),
        ("k BYFLOAT abc", "ERR Increment is not a valid float"),
        ("k UBOUND 12.5", "ERR UBOUND is not an integer or out of range"),
        ("k LBOUND inf", "ERR LBOUND is not an integer or out of range"),
        ("k BYFLOAT 1 UBOUND abc", "ERR UBOUND is not a valid float"),
        ("k LBOUND 10 UBOUND 5", "ERR LBOUND can't be greater than UBOUND"),
        ("k BYFLOAT 1 UBOUND -inf", "ERR LBOUND can't be greater than UBOUND"),
        ("k BYFLOAT 1 LBOUND inf", "ERR LBOUND can't be greater than UBOUND"),
        ("k EX 0", "ERR invalid expire time in 'increx' command"),
        ("k EX x", "ERR value is not an integer or out of range"),
        ("l", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("text", "ERR value is not an integer or out of range"),
        ("text BYFLOAT 1", "ERR value is not a valid float"),
        (f"largest BYINT -5 UBOUND {SMALLEST} SATURATE", "ERR applied increment would overflow"),
        (f"depth BYFLOAT {HUGE} LBOUND {HUGE} SATURATE", "ERR applied increment would be Infinity"),
        ("k BYFLOAT 1 LBOUND inf UBOUND inf SATURATE", "ERR applied increment would be Infinity"),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    assert outcome(client.call("INCREX", *words.split())) == error
    assert client.call("GET", "k") == "10"


def test_times_to_live(client: Client) -> None:
    def run(*words: Any) -> tuple[Any, Any]:
        return client.call("INCREX", "k", *words), client.call("TTL", "k")

    assert run("EX", 100) == ([11, 1], 100)
    assert run() == ([12, 1], 100)
    assert run("EX", 50, "ENX") == ([13, 1], 100)
    assert run("UBOUND", 5, "EX", 50) == ([13, 0], 100)
    assert run("UBOUND", 5, "PERSIST") == ([13, 0], 100)
    assert run("PERSIST") == ([14, 1], -1)
    assert run("PX", 7000, "ENX") == ([15, 1], 7)
    assert run("EXAT", 1, "ENX") == ([16, 1], 7)
    assert run("EXAT", 1) == ([17, 1], -2)


def test_floats_are_doubles_in_resp3(client: Client) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    assert client.call("INCREX", "k", "BYFLOAT", "0.25") == [10.25, 0.25]
    assert client.raw == b"*2\r\n,10.25\r\n,0.25\r\n"


def test_the_encoding_is_that_of_arithmetic(client: Client) -> None:
    client.call("APPEND", "k", "0")
    assert client.call("INCREX", "k") == [101, 1]
    assert client.call("OBJECT", "ENCODING", "k") == "int"
    client.call("INCREX", "k", "BYFLOAT", "0.5")
    assert client.call("OBJECT", "ENCODING", "k") == "embstr"


def test_events_and_changes(world: World, client: Client, heard: Heard) -> None:
    db = world.core.keyspace.databases[0]
    before = db.dirty
    client.call("INCREX", "k", "EX", 10)
    client.call("INCREX", "k", "BYFLOAT", 1, "PERSIST")
    client.call("INCREX", "k", "UBOUND", 0)
    client.call("INCREX", "k", "EXAT", 1)
    assert heard() == [
        *[("k", "incrby"), ("k", "expire"), ("k", "incrbyfloat"), ("k", "persist"), ("k", "incrby"), ("k", "del")],
    ]
    assert db.dirty == before + 3
