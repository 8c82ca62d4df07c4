"""What a master sends while changes are paused here (CLIENT PAUSE): it is kept, and applied when the pause is over.

The data set of a replica stands still in a pause as that of a master does. What has come and is not applied counts for
``slave_read_repl_offset`` alone: the master hears of what is applied, so that its WAIT is right. Up to MOST bytes are
kept, then the connection is not read any more, and the master keeps the rest. A link that ends loses what is kept, and
the next one begins with what is applied.

Source: redis.io/docs/latest/commands/client-pause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pycache_server.server.wire import Wire

if TYPE_CHECKING:
    from pycache_server.server.app import App

MOST = 1 << 20
"""Bytes that are kept."""


class Holding:
    """What is kept of one server's stream. ``apply`` applies a piece; a link that it ends drops what is left."""

    def __init__(self, app: App, apply: Callable[[bytes], None]) -> None:
        self._app = app
        self._apply = apply
        self._kept: deque[bytes] = deque()
        self._wire: Wire | None = None  # that is not read, because enough is kept
        self._planned = False
        self.size = 0
        """Bytes that are kept."""
        app.core.pause.on_over.append(self._plan)

    @property
    def is_full(self) -> bool:
        """Whether the connection is not read, so that nothing can be heard of the master."""
        return self._wire is not None

    def keep(self, data: bytes, wire: Wire | None) -> None:
        """Keep something that has come by a connection."""
        self._kept.append(data)
        self.size += len(data)
        if self.size > MOST and wire is not None:
            self._wire = wire
            wire.pause_reading()

    def drop(self) -> None:
        """The link has ended."""
        self._kept.clear()
        self.size = 0
        self._wire = None

    def empty(self) -> None:
        """Apply all that is kept, pause or not: the link is going to end, and nobody else may have it."""
        while self._kept:
            self._next()

    def _plan(self) -> None:
        if self._kept and not self._planned:
            self._planned = True
            self._app.loop.call_soon(self._step)

    def _step(self) -> None:
        """Apply a piece; others are served before the next."""
        self._planned = False
        if self._kept and not self._app.core.pause.mode:
            self._next()
            self._plan()

    def _next(self) -> None:
        data = self._kept.popleft()
        self.size -= len(data)
        wire = self._wire
        if wire is not None and not self._kept:
            self._wire = None
            wire.resume_reading()
        self._apply(data)
