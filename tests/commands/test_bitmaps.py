"""Bitmaps: every option, error, event and effect, as redis-server has them."""

from __future__ import annotations

import pytest

from tests.peers import AnyClient, Client, Ours, Peer, error_of, heard, listener_of

BAD_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_BIT = "ERR bit is not an integer or out of range"
BAD_INTEGER = "ERR value is not an integer or out of range"
BAD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


# SETBIT and GETBIT


def test_setbit_returns_what_the_bit_was_and_fills_up_with_zeros(client: AnyClient) -> None:
    assert client.call("SETBIT", "k", 7, 1) == 0
    assert client.call("SETBIT", "k", 7, 1) == 1
    assert client.call("SETBIT", "k", 7, 0) == 1
    assert client.call("SETBIT", "k", 17, 1) == 0
    assert client.call("GET", "k") == "\0\0@"
    assert [client.call("GETBIT", "k", place) for place in (7, 17, 18, 1000)] == [0, 1, 0, 0]
    assert client.call("GETBIT", "none", 0) == 0


@pytest.mark.parametrize("value", ["12", "abc", "x" * 50])
def test_setbit_makes_a_string_raw_even_where_it_changes_no_bit(peer: Peer, value: str) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("SET", "k", value)
    listener.read_all()
    old = client.call("GETBIT", "k", 3)
    assert client.call("SETBIT", "k", 3, old) == old
    assert client.call("OBJECT", "ENCODING", "k") == "raw"
    assert client.call("GET", "k") == value
    assert heard(listener) == []


def test_setbit_announces_a_change_of_length_and_a_change_of_bit(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("SETBIT", "k", 3, 0)
    client.call("SETBIT", "k", 3, 0)
    client.call("SETBIT", "k", 8, 0)
    client.call("SETBIT", "k", 8, 1)
    assert heard(listener) == [("new", "k"), ("setbit", "k"), ("setbit", "k"), ("setbit", "k")]


def test_setbit_keeps_the_time_to_live(client: AnyClient) -> None:
    client.call("SET", "k", "a", "EX", 100)
    client.call("SETBIT", "k", 100, 1)
    assert 0 < client.call("TTL", "k") <= 100


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["SETBIT", "k", "x", "1"], BAD_OFFSET),
        (["SETBIT", "k", "-1", "1"], BAD_OFFSET),
        (["SETBIT", "k", "4294967296", "1"], BAD_OFFSET),
        (["SETBIT", "k", "x", "2"], BAD_OFFSET),
        (["SETBIT", "k", "0", "2"], BAD_BIT),
        (["SETBIT", "k", "0", "-1"], BAD_BIT),
        (["SETBIT", "k", "0", "x"], BAD_BIT),
        (["SETBIT", "set", "0", "x"], BAD_BIT),
        (["SETBIT", "k", "#1", "1"], BAD_OFFSET),
        (["GETBIT", "k", "4294967296"], BAD_OFFSET),
        (["GETBIT", "k", " 1"], BAD_OFFSET),
        (["SETBIT", "k", "0"], "ERR wrong number of arguments for 'setbit' command"),
        (["GETBIT", "k"], "ERR wrong number of arguments for 'getbit' command"),
    ],
)
def test_what_setbit_and_getbit_refuse(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call(*words)) == error
    assert client.call("EXISTS", "k") == 0


def test_offsets_are_limited_by_proto_max_bulk_len(peer: Peer) -> None:
    client = peer.connect()
    peer.limit_strings(1024 * 1024)
    assert client.call("SETBIT", "k", 8 * 1024 * 1024 - 1, 1) == 0
    assert client.call("STRLEN", "k") == 1024 * 1024
    assert error_of(client.call("SETBIT", "k", 8 * 1024 * 1024, 1)) == BAD_OFFSET
    assert error_of(client.call("BITFIELD", "k", "GET", "u1", 8 * 1024 * 1024)) == BAD_OFFSET
    assert client.call("BITFIELD", "k", "SET", "u32", 8 * 1024 * 1024 - 1, 1) == [2147483648]
    assert client.call("STRLEN", "k") == 1024 * 1024 + 4


def test_a_bit_of_a_large_bitmap_is_set_in_place(ours: Ours) -> None:
    client = ours.connect()
    client.call("SETBIT", "k", 8 * 4_000_000, 1)
    database = ours.world.core.keyspace.databases[0]
    text = database.find(b"k")
    client.call("SETBIT", "k", 5, 1)
    client.call("BITFIELD", "k", "SET", "u8", 100, 3)
    assert database.find(b"k") is text


def test_a_reply_within_exec_does_not_see_what_is_set_behind_it(client: AnyClient) -> None:
    client.call("SETBIT", "k", 7, 0)
    for words in (["MULTI"], ["GET", "k"], ["SETBIT", "k", "7", "1"], ["GET", "k"]):
        client.call(*words)
    assert client.call("EXEC") == ["\0", 0, "\x01"]


@pytest.mark.parametrize(
    "words",
    [
        ["SETBIT", "list", "0", "1"],
        ["GETBIT", "list", "0"],
        ["BITCOUNT", "list"],
        ["BITCOUNT", "list", "0", "0"],
        ["BITPOS", "list", "1"],
        ["BITOP", "AND", "to", "none", "list"],
        ["BITFIELD", "list", "GET", "u8", "0"],
        ["BITFIELD", "list", "SET", "u8", "0", "1"],
        ["BITFIELD", "list"],
        ["BITFIELD_RO", "list", "GET", "u8", "0"],
    ],
)
def test_what_is_no_string_has_no_bits(peer: Peer, words: list[str]) -> None:
    peer.hold_list("list")
    assert error_of(peer.connect().call(*words)) == WRONG_TYPE


# BITCOUNT and BITPOS


def test_bitcount_counts_bits_of_bytes_and_of_ranges_of_bits(client: AnyClient) -> None:
    client.call("SET", "k", "foobar")
    assert client.call("BITCOUNT", "k") == 26
    assert client.call("BITCOUNT", "k", 0, 0) == 4
    assert client.call("BITCOUNT", "k", 1, 1, "byte") == 6
    assert client.call("BITCOUNT", "k", 5, 30, "BIT") == 17
    assert client.call("BITCOUNT", "k", -2, -1) == 7
    assert client.call("BITCOUNT", "k", -5, -7) == 0
    assert client.call("BITCOUNT", "k", -100, -50) == 4
    assert client.call("BITCOUNT", "k", 3, 1) == 0
    assert client.call("BITCOUNT", "k", 100, 200) == 0
    assert client.call("BITCOUNT", "none") == 0
    client.call("SET", "n", 7)
    client.call("INCR", "n")
    assert client.call("BITCOUNT", "n") == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["BITCOUNT", "k", "1"], "ERR syntax error"),
        (["BITCOUNT", "k", "1", "2", "BITS"], "ERR syntax error"),
        (["BITCOUNT", "k", "1", "2", "BIT", "x"], "ERR syntax error"),
        (["BITCOUNT", "k", "x", "2", "BITS"], BAD_INTEGER),
        (["BITCOUNT", "k", "1", "1.5"], BAD_INTEGER),
        (["BITPOS", "k", "2"], "ERR The bit argument must be 1 or 0."),
        (["BITPOS", "k", "x"], BAD_INTEGER),
        (["BITPOS", "k", "2", "x"], "ERR The bit argument must be 1 or 0."),
        (["BITPOS", "k", "1", "x"], BAD_INTEGER),
        (["BITPOS", "k", "1", "1", "x", "BITS"], "ERR syntax error"),
        (["BITPOS", "k", "1", "1", "x", "BIT"], BAD_INTEGER),
        (["BITPOS", "k", "1", "1", "2", "BIT", "x"], "ERR syntax error"),
    ],
)
def test_what_bitcount_and_bitpos_refuse(client: AnyClient, words: list[str], error: str) -> None:
    client.call("SET", "k", "a")
    assert error_of(client.call(*words)) == error


def test_bitcount_and_bitpos_look_at_their_arguments_before_the_key(our_client: Client) -> None:
    assert error_of(our_client.call("BITCOUNT", "none", "x", "1")) == BAD_INTEGER
    assert error_of(our_client.call("BITPOS", "none", "1", "x")) == BAD_INTEGER


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["full", "0"], 24),
        (["full", "0", "1"], 24),
        (["full", "0", "0", "-1"], -1),
        (["full", "0", "3"], -1),
        (["full", "1", "2"], 16),
        (["zeros", "1"], -1),
        (["zeros", "0", "1"], 8),
        (["mixed", "1"], 12),
        (["mixed", "0", "1", "1"], 8),
        (["mixed", "1", "13", "20", "BIT"], 13),
        (["mixed", "0", "13", "15", "BIT"], -1),
        (["mixed", "0", "13", "-1", "BIT"], 16),
        (["mixed", "1", "16", "-1", "BIT"], -1),
        (["mixed", "1", "-1", "-100"], -1),
        (["empty", "0"], -1),
        (["empty", "1"], -1),
        (["none", "0"], 0),
        (["none", "1"], -1),
    ],
)
def test_bitpos_finds_the_first_bit(client: AnyClient, words: list[str], place: int) -> None:
    for key, value in (("full", b"\xff" * 3), ("zeros", b"\0" * 3), ("mixed", b"\0\x0f\0"), ("empty", b"")):
        client.call("SET", key, value)
    assert client.call("BITPOS", *words) == place


# BITOP


@pytest.mark.parametrize(
    ("operation", "keys", "result"),
    [
        ("AND", ["a", "b"], b"\x01\x02\0"),
        ("or", ["a", "b"], b"\x0f\xff\x03"),
        ("XOR", ["a", "b"], b"\x0e\xfd\x03"),
        ("NOT", ["a"], b"\xf0\x00\xfc"),
        ("AND", ["a", "none"], b"\0\0\0"),
        ("OR", ["a", "none"], b"\x0f\xff\x03"),
        ("XOR", ["a", "a"], b"\0\0\0"),
        ("AND", ["a"], b"\x0f\xff\x03"),
        ("OR", ["int", "b"], b"1\x02"),
    ],
)
def test_bitop_combines_strings_of_any_length(peer: Peer, operation: str, keys: list[str], result: bytes) -> None:
    client = peer.connect(decode=False)
    client.call("MSET", "a", b"\x0f\xff\x03", "b", b"\x01\x02", "int", "0")
    client.call("INCR", "int")
    client.call("SET", "to", "x", "EX", 100)
    assert client.call("BITOP", operation, "to", *keys) == len(result)
    assert client.call("GET", "to") == result
    assert client.call("TTL", "to") == -1
    assert client.call("OBJECT", "ENCODING", "to") == b"raw"


def test_bitop_removes_its_target_where_nothing_comes_out(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("SET", "to", "1")
    listener.read_all()
    assert client.call("BITOP", "AND", "to", "none", "nothing") == 0
    assert client.call("EXISTS", "to") == 0
    assert client.call("BITOP", "NOT", "to", "none") == 0
    assert heard(listener) == [("del", "to")]


def test_bitop_may_write_to_one_of_its_sources(client: AnyClient) -> None:
    client.call("MSET", "a", "abc", "b", "a")
    assert client.call("BITOP", "XOR", "a", "a", "b") == 3
    assert client.call("GET", "a") == "\0bc"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["BITOP", "NAND", "to", "a"], "ERR syntax error"),
        (["BITOP", "NOT", "to", "a", "b"], "ERR BITOP NOT must be called with a single source key."),
        (["BITOP", "AND", "to"], "ERR wrong number of arguments for 'bitop' command"),
    ],
)
def test_what_bitop_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call(*words)) == error


# BITFIELD


def test_bitfield_reads_sets_and_adds(client: AnyClient) -> None:
    assert client.call("BITFIELD", "k", "SET", "u8", 0, 200, "GET", "u8", 0, "INCRBY", "u8", 0, 10) == [0, 200, 210]
    assert client.call("BITFIELD", "k", "GET", "i8", 0, "GET", "u4", 0, "GET", "u4", "#1") == [-46, 13, 2]
    assert client.call("BITFIELD", "k", "set", "i5", "#2", -3, "get", "i5", 10) == [0, -3]
    assert client.call("BITFIELD_RO", "k", "GET", "u8", 0, "GET", "u63", 1000) == [210, 0]
    assert client.call("BITFIELD", "k") == []


@pytest.mark.parametrize(
    ("overflow", "answers"),
    [("WRAP", [4, -126, 1]), ("SAT", [255, 127, 0]), ("FAIL", [None, None, None])],
)
def test_bitfield_overflows_as_it_is_told(client: AnyClient, overflow: str, answers: list[int | None]) -> None:
    client.call("BITFIELD", "k", "SET", "u8", 0, 250, "SET", "i8", 8, 120)
    added = client.call("BITFIELD", "k", "OVERFLOW", overflow, "INCRBY", "u8", 0, 10, "INCRBY", "i8", 8, 10)
    assert added == answers[:2]
    client.call("BITFIELD", "k", "SET", "u8", 0, 0)
    below = {"WRAP": 255, "SAT": 0, "FAIL": None}[overflow]
    assert client.call("BITFIELD", "k", "OVERFLOW", overflow, "INCRBY", "u8", 0, -1) == [below]
    stored = {"WRAP": 255, "SAT": 255, "FAIL": 0}[overflow]
    client.call("BITFIELD", "n", "OVERFLOW", overflow, "SET", "u8", 0, -1)
    assert client.call("BITFIELD", "n", "GET", "u8", 0) == [stored]


@pytest.mark.parametrize(
    ("width", "number", "stored"),
    [
        (5, -(2**63), 15),
        (5, 14 - 2**63, 15),
        (5, 16 - 2**63, -16),
        (63, 1 - 2**63, 2**62 - 1),
        (64, -(2**63), -(2**63)),
    ],
)
def test_the_smallest_numbers_are_too_large_for_a_small_field_as_in_redis(
    client: Client, width: int, number: int, stored: int
) -> None:
    assert client.call("BITFIELD", "k", "OVERFLOW", "SAT", "SET", f"i{width}", 0, number) == [0]
    assert client.call("BITFIELD", "k", "GET", f"i{width}", 0) == [stored]


def test_bitfield_at_the_limits_of_64_bits(client: AnyClient) -> None:
    largest = 2**63 - 1
    assert client.call("BITFIELD", "k", "SET", "i64", 3, largest, "INCRBY", "i64", 3, 1) == [0, -(2**63)]
    assert client.call("BITFIELD", "k", "OVERFLOW", "SAT", "INCRBY", "i64", 3, -1) == [-(2**63)]
    assert client.call("BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "i64", 3, -1) == [None]
    assert client.call("BITFIELD", "u", "SET", "u63", 0, largest, "INCRBY", "u63", 0, 1) == [0, 0]


def test_bitfield_that_only_reads_makes_no_key_and_one_that_fails_does(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    assert client.call("BITFIELD", "k", "GET", "u8", 0, "OVERFLOW", "FAIL") == [0]
    assert client.call("EXISTS", "k") == 0
    assert client.call("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u8", 16, 300) == [None]
    assert client.call("STRLEN", "k") == 3
    assert heard(listener) == [("new", "k")]
    client.call("BITFIELD", "k", "SET", "u8", 0, 0, "SET", "u8", 8, 5, "INCRBY", "u8", 8, 1)
    assert heard(listener) == [("setbit", "k")]
    client.call("BITFIELD", "k", "SET", "u8", 8, 6)
    assert heard(listener) == []


def test_a_failing_bitfield_leaves_a_watched_key_as_unchanged(client: AnyClient) -> None:
    client.call("WATCH", "k")
    client.call("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u8", 0, 300)
    client.call("MULTI")
    assert client.call("EXEC") == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["GET", "u64", "0"], BAD_TYPE),
        (["GET", "i65", "0"], BAD_TYPE),
        (["GET", "u0", "0"], BAD_TYPE),
        (["GET", "I8", "0"], BAD_TYPE),
        (["GET", "u", "0"], BAD_TYPE),
        (["GET", "", "0"], BAD_TYPE),
        (["GET", "u08", "x"], BAD_TYPE),
        (["GET", "u8", "x"], BAD_OFFSET),
        (["GET", "u8", "#-1"], BAD_OFFSET),
        (["GET", "u8", "#"], BAD_OFFSET),
        (["GET", "u8"], "ERR syntax error"),
        (["SET", "u8", "0"], "ERR syntax error"),
        (["SET", "u8", "0", "x"], BAD_INTEGER),
        (["SET", "u8", "x", "x"], BAD_OFFSET),
        (["INCRBY", "u8", "0", "1.5"], BAD_INTEGER),
        (["OVERFLOW"], "ERR syntax error"),
        (["OVERFLOW", "NONE"], "ERR Invalid OVERFLOW type specified"),
        (["FOO", "u8", "0"], "ERR syntax error"),
        (["SET", "u8", "0", "1", "GET", "x", "0"], BAD_TYPE),
    ],
)
def test_what_bitfield_refuses_before_it_changes_anything(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("BITFIELD", "k", *words)) == error
    assert client.call("EXISTS", "k") == 0


def test_bitfield_ro_only_reads(client: AnyClient) -> None:
    error = "ERR BITFIELD_RO only supports the GET subcommand"
    assert error_of(client.call("BITFIELD_RO", "k", "SET", "u8", 0, 1)) == error
    assert error_of(client.call("BITFIELD_RO", "k", "SET", "x", 0, 1)) == BAD_TYPE


def test_offsets_in_fields_wrap_as_long_long_does(client: AnyClient) -> None:
    assert client.call("BITFIELD", "k", "GET", "u4", "#4611686018427387904") == [0]
    assert error_of(client.call("BITFIELD", "k", "GET", "u2", "#4611686018427387904")) == BAD_OFFSET
