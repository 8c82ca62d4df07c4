"""Taking in clients on uvloop, as many at once as there are.

libuv accepts one connection in each turn of its loop. While the clients that are in keep the server busy, a turn lasts
as long as the work that all of them have sent, so that the last of fifty clients that come together waits for fifty
turns: 100 ms where pipelines are deep, and longer the more there are. Redis takes up to a thousand in one turn, and
asyncio's own loop as many as the backlog holds; so do we on uvloop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

AT_ONCE = 1000
"""Most clients that are taken in before others are served again."""
PAUSE = 1.0
"""Seconds for which nobody is taken in when the process has no descriptors left."""
_TRY_LATER = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class Acceptor:
    """Accepts from one listening socket; what it has of asyncio.Server is ``sockets`` and ``close``.

    ``on_error`` hears what stands in the way of accepting.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        on_error: Callable[[OSError], None],
    ) -> None:
        self.sockets = [listening]
        self._loop = loop
        self._listening = listening
        self._make_protocol = make_protocol
        self._on_error = on_error
        self._arrivals: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def close(self) -> None:
        """Take nobody in any more."""
        self._loop.remove_reader(self._listening.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._listening.close()

    def _begin(self) -> None:
        self._timer = None
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except _TRY_LATER:
                return
            except OSError as error:
                self._on_error(error)
                self._loop.remove_reader(self._listening.fileno())
                self._timer = self._loop.call_later(PAUSE, self._begin)
                return
            connection.setblocking(False)
            arrival = self._loop.create_task(self._take_in(connection))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)

    async def _take_in(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError as error:  # the client has gone already
            connection.close()
            self._on_error(error)


async def open_sockets(loop: asyncio.AbstractEventLoop, host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listening sockets for all addresses of a host.

    Raises OSError.
    """
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(infos):
            listening = socket.socket(family, kind, protocol)
            opened.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
            listening.listen(backlog)
            listening.setblocking(False)
    except OSError:
        for listening in opened:
            listening.close()
        raise
    return opened
