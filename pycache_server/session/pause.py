"""CLIENT PAUSE: nobody executes anything, or nobody changes anything, until a time.

A paused command is kept in its session, which halts; when the pause is over every session goes on with it. While
changes are paused nothing expires or is evicted either, so that the data set stands still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.host import Timer
    from pycache_server.session.session import Session


class Pause:
    """The pause of a server. ``mode`` is ``all``, ``write``, or empty while there is none."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.mode = ""
        self._until = 0.0  # in ticks
        self._timer: Timer | None = None
        self._waiting: dict[Session, None] = {}

    def begin(self, seconds: float, mode: str) -> None:
        """Pause for some time. A pause that is longer or stricter already is not made shorter or less strict."""
        if not seconds and not self.mode:
            return
        until = self._core.host.ticks() + seconds
        if self.mode:
            until = max(until, self._until)
            mode = "all" if "all" in (mode, self.mode) else "write"
        self.mode, self._until = mode, until
        self._core.settle_stillness()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._core.host.call_later(max(0.0, until - self._core.host.ticks()), self.end)
        self._core.tables.refresh()

    def end(self) -> None:
        """Let everyone go on."""
        if not self.mode:
            return
        self.mode = ""
        self._core.settle_stillness()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._core.tables.refresh()
        waiting, self._waiting = self._waiting, {}
        for session in waiting:
            session.resume()

    def postpone(self, session: Session, argv: list[bytes]) -> Any:
        """Keep a command until the pause is over."""
        self._waiting[session] = None
        return session.postpone(argv)

    def forget(self, session: Session) -> None:
        """A client has gone."""
        self._waiting.pop(session, None)

    @property
    def postponed(self) -> int:
        """How many clients wait for the end of the pause."""
        return len(self._waiting)
