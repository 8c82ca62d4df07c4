"""Serving clients while a script does not let the event loop go on.

An event loop cannot be entered again from one of its own callbacks, and a script runs within one: the client's data
came, the command began. So the sockets are read here, past the loop: every ``poll`` looks which of them have data and
gives it to the sessions, as the loop would. The sessions answer, mostly that the server is busy, through the transports
as ever: those write at once (uvloop's because it is told that it may keep nothing). When the loop goes on it finds
sockets from which there is nothing more to read, which it takes as it takes any spurious wake-up. This needs nothing of
a loop but its transports, and so works with asyncio's and uvloop's.

Clients that come meanwhile are taken in, too: they are read and written here, and get a transport when the loop goes
on. Only the client whose script runs is not read from.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.server.listener import Connection

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

AT_ONCE = 64 * 1024
"""Bytes that are read of a client in one go."""
_NOT_NOW = (BlockingIOError, InterruptedError)


class Arrival:
    """The transport of a client that has come while a script runs, until it gets a true one."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.unsent = bytearray()
        self.ended = False

    def write(self, data: bytes) -> None:
        """Send what can be sent, and keep the rest."""
        if not self.unsent:
            with contextlib.suppress(*_NOT_NOW):
                sent = self.socket.send(data)
                data = data[sent:]
        self.unsent += data

    def get_write_buffer_size(self) -> int:
        """How much is kept."""
        return len(self.unsent)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As a transport's."""
        calls: dict[str, Callable[[], Any]] = {
            "socket": lambda: self.socket,
            "peername": self.socket.getpeername,
            "sockname": self.socket.getsockname,
        }
        return calls[name]() if name in calls else default

    def is_closing(self) -> bool:
        """Whether it has been closed."""
        return self.ended

    def set_write_buffer_limits(self, high: int | None = None) -> None:
        """It writes at once, whatever it is told."""

    def pause_reading(self) -> None:
        """It is read from by turns as it is."""

    resume_reading = pause_reading

    def close(self) -> None:
        """End it when it gets its true transport."""
        self.ended = True

    abort = close


class Successor(asyncio.Protocol):
    """Gives a connection that has come while a script ran its true transport."""

    def __init__(self, arrival: Arrival, connection: Connection) -> None:
        self._arrival = arrival
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over."""
        transport.set_protocol(self._connection)
        self._connection.go_on(transport, bytes(self._arrival.unsent))
        if self._arrival.ended:
            transport.close()


class Attendant:
    """Serves the clients of a server while a script runs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._poller: select.poll | None = None
        self._sessions: dict[int, Session] = {}
        self._listening: dict[int, socket.socket] = {}
        self._arrivals: list[tuple[Arrival, Connection]] = []

    def poll(self) -> None:
        """Serve what has come, and do not wait."""
        if self._poller is None:
            self._begin()
        assert self._poller is not None
        for descriptor, _ in self._poller.poll(0):
            if descriptor in self._listening:
                self._accept(self._listening[descriptor])
            else:
                self._read(descriptor)
        self._app.core.flush()
        self._app.outbox.flush()
        self._app.bursts.flush()

    def _begin(self) -> None:
        app = self._app
        self._poller = select.poll()
        for descriptor in app.listening_descriptors():
            listening = socket.socket(fileno=os.dup(descriptor))
            self._listening[listening.fileno()] = listening
            self._poller.register(listening.fileno(), select.POLLIN)
        busy = app.core.scripts.session if app.core.scripts is not None else None
        for session in app.core.sessions.values():
            if session is not busy and not session.closing:
                self._add(session)

    def _add(self, session: Session) -> None:
        descriptor = session.link.descriptor()
        if descriptor < 0:
            return
        self._sessions[descriptor] = session
        assert self._poller is not None
        self._poller.register(descriptor, select.POLLIN)
        if isinstance(session.link, Connection):
            session.link.write_at_once(True)

    def _read(self, descriptor: int) -> None:
        """Give a session what has come for it. The end of a connection is left to the loop."""
        session = self._sessions[descriptor]
        try:
            data = os.read(descriptor, AT_ONCE)
        except _NOT_NOW:
            return
        except OSError:
            data = b""
        if data:
            session.receive(data)
        if not data or session.closing:
            self._leave(descriptor)

    def _leave(self, descriptor: int) -> None:
        assert self._poller is not None
        self._poller.unregister(descriptor)
        del self._sessions[descriptor]

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        connection.setblocking(False)
        arrival = Arrival(connection)
        protocol = Connection(self._app, self._app.core)
        protocol.connection_made(arrival)  # type: ignore[arg-type]
        self._arrivals.append((arrival, protocol))
        if not arrival.ended:
            self._add(protocol.session)

    def end(self) -> None:
        """The loop goes on: leave the clients to it."""
        for session in self._sessions.values():
            if isinstance(session.link, Connection):
                session.link.write_at_once(False)
        arrivals, self._arrivals = self._arrivals, []
        for arrival, protocol in arrivals:
            self._app.run_soon(self._hand_over(arrival, protocol))
        self._poller = None
        self._sessions.clear()
        for listening in self._listening.values():
            listening.close()
        self._listening.clear()

    async def _hand_over(self, arrival: Arrival, protocol: Connection) -> None:
        """Let a client that has come meanwhile have a transport."""
        try:
            await self._app.loop.connect_accepted_socket(lambda: Successor(arrival, protocol), arrival.socket)
        except OSError:
            arrival.socket.close()
            protocol.connection_lost(None)
