"""SUNIONCARD and SDIFFCARD, beside SINTERCARD."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World
from tests.commands.conftest import outcome


@pytest.fixture
def client(world: World) -> Client:
    client = world.connect()
    client.call("SADD", "a", *"abcdefg")
    client.call("SADD", "b", *"bdfh")
    client.call("SADD", "n", *range(3))
    client.call("SADD", "big", *range(4_000))
    client.call("SADD", "other", *range(2_000, 5_000))
    client.call("SET", "s", "x")
    return client


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("SUNIONCARD 2 a b", 8),
        ("SUNIONCARD 3 a b n", 11),
        ("SUNIONCARD 2 a a", 7),
        ("SUNIONCARD 1 none", 0),
        ("SUNIONCARD 2 a b LIMIT 5", 5),
        ("SUNIONCARD 2 a b LIMIT 0", 8),
        ("SUNIONCARD 2 a b limit 9 approx", 8),
        ("SUNIONCARD 2 big other", 5_000),
        ("SDIFFCARD 2 a b", 4),
        ("SDIFFCARD 2 b a", 1),
        ("SDIFFCARD 2 a none", 7),
        ("SDIFFCARD 2 none a", 0),
        ("SDIFFCARD 2 a a", 0),
        ("SDIFFCARD 1 a", 7),
        ("SDIFFCARD 2 a b LIMIT 2", 2),
        ("SDIFFCARD 2 a b LIMIT 0", 4),
        ("SDIFFCARD 2 big other", 2_000),
        ("SDIFFCARD 2 big other LIMIT 3", 3),
        ("SINTERCARD 2 a b", 3),
    ],
)
def test_members_are_counted(client: Client, command: str, count: int) -> None:
    assert client.call(*command.split()) == count


@pytest.mark.parametrize("name", ["SUNIONCARD", "SDIFFCARD", "SINTERCARD"])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("0 a", "ERR numkeys should be greater than 0"),
        ("x a", "ERR numkeys should be greater than 0"),
        ("3 a b", "ERR Number of keys can't be greater than number of args"),
        ("1 a LIMIT", "ERR syntax error"),
        ("1 a LIMIT -1", "ERR LIMIT can't be negative"),
        ("1 a LIMIT x", "ERR LIMIT can't be negative"),
        ("1 a FOO", "ERR syntax error"),
        ("2 a s", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_errors(client: Client, name: str, words: str, error: str) -> None:
    assert outcome(client.call(name, *words.split())) == error


def test_only_a_union_may_be_estimated(client: Client) -> None:
    for name in ("SDIFFCARD", "SINTERCARD"):
        assert outcome(client.call(name, 1, "a", "APPROX")) == "ERR syntax error"
