"""Who has said yes: to a question that changes nothing (a round of pre-votes), and to a candidacy; and to whom a voter
itself has said so a moment ago."""

from __future__ import annotations

from collections.abc import Iterable

from pycache_server.election.messages import PreVoteReply
from pycache_server.election.position import NOWHERE, Position


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


class Courtesy:
    """A voter that has told one candidate yes tells others no for a while, and does not ask itself. Two that ask at the
    same time would otherwise take votes from each other, get too few both, and lose half a second. It is a matter of
    time alone, for what is asked in a pre-vote changes nothing.

    A candidate gets it once in an epoch: one that asks again and again has no use for the answers, or does not hear
    them. Who is further gets its answer all the same.
    """

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._had: set[str] = set()
        self._seat = ""
        self._position = NOWHERE
        self._until = 0.0
        self._is_firm = False

    def begin_anew(self) -> None:
        """Another epoch was promised."""
        self._had.clear()

    def give(self, seat: str, position: Position, now: float, is_firm: bool) -> None:
        """A candidate was told yes. It is not firm where the voter itself asks: it may give its question up yet."""
        known = seat in self._had and is_firm == self._is_firm
        self._had.add(seat)
        if not known:
            self._seat, self._position, self._is_firm = seat, position, is_firm
            self._until = now + self._duration

    def is_owed(self, seat: str, now: float) -> bool:
        """Whether another has it now."""
        return self._seat != seat and now < self._until

    def forbids(self, seat: str, position: Position, now: float) -> bool:
        """Whether a candidate must be told no for it. Of two that ask at the same time the one gives way that is
        behind, or whose seat is the lower one."""
        if not self.is_owed(seat, now):
            return False
        return position <= self._position if self._is_firm else (position, seat) < (self._position, self._seat)
