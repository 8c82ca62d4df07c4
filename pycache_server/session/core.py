"""What all sessions of a server share: the keyspace, the tables, who is connected, who waits, what is counted.

The server (layer 5) makes one Core, gives it a Host, and calls ``maintain`` now and then; everything else happens
because a session received something.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import REGISTRY, Command, Handler
from pycache_server.errors import RedisError, Rejection
from pycache_server.resp.encode import HALT
from pycache_server.resp.exact import InputLimits
from pycache_server.session.access import Access
from pycache_server.session.blocking import Blocking
from pycache_server.session.client_memory import ClientMemory
from pycache_server.session.commandlog import SizeLogs
from pycache_server.session.describe import monitor_line
from pycache_server.session.feed import Feed
from pycache_server.session.gates import Gates
from pycache_server.session.host import Host
from pycache_server.session.hotkeys import HotKeys
from pycache_server.session.latency import LatencyMonitor
from pycache_server.session.modes import Tables
from pycache_server.session.observers import Observers
from pycache_server.session.pause import Pause
from pycache_server.session.pubsub import PubSub
from pycache_server.session.replication import Replication
from pycache_server.session.room import Room
from pycache_server.session.rows import Row
from pycache_server.session.slowlog import SlowLog
from pycache_server.session.stats import SHORT_BUCKETS, TICKS, TOO_MANY_ERRORS, Rate, Stats, bucket_of
from pycache_server.session.syncs import Syncs
from pycache_server.session.tracking import Tracking
from pycache_server.store.clock import Clock
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.shape import Shape

if TYPE_CHECKING:
    from pycache_server.session.outlet import Outlet
    from pycache_server.session.session import Session

BUSY_RATE = 2000
"""Commands per second above which fast commands are timed in samples only."""
SAMPLE_EVERY = 32
"""Then one of so many batches is timed; a power of two."""
_SHORT = len(SHORT_BUCKETS)


class OutputLimit:
    """client-output-buffer-limit of one class of clients: bytes, bytes, seconds; 0 is no limit."""

    __slots__ = ("hard", "seconds", "soft")

    def __init__(self, hard: int, soft: int, seconds: int) -> None:
        self.hard = hard
        self.soft = soft
        self.seconds = seconds


class Core:
    """The shared part of a server."""

    def __init__(
        self,
        host: Host,
        databases: int = 16,
        commands: Iterable[Command] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self.clock = Clock(host.time())
        self.keyspace = Keyspace(databases, self.clock, host.choose)
        self.shape = Shape(self.keyspace, self.clock.seconds)
        self.room = Room(self.keyspace, self.shape, host.ticks)
        self.stats = Stats()
        self.stats.on_overflow = lambda: host.log("warning", TOO_MANY_ERRORS)
        self.input_limits = InputLimits()
        self.output_limits = {
            "normal": OutputLimit(0, 0, 0),
            "slave": OutputLimit(256 << 20, 64 << 20, 60),
            "pubsub": OutputLimit(32 << 20, 8 << 20, 60),
        }
        self.sessions: dict[int, Session] = {}
        """Everyone who is connected, by client id, in the order of arrival."""
        self.monitors: list[Session] = []
        self.blocking = Blocking(self)
        self.client_memory = ClientMemory(self)
        self.pubsub = PubSub()
        self.pause = Pause(self)
        self.tracking = Tracking(self)
        self.observers = Observers(self)
        self.keyspace.observer = self.observers
        self.feed = Feed(self)
        self.syncs = Syncs(self)
        self.replication = Replication(self)
        self.syncs.replicas = self.replication.durable_for
        self.gates = Gates(self)
        self.slowlog = SlowLog()
        self.size_logs = SizeLogs()
        self.hotkeys = HotKeys(host.choose)
        self.latency = LatencyMonitor()
        self.rates = {name: Rate() for name in ("commands", "input", "output", "repl_input", "repl_output")}
        self.serving = False
        """Whether clients are blocked on keys, so that writes must look whether they can be served."""
        self.precise = False
        """Whether every command is timed at every call."""
        self.peak_memory = 0
        self.scripts: Any = None
        """The scripting of the server (scripting/running.py), once there is some."""
        self.lua_memory = 0
        """lua-max-memory in bytes, 0 for none."""
        self.busy_threshold = 5.0
        """busy-reply-threshold in seconds."""
        self.busy: Rejection | None = None
        """What most commands are answered while a script runs for long."""
        self.loading = ""
        """``sync`` while the data set is being loaded, and commands must wait for it; ``async`` while the old one is
        served meanwhile."""
        self.replaying = False
        """Whether an append-only file is being loaded."""
        self._disk_errors: dict[str, tuple[bytes, bytes]] = {}  # by who has them
        self.disk_error: tuple[bytes, bytes] | None = None
        """Why commands and scripts that write are refused, None where they are not."""
        self.make_session: Callable[[], Session]
        """Makes a session that is nobody's connection; set by setup.py."""
        self.owner: Any = None
        """The server that this is the core of (server/app.py), for commands of that layer."""
        self._next_client = 0
        self._to_flush: list[Outlet] = []
        self.access = Access(self)
        self.tables = Tables(self, REGISTRY.values() if commands is None else commands, renamed)

    # Sessions

    def connect(self, session: Session) -> int:
        """A client has come; returns its id."""
        self._next_client += 1
        self.sessions[self._next_client] = session
        self.stats.connections += 1
        return self._next_client

    def forget(self, session: Session) -> None:
        """A client has gone: nothing may refer to it any more."""
        self.sessions.pop(session.id, None)
        self.replication.forget(session)
        if session in self.monitors:
            self.monitors.remove(session)
            self.tables.refresh()
        self.blocking.forget(session)
        self.pubsub.forget(session)
        self.pause.forget(session)
        self.observers.forget(session)
        self.tracking.forget(session)
        self.client_memory.forget(session.id)

    def flush_soon(self, session: Outlet) -> None:
        """Send what has been pushed to a session when the present batch is done."""
        if not self._to_flush:
            self.host.defer(self.flush)
        self._to_flush.append(session)

    def flush(self) -> None:
        """Send what has been pushed to sessions."""
        sessions, self._to_flush = self._to_flush, []
        for session in sessions:
            session.flush()

    # Commands

    def row(self, name: bytes) -> Row | None:
        """The row of a command, whatever the case of its name."""
        return self.tables.normal.get(name.lower())

    def timed(self, call: Handler, row: Row) -> Handler:
        """A command that is timed at every call, for statistics, slow log and latency monitor."""
        ticks, stats = self.host.ticks, row.stats
        buckets, short_buckets = stats.begin_timing(), SHORT_BUCKETS
        slowlog, latency = self.slowlog, self.latency

        def run(session: Session, argv: list[bytes]) -> Any:
            # hot: what stands here takes 0.3 us of most commands; to call ``record`` would take as much once more
            begin = ticks()
            try:
                answer = call(session, argv)
                if answer is HALT and session.waiter is not None:
                    session.waiter.call = row, argv
                return answer
            finally:
                seconds = ticks() - begin
                stats.new_seconds += seconds
                tick = int(seconds * TICKS)
                buckets[short_buckets[tick] if tick < _SHORT else bucket_of(seconds)] += 1
                if seconds >= slowlog.threshold or seconds >= latency.threshold:
                    self.note_slow(session, row, argv, seconds)

        return run

    @property
    def note_from(self) -> float:
        """Seconds from which on a call is worth a note."""
        return min(self.slowlog.threshold, self.latency.threshold)

    def note_slow(self, session: Session, row: Row, argv: list[bytes], seconds: float) -> None:
        """Write down a call that was slow, unless its client waits now: then it is when it has been served."""
        if session.waiter is not None:
            return
        if seconds >= self.slowlog.threshold:
            self.slowlog.add(session, row, argv, seconds, self.clock.seconds())
        if seconds >= self.latency.threshold:
            event = "fast-command" if "fast" in row.command.categories else "command"
            self.latency.add(event, int(self.clock.seconds()), seconds)
        if seconds > 0.001:  # what follows in the batch must not see a time that is long past
            self.clock.go_on(self.host.time())

    def feed_monitors(self, session: Session, argv: list[bytes]) -> None:
        """Show a command to those who monitor."""
        line = monitor_line(session, argv, self.clock.seconds())
        for monitor in self.monitors:
            if monitor is session:  # whose reply comes first
                self.host.defer(partial(monitor.push_wire, line))
            else:
                monitor.push_wire(line)

    # Maintenance

    def settle(self) -> None:
        """Bring the times of all commands up to the number of their calls."""
        for name, row in self.tables.rows.items():
            if calls := self.tables.calls(name):
                row.stats.settle(calls)

    def total_calls(self) -> int:
        """How many commands have been processed."""
        return self.tables.total_calls()

    def sample_rates(self) -> None:
        """Ten times a second: the instantaneous figures, and how often fast commands are timed."""
        now = self.host.ticks()
        rates, stats = self.rates, self.stats
        rates["commands"].sample(self.total_calls(), now)
        rates["input"].sample(stats.input_bytes, now)
        rates["output"].sample(stats.output_bytes, now)
        rates["repl_input"].sample(stats.repl_input_bytes, now)
        rates["repl_output"].sample(stats.repl_output_bytes, now)
        busy = not self.precise and rates["commands"].value() > BUSY_RATE
        self.stats.sample_mask = SAMPLE_EVERY - 1 if busy else 0

    def become_busy(self, answer: Rejection | None) -> None:
        """Answer most commands with an error from now on, or none any more."""
        self.busy = answer
        self.tables.refresh()

    def settle_stillness(self) -> None:
        """Let keys go by themselves or not, as pause and role want it: on a follower none does, since its leader says
        when they go; and it gives up none for want of memory unless it shall hold a limit of its own. While an
        append-only file is replayed, that says when they go."""
        keyspace, following = self.keyspace, self.replication.following
        still = bool(self.pause.mode) or self.replaying
        keyspace.stands_still = still or following is not None
        keyspace.follows = following is not None
        keyspace.keeps_all = still or (following is not None and following.ignores_maxmemory)
        self.shape.follow(following is not None, following is not None and not self.replication.refuses_writes)
        if not keyspace.stands_still or keyspace.own is not None:
            keyspace.wake()

    def become_loading(self, how: str) -> None:
        """The data set is being loaded, ``sync`` or ``async``, or is there (empty)."""
        if how != self.loading:
            self.loading = how
            self.tables.refresh()

    def refuse_writes(self, who: str, text: bytes | None, for_scripts: bytes = b"") -> None:
        """Answer commands that write with an error, because what they change cannot be kept, and scripts that may write
        with another; with None, ``who`` has no reason for that any more."""
        before = self.disk_error
        if text is None:
            self._disk_errors.pop(who, None)
        else:
            self._disk_errors[who] = text, for_scripts or text
        self.disk_error = next(iter(self._disk_errors.values()), None)
        if self.disk_error != before:
            self.tables.refresh()

    def refresh_precision(self) -> None:
        """Time every command where somebody wants to hear of short calls."""
        precise = self.note_from < 0.001
        if precise != self.precise:
            self.precise = precise
            self.tables.refresh()

    def report_failure(self, what: str, error: BaseException) -> None:
        """Something inside has failed that a client cannot be told of in detail; the log gets all of it."""
        self.stats.unexpected_errors += 1
        self.host.log("warning", f"{what} failed: {type(error).__name__}: {error}")
        for piece in traceback.format_exception(error):
            for line in piece.rstrip().split("\n"):
                self.host.log("warning", f"  {line}")


def internal_error() -> RedisError:
    """What a client is told when the server has made a mistake; the log has the rest."""
    return RedisError(b"ERR internal error, see the server's log")


Deferred = Callable[[], None]
