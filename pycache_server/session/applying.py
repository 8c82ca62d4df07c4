"""What a leader has done, done again: the stream of a master, applied to the keyspace.

A loop of its own, because a follower must keep up with its leader: what a client's loop does for replies, limits,
states and clocks is not needed here. For each command it looks up the row, looks at the words and calls; that is all.
Replies go nowhere.

Three rules.

1. *Nothing differs in silence.* The leader has done what it sends, so here it cannot fail; whatever cannot be applied,
   for whichever reason, is a LinkBroken with the command and its offset, and the data set stays at what was applied.
   Redis goes on instead; with propagation-error-behavior it ends, as we do then (server/follow.py).
2. *MULTI ... EXEC is applied as a whole* when EXEC has come, and as if it were not there before: neither offset nor
   what our own followers are sent goes beyond its MULTI.
3. *The leader sees every key*: for it the clock stands aside (store/clock.py), since only it says when a key goes.

What was applied goes on to our own followers byte for byte (``Replication.forward``), which also moves the offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import length_hint
from typing import TYPE_CHECKING, Final

from pycache_server.commands.registry import Command, Flag
from pycache_server.errors import BadSyntax, RedisError, arity_rejection, c_string
from pycache_server.repl.reader import StreamReader, size_of
from pycache_server.session.host import Link
from pycache_server.session.rows import Row, row_in_front
from pycache_server.session.session import Session
from pycache_server.session.transactions import execute

if TYPE_CHECKING:
    from pycache_server.session.core import Core

_MAY_CHANGE = frozenset((Flag.WRITE, Flag.MAY_REPLICATE))
_ALLOWED = frozenset(("pfcount", "ping", "select", "script"))
"""What a master may send besides what changes something."""
_REFUSED = frozenset(("migrate",))
"""What changes something here, and something elsewhere."""
_MULTI, _EXEC = b"MULTI", b"EXEC"
MOST_OF_TRANSACTION: Final = 1 << 29
"""Bytes of a transaction whose EXEC has not come, all of which are kept. A larger one costs a resynchronisation, whose
snapshot holds what it has changed."""


class LinkBroken(Exception):
    """The stream cannot be applied any further: why, at which offset, and with which command, if it is one."""

    def __init__(self, problem: str, offset: int = 0, command: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.command = command
        self.before = 0
        """Bytes in front of the command that go with it: of the transaction."""


class MasterSession(Session):
    """The master as a client: in CLIENT LIST, in MONITOR and in the slow log. It may do everything, and no timeout for
    clients concerns it."""

    __slots__ = ()

    def __init__(self, core: Core, link: Link, address: str, local_address: str) -> None:
        super().__init__(core, link, address, local_address)
        core.stats.connections -= 1  # it has not come to us
        self.deny_blocking = self.obeys = True

    def choose_table(self) -> None:
        """It has no table: see Applier. Whatever the default user may do, the master may do all."""
        self.guard = None
        self.execute = execute

    def kind(self) -> str:
        """See Session."""
        return "master"

    def waits(self) -> bool:
        """See Session."""
        return True


class Applier:
    """The stream of one link, from an offset on. ``on_asked`` is called when the master wants to know how far we
    are, and when all that has come is applied; ``on_unkept`` before something is applied that the disk does not take
    (``Core.disk_error``)."""

    def __init__(
        self,
        core: Core,
        session: MasterSession,
        on_asked: Callable[[], None],
        on_unkept: Callable[[], None] = lambda: None,
    ) -> None:
        self._core = core
        self.session = session
        self._on_asked = on_asked
        self._on_unkept = on_unkept
        self._replication = core.replication
        self._reader = StreamReader(core.replication.history.offset)
        self._pending: list[bytes] = []  # what has come and is not applied yet
        self._block: list[list[bytes]] | None = None  # what has come behind MULTI
        self._commands: Iterator[list[bytes]] = iter(())
        self._asked = False
        self._rows = self._make_rows()

    @property
    def received(self) -> int:
        """The offset up to which the stream has come, applied or not."""
        return self._reader.received

    def _make_rows(self) -> dict[bytes, Row]:
        """What a master may send, by name. rename-command is for clients: a master calls everything by its name."""
        tables = self._core.tables
        rows = {name: row for name, row in tables.rows.items() if "|" not in name and _may_send(row.command)}
        words = tables.rows["ping"]  # which takes any number of words
        rows |= {
            name: row_in_front(words, run)
            for name, run in (("multi", self._multi), ("exec", self._exec), ("replconf", self._replconf))
        }
        return _Rows((spelling.encode(), row) for name, row in rows.items() for spelling in (name, name.upper()))

    def receive(self, data: bytes) -> None:
        """Apply what has come.

        Raises LinkBroken.
        """
        core, session, reader = self._core, self.session, self._reader
        core.clock.time = session.last_seen = core.host.time()
        self._pending.append(data)
        begin = reader.offset
        commands = reader.feed(data)
        if core.disk_error is not None and self._may_write(commands):
            self._on_unkept()
        core.clock.stand_aside()
        try:
            self._apply(commands, begin)
        finally:
            core.clock.come_back()
        if reader.broken is not None:
            raise LinkBroken(str(reader.broken), reader.broken.offset)
        if self._block is not None and reader.received - core.replication.history.offset > MOST_OF_TRANSACTION:
            raise LinkBroken("a transaction without an end", core.replication.history.offset)
        if self._asked:
            self._asked = False
            self._on_asked()

    def _may_write(self, commands: list[list[bytes]]) -> bool:
        names = (argv[0] for argv in commands if argv and type(argv[0]) is bytes)
        found = (self._rows.get(name.lower()) for name in names)
        return any(row is not None and Flag.WRITE in row.command.flags for row in found)

    def _apply(self, commands: list[list[bytes]], begin: int) -> None:
        """Apply some commands, the first of which stands at an offset, and pass on what they were."""
        self._commands = left = iter(commands)
        block = self._block
        try:
            if block is not None:
                self._collect(block)
            self._run(left)
        except LinkBroken as broken:
            done = commands[: len(commands) - length_hint(left) - 1]
            broken.offset = begin + sum(map(size_of, done)) - broken.before
            self._pass_on(broken.offset)
            raise
        if self._block is None:
            self._pass_on(self._reader.offset)
        elif self._block is not block:
            self._pass_on(self._start_of_block())

    def _run(self, commands: Iterator[list[bytes]]) -> None:
        """The loop."""
        rows, session = self._rows, self.session
        row = last = None
        calls = 0
        argv: list[bytes] = []
        try:
            for argv in commands:
                row = rows[argv[0]]
                count = len(argv)
                for word in argv:
                    if type(word) is not bytes:
                        raise TypeError
                if count != row.least and (count < row.least or not row.open):
                    raise arity_rejection(row.name)
                if row is last:
                    calls += 1
                else:
                    if last is not None:
                        last.calls += calls
                    last = row
                    calls = 1
                call = row.call
                call(session, argv)
        except LinkBroken:
            raise
        except Exception as error:
            raise self._broken(argv, error) from error
        finally:
            if last is not None:
                last.calls += calls
                session.row = last

    def _broken(self, argv: list[bytes], error: Exception) -> LinkBroken:
        """Why a command could not be applied."""
        if not argv or any(type(word) is not bytes for word in argv):
            return LinkBroken("something else than a command")
        name = argv[0][:64].decode("ascii", "backslashreplace")
        row = self._rows.get(argv[0].lower())
        if row is None:
            problem = f"command '{name}' is unknown, or none that a master may send"
        elif isinstance(error, RedisError):
            row.stats.failed += 1
            self._core.stats.count_error(error.code)
            problem = f"command '{name}' answers '{error.text.decode('utf-8', 'replace')}'"
        else:
            self._core.report_failure(f"command {name} of the master", error)
            problem = f"command '{name}' has failed: {type(error).__name__}"
        return LinkBroken(problem, command=name.lower())

    def _pass_on(self, offset: int) -> None:
        """Everything up to an offset has been applied."""
        size = offset - self._replication.history.offset
        if size <= 0:
            return
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending = [data[size:]] if len(data) > size else []
        self._replication.forward(data[:size])

    # Transactions

    def _multi(self, session: Session, argv: list[bytes]) -> None:
        if len(argv) != 1:
            raise arity_rejection(b"multi")
        self._count("multi")
        self._block = []
        self._collect(self._block)

    def _collect(self, block: list[list[bytes]]) -> None:
        """Take what comes up to EXEC, and run it when that is there."""
        for argv in self._commands:
            if not argv or any(type(word) is not bytes for word in argv):
                self._block = None
                raise self._within(block, LinkBroken("something else than a command"))
            name = argv[0].upper()
            if name == _EXEC and len(argv) == 1:
                self._run_block(block)
                return
            if name in (_MULTI, _EXEC) or name not in self._rows:
                self._block = None
                raise self._within(block, self._broken(argv, _misplaced(name)))
            block.append(argv)

    def _run_block(self, block: list[list[bytes]]) -> None:
        """A transaction is complete: run it as one change."""
        core, session = self._core, self.session
        self._block = None
        session.executing = True
        core.feed.depth += 1
        commands = iter(block)
        try:
            self._run(commands)
            self._count("exec")
        except LinkBroken as broken:
            raise self._within(block, broken) from broken
        finally:
            session.executing = False
            core.feed.leave()
        if core.blocking.ready:
            core.blocking.serve_ready()

    @staticmethod
    def _within(block: list[list[bytes]], broken: LinkBroken) -> LinkBroken:
        """The same for a command of a transaction: nothing of it is passed on."""
        broken.problem += ", within a transaction"
        broken.before = sum(map(size_of, block)) + _SIZE_OF_MULTI
        return broken

    def _count(self, name: str) -> None:
        self._core.tables.rows[name].calls += 1

    def _start_of_block(self) -> int:
        """The offset of the MULTI whose EXEC has not come."""
        assert self._block is not None
        return self._reader.offset - sum(map(size_of, self._block)) - _SIZE_OF_MULTI

    def _exec(self, session: Session, argv: list[bytes]) -> None:
        raise RedisError(b"ERR EXEC without MULTI")

    # What the master says to us alone

    def _replconf(self, session: Session, argv: list[bytes]) -> None:
        """REPLCONF GETACK *: the only one that a master sends."""
        if len(argv) != 3:
            raise BadSyntax
        if argv[1].upper() != b"GETACK":
            raise RedisError(b"ERR Unrecognized REPLCONF option: " + c_string(argv[1]))
        self._asked = True

    def _check(self) -> None:
        """Assert that the offsets agree with what is kept."""
        self._reader._check()
        kept = sum(map(len, self._pending))
        assert self._replication.history.offset + kept == self._reader.received
        if self._block is not None:
            assert self._replication.history.offset == self._start_of_block()


class _Rows(dict[bytes, Row]):
    """Rows by names in upper and lower case; others, which some clients write, take a little longer."""

    def __missing__(self, name: bytes) -> Row:
        lower = name.lower()
        if lower == name:
            raise KeyError(name)
        return self[lower]


_SIZE_OF_MULTI = size_of([_MULTI])


def _misplaced(name: bytes) -> RedisError:
    """Why MULTI, or EXEC with words of its own, may not stand within a transaction."""
    return RedisError(b"ERR MULTI calls can not be nested") if name == _MULTI else arity_rejection(b"exec")


def _may_send(command: Command) -> bool:
    if command.name in _REFUSED:
        return False
    commands = (command, *command.subcommands.values())
    return command.name in _ALLOWED or any(each.flags & _MAY_CHANGE for each in commands)
