"""When replies leave in a group: at the level of acknowledgement that their client wants (``repl-ack``, CLIENT ACK).

The outbox holds what is behind a change until its Passing lets it go (server/outbox.py). Here is one Passing for each
level that somebody uses. Once a round, when what was executed is in the history, the leader is told that replies of
each level wait for its end; when it says that they may leave, the limit of the level rises to the position of the feed
of that round, and when it says that they never will, those who wait are cut off without a reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.repl.commit import ASYNC
from pycache_server.server.outbox import ANY_POSITION, Passing

if TYPE_CHECKING:
    from pycache_server.repl.leading import Leading
    from pycache_server.server.app import App


class Replies:
    """The replies of one voter's clients; ``level`` is that of clients that want none of their own."""

    def __init__(self, app: App, level: int) -> None:
        self._app = app
        self._outbox = app.outbox
        self.level = level
        self._passings: dict[int, Passing] = {}
        self._asked: dict[int, float] = {}
        self.cut_off = 0
        """How many connections were closed because their replies could not leave any more."""
        self.waited = 0.0
        """The seconds of the round that was acknowledged last, from its end to its acknowledgement."""
        self._begun: dict[tuple[int, float], float] = {}

    def passing(self, level: int) -> Passing:
        """By what replies of a level leave."""
        found = self._passings.get(level)
        if found is None:
            limit = ANY_POSITION if level == ASYNC else self._app.core.feed.position
            found = self._passings[level] = Passing(limit)
            self._outbox.add(found)
        return found

    def hold(self, leading: Leading, end: int, now: float) -> None:
        """What was executed is in the history, which ends here: let replies wait for that."""
        position = self._app.core.feed.position
        for level, passing in self._passings.items():
            if passing.limit < position and self._asked.get(level, -1) < position:
                self._asked[level] = position
                self._begun[level, position] = now
                leading.hold(end, level, level, position, now)

    def let_go(self, level: int, position: float, now: float) -> None:
        """Replies of a level may leave up to a position."""
        begun = self._begun.pop((level, position), None)
        if begun is not None:
            self.waited = (now - begun) / 1000
        passing = self._passings[level]
        passing.limit = max(passing.limit, position)
        self._outbox.plan()

    def cut(self, level: int, position: float) -> None:
        """Replies of a level will not leave that wait for a position: close these connections."""
        self._begun.pop((level, position), None)
        passing = self._passings[level]
        for session in list(self._app.core.sessions.values()):
            line = getattr(session.link, "line", None)
            if line is not None and line.passing is passing and line.held and line.held[0][0] <= position:
                self.cut_off += 1
                session.abort()
        passing.limit = max(passing.limit, position)
        self._outbox.plan()

    def free(self) -> None:
        """This node leads no more: nothing waits for followers any more."""
        self._begun.clear()
        self._asked.clear()
        for passing in self._passings.values():
            passing.limit = max(passing.limit, self._app.core.feed.position)
        self._outbox.plan()
