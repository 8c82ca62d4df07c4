"""A connection to a server that may be dead, stopped or cut off: whatever happens, an answer or an error comes."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any, Self

import hiredis

from bench.ha.network import CONNECT_TIMEOUT, Place

PATIENCE = 1.0
"""Seconds for which an answer is waited for."""
_NOTHING = object()


class Gone(ConnectionError):
    """No answer has come, and none will."""


class Wire:
    """One connection from a place. Errors that a server answers are values, not raised."""

    def __init__(self, place: Place, address: tuple[str, int], patience: float = PATIENCE) -> None:
        """Raises OSError."""
        self.address = address
        self._patience = patience
        self._socket = place.connect(address, min(CONNECT_TIMEOUT, patience))
        self._reader = hiredis.Reader(notEnoughData=_NOTHING, encoding="utf-8", errors="replace")

    def call(self, *words: str | int) -> Any:
        """The reply to a command. Raises OSError."""
        return self.batch([words])[0]

    def batch(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies to commands that are sent at once. Raises OSError."""
        deadline = time.monotonic() + self._patience
        self._socket.settimeout(self._patience)
        self._socket.sendall(b"".join(hiredis.pack_command(tuple(words)) for words in commands))
        return [self._read(deadline) for _ in commands]

    def _read(self, deadline: float) -> Any:
        while (value := self._reader.gets()) is _NOTHING:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Gone("no answer")
            self._socket.settimeout(left)
            data = self._socket.recv(1 << 20)
            if not data:
                raise Gone("closed")
            self._reader.feed(data)
        return value

    def close(self) -> None:
        """End it, with nothing left that could still be sent."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def fields_of(text: str) -> dict[str, str]:
    """The fields of an INFO."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def pairs(flat: list[str]) -> dict[str, str]:
    """A flat list of names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
