"""The links of a sentinel to those whom it watches: one for commands, and one that listens to hellos.

A Link is a connection in the making, or made; its end is told once. Nothing waits for anything here: what is sent goes
out as it comes, and replies belong to what was sent before in its order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from pycache_server.sentinel.hello import CHANNEL
from pycache_server.sentinel.instance import Instance

CONNECT_TIMEOUT = 3.0
_NOTHING = object()


class Link(asyncio.Protocol):
    """One connection to an instance. ``login`` is sent first; ``on_up`` is called when it can be used, ``on_reply``
    with the tag and the reply of each command, ``on_hello`` with each text that was published, ``on_down`` at the
    end."""

    def __init__(
        self,
        instance: Instance,
        login: list[tuple[str, ...]],
        listening: bool,
        on_up: Callable[[Link], None],
        on_reply: Callable[[Link, str, Any], None],
        on_hello: Callable[[Link, str], None],
        on_down: Callable[[Link], None],
    ) -> None:
        self.instance = instance
        self.listening = listening
        self.local_host = ""
        self._login = login
        self._on_up, self._on_reply, self._on_hello, self._on_down = on_up, on_reply, on_hello, on_down
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._tags: deque[str] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, loop: asyncio.AbstractEventLoop, host: str, source: str = "") -> None:
        """Begin to connect, from an address where it matters."""
        self._task = loop.create_task(self._connect(loop, host, source))

    async def _connect(self, loop: asyncio.AbstractEventLoop, host: str, source: str) -> None:
        local = (source, 0) if source else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(lambda: self, host, self.instance.port, local_addr=local)
        except (OSError, TimeoutError, ValueError):
            self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._closed:
            self._transport.abort()
            return
        self.local_host = transport.get_extra_info("sockname")[0]
        for argv in self._login:
            self.send(argv, "")
        if self.listening:
            self.send(("SUBSCRIBE", CHANNEL), "")
        self._on_up(self)

    def send(self, argv: tuple[str, ...], tag: str) -> None:
        """Send a command whose reply will come with ``tag``."""
        if self._transport is None or self._closed:
            return
        self._tags.append(tag)
        self._transport.write(hiredis.pack_command(argv))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOTHING:
                self._take(reply)
        except hiredis.ProtocolError:
            self.close()

    def _take(self, reply: Any) -> None:
        if self.listening and isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message":
            self._on_hello(self, reply[2].decode("utf-8", "replace"))
            return
        tag = self._tags.popleft() if self._tags else ""
        if not self.listening:
            self._on_reply(self, tag, reply if tag == "info" else decoded(reply))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            if self._task is not None and self._transport is None:
                self._task.cancel()
            self._on_down(self)


def decoded(reply: Any) -> Any:
    """A reply with text in place of bytes."""
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "replace")
    return [decoded(each) for each in reply] if isinstance(reply, list) else reply
