"""Every command with every kind of bad input: the error must be Redis's, or the reply.

The table is the registry: from a command's syntax follow valid words for it, and from those its errors: a word too few
or too many, a key of another type, and in each place what is no number, hardly one or too large a one, nothing, a NUL
and no UTF-8. Both servers hold the same keys before every command. A family that is added is tested without a line
here, unless one of its commands would end or block a server (``SKIPPED``), or an older server answers otherwise
(versions.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import hiredis
import pytest

import pycache_server.server.setup  # noqa: F401  (registers the server's commands, too)
from pycache_server.commands.registry import REGISTRY, Command, Flag
from pycache_server.commands.syntax import Argument
from tests.compared import COMPARED
from tests.conftest import RealRedis
from tests.differential.oracle import Real, forget_users
from tests.differential.replies import agree
from tests.differential.versions import Version
from tests.server.running import Running

pytestmark = pytest.mark.interop

SKIPPED = {
    "bgrewriteaof": "writes files",
    "bgsave": "writes files",
    "client|kill": "ends the connections of the test",
    "client|pause": "holds the test up",
    "client|reply": "takes the replies from the test",
    "failover": "makes the server another's replica",
    "migrate": "waits for a server that is not there",
    "monitor": "shows the commands of the test between its replies",
    "pfselftest": "takes a real server half a second",
    "psync": "makes the connection a replica's",
    "quit": "ends the connection",
    "replconf": "makes the connection a replica's",
    "script|debug": "there is no debugger here, which is said in words of our own",
    "replicaof": "makes the server another's replica",
    "save": "writes files",
    "shutdown": "ends the server",
    "slaveof": "makes the server another's replica",
    "sync": "makes the connection a replica's",
}
ABOUT_ITSELF = ("acl|cat", "acl|genpass", "client|", "command|", "config|get", "hello", "info", "lolwut", "memory|")
"""What the names of commands begin with that tell of the server or its connections."""

NOT_NUMBERS = [b"x", b"1_0", b" 1", b"1 ", b"+1", b"01", b"1.5", b"nan", b"inf", b"-inf", b"1e400", b"0x1", b"1\0"]
EDGES = [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"9" * 30]
ODD_WORDS = [b"", b"\0", b"\xff\xfe", b"\r\n", b"a b"]
HOLDERS = {
    b"string": [b"SET", b"string", b"12"],
    b"text": [b"SET", b"text", b"some text"],
    b"list": [b"RPUSH", b"list", b"a", b"1", b"c"],
    b"set": [b"SADD", b"set", b"a", b"1"],
    b"zset": [b"ZADD", b"zset", b"1", b"a", b"2", b"b"],
    b"hash": [b"HSET", b"hash", b"a", b"1", b"b", b"x"],
    b"stream": [b"XADD", b"stream", b"1-1", b"a", b"1"],
    b"geo": [b"GEOADD", b"geo", b"13.361389", b"38.115556", b"a", b"15.087269", b"37.502669", b"b"],
    b"hll": [b"PFADD", b"hll", b"a", b"b"],
}
"""Keys of every type that we have, and how they are made."""
KEYS = [key for key, words in HOLDERS.items() if words[0].decode().lower() in REGISTRY]
KEY_OF_GROUP = {
    "list": b"list",
    "set": b"set",
    "sorted-set": b"zset",
    "hash": b"hash",
    "stream": b"stream",
    "geo": b"geo",
    "hyperloglog": b"hll",
}
MOST_LINES = 900
"""Of so many command lines one in several is tried unless ``--slow`` is given."""


MOST_SHOWN = 5
"""So many differences are shown of a command."""
Answer = tuple[Any, bytes]
"""A reply as a value and as it was sent."""


class Side:
    """One of the servers."""

    def __init__(self, port: int) -> None:
        self._connection = Real(port, 2)
        self.call([b"FLUSHALL"])
        forget_users(self.call)
        self.prepare()

    def call(self, argv: list[bytes]) -> Any:
        return self._connection.call(argv)

    def version(self) -> Version:
        return self._connection.version()

    def prepare(self) -> None:
        """Hold the keys and nothing else."""
        for argv in ([b"FLUSHDB"], *(HOLDERS[key] for key in KEYS)):
            reply = self.call(argv)
            assert not isinstance(reply, hiredis.ReplyError), reply

    def answers(self, argv: list[bytes], command: Command) -> list[Answer]:
        """The replies to a command, most often one; the connection is as good as new before and after. What might block
        is run where it may not."""
        if Flag.BLOCKING in command.flags:
            self.call([b"MULTI"])
            self.call(argv)
            found = self.call([b"EXEC"])
            answers = [(found[0] if isinstance(found, list) else found, self._connection.raw.removeprefix(b"*1\r\n"))]
            self.call([b"RESET"])
            return answers
        answers = [(self.call(argv), self._connection.raw)]
        reply = self.call([b"RESET"])
        while reply != b"RESET":
            answers.append((reply, self._connection.raw))
            reply = self._connection.read()
        return answers

    def close(self) -> None:
        self._connection.close()


def all_commands() -> Iterator[Command]:
    for command in REGISTRY.values():
        yield from command.subcommands.values() or [command]


def valid_lines(command: Command) -> Iterator[list[bytes]]:
    """Command lines that are right: with what is required alone, and with each of the options."""
    name = [word.encode().upper() for word in command.name.split("|")]
    plain = [words_of(each, command) if not each.optional else [] for each in command.arguments]
    yield name + list(chain(*plain))
    for place, argument in enumerate(command.arguments):
        for words in alternatives(argument, command):
            yield name + list(chain(*plain[:place], words, *plain[place + 1 :]))


def alternatives(argument: Argument, command: Command) -> list[list[bytes]]:
    """The ways to write an argument."""
    if argument.kind == "oneof":
        token = [argument.token.encode()] if argument.token else []
        return [token + words for part in argument.parts for words in alternatives(part, command)]
    words = words_of(argument, command)
    return [words, words * 2] if argument.multiple else [words]


def words_of(argument: Argument, command: Command) -> list[bytes]:
    """One way to write an argument."""
    token = [argument.token.encode()] if argument.token else []
    if argument.kind == "pure-token":
        return token
    if argument.kind == "oneof":
        return token + words_of(argument.parts[0], command)
    if argument.kind == "block":
        return token + list(chain(*(words_of(part, command) for part in argument.parts if not part.optional)))
    usual = {"key": KEY_OF_GROUP.get(command.group, b"string"), "integer": b"1", "double": b"1", "pattern": b"*"}
    return [*token, usual.get(argument.kind, b"99999999999" if argument.kind == "unix-time" else b"a")]


def lines(command: Command) -> list[list[bytes]]:
    """Right lines, and all that is made wrong of them."""
    found: dict[tuple[bytes, ...], None] = {}
    first = len(command.name.split("|"))
    for line in valid_lines(command):
        found[tuple(line)] = None
        for end in range(first, len(line)):
            found[tuple(line[:end])] = None
        for extra in (b"x", b"1"):
            found[*line, extra] = None
        for place in range(first, len(line)):
            for word in (*NOT_NUMBERS, *EDGES, *ODD_WORDS, *KEYS, b"none", line[place] + b"\0", line[place].lower()):
                found[*line[:place], word, *line[place + 1 :]] = None
    return [list(line) for line in found]


@pytest.fixture(scope="module")
def servers(real_redis: RealRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with Running(tmp_path_factory.mktemp("errors"), "--enable-debug-command", "yes") as running:
        sides = Side(real_redis.port), Side(running.port)
        yield sides
        for side in sides:
            side.close()


@pytest.mark.parametrize("command", list(all_commands()), ids=lambda command: command.name)
def test_bad_input_gets_the_errors_of_redis(
    servers: tuple[Side, Side], command: Command, request: pytest.FixtureRequest
) -> None:
    if command.name in SKIPPED:
        pytest.skip(SKIPPED[command.name])
    redis, ours = servers
    if redis.call([b"COMMAND", b"INFO", command.name.encode()]) == [None]:
        pytest.skip("newer than 7.0")
    tried = lines(command)
    step = 1 if request.config.getoption("--slow") else len(tried) // MOST_LINES + 1
    version = redis.version()
    different = []
    for argv in tried[::step]:
        COMPARED["bad input"] += 1
        theirs, mine = redis.answers(argv, command), ours.answers(argv, command)
        if Flag.WRITE in command.flags and not (is_error(theirs[0]) and is_error(mine[0])):
            redis.prepare()
            ours.prepare()
        if not are_alike(command, argv, theirs, mine, version):
            different.append(f"{argv}\n  redis: {theirs!r}\n  ours:  {mine!r}")
    assert not different, f"{len(different)} of {len(tried[::step])}\n" + "\n".join(different[:MOST_SHOWN])


def is_error(answer: Answer) -> bool:
    return isinstance(answer[0], hiredis.ReplyError)


def are_alike(
    command: Command,
    argv: list[bytes],
    theirs: list[tuple[Any, bytes]],
    mine: list[tuple[Any, bytes]],
    version: Version,
) -> bool:
    """Whether both servers have given the same answers, as far as those are not about themselves."""
    if len(theirs) != len(mine):
        return False
    return all(
        (is_its_own(command) and not is_error(one) and not is_error(other))
        or agree(argv, one[0], other[0], version, (one[1], other[1]))
        for one, other in zip(theirs, mine, strict=True)
    )


def is_its_own(command: Command) -> bool:
    """Whether a reply is about the server itself, or in its own words."""
    chance = any(tip.startswith("nondeterministic_output") for tip in command.tips)
    return chance or command.name.startswith(ABOUT_ITSELF) or command.name.endswith("|help")
