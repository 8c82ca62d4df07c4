"""MONITOR, SLOWLOG and LATENCY: who looks on sees what redis-server shows, and no passwords."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pycache_server.session.stats import SHORT_BUCKETS, TICKS, CommandStats, bucket_of
from tests.peers import AnyClient, Client, Ours, Peer, error_of, pipeline

REDACTED = '"(redacted)"'
BAD_COUNT = "ERR count should be greater than or equal to -1"

# MONITOR


def seen(peer: Peer, *commands: str | tuple[Any, ...]) -> list[str]:
    """What a monitor is shown of commands that another client sends in one packet, without time and address."""
    monitor, client = peer.connect(), peer.connect()
    address = re.search(r" addr=(\S+)", client.call("CLIENT", "INFO"))
    assert address is not None
    assert monitor.call("MONITOR") == "OK"
    client.send(pipeline(*commands))
    return [shortened(line, address[1]) for line in monitor.read_all()]


def shortened(line: str, address: str) -> str:
    found = re.fullmatch(r"\d{10,}\.\d{6} \[(\d+) (\S+)\] (.*)", line)
    assert found is not None and found[2] == address, line
    return f"{found[1]} {found[3]}"


@pytest.mark.parametrize(
    ("commands", "lines"),
    [
        (["ping"], ['0 "ping"']),
        (["Set k v EX 10", "GET k"], ['0 "Set" "k" "v" "EX" "10"', '0 "GET" "k"']),
        (["SELECT 3", "GET k", "SELECT 0"], ['3 "SELECT" "3"', '3 "GET" "k"', '0 "SELECT" "0"']),
        (["INCR k", "SET k x", "INCR k"], ['0 "INCR" "k"', '0 "SET" "k" "x"', '0 "INCR" "k"']),
        (["FOO", "GET", "GET a b", "CLIENT FOO", "PING"], ['0 "PING"']),
        (["MULTI", "SET k 1", "GET k", "EXEC"], ['0 "MULTI"', '0 "SET" "k" "1"', '0 "GET" "k"', '0 "EXEC"']),
        (["MULTI", "SET k 1", "DISCARD"], ['0 "MULTI"', '0 "DISCARD"']),
        (["MULTI", "GET", "EXEC"], ['0 "MULTI"', '0 "EXEC"']),
        (
            ["WATCH k", "SET k 1", "MULTI", "PING", "EXEC"],
            ['0 "WATCH" "k"', '0 "SET" "k" "1"', '0 "MULTI"', '0 "EXEC"'],
        ),
        (["SUBSCRIBE a"], ['0 "SUBSCRIBE" "a"']),
        (
            ["CLIENT ID", "CLIENT SETNAME me", "CLIENT LIST", "SLOWLOG LEN"],
            ['0 "CLIENT" "ID"', '0 "CLIENT" "SETNAME" "me"'],
        ),
        (["CLIENT REPLY OFF", "GET k"], ['0 "CLIENT" "REPLY" "OFF"', '0 "GET" "k"']),
        (["QUIT", "PING"], ['0 "QUIT"']),
        (["AUTH x"], [f'0 "AUTH" {REDACTED}']),
        (["auth default x"], [f'0 "auth" {REDACTED} {REDACTED}']),
        (["AUTH a b c"], ['0 "AUTH" "a" "b" "c"']),
        (["HELLO 3"], ['0 "HELLO" "3"']),
        (["HELLO 3 AUTH default x SETNAME me"], [f'0 "HELLO" "3" "AUTH" {REDACTED} {REDACTED} "SETNAME" "me"']),
        (["HELLO 2 SETNAME me AUTH nobody x"], [f'0 "HELLO" "2" "SETNAME" "me" "AUTH" {REDACTED} {REDACTED}']),
        (["HELLO 3 auth default x FOO"], [f'0 "HELLO" "3" "auth" {REDACTED} {REDACTED} "FOO"']),
        (["HELLO 9 AUTH default x"], ['0 "HELLO" "9" "AUTH" "default" "x"']),
        (["MULTI", "AUTH default x", "EXEC"], ['0 "MULTI"', f'0 "AUTH" {REDACTED} {REDACTED}', '0 "EXEC"']),
    ],
)
def test_a_monitor_is_shown_commands_when_they_are_done(peer: Peer, commands: list[str], lines: list[str]) -> None:
    assert seen(peer, *commands) == lines


def test_words_are_shown_with_everything_escaped_that_is_not_printable(peer: Peer) -> None:
    word = b"a\"b\\c\n\r\t\x07\x08\x00\x1b\x7f\xff '"
    shown = r'"a\"b\\c\n\r\t\a\b\x00\x1b\x7f\xff ' + "'\""
    assert seen(peer, ("SET", word, "")) == [f'0 "SET" {shown} ""']
    assert seen(peer, ("ECHO", "x" * 300)) == [f'0 "ECHO" "{"x" * 300}"']


def test_commands_of_strangers_are_not_shown(peer: Peer) -> None:
    monitor = peer.connect()
    monitor.call("MONITOR")
    peer.require("secret")
    monitor.read_all()
    client = peer.connect()
    client.send(pipeline("GET x", "AUTH wrong", "AUTH secret", "GET x"))
    lines = [line.partition("] ")[2] for line in monitor.read_all()]
    assert lines == [f'"AUTH" {REDACTED}', f'"AUTH" {REDACTED}', '"GET" "x"']


def test_a_monitor_may_not_touch_keys(client: AnyClient) -> None:
    client.call("MONITOR")
    error = "ERR Replica can't interact with the keyspace"
    for words in (["GET", "x"], ["SET", "x", "1"], ["PUBLISH", "a", "b"], ["OBJECT", "ENCODING", "x"]):
        assert error_of(client.call(*words)) == error
    client.call("RESET")
    assert client.call("GET", "x") is None


def test_a_transaction_of_a_monitor_is_refused_with_its_commands(client: AnyClient) -> None:
    client.call("MONITOR")
    client.start("MULTI")
    client.start("GET", "x")
    client.start("EXEC")
    replies = [reply for reply in client.read_all() if not str(reply)[0].isdigit()]
    assert [str(reply) for reply in replies] == [
        "OK",
        "ERR Replica can't interact with the keyspace",
        "EXECABORT Transaction discarded because of previous errors.",
    ]


def test_a_monitor_sees_its_own_commands_behind_their_replies(client: AnyClient) -> None:
    client.call("MONITOR")
    client.start("PING")
    reply, line = client.read_all()
    assert reply == "PONG" and line.endswith('] "PING"')
    client.start("MONITOR")
    assert client.read_all() == []


def test_monitoring_ends_with_the_connection(ours: Ours) -> None:
    client, other = ours.connect(), ours.connect()
    client.call("MONITOR")
    other.call("PING")
    client.close()
    assert other.call("PING") == "PONG"
    assert ours.world.core.monitors == []


# SLOWLOG


def logged(peer: Peer, *commands: str | tuple[Any, ...]) -> list[list[str]]:
    """What the log holds after commands, the latest first, where every command is slow; the words alone."""
    client = peer.connect()
    peer.log_slow_calls(0)
    client.call("SLOWLOG", "RESET")
    client.send(pipeline(*commands))
    client.read_all()
    *entries, reset = client.call("SLOWLOG", "GET", -1)
    assert reset[3] == ["SLOWLOG", "RESET"]
    return [entry[3] for entry in entries]


def test_an_entry_has_id_time_duration_words_address_and_name(peer: Peer) -> None:
    client = peer.connect()
    client.call("CLIENT", "SETNAME", "me")
    peer.log_slow_calls(0)
    client.call("GET", "a")
    client.call("GET", "b")
    second, first = client.call("SLOWLOG", "GET", 2)
    assert second[0] == first[0] + 1
    assert first[1] > 1_000_000_000
    assert first[2] >= 0
    assert first[3] == ["GET", "a"]
    assert f" addr={first[4]} " in client.call("CLIENT", "INFO")
    assert first[5] == "me"


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        (["PING"], [["PING"]]),
        (["FOO", "GET"], []),
        (["SET k x", "INCR k"], [["INCR", "k"], ["SET", "k", "x"]]),
        (["MULTI", "GET a", "EXEC"], [["GET", "a"], ["MULTI"]]),
        (["AUTH x"], [["AUTH", "(redacted)"]]),
        (["HELLO 2 AUTH default x"], [["HELLO", "2", "AUTH", "(redacted)", "(redacted)"]]),
        ([("SET", "k", "v" * 128)], [["SET", "k", "v" * 128]]),
        ([("SET", "k", "v" * 129)], [["SET", "k", "v" * 128 + "... (1 more bytes)"]]),
        ([("SET", "k", "v" * 300)], [["SET", "k", "v" * 128 + "... (172 more bytes)"]]),
        ([("DEL", *range(31))], [["DEL", *map(str, range(31))]]),
        ([("DEL", *range(32))], [["DEL", *map(str, range(30)), "... (2 more arguments)"]]),
        ([("DEL", *range(100))], [["DEL", *map(str, range(30)), "... (70 more arguments)"]]),
        (["SLOWLOG LEN"], [["SLOWLOG", "LEN"]]),
    ],
)
def test_what_is_logged(peer: Peer, commands: list[Any], words: list[list[str]]) -> None:
    assert logged(peer, *commands) == words


def test_who_has_waited_is_logged_when_he_is_served(peer: Peer) -> None:
    other = peer.connect()
    peer.log_slow_calls(0)
    for words in (["BLPOP", "l", "0"], ["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]):
        waits = peer.connect()
        waits.send(pipeline(tuple(words)))
        while "flags=b" not in other.call("CLIENT", "LIST"):
            pass
        assert words not in [entry[3] for entry in other.call("SLOWLOG", "GET")]
        other.call("RPUSH", "l", "x") if words[1] == "l" else other.call("XADD", "s", "*", "a", "b")
        waits.read_all()
        assert [entry[3] for entry in other.call("SLOWLOG", "GET")].count(words) == 1
    other.call("DEL", "l", "s")


def test_len_get_and_reset(peer: Peer) -> None:
    client = peer.connect()
    peer.log_slow_calls(0)
    client.call("SLOWLOG", "RESET")
    for _ in range(13):
        client.call("PING")
    assert client.call("SLOWLOG", "LEN") == 14
    assert len(client.call("SLOWLOG", "GET")) == 10
    assert len(client.call("SLOWLOG", "GET", 3)) == 3
    assert client.call("SLOWLOG", "GET", 0) == []
    peer.log_slow_calls(10_000_000)
    assert len(client.call("SLOWLOG", "GET", -1)) > 14
    assert client.call("SLOWLOG", "RESET") == "OK"
    assert client.call("SLOWLOG", "LEN") == 0
    assert client.call("SLOWLOG", "GET") == []


def test_the_log_keeps_the_latest_only(ours: Ours) -> None:
    client = ours.connect()
    ours.world.core.slowlog.longest = 2
    ours.log_slow_calls(0)
    for word in "abc":
        client.call("ECHO", word)
    assert [entry[3][1] for entry in client.call("SLOWLOG", "GET")] == ["c", "b"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["GET", "x"], BAD_COUNT),
        (["GET", "-2"], BAD_COUNT),
        (["GET", "99999999999999999999"], BAD_COUNT),
        (
            ["GET", "1", "2"],
            "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.",
        ),
        (["LEN", "x"], "ERR wrong number of arguments for 'slowlog|len' command"),
        (["FOO"], "ERR unknown subcommand 'FOO'. Try SLOWLOG HELP."),
        ([], "ERR wrong number of arguments for 'slowlog' command"),
    ],
)
def test_what_slowlog_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("SLOWLOG", *words)) == error


# LATENCY


def test_latency_tells_the_latest_the_longest_and_the_history_of_an_event(ours: Ours) -> None:
    client, core = ours.connect(), ours.world.core
    core.latency.threshold = 0.001
    now = int(ours.world.host.now)
    for offset, seconds in ((0, 0.005), (0, 0.003), (1, 0.002), (2, 0.0005)):
        core.latency.add("command", now + offset, seconds)
    assert client.call("LATENCY", "LATEST") == [["command", now + 1, 2, 5]]
    assert client.call("LATENCY", "HISTORY", "command") == [[now, 5], [now + 1, 2]]
    assert client.call("LATENCY", "HISTORY", "COMMAND") == []
    assert client.call("LATENCY", "RESET", "nothing", "command") == 1
    assert client.call("LATENCY", "LATEST") == []


def test_the_history_of_an_event_has_160_samples(ours: Ours) -> None:
    client, monitor = ours.connect(), ours.world.core.latency
    monitor.threshold = 0.001
    for second in range(200):
        monitor.add("gc", second, 0.002)
    history = client.call("LATENCY", "HISTORY", "gc")
    assert len(history) == 160 and history[-1] == [199, 2]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["LATEST", "x"], "ERR wrong number of arguments for 'latency|latest' command"),
        (["HISTORY"], "ERR wrong number of arguments for 'latency|history' command"),
        (["FOO"], "ERR unknown subcommand 'FOO'. Try LATENCY HELP."),
    ],
)
def test_what_latency_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("LATENCY", *words)) == error


def test_latency_of_what_never_happened(client: AnyClient) -> None:
    assert client.call("LATENCY", "LATEST") == []
    assert client.call("LATENCY", "HISTORY", "nothing") == []
    assert client.call("LATENCY", "RESET") == 0


def test_the_buckets_of_short_times_are_those_of_any() -> None:
    for nanoseconds in range(64, 16 * len(SHORT_BUCKETS)):
        seconds = (nanoseconds + 0.5) / 1e9
        assert SHORT_BUCKETS[int(seconds * TICKS)] == bucket_of(seconds)


def test_a_histogram_counts_calls_up_to_powers_of_two(our_client: Client) -> None:
    stats = our_client.session.core.tables.rows["get"].stats
    for microseconds in (0.3, 1.0, 1.5, 3, 3, 20, 33.1, 40, 1000, 70_000):
        stats.record(microseconds / 1e6)
    our_client.call("HELLO", 3)
    steps = {1: 2, 2: 3, 4: 5, 33: 6, 66: 8, 1056: 9, 135266: 10}
    assert our_client.call("LATENCY", "HISTOGRAM", "GET", "nothing", "set") == {
        "get": {"calls": 10, "histogram_usec": steps}
    }
    everything = our_client.call("LATENCY", "HISTOGRAM")
    assert everything["get"]["calls"] == 10 and everything["hello"]["calls"] == 1
    assert list(our_client.call("LATENCY", "HISTOGRAM", "latency")) == ["latency|histogram"]


def test_the_histogram_of_redis_has_the_same_steps(client: AnyClient) -> None:
    for _ in range(20):
        client.call("GET", "x")
    name, (_, calls, _, steps) = client.call("LATENCY", "HISTOGRAM", "get")
    assert name == "get"
    assert calls >= 20 and steps[-1] == calls
    names = [(2**power + 2 ** (power - 7) - 1) // 1000 for power in range(10, 40)]
    assert set(steps[::2]) <= set(names)


def test_nothing_was_called_nothing_is_counted() -> None:
    assert CommandStats().cumulative() == {}


def test_a_histogram_is_told_once_for_each_time_that_it_is_asked_for(our_client: Client) -> None:
    our_client.call("SET", "k", "v")
    our_client.call("CLIENT", "ID")

    def names(*words: str) -> list[str]:
        found: list[str] = our_client.call("LATENCY", "HISTOGRAM", *words)[::2]
        return found

    assert sorted(names()) == ["client|id", "set"]
    assert names("set", "nope", "SET") == ["set", "set"]
    assert names("client") == names("client|id") == ["client|id"]
