"""What the machine asks of the replication beneath it, which does what it is told at once.

The machine decides who leads; the stream knows what the history holds. Neither knows how bytes travel.
"""

from __future__ import annotations

from typing import Protocol

from pycache_server.election.position import Position


class Stream(Protocol):
    """The history of one seat, and its links."""

    @property
    def position(self) -> Position:
        """How far the history reaches, committed or not."""

    @property
    def voters(self) -> tuple[str, ...]:
        """The voters after the newest change in the history: a change is in force when it is appended."""

    def settled_voters(self, now: float) -> tuple[str, ...]:
        """The voters, if this seat leads under a lease and no change of them is on its way; otherwise nobody."""

    def holds_lease(self, now: float) -> bool:
        """Whether this seat leads, and under a lease."""

    def lead(self, now: float) -> None:
        """This seat was elected: open its epoch."""

    def cease(self) -> None:
        """This seat leads no more: hang up on followers and clients, give up what waits for a commit."""

    def follow(self, leader: str, now: float) -> None:
        """Open a link to a leader, unless there is one."""

    def unfollow(self) -> None:
        """Hang up on the leader, if there is a link to one."""

    def pull(self, seat: str, now: float) -> None:
        """Ask a voter that is ahead for what it has."""
