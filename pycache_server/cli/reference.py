"""The reference of commands, written from the registry.

python -m pycache_server.cli.reference > docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from pycache_server import REDIS_VERSION
from pycache_server.commands.registry import REGISTRY, Command
from pycache_server.server import setup  # noqa: F401  (makes the registry complete)
from pycache_server.session.introspection import add_help

_HEAD = f"""# Commands

Written from the registry by `python -m pycache_server.cli.reference`; what a command does is told at length by
[redis.io](https://redis.io/docs/latest/commands/) for Redis {REDIS_VERSION}, which the commands here follow. Where
they differ is told in [differences.md](differences.md). `COMMAND DOCS` gives the same to clients.
"""


def reference(commands: Iterable[Command]) -> str:
    """The page for some commands, in Markdown."""
    return "\n".join(_lines(sorted(commands, key=lambda command: command.name)))


def _lines(commands: list[Command]) -> Iterator[str]:
    yield _HEAD
    for group in sorted({command.group for command in commands}):
        yield f"## {group}\n"
        yield "| syntax | summary | complexity | since Redis |"
        yield "|---|---|---|---|"
        for command in commands:
            if command.group == group:
                for each in (command, *sorted(command.subcommands.values(), key=lambda one: one.name)):
                    if not each.subcommands:
                        yield _row(each)
        yield ""


def _row(command: Command) -> str:
    syntax = command.syntax.replace("|", "\\|")
    return f"| `{syntax}` | {command.summary} | {command.complexity} | {command.since} |"


if __name__ == "__main__":
    add_help()
    sys.stdout.write(reference(REGISTRY.values()))
