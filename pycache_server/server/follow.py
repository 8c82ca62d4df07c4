"""Following a master: the connection, its beginnings and its ends.

What is said on it is repl/follower.py's, what comes behind it session/applying.py's, and a whole data set intake.py's.
Here are the socket, the clock, and what happens to the node: which state the link is in, when to try again, what is
refused meanwhile (session/following.py), and what ROLE and INFO say.

Three rules.

1. *Nothing that is there is given up before what takes its place is whole.* Until a payload has been loaded and found
   sound the node holds, and may serve, what it held.
2. *A history goes on only where it is sure.* ``partial`` says that the data set is the one of ``history``, byte for
   byte; then the node asks for what follows. When something could not be applied it is False, until everything has come
   anew; such failures are tried again more and more seldom, since each costs the master a snapshot.
3. *Whatever fails ends the connection, is logged in Redis's words, and is tried again in a second*; a link that was
   there and is lost is made anew at once, before the master's backlog has moved on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pycache_server import REDIS_VERSION
from pycache_server.rdb.reader import BadData
from pycache_server.repl import follower as says
from pycache_server.repl.follower import CAPABILITIES, Follower, Wish
from pycache_server.server.acknowledging import Acknowledging
from pycache_server.server.ending import Doomed, Unkept, panic_where_wanted
from pycache_server.server.holding import Holding
from pycache_server.server.intake import Intake, NotKept
from pycache_server.server.listener import keep_alive
from pycache_server.server.wire import Wire
from pycache_server.session.applying import Applier, LinkBroken, MasterSession
from pycache_server.session.boot import RETURNS
from pycache_server.session.following import refuse

if TYPE_CHECKING:
    from pycache_server.server.app import App

EVERY = 1.0
"""Seconds between looks at the link."""
NOT_KEPT = "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization"
LONGEST_PAUSE = 60.0
"""Seconds between tries at most, where what comes cannot be applied."""


class Follow:
    """The following of one server. It is the ``Following`` of Replication while there is a master."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._core = app.core
        self._replication = app.core.replication
        self.host = ""
        self.port = 0
        self.state = "none"
        """``none``, ``connect`` (about to), ``connecting``, ``handshake``, ``sync`` or ``connected``."""
        self.partial = False
        """Whether the data set is that of the history, so that the stream may go on from there."""
        self._in_step_with = ("", 0)
        """The master whose data set this is, as far as it has come."""
        self._selected = 0  # the database of the stream, while the link is not there
        self.errors = 0
        """How often the stream could not be applied."""
        self._failures = 0  # of what has come, one after another
        self._not_before = 0.0  # ticks
        self._down_since = 0.0  # seconds since 1970, 0 where it has never been up
        self._last_io = 0.0
        self._wire: Wire | None = None
        self._follower: Follower | None = None
        self._intake: Intake | None = None
        self._full = ("", -1)  # the id and offset of the payload
        self._early: list[bytes] = []  # what has come of the stream while the payload is being loaded
        self._applier: Applier | None = None
        self._session: MasterSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._on_outcome: Callable[[bool], None] | None = None
        self._acknowledging = Acknowledging(self._core, self._send)
        self._held = Holding(app, self._apply)
        self._unkept = Unkept(app)

    # Following

    @property
    def ignores_maxmemory(self) -> bool:
        """See Following."""
        return bool(self._app.settings["replica-ignore-maxmemory"])

    @property
    def connected(self) -> bool:
        """See Following."""
        return self.state == "connected"

    @property
    def stream_db(self) -> int:
        """See Following."""
        return self._session.db.index if self._session is not None else self._selected

    def role(self) -> list[Any]:
        """See Following."""
        state = self.state.encode()
        offset = self._replication.history.offset if self._session is not None else -1
        return [b"slave", self.host.encode(), self.port, state, offset]

    def info(self) -> Iterator[tuple[str, Any]]:
        """See Following."""
        settings, now = self._app.settings, self._app.host.time()
        session, applier = self._session, self._applier
        yield "master_host", self.host
        yield "master_port", self.port
        yield "master_link_status", "up" if self.connected else "down"
        yield "master_last_io_seconds_ago", int(now - session.last_seen) if session is not None else -1
        yield "master_sync_in_progress", int(self.state == "sync")
        applied = self._replication.history.offset if session is not None or self.partial else 1
        yield "slave_read_repl_offset", applied if applier is None else applier.received + self._held.size
        yield "slave_repl_offset", applied
        if self.state == "sync":
            total, read = (0, 0) if self._intake is None else (self._intake.size or 0, self._intake.received)
            yield "master_sync_total_bytes", total
            yield "master_sync_read_bytes", read
            yield "master_sync_left_bytes", total - read
            yield "master_sync_perc", f"{100 * read / total if total else 0:.2f}"
            yield "master_sync_last_io_seconds_ago", int(now - self._last_io)
        if not self.connected:
            yield "master_link_down_since_seconds", int(now - self._down_since) if self._down_since else -1
        yield "slave_priority", settings["replica-priority"]
        yield "slave_read_only", int(settings["replica-read-only"])
        yield "replica_announced", int(settings["replica-announced"])

    # Which master

    def follow(self, host: str, port: int, on_outcome: Callable[[bool], None] | None = None) -> None:
        """Follow a master from now on. ``on_outcome`` asks it to become a replica of nobody for our sake (FAILOVER),
        and hears whether it has agreed."""
        led = self._replication.leads
        if self.connected:
            self._down_since = self._app.host.time()
        self._disconnect()
        self.host, self.port, self._on_outcome = host, port, on_outcome
        self._failures, self._not_before = 0, 0.0
        self._app.settings.values["replicaof"] = (host, str(port))
        if led:
            self._stop_leading()
        self._set_state("connect")
        self._watch()
        self._app.log.write("notice", f"Connecting to MASTER {host}:{port}")
        self._connect()

    def _stop_leading(self) -> None:
        """What the node holds may be where its new master comes from: then a part will do."""
        self._app.log.write(
            "notice",
            "Before turning into a replica, using my own master parameters to synthesize a cached master: I may be "
            "able to synchronize with the new master with just a partial transfer.",
        )
        self.partial = True
        self._selected = 0
        self._replication.become_follower(self)
        self._core.blocking.unblock_all()

    def recall(self, aux: dict[bytes, bytes]) -> None:
        """What was loaded at the start tells where in which history it stands, if it does."""
        replid, offset, database = (aux.get(name, b"") for name in (b"repl-id", b"repl-offset", b"repl-stream-db"))
        if len(replid) == says.ID_SIZE and replid.isalnum() and offset.isdigit() and database.isdigit():
            self._replication.history.adopt(replid, int(offset))
            self.partial, self._selected = True, int(database)

    def begin(self, host: str, port: int) -> None:
        """The server starts, and is to follow a master. ``partial`` is set already where what it has loaded says
        where in which history it stands."""
        self.host, self.port = host, port
        self._replication.become_follower(self)
        self._set_state("connect")
        self._watch()
        self._app.run_soon(self._begin())

    async def _begin(self) -> None:
        if self.state == "connect":
            self._app.log.write("notice", f"Connecting to MASTER {self.host}:{self.port}")
            self._connect()

    def lead(self) -> None:
        """Follow nobody any more: the node's data set goes on under an id of its own."""
        if self._replication.leads:
            return
        self._held.empty()
        self._disconnect()
        self._app.settings.values["replicaof"] = ()
        self._down_since = 0.0
        history = self._replication.history
        self._replication.become_leader()
        self._set_state("none")
        self._app.log.write(
            "notice",
            f"Setting secondary replication ID to {history.second_id.decode()}, valid up to offset: "
            f"{history.second_offset}. New replication ID is {history.id.decode()}",
        )
        self._replication.drop_followers()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self) -> None:
        """The server ends."""
        self._disconnect()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def refresh(self) -> None:
        """Let what clients are refused, and whether anything is given up for want of memory, follow state and
        settings."""
        settings = self._app.settings
        follows = not self._replication.leads
        self._app.log.role = "S" if follows else "M"
        stale = follows and not self.connected and not settings["replica-serve-stale-data"]
        loading = ""
        if self._intake is not None and self._intake.loading is not None:
            loading = "async" if self._keeps_serving() else "all"
        refuse(self._core, follows and settings["replica-read-only"], stale, loading)
        self._core.settle_stillness()

    def _keeps_serving(self) -> bool:
        """Whether clients are served the old data while the new is loaded: where it is another moment of the same
        history."""
        same = self._full[0].encode() == self._replication.history.id
        return self._app.settings["repl-diskless-load"] == "swapdb" and same

    def _set_state(self, state: str) -> None:
        self.state = state
        self.refresh()

    # Time

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self._app.loop.call_later(EVERY, self._tick)

    def _tick(self) -> None:
        self._timer = self._app.loop.call_later(EVERY, self._tick)
        try:
            self._look()
        except Exception as error:  # it is in the log and in INFO, and the next look comes
            self._core.report_failure("looking after the link to the master", error)

    def _look(self) -> None:
        now = self._app.host.time()
        limit = self._app.settings["repl-timeout"]
        if self.state == "connect":
            if self._core.host.ticks() >= self._not_before:
                self._app.log.write("notice", f"Connecting to MASTER {self.host}:{self.port}")
                self._connect()
        elif self.state in ("connecting", "handshake"):
            if now - self._last_io > limit:
                self._fail("warning", "Timeout connecting to the MASTER...")
        elif self.state == "sync":
            if self._intake is not None and self._intake.loading is not None:
                self._send(b"\n")  # so that the master does not give us up
            elif now - self._last_io > limit:
                self._fail(
                    "warning",
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' "
                    "parameter in redis.conf to a larger value.",
                )
        elif self.state == "connected":
            assert self._session is not None
            if now - self._session.last_seen > limit and not self._held.is_full:
                self._fail("warning", "MASTER timeout: no data nor PING received...")
            else:
                self.acknowledge()

    # The connection

    def _connect(self) -> None:
        self._last_io = self._app.host.time()
        self._set_state("connecting")
        self._task = self._app.loop.create_task(self._open())
        self._app.log.write("notice", "MASTER <-> REPLICA sync started")

    async def _open(self) -> None:
        wire = Wire(self)
        source = self._app.settings["bind-source-addr"]
        try:
            await self._app.loop.create_connection(
                lambda: wire, self.host, self.port, local_addr=(source, 0) if source else None
            )
        except OSError as error:
            self._task = None
            self._fail("warning", f"Unable to connect to MASTER: {error.strerror or error}")
            return
        except asyncio.CancelledError:
            wire.leave()
            raise
        except Exception as error:
            self._task = None
            self._core.report_failure("connecting to the master", error)
            self._fail("warning", f"Unable to connect to MASTER: {error}")
            return
        self._task = None
        self._wire = wire
        connection = wire.connection()
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(connection, self._app.settings["repl-ping-replica-period"])
        self._last_io = self._app.host.time()
        self._follower = Follower(self._wish())
        self._set_state("handshake")
        self._do(self._follower.begin())

    def _wish(self) -> Wish:
        settings, history = self._app.settings, self._replication.history
        return Wish(
            port=settings["replica-announce-port"] or self._app.port,
            replid=history.id.decode() if self.partial else "",
            offset=history.offset + 1 if self.partial else -1,
            user=settings["masteruser"],
            password=settings["masterauth"],
            announced_ip=settings["replica-announce-ip"],
            version=REDIS_VERSION,
            failover=self._on_outcome is not None,
            capabilities=(*CAPABILITIES, RETURNS) if self._returns() else CAPABILITIES,
        )

    def _returns(self) -> bool:
        """Whether the node has data of this very master (session/boot.py)."""
        mine = self.partial and self._in_step_with == (self.host, self.port)
        return mine and any(database.size for database in self._core.keyspace.databases)

    def _send(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.send(data)

    def received(self, data: bytes) -> None:
        """The master has sent something."""
        stats = self._core.stats
        stats.input_bytes += len(data)
        stats.repl_input_bytes += len(data)
        if self._session is not None:
            self._take(self._session, data)
            return
        self._last_io = self._app.host.time()
        assert self._follower is not None
        self._do(self._follower.receive(data))

    def lost(self, error: Exception | None) -> None:
        """The connection has ended, and not because of us."""
        self._wire = None
        if self.state == "connected":
            self._app.log.write("notice", "Connection with master lost.")
            self._cache()
            self._app.log.write("notice", f"Reconnecting to MASTER {self.host}:{self.port}")
            self._connect()
        elif self.state == "sync":
            why = f"{error}" if error is not None else "connection lost"
            self._fail("warning", f"I/O error trying to sync with MASTER: {why}")
        else:
            self._fail("warning", f"Error condition on socket for SYNC: {error or 'connection lost'}")

    def _cache(self) -> None:
        """The link is gone; where we stand in the stream is kept."""
        self._app.log.write("notice", "Caching the disconnected master state.")
        self._disconnect()
        self._down_since = self._app.host.time()

    def _disconnect(self) -> None:
        """Leave the master, whatever the link is doing."""
        if self._session is not None:
            self._selected = self._session.db.index
            self._session.on_lost()
        self._session = self._applier = self._follower = None
        self._acknowledging.end()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._wire is not None:
            self._wire.leave()
            self._wire = None
        if self._intake is not None:
            self._intake.close()
            self._intake = None
        self._early.clear()
        self._held.drop()

    def _fail(self, level: str, text: str, pause: float = 0.0) -> None:
        """Something has gone wrong: say so, leave, and try again at the next look, or after a pause in seconds."""
        self._app.log.write(level, text)
        outcome, self._on_outcome = self._on_outcome, None
        was_up = self.connected
        self._disconnect()
        if was_up:
            self._down_since = self._app.host.time()
        if pause:
            self._not_before = self._core.host.ticks() + pause
        self._set_state("connect")
        if outcome is not None:
            outcome(False)

    def _give_up_history(self, text: str) -> None:
        """What has come cannot be had or applied: everything must come anew, and not too soon."""
        self.errors += 1
        self._failures += 1
        self.partial = False
        pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE) if self._failures > 1 else 0.0
        self._fail("warning", text, pause)

    # What is said

    def _do(self, actions: list[says.Action]) -> None:
        for action in actions:
            if self._follower is None:
                return  # an action before this one has ended the connection
            if isinstance(action, says.Send):
                self._send(action.data)
            elif isinstance(action, says.Say):
                self._app.log.write(action.level, action.text)
            elif isinstance(action, says.Ended):
                self._fail(action.level, action.text)
            elif isinstance(action, says.Stream):
                self._on_stream(action.data)
            else:
                self._on_sync(action)

    def _on_sync(self, action: says.Full | says.Begin | says.Piece | says.Whole | says.Continue) -> None:
        if isinstance(action, says.Piece):
            self._on_piece(action.data)
        elif isinstance(action, says.Full):
            self._full = (action.replid, action.offset)
            self._agreed()
            self._set_state("sync")
        elif isinstance(action, says.Begin):
            self._on_payload(action.size)
        elif isinstance(action, says.Whole):
            assert self._intake is not None and self._wire is not None
            self._wire.pause_reading()
            self._task = self._app.loop.create_task(self._load(self._intake))
        else:
            self._agreed()
            self._on_continue(action.replid.encode())

    def _agreed(self) -> None:
        outcome, self._on_outcome = self._on_outcome, None
        if outcome is not None:
            outcome(True)

    def _on_payload(self, size: int | None) -> None:
        settings = self._app.settings
        mode = settings["repl-diskless-load"]
        empty = not any(database.size for database in self._core.keyspace.databases)
        in_memory = mode == "swapdb" or (mode == "on-empty-db" and empty)
        where = "parser" if in_memory else "disk"
        what = "streamed RDB from master with EOF" if size is None else f"{size} bytes from master"
        self._app.log.write("notice", f"MASTER <-> REPLICA sync: receiving {what} to {where}")
        try:
            self._intake = Intake(self._app, size, in_memory)
        except OSError as error:
            self._fail(
                "warning",
                f"Opening the temp file needed for MASTER <-> REPLICA synchronization: {error.strerror or error}",
            )

    def _on_piece(self, data: bytes) -> None:
        assert self._intake is not None
        try:
            self._intake.take(data)
        except OSError as error:
            self._fail("warning", f"{NOT_KEPT}: {error.strerror or error}")

    async def _load(self, intake: Intake) -> None:
        """Load a payload that has come, and go on with the stream."""
        log = self._app.log
        log.write("notice", "MASTER <-> REPLICA sync: Loading DB in memory")
        try:
            steps = intake.load()
            next(steps, None)
            self.refresh()
            for _ in steps:
                await asyncio.sleep(0)
            self._install(intake)
        except BadData as error:
            self._task = None
            self._give_up_history(
                f"Failed trying to load the MASTER synchronization DB: {error.reason} at offset {error.offset}. The "
                "data set is as it was."
            )
        except NotKept as error:
            self._task = None
            self._fail("warning", f"{NOT_KEPT}: {error.strerror}")
        except Exception as error:
            self._task = None
            self._core.report_failure("loading what the master has sent", error)
            self._give_up_history(f"Failed trying to load the MASTER synchronization DB: {error}")
        else:
            self._task = None
            self._go_on_behind_payload()

    def _install(self, intake: Intake) -> None:
        """The data set becomes what the master has sent."""
        core, replication = self._core, self._replication
        core.clock.time = core.host.time()
        base = self._app.aof.adopt(intake.path)
        aux = intake.install()
        self._app.aof.begin_anew(base)
        replid, offset = self._full
        replication.history.adopt(replid.encode() or core.host.token(40), max(offset, 0))
        replication.restart_backlog()
        replication.drop_followers()
        self.partial = offset >= 0
        intake.close()
        self._intake = None
        database = aux.get(b"repl-stream-db", b"0")
        self._begin_stream(int(database) if database.isdigit() else 0)
        self._app.log.write("notice", "MASTER <-> REPLICA sync: Finished with success")

    def _on_continue(self, replid: bytes) -> None:
        """The stream goes on where we stand, maybe under another id: then our own followers must hear of it."""
        history = self._replication.history
        if replid != history.id:
            self._app.log.write("notice", f"Master replication ID changed to {replid.decode()}")
            history.rotate(replid)
            self._replication.drop_followers()
        self._begin_stream(self._selected)

    def _begin_stream(self, database: int) -> None:
        assert self._wire is not None
        self._session = session = MasterSession(self._core, self._wire, *self._wire.addresses())
        if 0 <= database < len(self._core.keyspace.databases):
            session.select(database)
        self._applier = Applier(self._core, session, self.acknowledge, self._unkept.tell)
        self._in_step_with = (self.host, self.port)
        self._set_state("connected")
        self._down_since = 0.0
        self._acknowledging.begin()
        self.acknowledge()

    def _go_on_behind_payload(self) -> None:
        """What has come of the stream while the payload was loaded, and then what comes."""
        early = b"".join(self._early)
        self._early.clear()
        if early and self._session is not None:
            self._take(self._session, early)
        if self._wire is not None:
            self._wire.resume_reading()

    # The stream

    def _on_stream(self, data: bytes) -> None:
        if self._session is None:
            self._early.append(data)
        else:
            self._take(self._session, data)

    def _take(self, session: MasterSession, data: bytes) -> None:
        """Apply something that has come, unless changes are paused."""
        if self._core.pause.mode or self._held.size:
            session.last_seen = self._app.host.time()
            self._held.keep(data, self._wire)
        else:
            self._apply(data)

    def _apply(self, data: bytes) -> None:
        assert self._applier is not None
        try:
            self._applier.receive(data)
            self._acknowledging.note()
        except Doomed:
            self._disconnect()  # the server ends
        except LinkBroken as broken:
            panic_where_wanted(self._app, broken)
            self._give_up_history(
                f"== CRITICAL == The stream of the master cannot be applied at offset {broken.offset}: "
                f"{broken.problem}. The link is dropped, and everything will be asked for anew."
            )
        except Exception as error:
            self._core.report_failure("applying the stream of the master", error)
            self._give_up_history(f"The stream of the master cannot be applied: {error}")
        else:
            self._failures = 0

    def acknowledge(self) -> None:
        """Tell the master how far we are."""
        if self.connected:
            self._acknowledging.tell()

    def _check(self) -> None:
        """Assert that state and connection agree."""
        assert (self.state == "none") == self._replication.leads
        assert self.connected == (self._session is not None) == (self._applier is not None)
        if self.connected:
            assert self._wire is not None and self._applier is not None
            self._applier._check()
