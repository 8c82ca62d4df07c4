"""Every command that both servers have, spoilt in every way: the errors are Redis's, and an error changes nothing.

The table is that of the other server: its COMMAND DOCS tell the arguments of each command, from which right lines are
drawn, with any of the options in their order; then one word after the other is replaced by what is no number, hardly
one or too large a one, by a key of another type, by nothing, a NUL, no UTF-8, or it is left out or put in twice. Where
test_errors.py looks at one option after the other, as our registry knows them, this draws many at once, as Redis does.

The lines of a command are drawn from a seed that is its name, so that they are the same in every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pycache_server.commands.registry import Command, Flag
from tests.compared import COMPARED
from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.differential.test_errors import (
    EDGES,
    KEY_OF_GROUP,
    KEYS,
    MOST_SHOWN,
    NOT_NUMBERS,
    ODD_WORDS,
    SKIPPED,
    Side,
    all_commands,
    are_alike,
    is_error,
    servers,
)

pytestmark = pytest.mark.interop
__all__ = ["servers"]

Tree = dict[str, Any]
LINES, SPOILT = 4, 4
"""Right lines of a command, and what is made of each."""
SLOW_LINES = 60
COUNTS = ("numkeys", "numfields")
"""Arguments that tell how many of the next one there are."""
USUAL: dict[str, list[bytes]] = {
    "integer": [b"1", b"0", b"2", b"-1", b"10"],
    "double": [b"1", b"0.5", b"-2", b"10"],
    "pattern": [b"*", b"a*", b"[ab]"],
    "unix-time": [b"99999999999", b"9999999999999"],
    "string": [b"a", b"b", b"1", b"c"],
}
"""What is right for an argument of a type,"""
NAMED: dict[str, list[bytes]] = {
    "encoding": [b"u8", b"i5", b"u63"],
    "id": [b"5-1", b"1-1", b"0", b"*"],
    "start": [b"0", b"1", b"-", b"-2", b"(a", b"[a"],
    "end": [b"-1", b"1", b"+", b"(b"],
    "stop": [b"-1", b"1", b"+", b"[b"],
    "min": [b"-inf", b"0", b"(1", b"[a", b"-"],
    "max": [b"+inf", b"2", b"(2", b"[b", b"+"],
    "cursor": [b"0"],
    "timeout": [b"0.01", b"1"],
    "value": [b"1", b"a", b"12"],
    "bit": [b"0", b"1"],
    "type": [b"string", b"zset"],
}
"""and for one of a name."""


@pytest.fixture(scope="module")
def trees(real_redis: RealRedis) -> dict[str, Tree]:
    """What COMMAND DOCS tells of each command, by its full name."""
    real = Real(real_redis.port, 3)
    found = _text(real.call([b"COMMAND", b"DOCS"]))
    real.close()
    return found | {name: tree for each in found.values() for name, tree in each.get("subcommands", {}).items()}


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, set)):
        return [_text(each) for each in value]
    if isinstance(value, dict):
        return {_text(key): _text(each) for key, each in value.items()}
    return value


class Writer:
    """Draws lines of a command."""

    def __init__(self, random: Random, group: str) -> None:
        self._random = random
        self._key = KEY_OF_GROUP.get(group, b"string")

    def line(self, name: str, tree: Tree) -> list[bytes]:
        """A line that is right."""
        return [*(word.encode().upper() for word in name.split("|")), *self._sequence(tree.get("arguments", []))]

    def _sequence(self, arguments: list[Tree]) -> list[bytes]:
        words: list[bytes] = []
        count_at = -1
        for argument in arguments:
            if "optional" in argument.get("flags", ()) and self._random.random() < 0.6:
                continue
            if argument["name"] in COUNTS:
                count_at = len(words)
                words.append(b"")
                continue
            parts = self._argument(argument)
            if count_at >= 0:
                words[count_at] = b"%d" % len(parts)
                count_at = -1
            words += [word for part in parts for word in part]
        return words

    def _argument(self, argument: Tree) -> list[list[bytes]]:
        """The words of an argument, several times where that is allowed."""
        flags = argument.get("flags", ())
        parts = [self._once(argument) for _ in range(self._random.choice((1, 1, 2)) if "multiple" in flags else 1)]
        token = argument.get("token", "").encode()
        if token and argument["type"] != "pure-token":
            for part in parts if "multiple_token" in flags else parts[:1]:
                part.insert(0, token)
        return parts

    def _once(self, argument: Tree) -> list[bytes]:
        kind = argument["type"]
        if kind == "pure-token":
            return [argument["token"].encode()]
        if kind == "oneof":
            return [word for part in self._argument(self._random.choice(argument["arguments"])) for word in part]
        if kind == "block":
            return self._sequence(argument["arguments"])
        if kind == "key":
            return [self._key if self._random.random() < 0.8 else self._random.choice([*KEYS, b"none"])]
        return [self._random.choice(NAMED.get(argument["name"], USUAL.get(kind, USUAL["string"])))]

    def spoilt(self, line: list[bytes], first: int) -> list[bytes]:
        """A line with something wrong, behind so many words of its name."""
        random = self._random
        place = random.randrange(first, len(line) + 1)
        chance = random.random()
        if place == len(line) or chance < 0.05:
            return [*line[:place], random.choice([b"x", b"1", b"a"]), *line[place:]]
        if chance < 0.15:
            return line[:place] + line[place + 1 :]
        if chance < 0.2:
            return [*line[: place + 1], *line[place:]]
        word = line[place]
        kinds = (NOT_NUMBERS, EDGES, ODD_WORDS, KEYS, [b"none", word + b"\0", word.lower(), word + b"\xff", word[:-1]])
        return [*line[:place], random.choice(random.choice(kinds)), *line[place + 1 :]]


def drawn(command: Command, tree: Tree, count: int) -> Iterator[list[bytes]]:
    """Lines of a command, right ones and what is made wrong of them."""
    writer = Writer(Random(command.name), command.group)
    first = len(command.name.split("|"))
    for _ in range(count):
        line = writer.line(command.name, tree)
        yield line
        for _ in range(SPOILT):
            yield writer.spoilt(line, first)


class Watched:
    """A server whose data are known to be as they were, or not."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.prepare()

    def prepare(self) -> None:
        """Hold the keys and nothing else."""
        self.side.call([b"FLUSHALL"])
        self.side.prepare()
        self._digest = self.side.call([b"DEBUG", b"DIGEST"])

    def is_as_it_was(self) -> bool:
        return bool(self.side.call([b"DEBUG", b"DIGEST"]) == self._digest)


@pytest.mark.parametrize("command", list(all_commands()), ids=lambda command: command.name)
def test_spoilt_lines_get_the_errors_of_redis_and_change_nothing(
    servers: tuple[Side, Side],
    trees: dict[str, Tree],
    command: Command,
    request: pytest.FixtureRequest,
) -> None:
    if command.name in SKIPPED:
        pytest.skip(SKIPPED[command.name])
    if command.name not in trees:
        pytest.skip("the other server does not have it")
    redis, ours = map(Watched, servers)
    version = redis.side.version()
    may_change = Flag.WRITE in command.flags or any("RW" in spec.flags for spec in command.keys)
    different = []
    for argv in drawn(command, trees[command.name], SLOW_LINES if request.config.getoption("--slow") else LINES):
        COMPARED["spoilt lines"] += 1
        theirs, mine = redis.side.answers(argv, command), ours.side.answers(argv, command)
        if not are_alike(command, argv, theirs, mine, version):
            different.append(f"{argv}\n  redis: {theirs!r}\n  ours:  {mine!r}")
        failed = is_error(theirs[0]) and is_error(mine[0])
        if failed and ours.is_as_it_was():
            continue
        if failed:
            different.append(f"{argv}\n  changes something, and answers {mine!r}")
        if may_change or failed:
            redis.prepare()
            ours.prepare()
    assert not different, f"{len(different)}\n" + "\n".join(different[:MOST_SHOWN])
