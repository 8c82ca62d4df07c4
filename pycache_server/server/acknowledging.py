"""What a follower tells its master: how far it has applied the stream, and how far its own append-only file has that on
the disk, while there is one (``FACK``, which WAITAOF counts).

The file counts in positions of the feed, the stream in bytes. After each read that was applied both are noted, so that
an fsync up to a position tells an offset. Where fsyncs are rare, or never asked for, only the newest note moves on:
what is told is then too little, never too much. A new data set has nothing on the disk before its base is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pycache_server.repl.follower import packed

if TYPE_CHECKING:
    from pycache_server.session.core import Core

MOST_NOTES: Final = 1000
"""Between two fsyncs."""


class Acknowledging:
    """The acknowledgements of one link; ``send`` sends them."""

    def __init__(self, core: Core, send: Callable[[bytes], None]) -> None:
        self._core = core
        self._send = send
        self._notes: deque[tuple[int, int]] = deque()  # positions of the feed, and offsets
        self._durable = 0
        self._awaited = 0  # what has been acknowledged and is not on the disk
        core.syncs.on_moved = self._look

    def begin(self) -> None:
        """A stream begins, behind what the data set holds."""
        self.end()
        self._notes.clear()
        self._durable = 0
        self.note()

    def end(self) -> None:
        """The link is gone."""
        self._awaited = 0

    def note(self) -> None:
        """All that has come is applied."""
        if self._core.syncs.local is None:
            return
        notes, position = self._notes, self._core.feed.position
        if notes and (notes[-1][0] == position or len(notes) == MOST_NOTES):
            notes.pop()
        notes.append((position, self._core.replication.history.offset))

    def durable(self) -> int | None:
        """The offset up to which the stream is on the disk; None where there is no append-only file, or not all of the
        data set is in it yet."""
        local, notes = self._core.syncs.local, self._notes
        if local is None or not local.is_whole:
            return None
        while notes and notes[0][0] <= local.synced:
            self._durable = notes.popleft()[1]
        return self._durable

    def tell(self) -> None:
        """Say how far the node is."""
        offset, durable = self._core.replication.history.offset, self.durable()
        if durable is None:
            self._send(packed("REPLCONF", "ACK", offset))
        else:
            self._send(packed("REPLCONF", "ACK", offset, "FACK", durable))
        self._awaited = offset if durable != offset else 0

    def _look(self) -> None:
        """More is on the disk: say it where the master has been told that it is not."""
        if self._awaited and (self.durable() or 0) >= self._awaited:
            self.tell()
