"""HyperLogLog commands: the bytes of the value, estimates, errors, events, as redis-server has them."""

from __future__ import annotations

import pytest

from tests.peers import AnyClient, Client, Peer, error_of, heard, listener_of

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_HLL = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPTED = "INVALIDOBJ Corrupted HLL object detected"
EMPTY = b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff"


def test_a_new_one_is_sparse_and_raw(peer: Peer) -> None:
    client = peer.connect(decode=False)
    assert client.call("PFADD", "k") == 1
    assert client.call("PFADD", "k") == 0
    assert client.call("GET", "k") == EMPTY
    assert client.call("OBJECT", "ENCODING", "k") == b"raw"


def test_pfadd_tells_whether_a_register_has_changed(client: AnyClient) -> None:
    assert client.call("PFADD", "k", "a", "b", "c") == 1
    assert client.call("PFADD", "k", "a", "b", "c") == 0
    assert client.call("PFADD", "k", "d", "a") == 1
    assert client.call("PFCOUNT", "k") == 4


def test_the_estimate_is_kept_in_the_value(peer: Peer) -> None:
    client = peer.connect(decode=False)
    client.call("PFADD", "k", "a", "b", "c")
    assert client.call("GETRANGE", "k", 15, 15) == b"\x80"
    assert client.call("PFCOUNT", "k") == 3
    assert client.call("GETRANGE", "k", 8, 15) == b"\x03" + bytes(7)
    client.call("SETRANGE", "k", 8, "\x07")
    assert client.call("PFCOUNT", "k") == 7


def test_pfcount_of_one_key_counts_as_a_change(peer: Peer) -> None:
    client, other = peer.connect(), peer.connect()
    client.call("PFADD", "k", "a")
    client.call("WATCH", "k")
    other.call("PFCOUNT", "k")
    client.call("MULTI")
    assert client.call("EXEC") is None
    client.call("WATCH", "k")
    other.call("PFCOUNT", "k")
    client.call("MULTI")
    assert client.call("EXEC") == []


def test_unions(client: AnyClient) -> None:
    client.call("PFADD", "a", *range(100))
    client.call("PFADD", "b", *range(50, 150))
    assert client.call("PFCOUNT", "a", "b", "none") == 151
    assert client.call("PFMERGE", "c", "a", "b", "none") == "OK"
    assert client.call("PFCOUNT", "c") == 151
    assert client.call("PFCOUNT", "none") == client.call("PFCOUNT", "none", "none") == 0
    assert client.call("PFMERGE", "d") == "OK"
    assert client.call("PFDEBUG", "DECODE", "d") == "Z:16384"


def test_a_union_with_a_dense_one_is_dense(client: AnyClient) -> None:
    client.call("PFADD", "a", "x")
    client.call("PFADD", "b", "y")
    assert client.call("PFDEBUG", "TODENSE", "b") == 1
    assert client.call("PFDEBUG", "TODENSE", "b") == 0
    client.call("PFMERGE", "a", "b")
    assert client.call("PFDEBUG", "ENCODING", "a") == "dense"
    assert client.call("STRLEN", "a") == 12304
    assert client.call("PFCOUNT", "a") == 2


def test_many_elements_make_it_dense(client: AnyClient) -> None:
    for start in range(0, 3000, 100):
        client.call("PFADD", "k", *range(start, start + 100))
    assert client.call("PFDEBUG", "ENCODING", "k") == "dense"
    assert client.call("PFCOUNT", "k") == 3004
    registers = client.call("PFDEBUG", "GETREG", "k")
    assert len(registers) == 16384 and 2500 < sum(map(bool, registers)) < 3000


def test_the_limit_of_the_sparse_form_is_a_setting(our_client: Client) -> None:
    our_client.session.keyspace.encodings.hll_sparse_max_bytes = 30
    our_client.call("PFADD", "k", *range(10))
    assert our_client.call("PFDEBUG", "ENCODING", "k") == "dense"


def test_events(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("PFADD", "k", "a")
    client.call("PFADD", "k", "a")
    client.call("PFCOUNT", "k")
    client.call("PFMERGE", "l", "k")
    client.call("PFDEBUG", "TODENSE", "k")
    assert heard(listener) == [("new", "k"), ("pfadd", "k"), ("new", "l"), ("pfadd", "l")]


def test_the_time_to_live_is_kept(client: AnyClient) -> None:
    client.call("PFADD", "k", "a")
    client.call("EXPIRE", "k", 100)
    client.call("PFADD", "k", "b")
    client.call("PFMERGE", "k", "k")
    assert 0 < client.call("TTL", "k") <= 100


@pytest.mark.parametrize("words", [["PFADD", "k", "a"], ["PFCOUNT", "k"], ["PFCOUNT", "k", "k"], ["PFMERGE", "d", "k"]])
@pytest.mark.parametrize("value", ["", "12", "HYLL", "x" * 20, "HYLL\2" + "\0" * 20, "HYLL" + "\0" * 20])
def test_other_strings_are_refused(client: AnyClient, words: list[str], value: str) -> None:
    client.call("SET", "k", value)
    assert error_of(client.call(*words)) == NO_HLL
    assert client.call("GET", "k") == value
    client.call("DEL", "k")
    client.call("RPUSH", "k", "a")
    assert error_of(client.call(*words)) == WRONG_TYPE


@pytest.mark.parametrize(
    "words",
    [["PFADD", "k", "a"], ["PFCOUNT", "k"], ["PFCOUNT", "k", "k"], ["PFMERGE", "d", "k"], ["PFDEBUG", "GETREG", "k"]],
)
def test_runs_that_do_not_add_up_are_refused(client: AnyClient, words: list[str]) -> None:
    client.call("SET", "k", b"HYLL\x01" + bytes(10) + b"\x80\x00")
    assert error_of(client.call(*words)) == CORRUPTED
    assert client.call("EXISTS", "d") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["PFDEBUG", "DECODE", "none"], "ERR The specified key does not exist"),
        (["PFDEBUG", "nope", "k"], "ERR Unknown PFDEBUG subcommand 'nope'"),
        (["PFDEBUG", "DECODE", "k", "x"], "ERR wrong number of arguments for 'pfdebug' command"),
        (["PFDEBUG", "DECODE", "dense"], "ERR HLL encoding is not sparse"),
        (["PFADD"], "ERR wrong number of arguments for 'pfadd' command"),
    ],
)
def test_what_is_wrong_otherwise(client: AnyClient, words: list[str], error: str) -> None:
    client.call("PFADD", "k", "a")
    client.call("PFADD", "dense", "a")
    client.call("PFDEBUG", "TODENSE", "dense")
    assert error_of(client.call(*words)) == error


def test_the_self_test_is_passed(our_client: Client) -> None:
    assert our_client.call("PFSELFTEST") == "OK"


@pytest.mark.parametrize("behind", [b"\x80", b"\x00", b"\x40\x00", b"\x40", b"\xff\xfd\x83"])
@pytest.mark.parametrize(
    "words",
    [
        ["PFCOUNT", "k"],
        ["PFCOUNT", "k", "none"],
        ["PFMERGE", "k"],
        ["PFMERGE", "d", "k"],
        ["PFDEBUG", "GETREG", "k"],
        ["PFDEBUG", "TODENSE", "k"],
    ],
)
def test_runs_behind_the_last_register_are_refused(client: AnyClient, words: list[str], behind: bytes) -> None:
    """Since the releases of July 2025, which check each run (Debian's 7.0.15 has that, 7.4 from 7.4.5 on); before them
    runs of values were not looked at."""
    value = b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff" + behind
    client.call("SET", "k", value)
    assert error_of(client.call(*words)) == CORRUPTED
    assert client.call("DUMP", "d") is None
    assert client.call("STRLEN", "k") == len(value)
