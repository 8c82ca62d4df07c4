"""BIGKEYS: the biggest keys, in slices while others are served."""

from __future__ import annotations

import pytest

import pycache_server.server.setup  # noqa: F401  (registers MEMORY)
from pycache_server.session.bigkeys import REST, SLICE
from pycache_server.testing.inprocess import Client, World


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("HELLO", 3)
    return client


def fill(client: Client) -> None:
    """More keys than one slice looks at."""
    for number in range(SLICE // 4 + 100):
        client.call("SET", f"key:{number}", "x")
    client.call("RPUSH", "list", *"x" * 200)
    client.call("SET", "text", "x" * 50_000)


def names(rows: list[dict[str, object]]) -> list[object]:
    return [row["key"] for row in rows]


def test_a_small_database_is_looked_at_once(client: Client) -> None:
    client.call("SET", "a", "1")
    assert names(client.call("BIGKEYS")) == ["a"]


def test_keys_of_all_databases_are_told_with_their_type_and_size(world: World, client: Client) -> None:
    def ask(*words: str) -> list[dict[str, object]]:
        client.start("BIGKEYS", *words)
        world.advance(10 * REST)
        found: list[dict[str, object]] = client.read()
        return found

    client.call("SET", "small", "1")
    client.call("SELECT", 1)
    client.call("SET", "text", "x" * 1000)
    rows = ask()
    assert names(rows) == ["text", "small"]
    assert rows[0] == {"key": "text", "db": 1, "type": "string", "bytes": rows[0]["bytes"], "elements": 1000}
    assert rows[0]["bytes"] == client.call("MEMORY", "USAGE", "text")
    assert names(ask("COUNT", "1", "TYPE", "String")) == ["text"]
    assert ask("TYPE", "hash") == []


def test_a_large_one_is_looked_at_in_slices_between_which_others_are_served(world: World, client: Client) -> None:
    fill(client)
    other = world.connect()
    client.start("BIGKEYS", "COUNT", "2")
    client.start("PING")
    assert client.read_all() == []
    assert other.call("SET", "later", "x") == "OK"
    world.core.blocking._check()
    for _ in range(10):
        world.advance(REST)
    rows, pong = client.read_all()
    assert names(rows) == ["text", "list"] and pong == "PONG"
    assert client.call("PING") == "PONG"
    world.check()


def test_within_multi_it_answers_at_once(client: Client) -> None:
    fill(client)
    client.call("MULTI")
    client.call("BIGKEYS", "COUNT", "1")
    assert names(client.call("EXEC")[0]) == ["text"]


def test_a_client_that_goes_or_is_unblocked_waits_no_more(world: World, client: Client) -> None:
    fill(client)
    identity = client.call("CLIENT", "ID")
    client.start("BIGKEYS")
    assert world.connect().call("CLIENT", "UNBLOCK", identity) == 1
    assert client.read() is None
    client.start("BIGKEYS")
    client.close()
    world.advance(1)
    assert world.core.blocking.count == 0
    world.check()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("COUNT 0", "ERR value is out of range, value must between 1 and 10000"),
        ("COUNT x", "ERR value is not an integer or out of range"),
        ("TYPE", "ERR syntax error"),
        ("NONSENSE", "ERR syntax error"),
    ],
)
def test_errors(client: Client, words: str, error: str) -> None:
    assert str(client.call("BIGKEYS", *words.split())) == error
