"""Failback: the preferred voter gets the lead back when it is well again.

It takes the path of every planned handover (leading.py), so it loses nothing, and holds writes for no longer. It comes
only when the preferred voter has been in step for a while: at each heartbeat it has acknowledged all that there was at
the heartbeat before. And it comes seldom: once in an interval, and twice as long after each time that it came to
nothing, or that the preferred voter did not keep the lead for an interval: one that comes and goes does not take the
lead with it. Every member counts that, for any of them may lead next; one that was not there does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycache_server.election.machine import Refusal

if TYPE_CHECKING:
    from pycache_server.repl.leading import Leading

_MOST_DOUBLINGS: Final = 6
_STOPPED: Final = 250.0
"""Milliseconds: a leader that has not looked for so long does not know who was in step meanwhile."""


class Failback:
    """The failback of one member, over all epochs that it leads or sees. Times are in milliseconds."""

    def __init__(self, preferred: str, delay: float, interval: float) -> None:
        self.preferred = preferred
        self._delay = delay
        self._interval = interval
        self._not_before = 0.0
        self._looked = 0.0
        self._since: float | None = None  # when the preferred voter came to be in step
        self._expected = 0  # what it must have acknowledged by the next look
        self._leader: str | None = None
        self._led_since = 0.0
        self._is_counted = False  # whether the newest offer may come about yet, which counts once
        self.attempts = 0
        """How often the preferred voter was offered the lead, or came to it, since it kept it for an interval."""

    def note_leader(self, leader: str | None, now: float) -> None:
        """Somebody leads, as far as this member knows; None while it knows of nobody."""
        if leader is None:
            return
        if leader != self._leader:
            self._leader, self._led_since = leader, now
            if leader == self.preferred:
                self.attempts += not self._is_counted
                self._is_counted = False
                self._wait(now)
        elif leader == self.preferred and now - self._led_since >= self._interval:
            self.attempts = 0

    def look(self, leading: Leading, seat: str, now: float) -> None:
        """A heartbeat of a leader, which is at ``seat``."""
        if not self.preferred or self.preferred == seat:
            return
        follower = leading.followers.get(self.preferred)
        was_stopped = now - self._looked > _STOPPED
        self._looked = now
        if follower is None or follower.acknowledged < self._expected or was_stopped:
            self._since = None
        elif self._since is None:
            self._since = now
        self._expected = leading.stream_end
        if self._since is not None and now - self._since >= self._delay and self.may_offer(now):
            self.offer(leading, now)

    def may_offer(self, now: float) -> bool:
        """Whether the last time is long enough ago."""
        return now >= self._not_before

    def offer(self, leading: Leading, now: float) -> None:
        """Begin a handover to the preferred voter."""
        self._since = None
        try:
            leading.hand_over(self.preferred, now)
        except Refusal:  # something else is going on, or it is no voter
            return
        self.attempts += 1
        self._is_counted = True
        self._wait(now)

    def _wait(self, now: float) -> None:
        """Not again for an interval from now, or as much longer as there were attempts."""
        wait = self._interval * 2.0 ** min(self.attempts - 1, _MOST_DOUBLINGS)
        self._not_before = max(self._not_before, now + wait)
