"""One server, wired: settings, log, core, listeners, upkeep, cron. What it is made of, and its life and death.

The order of a start: settings are there, the core is made, settings are applied to it, the listeners open, cron begins,
the data set is loaded. The order of an end: it is saved, listeners close, clients get what was written to them,
everything stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from pathlib import Path
from typing import Any, NoReturn

from pycache_server import REDIS_VERSION, __version__
from pycache_server.commands.extensions import installed_modules, load_commands
from pycache_server.commands.registry import Command
from pycache_server.repl.follower import ID_SIZE
from pycache_server.server import apply
from pycache_server.server.acceptor import Acceptor, open_sockets
from pycache_server.server.aclfile import load_users
from pycache_server.server.aof import AppendOnly
from pycache_server.server.apply import CannotListen
from pycache_server.server.attend import Attendant
from pycache_server.server.bursts import Bursts
from pycache_server.server.cron import Cron
from pycache_server.server.ending import Doomed, Ending
from pycache_server.server.follow import Follow
from pycache_server.server.gc import Collector
from pycache_server.server.group.group import Group
from pycache_server.server.host import RealHost
from pycache_server.server.listener import Connection
from pycache_server.server.loads import Loads
from pycache_server.server.log import Log
from pycache_server.server.memory import MemoryGauge
from pycache_server.server.migrate import Migrations
from pycache_server.server.oom import OomScore
from pycache_server.server.outbox import Outbox
from pycache_server.server.pages import HugePages
from pycache_server.server.replicate import Deliveries
from pycache_server.server.reserve import Reserve
from pycache_server.server.saves import Saves
from pycache_server.server.setup import make_core
from pycache_server.server.snapshots import Snapshots
from pycache_server.server.spare import SpareMemory
from pycache_server.server.upkeep import Upkeep
from pycache_server.server.worker import Worker
from pycache_server.settings.config import Settings
from pycache_server.store.buckets import make_known
from pycache_server.store.memory import weigh_all

DRAIN_TIMEOUT = 2.0
"""Seconds that clients get at the end to read what was written to them."""
_TURNS_TO_ARRIVE = 3
"""Turns of the event loop until who was accepted is a session, which can be closed."""

LOGO = (
    r"   .-------.  ",
    r"  / k -> v /| ",
    r" /-------/ |  ",
    r" |_______|/   ",
)
"""What always-show-logo draws, beside as many facts."""


class App:
    """A server on a running event loop. ``commands`` are those that it has where these are not all.

    ``owns_process`` says that the process is ours alone: the server then takes care of garbage collection.

    Raises LoadError where the commands of others cannot be loaded.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        config_file: str = "",
        owns_process: bool = False,
        loop_name: str = "asyncio",
        embedded: bool = False,
        commands: Iterable[Command] | None = None,
    ) -> None:
        self.settings = settings
        self.log = log
        self.config_file = config_file
        self.loop_name = loop_name
        self.mode = "standalone"
        """What INFO calls ``redis_mode``."""
        self.started_at = time.time()
        self.collector: Collector | None = Collector(self._make_known) if owns_process else None
        self.socket_path: str = settings["unixsocket"]
        self.stop_requested: Callable[[], None] = lambda: None
        """What SHUTDOWN and signals call; set by whoever waits for the end."""
        self.loop = asyncio.get_running_loop()
        self.pages: HugePages | None = None
        if owns_process:
            self.pages = HugePages(submit=Worker("huge-pages", self.loop.call_soon_threadsafe).submit)
        self.host = RealHost(self.loop, log)
        added = load_commands([*installed_modules(), *settings["load-commands"]])
        self.core = make_core(self.host, settings["databases"], settings.renamed, added, commands)
        self.core.owner = self
        weigh_all(self.core.shape.surroundings)
        self.run_id = self.host.token(40).decode()
        self.memory = MemoryGauge(self.core.keyspace, self.core.shape)
        self.bursts = Bursts(self.core.clock, self.host.defer, self.core.report_failure)
        self.upkeep = Upkeep(self.core, self.loop, self.memory.step, self.bursts.flush)
        self.spare = SpareMemory(self.upkeep.tidier, self.collector) if self.collector is not None else None
        self.snapshots = Snapshots(self)
        self.saves = Saves(self)
        self.outbox = Outbox(self.core.feed, self.host.defer, self._bind_connections)
        self.aof = AppendOnly(self, self.die)
        self.loads = Loads(self)
        self.core.keyspace.on_flushed = self.saves.flushed
        self.cron = Cron(self, self.core, self.loop)
        attendant = Attendant(self)
        self.host.attend, self.host.attend_no_more = attendant.poll, attendant.end
        self.embedded = embedded
        """Whether the process belongs to another program: then port 0 is one of the system's choice."""
        self.ending = Ending(self)
        self.tasks: set[asyncio.Task[None]] = set()
        self.migrations = Migrations(self.core)
        self.follow = Follow(self)
        self.oom = OomScore(self)
        self.deliveries = Deliveries(self)
        replication = self.core.replication
        replication.leading.snapshots, replication.leading.on_tick = self.deliveries, self.deliveries.tick
        replication.follow, replication.unfollow = self.follow.follow, self.follow.lead
        self.group: Group | None = None
        """The group of which this server is a voter, if there is one; made when the port is known."""
        self.reserve = Reserve(self)
        self.window_clients: int | None = None
        """How many clients its window may have, where that is known to be fewer than maxclients."""
        self.window: App | None = None
        """What answers the clients of sentinels for the group."""
        self.relisten_values: dict[str, Any] = {name: settings.values[name] for name in apply.RELISTEN}
        """``bind`` and ``port`` as they are in force."""
        self._listeners: list[asyncio.Server | Acceptor] = []
        self._unix_listener: asyncio.Server | None = None
        self.is_saved = False
        """Whether the data set has been saved for the last time, or shall not be."""
        self._stopped = False

    # Life

    async def start(self, load: bool = True) -> None:
        """Apply the settings, open the listeners, begin. Clients are told to wait for the data set, if there is one to
        ``load``.

        Raises CannotListen, and apply.CannotApply for a setting or users that cannot be had.
        """
        if not self.embedded:
            self.loop.set_exception_handler(self._on_loop_exception)
        apply.check_renames(self)
        apply.apply_all(self)
        load_users(self)
        if self.settings["appendonly"] or (load and self.loads.wanted()):
            self.core.become_loading("sync")
        await self._listen_unix()
        await self.listen()
        if self.settings["group-voters"]:
            self._join_group()
        if self.collector is not None:
            self.core.keyspace.on_table = make_known
            self.collector.start()
        self.cron.start()
        self.core.keyspace.wake()
        if not self.core.loading:
            self._begin_following()

    def _join_group(self) -> None:
        """Be a voter.

        Raises CannotApply.
        """
        if self.settings["replicaof"]:
            raise apply.CannotApply(
                "replicaof and group-voters exclude each other: a voter follows whom it has elected"
            )
        if not self.settings["group-secret"]:
            raise apply.CannotApply("group-voters needs a group-secret, the same for all voters")
        try:
            self.group = Group(self)
        except ValueError as problem:
            raise apply.CannotApply(str(problem)) from None
        self.reserve.is_open = True
        self.core.become_loading("sync")

    def _begin_following(self) -> None:
        """Follow the configured master, from where the RDB file stands in its stream that was loaded, if one was. Who
        leads without any data watches for replicas that have some."""
        if self.settings["replicaof"]:
            if not self.settings["appendonly"]:
                self.follow.recall(self.loads.last_aux)
            host, port = self.settings["replicaof"]
            self.follow.begin(host, int(port))
        elif self.settings["min-boot-history"] and not any(each.size for each in self.core.keyspace.databases):
            self.core.replication.empty_start.watch(self.settings["repl-timeout"])

    async def load(self) -> None:
        """Load the data set, if there is one: what follows ``start``.

        Raises loads.CannotLoad.
        """
        waits = bool(self.core.loading)
        if self.group is not None:
            await self.group.load()
            self.core.become_loading("")
            return
        if self.settings["appendonly"]:
            await self.aof.load_at_start()
        else:
            self.aof.stay_off()
            if self.core.loading:
                await self.loads.load_at_start()
            if not self.settings["replicaof"]:
                self._recall_history(self.loads.last_aux)
        if waits:
            self._begin_following()

    def _recall_history(self, aux: dict[bytes, bytes]) -> None:
        """Let those go on who have followed the data set that was loaded, if it tells where in which history it is."""
        replication_id, offset = aux.get(b"repl-id", b""), aux.get(b"repl-offset", b"")
        if len(replication_id) == ID_SIZE and offset.isdigit():
            self.core.replication.recall(replication_id, int(offset))

    def _make_known(self) -> None:
        for database in self.core.keyspace.databases:
            make_known(database.buckets)

    def shut_down(self, options: Collection[str] = ()) -> bool:
        """Let the server end, after the data set has been saved: where there are save points, or ``save`` is among the
        options, and ``nosave`` is not. Whether it ends: where saving fails, it does with ``force`` alone."""
        save = "save" in options or (bool(self.settings["save"]) and "nosave" not in options)
        if not self.aof.may_end("force" in options or "nosave" in options):
            return False
        if not self.saves.last(save and not self.core.loading, "force" in options):
            return False
        if self.group is not None:
            self.group.shut_down()
        self.is_saved = True
        self.stop_requested()
        return True

    async def stop(self) -> None:
        """Close everything; clients get what was written to them."""
        if self._stopped:
            return
        self._stopped = True
        self.cron.stop()
        self.snapshots.abort()
        self.upkeep.stop()
        self.migrations.close()
        self.follow.stop()
        if self.group is not None:
            await self.group.coordinator.stop()
            self.group.stop()
        if self.window is not None:
            await self.window.stop()
        await self._stop_accepting()
        await self.close_listeners()
        if self.group is None:
            self.core.replication.leading.flush()  # what was gathered
        for session in list(self.core.sessions.values()):
            session.close()
        deadline = self.loop.time() + DRAIN_TIMEOUT
        while self.core.sessions and self.loop.time() < deadline:
            await asyncio.sleep(0.005)
        for session in list(self.core.sessions.values()):
            session.abort()
        await asyncio.sleep(0)
        self.aof.disable()
        if self._unix_listener is not None:
            self._unix_listener.close()
            with contextlib.suppress(OSError):
                Path(self.socket_path).unlink()
        if self.collector is not None:
            self.collector.stop()

    def die(self, problem: str) -> NoReturn:
        """End at once, because nobody can be told the truth any more: clients are cut off without their replies."""
        self.log.write("warning", problem)
        for session in list(self.core.sessions.values()):
            session.abort()
        if not self.embedded:
            os._exit(1)
        self.stop_requested()
        raise Doomed(problem)

    def _bind_connections(self) -> None:
        """The outbox is in force, or is no more."""
        for session in list(self.core.sessions.values()):
            if isinstance(session.link, Connection):
                session.link.bind()

    @property
    def home(self) -> App:
        """The server that has the users and their file: this one, unless it shares those of another."""
        return self

    # Listeners

    @property
    def port(self) -> int:
        """The TCP port; the one that the system chose where the setting is 0 and a port was asked for."""
        for listener in self._listeners:
            for opened in listener.sockets:
                return int(opened.getsockname()[1])
        return int(self.settings["port"])

    async def listen(self) -> None:
        """Open the TCP listeners for ``bind`` and ``port``, in place of those that are open. Port 0 opens none, as in
        Redis; in an embedding program it opens one of the system's choice.

        Raises CannotListen; then everything is as it was.
        """
        present = self.relisten_values
        in_the_way = bool(self._listeners) and self.settings["port"] == present["port"]
        if in_the_way:
            await self.close_listeners()
        try:
            opened = await self._open_listeners(self.settings["bind"], self.settings["port"])
        except CannotListen:
            if in_the_way:
                self._listeners = await self._open_listeners(present["bind"], present["port"])
            raise
        await self.close_listeners()
        self._listeners = opened

    async def _open_listeners(self, addresses: list[str], port: int) -> list[asyncio.Server | Acceptor]:
        """Listeners for all addresses, or for none.

        Raises CannotListen.
        """
        opened: list[asyncio.Server | Acceptor] = []
        try:
            for address in addresses if port or self.embedded else ():
                opened += await self._listen_at(address, opened[0].sockets[0].getsockname()[1] if opened else port)
        except CannotListen:
            for listener in opened:
                listener.close()
            raise
        return opened

    async def _listen_at(self, address: str, port: int) -> list[asyncio.Server | Acceptor]:
        """The listeners for one address of ``bind``: ``*`` is all of IPv4, ``-`` in front means that it may fail."""
        optional = address.startswith("-")
        host = address.removeprefix("-")
        host = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
        try:
            if self.loop_name == "uvloop":
                found = await open_sockets(self.loop, host, port, self.settings["tcp-backlog"])
                return [Acceptor(self.loop, each, self._connection, self._on_accept_error) for each in found]
            listener = await self.loop.create_server(
                self._connection,
                host,
                port,
                backlog=self.settings["tcp-backlog"],
                reuse_address=os.name == "posix",
            )
        except OSError as error:
            problem = f"Could not create server TCP listening socket {host}:{port}: {error.strerror or error}"
            self.log.write("verbose" if optional else "warning", problem)
            if optional:
                return []
            raise CannotListen(problem) from error
        return [listener]

    def _connection(self) -> Connection:
        return Connection(self, self.core)

    def listening_descriptors(self) -> list[int]:
        """The file descriptors of all sockets that clients can connect to."""
        unix = [] if self._unix_listener is None else [self._unix_listener]
        return [each.fileno() for listener in (*self._listeners, *unix) for each in listener.sockets]

    def run_soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine run when the loop goes on."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _stop_accepting(self) -> None:
        """Accept nobody any more, and wait until who was accepted is a session: asyncio forgets to close a connection
        that it accepted in the turn in which its server was closed."""
        for listener in (*self._listeners, self._unix_listener):
            if isinstance(listener, asyncio.Server):
                for listening in listener.sockets:
                    with contextlib.suppress(NotImplementedError):  # Windows
                        self.loop.remove_reader(listening.fileno())
        for _ in range(_TURNS_TO_ARRIVE):
            await asyncio.sleep(0)

    async def close_listeners(self) -> None:
        """Close the TCP listeners; connections stay."""
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    async def _listen_unix(self) -> None:
        if not self.socket_path:
            return
        if not hasattr(self.loop, "create_unix_server"):
            raise CannotListen("this system has no unix sockets")
        with contextlib.suppress(OSError):
            Path(self.socket_path).unlink()
        try:
            self._unix_listener = await self.loop.create_unix_server(
                self._connection, self.socket_path, backlog=self.settings["tcp-backlog"]
            )
            if self.settings["unixsocketperm"]:
                Path(self.socket_path).chmod(self.settings["unixsocketperm"])
        except OSError as error:
            raise CannotListen(f"Failed opening Unix socket: bind: {error.strerror or error}") from error

    # Reports

    def listeners(self) -> list[str]:
        """What is listened to, in the words of INFO."""
        found = []
        if self._listeners:
            addresses = "".join(f"bind={address}," for address in self.settings["bind"])
            found.append(f"name=tcp,{addresses}port={self.port}")
        if self._unix_listener is not None:
            found.append(f"name=unix,bind={self.socket_path}")
        return found

    def announce(self) -> None:
        """Tell the log what has started."""
        write = self.log.write
        write("notice", "oO0OoO0OoO0Oo Pycache is starting oO0OoO0OoO0Oo")
        write(
            "notice",
            f"Pycache version={__version__}, answering as Redis {REDIS_VERSION}, event loop {self.loop_name}, "
            f"pid={os.getpid()}, just started",
        )
        if self.config_file:
            write("notice", "Configuration loaded")
        else:
            write("warning", "Warning: no config file specified, using the default config.")
        facts = [f"Pycache {__version__}", "Running in standalone mode", f"Port: {self.settings['port']}"]
        if self.settings["always-show-logo"]:
            for picture, fact in zip(LOGO, [*facts, f"PID: {os.getpid()}"], strict=True):
                write("notice", f"{picture} {fact}")
        else:
            write("notice", f"Running mode=standalone, port={self.settings['port']}.")
        apply.tell_idle(self, self.settings.idle)

    def announce_ready(self) -> None:
        """Tell the log that clients are welcome."""
        where = f"port {self.port}" if self._listeners else "no TCP port"
        self.log.write("notice", f"Server initialized: {where}, unix socket {self.socket_path or 'none'}")
        self.log.write("notice", "Ready to accept connections")

    def _on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Something failed that no one waits for: accepting a connection without a free descriptor, for one."""
        error = context.get("exception")
        if isinstance(error, OSError) and "accept" in str(context.get("message", "")):
            self._on_accept_error(error)
            return
        if isinstance(error, BaseException):
            self.core.report_failure(str(context.get("message", "event loop")), error)
        else:
            self.log.write("warning", str(context.get("message")))

    def _on_accept_error(self, error: OSError) -> None:
        self.log.write("warning", f"Error accepting a client connection: {error.strerror or error}")
