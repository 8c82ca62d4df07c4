"""What is pending in consumer groups, and claiming it."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import START, Client, World
from tests.commands.test_stream_groups import BAD_ID, WRONG_TYPE, read, with_group

NOW = int(START * 1000)


@pytest.fixture
def filled(client: Client) -> Client:
    return with_group(client)


@pytest.fixture
def shared(filled: Client) -> Client:
    """Of five entries two are pending with ``a``, three with ``b``."""
    read(filled, "a", ">", "COUNT", 2)
    read(filled, "b")
    return filled


# XPENDING


def test_pending_entries_are_told_by_range_consumer_and_idle_time(world: World, shared: Client) -> None:
    world.advance(1)
    shared.call("XCLAIM", "s", "g", "c", 0, "4-0")
    world.advance(1)
    assert shared.call("XPENDING", "s", "g", "-", "+", 2) == [["1-0", "a", 2000, 1], ["2-0", "a", 2000, 1]]
    assert shared.call("XPENDING", "s", "g", "(2-0", "4-0", 9) == [["3-0", "b", 2000, 1], ["4-0", "c", 1000, 2]]
    assert shared.call("XPENDING", "s", "g", "IDLE", 1500, "3", "(5-0", 9, "b") == [["3-0", "b", 2000, 1]]
    assert shared.call("XPENDING", "s", "g", "idle", 1500, "-", "+", 9, "c") == []
    assert shared.call("XPENDING", "s", "g", "-", "+", 0) == []
    assert shared.call("XPENDING", "s", "g", "-", "+", -1) == []
    assert shared.call("XPENDING", "s", "g", "-", "+", 9, "nobody") == []
    assert shared.call("XPENDING", "s", "g") == [5, "1-0", "5-0", [["a", "2"], ["b", "2"], ["c", "1"]]]


def test_a_group_with_nothing_pending_says_so(filled: Client) -> None:
    assert filled.call("XPENDING", "s", "g") == [0, None, None, None]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s g -", "ERR syntax error"),
        ("s g - +", "ERR syntax error"),
        ("s g - + 10 c x x x", "ERR syntax error"),
        ("s g IDLE 10 - +", "ERR syntax error"),
        ("s g IDLE x - +", "ERR value is not an integer or out of range"),
        ("s g - + x", "ERR value is not an integer or out of range"),
        ("s g x + 10", BAD_ID),
        ("s g - x 10", BAD_ID),
        ("s g (18446744073709551615-18446744073709551615 + 10", "ERR invalid start ID for the interval"),
        ("s g - (0-0 10", "ERR invalid end ID for the interval"),
        ("s nobody", "NOGROUP No such key 's' or consumer group 'nobody'"),
        ("none g - + 10", "NOGROUP No such key 'none' or consumer group 'g'"),
        ("text g", WRONG_TYPE),
    ],
)
def test_what_xpending_complains_of(filled: Client, words: str, error: str) -> None:
    filled.call("SET", "text", "x")
    assert str(filled.call("XPENDING", *words.split())) == error


# XCLAIM


def test_claiming_moves_entries_that_have_been_idle(world: World, shared: Client) -> None:
    world.advance(1)
    assert shared.call("XCLAIM", "s", "g", "c", 1001, "1-0") == []
    assert shared.call("XCLAIM", "s", "g", "c", 1000, "1-0", "9-9", "3-0") == [
        ["1-0", ["f", "v1"]],
        ["3-0", ["f", "v3"]],
    ]
    assert shared.call("XCLAIM", "s", "g", "c", 1, "1-0") == []
    assert shared.call("XCLAIM", "s", "g", "d", -5, "1-0", "JUSTID") == ["1-0"]
    assert shared.call("XPENDING", "s", "g", "-", "+", 3) == [
        ["1-0", "d", 0, 2],
        ["2-0", "a", 1000, 1],
        ["3-0", "c", 0, 2],
    ]


def test_times_and_counts_may_be_given(world: World, shared: Client) -> None:
    shared.call("XCLAIM", "s", "g", "c", 0, "1-0", "IDLE", 500, "RETRYCOUNT", 7)
    shared.call("XCLAIM", "s", "g", "c", 0, "2-0", "TIME", NOW - 300, "RETRYCOUNT", -1)
    shared.call("XCLAIM", "s", "g", "c", 0, "3-0", "TIME", NOW + 300, "RETRYCOUNT", 2**63 - 1)
    shared.call("XCLAIM", "s", "g", "c", 0, "4-0", "IDLE", -1, "RETRYCOUNT", 0)
    assert shared.call("XPENDING", "s", "g", "-", "+", 9, "c") == [
        ["1-0", "c", 500, 7],
        ["2-0", "c", 300, 2],
        ["3-0", "c", 0, 2**63 - 1],
        ["4-0", "c", 0, 0],
    ]
    world.check()


def test_what_is_not_pending_can_be_forced_to_be(filled: Client) -> None:
    assert filled.call("XCLAIM", "s", "g", "c", 0, "1-0") == []
    assert filled.call("XCLAIM", "s", "g", "c", 99, "1-0", "9-0", "FORCE") == [["1-0", ["f", "v1"]]]
    assert filled.call("XCLAIM", "s", "g", "c", 99, "2-0", "FORCE", "JUSTID", "LASTID", "2-0") == ["2-0"]
    assert filled.call("XPENDING", "s", "g", "-", "+", 9) == [["1-0", "c", 0, 2], ["2-0", "c", 0, 1]]
    assert read(filled, "c", ">", "COUNT", 1) == ["3-0"]


def test_claiming_forgets_what_has_been_deleted(shared: Client) -> None:
    shared.call("XDEL", "s", "1-0", "2-0", "3-0")
    assert shared.call("XCLAIM", "s", "g", "c", 0, "1-0") == []
    assert shared.call("XPENDING", "s", "g")[:2] == [4, "2-0"]
    assert shared.call("XAUTOCLAIM", "s", "g", "c", 0, "-", "COUNT", 2, "JUSTID") == ["4-0", [], ["2-0", "3-0"]]
    assert shared.call("XAUTOCLAIM", "s", "g", "c", 0, "4-0", "JUSTID") == ["0-0", ["4-0", "5-0"], []]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s g c 0", "ERR wrong number of arguments for 'xclaim' command"),
        ("s nobody c x x", "NOGROUP No such key 's' or consumer group 'nobody'"),
        ("none g c x x", "NOGROUP No such key 'none' or consumer group 'g'"),
        ("text g c x x", WRONG_TYPE),
        ("s g c x 1-0", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("s g c 0 x", "ERR Unrecognized XCLAIM option 'x'"),
        ("s g c 0 1-0 FORCE 2-0", "ERR Unrecognized XCLAIM option '2-0'"),
        ("s g c 0 1-0 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
        ("s g c 0 1-0 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("s g c 0 1-0 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
        ("s g c 0 1-0 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("s g c 0 1-0 LASTID x", BAD_ID),
    ],
)
def test_what_xclaim_complains_of(shared: Client, words: str, error: str) -> None:
    shared.call("SET", "text", "x")
    assert str(shared.call("XCLAIM", *words.split())) == error
    assert shared.call("XPENDING", "s", "g")[3] == [["a", "2"], ["b", "3"]]


# XAUTOCLAIM


def test_claiming_goes_on_where_it_stopped(world: World, shared: Client) -> None:
    world.advance(1)
    assert shared.call("XAUTOCLAIM", "s", "g", "c", 1000, "-", "COUNT", 2) == [
        "3-0",
        [["1-0", ["f", "v1"]], ["2-0", ["f", "v2"]]],
        [],
    ]
    assert shared.call("XAUTOCLAIM", "s", "g", "c", 1000, "(3-0", "justid") == ["0-0", ["4-0", "5-0"], []]
    assert shared.call("XAUTOCLAIM", "s", "g", "c", 1000, "0", "COUNT", 5, "JUSTID") == ["0-0", ["3-0"], []]
    assert shared.call("XPENDING", "s", "g", "-", "+", 1) == [["1-0", "c", 0, 2]]


def test_claiming_looks_at_ten_entries_for_each_that_is_wanted(world: World, client: Client) -> None:
    for number in range(1, 26):
        client.call("XADD", "s", f"{number}-0", "f", "v")
    client.call("XGROUP", "CREATE", "s", "g", "0")
    read(client, "a")
    assert client.call("XAUTOCLAIM", "s", "g", "c", 1000, "-", "COUNT", 1) == ["11-0", [], []]
    assert client.call("XAUTOCLAIM", "s", "g", "c", 1000, "11-0", "COUNT", 1) == ["21-0", [], []]
    assert client.call("XAUTOCLAIM", "s", "g", "c", 1000, "21-0", "COUNT", 1) == ["0-0", [], []]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s g c 0", "ERR wrong number of arguments for 'xautoclaim' command"),
        ("text g c x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("text g c 0 x", BAD_ID),
        ("s g c 0 (18446744073709551615-18446744073709551615", "ERR invalid start ID for the interval"),
        ("s g c 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("s g c 0 0 COUNT x", "ERR COUNT must be > 0"),
        ("s g c 0 0 COUNT 576460752303423488", "ERR COUNT must be > 0"),
        (
            "s g c 0 0 COUNT 576460752303423487",
            "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
        ),
        ("s g c 0 0 COUNT", "ERR syntax error"),
        ("s g c 0 0 FOO", "ERR syntax error"),
        ("text g c 0 0", WRONG_TYPE),
        ("s nobody c 0 0", "NOGROUP No such key 's' or consumer group 'nobody'"),
        ("none g c 0 0", "NOGROUP No such key 'none' or consumer group 'g'"),
    ],
)
def test_what_xautoclaim_complains_of(shared: Client, words: str, error: str) -> None:
    shared.call("SET", "text", "x")
    assert str(shared.call("XAUTOCLAIM", *words.split())) == error
    assert shared.call("XPENDING", "s", "g")[3] == [["a", "2"], ["b", "3"]]
