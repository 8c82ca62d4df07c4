"""A TCP proxy on the loopback interface that does to a connection what networks do: it cuts, stalls, splits packets.

It runs in a thread of its own. ``pieces`` lets everything travel in pieces of so many bytes at most; ``stall`` and
``go_on`` stop and restart what travels; ``cut`` ends the connections that there are, ``cut_after`` in the midst of what
the target sends, ``refuse`` lets nobody through, and ``close`` ends the proxy.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

_READ = 1 << 16


class Proxy:
    """Connections to ``port`` by way of another."""

    def __init__(self, port: int, pieces: int = _READ) -> None:
        self.target = port
        """Where new connections lead."""
        self.pieces = pieces
        self.stalled = False
        self.refuses = False
        """Whether new connections are ended at once."""
        self.accepted = 0
        """How many connections have come."""
        self.carried = 0
        """Bytes from the target to those that have connected."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._upstream: set[socket.socket] = set()  # the ends at the target
        self._lock = threading.Lock()
        self._cut_after: int | None = None
        self._ends = False
        self._bell, self._ear = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stall(self) -> None:
        """Let nothing travel."""
        self.stalled = True
        self._ring()

    def go_on(self) -> None:
        """Let everything travel again."""
        self.stalled = False
        self._ring()

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            for each in list(self._pairs):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int | None) -> None:
        """End a connection when the target has sent so many more bytes; None lets all pass."""
        self._cut_after = size

    def refuse(self, refuses: bool) -> None:
        """Let nobody through, and end what there is; or let them through again."""
        self.refuses = refuses
        if refuses:
            self.cut()

    def close(self) -> None:
        """End everything."""
        self._ends = True
        self._ring()
        self._thread.join(10)
        self.cut()
        with self._lock:
            for each in (*self._pairs, self._listener, self._bell, self._ear):
                each.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._bell.send(b"x")

    def _run(self) -> None:
        while not self._ends:
            for key, _ in self._selector.select(0.02 if self.stalled else None):
                if key.fileobj is self._ear:
                    self._ear.recv(_READ)
                elif key.fileobj is self._listener:
                    self._accept()
                elif not self.stalled and isinstance(key.fileobj, socket.socket):
                    self._carry(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        try:
            if self.refuses:
                raise OSError
            target = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            client.close()
            return
        with self._lock:
            for one, other in ((client, target), (target, client)):
                one.settimeout(10)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)
            self._upstream.add(target)

    def _carry(self, source: socket.socket) -> None:
        target = self._pairs.get(source)
        if target is None:
            return
        try:
            data = source.recv(self.pieces)
            if source in self._upstream:
                data = self._counted(data)
            target.sendall(data)
            if data and self._cut_after != 0:
                return
        except OSError:
            pass
        self._drop(source, target)

    def _counted(self, data: bytes) -> bytes:
        """What may travel of what the target has sent."""
        if self._cut_after is not None:
            data = data[: self._cut_after]
            self._cut_after -= len(data)
        self.carried += len(data)
        return data

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            for each in ends:
                if self._pairs.pop(each, None) is not None:
                    self._upstream.discard(each)
                    self._selector.unregister(each)
                    each.close()
