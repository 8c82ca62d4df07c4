"""A network that can be cut without any rights: every server listens at an address of its own (127.0.1.n), announces
another (127.0.2.n), and there a proxy stands, which knows by the address from which somebody comes who that is.

What is cut is held, not refused: bytes wait until the network heals, and so does who connects, as with packets that are
sent again. Unlike on a real network a connection itself seems to be made while it is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from bench.ha.network import CONNECT_TIMEOUT, Place, connected

Way = tuple[str, str]


class Proxied:
    """A place behind proxies."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.bind = f"127.0.1.{number}"
        self.host = f"127.0.2.{number}"

    def command(self, argv: list[str]) -> list[str]:
        """See Place."""
        return argv

    def connect(self, address: tuple[str, int], timeout: float = CONNECT_TIMEOUT) -> socket.socket:
        """See Place."""
        made = socket.socket()
        try:
            made.bind((self.bind, 0))
        except BaseException:
            made.close()
            raise
        return connected(made, address, timeout)


class Proxies:
    """See the module. The proxies have a thread and an event loop of their own."""

    name = "proxies"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._places = 0
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._cuts: set[Way] = set()
        self._healed: asyncio.Event = self._do(_event())

    def place(self, name: str) -> Proxied:
        """See Network."""
        self._places += 1
        return Proxied(name, self._places)

    def announce(self, place: Place, port: int) -> int:
        """See Network."""

        async def serve() -> None:
            async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._tasks.add(task)
                try:
                    await self._join(reader, writer, place.bind, port)
                finally:
                    self._tasks.discard(task)

            self._servers.append(await asyncio.start_server(come, place.host, port))

        self._do(serve())
        return port

    def cut(self, *ways: tuple[Place, Place]) -> None:
        """See Network."""
        cuts = {(one.bind, other.bind) for one, other in ways}
        self._loop.call_soon_threadsafe(self._cuts.update, cuts)

    def heal(self) -> None:
        """See Network."""

        def mend() -> None:
            self._cuts.clear()
            self._healed.set()
            self._healed.clear()

        self._loop.call_soon_threadsafe(mend)

    def close(self) -> None:
        """See Network."""

        async def end() -> None:
            for server in self._servers:
                server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # One connection

    async def _pass(self, *ways: Way) -> None:
        """Wait until nothing of this is cut."""
        while self._cuts.intersection(ways):
            await self._healed.wait()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        peer = writer.get_extra_info("peername")[0]
        there, back = (peer, host), (host, peer)
        try:
            await self._pass(there, back)
            inner, outer = await asyncio.open_connection(host, port, local_addr=(peer, 0))
        except OSError:
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        try:
            await asyncio.gather(self._carry(reader, outer, there), self._carry(inner, writer, back))
        finally:
            writer.transport.abort()
            outer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        """Carry what goes one way, to its end."""
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._pass(way)
                writer.write(data)
                await writer.drain()
        await self._pass(way)
        writer.close()


async def _event() -> asyncio.Event:
    return asyncio.Event()
