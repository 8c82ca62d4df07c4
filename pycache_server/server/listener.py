"""Connections: the asyncio.Protocol between a transport and a session, and nothing else.

The transport calls the session's ``receive`` directly, and the session writes to the transport or to the connection's
burst (bursts.py), by way of a line of the outbox while there is one in force (outbox.py). Here is what happens around
that: who may come in, keep-alive, the client that does not read, and the end.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from pycache_server.server.bursts import Burst, send_nowhere
from pycache_server.session.core import Core
from pycache_server.session.session import Session

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.server.outbox import Line

_TOO_MANY = b"-ERR max number of clients reached\r\n"
_PROTECTED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface. To connect from other "
    b"hosts, set a password (requirepass), or, if the network is safe, turn it off with 'CONFIG SET protected-mode "
    b"no' from the server's own host or 'protected-mode no' in its configuration.\r\n"
)


_TRANSPORT = 1
_LINE = 2


class Connection(asyncio.Protocol):
    """One client's connection. It is its session's Link."""

    __slots__ = ("_app", "_burst", "_line", "_stuck", "_transport", "data_received", "session", "write", "write_late")

    def __init__(self, app: App, core: Core) -> None:
        self._app = app
        self._transport: asyncio.Transport | None = None
        self._burst = Burst(app.bursts)
        self._line: Line | None = None
        self._stuck = 0  # why the client may not execute anything: bits of _TRANSPORT and _LINE
        self.write: Callable[[bytes], object] = send_nowhere
        self.write_late: Callable[[bytes], object] = send_nowhere
        self.session = session = Session(core, self)
        self.data_received = session.receive  # type: ignore[method-assign]  # no frame between transport and session

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = connected = cast("asyncio.Transport", transport)
        self.bind()
        session = self.session
        family = _family(connected)
        session.unix = family == "unix"
        session.address, session.local_address = _addresses(connected, session.unix, self._app.socket_path)
        refusal = self._refusal()
        if refusal is not None:
            if session.unix or not self._app.reserve.is_open:
                self.refuse(refusal)
                return
            self._app.reserve.admit(self, refusal)
        if not session.unix:
            keep_alive(connected.get_extra_info("socket"), self._app.settings["tcp-keepalive"])
        self._app.log.write("verbose", f"Accepted {session.address}")

    def refuse(self, refusal: bytes) -> None:
        """Tell a client that it may not come in; it is told at once, whatever replies wait for."""
        session = self.session
        session.core.stats.rejected_connections += 1
        session.closing = True
        if self._transport is not None:
            self._burst.flush()
            self._transport.write(refusal)
            self._transport.close()

    def _refusal(self) -> bytes | None:
        """What to tell a client that may not come in."""
        core, settings = self.session.core, self._app.settings
        if len(core.sessions) - self._app.reserve.count > settings["maxclients"]:
            return _TOO_MANY
        if (
            settings["protected-mode"]
            and core.access.users.default.no_password
            and not self.session.unix
            and not self._is_local()
        ):
            self._app.log.write("verbose", f"Denied connection from {self.session.address}: protected mode")
            return _PROTECTED
        return None

    def _is_local(self) -> bool:
        host = self.session.address.rpartition(":")[0].strip("[]")
        return host.startswith(("127.", "::ffff:127.")) or host == "::1"

    def connection_lost(self, exc: Exception | None) -> None:
        session = self.session
        if self._transport is not None:
            self._app.log.write("verbose", f"Client closed connection {session.address}")
        if session.on_trial is not None:
            self._app.reserve.forget(session)
        session.on_lost()
        self.write = self.write_late = self.data_received = send_nowhere  # type: ignore[method-assign]
        self._transport = None
        self._burst.end()
        if self._line is not None:
            self._line.drop()
            self._line = None

    def eof_received(self) -> bool:
        """Whether the connection is to stay half open: there is something to be sent that is held."""
        self._burst.flush()
        if self._line is None or not self._line.held:
            return False
        self._line.ending = True
        return True

    def pause_writing(self) -> None:
        self._stick(_TRANSPORT)

    def resume_writing(self) -> None:
        self._loosen(_TRANSPORT)

    def _stick(self, why: int) -> None:
        before, self._stuck = self._stuck, self._stuck | why
        if not before:
            self.session.on_congestion()

    def _loosen(self, why: int) -> None:
        before, self._stuck = self._stuck, self._stuck & ~why
        if before and not self._stuck:
            self.session.on_relief()

    # The outbox

    def bind(self) -> None:
        """Write to the transport and the burst, or by way of the outbox while there is one in force. What was held goes
        out when the outbox ends."""
        if self._transport is None:
            return
        burst = self._burst
        if self._app.outbox.active:
            burst.begin(self._transport, None)
            if self._line is None:
                self._line = self._app.outbox.line(self, burst.write, burst.write_late)
            self.write, self.write_late = self._line.write, self._line.write_late
        else:
            self._line = None
            burst.begin(self._transport, self)
            self.write_late = burst.write_late

    @property
    def line(self) -> Line | None:
        """The line of the outbox, while there is one in force."""
        return self._line

    def on_full(self) -> None:
        """See outbox.py."""
        self._stick(_LINE)

    def on_room(self) -> None:
        """See outbox.py."""
        self._loosen(_LINE)

    def on_end(self) -> None:
        """See outbox.py."""
        if self._transport is not None:
            self._burst.flush()
            self._transport.close()

    def go_on(self, transport: asyncio.BaseTransport, unsent: bytes) -> None:
        """Continue by another transport; ``unsent`` is what the old one has left."""
        self._transport = connected = cast("asyncio.Transport", transport)
        if unsent:
            connected.write(unsent)
        self.bind()

    def release(self) -> asyncio.Transport:
        """Give the transport to another protocol: the session ends, the connection goes on as something else."""
        transport = self._transport
        assert transport is not None
        self._burst.flush()
        self._transport = None
        self.connection_lost(None)
        return transport

    def write_at_once(self, wanted: bool) -> None:
        """Let the transport try to send whatever it is given in the same moment, or when it likes to."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_write_buffer_limits(high=0 if wanted else None)

    # Link

    def buffered(self) -> int:
        """See session/host.py."""
        if self._transport is None:
            return 0
        held = self._line.size if self._line is not None else 0
        return self._transport.get_write_buffer_size() + self._burst.buffered() + held

    def descriptor(self) -> int:
        """See session/host.py."""
        found = self._transport.get_extra_info("socket") if self._transport is not None else None
        return int(found.fileno()) if found is not None else -1

    def pause_reading(self) -> None:
        """See session/host.py."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See session/host.py."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """See session/host.py."""
        if self._line is not None and self._line.held:
            self._line.ending = True
            self.pause_reading()
        else:
            self.on_end()

    def abort(self) -> None:
        """See session/host.py. What is held is never sent."""
        if self._line is not None:
            self._line.drop()
        self._burst.drop()
        if self._transport is not None:
            self._transport.abort()


def _family(transport: asyncio.Transport) -> str:
    found = transport.get_extra_info("socket")
    return "unix" if found is not None and found.family == getattr(socket, "AF_UNIX", None) else "tcp"


def _addresses(transport: asyncio.Transport, unix: bool, path: str) -> tuple[str, str]:
    """The addresses of client and server as Redis writes them."""
    if unix:
        return f"{path}:0", f"{path}:0"
    return _address(transport.get_extra_info("peername")), _address(transport.get_extra_info("sockname"))


def _address(name: Any) -> str:
    if not name:
        return "?:0"
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def keep_alive(connection: Any, seconds: int) -> None:
    """Let the system notice within about three times ``seconds`` that a peer has gone; 0 leaves it alone."""
    if connection is None or not seconds:
        return
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", max(1, seconds // 3)), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        pass  # the peer has gone already
