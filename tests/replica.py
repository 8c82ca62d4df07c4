"""A replica that listens: what a server propagates, unit by unit.

It makes the handshake of a replica, throws the snapshot away, and reads the stream of commands that follows. SELECT,
MULTI and EXEC become the index of a database at each command and units of several; what the link itself is kept alive
with is left out.
"""

from __future__ import annotations

import socket
from itertools import count

import hiredis

Told = tuple[int, list[bytes]]
_NOTHING = object()
_PATIENCE = 30
_ABOUT_THE_LINK = (b"PING", b"REPLCONF")
MARKER = b"{listening replica}"
"""The channel of a message by which a replica finds out that it has heard everything."""


class Units:
    """Reads a stream of commands as units."""

    def __init__(self) -> None:
        self.selected = 0
        self._open: list[Told] | None = None

    def take(self, argv: list[bytes]) -> list[Told] | None:
        """The unit that a command ends, if it does and is not about the link."""
        name = argv[0].upper()
        if name == b"SELECT":
            self.selected = int(argv[1])
        elif name == b"MULTI":
            assert self._open is None
            self._open = []
        elif name == b"EXEC":
            unit, self._open = self._open, None
            return unit
        elif name in _ABOUT_THE_LINK:
            pass
        elif self._open is not None:
            self._open.append((self.selected, argv))
        else:
            return [(self.selected, argv)]
        return None


class ListeningReplica:
    """A replica of the server at a port of the loopback interface, with a client beside it for its markers."""

    def __init__(self, port: int) -> None:
        self._control = socket.create_connection(("127.0.0.1", port))
        self._control.settimeout(_PATIENCE)
        self._link = socket.create_connection(("127.0.0.1", port))
        self._link.settimeout(_PATIENCE)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._units = Units()
        self._numbers = count(1)
        self._synchronise()

    def _synchronise(self) -> None:
        """Without the capability EOF the snapshot comes at once, with its length in front."""
        self._link.sendall(hiredis.pack_command(("PSYNC", "?", "-1")))
        line, rest = self._line(b"")
        while not line.startswith(b"$"):
            if line.startswith(b"-"):
                raise ConnectionError(f"no synchronisation: {line!r}")
            line, rest = self._line(rest)
        missing = int(line[1:])
        while len(rest) < missing:
            missing -= len(rest)
            rest = self._more()
        self._reader.feed(rest[missing:])

    def _line(self, data: bytes) -> tuple[bytes, bytes]:
        """The first line of what comes, and what is behind it."""
        while b"\n" not in data:
            data += self._more()
        line, _, rest = data.partition(b"\n")
        return line, rest

    def _more(self) -> bytes:
        data = self._link.recv(1 << 20)
        if not data:
            raise ConnectionError("the server has closed the link")
        return data

    def heard(self) -> list[list[Told]]:
        """Every unit that the server has told since the last time."""
        marker = [MARKER, b"%d" % next(self._numbers)]
        self._link.sendall(hiredis.pack_command(("REPLCONF", "ACK", "0")))  # a replica that is silent is dropped
        self._control.sendall(hiredis.pack_command(("PUBLISH", *marker)))
        self._control.recv(100)
        units: list[list[Told]] = []
        while True:
            argv = self._next()
            unit = self._units.take(argv)
            if unit is not None and unit[0][1][1:] == marker:
                return units
            if unit is not None:
                units.append(unit)

    def _next(self) -> list[bytes]:
        while (argv := self._reader.gets()) is _NOTHING:
            self._reader.feed(self._more())
        return argv  # type: ignore[no-any-return]

    def close(self) -> None:
        self._link.close()
        self._control.close()
