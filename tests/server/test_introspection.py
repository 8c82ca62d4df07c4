"""COMMAND tells of each command what a real redis-server tells."""

from __future__ import annotations

from typing import Any

import pytest

import pycache_server.server.setup  # noqa: F401  (registers the server's commands, too)
from pycache_server.commands.registry import REGISTRY
from pycache_server.testing.inprocess import Client, World
from tests.conftest import RealRedis
from tests.differential.oracle import Real


@pytest.fixture
def client() -> Client:
    client = World().connect()
    client.call("HELLO", 3)
    return client


def text(value: Any) -> Any:
    """A reply with text for bytes and sets in order."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)):
        return [text(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(text, value))
    if isinstance(value, dict):
        return {text(key): text(each) for key, each in value.items()}
    return value


def by_name(rows: list[Any]) -> dict[str, list[Any]]:
    found = {}
    for row in rows:
        found[row[0]] = row
        found |= by_name(row[9])
    return found


def comparable(row: list[Any]) -> dict[str, Any]:
    keys = [{name: part for name, part in spec.items() if name != "notes"} for spec in row[8]]
    for spec in keys:
        spec["flags"] = sorted(spec["flags"])
    flags = set(row[2])
    if "blocking" in flags:
        flags.discard("noscript")  # 7.2 took it from these, since within scripts they answer at once
    return {
        "arity": row[1],
        "flags": sorted(flags),
        "first, last, step": row[3:6],
        "categories": sorted(row[6]),
        "tips": sorted(row[7]),
        "keys": keys,
    }


def expected(row: list[Any]) -> dict[str, Any]:
    """What a real server of any version lets expect of us."""
    told = comparable(row) | SINCE_7_0.get(row[0], {}) | AS_7_0.get(row[0], {})
    if row[0] == "sinterstore":
        told["keys"][0]["flags"] = ["RW", "update"]  # since 7.2 OW
    return told


SINCE_7_0: dict[str, dict[str, Any]] = {
    "zrank": {"arity": -3},  # WITHSCORE
    "zrevrank": {"arity": -3},
    "cluster|shards": {"flags": ["loading", "stale"]},
    "cluster|slots": {"flags": ["loading", "stale"]},
    "wait": {"flags": ["blocking"], "categories": ["@blocking", "@connection", "@slow"]},
}
"""What later versions tell otherwise."""
AS_7_0: dict[str, dict[str, Any]] = {
    "client|setname": {"tips": []},
    "command|getkeys": {"arity": -4},
    "command|getkeysandflags": {"arity": -4},
    "config|resetstat": {"tips": []},
    "config|rewrite": {"tips": []},
    "latency|reset": {"tips": ["request_policy:all_nodes", "response_policy:all_succeeded"]},
    "msetnx": {"tips": ["request_policy:multi_shard", "response_policy:agg_min"]},
    "randomkey": {"tips": ["nondeterministic_output", "request_policy:all_shards"]},
    "scan": {"tips": ["nondeterministic_output", "request_policy:special"]},
}
"""What later versions tell otherwise and we do not."""


@pytest.mark.interop
def test_every_command_of_7_0_has_the_arity_flags_keys_and_categories_of_redis(
    real_redis: RealRedis, client: Client
) -> None:
    real = Real(real_redis.port, 3)
    theirs = by_name(text(real.call([b"COMMAND"])))
    real.close()
    ours = by_name(text(client.call("COMMAND")))
    shared = theirs.keys() & ours.keys()
    assert len(shared) > 80
    different = {
        name: (comparable(theirs[name]), comparable(ours[name]))
        for name in shared
        if expected(theirs[name]) != comparable(ours[name])
    }
    assert not different


@pytest.mark.interop
def test_docs_tell_group_and_version_of_redis(real_redis: RealRedis, client: Client) -> None:
    real = Real(real_redis.port, 3)
    theirs = text(real.call([b"COMMAND", b"DOCS"]))
    real.close()
    ours = client.call("COMMAND", "DOCS")
    for name in theirs.keys() & ours.keys():
        for field in ("group", "since"):
            assert ours[name][field] == theirs[name][field], name
        assert ours[name]["summary"].endswith(".")


def test_count_list_and_info_agree(client: Client) -> None:
    names = client.call("COMMAND", "LIST")
    assert client.call("COMMAND", "COUNT") == len([name for name in names if "|" not in name]) == len(REGISTRY)
    assert set(names) == by_name(client.call("COMMAND")).keys()
    assert client.call("COMMAND", "INFO", "GeT", "nope", "client|kill")[0][0] == "get"
    assert client.call("COMMAND", "INFO", "GeT", "nope", "client|kill")[1] is None
    assert client.call("COMMAND", "INFO", "GeT", "nope", "client|kill")[2][0] == "client|kill"
    assert client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "getd*") == ["getdel"]
    assert "set" in client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "string")
    assert client.call("COMMAND", "LIST", "FILTERBY", "MODULE", "x") == []


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["GET", "a"], ["a"]),
        (["MSET", "a", "1", "b", "2"], ["a", "b"]),
        (["RENAME", "a", "b"], ["a", "b"]),
        (["OBJECT", "ENCODING", "a"], ["a"]),
    ],
)
def test_keys_are_found(client: Client, words: list[str], keys: list[str]) -> None:
    assert client.call("COMMAND", "GETKEYS", *words) == keys


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nope", "x"], "ERR Invalid command specified"),
        (["PING", "x"], "ERR The command has no key arguments"),
        (["GET", "a", "b"], "ERR Invalid number of arguments specified for command"),
    ],
)
def test_where_there_are_no_keys_that_is_said(client: Client, words: list[str], error: str) -> None:
    assert str(client.call("COMMAND", "GETKEYS", *words)) == error


def test_every_container_has_help(client: Client) -> None:
    for name, command in REGISTRY.items():
        if command.subcommands and name not in ("command", "cluster"):
            lines = client.call(name, "HELP")
            assert lines[0] == f"{name.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
            assert lines[-2:] == ["HELP", "    Print this help."]
            assert len(lines) >= 2 * len(command.subcommands)


def test_every_command_has_docs_that_are_complete(client: Client) -> None:
    for name, docs in client.call("COMMAND", "DOCS").items():
        assert docs["summary"], name
        assert docs["complexity"], name
        for sub, inner in docs.get("subcommands", {}).items():
            assert inner["summary"], sub
