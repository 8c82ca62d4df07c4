"""A TCP proxy between a server and another, whose connections a test cuts, holds up or refuses."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

_PIECE = 1 << 16


class Proxy:
    """Passes on what comes to ``port`` to another port of this machine, both ways."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._refuses = False
        self._cut_after: int | None = None
        self.accepted = 0
        """Connections that have come."""
        self.passed = 0
        """Bytes that the target has sent."""
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                if self._refuses:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(client, selectors.EVENT_READ, server)
                ready.register(server, selectors.EVENT_READ, client)
                while True:
                    for key, _ in ready.select():
                        assert isinstance(key.fileobj, socket.socket)
                        data = key.fileobj.recv(_PIECE)
                        if not data:
                            return
                        if key.fileobj is server:
                            data = self._counted(data)
                        key.data.sendall(data)
                        if self._cut_after == 0:
                            return
        except (OSError, ValueError):
            pass
        finally:
            client.close()
            server.close()

    def _counted(self, data: bytes) -> bytes:
        """What may pass of what the target has sent."""
        if self._cut_after is not None:
            data = data[: self._cut_after]
            self._cut_after -= len(data)
        self.passed += len(data)
        return data

    def cut(self) -> None:
        """End all connections that there are; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, size: int | None) -> None:
        """End connections when the target has sent so many more bytes; None lets all pass."""
        self._cut_after = size

    def refuse(self, refuses: bool) -> None:
        """Let nobody through, and end what there is; or let them through again."""
        self._refuses = refuses
        if refuses:
            self.cut()

    def close(self) -> None:
        """End everything."""
        self._ended = True
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
