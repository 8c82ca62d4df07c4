"""MULTI, EXEC, DISCARD, WATCH: what is queued, what spoils a transaction, and what a watched key suffers."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.evict.noeviction import NoEviction
from pycache_server.testing.inprocess import Client, World


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


@pytest.fixture
def other(world: World) -> Client:
    return world.connect()


def run(client: Client, *commands: str) -> list[Any]:
    """The replies to commands, errors as text."""
    replies = [client.call(*command.split()) for command in commands]
    return [str(reply) if isinstance(reply, Exception) else reply for reply in replies]


def transaction(client: Client, *commands: str) -> Any:
    """What EXEC answers after some commands."""
    return run(client, "MULTI", *commands, "EXEC")[-1]


# Queueing


def test_commands_are_queued_and_run_together(client: Client, other: Client) -> None:
    assert run(client, "MULTI", "SET k v", "get k", "StrLen k") == ["OK", "QUEUED", "QUEUED", "QUEUED"]
    assert other.call("GET", "k") is None
    assert client.call("EXEC") == ["OK", "v", 1]
    assert client.call("GET", "k") == "v"


def test_an_empty_transaction_is_an_empty_array(client: Client) -> None:
    assert transaction(client) == []


def test_what_has_no_multi_before_it_is_an_error(client: Client) -> None:
    assert run(client, "EXEC", "DISCARD", "UNWATCH") == ["ERR EXEC without MULTI", "ERR DISCARD without MULTI", "OK"]
    assert transaction(client) == []
    assert run(client, "EXEC") == ["ERR EXEC without MULTI"]


def test_discard_forgets_what_was_queued(client: Client) -> None:
    assert run(client, "MULTI", "SET k v", "DISCARD", "GET k") == ["OK", "QUEUED", "OK", None]


@pytest.mark.parametrize(
    ("command", "error"),
    [("MULTI", "ERR MULTI calls can not be nested"), ("WATCH k", "ERR WATCH inside MULTI is not allowed")],
)
def test_multi_and_watch_within_are_errors_that_spoil_nothing(client: Client, command: str, error: str) -> None:
    assert run(client, "MULTI", command, "PING", "EXEC") == ["OK", error, "QUEUED", ["PONG"]]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("SET k", "ERR wrong number of arguments for 'set' command"),
        ("NOSUCH x", "ERR unknown command 'NOSUCH', with args beginning with: 'x' "),
        ("CLIENT NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
        ("OBJECT ENCODING", "ERR wrong number of arguments for 'object|encoding' command"),
        ("OBJECT", "ERR wrong number of arguments for 'object' command"),
        ("MULTI x", "ERR wrong number of arguments for 'multi' command"),
        ("DISCARD x", "ERR wrong number of arguments for 'discard' command"),
        ("WATCH", "ERR wrong number of arguments for 'watch' command"),
    ],
)
def test_a_command_that_is_refused_spoils_the_transaction(client: Client, command: str, error: str) -> None:
    assert run(client, "MULTI", "SET k v", command, "EXEC") == [
        *("OK", "QUEUED", error, "EXECABORT Transaction discarded because of previous errors."),
    ]
    assert client.call("GET", "k") is None
    assert transaction(client, "PING") == ["PONG"]


def test_an_exec_with_arguments_is_the_end_of_the_transaction(client: Client) -> None:
    assert run(client, "MULTI", "EXEC x", "EXEC") == [
        "OK",
        "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
        "ERR EXEC without MULTI",
    ]


def test_commands_that_fail_when_they_run_do_not_stop_the_others(client: Client) -> None:
    client.call("SET", "k", "text")
    replies = transaction(client, "INCR k", "SET k x y", "SET a 1")
    assert [str(reply) for reply in replies] == [
        *("ERR value is not an integer or out of range", "ERR syntax error", "OK"),
    ]
    assert client.call("GET", "a") == "1"


def test_out_of_memory_spoils_or_ends_a_transaction(world: World, client: Client) -> None:
    world.core.shape.use_engine(NoEviction)
    while world.core.shape.step():
        pass
    client.call("SET", "k", "v")

    def limit(size: int) -> None:
        world.core.keyspace.maxmemory = size
        world.core.tables.refresh()

    limit(1)
    assert run(client, "MULTI", "GET k", "EXEC") == [
        *("OK", "OOM command not allowed when used memory > 'maxmemory'."),
        "EXECABORT Transaction discarded because of previous errors.",
    ]
    limit(0)
    run(client, "MULTI", "SET k w")
    limit(1)
    assert run(client, "EXEC", "EXEC") == [
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
        "ERR EXEC without MULTI",
    ]
    limit(0)
    run(client, "MULTI", "GET k", "DEL k")
    limit(1)
    assert client.call("EXEC") == ["v", 1]


def test_a_refused_command_does_not_count_as_called(world: World, client: Client) -> None:
    run(client, "MULTI", "GET", "GET k", "EXEC", "MULTI", "GET k", "GET l", "EXEC")
    assert world.core.tables.calls("get") == 2
    assert world.core.tables.rows["get"].stats.rejected == 1


def test_blocking_commands_do_not_wait(client: Client) -> None:
    assert transaction(client, "XREAD BLOCK 0 STREAMS s $", "PING") == [None, "PONG"]


def test_blocked_clients_are_served_when_the_whole_is_complete(client: Client, other: Client) -> None:
    other.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    transaction(client, "XADD s 1-0 f v", "XADD s 2-0 f v", "XDEL s 1-0")
    assert other.read() == [["s", [["2-0", ["f", "v"]]]]]


# WATCH


@pytest.mark.parametrize(
    "change",
    [
        "SET k 1",
        "SET k 2",
        "DEL k",
        "APPEND k x",
        "EXPIRE k 100",
        "PEXPIREAT k 1",
        "RENAME k l",
        "RENAME t k",
        "COPY t k REPLACE",
        "MOVE k 1",
        "FLUSHDB",
        "FLUSHALL",
        "SWAPDB 0 1",
        "SWAPDB 1 0",
        "GETDEL k",
        "GETEX k EX 100",
    ],
)
@pytest.mark.parametrize("when", ["before MULTI", "after MULTI", "after a command"])
def test_a_watched_key_that_changes_makes_exec_do_nothing(
    client: Client, other: Client, change: str, when: str
) -> None:
    run(client, "SET k 1", "SET t 1", "WATCH k")
    steps = {"before MULTI": [], "after MULTI": ["MULTI"], "after a command": ["MULTI", "SET done 1"]}[when]
    run(client, *steps)
    run(other, change)
    run(client, *["MULTI", "SET done 1"][len(steps) :])
    assert client.call("EXEC") is None
    assert client.raw.endswith(b"*-1\r\n")
    assert other.call("GET", "done") is None
    assert transaction(client, "PING") == ["PONG"]


@pytest.mark.parametrize(
    "harmless",
    [
        "GET k",
        "EXPIRE none 100",
        "DEL none",
        "PERSIST k",
        "SETNX k 2",
        "SETRANGE none 0",
        "SET other 2",
        "INCR t",
        "SWAPDB 2 3",
        "SWAPDB 0 0",
        "COPY none k REPLACE",
        "XADD s NOMKSTREAM 1 f v",
        "XTRIM s MAXLEN 0",
        "OBJECT ENCODING k",
    ],
)
def test_what_changes_nothing_of_a_watched_key(client: Client, other: Client, harmless: str) -> None:
    run(client, "SET k 1", "SET t text", "WATCH k s")
    run(other, harmless)
    assert transaction(client, "PING") == ["PONG"]


def test_the_null_of_exec_in_resp3(client: Client, other: Client) -> None:
    run(client, "HELLO 3", "WATCH k")
    run(other, "SET k 1")
    assert transaction(client, "PING") is None
    assert client.raw.endswith(b"_\r\n")


def test_a_change_of_ones_own_counts_too(client: Client) -> None:
    run(client, "SET k 1", "WATCH k", "SET k 1")
    assert transaction(client, "GET k") is None


def test_a_key_that_is_created_or_deleted_has_changed(client: Client, other: Client) -> None:
    for change in ("SET k 1", "DEL k", "XADD k 1 f v"):
        client.call("WATCH", "k")
        run(other, change)
        assert transaction(client, "PING") is None


def test_a_failing_transaction_of_another_changes_nothing(client: Client, other: Client) -> None:
    run(client, "SET k text", "WATCH k")
    transaction(other, "INCR k")
    assert transaction(client, "PING") == ["PONG"]


def test_watching_ends_with_exec_discard_unwatch_and_reset(world: World, client: Client, other: Client) -> None:
    for ending in (["MULTI", "EXEC"], ["MULTI", "DISCARD"], ["UNWATCH"], ["RESET"], ["MULTI", "NOSUCH", "EXEC"]):
        run(client, "WATCH k l k", *ending)
        assert not client.session.watched
        run(other, "SET k 1")
        assert transaction(client, "PING") == ["PONG"]
    run(client, "WATCH k")
    run(other, "SET k 2")
    run(client, "UNWATCH")
    assert transaction(client, "PING") == ["PONG"]


def test_unwatch_within_a_transaction_comes_too_late(client: Client, other: Client) -> None:
    run(client, "WATCH k", "MULTI", "UNWATCH")
    run(other, "SET k 1")
    assert run(client, "EXEC") == [None]


def test_an_error_while_queueing_weighs_more_than_a_change(client: Client, other: Client) -> None:
    run(client, "WATCH k")
    run(other, "SET k 1")
    assert transaction(client, "NOSUCH") == "EXECABORT Transaction discarded because of previous errors."


def test_a_key_is_watched_in_its_database(client: Client, other: Client) -> None:
    run(client, "WATCH k")
    run(other, "SELECT 1", "SET k 1")
    assert transaction(client, "PING") == ["PONG"]
    run(client, "SELECT 1", "WATCH k", "SELECT 0")
    run(other, "SET k 2")
    assert transaction(client, "PING") is None


def test_flushing_harms_only_keys_that_are_there(client: Client, other: Client) -> None:
    run(client, "WATCH none")
    run(other, "FLUSHALL", "SELECT 1", "FLUSHDB")
    assert transaction(client, "PING") == ["PONG"]
    run(client, "SET k 1", "WATCH k")
    run(other, "FLUSHDB")
    assert transaction(client, "PING") == ["PONG"]


def test_swapping_databases_harms_keys_that_are_in_either(client: Client, other: Client) -> None:
    run(client, "WATCH k")
    run(other, "SWAPDB 0 1")
    assert transaction(client, "PING") == ["PONG"]
    run(other, "SELECT 1", "SET k 1")
    run(client, "WATCH k")
    run(other, "SWAPDB 0 1")
    assert transaction(client, "PING") is None
    run(client, "WATCH k")
    run(other, "SWAPDB 1 0")
    assert transaction(client, "PING") is None


def test_a_watched_key_that_expires_has_changed(world: World, client: Client) -> None:
    run(client, "SET k 1 PX 100", "WATCH k")
    world.advance(0.099)
    assert transaction(client, "PING") == ["PONG"]
    client.call("WATCH", "k")
    world.advance(0.001)
    assert transaction(client, "PING") is None


def test_a_watched_key_that_expires_and_is_removed_has_changed(world: World, client: Client) -> None:
    run(client, "SET k 1 PX 100", "WATCH k")
    world.advance(1)
    world.expire()
    assert not world.core.keyspace.databases[0].size
    assert transaction(client, "PING") is None


def test_a_key_that_had_expired_before_it_was_watched_is_not_changed_by_its_removal(
    world: World, client: Client, other: Client
) -> None:
    client.call("SET", "k", 1, "PX", 100)
    world.advance(0.1)
    client.call("WATCH", "k")
    assert other.call("GET", "k") is None
    assert transaction(client, "PING") == ["PONG"]
    client.call("SET", "k", 1, "PX", 100)
    world.advance(0.1)
    client.call("WATCH", "k")
    other.call("SET", "k", 2)
    assert transaction(client, "PING") is None


def test_who_leaves_is_forgotten(world: World, client: Client, other: Client) -> None:
    run(client, "WATCH k", "MULTI", "SET k 1")
    client.close()
    assert other.call("SET", "k", 2) == "OK"
    assert other.call("GET", "k") == "2"
    world.check()


# What changes the connection within


def test_select_lasts(client: Client) -> None:
    replies = transaction(client, "SELECT 1", "SET k 1", "SELECT 99", "SELECT x")
    assert [str(reply) for reply in replies] == [
        *("OK", "OK", "ERR DB index is out of range", "ERR value is not an integer or out of range"),
    ]
    assert run(client, "GET k", "SELECT 0", "GET k") == ["1", "OK", None]


def test_hello_changes_the_protocol_between_two_replies(client: Client) -> None:
    run(client, "MULTI", "GET none", "HELLO 3", "GET none", "HELLO 2", "GET none")
    start = len(client.raw)
    replies = client.call("EXEC")
    assert replies[0] is replies[2] is replies[4] is None
    assert replies[1]["proto"] == 3
    assert replies[3][:6:5] == ["server", 2]
    raw = client.raw[start:]
    assert raw.startswith(b"*5\r\n$-1\r\n%7\r\n")
    assert raw.count(b"_\r\n") == 1
    assert raw.endswith(b"$-1\r\n")


def test_reset_ends_a_transaction_at_once(client: Client) -> None:
    assert run(client, "HELLO 3", "MULTI", "SET k 1", "RESET", "EXEC")[2:] == [
        *("QUEUED", "RESET", "ERR EXEC without MULTI"),
    ]
    assert run(client, "GET k") == [None]
    assert client.raw.endswith(b"$-1\r\n")


def test_quit_ends_a_transaction_at_once(client: Client, other: Client) -> None:
    assert run(client, "MULTI", "SET k 1", "QUIT") == ["OK", "QUEUED", "OK"]
    assert client.closed
    assert other.call("GET", "k") is None


@pytest.mark.parametrize("command", ["MONITOR", "SUBSCRIBE x"])
def test_what_a_client_that_may_not_block_can_and_cannot_do(client: Client, command: str) -> None:
    reply = transaction(client, command)[0]
    if command == "MONITOR":
        assert str(reply) == "ERR MONITOR isn't allowed for DENY BLOCKING client"
    else:
        assert reply == ["subscribe", "x", 1]


def test_subscribing_in_resp2_restricts_what_follows(client: Client) -> None:
    run(client, "MULTI", "SUBSCRIBE x y", "PING", "GET k", "UNSUBSCRIBE x")
    client.start("EXEC")
    # SUBSCRIBE x y is one element for the length of the array, but sends two
    assert client.read_all() == [
        [["subscribe", "x", 1], ["subscribe", "y", 2], ["pong", ""], None],
        ["unsubscribe", "x", 1],
    ]
    assert str(client.call("GET", "k")).startswith("ERR Can't execute 'get'")


def test_subscribing_in_resp3_puts_messages_in_the_place_of_replies(client: Client) -> None:
    run(client, "HELLO 3", "MULTI", "SUBSCRIBE x", "PING")
    start = len(client.raw)
    client.start("EXEC")
    assert client.raw[start:] == b"*2\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n+PONG\r\n"


# CLIENT REPLY


def silent(client: Client, *commands: str) -> list[bytes]:
    """What each command brings onto the wire."""
    sent = []
    for command in commands:
        start = len(client.raw)
        client.start(*command.split())
        sent.append(client.raw[start:])
    return sent


def test_replies_that_are_turned_off_within_are_missing_from_the_array(client: Client) -> None:
    run(client, "MULTI", "PING", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "ECHO x")
    assert silent(client, "EXEC", "PING") == [b"*5\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n", b"+PONG\r\n"]


def test_replies_stay_off_after_the_transaction(client: Client) -> None:
    run(client, "MULTI", "CLIENT REPLY OFF", "PING")
    assert silent(client, "EXEC", "PING", "CLIENT REPLY ON") == [b"*2\r\n", b"", b"+OK\r\n"]


def test_skip_within_skips_the_command_behind_the_transaction(client: Client) -> None:
    run(client, "MULTI", "CLIENT REPLY SKIP", "ECHO x")
    assert silent(client, "EXEC", "PING", "PING") == [b"*2\r\n$1\r\nx\r\n", b"", b"+PONG\r\n"]


def test_in_silence_a_transaction_says_nothing_until_it_is_broken(client: Client) -> None:
    quiet = silent(client, "CLIENT REPLY OFF", "MULTI", "PING", "CLIENT REPLY ON", "ECHO x", "EXEC", "PING")
    assert quiet == [b"", b"", b"", b"", b"", b"+OK\r\n$1\r\nx\r\n", b"+PONG\r\n"]
    quiet = silent(client, "CLIENT REPLY OFF", "MULTI", "NOSUCH", "EXEC", "GET", "CLIENT REPLY ON")
    assert quiet == [b"", b"", b"", b"", b"", b"+OK\r\n"]


def test_skip_skips_one_reply_after_each_time(client: Client) -> None:
    assert silent(client, "CLIENT REPLY SKIP", "MULTI", "CLIENT REPLY SKIP", "EXEC", "PING", "PING") == [
        *(b"", b"", b"+QUEUED\r\n", b"*1\r\n", b"", b"+PONG\r\n"),
    ]
    assert silent(client, "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING") == [
        *(b"", b"", b"", b"", b"+PONG\r\n"),
    ]


def test_calls_are_counted_in_silence_unless_they_are_refused(world: World, client: Client) -> None:
    run(client, "CLIENT NO-TOUCH ON")
    silent(client, "CLIENT REPLY OFF", "GET", "GET k", "TOUCH k", "CLIENT NOSUCH", "CLIENT ID")
    calls = world.core.tables.calls
    assert (calls("get"), calls("touch"), calls("client|id")) == (1, 1, 1)
    assert world.core.tables.rows["get"].stats.rejected == 1
