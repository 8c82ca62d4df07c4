"""LCS, as redis-server answers it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers import AnyClient, Client, Peer, error_of

CAR, FIRST = "ohmytext", "mynewtext"


@pytest.fixture(autouse=True)
def texts(client: AnyClient) -> None:
    client.call("MSET", "a", CAR, "b", FIRST, "n", "12")
    client.call("INCR", "n")


def test_the_text_its_length_and_where_it_is(client: AnyClient) -> None:
    assert client.call("LCS", "a", "b") == "mytext"
    assert client.call("LCS", "a", "b", "LEN") == 6
    assert client.call("LCS", "a", "b", "IDX") == ["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]


def test_matches_may_be_shown_with_their_length_and_if_long_enough(client: AnyClient) -> None:
    matches: list[Any] = [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]]
    assert client.call("LCS", "a", "b", "idx", "withmatchlen") == ["matches", matches, "len", 6]
    assert client.call("LCS", "a", "b", "IDX", "MINMATCHLEN", 4, "WITHMATCHLEN")[1] == matches[:1]
    assert client.call("LCS", "a", "b", "IDX", "MINMATCHLEN", 5) == ["matches", [], "len", 6]
    assert client.call("LCS", "a", "b", "IDX", "MINMATCHLEN", -1, "WITHMATCHLEN")[1] == matches
    assert client.call("LCS", "a", "b", "MINMATCHLEN", 5) == "mytext"


def test_the_answer_is_a_map_in_resp3(client: AnyClient) -> None:
    client.call("HELLO", 3)
    assert client.call("LCS", "a", "none", "IDX") == {"matches": [], "len": 0}


def test_keys_that_are_not_there_are_empty(client: AnyClient) -> None:
    assert client.call("LCS", "none", "b") == ""
    assert client.call("LCS", "none", "nothing", "LEN") == 0
    assert client.call("LCS", "n", "n") == "13"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["LEN", "IDX"], "ERR If you want both the length and indexes, please just use IDX."),
        (["FOO"], "ERR syntax error"),
        (["MINMATCHLEN"], "ERR syntax error"),
        (["MINMATCHLEN", "x"], "ERR value is not an integer or out of range"),
        (["LEN", "IDX", "FOO"], "ERR syntax error"),
    ],
)
def test_what_it_refuses(client: AnyClient, options: list[str], error: str) -> None:
    assert error_of(client.call("LCS", "a", "b", *options)) == error


def test_it_has_its_own_words_for_what_is_no_string(peer: Peer) -> None:
    peer.hold_list("list")
    client = peer.connect()
    for words in (["list", "a"], ["none", "list", "FOO"]):
        assert error_of(client.call("LCS", *words)) == "ERR The specified keys must contain string values"


def test_what_would_need_too_large_a_table_is_refused(peer: Peer) -> None:
    client = peer.connect()
    peer.limit_strings(1024 * 1024)
    client.call("MSET", "long", "x" * 511, "longer", "x" * 512)
    assert client.call("LCS", "long", "long", "LEN") == 511
    error = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    assert error_of(client.call("LCS", "long", "longer", "LEN")) == error
    assert error_of(client.call("LCS", "long", "longer")) == error


def test_hits_and_misses_are_counted_for_both_keys(our_client: Client) -> None:
    our_client.call("SET", "a", "x")
    our_client.call("LCS", "a", "none")
    assert (our_client.session.db.hits, our_client.session.db.misses) == (1, 1)
