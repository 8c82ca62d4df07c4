"""What has changed, as commands that repeat it: for the append-only file and for replicas.

While a sink is open, the rows of commands that may write are bound with ``fed`` around them: a command that has counted
changes of its database is told as it came, or as its ``effect`` (registry.py) says where its words would not do the
same again: times become absolute, chance and waiting become what came of them. Keys that expire or are evicted are told
as a DEL at the moment at which they go, before whatever caused it; fields of hashes as an HDEL.

What belongs together is one unit: a command with the keys that it has driven out, all of EXEC, a script, the serving of
one blocked client. A unit of several commands is a transaction; sinks get it whole, when it is complete.

What is told is what was done, also where a command fails half way, which it must not (registry.py): then, and where
somebody is served whose words are not known, the keys are told as they are now.

While no sink is open nothing here is called. docs/design/replication.md tells which effect is which, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from pycache_server.commands.effects import state_of, time_of
from pycache_server.commands.registry import Command, Effect, Handler
from pycache_server.entry import NEVER
from pycache_server.errors import RedisError
from pycache_server.resp.encode import HALT
from pycache_server.store.database import Database

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

FILE: Final = 1
"""Told to the append-only file."""
REPLICAS: Final = 2
"""Told to replicas."""
ALL: Final = FILE | REPLICAS

Keys = Callable[[list[bytes]], Iterable[bytes]]
"""What finds the keys that a command has changed, if it has."""
Told = tuple[int, list[bytes]]
"""The index of a database, and a command."""

_ANYWAY = {
    "flushall": ALL,
    "flushdb": ALL,
    "publish": REPLICAS,
    "spublish": REPLICAS,
    "function|load": ALL,
    "function|delete": ALL,
    "function|flush": ALL,
    "function|restore": ALL,
}
"""Commands that are told whenever they succeed, whatever they have changed, and for whom they are."""
_ELSEWHERE = frozenset(("copy", "move", "swapdb"))
"""Commands that may change another database than the client's."""


class Sink(Protocol):
    """Who wants to hear; ``kind`` is FILE or REPLICAS."""

    kind: int

    def take(self, unit: list[Told]) -> None:
        """Commands that have been executed; several are a transaction."""

    def take_one(self, index: int, argv: list[bytes]) -> None:
        """A unit of one command, as most are."""
        self.take([(index, argv)])


class Feed:
    """The feed of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sinks: list[Sink] = []
        self.position = 0
        """How far those sinks are that replies wait for: each raises it with every unit that it takes. An outbox holds
        replies by it (server/outbox.py)."""
        self.depth = 0
        """How many commands are running, one within another."""
        self.unit: list[Told] = []
        """What the present unit has so far."""
        self._narrow: dict[int, int] = {}  # for whom a command of it is, by its place, unless it is for all
        self.audience = ALL
        """For whom what is executed now is: a script may choose."""
        self.given: dict[tuple[Database, bytes], None] = {}
        """Keys that the running command has made, whose times to live come from the configuration (mortal.py)."""
        self.give: Callable[[list[Told]], None] = self._give_all
        """Takes a complete unit that is for everybody."""
        self.give_one: Callable[[int, list[bytes]], None] = self._give_one_to_all
        """Takes one of a single command."""

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self._sinks)

    def open(self, sink: Sink) -> None:
        """Let a sink hear of everything from now on."""
        self._sinks.append(sink)
        self._change()

    def close(self, sink: Sink) -> None:
        """Tell a sink nothing more."""
        self._sinks.remove(sink)
        self._change()

    def _change(self) -> None:
        sinks = self._sinks
        self.give = sinks[0].take if len(sinks) == 1 else self._give_all
        self.give_one = sinks[0].take_one if len(sinks) == 1 else self._give_one_to_all
        self._core.shape.tell(self if sinks else None)
        self._core.tables.refresh()

    def _give_all(self, unit: list[Told]) -> None:
        for sink in self._sinks:
            sink.take(unit)

    def _give_one_to_all(self, index: int, argv: list[bytes]) -> None:
        for sink in self._sinks:
            sink.take_one(index, argv)

    # Telling

    def tell(self, index: int, argv: list[bytes], audience: int = ALL) -> None:
        """A command that repeats a change: of the unit that is running, or one by itself."""
        if audience != ALL:
            self._narrow[len(self.unit)] = audience
        self.unit.append((index, argv))
        if not self.depth:
            self.end_unit()

    def add(self, index: int, commands: Iterable[list[bytes]]) -> None:
        """Commands of the unit that is running, for whom the script says, if one runs."""
        for argv in commands:
            self.tell(index, argv, self.audience)

    def end_unit(self) -> None:
        """Give the sinks what has been told."""
        unit, narrow = self.unit, self._narrow
        self.unit = []
        if not narrow:
            self.give(unit)
            return
        self._narrow = {}
        for sink in self._sinks:
            wanted = [told for place, told in enumerate(unit) if narrow.get(place, ALL) & sink.kind]
            if wanted:
                sink.take(wanted)

    def leave(self) -> None:
        """A command has ended, or what else is a unit."""
        self.depth -= 1
        if not self.depth and self.unit:
            self.end_unit()

    def repeated(
        self, effect: Effect, session: Session, argv: list[bytes], value: Any, keys: Keys
    ) -> Iterable[list[bytes]] | None:
        """The effect of a command; where there is a mistake in it, what became of the keys: the data is right, the log
        has the mistake."""
        try:
            return effect(session, argv, value)
        except Exception as error:
            return self.mistaken(error, session, argv, keys)

    def mistaken(self, error: Exception, session: Session, argv: list[bytes], keys: Keys) -> Iterable[list[bytes]]:
        """What became of the keys of a command in whose effect there was a mistake."""
        self._core.report_failure(f"telling the effect of {argv[0].decode('ascii', 'replace')}", error)
        return [state_of(session.keyspace, session.db, key) for key in keys(argv)]

    # What a told.ToldDatabase has to say

    def gone(self, database: Database, key: bytes, evicted: bool) -> None:
        """A key has expired or been evicted."""
        keyspace = self._core.keyspace
        self.tell(database.index, [keyspace.evicted_verb if evicted else keyspace.expired_verb, key])

    def fields_gone(self, database: Database, key: bytes, fields: list[bytes]) -> None:
        """Fields of a hash have expired, which has others."""
        self.tell(database.index, [b"HDEL", key, *fields])

    def bounded(self, database: Database, key: bytes) -> None:
        """A key has got another time to live than the command said that is running."""
        self.given[database, key] = None
        if not self.depth:
            self.tell_given()

    def tell_given(self) -> None:
        """Tell when keys expire to which the configuration has given a time to live."""
        given, self.given = self.given, {}
        for database, key in given:
            expires = time_of(database, key)
            if expires is None or expires == NEVER:
                continue
            moment, last = b"%d" % expires, self.unit[-1][1] if self.unit else []
            if len(last) == 3 and last[:2] == [b"SET", key] and self.unit[-1][0] == database.index:
                self.unit[-1] = database.index, [*last, b"PXAT", moment]
            elif key not in last or moment not in last:
                self.add(database.index, [[b"PEXPIREAT", key, moment]])

    # Clients that have waited

    def served(self, waiter: Waiter, key: bytes) -> Any:
        """Serve a client that has waited, as a unit of its own."""
        session = waiter.session
        argv = session.halted_by
        row = self._core.row(argv[0]) if argv else None
        return run_told(self, row, lambda session, argv: waiter.serve(key), session, argv, lambda _: waiter.names())


def _states_of(keys: Keys) -> Effect:
    """The effect of a command that nobody knows."""

    def effect(session: Session, argv: list[bytes], value: Any) -> Iterable[list[bytes]]:
        return [state_of(session.keyspace, session.db, key) for key in keys(argv)]

    return effect


def _keys_of(command: Command) -> Keys:
    """What finds the keys of a command."""

    def keys(argv: list[bytes]) -> list[bytes]:
        return [argv[place] for place, _ in command.find_keys(argv) or ()]

    return keys


def fed(call: Handler, row: Row, core: Core) -> Handler:
    """A command that is told to the feed where it has changed its database."""
    command, feed, history = row.command, core.feed, core.replication.history
    effect, plain = command.effect, command.plain
    if command.name in _ANYWAY:
        return _told_anyway(call, feed, _ANYWAY[command.name])
    if command.name in _ELSEWHERE:
        return _fed_elsewhere(call, row, core)
    effects, keys = _list_for(row), _keys_of(command)

    def run(session: Session, argv: list[bytes]) -> Any:
        # hot: this and what it gives to one sink is 0.3 us of a SET
        if feed.depth:
            return run_told(feed, row, call, session, argv, keys)
        database = session.db
        before = database.dirty
        feed.depth = 1
        session.effects = effects
        try:
            value = call(session, argv)
        except Exception as error:
            tell_failed(feed, session, database, before, error, argv, keys)
            feed.leave()
            raise
        session.effects = None
        if effects or feed.unit or feed.given:
            _tell(feed, effect, database, before, session, argv, value, effects, keys)
            feed.leave()
            session.wrote = feed.position
            session.told = history.offset
            return value
        if database.dirty != before:
            feed.depth = 0
            if effect is None or len(argv) == plain:
                feed.give_one(database.index, argv)
            else:
                try:
                    told = effect(session, argv, value)
                except Exception as error:
                    told = feed.mistaken(error, session, argv, keys)
                if told is None:
                    feed.give_one(database.index, argv)
                elif type(told) is tuple and len(told) == 1:  # one, as of a SET with a time to live
                    feed.give_one(database.index, told[0])
                elif unit := [(database.index, each) for each in told]:
                    feed.give(unit)
            session.wrote = feed.position
            session.told = history.offset
            return value
        feed.depth = 0
        return value

    return run


def _list_for(row: Row | None) -> list[list[bytes]] | None:
    """Where a command puts what it tells itself. Those of others have none: what they call must not speak for them."""
    return None if row is not None and row.command.group == "module" else []


def run_told(
    feed: Feed,
    row: Row | None,
    call: Handler,
    session: Session,
    argv: list[bytes],
    keys: Keys,
) -> Any:
    """Run a command, perhaps within another, and tell what it does: what became of its keys, where nobody knows which
    it is."""
    effect = row.command.effect if row is not None else _states_of(keys)
    database, outer = session.db, session.effects
    before = database.dirty
    session.effects = effects = _list_for(row)
    feed.depth += 1
    try:
        value = call(session, argv)
        _tell(feed, effect, database, before, session, argv, value, effects, keys)
    except Exception as error:
        tell_failed(feed, session, database, before, error, argv, keys)
        raise
    finally:
        session.effects = outer
        if feed.unit:
            session.wrote = feed.position + 1  # where the unit will end, or before
        feed.leave()
        session.told = session.core.replication.history.offset
    return value


def _tell(
    feed: Feed,
    effect: Effect | None,
    database: Database,
    before: int,
    session: Session,
    argv: list[bytes],
    value: Any,
    effects: list[list[bytes]] | None,
    keys: Keys,
) -> None:
    """Tell what a command has done: what it says itself, or its effect, or its words."""
    if effects:
        feed.add(database.index, effects)
        effects.clear()
    elif database.dirty != before and value is not HALT:
        told = None if effect is None else feed.repeated(effect, session, argv, value, keys)
        feed.add(database.index, [argv] if told is None else told)
    if feed.given:
        feed.tell_given()


def tell_failed(
    feed: Feed, session: Session, database: Database, before: int, error: Exception, argv: list[bytes], keys: Keys
) -> None:
    """Tell what a command that has failed has done: nothing, but for what it says itself, if it keeps its promise."""
    effects, session.effects = session.effects, None
    if effects:
        feed.add(database.index, effects)
        effects.clear()
    elif database.dirty != before or not isinstance(error, RedisError):
        feed.add(database.index, [state_of(session.keyspace, database, key) for key in keys(argv)])
    if feed.given:
        feed.tell_given()


def _told_anyway(call: Handler, feed: Feed, audience: int) -> Handler:
    """A command that is told whenever it succeeds."""

    def run(session: Session, argv: list[bytes]) -> Any:
        index = session.db.index
        value = call(session, argv)
        wanted = audience & feed.audience
        if wanted:
            feed.tell(index, argv, wanted)
            session.wrote = feed.position + (feed.depth > 0)
            session.told = session.core.replication.history.offset
        return value

    return run


def _fed_elsewhere(call: Handler, row: Row, core: Core) -> Handler:
    """A command that is told where it has changed any database."""
    feed, databases, keys = core.feed, core.keyspace.databases, _keys_of(row.command)

    def run(session: Session, argv: list[bytes]) -> Any:
        index = session.db.index
        before = sum([database.dirty for database in databases])
        feed.depth += 1
        try:
            value = call(session, argv)
            if sum([database.dirty for database in databases]) != before:
                feed.add(index, [argv])
                session.wrote = feed.position + 1
            if feed.given:
                feed.tell_given()
        except RedisError:
            raise
        except Exception:
            for database in databases:
                feed.add(database.index, [state_of(session.keyspace, database, key) for key in keys(argv)])
            raise
        finally:
            feed.leave()
            session.told = core.replication.history.offset
        return value

    return run


def united(call: Handler, row: Row, core: Core) -> Handler:
    """A command whose commands are told to the feed together."""
    feed = core.feed

    def run(session: Session, argv: list[bytes]) -> Any:
        before = feed.position
        feed.depth += 1
        try:
            return call(session, argv)
        finally:
            feed.audience = ALL
            feed.leave()
            if feed.unit or feed.position != before:
                session.wrote = feed.position + bool(feed.unit)
            session.told = core.replication.history.offset

    return run
