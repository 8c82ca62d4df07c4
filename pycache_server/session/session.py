"""One client: bytes in, commands, bytes out. No IO here: a Link (host.py) carries the bytes.

``_run`` is the hot loop, and deliberately one long function: every Python call it would be split into costs 60 ns, a
tenth of a GET. What it does for each command is: look up the name in the session's table, look at the arguments' types
and number, call the row's function, append the reply. Errors are raised and cost nothing while there are none. States
are other tables (modes.py), so there is no test for any of them here.

One read from the connection makes one call of ``receive``, and one write: what goes out is told in outlet.py.

The loop stops (``_source`` is kept) when a command halts the client (blocked, paused), and when the client does not
read its replies. Input that comes meanwhile is held by the parser. ``resume`` goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hiredis import ProtocolError as HiredisError

from pycache_server.errors import ProtocolError, RedisError, Rejection, arity_rejection, unknown_command
from pycache_server.resp.encode import (
    BULK_HEADERS,
    CRLF,
    HALT,
    HEADERS_UP_TO,
    INTEGERS,
    NO_REPLY,
    Wire,
    encode2,
    encode3,
)
from pycache_server.resp.exact import QueryBufferExceeded
from pycache_server.resp.parser import BROKEN, NEWLINE, NOTHING, PIECE, STAR, Parser, Source
from pycache_server.session.core import Core, internal_error
from pycache_server.session.describe import describe
from pycache_server.session.host import NO_LINK, Link
from pycache_server.session.stance import table_for
from pycache_server.session.standing import Standing
from pycache_server.session.transactions import refuse_transaction

if TYPE_CHECKING:
    from pycache_server.session.guards import Guard
    from pycache_server.session.rows import Row, Table
    from pycache_server.session.tracking import Tracker
    from pycache_server.session.transactions import Transaction

LARGE_REPLY = 64 * 1024
"""A batch that has collected this many bytes of large replies is sent before it goes on."""
HOLD_LIMIT = 1024 * 1024
"""A client that may not execute anything and goes on sending is no longer read from at this many bytes."""
CROSS_PROTOCOL = frozenset((b"post", b"host:"))
"""What a browser says that was talked into sending its request here."""


class Session(Standing):
    """A connected client."""

    __slots__ = (
        "_clock",
        "_postponed",
        "_read_clock",
        "_source",
        "address",
        "created",
        "executing",
        "id",
        "last_seen",
        "library",
        "library_version",
        "local_address",
        "name",
        "outdated",
        "row",
        "silence",
        "table",
        "told",
        "tracker",
        "transaction",
        "unix",
        "watched",
    )

    def __init__(
        self,
        core: Core,
        link: Link,
        address: str = "",
        local_address: str = "",
        unix: bool = False,
        hidden: bool = False,
    ) -> None:
        """``hidden``: it is no client, but who runs commands for a script."""
        super().__init__(core, link)
        self.address = address
        self.local_address = local_address
        self.unix = unix
        self.id = 0 if hidden else core.connect(self)
        self.name = b""
        self.library = b""
        self.library_version = b""
        self.transaction: Transaction | None = None
        self.watched: dict[tuple[int, bytes], bool] = {}
        """Watched keys of databases; True where the key had expired already."""
        self.outdated = False
        """Whether a watched key has changed."""
        self.tracker: Tracker | None = None
        self.told = 0
        """The offset of the stream behind its last write."""
        self.silence = ""
        """CLIENT REPLY: ``off``, ``skip`` for the next command only, ``skip next`` for this one and the next, or
        nothing."""
        self.executing = False
        """Whether EXEC is running."""
        self.table: Table = core.tables.normal
        self.row: Row | None = None
        """What was executed last."""
        self.parser = Parser(core.input_limits, self.authenticated)
        self.created = self.last_seen = core.host.time()
        self._clock = core.clock
        self._read_clock = core.host.time
        self._source: Source | None = None
        self._postponed: list[bytes] | None = None
        self.become(self.user)

    # Input

    def receive(self, data: bytes) -> None:
        """Take what was read from the connection, execute what is complete, and send the replies.

        The command of an input that holds no other, as clients send it that do not pipeline, is executed here: what
        ``feed`` and ``_run`` do, in one frame and without all that serves the commands which follow. Whatever is not
        that simple is left to them. A star may be an argument, such as XADD's id."""
        stats = self._stats
        read_clock = self._read_clock  # what lies in a slot is called by way of a local: see docs/design/hot_path.md
        self._clock.time = self.last_seen = read_clock()
        size = len(data)
        stats.input_bytes += size
        stats.reads = reads = stats.reads + 1
        parser = self.parser
        feed = parser.plain
        if (
            feed is None
            or ((star := data.rfind(STAR)) and (star < 0 or data[0] != STAR or data[star + 1 : star + 2] != b"\r"))
            or data[-1] != NEWLINE
            or size > PIECE
            or not reads & stats.sample_mask
            or self._source is not None
            or self.closing
        ):
            self._receive(data)
            return
        parser.piece = data
        feed(data)
        source = parser.gets
        argv: Any = _UNREAD
        try:
            argv = source()
            row = self.table[argv[0]]
            count = len(argv)
            has_data = parser.has_data
            if has_data() or (count != row.least and (count < row.least or not row.open)):
                raise _NotSimple
            if count > 3:
                for argument in argv:
                    if type(argument) is not bytes:
                        raise _NotSimple
            elif type(argv[-1]) is not bytes or type(argv[1 - count]) is not bytes:
                raise _NotSimple
        except Exception as error:
            failure = error if argv is _UNREAD else None
            self._run(_again(argv, failure, source))
            return
        row.calls += 1
        self.row = row
        out: list[bytes] = []
        self._out = out
        run = row.run
        try:
            value = run(self, argv)
        except Exception as error:
            value = self._recover(row, argv, error)
        kind = type(value)
        if kind is bytes and len(value) < HEADERS_UP_TO:
            data = BULK_HEADERS[len(value)] + value + CRLF
        elif kind is Wire:
            data = value
        elif kind is int:
            data = INTEGERS[value] if 0 <= value < HEADERS_UP_TO else b":%d\r\n" % value
        elif value is None:
            data = self.null
        elif value is NO_REPLY:
            data = b""
        elif value is HALT:
            self._source, self.halted_by = source, argv
            data = b""
        else:
            try:
                data = self.encode(value)
            except Exception as error:
                data = self._unencodable(argv, error)
        if out:
            data = b"".join(out) + data
        self._out = None
        if data:
            stats.output_bytes += len(data)
            stats.writes += 1
            write = self.link.write
            write(data)
            if self.congested:
                self.check_output(self.core.host.ticks())
        if self.closing:
            self.link.close()

    def _receive(self, data: bytes) -> None:
        """The same with any input."""
        stats = self._stats
        if len(data) > PIECE and self.core.client_memory.refuses(self, len(data)):
            return
        try:
            if self._source is not None or self.closing:
                self._hold(data)
                return
            source = self.parser.feed(data)
        except QueryBufferExceeded:
            self._exceeded()
            return
        if stats.reads & stats.sample_mask:
            self._run(source)
        else:
            self._run_sampled(source)

    def _run_sampled(self, source: Source | None) -> None:
        """Execute a batch in which every command is timed."""
        tables = self.core.tables
        if self.table is tables.normal:
            self.table = tables.sampled
        elif self.guard is not None:
            self._run_guarded_sampled(source, self.guard)
            return
        self._run(source)
        if self.table is tables.sampled:
            self.table = tables.normal

    def _run_guarded_sampled(self, source: Source | None, guard: Guard) -> None:
        """The same for a user that may not do everything."""
        tables = self.core.tables
        normal, sampled = guard.table(tables.normal), guard.table(tables.sampled)
        if self.table is normal:
            self.table = sampled
        self._run(source)
        if self.table is sampled:
            self.table = normal

    def _run(self, source: Source | None) -> None:
        """Execute the commands of a source, and of those that follow it, until nothing more is complete."""
        out: list[bytes] = []
        self._out = out
        add = out.append
        parser = self.parser
        row: Row | None = None
        last: Row | None = None
        calls = 0
        large = 0
        while source is not None:
            # hot: what stands between here and "cold" costs about 1 us a command; see bench/hot_path.py
            try:
                argv = source()
            except HiredisError:
                argv = BROKEN
            except ProtocolError as error:
                self.failed(None, error)
                break
            if type(argv) is not list:
                if argv is NOTHING and not parser.more and parser.depth.value < 1 and not parser.has_data():
                    break
                source = self._turn(argv, large)
                large = 0
                continue
            try:
                row = self.table[argv[0]]
                count = len(argv)
                if count == 2:
                    if type(argv[1]) is not bytes:
                        raise TypeError
                elif count == 3:
                    if type(argv[1]) is not bytes or type(argv[2]) is not bytes:
                        raise TypeError
                else:
                    for argument in argv:
                        if type(argument) is not bytes:
                            raise TypeError
                if row is last:
                    calls += 1
                else:
                    if last is not None:
                        last.calls += calls
                    last = row
                    calls = 1
                if count != row.least and (count < row.least or not row.open):
                    raise arity_rejection(row.name)
                run = row.run
                value = run(self, argv)
            except Exception as error:
                value = self._recover(row, argv, error)
            kind = type(value)
            if kind is bytes:
                size = len(value)
                if size < HEADERS_UP_TO:
                    out += (BULK_HEADERS[size], value, CRLF)
                    continue
            elif kind is Wire:
                add(value)
                continue
            elif kind is int:
                add(INTEGERS[value] if 0 <= value < HEADERS_UP_TO else b":%d\r\n" % value)
                continue
            elif value is None:
                add(self.null)
                continue
            # cold
            if value is NO_REPLY:
                continue
            if value is HALT:
                self._source, self.halted_by = source, argv
                break
            try:
                encoded = self.encode(value)
            except Exception as error:
                encoded = self._unencodable(argv, error)
            add(encoded)
            large += len(encoded)
            if large > LARGE_REPLY:
                large = 0
                if not self.make_way():
                    self._source = source
                    break
        if last is not None:
            last.calls += calls
        if row is not None and not row.command.subcommands:  # those note themselves
            self.row = row
        self._out = None
        if out:
            data = b"".join(out) if len(out) > 1 else out[0]
            stats = self._stats
            stats.output_bytes += len(data)
            stats.writes += 1
            write = self.link.write_late
            write(data)
            if self.congested:
                self.check_output(self.core.host.ticks())
        if self.closing:
            self.link.close()

    def _turn(self, last: Any, large: int) -> Source | None:
        """Go on behind the end of a piece of input, or something unusual in it."""
        try:
            source = self.parser.turn(last)
        except QueryBufferExceeded:
            self._exceeded()
            return None
        if source is not None:
            self.core.clock.time = self.core.host.time()
            if not self.make_way():
                self._source = source
                return None
        return source

    def _recover(self, row: Row | None, argv: list[bytes], error: Exception) -> Any:
        """The reply where a command did not return one, or where its name was not in the table as it was written."""
        if isinstance(error, RedisError):
            return self.failed(row, error, argv)
        if not argv:
            return NO_REPLY
        if any(type(argument) is not bytes for argument in argv):
            try:
                self.parser.reject()
            except ProtocolError as refusal:
                return self.failed(None, refusal)
        if argv[0] not in self.table:
            return self._run_by_name(argv)
        return self._crashed(argv, error)

    def _run_by_name(self, argv: list[bytes]) -> Any:
        """Run a command whose name was written in neither upper nor lower case, or is not known."""
        row = self.table.get(argv[0].lower())
        if row is None:
            return self._unknown(argv)
        try:
            row.calls += 1
            if not row.accepts(len(argv)):
                raise arity_rejection(row.name)
            return row.run(self, argv)
        except RedisError as error:
            return self.failed(row, error, argv)
        except Exception as error:
            return self._crashed(argv, error)

    def _unknown(self, argv: list[bytes]) -> Any:
        if argv[0].lower() in CROSS_PROTOCOL:
            self.core.host.log(
                "warning",
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. "
                "This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your "
                f"Redis instance. Connection from {self.address} aborted.",
            )
            self.closing = True
            return HALT
        return self.failed(None, unknown_command(argv))

    def failed(self, row: Row | None, error: RedisError, argv: Sequence[bytes] = ()) -> Any:
        """The reply for an error, counted; ``argv`` is what has called ``row``, where that may be a container."""
        if self.is_replica:
            return self.core.replication.leading.refuse(self, argv)
        self.core.stats.count_error(error.code)
        if row is not None:
            self.core.tables.failed(row, argv, isinstance(error, Rejection))
        if isinstance(error, Rejection):
            error = refuse_transaction(self, row, error)
            if self.tracker is not None:
                self.tracker.passed(row.command if row is not None else None)
        if isinstance(error, ProtocolError):
            self.core.host.log("verbose", f"Protocol error ({error}) from client: {describe(self)}")
            self.closing = True
            if not self.silence:
                self.push_wire(error.wire)
            return HALT
        if self.silence:
            self.spoke()
            return NO_REPLY
        return Wire(error.wire)

    def _crashed(self, argv: list[bytes], error: Exception) -> Any:
        """The server has made a mistake: the log gets everything, the client a sentence."""
        name = argv[0][:64].decode("ascii", "replace")
        self.core.report_failure(f"command {name}", error)
        return self.failed(None, internal_error())

    def _unencodable(self, argv: list[bytes], error: Exception) -> bytes:
        """The reply where a command has returned something that is none."""
        reply = self._crashed(argv, error)
        return reply if type(reply) is Wire else b""

    def _exceeded(self) -> None:
        """Too much unfinished input."""
        self._stats.input_overflows += 1
        self.core.host.log("warning", f"Closing client that reached max query buffer length: {describe(self)}")
        self.abort()

    # States

    def choose_table(self) -> None:
        """Take the table that the client's state asks for."""
        self.table = table_for(self)

    def speak(self, version: int) -> None:
        """Answer in version 2 or 3 of the protocol from now on."""
        self.resp = version
        self.encode = encode3 if version == 3 else encode2
        self.null = self.encode(None)
        self.choose_table()

    def spoke(self) -> None:
        """A command has passed in silence."""
        if self.silence == "skip next":
            self.silence = "skip"
        elif self.silence == "skip":
            self.silence = ""
            self.choose_table()

    def select(self, index: int) -> None:
        """Use another database."""
        self.db = self.keyspace.databases[index]

    def queue(self, row: Row, argv: list[bytes]) -> Any:
        """Keep a command for EXEC."""
        assert self.transaction is not None
        return self.transaction.queue(self, row, argv)

    # Waiting

    def block(
        self,
        keys: Sequence[bytes],
        serve: Callable[[bytes], Any],
        timeout: float,
        on_timeout: Any,
        wants: type | tuple[type, ...] | None = None,
        grows: bool = False,
    ) -> Any:
        if self.deny_blocking:
            return on_timeout
        return self.core.blocking.block(self, keys, serve, timeout, on_timeout, wants, grows)

    def postpone(self, argv: list[bytes]) -> Any:
        """Execute this command first when the session resumes."""
        self._postponed = argv
        return HALT

    def reply(self, value: Any) -> None:
        """Answer the command that has halted the session, and go on when the present batch is done."""
        if isinstance(value, RedisError):
            value = self.failed(self.row, value)
        if value is not NO_REPLY and not self.silence:
            self.push(value)
        self.spoke()
        self.core.host.defer(self.resume)

    def resume(self) -> None:
        """Go on with what could not be executed when it came."""
        source = self._source
        if source is None or self.waiter is not None or self.congested or self.closing:
            return
        self._source = None
        if self._postponed is not None:
            source = _again(self._postponed, None, source)
            self._postponed = None
        self.core.clock.time = self.core.host.time()
        self._run(source)
        if self._source is None and not self.closing:
            self.link.resume_reading()

    def _hold(self, data: bytes) -> None:
        """Keep input that cannot be looked at yet."""
        if self.closing:
            return
        self.parser.hold(data)
        if self.parser.held() > HOLD_LIMIT:
            self.link.pause_reading()

    def relax(self) -> None:
        """The client has been silent for a while: keep nothing that it does not need."""
        if self._source is None:
            self.parser.relax()

    # The end

    def finish(self, value: Any) -> Any:
        """Answer for the last time: nothing more is executed, and the connection ends."""
        if not self.silence:
            self.push(value)
        self.closing = True
        return HALT

    @property
    def is_executing(self) -> bool:
        """Whether the client's commands are being executed at this moment."""
        return self._out is not None

    def close(self) -> None:
        """End the connection when everything has been sent."""
        if self._out is None:
            self.flush()
            self.link.close()
        self.closing = True

    def on_overflow(self) -> None:
        """See outlet.py."""
        self._stats.output_overflows += 1
        self.core.host.log(
            "warning", f"Client {describe(self)} scheduled to be closed ASAP for overcoming of output buffer limits."
        )
        self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self.closing = True
        self.core.blocking.forget(self)  # until the link tells of its end an element may come, and would be lost
        self.link.abort()

    def on_lost(self) -> None:
        """The connection has ended, from whichever side."""
        self.closing = True
        self._source = None
        self._pushed = []
        self.core.forget(self)
        self.link = NO_LINK


_UNREAD = object()


class _NotSimple(Exception):
    """Not a single command with few arguments."""


def _again(argv: Any, failure: Exception | None, source: Source) -> Source:
    """A source that gives once more what a source has given, or raised, before it goes on."""
    first = [argv]

    def again() -> Any:
        if not first:
            return source()
        first.pop()
        if failure is not None:
            raise failure
        return argv

    return again
