"""Who has said yes: to a question that changes nothing (a round of pre-votes), and to a candidacy."""

from __future__ import annotations

from collections.abc import Iterable

from pycache_server.election.messages import PreVoteReply
from pycache_server.election.position import Position


def majority(voters: int) -> int:
    """How many of so many voters decide."""
    return voters // 2 + 1


class Tally:
    """The votes for one candidacy; the candidate's own is among them."""

    def __init__(self, candidate: str) -> None:
        self._granted = {candidate}

    def grant(self, voter: str) -> None:
        """A voter has said yes."""
        self._granted.add(voter)

    def carried(self, voters: Iterable[str]) -> bool:
        """Whether a majority of the voters has said yes; who is no voter does not count."""
        seats = set(voters)
        return len(self._granted & seats) >= majority(len(seats))


class PreVoteRound(Tally):
    """The answers to one question, which also tell what the others have promised, and how far they are."""

    def __init__(self, candidate: str, number: int, epoch: int) -> None:
        super().__init__(candidate)
        self.number = number
        self.epoch = epoch
        """The highest promise that is known: who stands must stand above it."""
        self.positions: dict[str, Position] = {}

    def answer(self, voter: str, reply: PreVoteReply) -> None:
        """A voter has answered."""
        if reply.granted:
            self.grant(voter)
        self.epoch = max(self.epoch, reply.epoch)
        if reply.position is not None:
            self.positions[voter] = reply.position

    def furthest(self) -> tuple[str, Position] | None:
        """Who of those that answered is furthest; None if nobody has told its position."""
        return max(self.positions.items(), key=lambda item: (item[1], item[0]), default=None)
