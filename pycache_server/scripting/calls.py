"""redis.call: a script's way to the commands.

``Calls.invoke`` is called by Lua for each redis.call and redis.pcall. It is a hot path, and so a function of its own
and no method (0.1 us of 0.6): the row of a command is found
in a table that has only those which may run in the present state of things (``normal``, ``read_only``, ``full``), with
their names as they are mostly written; whatever is not that simple is left to ``resolve``, which checks what Redis
checks, in its order. The rows' ``call`` is what runs, as in EXEC: the command with statistics, slow log, MONITOR.

Commands run for a session of their own, which has the caller's database at first, speaks RESP2 until redis.setresp, is
nobody to be served, and answers at once where others would wait. Where the caller may not do everything, or tracks what
is read, no table serves him: every command of his scripts is left to ``resolve``, which sees to that as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import Flag, may_change
from pycache_server.errors import NoReplicas, OutOfMemory, ReadOnlyReplica, RedisError
from pycache_server.resp.encode import NULL_ARRAY, OK, Texts, Wire
from pycache_server.scripting.replies import from_wire

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

STATUS, FAILED, REFUSED, NO_MEMORY = 1, 2, 3, 4
"""What kind of value Lua gets, where it is not just one: the text of a status, that of an error of a command, that of
an error in how the function was called, nothing for want of memory."""
LARGE = 64 * 1024
"""Bytes of a value from which on it is looked whether Lua has room for it."""
_ELEMENT = 64
"""About the bytes that an element of a table takes in Lua, beside its text."""
_OK = b"OK", STATUS
_TEXTS: tuple[set[type], ...] = ({bytes}, set())

NOT_TEXTS = b"Lua redis lib command arguments must be strings or integers"
NO_WORDS = b"Please specify at least one argument for this redis lib call"


class Refusal(RedisError):
    """A script may not call a command."""


UNKNOWN = b"ERR Unknown Redis command called from script"
WRONG_ARITY = b"ERR Wrong number of args calling Redis command from script"
NOT_ALLOWED = b"ERR This Redis command is not allowed from script"
STALE = b"ERR Can not execute the command on a stale replica"
READ_ONLY = b"ERR Write commands are not allowed from read-only scripts."

Rows = dict[bytes, tuple["Row", bool]]
"""Rows by the names of their commands, each with whether it writes."""


class Calls:
    """What scripts of a server call. ``make_table`` and ``has_room`` are of the Lua state."""

    def __init__(self, core: Core, make_table: Callable[..., Any], has_room: Callable[[int], bool]) -> None:
        self._core = core
        self._make_table = make_table
        self._has_room = has_room
        self.client: Session = _internal_session(core)
        self.normal = _rows(core)
        """The table for a script that may do everything."""
        self.rows = self._state = self.normal
        self.denies_nothing = False
        """DEBUG SET-DISABLE-DENY-SCRIPTS: whether scripts may call what is not for them."""
        self._is_stale = False
        self._caller: Session | None = None
        """Whose script it is, where that is somebody who may not do everything."""
        self.wrote = False
        """Whether the present script has called a command that writes."""
        self.time = 0.0
        """The time of the present script's begin: it stands still while it runs."""
        self.invoke = self._invoker()

    @cached_property
    def read_only(self) -> Rows:
        """The table for a script that may not write."""
        return {spelling: found for spelling, found in self.normal.items() if not may_change(found[0].command)}

    @cached_property
    def full(self) -> Rows:
        """The table for the time when maxmemory is exceeded."""
        return _without(self.normal, {Flag.DENYOOM})

    @cached_property
    def follower(self) -> Rows:
        """The table for a follower, or for a leader without enough of them."""
        return _without(self.normal, {Flag.WRITE})

    @cached_property
    def unkept(self) -> Rows:
        """The table for the time when changes cannot be kept."""
        return _without(self.normal, {Flag.WRITE})

    def begin(self, session: Session, read_only: bool, full: bool) -> None:
        """A script begins, for a session."""
        client = self.client
        client.db = session.db
        client.user = session.user
        if client.resp != 2:
            client.speak(2)
        self.wrote = False
        core, replication = self._core, self._core.replication
        self.time = core.clock.time
        self.rows = self._state = self.normal
        self._caller = None
        if read_only or full or core.disk_error is not None or replication.refuses_writes or replication.wants_replicas:
            self.rows = self._state = self._table_for(session, read_only, full)
        self._is_stale = replication.is_stale and session.kind() != "master"
        if session.guard is not None or core.tracking.running is not None or self._is_stale:
            self._caller = session if session.guard is not None else None
            self.rows = {}

    def _table_for(self, session: Session, read_only: bool, full: bool) -> Rows:
        """The table for a script that may not do everything."""
        if read_only:
            return self.read_only
        core, replication = self._core, self._core.replication
        if core.disk_error is not None:
            return self.unkept
        if (replication.refuses_writes or replication.lacks_replicas) and session.kind() != "master":
            return self.follower
        return self.full if full else self.normal

    def _refusal(self) -> bytes:
        """Why replication lets scripts write nothing."""
        return ReadOnlyReplica.text if self._core.replication.refuses_writes else NoReplicas.text

    def _invoker(self) -> Callable[..., Any]:
        calls, core, client, clock = self, self._core, self.client, self._core.clock
        has_room, to_lua, texts = self._has_room, self._to_lua, _texts

        def invoke(*words: Any) -> Any:
            """Run a command for the script. What Lua gets: a value, or a pair of a value and what kind it is."""
            # hot: to take two or three words apart takes half of the time that a loop does
            count = len(words)
            argv: Any = None
            if count == 2:
                word, second = words
                if type(word) is bytes and type(second) is bytes:
                    argv = [word, second]
            elif count == 3:
                word, second, third = words
                if type(word) is bytes and type(second) is bytes and type(third) is bytes:
                    argv = [word, second, third]
            if argv is None and (argv := texts(words)) is None:
                return NOT_TEXTS, REFUSED
            try:
                row, writes = calls.rows[argv[0]]
                if count != row.least and (count < row.least or not row.open):
                    raise KeyError
            except (KeyError, IndexError):
                if not argv:
                    return NO_WORDS, REFUSED
                try:
                    row, writes = calls.resolve(argv)
                except RedisError as refusal:
                    core.stats.count_error(refusal.code)
                    return refusal.text, FAILED
            if writes:
                calls.wrote = True
            clock.time = calls.time
            row.calls += 1
            call = row.call
            try:
                value = call(client, argv)
            except RedisError as error:
                row.stats.failed += 1
                core.stats.count_error(error.code)
                return error.wire[1:-2], FAILED
            except Exception as error:
                core.report_failure(f"command {row.command.name} in a script", error)
                return b"ERR internal error, see the server's log", FAILED
            kind = type(value)
            if kind is bytes:
                return value if len(value) < LARGE or has_room(len(value)) else (None, NO_MEMORY)
            if value is OK:
                return _OK
            if kind is int:
                return value
            return to_lua(value)

        return invoke

    def invoke_many(self, words: Any, count: float) -> Any:
        """The same with the words in a table."""
        return self.invoke(*[words[place] for place in range(1, int(count) + 1)])

    def _to_lua(self, value: Any) -> Any:
        """A value that is neither a string nor an integer nor OK, for Lua."""
        client = self.client
        if value is None or value is NULL_ARRAY:
            return False if client.resp == 2 else None
        kind = type(value)
        if kind is Texts or (kind in (list, tuple) and set(map(type, value)) in _TEXTS):
            if not self._has_room(sum(map(len, value)) + _ELEMENT * len(value)):
                return None, NO_MEMORY
            return self._make_table(value)
        data = value if kind is Wire else client.encode(value)
        if data[:1] == b"+" and data.find(b"\r\n") == len(data) - 2:
            return data[1:-2], STATUS
        if data[:1] == b"-":
            return data[1:-2], FAILED
        if not self._has_room(len(data) + _ELEMENT * data.count(b"\r\n")):
            return None, NO_MEMORY
        return from_wire(data, self._make_table)

    def resolve(self, argv: list[bytes]) -> tuple[Row, bool]:
        """The row of a command that is not in the present table under that name.

        Raises RedisError.
        """
        row = self.find(argv)
        if row is None:
            raise Refusal(UNKNOWN)
        if not row.accepts(len(argv)):
            raise self._refused(row, WRONG_ARITY)
        flags = row.command.flags
        if Flag.NOSCRIPT in flags and not self.denies_nothing:
            raise self._refused(row, NOT_ALLOWED)
        if self._is_stale and Flag.STALE not in flags:
            raise self._refused(row, STALE)
        if self._caller is not None:
            self._core.access.demand_in_script(self._caller, row.command, argv)
        if self._state is self.read_only and may_change(row.command):
            raise self._refused(row, READ_ONLY)
        if self._state is self.follower and Flag.WRITE in flags:
            raise self._refused(row, self._refusal())
        if self._state is self.full and Flag.DENYOOM in flags and not self.wrote:
            raise self._refused(row, OutOfMemory.text)
        error = self._core.disk_error
        if self._state is self.unkept and Flag.WRITE in flags and error is not None:
            raise self._refused(row, error[0])
        if self._core.tracking.running is not None:
            row = self._core.tables.witness(row)
        return row, Flag.WRITE in flags

    def find(self, argv: list[bytes]) -> Row | None:
        """The row of a command or subcommand, if there is one of that name."""
        row = self._core.row(argv[0])
        if row is not None and row.subrows and len(argv) > 1:
            row = row.subrows.get(argv[1].lower())
        return row

    def _refused(self, row: Row, text: bytes) -> Refusal:
        row.stats.rejected += 1
        return Refusal(text)

    def speak(self, version: int) -> None:
        """redis.setresp."""
        self.client.speak(version)

    def may_call(self, *words: Any) -> Any:
        """redis.acl_check_cmd: whether the script's user may run a command; a pair with a complaint where it is no
        command."""
        if not words:
            return None, NO_WORDS
        argv = _texts(words)
        if argv is None:
            return None, NOT_TEXTS
        row = self.find(argv)
        if row is None:
            return None, b"Invalid command passed to redis.acl_check_cmd()"
        if not row.accepts(len(argv)):
            argv += [b""] * (row.least - len(argv))  # Redis asks for what is there
        return self._core.access.check(self.client.user, row.command, argv) is None


def _texts(words: tuple[Any, ...]) -> list[bytes] | None:
    """The arguments of a command, of which some are no strings: numbers are written as Redis does; None where there
    are others."""
    for word in words:
        if type(word) is not bytes:
            break
    else:
        return list(words)
    argv: list[bytes] = []
    for word in words:
        kind = type(word)
        if kind is bytes:
            argv.append(word)
        elif kind is int:
            argv.append(b"%d" % word if -(10**17) < word < 10**17 else b"%.17g" % word)
        elif kind is float:
            argv.append(_number(word))
        else:
            return None
    return argv


def _number(value: float) -> bytes:
    """A number that is not whole, or very large, as C's ``%.17g`` writes it."""
    return b"-nan" if value != value else b"%.17g" % value


def _internal_session(core: Core) -> Session:
    session = core.make_session()
    session.executing = session.deny_blocking = session.is_script = True
    return session


def _rows(core: Core) -> Rows:
    """The rows of all commands that scripts may call."""
    return {
        spelling: (row, Flag.WRITE in row.command.flags)
        for spelling, row in core.tables.normal.items()
        if not row.subrows and Flag.NOSCRIPT not in row.command.flags
    }


def _without(rows: Rows, flags: set[Flag]) -> Rows:
    """Those of commands that have none of some flags."""
    return {spelling: found for spelling, found in rows.items() if not found[0].command.flags & flags}
