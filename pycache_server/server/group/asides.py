"""What voters tell each other beside the election (election/messages.py, Aside), and what is known by it.

Where each answers the clients of sentinels, so that any of them can name the others (window.py): each voter says it to
each other one, once a second, and who has not been heard for a while is down. Or that it claims the lead (watched.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pycache_server.election.messages import Aside, Claim, Window

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group

EVERY: Final = 1000.0
"""Milliseconds between two times that it is said."""
MOST_PORT: Final = 0xFFFF
LONGEST_ID: Final = 64


@dataclass(slots=True)
class Heard:
    """The window of another voter, and when it was heard of last, in ms of the monotonic clock."""

    port: int
    run_id: str
    at: float


class Asides:
    """What one voter says and hears."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._said_at = float("-inf")
        self.windows: dict[str, Heard] = {}
        """The windows of other voters, by their seats."""

    def tick(self, now: float) -> None:
        """Say what is due."""
        if now - self._said_at < EVERY:
            return
        self._said_at = now
        group = self._group
        said = Window(group.app.settings["sentinel-port"], group.app.run_id)
        for seat in group.voters:
            if seat != group.seat:
                group.post.send_aside(seat, said)

    def hear(self, sender: str, said: Aside) -> None:
        """Another voter has said something."""
        if isinstance(said, Claim):
            self._group.watched.hear_claim(sender, said)
        else:
            self._hear_of_window(sender, said)

    def _hear_of_window(self, sender: str, said: Window) -> None:
        """Nothing of an id that is none is kept: it is shown to clients."""
        known = sender in self._group.voters and 0 < said.port <= MOST_PORT
        if known and len(said.run_id) <= LONGEST_ID and said.run_id.isalnum():
            self.windows[sender] = Heard(said.port, said.run_id, self._group.now())
        else:
            self.windows.pop(sender, None)
