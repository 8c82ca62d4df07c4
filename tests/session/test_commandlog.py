"""COMMANDLOG: the slow log by another name, and the logs of large requests and replies."""

from __future__ import annotations

import pytest

from pycache_server.session.slowlog import NEVER
from pycache_server.testing.inprocess import START, Client, World
from tests.peers import error_of

NO_TYPE = "ERR type should be one of the following: slow, large-request, large-reply"
NO_COUNT = "ERR count should be greater than or equal to -1"


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def measure(world: World, requests: float = NEVER, replies: float = NEVER) -> None:
    world.core.size_logs.requests.threshold = requests
    world.core.size_logs.replies.threshold = replies
    world.core.tables.refresh()


def logged(client: Client, kind: str, count: int = -1) -> list[tuple[int, list[str]]]:
    return [(value, argv) for _, _, value, argv, _, _ in client.call("COMMANDLOG", "GET", count, kind)]


def test_the_slow_log_is_the_same(world: World, client: Client) -> None:
    world.core.slowlog.threshold = 0
    world.core.refresh_precision()
    client.call("PING")
    assert client.call("COMMANDLOG", "LEN", "slow") == 1
    assert client.call("COMMANDLOG", "GET", 10, "SLOW")[1][3] == ["PING"]
    assert client.call("COMMANDLOG", "RESET", "slow") == "OK"
    assert client.call("SLOWLOG", "LEN") == 1


def test_large_requests_are_logged_with_their_size_on_the_wire(world: World, client: Client) -> None:
    measure(world, requests=100)
    client.call("CLIENT", "SETNAME", "me")
    client.call("SET", "k", "v" * 20)
    client.call("SET", "k", "v" * 200)
    assert client.call("COMMANDLOG", "GET", 5, "large-request") == [
        [0, int(START), 228, ["SET", "k", "v" * 128 + "... (72 more bytes)"], "127.0.0.1:5000", "me"]
    ]
    assert client.call("COMMANDLOG", "LEN", "large-reply") == 0


def test_large_replies_are_logged_with_their_size_on_the_wire(world: World, client: Client) -> None:
    client.call("SET", "k", "v" * 200)
    client.call("RPUSH", "l", *"abc")
    measure(world, replies=25)
    client.call("GET", "k")
    client.call("LRANGE", "l", 0, -1)
    client.call("LRANGE", "l", 0, 1)
    client.call("INCR", "k")
    client.call("ECHO", "x")
    assert logged(client, "large-reply", 3) == [
        (46, ["INCR", "k"]),
        (25, ["LRANGE", "l", "0", "-1"]),
        (208, ["GET", "k"]),
    ]


def test_commands_of_a_transaction_are_logged_and_what_waits_is_not(world: World, client: Client) -> None:
    measure(world, replies=0)
    client.start("BLPOP", "none", 1)
    world.advance(1)
    client.read()
    client.call("MULTI")
    client.call("ECHO", "x")
    client.call("EXEC")
    assert [words[0] for _, words in logged(client, "large-reply")] == ["ECHO", "MULTI", "BLPOP"]
    assert logged(client, "large-reply")[-1][0] == 0


def test_old_calls_are_forgotten(world: World, client: Client) -> None:
    world.core.size_logs.requests.longest = 2
    measure(world, requests=0)
    for word in "abc":
        client.call("ECHO", word)
    assert [words[1] for _, words in logged(client, "large-request")] == ["c", "b"]
    assert client.call("COMMANDLOG", "RESET", "LARGE-REQUEST") == "OK"
    assert client.call("COMMANDLOG", "LEN", "large-request") == 1  # the RESET itself


def test_nothing_is_measured_unless_it_is_wanted(world: World) -> None:
    assert not world.core.size_logs.active
    row = world.core.tables.rows["get"]
    assert row.run is row.command.function


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("COMMANDLOG GET 1 foo", NO_TYPE),
        ("COMMANDLOG LEN foo", NO_TYPE),
        ("COMMANDLOG RESET foo", NO_TYPE),
        ("COMMANDLOG GET -2 slow", NO_COUNT),
        ("COMMANDLOG GET x foo", NO_COUNT),
        ("COMMANDLOG GET 1", "ERR wrong number of arguments for 'commandlog|get' command"),
        ("COMMANDLOG LEN", "ERR wrong number of arguments for 'commandlog|len' command"),
        ("COMMANDLOG FOO", "ERR unknown subcommand 'FOO'. Try COMMANDLOG HELP."),
    ],
)
def test_errors(client: Client, command: str, error: str) -> None:
    assert error_of(client.call(*command.split())) == error
