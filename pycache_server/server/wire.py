"""The connection to a master: the asyncio.Protocol between a transport and the one who follows, and nothing else.

What comes is read into one buffer of BUFFER bytes, so that what is applied in one go is no more than that, and others
are served in between.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

BUFFER = 64 * 1024
"""Most bytes of one read."""


class Reader(Protocol):
    """Who follows."""

    def received(self, data: bytes) -> None:
        """The master has sent something."""

    def lost(self, error: Exception | None) -> None:
        """The connection has ended, and not because of us."""


class Wire(asyncio.BufferedProtocol):
    """The connection. It is the Link of the master's session."""

    def __init__(self, follow: Reader) -> None:
        self._follow: Reader | None = follow
        self._buffer = memoryview(bytearray(BUFFER))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._follow is not None:
            self._follow.received(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        follow, self._follow = self._follow, None
        self._transport = None
        if follow is not None:
            follow.lost(exc)

    def leave(self) -> None:
        """End it; nobody wants to hear of that."""
        self._follow = None
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        """Send to the master."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def addresses(self) -> tuple[str, str]:
        """Those of both ends."""
        transport = self._transport
        names = [transport.get_extra_info(name) if transport else None for name in ("peername", "sockname")]
        return tuple(_shown(name) for name in names)  # type: ignore[return-value]

    def connection(self) -> Any:
        """The socket."""
        return self._transport.get_extra_info("socket") if self._transport is not None else None

    # Link

    def write(self, data: bytes) -> None:
        """See session/host.py: a master gets no replies."""

    write_late = write

    def descriptor(self) -> int:
        """See session/host.py."""
        found = self.connection()
        return int(found.fileno()) if found is not None else -1

    def buffered(self) -> int:
        """See session/host.py."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def pause_reading(self) -> None:
        """See session/host.py."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See session/host.py."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """See session/host.py."""
        if self._transport is not None:
            self._transport.abort()

    close = abort


def _shown(name: Any) -> str:
    if not name:
        return "?:0"
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
