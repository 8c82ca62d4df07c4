"""Subscribing, publishing, and events of keys: who hears what, in which order, and what a listener may do."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.session.core import OutputLimit
from pycache_server.store.events import parse_flags
from pycache_server.testing.inprocess import Client, World

ALLOWED = "(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"


@pytest.fixture
def client(world: World) -> Client:
    """Who listens."""
    return world.connect()


@pytest.fixture
def other(world: World) -> Client:
    """Who speaks."""
    return world.connect()


def run(client: Client, *commands: str) -> list[Any]:
    """All that a client is sent because of some commands, errors as text."""
    for command in commands:
        client.start(*command.split())
    return [str(reply) if isinstance(reply, Exception) else reply for reply in client.read_all()]


# Subscribing


def test_each_channel_is_confirmed_with_the_number_of_all(client: Client) -> None:
    assert run(client, "SUBSCRIBE a b a", "PSUBSCRIBE p* a", "SUBSCRIBE c") == [
        ["subscribe", "a", 1],
        ["subscribe", "b", 2],
        ["subscribe", "a", 2],
        ["psubscribe", "p*", 3],
        ["psubscribe", "a", 4],
        ["subscribe", "c", 5],
    ]
    assert run(client, "UNSUBSCRIBE b nope", "PUNSUBSCRIBE", "UNSUBSCRIBE") == [
        ["unsubscribe", "b", 4],
        ["unsubscribe", "nope", 4],
        ["punsubscribe", "p*", 3],
        ["punsubscribe", "a", 2],
        ["unsubscribe", "a", 1],
        ["unsubscribe", "c", 0],
    ]


def test_who_listens_to_nothing_unsubscribes_from_a_null(client: Client) -> None:
    assert run(client, "UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE x") == [
        ["unsubscribe", None, 0],
        ["punsubscribe", None, 0],
        ["unsubscribe", "x", 0],
    ]


def test_confirmations_are_pushed_in_resp3(client: Client) -> None:
    client.call("HELLO", 3)
    start = len(client.raw)
    run(client, "SUBSCRIBE a", "PUNSUBSCRIBE")
    assert client.raw[start:] == b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$12\r\npunsubscribe\r\n_\r\n:1\r\n"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("GET k", f"ERR Can't execute 'get': only {ALLOWED} are allowed in this context"),
        ("multi", f"ERR Can't execute 'multi': only {ALLOWED} are allowed in this context"),
        ("CLIENT GETNAME", f"ERR Can't execute 'client|getname': only {ALLOWED} are allowed in this context"),
        ("HELLO 3", f"ERR Can't execute 'hello': only {ALLOWED} are allowed in this context"),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("PING a b", "ERR wrong number of arguments for 'ping' command"),
        ("SUBSCRIBE", "ERR wrong number of arguments for 'subscribe' command"),
        ("CLIENT NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
        ("NOSUCH x", "ERR unknown command 'NOSUCH', with args beginning with: 'x' "),
    ],
)
def test_a_listener_in_resp2_can_do_little_else(client: Client, command: str, error: str) -> None:
    client.call("SUBSCRIBE", "x")
    assert run(client, command) == [error]
    client.call("UNSUBSCRIBE", "x")
    assert client.call("GET", "k") is None


def test_a_listener_in_resp2_is_answered_with_arrays_to_ping(client: Client) -> None:
    client.call("SUBSCRIBE", "x")
    assert run(client, "PING", "PING hello", "pInG", "UNSUBSCRIBE x", "PING") == [
        *(["pong", ""], ["pong", "hello"], ["pong", ""], ["unsubscribe", "x", 0], "PONG"),
    ]


def test_a_listener_in_resp3_can_do_everything(client: Client) -> None:
    client.call("HELLO", 3)
    assert run(client, "SUBSCRIBE x", "PING", "SET k v", "GET k") == [["subscribe", "x", 1], "PONG", "OK", "v"]
    client.call("HELLO", 2)
    assert run(client, "GET k", "PING") == [
        f"ERR Can't execute 'get': only {ALLOWED} are allowed in this context",
        ["pong", ""],
    ]


def test_reset_and_leaving_end_all_subscriptions(world: World, client: Client, other: Client) -> None:
    run(client, "SUBSCRIBE x", "PSUBSCRIBE *")
    assert client.call("RESET") == "RESET"
    assert other.call("PUBLISH", "x", "1") == 0
    run(client, "SUBSCRIBE x", "PSUBSCRIBE *", "QUIT")
    assert client.closed
    assert other.call("PUBLISH", "x", "1") == 0
    assert not world.core.pubsub.channels
    assert not world.core.pubsub.patterns


# Publishing


def test_a_message_reaches_channel_and_patterns(client: Client, other: Client) -> None:
    run(client, "SUBSCRIBE hello", "PSUBSCRIBE h* *o x*")
    assert other.call("PUBLISH", "hello", "text") == 3
    assert client.read_all() == [
        ["message", "hello", "text"],
        ["pmessage", "h*", "hello", "text"],
        ["pmessage", "*o", "hello", "text"],
    ]
    assert other.call("PUBLISH", "nobody", "text") == 0


@pytest.mark.parametrize(
    ("pattern", "channel", "heard"),
    [
        ("h[ae]llo", "hallo", True),
        ("h[^a]llo", "hallo", False),
        ("h?llo", "hllo", False),
        ("h\\*", "h*", True),
        ("h\\*", "hx", False),
        ("", "", True),
        ("*", "", False),
        ("*", "x", True),
    ],
)
def test_patterns_are_globs(client: Client, other: Client, pattern: str, channel: str, heard: bool) -> None:
    client.call("PSUBSCRIBE", pattern)
    assert other.call("PUBLISH", channel, "text") == heard


def test_messages_are_pushed_in_resp3_and_arrays_in_resp2(world: World, client: Client, other: Client) -> None:
    client.call("HELLO", 3)
    newer, older = client, world.connect()
    for each in (newer, older):
        each.call("SUBSCRIBE", "x")
        each.raw = b""
    other.call("PUBLISH", "x", "")
    rest = b"3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$0\r\n\r\n"
    assert (newer.raw, older.raw) == (b">" + rest, b"*" + rest)


def test_listeners_hear_in_the_order_of_a_transaction(client: Client, other: Client) -> None:
    client.call("SUBSCRIBE", "x")
    assert run(other, "MULTI", "PUBLISH x 1", "PUBLISH x 2", "EXEC")[-1] == [1, 1]
    assert client.read_all() == [["message", "x", "1"], ["message", "x", "2"]]


def test_what_a_client_tells_itself_follows_the_reply(client: Client) -> None:
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "x")
    assert run(client, "PUBLISH x 1", "ECHO between", "PUBLISH x 2") == [
        *(1, ["message", "x", "1"], "between", 1, ["message", "x", "2"]),
    ]
    client.start("PUBLISH", "x", "3")
    assert client.read_all() == [1, ["message", "x", "3"]]
    assert run(client, "MULTI", "PUBLISH x 4", "ECHO y", "EXEC")[3:] == [[1, "y"], ["message", "x", "4"]]


def test_what_a_client_tells_itself_in_silence_is_heard(client: Client) -> None:
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "x")
    assert run(client, "CLIENT REPLY OFF", "PUBLISH x 1", "CLIENT REPLY ON") == [["message", "x", "1"], "OK"]


def test_what_a_client_tells_itself_after_subscribing_in_the_same_transaction(client: Client) -> None:
    assert run(client, "MULTI", "SUBSCRIBE x", "PUBLISH x 1", "PUBLISH x 2", "EXEC")[4:] == [
        [["subscribe", "x", 1], 1, 1],
        ["message", "x", "1"],
        ["message", "x", "2"],
    ]


def test_a_message_comes_between_the_replies_of_a_blocked_listener(client: Client, other: Client) -> None:
    client.call("HELLO", 3)
    client.call("SUBSCRIBE", "x")
    client.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    other.call("PUBLISH", "x", "1")
    other.call("XADD", "s", "1-0", "f", "v")
    assert client.read_all() == [["message", "x", "1"], {"s": [["1-0", ["f", "v"]]]}]


@pytest.mark.parametrize(("kept", "seconds", "cut"), [(40000, 0, False), (70000, 0, False), (70000, 10, True)])
def test_a_listener_that_does_not_read_is_cut_at_the_soft_limit_in_time(
    world: World, client: Client, other: Client, kept: int, seconds: int, cut: bool
) -> None:
    world.core.output_limits["pubsub"] = OutputLimit(10_000_000, 65537, 10)
    client.call("SUBSCRIBE", "x")
    client.stuck = True
    other.call("PUBLISH", "x", "v" * kept)
    other.call("PUBLISH", "x", "v")
    world.advance(seconds)
    other.call("PUBLISH", "x", "v")
    assert client.closed == cut
    assert other.call("PUBLISH", "x", "v") == (not cut)


def test_a_listener_that_does_not_read_is_cut_at_the_hard_limit_at_once(
    world: World, client: Client, other: Client
) -> None:
    world.core.output_limits["pubsub"] = OutputLimit(200_000, 0, 0)
    client.call("SUBSCRIBE", "x")
    client.stuck = True
    sent = 0
    while other.call("PUBLISH", "x", "v" * 10_000):
        sent += 1
        assert sent < 25
    assert client.closed
    assert "overcoming of output buffer limits" in world.host.messages[-1][1]


@pytest.mark.parametrize(
    ("kind", "size", "cut"),
    [("normal", 116_000, False), ("normal", 117_000, True), ("pubsub", 116_000, False), ("pubsub", 117_000, True)],
)
def test_more_at_once_than_the_hard_limit_is_not_sent_at_all(
    world: World, client: Client, other: Client, kind: str, size: int, cut: bool
) -> None:
    other.call("SET", "k", "v" * size)
    world.core.output_limits[kind] = OutputLimit(100_000, 0, 0)
    if kind == "pubsub":
        client.call("SUBSCRIBE", "x")
        other.call("PUBLISH", "x", "v" * size)
    else:
        client.start("GET", "k")
    assert client.closed == cut
    assert bool(client.read_all()) == (not cut)
    assert other.call("PING") == "PONG"


def test_a_transaction_is_executed_before_its_replies_are_found_to_be_too_many(
    world: World, client: Client, other: Client
) -> None:
    other.call("SET", "k", "v" * 60_000)
    world.core.output_limits["normal"] = OutputLimit(100_000, 0, 0)
    for words in (["MULTI"], ["GET", "k"], ["GET", "k"], ["SET", "done", "1"]):
        client.call(*words)
    client.start("EXEC")
    assert client.closed
    assert other.call("GET", "done") == "1"


def test_a_listener_that_reads_again_is_not_cut(world: World, client: Client, other: Client) -> None:
    world.core.output_limits["pubsub"] = OutputLimit(200_000, 65537, 10)
    client.call("SUBSCRIBE", "x")
    for _ in range(5):
        client.stuck = True
        for _ in range(15):
            other.call("PUBLISH", "x", "v" * 10_000)
        world.advance(9)
        client.drain()
        world.advance(9)
    assert not client.closed


# PUBSUB


def test_pubsub_tells_who_listens_to_what(world: World, client: Client, other: Client) -> None:
    run(client, "SUBSCRIBE news.a news.b talk", "PSUBSCRIBE n* t*")
    run(world.connect(), "SUBSCRIBE news.a", "PSUBSCRIBE n*")
    assert sorted(other.call("PUBSUB", "CHANNELS")) == ["news.a", "news.b", "talk"]
    assert sorted(other.call("PUBSUB", "channels", "news.?")) == ["news.a", "news.b"]
    assert other.call("PUBSUB", "CHANNELS", "x") == []
    assert other.call("PUBSUB", "NUMSUB") == []
    assert other.call("PUBSUB", "NUMSUB", "talk", "news.a", "x", "talk") == ["talk", 1, "news.a", 2, "x", 0, "talk", 1]
    assert other.call("PUBSUB", "NUMPAT") == 2
    client.close()
    assert other.call("PUBSUB", "CHANNELS") == ["news.a"]
    assert other.call("PUBSUB", "NUMPAT") == 1


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("PUBSUB", "ERR wrong number of arguments for 'pubsub' command"),
        ("PUBSUB NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP."),
        (
            "PUBSUB channels a b",
            "ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP.",
        ),
        ("PUBSUB NUMPAT x", "ERR wrong number of arguments for 'pubsub|numpat' command"),
        ("PUBLISH x", "ERR wrong number of arguments for 'publish' command"),
        ("PSUBSCRIBE", "ERR wrong number of arguments for 'psubscribe' command"),
    ],
)
def test_what_pubsub_complains_of(client: Client, command: str, error: str) -> None:
    assert run(client, command) == [error]


# Events of keys


def heard(world: World, flags: str, *commands: str) -> list[str]:
    """The events that commands cause under some flags of notify-keyspace-events, as ``channel message``."""
    listener, speaker = world.connect(), world.connect()
    listener.call("PSUBSCRIBE", "*")
    parsed = parse_flags(flags)
    assert parsed is not None
    world.core.observers.notify(parsed)
    run(speaker, *commands)
    return [f"{channel} {message}" for _, _, channel, message in listener.read_all()]


def test_an_event_is_told_by_key_and_by_name(world: World) -> None:
    both = ["__keyspace@0__:k set", "__keyevent@0__:set k"]
    assert heard(world, "KEA", "SET k v") == both
    assert heard(world, "K$", "SET k v") == both[:1]
    assert heard(world, "E$", "SET k v") == both[1:]
    for silent in ("A", "$g", "K", "E", "KE", "Kg", "", "Elshzxetd"):
        assert heard(world, silent, "SET k v") == []


def test_an_event_names_the_database(world: World) -> None:
    assert heard(world, "KEA", "SELECT 2", "SET k v", "MOVE k 3") == [
        *("__keyspace@2__:k set", "__keyevent@2__:set k", "__keyspace@2__:k move_from", "__keyevent@2__:move_from k"),
        *("__keyspace@3__:k move_to", "__keyevent@3__:move_to k"),
    ]


EVENTS = {
    "$": ("SET k v", "set k"),
    "g": ("DEL k", "del k"),
    "t": ("XADD s 1-0 f v", "xadd s"),
    "n": ("SET new v", "new new"),
    "m": ("GET none", "keymiss none"),
}


@pytest.mark.parametrize("letter", EVENTS)
def test_each_letter_selects_its_class(world: World, letter: str) -> None:
    commands = ["SET k v", *(command for command, _ in EVENTS.values())]
    found = heard(world, "E" + letter, "DEL new s", *commands)
    assert {event.partition(":")[2] for event in found} >= {EVENTS[letter][1]}
    names = {event.partition(":")[2].split()[0] for event in found}
    assert names == {EVENTS[letter][1].split()[0]}


def test_all_letters_but_two_are_in_a(world: World) -> None:
    found = heard(world, "EA", *(command for command, _ in EVENTS.values()))
    assert [event.partition(":")[2] for event in found] == ["set k", "del k", "xadd s", "set new"]


def test_events_of_expiry(world: World) -> None:
    speaker = world.connect()
    speaker.call("SET", "k", "v", "PX", 100)
    assert heard(world, "Ex") == []
    world.advance(1)
    listener = world.connect()
    listener.call("SUBSCRIBE", "__keyevent@0__:expired")
    world.expire()
    world.host.settle()
    assert listener.read_all() == [["message", "__keyevent@0__:expired", "k"]]


def test_an_expired_key_is_told_of_when_it_is_found(world: World) -> None:
    run(world.connect(), "SET k v PX 100")
    world.advance(0.1)
    assert heard(world, "KEA", "SET k w") == [
        *("__keyspace@0__:k expired", "__keyevent@0__:expired k", "__keyspace@0__:k set", "__keyevent@0__:set k"),
    ]


def test_the_order_of_the_events_of_one_command(world: World) -> None:
    assert heard(world, "EAn", "SET a v EX 100", "RENAME a b", "COPY b c", "GETDEL c", "PEXPIREAT b 1") == [
        *("__keyevent@0__:new a", "__keyevent@0__:set a", "__keyevent@0__:expire a"),
        *("__keyevent@0__:new b", "__keyevent@0__:rename_from a", "__keyevent@0__:rename_to b"),
        *("__keyevent@0__:new c", "__keyevent@0__:copy_to c", "__keyevent@0__:del c", "__keyevent@0__:del b"),
    ]


def test_events_of_ones_own_commands_follow_their_replies(world: World, client: Client) -> None:
    client.call("HELLO", 3)
    client.call("PSUBSCRIBE", "__keyevent*")
    world.core.observers.notify(parse_flags("EA") or 0)
    found = run(client, "SET k v", "MULTI", "DEL k", "ECHO x", "EXEC")
    assert found == [
        *("OK", ["pmessage", "__keyevent*", "__keyevent@0__:set", "k"], "OK", "QUEUED", "QUEUED"),
        *([1, "x"], ["pmessage", "__keyevent*", "__keyevent@0__:del", "k"]),
    ]


def test_an_event_behind_an_error(world: World, client: Client) -> None:
    client.call("HELLO", 3)
    client.call("PSUBSCRIBE", "__keyevent*")
    world.core.observers.notify(parse_flags("Ex") or 0)
    client.call("SET", "k", "v", "PX", 100)
    world.advance(0.1)
    assert run(client, "RENAME k l", "PING") == [
        *("ERR no such key", ["pmessage", "__keyevent*", "__keyevent@0__:expired", "k"], "PONG"),
    ]
    assert world.core.tables.rows["rename"].stats.failed == 1


def test_nothing_is_observed_while_no_event_is_wanted(world: World) -> None:
    database = world.core.keyspace.databases[0]
    plain = type(database)
    world.core.observers.notify(parse_flags("KEA") or 0)
    assert type(database) is not plain
    for flags in ("K", "A", ""):
        world.core.observers.notify(parse_flags("KEA") or 0)
        world.core.observers.notify(parse_flags(flags) or 0)
        assert type(database) is plain
