"""Rows: one command on one server each, with what is counted of it.

A row's ``call`` is the command with everything that belongs to its execution; ``run`` has the gates in front of it that
may refuse or postpone it. EXEC and scripts use ``call``: their commands have passed the gates together.

What these functions are depends on the state of the server. So a row of the tables is made without, as an UnboundRow;
whoever asks it for one of them first, most often the session loop by calling ``run``, lets the tables bind it
(modes.py), and from then on its class is Row, which has no code for that. Most commands of a server are never called:
to make its tables takes 0.6 ms this way and not 3, and a change of its state no more than the commands in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Handler
from pycache_server.errors import arity_rejection, unknown_subcommand
from pycache_server.session.stats import CommandStats

if TYPE_CHECKING:
    from pycache_server.session.modes import Tables
    from pycache_server.session.session import Session

Table = dict[bytes, "Row"]
Gate = Callable[["Session", "Row", list[bytes]], Any]
"""Refuses by raising; postpones by returning HALT; lets pass by returning None."""
_NO_SUBROWS: dict[bytes, Row] = {}
"""Of all commands that have none."""
_NAMES: dict[str, bytes] = {}
"""The names of all commands as clients write them: servers of one process have the same."""


class Row:
    """One command on one server. ``least`` is the number of words it takes, or the fewest where it is ``open``."""

    __slots__ = (
        "bare",
        "call",
        "calls",
        "command",
        "gate",
        "least",
        "name",
        "open",
        "run",
        "stats",
        "subrows",
        "tables",
    )

    call: Handler
    run: Handler
    gate: Gate | None
    """What may refuse or postpone the command: EXEC's commands are asked for it when they are queued."""
    stats: CommandStats

    def __init__(self, command: Command) -> None:
        self.command = command
        self.name = _NAMES.get(command.name) or _name_of(command)
        arity = command.arity
        self.open = arity < 0
        self.least = -arity if arity < 0 else arity
        self.calls = 0
        """How often it was called; of a container, how often with whichever subcommand."""
        self.bare = 0
        """How often a container was called without a subcommand."""
        self.subrows: dict[bytes, Row] = _NO_SUBROWS

    def accepts(self, count: int) -> bool:
        """Whether the command takes ``count`` words."""
        return count == self.least or (self.open and count > self.least)

    def resolve(self, argv: list[bytes]) -> Row:
        """The row for these words: this one, or that of a subcommand.

        Raises RedisError where the number of words is wrong or there is no such subcommand.
        """
        if not self.accepts(len(argv)):
            raise arity_rejection(self.name)
        if not self.subrows or len(argv) == 1:
            return self
        subrow = self.subrows.get(argv[1].lower())
        if subrow is None:
            raise unknown_subcommand(argv[0], argv[1])
        if not subrow.accepts(len(argv)):
            raise arity_rejection(subrow.name)
        return subrow


class UnboundRow(Row):
    """A row that is bound by whoever looks for its functions: then its class is Row."""

    __slots__ = ()

    def __init__(self, command: Command, tables: Tables) -> None:
        super().__init__(command)
        self.tables = tables

    def __getattr__(self, name: str) -> Any:
        if name == "stats":
            self.stats = self.tables.stats[self.command.name]
            return self.stats
        self.tables.bind(self)
        self.__class__ = Row  # type: ignore[assignment]
        return getattr(self, name)


def row_in_front(row: Row, run: Handler) -> Row:
    """A row that stands in front of another one, in a table for clients in some state."""
    front = Row(row.command)
    front.stats = row.stats
    front.call = front.run = run
    front.gate = None
    return front


def _name_of(command: Command) -> bytes:
    name = _NAMES[command.name] = command.name.encode()
    return name
