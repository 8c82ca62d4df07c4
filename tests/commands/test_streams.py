"""Streams by their commands: what is told apart in them, what each complains of, and who is woken."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.store.events import ALL, KEYEVENT, NEW
from pycache_server.testing.inprocess import START, Client, World

NOW = int(START * 1000)


def fill(client: Client, key: str, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        client.call("XADD", key, f"{number}-0", "f", f"v{number}")


def ids(reply: Any) -> list[str]:
    return [number for number, _ in reply]


def info(client: Client, key: str = "s") -> dict[str, Any]:
    words = client.call("XINFO", "STREAM", key)
    return dict(zip(words[::2], words[1::2], strict=True))


# Adding


def test_ids_follow_the_clock_and_never_go_back(world: World, client: Client) -> None:
    assert client.call("XADD", "s", "*", "f", "v") == f"{NOW}-0"
    assert client.call("XADD", "s", "*", "f", "v") == f"{NOW}-1"
    world.advance(0.25)
    assert client.call("XADD", "s", "*", "f", "v") == f"{NOW + 250}-0"
    assert client.call("XADD", "s", f"{NOW + 5000}-7", "f", "v") == f"{NOW + 5000}-7"
    assert client.call("XADD", "s", "*", "f", "v") == f"{NOW + 5000}-8"


def test_part_of_an_id_may_be_left_to_the_server(client: Client) -> None:
    assert client.call("XADD", "s", "0-*", "f", "v") == "0-1"
    assert client.call("XADD", "s", "5-*", "f", "v") == "5-0"
    assert client.call("XADD", "s", "5-*", "f", "v") == "5-1"
    assert client.call("XADD", "s", "6", "f", "v") == "6-0"
    assert client.call("XADD", "s", "6-18446744073709551615", "f", "v") == "6-18446744073709551615"
    assert str(client.call("XADD", "s", "6-*", "f", "v")) == (
        "ERR The ID specified in XADD is equal or smaller than the target stream top item"
    )


def test_the_last_id_of_all_is_the_end(client: Client) -> None:
    client.call("XADD", "s", "18446744073709551615-18446744073709551614", "f", "v")
    assert client.call("XADD", "s", "*", "f", "v") == "18446744073709551615-18446744073709551615"
    for number in ("*", "5-1", "5-*"):
        assert str(client.call("XADD", "s", number, "f", "v")) == (
            "ERR The stream has exhausted the last possible ID, unable to add more items"
        )


def test_a_stream_is_not_created_against_the_will_of_the_client(client: Client) -> None:
    assert client.call("XADD", "s", "NOMKSTREAM", "*", "f", "v") is None
    assert client.call("EXISTS", "s") == 0
    fill(client, "s", 1)
    assert client.call("XADD", "s", "NOMKSTREAM", "2-0", "f", "v") == "2-0"
    assert client.call("TYPE", "s") == "stream"
    assert client.call("OBJECT", "ENCODING", "s") == "stream"


def test_an_entry_that_is_too_large_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycache_server.store.stream.LARGEST_LISTPACK", 10)
    assert str(client.call("XADD", "s", "1-1", "field", "value12")) == "ERR Elements are too large to be stored"
    assert client.call("EXISTS", "s") == 0


def test_adding_trims_exactly_or_in_whole_nodes(client: Client) -> None:
    fill(client, "s", 250)
    client.call("XADD", "s", "MAXLEN", "~", 100, "300-0", "f", "v")
    assert client.call("XLEN", "s") == 151
    client.call("XADD", "s", "maxlen", "=", 100, "301-0", "f", "v")
    assert client.call("XLEN", "s") == 100
    client.call("XADD", "s", "MINID", 300, "302-0", "f", "v")
    assert ids(client.call("XRANGE", "s", "-", "+")) == ["300-0", "301-0", "302-0"]
    client.call("XADD", "s", "MAXLEN", 0, "303-0", "f", "v")
    assert client.call("XLEN", "s") == 0
    assert client.call("EXISTS", "s") == 1


def test_trimming_in_whole_nodes_does_not_go_on_for_long(world: World, client: Client) -> None:
    world.core.keyspace.encodings.stream_node_max_entries = 2
    fill(client, "s", 300)
    assert client.call("XTRIM", "s", "MAXLEN", "~", 0) == 200
    assert client.call("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 9) == 8
    assert client.call("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 0) == 92
    world.core.keyspace.encodings.stream_node_max_entries = 0
    assert client.call("XTRIM", "s", "MINID", "~", 9) == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s 1", "ERR wrong number of arguments for 'xadd' command"),
        ("s 1-1 f", "ERR wrong number of arguments for 'xadd' command"),
        ("s * f v g", "ERR wrong number of arguments for 'xadd' command"),
        ("s NOMKSTREAM MAXLEN 5", "ERR wrong number of arguments for 'xadd' command"),
        ("s MAXLEN x 0-0 f", "ERR value is not an integer or out of range"),
        ("s 0-0 f", "ERR wrong number of arguments for 'xadd' command"),
        ("s 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0"),
        ("text 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0"),
        ("s x f v", "ERR Invalid stream ID specified as stream command argument"),
        ("s - f v", "ERR Invalid stream ID specified as stream command argument"),
        ("s -* f v", "ERR Invalid stream ID specified as stream command argument"),
        ("s MAXLEN ~ * f v", "ERR value is not an integer or out of range"),
        ("s MAXLEN -1 * f v", "ERR The MAXLEN argument must be >= 0."),
        ("s MINID (1 * f v", "ERR Invalid stream ID specified as stream command argument"),
        ("s LIMIT -1 * f v", "ERR The LIMIT argument must be >= 0."),
        ("s LIMIT x * f v", "ERR value is not an integer or out of range"),
        ("s LIMIT 5 * f v", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("s LIMIT 0 * f v", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("s MAXLEN = 5 LIMIT 0 * f", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        (
            "s MAXLEN 5 MAXLEN x * f v",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        ("text 1-1 f v", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_what_xadd_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert str(client.call("XADD", *words.split())) == error
    assert client.call("EXISTS", "s") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s FOO 1", "ERR syntax error"),
        ("s MAXLEN 5 FOO", "ERR syntax error"),
        ("s LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy"),
        ("s LIMIT 5", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("s MINID 5 LIMIT 5", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        (
            "s MINID 5 MAXLEN 5",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        ("text MAXLEN 5", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_what_xtrim_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert str(client.call("XTRIM", *words.split())) == error
    assert client.call("XTRIM", "none", "MAXLEN", 0) == 0


# Deleting, and what is remembered


def test_deleted_entries_are_gone_and_the_greatest_is_remembered(client: Client) -> None:
    fill(client, "s", 5)
    assert client.call("XDEL", "s", "1", "3-0", "3-0", "9-9") == 2
    assert ids(client.call("XRANGE", "s", "-", "+")) == ["2-0", "4-0", "5-0"]
    found = info(client)
    assert found["max-deleted-entry-id"] == "3-0"
    assert found["recorded-first-entry-id"] == "2-0"
    assert found["entries-added"] == 5
    assert client.call("XDEL", "none", "x") == 0
    assert str(client.call("XDEL", "s", "2-0", "x")) == ("ERR Invalid stream ID specified as stream command argument")
    assert client.call("XLEN", "s") == 3


def test_what_xinfo_tells(client: Client) -> None:
    fill(client, "s", 150)
    assert client.call("XINFO", "STREAM", "s") == [
        *("length", 150, "radix-tree-keys", 2, "radix-tree-nodes", 6, "last-generated-id", "150-0"),
        *("max-deleted-entry-id", "0-0", "entries-added", 150, "recorded-first-entry-id", "1-0", "groups", 0),
        *("first-entry", ["1-0", ["f", "v1"]], "last-entry", ["150-0", ["f", "v150"]]),
    ]
    full = client.call("XINFO", "STREAM", "s", "full", "COUNT", 2)
    assert full[14:] == ["entries", [["1-0", ["f", "v1"]], ["2-0", ["f", "v2"]]], "groups", []]
    assert [len(client.call("XINFO", "STREAM", "s", "FULL", *more)[15]) for more in ([], ["COUNT", 0])] == [10, 150]
    assert len(client.call("XINFO", "STREAM", "s", "FULL", "COUNT", -1)[15]) == 10
    client.call("XTRIM", "s", "MAXLEN", 0)
    assert client.call("XINFO", "STREAM", "s")[-4:] == ["first-entry", None, "last-entry", None]
    client.call("HELLO", 3)
    assert client.call("XINFO", "STREAM", "s")["recorded-first-entry-id"] == "0-0"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("none FOO", "ERR no such key"),
        ("text FOO", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("s FOO", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("s FULL COUNT", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("s FULL 5 COUNT", "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("s FULL COUNT x", "ERR value is not an integer or out of range"),
    ],
)
def test_what_xinfo_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    fill(client, "s", 1)
    assert str(client.call("XINFO", "STREAM", *words.split())) == error


def test_xsetid_changes_what_is_remembered(client: Client) -> None:
    fill(client, "s", 2)
    assert client.call("XSETID", "s", "10-5", "ENTRIESADDED", 7, "MAXDELETEDID", "3-3") == "OK"
    found = info(client)
    assert (found["last-generated-id"], found["entries-added"], found["max-deleted-entry-id"]) == ("10-5", 7, "3-3")
    assert client.call("XSETID", "s", "4-0") == "OK"
    assert client.call("XADD", "s", "4-*", "f", "v") == "4-1"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s x FOO", "ERR Invalid stream ID specified as stream command argument"),
        ("none 5 FOO", "ERR syntax error"),
        ("none 5 ENTRIESADDED x", "ERR value is not an integer or out of range"),
        ("none 5 ENTRIESADDED -1", "ERR entries_added must be positive"),
        ("none 5 MAXDELETEDID x", "ERR Invalid stream ID specified as stream command argument"),
        (
            "none 5 MAXDELETEDID 5-1",
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        ),
        ("none 5", "ERR no such key"),
        ("text 5", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("s 1-9", "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"),
        ("s 2-9", "ERR The ID specified in XSETID is smaller than the target stream top item"),
        ("s 9 ENTRIESADDED 1", "ERR The entries_added specified in XSETID is smaller than the target stream length"),
    ],
)
def test_what_xsetid_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    fill(client, "s", 4)
    client.call("XDEL", "s", "2-0")
    assert str(client.call("XSETID", *words.split())) == error
    assert info(client)["last-generated-id"] == "4-0"


# Ranges


def test_ranges_include_their_ends_unless_told_otherwise(client: Client) -> None:
    for number in ("1-1", "1-2", "2-0", "3-5"):
        client.call("XADD", "s", number, "f", "v")
    assert ids(client.call("XRANGE", "s", "1", "2")) == ["1-1", "1-2", "2-0"]
    assert ids(client.call("XRANGE", "s", "(1-1", "(3-5")) == ["1-2", "2-0"]
    assert ids(client.call("XRANGE", "s", "(1", "(1")) == ["1-1", "1-2"]
    assert ids(client.call("XREVRANGE", "s", "+", "1-2")) == ["3-5", "2-0", "1-2"]
    assert ids(client.call("XREVRANGE", "s", "+", "-", "COUNT", 2)) == ["3-5", "2-0"]
    assert client.call("XRANGE", "s", "+", "-") == []
    assert client.call("XRANGE", "none", "-", "+", "COUNT", 0) == []
    assert client.call("XRANGE", "s", "-", "+", "COUNT", 0) is None
    assert client.call("XRANGE", "s", "-", "+", "COUNT", 2, "COUNT", -9) is None
    assert client.raw.endswith(b"*-1\r\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s (18446744073709551615-18446744073709551615 x", "ERR invalid start ID for the interval"),
        ("s - (0-0", "ERR invalid end ID for the interval"),
        ("s (- +", "ERR Invalid stream ID specified as stream command argument"),
        ("s - ( COUNT x", "ERR Invalid stream ID specified as stream command argument"),
        ("s - + COUNT x", "ERR value is not an integer or out of range"),
        ("s - + COUNT", "ERR syntax error"),
        ("s - + FOO 1", "ERR syntax error"),
        ("text - +", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_what_xrange_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert str(client.call("XRANGE", *words.split())) == error


def test_entries_with_other_fields_keep_them(client: Client) -> None:
    client.call("XADD", "s", "1-0", "a", "1", "b", "2")
    client.call("XADD", "s", "2-0", "a", "3", "c", "4", "d", "5")
    client.call("XADD", "s", "3-0", "a", "", "b", "6")
    assert client.call("XRANGE", "s", "-", "+") == [
        ["1-0", ["a", "1", "b", "2"]],
        ["2-0", ["a", "3", "c", "4", "d", "5"]],
        ["3-0", ["a", "", "b", "6"]],
    ]
    assert client.call("XREVRANGE", "s", "2-0", "1-0")[0] == ["2-0", ["a", "3", "c", "4", "d", "5"]]


# XREAD


def test_xread_returns_what_is_behind_an_id(client: Client) -> None:
    fill(client, "s", 3)
    fill(client, "t", 1)
    assert client.call("XREAD", "STREAMS", "s", "t", "none", "1", "0", "0") == [
        ["s", [["2-0", ["f", "v2"]], ["3-0", ["f", "v3"]]]],
        ["t", [["1-0", ["f", "v1"]]]],
    ]
    assert client.call("XREAD", "COUNT", 1, "STREAMS", "s", "s", "0", "2") == [
        ["s", [["1-0", ["f", "v1"]]]],
        ["s", [["3-0", ["f", "v3"]]]],
    ]
    assert client.call("XREAD", "COUNT", -1, "streams", "s", "$") is None
    assert client.raw.endswith(b"*-1\r\n")
    client.call("HELLO", 3)
    assert client.call("XREAD", "STREAMS", "s", "t", "2", "1") == {"s": [["3-0", ["f", "v3"]]]}
    assert client.call("XREAD", "STREAMS", "s", "9") is None
    assert client.raw.endswith(b"_\r\n")


def test_plus_is_the_last_entry_that_is_left(client: Client) -> None:
    assert client.call("XREAD", "STREAMS", "s", "+") is None
    fill(client, "s", 3)
    assert client.call("XREAD", "COUNT", 9, "STREAMS", "s", "+") == [["s", [["3-0", ["f", "v3"]]]]]
    client.call("XDEL", "s", "3-0")
    assert client.call("XREAD", "STREAMS", "s", "+") == [["s", [["2-0", ["f", "v2"]]]]]
    client.call("XTRIM", "s", "MAXLEN", 0)
    assert client.call("XREAD", "STREAMS", "s", "+") is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("FOO STREAMS s 0", "ERR syntax error"),
        ("COUNT 1 BLOCK 5", "ERR syntax error"),
        ("COUNT 1 STREAMS", "ERR syntax error"),
        ("COUNT x STREAMS s", "ERR value is not an integer or out of range"),
        ("BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range"),
        ("BLOCK 1.5 STREAMS s 0", "ERR timeout is not an integer or out of range"),
        ("BLOCK -1 STREAMS s 0", "ERR timeout is negative"),
        ("BLOCK 9223372036854775807 STREAMS s 0", "ERR timeout is out of range"),
        (
            "STREAMS s t 0",
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ),
        ("NOACK STREAMS s 0", "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
        ("GROUP g c STREAMS s", "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."),
        (
            "STREAMS s >",
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        ),
        ("STREAMS s -", "ERR Invalid stream ID specified as stream command argument"),
        ("STREAMS s text x 0", "ERR Invalid stream ID specified as stream command argument"),
        ("STREAMS text s x 0", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_what_xread_complains_of(client: Client, words: str, error: str) -> None:
    client.call("SET", "text", "x")
    assert str(client.call("XREAD", *words.split())) == error


def test_everyone_who_waits_gets_what_is_behind_his_own_id(world: World, client: Client) -> None:
    fill(client, "s", 1)
    waiting = [world.connect() for _ in range(3)]
    waiting[2].call("HELLO", 3)
    waiting[0].start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    waiting[1].start("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "none", "s", "0", "1-0")
    waiting[2].start("XREAD", "BLOCK", 0, "STREAMS", "s", "2-0")
    client.call("MULTI")
    client.call("XADD", "s", "2-0", "f", "v2")
    client.call("XADD", "s", "3-0", "f", "v3")
    client.call("EXEC")
    assert waiting[0].read() == [["s", [["2-0", ["f", "v2"]], ["3-0", ["f", "v3"]]]]]
    assert waiting[1].read() == [["s", [["2-0", ["f", "v2"]]]]]
    assert waiting[2].read() == {"s": [["3-0", ["f", "v3"]]]}
    world.check()


def test_who_is_woken_gets_all_his_streams(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "t", "$", "$")
    client.call("MULTI")
    client.call("XADD", "t", "1-0", "f", "v")
    client.call("XADD", "s", "1-0", "f", "v")
    client.call("EXEC")
    assert waiting.read() == [["s", [["1-0", ["f", "v"]]]], ["t", [["1-0", ["f", "v"]]]]]


@pytest.mark.parametrize("version", [2, 3])
def test_waiting_ends_with_a_null(world: World, version: int) -> None:
    waiting = world.connect()
    waiting.call("HELLO", version)
    waiting.start("XREAD", "BLOCK", 100, "STREAMS", "s", "$")
    world.advance(0.099)
    with pytest.raises(EOFError):
        waiting.read()
    world.advance(0.001)
    assert waiting.read() is None
    assert waiting.raw.endswith(b"*-1\r\n" if version == 2 else b"_\r\n")


def test_nobody_waits_within_multi(client: Client) -> None:
    client.call("MULTI")
    client.call("XREAD", "BLOCK", 0, "STREAMS", "s", "0")
    client.call("XADD", "s", "1-0", "f", "v")
    client.call("XREAD", "BLOCK", 0, "STREAMS", "s", "0")
    assert client.call("EXEC") == [None, "1-0", [["s", [["1-0", ["f", "v"]]]]]]


@pytest.mark.parametrize(
    "words",
    [
        "XADD s NOMKSTREAM 9-0 f v",
        "XADD s MAXLEN 0 9-0 f v",
        "XADD s 4-0 f v",
        "SET s x",
        "XADD other 9-0 f v",
    ],
)
def test_what_does_not_wake(world: World, client: Client, words: str) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "5-0")
    client.call(*words.split())
    with pytest.raises(EOFError):
        waiting.read()
    client.call("DEL", "s")
    client.call("XADD", "s", "10-0", "f", "v")
    assert waiting.read() == [["s", [["10-0", ["f", "v"]]]]]


def test_what_was_added_and_deleted_at_once_does_not_wake(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    client.call("MULTI")
    client.call("XADD", "s", "1-0", "f", "v")
    client.call("XDEL", "s", "1-0")
    client.call("EXEC")
    with pytest.raises(EOFError):
        waiting.read()


@pytest.mark.parametrize("words", ["RENAME q s", "COPY q s", "COPY q s REPLACE"])
def test_a_stream_that_gets_the_name_wakes(world: World, client: Client, words: str) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    client.call("XADD", "q", "1-0", "f", "v")
    client.call(*words.split())
    assert waiting.read() == [["s", [["1-0", ["f", "v"]]]]]


def test_a_stream_that_comes_with_its_database_wakes(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    client.call("SELECT", 1)
    client.call("XADD", "s", "1-0", "f", "v")
    client.call("SWAPDB", 0, 1)
    assert waiting.read() == [["s", [["1-0", ["f", "v"]]]]]


def test_one_who_waits_for_the_last_entry_gets_the_last(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "+")
    client.call("MULTI")
    client.call("XADD", "s", "1-0", "f", "v1")
    client.call("XADD", "s", "2-0", "f", "v2")
    client.call("EXEC")
    assert waiting.read() == [["s", [["2-0", ["f", "v2"]]]]]


def test_one_who_is_woken_hears_that_another_of_his_keys_is_no_stream(world: World, client: Client) -> None:
    waiting = world.connect()
    waiting.start("XREAD", "BLOCK", 0, "STREAMS", "s", "t", "$", "$")
    client.call("SET", "t", "x")
    client.call("XADD", "s", "1-0", "f", "v")
    assert str(waiting.read()) == "WRONGTYPE Operation against a key holding the wrong kind of value"


# What others hear


def test_events_are_told_where_something_changed(world: World, client: Client) -> None:
    listener = world.connect()
    listener.call("PSUBSCRIBE", "*")
    world.core.observers.notify(KEYEVENT | ALL | NEW)
    for words in (
        "XADD s 1-0 f v",
        "XADD s 2-0 f v",
        "XADD s MAXLEN 1 3-0 f v",
        "XADD s MAXLEN 5 4-0 f v",
        "XADD none NOMKSTREAM 3-0 f v",
        "XTRIM s MAXLEN 5",
        "XTRIM s MAXLEN 1",
        "XDEL s 1-0",
        "XDEL s 4-0 4-0",
        "XSETID s 9",
    ):
        client.call(*words.split())
    assert [message[2].partition(":")[2] for message in listener.read_all()] == [
        *("new", "xadd", "xadd", "xadd", "xtrim", "xadd", "xtrim", "xdel", "xsetid"),
    ]


def test_changes_and_reads_are_counted(world: World, client: Client) -> None:
    db = world.core.keyspace.databases[0]

    def counted(words: str) -> tuple[int, int, int]:
        before = db.dirty, db.hits, db.misses
        client.call(*words.split())
        return db.dirty - before[0], db.hits - before[1], db.misses - before[2]

    assert counted("XADD s 1-0 f v") == (1, 0, 0)
    assert counted("XADD s MAXLEN 0 2-0 f v") == (1, 0, 0)
    fill(client, "s", 5, first=3)
    assert counted("XTRIM s MAXLEN 3") == (2, 0, 0)
    assert counted("XTRIM s MAXLEN 3") == (0, 0, 0)
    assert counted("XDEL s 5-0 6-0 6-0") == (2, 0, 0)
    assert counted("XSETID s 20") == (1, 0, 0)
    assert counted("XLEN s") == (0, 1, 0)
    assert counted("XRANGE none - +") == (0, 0, 1)
    assert counted("XREAD STREAMS s none 0 0") == (0, 2, 2)
    assert counted("XINFO STREAM s") == (0, 1, 0)
