"""Room for voters where there is none for clients: beyond ``maxclients``, and past ``protected-mode``.

Voters come to the port for clients, and look like clients until they have said something. A group must not lose its
majority because clients have taken all connections, nor because its voters are on other hosts and have no password but
their secret. So who would be refused in a server that is a voter is let in on trial: it can say GROUP LINK, TELL and
ASIDE, whose proof is the secret, and nothing else. If it says something else, or nothing for TRIAL seconds, it is told
what it would have been told at once. A link has its own limits (server/group/links.py).

At most MOST_ON_TRIAL are on trial: the oldest makes way for the next, as with links. Who has proved itself stays, but
may say no more than before, and there is one such connection for each seat, the last.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.server.listener import Connection
    from pycache_server.session.session import Session

TRIAL: Final = 1.0
"""Seconds until who is on trial must have proved itself."""
MOST_ON_TRIAL: Final = 64
MOST_PROVED: Final = 64
"""Seats that have proved themselves: a group has far fewer."""


class Reserve:
    """Who is let in although no client would be."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.is_open = False
        """Whether this server is a voter, so that there are any to expect."""
        self._on_trial: dict[int, Connection] = {}  # by client id, the oldest first
        self._proved: dict[str, Session] = {}  # by seat

    @property
    def count(self) -> int:
        """How many are in that do not count as clients."""
        return len(self._on_trial) + len(self._proved)

    def admit(self, connection: Connection, refusal: bytes) -> None:
        """Let somebody in on trial who is to be told ``refusal`` if it is no voter."""
        session = connection.session
        if len(self._on_trial) >= MOST_ON_TRIAL:
            next(iter(self._on_trial.values())).session.turn_away()
        self._on_trial[session.id] = connection
        session.put_on_trial(partial(self._refuse, session, refusal))
        self._app.loop.call_later(TRIAL, self._judge, session.id)

    def _judge(self, number: int) -> None:
        connection = self._on_trial.get(number)
        if connection is not None:
            connection.session.turn_away()

    def _refuse(self, session: Session, refusal: bytes) -> None:
        """It is no voter."""
        connection = self._on_trial.pop(session.id, None)
        if connection is not None:
            connection.refuse(refusal)
        else:  # it is one, and says what voters do not say
            session.abort()

    def prove(self, session: Session, seat: str) -> None:
        """Who is on trial has said something that a voter has signed."""
        if self._on_trial.pop(session.id, None) is None:
            return
        before = self._proved.pop(seat, None)
        if before is None and len(self._proved) >= MOST_PROVED:
            before = self._proved.pop(next(iter(self._proved)))
        self._proved[seat] = session
        if before is not None:
            before.abort()

    def forget(self, session: Session) -> None:
        """A connection has ended."""
        session.on_trial = None  # which refers to it
        self._on_trial.pop(session.id, None)
        for seat in [seat for seat, each in self._proved.items() if each is session]:
            del self._proved[seat]

    def _check(self) -> None:
        assert len(self._on_trial) <= MOST_ON_TRIAL
        assert len(self._proved) <= MOST_PROVED
        sessions = self._app.core.sessions
        assert all(number in sessions for number in self._on_trial)
        assert all(sessions.get(each.id) is each for each in self._proved.values())
