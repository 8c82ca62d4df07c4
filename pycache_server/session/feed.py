"""What has changed, as commands that repeat it: for the append-only file and for replicas.

While a sink is open, the rows of commands that may write are bound with ``fed`` around them: a command that has counted
changes of its database is told as it came, or as its ``effect`` (registry.py) says where its words would not do the
same again: times become absolute, chance and waiting become what came of them. Keys that expire or are evicted are told
as a DEL at the moment at which they go, before whatever caused it.

What belongs together is one unit: a command with the keys that it has driven out, all of EXEC, a script, the serving of
one blocked client. A unit of several commands is a transaction; sinks get it whole, when it is complete.

While no sink is open nothing here is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from pycache_server.commands.registry import Handler
from pycache_server.store.database import Database

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

FILE: Final = 1
"""Told to the append-only file."""
REPLICAS: Final = 2
"""Told to replicas."""
ALL: Final = FILE | REPLICAS

Told = tuple[int, list[bytes]]
"""The index of a database, and a command."""


class Sink(Protocol):
    """Who wants to hear; ``kind`` is FILE or REPLICAS."""

    kind: int

    def take(self, unit: list[Told]) -> None:
        """Commands that have been executed; several are a transaction."""


class Feed:
    """The feed of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sinks: list[Sink] = []
        self.depth = 0
        """How many commands are running, one within another."""
        self.unit: list[tuple[int, list[bytes], int]] = []
        """What the present unit has so far: database, command, and for whom it is."""
        self.audience = ALL
        """For whom what is executed now is: a script may choose."""

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self._sinks)

    def open(self, sink: Sink) -> None:
        """Let a sink hear of everything from now on."""
        self._sinks.append(sink)
        if len(self._sinks) == 1:
            self._core.shape.tell(self._gone)
            self._core.tables.refresh()

    def close(self, sink: Sink) -> None:
        """Tell a sink nothing more."""
        self._sinks.remove(sink)
        if not self._sinks:
            self._core.shape.tell(None)
            self._core.tables.refresh()

    def tell(self, index: int, argv: list[bytes], audience: int = ALL) -> None:
        """A command that repeats a change: of the unit that is running, or one by itself."""
        self.unit.append((index, argv, audience))
        if not self.depth:
            self.end_unit()

    def _gone(self, database: Database, key: bytes) -> None:
        """A key has gone by itself."""
        self.tell(database.index, [b"DEL", key])

    def end_unit(self) -> None:
        """Give the sinks what has been told."""
        unit, self.unit = self.unit, []
        for sink in self._sinks:
            kind = sink.kind
            wanted = [(index, argv) for index, argv, audience in unit if audience & kind]
            if wanted:
                sink.take(wanted)

    def leave(self) -> None:
        """A command has ended, or what else is a unit."""
        self.depth -= 1
        if not self.depth and self.unit:
            self.end_unit()


def fed(call: Handler, row: Row, core: Core) -> Handler:
    """A command that is told to the feed where it has changed its database."""
    feed, effect = core.feed, row.command.effect

    def run(session: Session, argv: list[bytes]) -> Any:
        database = session.db
        before = database.dirty
        feed.depth += 1
        session.effects = effects = []
        try:
            value = call(session, argv)
            if effects:
                feed.unit += [(database.index, each, feed.audience) for each in effects]
            elif database.dirty != before:
                if effect is None:
                    feed.unit.append((database.index, argv, feed.audience))
                else:
                    feed.unit += [(database.index, each, feed.audience) for each in effect(session, argv, value)]
        finally:
            session.effects = None
            feed.leave()
        return value

    return run


def united(call: Handler, row: Row, core: Core) -> Handler:
    """A command whose commands are told to the feed together."""
    feed = core.feed

    def run(session: Session, argv: list[bytes]) -> Any:
        feed.depth += 1
        try:
            return call(session, argv)
        finally:
            feed.leave()

    return run
