"""The last part of the stream, kept for followers that come back, and for those that are slow.

What is appended in a round of the event loop is joined once (``seal``) and kept in blocks. Readers are whoever has a
``position`` in the stream: all of them share the same bytes, however far behind they are. The oldest blocks go when
more than ``size`` bytes are kept, but never what a reader still has to get: how far one may fall behind is decided by
client-output-buffer-limit, not here. So histories may be longer than ``size``, as with Redis 7, and at most by what
that limit allows.

Appending is O(1), and dropping is paid once a block.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, Protocol

from pycache_server.repl.history import History

BLOCK: Final = 16 * 1024
"""Bytes from which on a block is closed."""


class Reader(Protocol):
    """Who still needs the bytes from ``position`` on."""

    position: int


class Backlog:
    """The end of the stream of ``history``, whose offset moves with it."""

    def __init__(self, history: History, size: int) -> None:
        self.history = history
        self.size = size
        """repl-backlog-size in bytes."""
        self.start = history.offset
        """The offset of the first byte that is there."""
        self.readers: list[Reader] = []
        self._blocks: list[bytes] = []
        self._starts: list[int] = []  # the offset of each block's first byte
        self._open: list[bytes] = []  # the block that grows
        self._open_start = history.offset
        self.fresh: list[bytes] = []
        """What has been appended since ``seal``: always the same list, so that who appends all the time can do it
        without a call."""
        self.sealed = history.offset
        """Up to where the stream can be read: all but what has been appended since ``seal``."""

    def append(self, data: bytes) -> None:
        """The stream goes on."""
        self.fresh.append(data)
        self.history.offset += len(data)

    def seal(self) -> bytes:
        """Everything that was appended since the last time, readable from now on."""
        fresh = self.fresh
        if not fresh:
            return b""
        data = fresh[0] if len(fresh) == 1 else b"".join(fresh)
        fresh.clear()
        self._open.append(data)
        self.sealed += len(data)
        if self.sealed - self._open_start >= BLOCK:
            self._close_block()
        return data

    def _close_block(self) -> None:
        self._blocks.append(b"".join(self._open))
        self._starts.append(self._open_start)
        self._open.clear()
        self._open_start = self.sealed
        self.trim()

    def trim(self) -> None:
        """Drop the oldest blocks, where there is more than ``size`` without them and no reader needs them."""
        needed = min(self.sealed - self.size, *(reader.position for reader in self.readers), self.sealed)
        count = bisect_right([*self._starts[1:], self._open_start], needed)
        if count and self._blocks:
            del self._blocks[:count], self._starts[:count]
            self.start = self._starts[0] if self._starts else self._open_start

    def resize(self, size: int) -> None:
        """Keep so many bytes from now on."""
        self.size = size
        self.trim()

    def covers(self, offset: int) -> bool:
        """Whether everything from an offset on is there."""
        return self.start <= offset <= self.history.offset

    def since(self, offset: int, most: int) -> bytes:
        """The sealed bytes from an offset on which is covered: all of one block, ``most`` bytes at most; empty at the
        end."""
        if offset >= self._open_start:
            data = self._open[0] if len(self._open) == 1 else b"".join(self._open)
            begin = offset - self._open_start
        else:
            place = bisect_right(self._starts, offset) - 1
            data = self._blocks[place]
            begin = offset - self._starts[place]
        return data if not begin and len(data) <= most else data[begin : begin + most]

    def whole(self, offset: int) -> tuple[int, bytes]:
        """The offset of the block in which a sealed offset lies, and all of its bytes so far: whole commands, since a
        round appends whole ones."""
        if offset >= self._open_start:
            return self._open_start, b"".join(self._open)
        place = bisect_right(self._starts, offset) - 1
        return self._starts[place], self._blocks[place]

    def __len__(self) -> int:
        """How many bytes are kept."""
        return self.history.offset - self.start

    def _check(self) -> None:
        """Assert that blocks and offsets agree."""
        offset = self.start
        for start, block in zip(self._starts, self._blocks, strict=True):
            assert start == offset and len(block) >= BLOCK
            offset += len(block)
        assert offset == self._open_start
        assert offset + sum(map(len, self._open)) == self.sealed
        assert self.sealed + sum(map(len, self.fresh)) == self.history.offset
        assert all(self.start <= reader.position <= self.sealed for reader in self.readers)
