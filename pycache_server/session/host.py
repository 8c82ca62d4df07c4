"""What sessions need of the world, and get from whoever runs them: the server, an embedding program, or a test.

No clock, timer, random source or log is used below but through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that has been planned."""

    def cancel(self) -> None:
        """It shall not happen any more."""


class Link(Protocol):
    """A session's way out: one connection."""

    @property
    def write(self) -> Callable[[bytes], object]:
        """Sends, or keeps until the client reads."""

    @property
    def write_late(self) -> Callable[[bytes], object]:
        """The same, when all that has come meanwhile has been executed."""

    def descriptor(self) -> int:
        """The number of the connection's file descriptor, -1 where it has none."""

    def buffered(self) -> int:
        """How many bytes are kept because the client has not read them."""

    def pause_reading(self) -> None:
        """Read no more from the client for now."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self) -> None:
        """End the connection when everything has been sent."""

    def abort(self) -> None:
        """End the connection at once."""


class NoLink:
    """The way out of a session whose connection has ended: everything goes nowhere. It takes the place of the
    connection, which refers to the session: garbage collection never looks for such cycles (server/gc.py)."""

    def write(self, data: bytes) -> None:
        """See Link."""

    write_late = write

    def descriptor(self) -> int:
        """See Link."""
        return -1

    def buffered(self) -> int:
        """See Link."""
        return 0

    def pause_reading(self) -> None:
        """See Link."""

    resume_reading = close = abort = pause_reading


NO_LINK = NoLink()


class Host(Protocol):
    """The world around a Core."""

    def time(self) -> float:
        """Seconds since 1970."""

    def ticks(self) -> float:
        """Seconds of a clock that never goes back, for durations."""

    def choose(self, limit: int) -> int:
        """A random integer from 0 to ``limit`` - 1."""

    def token(self, size: int) -> bytes:
        """``size`` unpredictable hex digits."""

    def defer(self, call: Callable[[], None]) -> None:
        """Call when the present batch of work is done."""

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call after ``delay`` seconds."""

    def attend(self) -> None:
        """Serve what other clients have sent, while a script does not let the event loop go on."""

    def attend_no_more(self) -> None:
        """The script has ended: the event loop goes on."""

    def log(self, level: str, message: str) -> None:
        """Write a line; ``level`` is one of debug, verbose, notice, warning."""


class Refused(Exception):
    """What was asked for cannot be done here; the text says why."""
