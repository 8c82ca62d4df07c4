"""Servers in a program.

``Server`` runs on the program's own event loop::

    async with Server(port=0) as server:
        client = redis.asyncio.Redis(port=server.port)

``ThreadedServer`` runs in a thread of its own, for programs that have no event loop, tests above all::

    with ThreadedServer() as server:
        client = redis.Redis(port=server.port)

Any directive of redis.conf is a keyword argument, with underscores for hyphens: ``maxmemory="100mb"``. Several servers
in one process do not disturb each other: each has its own keyspace, clients, settings and statistics. An embedded
server leaves signals, garbage collection, the working directory and the standard output to the program.

Where ``dir``, ``dbfilename`` or ``save`` is given, the server loads that file before it is there for the program (a
``dump.rdb`` that happens to lie around is left alone otherwise), and with save points it writes it when it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from pycache_server.server.app import App
from pycache_server.server.group.window import open_window
from pycache_server.server.log import Log
from pycache_server.settings.config import Settings, arguments_to_text

START_TIMEOUT = 30.0
_PERSISTENT = {"dir", "dbfilename", "save"}
"""Options by which a program says that it wants a file."""


def _settings(port: int, options: dict[str, object]) -> Settings:
    """The settings that keyword arguments stand for."""
    settings = Settings()
    settings.load("bind 127.0.0.1 -::1")
    arguments: list[str] = ["--port", str(port)]
    for name, value in options.items():
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        arguments += [f"--{name.replace('_', '-')}", text]
    settings.load(arguments_to_text(arguments), "keyword arguments")
    return settings


class Server:
    """A server on the running event loop.

    ``port`` 0 takes a free one. ``log`` is a path, empty for no log at all; ``manage_gc`` lets the server take care of
    the process's garbage collection, which keeps its pauses short (server/gc.py).

    Raises settings.ConfigError for an option that cannot be, and OSError where the port cannot be opened; ``start``
    raises plugins.LoadError where the commands of others cannot be loaded, and loads.CannotLoad where the data set
    cannot be.
    """

    def __init__(self, port: int = 0, *, log: str = "", manage_gc: bool = False, **options: object) -> None:
        self._settings = _settings(port, options)
        self._log = Log(self._settings["loglevel"], log, self._settings["log-format"], quiet=not log)
        self._manage_gc = manage_gc
        self._persists = not _PERSISTENT.isdisjoint(options)
        self._app: App | None = None
        self._stop = asyncio.Event()

    @property
    def app(self) -> App:
        """The running server, for a look inside."""
        if self._app is None:
            raise RuntimeError("the server is not running")
        return self._app

    @property
    def host(self) -> str:
        """The address that clients on this machine use."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.app.port

    @property
    def url(self) -> str:
        """What redis-py's ``from_url`` takes."""
        return f"redis://{self.host}:{self.port}/0"

    async def start(self) -> None:
        """Open the port and begin."""
        loop = asyncio.get_running_loop()
        name = "uvloop" if type(loop).__module__.startswith("uvloop") else "asyncio"
        app = App(self._settings, self._log, owns_process=self._manage_gc, loop_name=name, embedded=True)
        await app.start(load=self._persists)
        app.stop_requested = self._stop.set
        try:
            await app.load()
            await open_window(app)
        except BaseException:
            await app.stop()
            raise
        self._app = app

    async def stop(self) -> None:
        """Close everything."""
        if self._app is not None:
            if not self._app.is_saved:
                self._app.shut_down({"force"})
            await self._app.stop()
            self._app = None
            self._log.close()

    async def wait_stopped(self) -> None:
        """Wait until a client sends SHUTDOWN."""
        await self._stop.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class ThreadedServer:
    """A server in a thread of its own, with the options of Server."""

    def __init__(self, port: int = 0, **options: object) -> None:
        self._port = port
        self._options = options
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def host(self) -> str:
        """The address that clients on this machine use."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The TCP port."""
        if self._server is None:
            raise RuntimeError("the server is not running")
        return self._server.port

    @property
    def url(self) -> str:
        """What redis-py's ``from_url`` takes."""
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start the thread, and wait until the server answers.

        Raises what Server raises.
        """
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="pycache-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT):
            raise TimeoutError("the server did not start")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = Server(self._port, **self._options)  # type: ignore[arg-type]
        self._finish = asyncio.Event()
        await server.start()
        self._server = server
        self._ready.set()
        stopping = [asyncio.ensure_future(self._finish.wait()), asyncio.ensure_future(server.wait_stopped())]
        try:
            await asyncio.wait(stopping, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in stopping:
                task.cancel()
            await server.stop()

    def stop(self) -> None:
        """Stop the server and its thread."""
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # a client has ended the server, and the thread is about to
                self._loop.call_soon_threadsafe(self._finish.set)
            self._thread.join()
        self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
