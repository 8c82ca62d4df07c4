"""CLIENT PAUSE: nobody executes anything, or nobody changes anything, until a time. A server that hands over to a
replica, or waits for its replicas before it ends, holds changes back in the same way.

A paused command is kept in its session, which halts; when the pause is over every session goes on with it. While
changes are paused nothing expires or is evicted either, so that the data set stands still.
"""

from __future__ import annotations

from collections.abc import Callable
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
        self._asked = ""  # the mode that clients have asked for
        self._until = 0.0  # in ticks
        self._holds: set[str] = set()
        self._timer: Timer | None = None
        self.on_over: list[Callable[[], None]] = []
        """Called when there is no pause any more."""
        self._waiting: dict[Session, None] = {}

    def begin(self, seconds: float, mode: str) -> None:
        """Pause for some time. A pause that is longer or stricter already is not made shorter or less strict."""
        if not seconds and not self._asked:
            return
        until = self._core.host.ticks() + seconds
        if self._asked:
            until = max(until, self._until)
            mode = "all" if "all" in (mode, self._asked) else "write"
        self._asked, self._until = mode, until
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._core.host.call_later(max(0.0, until - self._core.host.ticks()), self.end)
        self._settle()

    def end(self) -> None:
        """The pause that clients have asked for is over."""
        self._asked = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._settle()

    def hold(self, why: str) -> None:
        """Let nothing be changed until ``release`` is called for the same reason."""
        self._holds.add(why)
        self._settle()

    def release(self, why: str) -> None:
        """There is no such reason any more."""
        self._holds.discard(why)
        self._settle()

    def _settle(self) -> None:
        mode = self._asked or ("write" if self._holds else "")
        if mode == self.mode:
            return
        self.mode = mode
        self._core.settle_stillness()
        self._core.tables.refresh()
        waiting, self._waiting = self._waiting, {}
        for session in waiting:  # where it must wait all the same, it comes back here
            session.resume()
        if not self.mode:
            for call in self.on_over:
                call()

    def postpone(self, session: Session, argv: list[bytes]) -> Any:
        """Keep a command until the pause is over."""
        self._waiting[session] = None
        return session.postpone(argv)

    def forget(self, session: Session) -> None:
        """A client has gone."""
        self._waiting.pop(session, None)

    def postpones(self, session: Session) -> bool:
        """Whether a client waits for the end of the pause."""
        return session in self._waiting

    @property
    def held(self) -> bool:
        """Whether changes are held back for other reasons than that clients have asked for it: the server hands over,
        or ends."""
        return bool(self._holds)

    @property
    def postponed(self) -> int:
        """How many clients wait for the end of the pause."""
        return len(self._waiting)
