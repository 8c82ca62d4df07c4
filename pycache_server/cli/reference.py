"""The reference of commands, written from the registry, the tiers and the list of differences.

python -m pycache_server.cli.reference > docs/commands.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pycache_server import REDIS_VERSION
from pycache_server.cli.tiers import PLACES
from pycache_server.commands.registry import OWN, REGISTRY, Command
from pycache_server.server import setup  # noqa: F401  (makes the registry complete)
from pycache_server.session.introspection import add_help

_HEAD = f"""# Commands

Written by `python -m pycache_server.cli.reference`; what a command does is told at length by
[redis.io](https://redis.io/docs/latest/commands/) for Redis {REDIS_VERSION}, which the commands here follow.
`COMMAND DOCS` gives the same to clients.

- **tier**: 1 is what any client, user of a cache or redis-benchmark sends; 2 what frameworks, locks, limiters,
  exporters, high availability and graphical tools do; 3 the rest of Redis's core. `own` is a command of this server;
  without a tier are those that newer versions of Redis have beside their core.
- **here**: whether this server has it.
- **differs**: why its answers may be others than Redis's; [differences.md](differences.md) tells how.
"""
_SECTION = re.compile(r"^## (.+)$")


def reference(commands: Iterable[Command], differences: str) -> str:
    """The page for some commands, in Markdown; ``differences`` is the text of docs/differences.md."""
    return "\n".join(_lines(list(commands), differences))


def _lines(commands: list[Command], differences: str) -> Iterator[str]:
    found = {_name(each): each for command in commands for each in (command, *command.subcommands.values())}
    groups = {name: command.group for name, command in found.items()}
    groups |= {name: place.group for name, place in PLACES.items() if name not in found}
    reasons = _reasons(differences, groups)
    yield _HEAD
    yield from _summary(found)
    for group in sorted(set(groups.values())):
        yield f"## {group}\n"
        yield "| command | tier | here | summary | complexity | since Redis | differs |"
        yield "|---|---|---|---|---|---|---|"
        for name in sorted(name for name, of in groups.items() if of == group):
            if not (name in found and found[name].subcommands) and not _is_container(name, groups):
                yield _row(name, found.get(name), reasons.get(name, []))
        yield ""


def _summary(found: dict[str, Command]) -> Iterator[str]:
    """How many commands of each tier there are."""
    yield "| tier | commands | here |"
    yield "|---|---|---|"
    for tier in (1, 2, 3):
        names = [name for name, place in PLACES.items() if place.tier == tier]
        yield f"| {tier} | {len(names)} | {sum(name in found for name in names)} |"
    yield ""


def _name(command: Command) -> str:
    return command.name.replace("|", " ").upper()


def _is_container(name: str, groups: dict[str, str]) -> bool:
    return any(other.startswith(f"{name} ") for other in groups)


def _row(name: str, command: Command | None, reasons: list[str]) -> str:
    tier, since = tier_of(name), PLACES[name].since if name in PLACES else ""
    links = ", ".join(f"[{reason}](differences.md#{reason.replace(' ', '-')})" for reason in reasons)
    if command is None:
        return f"| `{name}` | {tier} | no | | | {since} | {links} |"
    syntax = command.syntax.replace("|", "\\|")
    since = "" if command.since == OWN else command.since
    return f"| `{syntax}` | {tier} | yes | {command.summary} | {command.complexity} | {since} | {links} |"


def tier_of(name: str) -> str:
    """The tier of a command as the page shows it; HELP is where its container is."""
    place = PLACES.get(name) or PLACES.get(name.removesuffix(" HELP"))
    command = REGISTRY.get(name.split()[0].lower())
    if place is not None:
        return str(place.tier)
    return "own" if command is not None and command.since == OWN else ""


def _reasons(differences: str, names: Iterable[str]) -> dict[str, list[str]]:
    """For each command the reasons for which it may differ: the sections of the page whose tables begin a row with
    it."""
    known = re.compile("|".join(sorted((rf"\b{re.escape(name)}\b" for name in names), key=len, reverse=True)))
    found: dict[str, list[str]] = {}
    reason = ""
    for line in differences.splitlines():
        title = _SECTION.match(line)
        if title:
            reason = title[1]
        elif line.startswith("|"):
            for name in known.findall(line.split("|")[1]):
                reasons = found.setdefault(name, [])
                if reason not in reasons:
                    reasons.append(reason)
    return found


if __name__ == "__main__":
    add_help()
    sys.stdout.write(reference(REGISTRY.values(), Path("docs/differences.md").read_text()))
