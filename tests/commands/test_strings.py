"""Strings: every option, error, event, encoding and limit, as redis-server has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers import AnyClient, Ours, Peer, error_of, heard, listener_of

SYNTAX = "ERR syntax error"
BAD_INTEGER = "ERR value is not an integer or out of range"
BAD_FLOAT = "ERR value is not a valid float"
OVERFLOW = "ERR increment or decrement would overflow"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
LATER, LATER_MS = 99999999999, 99999999999000
MOST = 2**63 - 1


def bad_expiry(name: str) -> str:
    return f"ERR invalid expire time in '{name}' command"


def bad_arity(name: str) -> str:
    return f"ERR wrong number of arguments for '{name}' command"


# SET and GET


def test_set_and_get(client: AnyClient) -> None:
    assert client.call("GET", "k") is None
    assert client.call("SET", "k", "v") == "OK"
    assert client.call("GET", "k") == "v"
    assert client.call("SET", "k", "") == "OK"
    assert client.call("GET", "k") == ""


def test_set_conditions(client: AnyClient) -> None:
    assert client.call("SET", "k", "1", "XX") is None
    assert client.call("SET", "k", "1", "nx") == "OK"
    assert client.call("SET", "k", "2", "NX") is None
    assert client.call("SET", "k", "3", "xx") == "OK"
    assert client.call("GET", "k") == "3"


def test_set_get_returns_what_was_there(client: AnyClient) -> None:
    assert client.call("SET", "k", "1", "GET") is None
    assert client.call("SET", "k", "2", "get") == "1"
    assert client.call("SET", "k", "3", "NX", "GET") == "2"
    assert client.call("SET", "k", "3", "GET", "XX") == "2"
    assert client.call("SET", "other", "3", "XX", "GET") is None
    assert client.call("MGET", "k", "other") == ["3", None]


def test_set_replaces_any_type_but_set_get_does_not(peer: Peer) -> None:
    client = peer.connect()
    peer.hold_list("list")
    for options in (["GET"], ["NX", "GET"], ["XX", "GET"], ["GET", "EX", "100"]):
        assert error_of(client.call("SET", "list", "v", *options)) == WRONG_TYPE
    assert client.call("SET", "list", "v", "NX") is None
    assert client.call("TYPE", "list") == "list"
    assert client.call("SET", "list", "v", "XX") == "OK"
    assert client.call("TYPE", "list") == "string"


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], -1),
        (["KEEPTTL"], 1000),
        (["KEEPTTL", "XX", "GET"], 1000),
        (["EX", "50"], 50),
        (["PX", "50000"], 50),
        (["ex", "50", "GET"], 50),
        (["EX", "10", "EX", "50"], 50),
        (["NX"], 1000),
        (["NX", "EX", "50"], 1000),
    ],
)
def test_set_and_the_time_to_live(client: AnyClient, options: list[str], left: int) -> None:
    client.call("SET", "k", "v", "EX", 1000)
    client.call("SET", "k", "w", *options)
    assert client.call("TTL", "k") == left


def test_set_until_a_time(client: AnyClient) -> None:
    client.call("SET", "k", "v", "EXAT", LATER)
    assert client.call("EXPIRETIME", "k") == LATER
    client.call("SET", "k", "v", "PXAT", LATER_MS)
    assert client.call("PEXPIRETIME", "k") == LATER_MS
    assert client.call("SET", "k", "v", "PXAT", 1) == "OK"
    assert client.call("GET", "k") is None


def test_a_key_is_gone_when_its_time_has_come(ours: Ours) -> None:
    client = ours.connect()
    client.call("SET", "k", "v", "PX", 100)
    ours.world.advance(0.099)
    assert client.call("GET", "k") == "v"
    ours.world.advance(0.001)
    assert client.call("GET", "k") is None
    assert client.call("SET", "k", "w", "XX") is None
    assert client.call("SET", "k", "w", "KEEPTTL") == "OK"
    assert client.call("TTL", "k") == -1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["NX", "XX"], SYNTAX),
        (["XX", "NX"], SYNTAX),
        (["EX", "10", "PX", "10"], SYNTAX),
        (["EX", "10", "KEEPTTL"], SYNTAX),
        (["KEEPTTL", "PXAT", "10"], SYNTAX),
        (["PERSIST"], SYNTAX),
        (["EX"], SYNTAX),
        (["EX", "10", "10"], SYNTAX),
        (["FOO"], SYNTAX),
        (["EX", "x", "FOO"], SYNTAX),
        (["EX", "x"], BAD_INTEGER),
        (["EX", "1.5"], BAD_INTEGER),
        (["EX", ""], BAD_INTEGER),
        (["EX", "x", "NX"], BAD_INTEGER),
        (["EX", "0"], bad_expiry("set")),
        (["PX", "-1"], bad_expiry("set")),
        (["EXAT", "0"], bad_expiry("set")),
        (["EX", str(MOST)], bad_expiry("set")),
        (["PX", str(MOST)], bad_expiry("set")),
        (["EXAT", str(MOST)], bad_expiry("set")),
        (["EX", "9223372036854776"], bad_expiry("set")),
    ],
)
def test_what_set_refuses(client: AnyClient, options: list[str], error: str) -> None:
    client.call("SET", "k", "old")
    assert error_of(client.call("SET", "k", "new", *options)) == error
    assert client.call("GET", "k") == "old"


def test_an_expiry_may_be_as_late_as_a_long_long(client: AnyClient) -> None:
    assert client.call("SET", "k", "v", "PXAT", MOST) == "OK"
    assert client.call("PEXPIRETIME", "k") == MOST


def test_what_follows_a_nul_in_an_option_does_not_count(client: AnyClient) -> None:
    assert client.call("SET", "k", "v", b"XX\0nonsense") is None
    assert client.call("SET", "k", "v", b"nx\0") == "OK"


def test_the_commands_that_set_with_something_else(client: AnyClient) -> None:
    assert client.call("SETEX", "k", 100, "v") == "OK"
    assert client.call("PSETEX", "p", 100000, "v") == "OK"
    assert client.call("TTL", "k") == client.call("TTL", "p") == 100
    assert client.call("SETNX", "k", "w") == 0
    assert client.call("SETNX", "n", "w") == 1
    assert client.call("GETSET", "k", "w") == "v"
    assert client.call("TTL", "k") == -1
    assert client.call("GETSET", "new", "w") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["SETEX", "k", "0", "v"], bad_expiry("setex")),
        (["SETEX", "k", "x", "v"], BAD_INTEGER),
        (["SETEX", "k", str(MOST), "v"], bad_expiry("setex")),
        (["PSETEX", "k", "-1", "v"], bad_expiry("psetex")),
        (["PSETEX", "k", "1_0", "v"], BAD_INTEGER),
        (["GET"], bad_arity("get")),
        (["SET", "k"], bad_arity("set")),
        (["SETNX", "k"], bad_arity("setnx")),
        (["SETEX", "k", "1"], bad_arity("setex")),
        (["GETSET", "k"], bad_arity("getset")),
    ],
)
def test_what_they_refuse(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call(*words)) == error


# GETEX, GETDEL


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], 1000),
        (["EX", "50"], 50),
        (["px", "50000"], 50),
        (["PERSIST"], -1),
        (["EXAT", "1"], -2),
        (["PXAT", "1"], -2),
    ],
)
def test_getex_changes_the_time_to_live(client: AnyClient, options: list[str], left: int) -> None:
    client.call("SET", "k", "v", "EX", 1000)
    assert client.call("GETEX", "k", *options) == "v"
    assert client.call("TTL", "k") == left
    assert client.call("GETEX", "none", *options) is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["FOO"], SYNTAX),
        (["EX"], SYNTAX),
        (["PERSIST", "EX", "10"], SYNTAX),
        (["EX", "10", "PX", "10"], SYNTAX),
        (["EX", "10", "PERSIST"], SYNTAX),
        (["KEEPTTL"], SYNTAX),
        (["NX"], SYNTAX),
        (["EX", "x"], BAD_INTEGER),
        (["EX", "0"], bad_expiry("getex")),
        (["PXAT", "-1"], bad_expiry("getex")),
        (["EX", str(MOST)], bad_expiry("getex")),
    ],
)
def test_what_getex_refuses(client: AnyClient, options: list[str], error: str) -> None:
    client.call("SET", "k", "v", "EX", 1000)
    assert error_of(client.call("GETEX", "k", *options)) == error
    assert client.call("TTL", "k") == 1000


def test_getdel_takes_the_key_away(client: AnyClient) -> None:
    client.call("SET", "k", "v")
    assert client.call("GETDEL", "k") == "v"
    assert client.call("GETDEL", "k") is None


@pytest.mark.parametrize(
    "words",
    [
        ["GET", "list"],
        ["GETSET", "list", "v"],
        ["GETDEL", "list"],
        ["GETEX", "list"],
        ["GETEX", "list", "EX", "x"],
        ["STRLEN", "list"],
        ["APPEND", "list", "v"],
        ["SETRANGE", "list", "0", "v"],
        ["SETRANGE", "list", "600000000", "v"],
        ["SETRANGE", "list", "0", ""],
        ["GETRANGE", "list", "0", "1"],
        ["GETRANGE", "list", "-1", "-5"],
        ["SUBSTR", "list", "0", "1"],
        ["INCR", "list"],
        ["DECRBY", "list", "1"],
        ["INCRBYFLOAT", "list", "x"],
    ],
)
def test_what_is_no_string_is_refused(peer: Peer, words: list[str]) -> None:
    peer.hold_list("list")
    assert error_of(peer.connect().call(*words)) == WRONG_TYPE


def test_arguments_are_read_before_the_key(peer: Peer) -> None:
    peer.hold_list("list")
    client = peer.connect()
    for words in (["INCRBY", "list", "x"], ["GETRANGE", "list", "x", "1"], ["SETRANGE", "list", "x", "v"]):
        assert error_of(client.call(*words)) == BAD_INTEGER
    assert error_of(client.call("SETRANGE", "list", "-1", "v")) == "ERR offset is out of range"


# Many keys


def test_mset_and_mget(peer: Peer) -> None:
    client = peer.connect()
    peer.hold_list("list")
    assert client.call("MSET", "a", "1", "b", "2", "a", "3") == "OK"
    assert client.call("MGET", "a", "list", "none", "b", "a") == ["3", None, None, "2", "3"]
    assert error_of(client.call("MSET", "a", "1", "b")) == bad_arity("mset")
    assert error_of(client.call("MSET", "a")) == bad_arity("mset")
    assert error_of(client.call("MGET")) == bad_arity("mget")


def test_msetnx_sets_all_or_none(client: AnyClient) -> None:
    assert client.call("MSETNX", "a", "1", "b", "2") == 1
    assert client.call("MSETNX", "c", "1", "b", "3") == 0
    assert client.call("MGET", "a", "b", "c") == ["1", "2", None]
    assert client.call("MSETNX", "d", "1", "d", "2") == 1
    assert client.call("GET", "d") == "2"
    assert error_of(client.call("MSETNX", "a", "1", "b")) == bad_arity("msetnx")


def test_mset_and_msetnx_forget_the_time_to_live(client: AnyClient) -> None:
    client.call("SET", "a", "1", "EX", 100)
    client.call("MSET", "a", "2")
    assert client.call("TTL", "a") == -1


# Parts of strings


def test_append_and_strlen(client: AnyClient) -> None:
    assert client.call("STRLEN", "k") == 0
    assert client.call("APPEND", "k", "ab") == 2
    assert client.call("APPEND", "k", "") == 2
    assert client.call("APPEND", "k", "cde") == 5
    assert client.call("GET", "k") == "abcde"
    assert client.call("STRLEN", "k") == 5
    client.call("SET", "n", 12)
    client.call("INCR", "n")
    assert client.call("STRLEN", "n") == 2
    assert client.call("APPEND", "n", "4") == 3
    assert client.call("INCR", "n") == 135


def test_setrange_fills_up_with_zeros(client: AnyClient) -> None:
    assert client.call("SETRANGE", "k", 3, "x") == 4
    assert client.call("GET", "k") == "\0\0\0x"
    assert client.call("SETRANGE", "k", 1, "abcd") == 5
    assert client.call("GET", "k") == "\0abcd"
    assert client.call("SETRANGE", "k", 100, "") == 5
    assert client.call("SETRANGE", "none", 100, "") == 0
    assert client.call("EXISTS", "none") == 0


def test_edits_keep_the_time_to_live(client: AnyClient) -> None:
    for words in (["APPEND", "1"], ["SETRANGE", "0", "1"], ["INCR"], ["INCRBYFLOAT", "1"], ["DECRBY", "5"]):
        client.call("SET", "k", 10, "EX", 100)
        client.call(words[0], "k", *words[1:])
        assert client.call("TTL", "k") == 100


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [
        (0, 3, "This"),
        (-3, -1, "ing"),
        (0, -1, "This is a string"),
        (10, 100, "string"),
        (5, 2, ""),
        (-1, -5, ""),
        (-100, 3, "This"),
        (-100, -200, ""),
        (-200, -100, "T"),
        (0, -100, "T"),
        (100, 200, ""),
        (0, MOST, "This is a string"),
    ],
)
def test_getrange(client: AnyClient, start: int, end: int, part: str) -> None:
    client.call("SET", "k", "This is a string")
    client.call("APPEND", "raw", "This is a string")
    client.call("APPEND", "raw", "")
    for words in (["GETRANGE", "k"], ["SUBSTR", "k"], ["GETRANGE", "raw"]):
        assert client.call(*words, start, end) == part
    assert client.call("GETRANGE", "none", start, end) == ""


def test_lengths_are_limited_by_proto_max_bulk_len(peer: Peer) -> None:
    client = peer.connect()
    peer.limit_strings(1024 * 1024)
    client.call("SET", "k", "x" * 1024 * 1023)
    assert client.call("SETRANGE", "k", 1024 * 1024 - 1, "x") == 1024 * 1024
    assert client.call("APPEND", "k", "") == 1024 * 1024
    for words in (
        ["APPEND", "k", "x"],
        ["SETRANGE", "k", "1048576", "x"],
        ["SETRANGE", "none", "1048575", "xy"],
        ["SETRANGE", "none", str(MOST), "x"],
    ):
        assert error_of(client.call(*words)) == TOO_LONG
    assert client.call("SETRANGE", "k", MOST, "") == 1024 * 1024


# Numbers


@pytest.mark.parametrize(
    ("value", "words", "result"),
    [
        (None, ["INCR"], 1),
        (None, ["DECR"], -1),
        ("10", ["INCRBY", "-15"], -5),
        ("-0", ["INCR"], BAD_INTEGER),
        (str(MOST - 1), ["INCR"], MOST),
        (str(MOST), ["INCR"], OVERFLOW),
        (str(MOST), ["INCRBY", str(-MOST)], 0),
        (str(-(2**63)), ["DECR"], OVERFLOW),
        (str(-(2**63)), ["INCRBY", str(MOST)], -1),
        ("1", ["DECRBY", str(-(2**63))], "ERR decrement would overflow"),
        ("-1", ["DECRBY", str(MOST)], -(2**63)),
        ("1", ["INCRBY", str(-(2**63))], 1 - 2**63),
        ("x", ["INCR"], BAD_INTEGER),
        ("", ["INCR"], BAD_INTEGER),
        (" 1", ["INCR"], BAD_INTEGER),
        ("1.0", ["INCR"], BAD_INTEGER),
        ("9223372036854775808", ["DECR"], BAD_INTEGER),
        ("1", ["INCRBY", "1_0"], BAD_INTEGER),
        ("1", ["INCRBY", "+1"], BAD_INTEGER),
        ("1", ["DECRBY", "9223372036854775808"], BAD_INTEGER),
    ],
)
def test_integers(client: AnyClient, value: str | None, words: list[str], result: int | str) -> None:
    if value is not None:
        client.call("SET", "k", value)
    reply = client.call(words[0], "k", *words[1:])
    if isinstance(result, str):
        assert error_of(reply) == result
        assert client.call("GET", "k") == value
    else:
        assert reply == result
        assert client.call("GET", "k") == str(result)


@pytest.mark.parametrize(
    ("value", "increment", "result"),
    [
        ("10.50", "0.1", "10.6"),
        ("0.1", "0.2", "0.3"),
        ("5.0e3", "2.0e2", "5200"),
        ("3.0", "1.000000000000000005", "4.00000000000000001"),
        ("1", "-1", "0"),
        ("-0", "-0", "0"),
        ("1e17", "0.5", "100000000000000000.5"),
        ("0", "1e-17", "0.00000000000000001"),
        ("0", "1e-18", "0"),
        ("0x10", "1", "17"),
        ("1", "x", BAD_FLOAT),
        ("x", "1", BAD_FLOAT),
        ("", "1", BAD_FLOAT),
        ("1 ", "1", BAD_FLOAT),
        ("1", " 1", BAD_FLOAT),
        ("1", "nan", BAD_FLOAT),
        ("1", "inf", "ERR increment would produce NaN or Infinity"),
        ("1", "1e5000", BAD_FLOAT),
        ("1e4932", "1e4932", "ERR increment would produce NaN or Infinity"),
    ],
)
def test_floats(client: AnyClient, value: str, increment: str, result: str) -> None:
    client.call("SET", "k", value)
    reply = client.call("INCRBYFLOAT", "k", increment)
    if result[0] == "E":
        assert error_of(reply) == result
        assert client.call("GET", "k") == value
    else:
        assert reply == client.call("GET", "k") == result


# Encodings


@pytest.mark.parametrize(
    ("commands", "encoding"),
    [
        (["SET k 12"], "int"),
        (["SET k 012"], "embstr"),
        (["SET k " + "x" * 44], "embstr"),
        (["SET k " + "x" * 45], "raw"),
        (["SET k 9223372036854775808"], "embstr"),
        (["INCR k"], "int"),
        (["SET k 12", "APPEND k 3"], "raw"),
        (["APPEND k 3"], "int"),
        (["APPEND k abc"], "embstr"),
        (["SETRANGE k 0 12"], "raw"),
        (["SET k 12", "SETRANGE k 0 3"], "raw"),
        (["SET k 12", "APPEND k 3", "INCR k"], "int"),
        (["SET k 12", "APPEND k 3", "GETSET k 5"], "int"),
        (["INCRBYFLOAT k 3"], "embstr"),
        (["INCRBYFLOAT k 3", "INCR k"], "int"),
        (["SET k 1", "INCRBYFLOAT k 0.5"], "embstr"),
        (["SETEX k 100 12"], "int"),
        (["MSET k 12"], "int"),
        (["SET a 12", "APPEND a 3", "RENAME a k"], "raw"),
        (["SET a 12", "APPEND a 3", "COPY a k"], "raw"),
        (["SETBIT k 2 1"], "raw"),
    ],
)
def test_encodings_after_each_command(client: AnyClient, commands: list[str], encoding: str) -> None:
    for command in commands:
        client.call(*command.split())
    assert client.call("OBJECT", "ENCODING", "k") == encoding


# Events


@pytest.mark.parametrize(
    ("commands", "events"),
    [
        (["SET k 1"], ["new", "set"]),
        (["SET k 1", "SET k 2 EX 100"], ["new", "set", "set", "expire"]),
        (["SET k 1 NX", "SET k 2 NX"], ["new", "set"]),
        (["SET k 1 EX 100", "SET k 2 KEEPTTL"], ["new", "set", "expire", "set"]),
        (["SETEX k 100 1"], ["new", "set", "expire"]),
        (["SETNX k 1", "SETNX k 2"], ["new", "set"]),
        (["SET k 1", "GETSET k 2"], ["new", "set", "set"]),
        (["SET k 1", "GETDEL k", "GETDEL k"], ["new", "set", "del"]),
        (
            ["SET k 1", "GETEX k", "GETEX k EX 100", "GETEX k PERSIST", "GETEX k PERSIST"],
            ["new", "set", "expire", "persist"],
        ),
        (["SET k 1", "GETEX k EXAT 1"], ["new", "set", "del"]),
        (["APPEND k 1", "APPEND k 1", "APPEND k  "], ["new", "append", "append"]),
        (["SETRANGE k 1 x", "SETRANGE k 1 x"], ["new", "setrange", "setrange"]),
        (["INCR k", "DECR k", "INCRBY k 5", "DECRBY k 5"], ["new", "incrby", "incrby", "incrby", "incrby"]),
        (["INCRBYFLOAT k 1", "INCRBYFLOAT k 0"], ["new", "incrbyfloat", "incrbyfloat"]),
        (["MSET a 1 b 2"], ["new", "set", "new", "set"]),
        (["MSETNX a 1 b 2", "MSETNX b 1 c 2"], ["new", "set", "new", "set"]),
    ],
)
def test_events(peer: Peer, commands: list[str], events: list[str]) -> None:
    client, listener = peer.connect(), listener_of(peer)
    for command in commands:
        client.call(*command.split())
    assert [event for event, _ in heard(listener)] == events


def test_a_write_that_changes_nothing_leaves_a_watched_key_alone(client: AnyClient) -> None:
    client.call("SET", "k", "1")
    for words, result in ((["SET", "k", "2", "NX"], []), (["GETEX", "k", "PERSIST"], []), (["SET", "k", "1"], None)):
        client.call("WATCH", "k")
        client.call(*words)
        client.call("MULTI")
        assert client.call("EXEC") == result


def test_a_part_of_a_long_string_is_no_copy_of_it(ours: Ours) -> None:
    client = ours.connect()
    client.call("SETRANGE", "k", 1_000_000, "x")
    value: Any = ours.world.core.keyspace.databases[0].find(b"k")
    assert type(value) is bytearray
    assert client.call("GETRANGE", "k", 999_999, -1) == "\0x"
    assert client.call("STRLEN", "k") == 1_000_001
