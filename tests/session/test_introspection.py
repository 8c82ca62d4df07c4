"""COMMAND: what a program can find out about commands, compared with a real redis-server for every command that both
have. What tells of commands by the row is in tests/server/test_introspection.py."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycache_server.commands.registry import OWN, REGISTRY, Command
from pycache_server.testing.inprocess import World
from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.differential.replies import show
from tests.differential.versions import Version, is_expected
from tests.peers import AnyClient, Client, Ours, error_of

SYNTAX = "ERR syntax error"


def all_commands() -> Iterator[Command]:
    for command in REGISTRY.values():
        yield command
        yield from command.subcommands.values()


@pytest.fixture
def version(real_redis: RealRedis) -> Iterator[Version]:
    """The version of the real server."""
    real = Real(real_redis.port, 2)
    yield real.version()
    real.close()


@pytest.fixture
def both(real_redis: RealRedis) -> Iterator[tuple[Any, Any]]:
    """The call of a real server, and of ours."""
    real = Real(real_redis.port, 3)
    ours = Ours().world.connect(decode=False)
    ours.call("HELLO", 3)
    yield real.call, lambda argv: ours.call(*argv)
    real.close()


NEWER = ("zrank", "zrevrank")
"""Commands that have got options since 7.0."""
WORDS = [b"a", b"b", b"c", b"0", b"1", b"2", b"GET", b"SET", b"STORE", b"STREAMS", b"KEYS", b"BY", b"u8", b"COUNT"]


@pytest.mark.interop
@pytest.mark.parametrize("name", sorted(each.name for each in all_commands() if each.keys))
def test_the_keys_of_any_command_line_are_those_that_redis_finds(
    both: tuple[Any, Any], version: Version, name: str
) -> None:
    real, ours = both
    if name in NEWER or real([b"COMMAND", b"INFO", name.encode()]) == [None]:
        pytest.skip("newer than 7.0")
    chance = random.Random(name)
    least = abs(next(each.arity for each in all_commands() if each.name == name))
    command = name.encode().split(b"|")
    for _ in range(150):
        count = max(1, least + chance.randrange(-1, 6))
        words = (command + chance.choices(WORDS, k=count))[: max(count, len(command))]
        for question in (b"GETKEYS", b"GETKEYSANDFLAGS"):
            argv = [b"COMMAND", question, *words]
            mine, theirs = ours(argv), real(argv)
            assert show(mine) == show(theirs) or is_expected(version, argv, theirs, mine), argv


def tokens_of(arguments: list[dict[bytes, Any]]) -> Iterator[bytes]:
    for argument in arguments:
        if b"token" in argument:
            yield argument[b"token"]
        yield from tokens_of(argument.get(b"arguments", []))


@pytest.mark.interop
def test_docs_name_every_option_that_redis_has(both: tuple[Any, Any]) -> None:
    real, ours = both
    theirs, mine = real([b"COMMAND", b"DOCS"]), ours([b"COMMAND", b"DOCS"])
    pairs = [(theirs[name], mine[name]) for name in theirs.keys() & mine.keys()]
    for one, other in pairs:
        subcommands, ours_too = one.get(b"subcommands", {}), other.get(b"subcommands", {})
        pairs += [(subcommands[name], ours_too[name]) for name in subcommands.keys() & ours_too.keys()]
        missing = set(tokens_of(one.get(b"arguments", []))) - set(tokens_of(other.get(b"arguments", [])))
        missing.discard(b"")  # MIGRATE's key, if there are several: no option
        assert not missing, (one[b"summary"], missing)
    assert len(pairs) > 100


@pytest.mark.interop
@pytest.mark.parametrize("name", ["get", "set", "rename", "lcs", "bitfield", "mset", "expire", "copy", "scan"])
def test_arguments_are_documented_as_in_redis(both: tuple[Any, Any], name: str) -> None:
    real, ours = both
    theirs, mine = (call([b"COMMAND", b"DOCS", name.encode()])[name.encode()] for call in (real, ours))
    assert shape_of(mine[b"arguments"]) == shape_of(theirs[b"arguments"])


NEWER_TOKENS = (b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE")
"""Options that commands have got since 7.4."""


def shape_of(arguments: list[dict[bytes, Any]]) -> list[Any]:
    """Arguments without the names of groups, without names that 7.2 has changed, and without what is newer."""
    return [
        (
            each[b"type"],
            each.get(b"token"),
            each.get(b"key_spec_index"),
            each.get(b"flags"),
            shape_of(each.get(b"arguments", [])),
        )
        for each in arguments
        if each.get(b"token") not in NEWER_TOKENS
    ]


@pytest.mark.interop
def test_docs_tell_what_is_deprecated_and_what_is_not_for_users(both: tuple[Any, Any], version: Version) -> None:
    real, ours = both
    theirs, mine = real([b"COMMAND", b"DOCS"]), ours([b"COMMAND", b"DOCS"])
    for name in theirs.keys() & mine.keys():
        pairs = [(theirs[name], mine[name])]
        subcommands = theirs[name].get(b"subcommands", {})
        pairs += [(each, mine[name][b"subcommands"].get(sub, each)) for sub, each in subcommands.items()]
        for one, other in pairs:
            for field in (b"doc_flags", b"deprecated_since", b"replaced_by"):
                if version >= (7, 2) or field in one:  # some have been deprecated since
                    assert other.get(field) == one.get(field), name


def test_flags_of_arguments_are_a_set(client: AnyClient) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    client.start("COMMAND", "DOCS", "MGET")
    assert b"$5\r\nflags\r\n~1\r\n+multiple\r\n" in client.raw


def test_arguments_have_the_texts_that_clients_of_7_2_show(our_client: Client) -> None:
    our_client.call("HELLO", 3)
    key, value = our_client.call("COMMAND", "DOCS", "SETNX")["setnx"]["arguments"]
    assert key == {"name": "key", "type": "key", "display_text": "key", "key_spec_index": 0}
    assert value == {"name": "value", "type": "string", "display_text": "value"}


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["GET", "a"], ["a"]),
        (["mset", "a", "1", "b", "2"], ["a", "b"]),
        (["MSET", "a", "1", "b"], ["a", "b"]),
        (["OBJECT", "ENCODING", "a"], ["a"]),
        (["BITOP", "AND", "a", "b", "c"], ["a", "b", "c"]),
    ],
)
def test_keys_are_found(client: AnyClient, words: list[str], keys: list[str]) -> None:
    assert client.call("COMMAND", "GETKEYS", *words) == keys


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["SET", "a", "b"], ["OW", "update"]),
        (["SET", "a", "b", "get"], ["RW", "access", "update"]),
        (["BITFIELD", "a", "GET", "u8", "0"], ["RO", "access"]),
        (["BITFIELD", "a", "OVERFLOW", "SAT", "GET", "u8", "0"], ["RO", "access"]),
        (["BITFIELD", "a", "GET", "u8", "0", "SET", "u8", "0", "1"], ["RW", "access", "update"]),
        (["BITFIELD", "a", "GET", "u8"], ["RW", "access", "update"]),
        (["GETDEL", "a"], ["RW", "access", "delete"]),
    ],
)
def test_flags_of_keys_may_depend_on_the_options(client: AnyClient, words: list[str], flags: list[str]) -> None:
    assert client.call("COMMAND", "GETKEYSANDFLAGS", *words) == [["a", flags]]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nope", "x"], "ERR Invalid command specified"),
        (["OBJECT", "FOO", "x"], "ERR Invalid command specified"),
        (["PING", "x"], "ERR The command has no key arguments"),
        (["OBJECT", "HELP"], "ERR The command has no key arguments"),
        (["GET", "a", "b"], "ERR Invalid number of arguments specified for command"),
    ],
)
def test_where_there_are_no_keys_that_is_said(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("COMMAND", "GETKEYS", *words)) == error


def test_the_keys_of_a_command_without_arguments_are_not_asked_for(our_client: Client) -> None:
    error = "ERR wrong number of arguments for 'command|getkeys' command"
    assert error_of(our_client.call("COMMAND", "GETKEYS", "GET")) == error


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["PATTERN", "getd*"], {"getdel"}),
        (["PATTERN", "GETDEL"], {"getdel"}),
        (["PATTERN", "client|i*"], {"client|id", "client|info"}),
        (["pattern", "nothing*"], set()),
        (["MODULE", "nothing"], set()),
        (["ACLCAT", "nothing"], set()),
        (["aclcat", "BitMap"], {"bitcount", "bitfield", "bitfield_ro", "bitop", "bitpos", "getbit", "setbit"}),
    ],
)
def test_lists_can_be_filtered(client: AnyClient, words: list[str], names: set[str]) -> None:
    assert set(client.call("COMMAND", "LIST", "FilterBy", *words)) == names


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["LIST", "FILTERBY"], SYNTAX),
        (["LIST", "FILTERBY", "PATTERN"], SYNTAX),
        (["LIST", "FILTERBY", "FOO", "x"], SYNTAX),
        (["LIST", "FILTERBY", "PATTERN", "a", "b"], SYNTAX),
        (["LIST", "FOO", "PATTERN", "x"], SYNTAX),
        (["COUNT", "x"], "ERR wrong number of arguments for 'command|count' command"),
        (["FOO"], "ERR unknown subcommand 'FOO'. Try COMMAND HELP."),
    ],
)
def test_what_command_refuses(client: AnyClient, words: list[str], error: str) -> None:
    assert error_of(client.call("COMMAND", *words)) == error


def test_info_and_docs_of_what_is_not_there(client: AnyClient) -> None:
    assert client.call("COMMAND", "INFO", "nope", "client|nope", "|", "config|get|x") == [None] * 4
    assert client.call("COMMAND", "DOCS", "nope") == []


RENAMED = {"get": "fetch", "keys": "", "config": "Konf", "object": "objekt"}
QUESTIONS = (
    "COMMAND INFO get|COMMAND INFO FETCH|COMMAND INFO keys fetch|COMMAND INFO konf/get|COMMAND INFO konf"
    "|COMMAND INFO config/get|COMMAND INFO config|COMMAND INFO konf/|COMMAND INFO fetch/x|COMMAND INFO konf/get/x"
    "|COMMAND INFO /|COMMAND INFO /get|COMMAND DOCS get|COMMAND DOCS fetch|COMMAND DOCS konf/get"
    "|COMMAND DOCS config/get|COMMAND GETKEYS get a|COMMAND GETKEYS fetch a|COMMAND GETKEYS KEYS a"
    "|COMMAND GETKEYS Objekt freq a"
    "|COMMAND GETKEYS object freq a|COMMAND GETKEYSANDFLAGS fetch a|COMMAND GETKEYSANDFLAGS get a"
    "|COMMAND LIST FILTERBY PATTERN *get*|COMMAND LIST FILTERBY PATTERN fetch|COMMAND LIST FILTERBY PATTERN k*"
    "|COMMAND LIST FILTERBY PATTERN config*|COMMAND LIST FILTERBY ACLCAT keyspace|get a|fetch a|fetch|KEYS *|konf"
    "|konf foo|kOnF get|config get hz|objekt x|objekt freq"
)
"""Commands, with strokes for the bars of subcommands."""


@pytest.mark.interop
def test_commands_go_by_their_new_names_and_are_told_of_under_their_own(tmp_path: Path) -> None:
    options = [word for old, new in RENAMED.items() for word in ("--rename-command", old, new)]
    redis, ours = RealRedis(tmp_path, *options), World(renamed=RENAMED).connect(decode=False)
    real = Real(redis.port, 2)
    try:
        assert ours.call("COMMAND", "COUNT") == len(ours.call("COMMAND"))
        assert {b"config|get", b"get"} < {*ours.call("COMMAND", "LIST")} & {*real.call([b"COMMAND", b"LIST"])}
        for question in QUESTIONS.split("|"):
            argv = question.encode().replace(b"/", b"|").split()
            assert told(ours.call(*argv)) == told(real.call(argv)), question
    finally:
        real.close()
        redis.stop()


def told(reply: Any) -> Any:
    """What a reply says of which commands: each by its name, arity and subcommands; a list of names in order."""
    value = show(reply)
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(each, bytes) for each in value):
        return sorted({*value} & OURS)
    if isinstance(value[0], bytes):  # COMMAND DOCS
        return value[::2]
    return [
        (each[0], each[1], sorted(sub[0] for sub in each[9])) if each is not None and len(each) == 10 else each
        for each in value
    ]


NEWEST = 7
OURS = {
    each.name.encode() for each in all_commands() if each.since != OWN and int(each.since.split(".")[0]) <= NEWEST
} | {b"a", b"*"}
"""What both have, and words that are no commands."""


def test_a_monitor_may_touch_no_key_by_whatever_name() -> None:
    client = World(renamed={"get": "fetch"}).connect()
    client.call("MONITOR")
    assert error_of(client.call("FETCH", "a")) == "ERR Replica can't interact with the keyspace"
