"""Failback: the preferred voter gets the lead back when it is well again.

It takes the path of every planned handover (leading.py), so it loses nothing, and holds writes for no longer. It comes
only when the preferred voter has been in step for a while: at each heartbeat it has acknowledged all that there was at
the heartbeat before. And it comes seldom: once in an interval, and where it came to nothing, twice as long after each
failure, so that a voter that comes and goes does not take the lead with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycache_server.election.machine import Refusal

if TYPE_CHECKING:
    from pycache_server.repl.leading import Leading

_MOST_DOUBLINGS: Final = 6


class Failback:
    """The failback of one member, over all epochs that it leads. Times are in milliseconds."""

    def __init__(self, preferred: str, delay: float, interval: float) -> None:
        self.preferred = preferred
        self._delay = delay
        self._interval = interval
        self._not_before = 0.0
        self._since: float | None = None  # when the preferred voter came to be in step
        self._expected = 0  # what it must have acknowledged by the next look
        self.attempts = 0
        """How often the lead was offered since the preferred voter had it last."""

    def note_leader(self, leader: str | None) -> None:
        """Somebody is followed: if it is the preferred one, all is well."""
        if leader == self.preferred:
            self.attempts = 0

    def look(self, leading: Leading, seat: str, now: float) -> None:
        """A heartbeat of a leader, which is at ``seat``."""
        if not self.preferred or self.preferred == seat:
            return
        follower = leading.followers.get(self.preferred)
        if follower is None or follower.acknowledged < self._expected:
            self._since = None
        elif self._since is None:
            self._since = now
        self._expected = leading.stream_end
        if self._since is not None and now - self._since >= self._delay and now >= self._not_before:
            self._offer(leading, now)

    def _offer(self, leading: Leading, now: float) -> None:
        self._since = None
        try:
            leading.hand_over(self.preferred, now)
        except Refusal:  # something else is going on, or it is no voter
            return
        self._not_before = now + self._interval * 2.0 ** min(self.attempts, _MOST_DOUBLINGS)
        self.attempts += 1
