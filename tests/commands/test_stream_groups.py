"""Consumer groups by their commands: who gets what, what each complains of, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.store.events import ALL, KEYEVENT, NEW
from pycache_server.testing.inprocess import START, Client, World

NOW = int(START * 1000)
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)
MEANINGLESS = (
    "ERR The {0} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The {0} ID would just return an empty result set."
)


def fill(client: Client, key: str, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        client.call("XADD", key, f"{number}-0", "f", f"v{number}")


def read(client: Client, consumer: str, place: str = ">", *options: Any) -> list[str]:
    """The ids that a consumer of the group ``g`` gets from the stream ``s``."""
    reply = client.call("XREADGROUP", "GROUP", "g", consumer, *options, "STREAMS", "s", place)
    if reply is None:
        return []
    entries = reply["s"] if isinstance(reply, dict) else reply[0][1]
    return [number for number, _ in entries]


def ids_of(client: Client, key: str = "s") -> list[str]:
    return [number for number, _ in client.call("XRANGE", key, "-", "+")]


def group(client: Client, key: str = "s") -> dict[str, Any]:
    words = client.call("XINFO", "GROUPS", key)[0]
    return dict(zip(words[::2], words[1::2], strict=True))


def with_group(client: Client) -> Client:
    """Make a stream ``s`` of five entries and a group ``g`` that has read none."""
    fill(client, "s", 5)
    client.call("XGROUP", "CREATE", "s", "g", "0")
    return client


@pytest.fixture
def filled(client: Client) -> Client:
    return with_group(client)


# XGROUP


def test_a_group_reads_from_where_it_was_made(client: Client) -> None:
    fill(client, "s", 3)
    assert client.call("XGROUP", "CREATE", "s", "g", "$") == "OK"
    assert client.call("XGROUP", "CREATE", "s", "h", "1") == "OK"
    fill(client, "s", 1, first=4)
    assert read(client, "c") == ["4-0"]
    reply = client.call("XREADGROUP", "GROUP", "h", "c", "STREAMS", "s", ">")
    assert [number for number, _ in reply[0][1]] == ["2-0", "3-0", "4-0"]


def test_a_stream_is_made_for_a_group_if_that_is_wanted(client: Client) -> None:
    assert client.call("XGROUP", "CREATE", "s", "g", "$", "mkstream") == "OK"
    assert client.call("XLEN", "s") == 0
    assert client.call("TYPE", "s") == "stream"
    assert group(client)["last-delivered-id"] == "0-0"


def test_setid_lets_a_group_read_again(filled: Client) -> None:
    assert read(filled, "c") == ["1-0", "2-0", "3-0", "4-0", "5-0"]
    assert filled.call("XGROUP", "SETID", "s", "g", "3") == "OK"
    assert read(filled, "d") == ["4-0", "5-0"]
    assert filled.call("XPENDING", "s", "g")[3] == [["c", "3"], ["d", "2"]]
    assert filled.call("XGROUP", "SETID", "s", "g", "$") == "OK"
    assert read(filled, "d") == []
    assert filled.call("XGROUP", "SETID", "s", "g", "-") == "OK"
    assert group(filled)["last-delivered-id"] == "0-0"


def test_consumers_come_and_go(filled: Client) -> None:
    assert filled.call("XGROUP", "CREATECONSUMER", "s", "g", "c") == 1
    assert filled.call("XGROUP", "CREATECONSUMER", "s", "g", "c") == 0
    assert read(filled, "c", ">", "COUNT", 2) == ["1-0", "2-0"]
    assert read(filled, "d", ">", "COUNT", 2) == ["3-0", "4-0"]
    assert filled.call("XGROUP", "DELCONSUMER", "s", "g", "c") == 2
    assert filled.call("XGROUP", "DELCONSUMER", "s", "g", "c") == 0
    assert filled.call("XPENDING", "s", "g") == [2, "3-0", "4-0", [["d", "2"]]]
    assert read(filled, "c", "0") == []


def test_a_group_goes_with_everything_that_is_pending(filled: Client) -> None:
    read(filled, "c")
    assert filled.call("XGROUP", "DESTROY", "s", "g") == 1
    assert filled.call("XGROUP", "DESTROY", "s", "g") == 0
    assert filled.call("XINFO", "GROUPS", "s") == []
    assert filled.call("XGROUP", "CREATE", "s", "g", "0") == "OK"
    assert group(filled)["pending"] == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("CREATE s g 0", "BUSYGROUP Consumer Group name already exists"),
        ("CREATE s h x", BAD_ID),
        ("CREATE s h -", BAD_ID),
        ("CREATE s h 0 ENTRIESREAD x", "ERR value is not an integer or out of range"),
        ("CREATE s h 0 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"),
        (
            "CREATE s h 0 ENTRIESREAD",
            "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
        ),
        ("CREATE s h 0 FOO", "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."),
        (
            "CREATE s h 0 MKSTREAM MKSTREAM ENTRIESREAD 5",
            "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
        ),
        ("CREATE text h 0 MKSTREAM", WRONG_TYPE),
        ("CREATE none h x", NO_KEY),
        ("SETID s nobody 0", "NOGROUP No such consumer group 'nobody' for key name 's'"),
        ("SETID s g x", BAD_ID),
        ("SETID s g 0 MKSTREAM", "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."),
        (
            "SETID s g 0 ENTRIESREAD 1 ENTRIESREAD 1",
            "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.",
        ),
        ("DESTROY text g", WRONG_TYPE),
        ("CREATECONSUMER s nobody c", "NOGROUP No such consumer group 'nobody' for key name 's'"),
        ("DELCONSUMER s nobody c", "NOGROUP No such consumer group 'nobody' for key name 's'"),
        ("DELCONSUMER s g", "ERR wrong number of arguments for 'xgroup|delconsumer' command"),
        ("FOO s g", "ERR unknown subcommand 'FOO'. Try XGROUP HELP."),
    ],
)
def test_what_xgroup_complains_of(filled: Client, words: str, error: str) -> None:
    filled.call("SET", "text", "x")
    assert str(filled.call("XGROUP", *words.split())) == error
    assert filled.call("EXISTS", "none") == 0


def test_xgroup_tells_how_to_use_it(client: Client) -> None:
    lines = client.call("XGROUP", "HELP")
    assert lines[0] == "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert any(line.startswith("CREATE ") for line in lines)


# XREADGROUP


def test_each_entry_goes_to_one_consumer(filled: Client) -> None:
    assert read(filled, "a", ">", "COUNT", 2) == ["1-0", "2-0"]
    assert read(filled, "b", ">", "COUNT", 1) == ["3-0"]
    assert read(filled, "a") == ["4-0", "5-0"]
    assert read(filled, "b") == []
    assert filled.call("XPENDING", "s", "g") == [5, "1-0", "5-0", [["a", "4"], ["b", "1"]]]


def test_history_is_the_consumers_own(world: World, filled: Client) -> None:
    read(filled, "a", ">", "COUNT", 2)
    read(filled, "b")
    filled.call("XDEL", "s", "2-0")
    world.advance(1)
    reply = filled.call("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "0")
    assert reply == [["s", [["1-0", ["f", "v1"]], ["2-0", None]]]]
    assert read(filled, "a", "1-0") == ["2-0"]
    assert read(filled, "b", "0", "COUNT", 1) == ["3-0"]
    assert read(filled, "nobody", "0") == []
    assert filled.call("XPENDING", "s", "g", "-", "+", 2) == [["1-0", "a", 0, 2], ["2-0", "a", 1000, 1]]


def test_what_is_not_to_be_acknowledged_is_not_pending(filled: Client) -> None:
    assert read(filled, "a", ">", "NOACK") == ["1-0", "2-0", "3-0", "4-0", "5-0"]
    assert filled.call("XPENDING", "s", "g")[0] == 0
    assert group(filled)["entries-read"] == 5


def test_several_streams_are_read_at_once(filled: Client) -> None:
    fill(filled, "t", 1)
    filled.call("XGROUP", "CREATE", "t", "g", "0")
    filled.call("XGROUP", "CREATE", "u", "g", "0", "MKSTREAM")
    reply = filled.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "u", "t", "0", ">", ">")
    assert reply == [["s", []], ["t", [["1-0", ["f", "v1"]]]]]
    filled.call("HELLO", 3)
    reply = filled.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "t", "0")
    assert reply == {"t": [["1-0", ["f", "v1"]]]}


def test_a_consumer_is_there_as_soon_as_it_asks(world: World, filled: Client) -> None:
    filled.call("XGROUP", "SETID", "s", "g", "$")
    assert read(filled, "c") == []
    world.advance(2)
    assert filled.call("XINFO", "CONSUMERS", "s", "g") == [["name", "c", "pending", 0, "idle", 2000, "inactive", -1]]
    fill(filled, "s", 1, first=6)
    assert read(filled, "c") == ["6-0"]
    world.advance(1)
    assert read(filled, "c") == []
    assert filled.call("XINFO", "CONSUMERS", "s", "g") == [["name", "c", "pending", 1, "idle", 0, "inactive", 1000]]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("GROUP g c STREAMS s", "ERR wrong number of arguments for 'xreadgroup' command"),
        (
            "GROUP g c NOACK STREAMS s t >",
            "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        ),
        ("COUNT 1 NOACK NOACK STREAMS s >", "ERR Missing GROUP option for XREADGROUP"),
        ("GROUP g c FOO STREAMS s >", "ERR syntax error"),
        ("GROUP g c COUNT x STREAMS s >", "ERR value is not an integer or out of range"),
        ("GROUP g c BLOCK x STREAMS s >", "ERR timeout is not an integer or out of range"),
        ("GROUP g c BLOCK -1 STREAMS s >", "ERR timeout is negative"),
        (
            "GROUP g c STREAMS none >",
            "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        ("GROUP h c STREAMS s >", "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option"),
        (
            "GROUP g c STREAMS s none > >",
            "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        ("GROUP g c STREAMS text >", WRONG_TYPE),
        ("GROUP g c STREAMS s x", BAD_ID),
        ("GROUP g c STREAMS s $", MEANINGLESS.format("$")),
        ("GROUP g c STREAMS s +", MEANINGLESS.format("+")),
    ],
)
def test_what_xreadgroup_complains_of(filled: Client, words: str, error: str) -> None:
    filled.call("SET", "text", "x")
    assert str(filled.call("XREADGROUP", *words.split())) == error
    assert filled.call("XINFO", "CONSUMERS", "s", "g") == []


def test_who_waits_is_told_that_the_stream_or_the_group_is_gone(world: World, client: Client) -> None:
    other = world.connect()
    gone = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"
    for line, error in [
        ("DEL s", gone),
        ("SET s x", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("FLUSHALL", gone),
        ("RENAME s t", gone),
        ("XGROUP DESTROY s g", gone),
    ]:
        client.call("DEL", "s")
        client.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        other.start("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
        assert world.core.blocking.keys_on_nokey() == 1
        client.call(*line.split())
        assert str(other.read()) == error
    assert world.core.blocking.keys_on_nokey() == 0
    assert other.call("PING") == "PONG"


def test_a_waiting_consumer_is_served_and_one_that_was_removed_does_not_come_back_by_itself(
    world: World, client: Client
) -> None:
    other = world.connect()
    client.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    other.start("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    assert client.call("XGROUP", "DELCONSUMER", "s", "g", "c") == 0
    assert group(client)["consumers"] == 0
    fill(client, "s", 1)
    assert other.read() == [["s", [["1-0", ["f", "v1"]]]]]
    assert group(client)["consumers"] == 1


# XACK


def test_acknowledging_counts_what_was_pending(filled: Client) -> None:
    read(filled, "c")
    assert filled.call("XACK", "s", "g", "1-0") == 1
    assert filled.call("XACK", "s", "g", "1-0", "2-0", "9-9", "5", "5-0") == 2
    assert filled.call("XACK", "s", "g", "9-9") == 0
    assert filled.call("XACK", "s", "nobody", "x") == 0
    assert filled.call("XACK", "none", "g", "x") == 0
    assert filled.call("XPENDING", "s", "g") == [2, "3-0", "4-0", [["c", "2"]]]


def test_acknowledging_is_all_or_nothing(filled: Client) -> None:
    read(filled, "c")
    assert str(filled.call("XACK", "s", "g", "1-0", "x")) == BAD_ID
    assert str(filled.call("XACK", "s", "g", "-")) == BAD_ID
    assert filled.call("XPENDING", "s", "g")[0] == 5
    filled.call("SET", "text", "x")
    assert str(filled.call("XACK", "text", "g", "1-0")) == WRONG_TYPE


# How much is ahead


def test_the_lag_is_known_while_nothing_ahead_is_deleted(filled: Client) -> None:
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (None, 5)
    read(filled, "c", ">", "COUNT", 2)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (2, 3)
    filled.call("XDEL", "s", "4-0")
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (2, None)
    read(filled, "c", ">", "COUNT", 1)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (None, None)
    read(filled, "c")
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (5, 0)
    fill(filled, "s", 2, first=6)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (5, 2)


def test_what_a_group_is_told_to_have_read_is_believed(filled: Client) -> None:
    filled.call("XGROUP", "SETID", "s", "g", "2-0", "ENTRIESREAD", 2)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (2, 3)
    filled.call("XGROUP", "CREATE", "new", "g", "0", "MKSTREAM", "ENTRIESREAD", 7)
    assert (group(filled, "new")["entries-read"], group(filled, "new")["lag"]) == (7, 0)


def test_what_lies_before_all_entries_has_them_all_ahead(filled: Client) -> None:
    filled.call("XGROUP", "CREATE", "s", "told", "0", "ENTRIESREAD", 7)
    words = filled.call("XINFO", "GROUPS", "s")[1]
    assert words[-4:] == ["entries-read", 7, "lag", 5]
    filled.call("XTRIM", "s", "MAXLEN", 3)
    assert group(filled)["lag"] == 3
    filled.call("XDEL", "s", "3-0")
    assert group(filled)["lag"] == 2
    filled.call("XDEL", "s", "5-0")
    assert group(filled)["lag"] is None
    filled.call("XTRIM", "s", "MAXLEN", 0)
    assert group(filled)["lag"] == 0


def test_a_count_is_lost_where_something_was_deleted_behind_the_last_that_was_read(filled: Client) -> None:
    read(filled, "c", ">", "COUNT", 2)
    filled.call("XDEL", "s", "3-0")
    read(filled, "c", ">", "COUNT", 1)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (None, None)
    read(filled, "c", ">", "COUNT", 1)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (5, 0)


def test_a_count_begins_anew_where_the_last_that_was_read_is_trimmed(filled: Client) -> None:
    read(filled, "c", ">", "COUNT", 1)
    filled.call("XTRIM", "s", "MAXLEN", 2)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (1, 2)
    read(filled, "c", ">", "COUNT", 1)
    assert (group(filled)["entries-read"], group(filled)["lag"]) == (4, 1)


# What others hear


def test_events_are_announced_but_end_no_watch(world: World, client: Client) -> None:
    world.core.observers.notify(KEYEVENT | ALL | NEW)
    listener, other = world.connect(), world.connect()
    listener.call("PSUBSCRIBE", "__keyevent@0__:*")
    fill(client, "s", 2)
    client.call("WATCH", "s")
    for line in [
        "XGROUP CREATE s g 0",
        "XGROUP CREATECONSUMER s g c",
        "XREADGROUP GROUP g d STREAMS s >",
        "XACK s g 1-0",
        "XCLAIM s g e 0 2-0",
        "XAUTOCLAIM s g f 0 0",
        "XGROUP SETID s g 0",
        "XGROUP DELCONSUMER s g f",
        "XGROUP DESTROY s g",
        "XSETID s 9-9",
    ]:
        other.call(*line.split())
    assert client.call("MULTI") == "OK"
    assert client.call("EXEC") == []
    assert [message[2].partition(":")[2] for message in listener.read_all()] == [
        *("new", "xadd", "xadd", "xgroup-create"),
        *["xgroup-createconsumer"] * 4,
        *("xgroup-setid", "xgroup-delconsumer", "xgroup-destroy", "xsetid"),
    ]


def test_a_stream_that_is_made_for_a_group_ends_a_watch(world: World, client: Client) -> None:
    client.call("WATCH", "s")
    world.connect().call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    client.call("MULTI")
    assert client.call("EXEC") is None


def test_a_copy_has_the_groups_and_a_renamed_stream_keeps_them(world: World, filled: Client) -> None:
    read(filled, "c", ">", "COUNT", 2)
    filled.call("COPY", "s", "t")
    filled.call("XACK", "s", "g", "1-0")
    assert filled.call("XPENDING", "t", "g") == [2, "1-0", "2-0", [["c", "2"]]]
    filled.call("RENAME", "s", "r")
    assert filled.call("XPENDING", "r", "g") == [1, "2-0", "2-0", [["c", "1"]]]
    world.check()


def test_memory_usage_counts_what_is_pending_and_consumers(world: World, client: Client) -> None:
    fill(client, "s", 1000)
    client.call("XGROUP", "CREATE", "s", "g", "0")
    stream = client.session.db.peek(b"s")
    before = stream.memory()
    read(client, "c")
    pending = stream.memory()
    assert before + 15_000 < pending < before + 25_000
    for number in range(2000):
        client.call("XGROUP", "CREATECONSUMER", "s", "g", f"consumer {number}")
    assert pending + 2000 * 200 < stream.memory() < pending + 2000 * 400
    world.check()
    client.call("XGROUP", "DESTROY", "s", "g")
    assert stream.memory() < before
    world.check()


def test_a_stream_with_much_that_is_pending_is_freed_in_slices(world: World, client: Client) -> None:
    fill(client, "s", 1000)
    client.call("XGROUP", "CREATE", "s", "g", "0")
    read(client, "c")
    client.call("XTRIM", "s", "MAXLEN", 0)
    client.call("DEL", "s")
    keyspace = world.core.keyspace
    assert len(keyspace.discarded) == 1
    stream = keyspace.discarded[0]
    steps = 0
    while len(stream):
        assert stream.free(100) <= 400
        steps += 1
    assert steps > 2
