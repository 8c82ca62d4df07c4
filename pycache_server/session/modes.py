"""Which function a command name stands for, in which state of server and client.

A state is a table, not a test. The server has one Row for each command; the session loop calls ``row.run``. What a
client's state changes (not authenticated, in MULTI, subscribed in RESP2 or in RESP3, told to be silent) is another
table with other rows under the same names. What the server's state changes (somebody monitors, clients are blocked,
memory is limited, accesses are counted, everything is to be timed, clients are paused) is another function in the same
rows: ``Tables.refresh`` has them bound anew. So a feature that is off costs nothing, and all of its machinery stands
here. Rows, and when they are bound: rows.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Command, Flag, Handler, may_change
from pycache_server.errors import NoAuth, RedisError, Rejection
from pycache_server.evict.base import Marker
from pycache_server.resp.encode import HALT, NO_REPLY
from pycache_server.session.commandlog import sized
from pycache_server.session.feed import fed, united
from pycache_server.session.full import limited, memory_gate, needs_room
from pycache_server.session.gates import RUN_SCRIPTS, script_gate
from pycache_server.session.leading import replicating
from pycache_server.session.refusals import (
    busy_gate,
    disk_gate,
    loading_gate,
    needs_the_disk,
    pause_gate,
    waits_for_data,
)
from pycache_server.session.rows import Gate, Row, Table, UnboundRow, row_in_front
from pycache_server.session.stats import CommandStats
from pycache_server.store.memory import no_engine

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session


class Tables:
    """All rows of a server, and the tables made of them."""

    def __init__(self, core: Core, commands: Iterable[Command], renamed: Mapping[str, str] | None = None) -> None:
        self._core = core
        self._renamed = renamed or {}
        self.commands: dict[str, Command] = {}
        """The commands that clients can call, by the names under which they can."""
        self.rows: dict[str, Row] = {}
        """The normal rows of all commands and subcommands, by name."""
        self.stats: defaultdict[str, CommandStats] = defaultdict(CommandStats)
        """The counts of those that somebody has asked for, by name: a row shares them with its twin."""
        self._twins: dict[str, Row] = {}  # rows that time every call, for the sampled batches
        self.normal: Table = {}
        self.sampled: Table = {}
        self._derived: dict[tuple[int, Callable[[Row], Handler]], Table] = {}
        self._bound: list[Row] = []  # those of the normal rows and their twins that have been called
        self._used: dict[Row, None] = {}  # the same, since the server began
        for command in commands:
            self._add(command)

    def add(self, command: Command) -> None:
        """Make the rows of a command and its subcommands. A command that rename-command has taken away has its rows
        all the same, but is in no table; a renamed one keeps its own name in statistics and errors, as in Redis."""
        row, spellings = self._add(command)
        for variant, make in _VARIANTS.items():
            if variant in vars(self):  # it has been made already
                getattr(self, variant).update(dict.fromkeys(spellings, make(row)))
        self._derived.clear()

    def _add(self, command: Command) -> tuple[Row, tuple[bytes, ...]]:
        row, twin = self._add_rows(command)
        if command.subcommands:
            row.subrows, twin.subrows = {}, {}
            for subcommand in command.subcommands.values():
                word = subcommand.name.partition("|")[2].encode()
                row.subrows[word], twin.subrows[word] = self._add_rows(subcommand)
        name = self._renamed.get(command.name, command.name).lower()
        spellings = (name.encode(), name.upper().encode()) if name else ()
        if name:
            self.commands[name] = command
        for spelling in spellings:
            self.normal[spelling] = row
            self.sampled[spelling] = twin
        self._core.access.learn(command)
        return row, spellings

    def _add_rows(self, command: Command) -> tuple[Row, Row]:
        """The normal row of a command and its twin, neither of them bound."""
        row = self.rows[command.name] = UnboundRow(command, self)
        twin = self._twins[command.name] = UnboundRow(command, self)
        return row, twin

    @cached_property
    def locked(self) -> Table:
        """For clients that must authenticate."""
        return self._variant(_locked)

    @cached_property
    def on_trial(self) -> Table:
        """For those who are in only because they may be voters."""
        return self._variant(_on_trial)

    @cached_property
    def queueing(self) -> Table:
        """For clients in MULTI."""
        return self._variant(_queueing)

    @cached_property
    def subscribed(self) -> Table:
        """For clients in RESP2 that have subscribed."""
        return self._variant(_subscribed)

    def _variant(self, make: Callable[[Row], Row]) -> Table:
        rows = {id(row): make(row) for row in self.normal.values()}
        return {name: rows[id(row)] for name, row in self.normal.items()}

    def silent(self, table: Table) -> Table:
        """The twin of a table whose commands do not reply."""
        return self._derive(table, _silenced)

    def detached(self, table: Table) -> Table:
        """The twin of a table whose commands leave the keys alone."""
        return self._derive(table, _detached)

    def replicating(self, table: Table) -> Table:
        """The twin of a table for a replica, which may say how far it is, and nothing that has an answer."""
        return self._derive(table, replicating)

    def untouching(self, table: Table) -> Table:
        """The twin of a table whose commands are no access to the eviction engine."""
        return self._derive(table, _untouching)

    def tracked(self, table: Table) -> Table:
        """The twin of a table for a client that tracks: what its commands read is remembered."""
        return self._derive(table, _tracked)

    def witness(self, row: Row) -> Row:
        """The twin of a row for a script of a client that tracks."""
        return witness(row)

    def listening(self, table: Table) -> Table:
        """The twin of a table for a client that listens: messages that its commands cause follow their replies."""
        return self._derive(table, _listening)

    def _derive(self, table: Table, wrap: Callable[[Row], Handler]) -> Table:
        twin = self._derived.get((id(table), wrap))
        if twin is None:
            rows = {id(row): row_in_front(row, wrap(row)) for row in table.values()}
            twin = self._derived[id(table), wrap] = {name: rows[id(row)] for name, row in table.items()}
        return twin

    def calls(self, name: str) -> int:
        """How often a command was called, timed or not: a container without a subcommand."""
        row, twin = self.rows[name], self._twins[name]
        return row.bare + twin.bare if row.subrows else row.calls + twin.calls

    def total_calls(self) -> int:
        """How often commands were called, all together."""
        return sum([row.bare if row.subrows else row.calls for row in self._used])

    def failed(self, row: Row, argv: Sequence[bytes], refused: bool) -> None:
        """Count a call that has failed, or was refused, which is no call. It is that of a subcommand, where the words
        are one's; nobody's, where they name one that is not there."""
        if row.command.subcommands and len(argv) > 1:
            subrow = self.rows[row.command.name].subrows.get(argv[1].lower())
            if subrow is None:
                return
            stats = subrow.stats  # whose calls _dispatch has counted
        else:
            stats = row.stats
            row.calls -= refused
        if refused:
            stats.rejected += 1
        else:
            stats.failed += 1

    def reset(self, caller: str) -> None:
        """All counts back to zero, but for the command that wants it: as Redis, which counts a call when it is done."""
        for name, row in self.rows.items():
            for each in (row, self._twins[name]):
                each.calls = each.bare = 0
        for stats in self.stats.values():
            stats.reset()
        row = self.rows[caller]
        row.calls = 1
        self._used[row] = None

    def refresh(self) -> None:
        """The state of the server has changed: bind the functions of all rows anew."""
        for row in self._bound:
            del row.run, row.call, row.gate
            row.__class__ = UnboundRow
        self._bound = []

    def bind(self, row: Row) -> None:
        """Bind the functions of a row according to the state of the server."""
        self._bound.append(row)
        self._used[row] = None
        core, command = self._core, row.command
        row.stats = self.stats[command.name]
        row.gate = self._gate_of(command)
        call = command.function
        if row.subrows:
            row.call = _dispatch(row, lambda subrow: subrow.call)
            row.run = _dispatch(row, lambda subrow: subrow.run)
            return
        if core.precise or command.is_timed or row is self._twins[command.name]:
            call = core.timed(call, row)
        if core.size_logs.active:
            call = sized(call, row, core)
        if core.hotkeys.active and command.keys:
            call = core.hotkeys.watched(call, command)
        if core.feed.active:
            if command.name in _UNITES:
                call = united(call, row, core)
            elif command.flags & _MAY_CHANGE or command.name in _MAY_CHANGE_TOO:
                call = fed(call, row, core)
        if core.serving and (Flag.WRITE in command.flags or command.name in _MAY_WRITE):
            call = _serving(call, core)
        if core.monitors and not command.flags & _UNMONITORED:
            call = _monitored(call, core)
        row.call = call
        if row.gate is None:
            row.run = call
        elif row.gate is memory_gate:
            row.run = limited(call, row, core)
        else:
            row.run = _gated(row.gate, call, row)

    def _gate_of(self, command: Command) -> Gate | None:
        core = self._core
        if core.loading and waits_for_data(command, core.loading):
            return loading_gate
        if core.busy is not None and Flag.ALLOW_BUSY not in command.flags:
            return busy_gate
        gates: list[Gate] = []
        if core.disk_error is not None and needs_the_disk(command):
            gates.append(disk_gate)
        is_limited = core.keyspace.maxmemory or core.shape.limited
        if is_limited and needs_room(command):
            gates.append(memory_gate)
        gates += core.gates.of(command)
        if command.name in RUN_SCRIPTS and (is_limited or core.gates.are_set or core.disk_error is not None):
            gates.append(script_gate)
        if (
            core.pause.mode == "all"
            or (core.pause.mode == "write" and may_change(command))
            or (core.pause.mode and command.name == "exec")
        ):
            gates.append(pause_gate)
        if not gates:
            return None
        return gates[0] if len(gates) == 1 else _both(gates)


_RUN_IN_MULTI = frozenset(("exec", "discard", "multi", "watch", "quit", "reset"))
_RUN_SUBSCRIBED = frozenset(
    ("subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "ping", "quit", "reset")
)
_SAID_BY_VOTERS = frozenset((b"aside", b"link", b"tell"))
_MAY_WRITE = frozenset(("exec", "swapdb", "flushall", "flushdb", "debug", "eval", "evalsha", "fcall"))
_UNITES = frozenset(("exec", "eval", "evalsha", "fcall"))
"""Commands that are told to the feed by those that they call."""
_MAY_CHANGE_TOO = frozenset(("pfcount", "debug"))
"""Commands whose flags do not tell that they may change something."""
_UNMONITORED = frozenset((Flag.SKIP_MONITOR, Flag.ADMIN))
_MAY_CHANGE = frozenset((Flag.WRITE, Flag.MAY_REPLICATE))
_TOUCHES_KEYS = _MAY_CHANGE | {Flag.READONLY}


def _locked(row: Row) -> Row:
    return row if Flag.NO_AUTH in row.command.flags else row_in_front(row, _needs_auth(row))


def _on_trial(row: Row) -> Row:
    return row_in_front(row, _of_voters(row))


def _queueing(row: Row) -> Row:
    return row if row.command.name in _RUN_IN_MULTI else row_in_front(row, _queue(row))


def _subscribed(row: Row) -> Row:
    return row if row.command.name in _RUN_SUBSCRIBED else row_in_front(row, _refuse_subscribed)


_VARIANTS: dict[str, Callable[[Row], Row]] = {
    "locked": _locked,
    "on_trial": _on_trial,
    "queueing": _queueing,
    "subscribed": _subscribed,
}
"""The tables that are made when the first client needs them, and how their rows are made of the normal ones."""


def _of_voters(row: Row) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        if row.command.name == "group" and len(argv) > 1 and argv[1].lower() in _SAID_BY_VOTERS:
            return row.run(session, argv)
        session.turn_away()
        return HALT

    return run


def _needs_auth(row: Row) -> Handler:
    def refuse(session: Session, argv: list[bytes]) -> Any:
        if Flag.NO_AUTH in row.resolve(argv).command.flags:  # a subcommand for everybody
            return row.run(session, argv)
        raise NoAuth

    return refuse


def _refuse_subscribed(session: Session, argv: list[bytes]) -> Any:
    row = session.core.tables.normal[argv[0].lower()].resolve(argv)
    raise Rejection(
        b"ERR Can't execute '" + row.name + b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        b"allowed in this context"
    )


def _queue(row: Row) -> Handler:
    def queue(session: Session, argv: list[bytes]) -> Any:
        return session.queue(row, argv)

    return queue


def counted(row: Row) -> Handler:
    """A row's ``run`` for another row that stands in front of it: the call counts, unless it is refused."""

    def call(session: Session, argv: list[bytes]) -> Any:
        row.calls += 1
        try:
            return row.run(session, argv)
        except Rejection:
            row.calls -= 1
            raise

    return call


def _silenced(row: Row) -> Handler:
    call = counted(row)

    def run(session: Session, argv: list[bytes]) -> Any:
        value = call(session, argv)
        if value is HALT or not session.silence:  # halted, or CLIENT REPLY ON
            return value
        session.spoke()
        return NO_REPLY

    return run


def _listening(row: Row) -> Handler:
    call = counted(row)

    def run(session: Session, argv: list[bytes]) -> Any:
        try:
            value = call(session, argv)
        except RedisError as error:
            if not session.late:
                raise
            value = session.failed(row, error, argv)
        return session.with_late(value) if session.late else value

    return run


def _tracked(row: Row) -> Handler:
    """A command of a client that tracks (tracking.py). EXEC's commands are remembered each in its turn."""
    call = counted(row)
    if row.command.name == "exec":
        call = _witnessed(call)
    elif row.command.group == "scripting":
        call = _by_script(call)
    elif any(map(_reads_keys, (row.command, *row.command.subcommands.values()))):
        call = _remembered(call, row.command, queues=True)

    def run(session: Session, argv: list[bytes]) -> Any:
        tracking = session.core.tracking
        before = tracking.enter(session)
        value: Any = None
        try:
            value = call(session, argv)
        finally:
            tracking.leave(session, before, row.command if value is not HALT else None)
        if value is HALT and session.waiter is not None:
            session.waiter.serve = tracking.followed(session.waiter, row.command, argv)
        return value

    return run


def _reads_keys(command: Command) -> bool:
    """Whether what a command names is read by it: of a script, what the commands name that it calls."""
    return Flag.READONLY in command.flags and bool(command.keys) and command.group != "scripting"


def _remembered(call: Handler, command: Command, queues: bool = False) -> Handler:
    """A command that reads: it has read, whatever came of it. One that only ``queues`` it has not, within MULTI."""

    def run(session: Session, argv: list[bytes]) -> Any:
        if queues and session.transaction is not None:
            return call(session, argv)
        try:
            value = call(session, argv)
        except Rejection:
            raise
        except RedisError:
            session.core.tracking.saw(command, argv)
            raise
        if value is not HALT or session.waiter is not None:  # it was not only postponed
            session.core.tracking.saw(command, argv)
        return value

    return run


def _witnessed(call: Handler) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        if session.transaction is not None:
            session.transaction.queued = [(witness(row), words) for row, words in session.transaction.queued]
        return call(session, argv)

    return run


def witness(row: Row) -> Row:
    """The twin of a row whose ``call`` remembers what it reads, for EXEC and scripts of a client that tracks."""

    def call(session: Session, argv: list[bytes]) -> Any:
        row.calls += 1
        return row.call(session, argv)

    if row.command.group == "scripting":
        return row_in_front(row, _by_script(call))
    return row_in_front(row, _remembered(call, row.command)) if _reads_keys(row.command) else row


def _by_script(call: Handler) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        tracking = session.core.tracking
        tracking.by_script = True
        try:
            return call(session, argv)
        finally:
            tracking.by_script = False

    return run


def _untouching(row: Row) -> Handler:
    call = counted(row)
    if row.command.name == "touch":
        return call

    def run(session: Session, argv: list[bytes]) -> Any:
        database = session.db
        on_access, database.on_access = database.on_access, no_engine
        marker, database.marker = database.marker, Marker()
        try:
            return call(session, argv)
        finally:
            database.on_access, database.marker = on_access, marker

    return run


def _detached(row: Row) -> Handler:
    """Redis takes a client that monitors for a replica, which may touch no key."""
    call = counted(row)

    def run(session: Session, argv: list[bytes]) -> Any:
        if session.core.tables.rows[row.command.name].resolve(argv).command.flags & _TOUCHES_KEYS:
            raise Rejection(b"ERR Replica can't interact with the keyspace")
        return call(session, argv)

    return run


def _dispatch(container: Row, choose: Callable[[Row], Handler]) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        row = container.resolve(argv)
        if row is container:
            row.bare += 1
            return container.command.function(session, argv)
        row.calls += 1
        if not session.executing:
            session.row = row
        try:
            return choose(row)(session, argv)
        except Rejection:
            row.calls -= 1
            raise

    return run


def _serving(call: Handler, core: Core) -> Handler:
    """Blocked clients are served after the command that made their key ready."""

    def run(session: Session, argv: list[bytes]) -> Any:
        value = call(session, argv)
        if core.blocking.ready and not session.executing:
            core.blocking.serve_ready()
        return value

    return run


def _monitored(call: Handler, core: Core) -> Handler:
    """A command is shown when it is done: behind those that it has called, and with the database that it has chosen."""

    def run(session: Session, argv: list[bytes]) -> Any:
        try:
            return call(session, argv)
        finally:
            core.feed_monitors(session, argv)

    return run


def _gated(gate: Gate, call: Handler, row: Row) -> Handler:
    def run(session: Session, argv: list[bytes]) -> Any:
        if gate(session, row, argv) is HALT:
            row.calls -= 1  # it will be called again
            return HALT
        return call(session, argv)

    return run


def _both(gates: list[Gate]) -> Gate:
    def gate(session: Session, row: Row, argv: list[bytes]) -> Any:
        for each in gates:
            if each(session, row, argv) is HALT:
                return HALT
        return None

    return gate
