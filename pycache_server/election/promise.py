"""What a voter owes its leader: for a while after each thing that it hears on the stream, to vote for nobody else and
not to stand itself. The lease of a leader (lease.py) is the other side of it.

A promise does not bind against the same leader standing anew, for that is no other. It does not bind against the one
whom the leader has told to take over: the leader has given up its epoch before it said so. After a start a voter keeps
still for as long as if it had just promised: what it promised before, it does not remember. (A voter without a history
cannot have promised anything.)
"""

from __future__ import annotations

from pycache_server.election.timing import Timing


class Promise:
    """The promise of one voter, by its own clock."""

    def __init__(self, timing: Timing, now: float) -> None:
        self._timing = timing
        self._started = now
        self._heard = now
        self.leader: str | None = None
        """To whom it was given; None if it was given back."""
        self.epoch = 0
        """As the leader of which epoch."""

    def renew(self, leader: str, epoch: int, now: float) -> None:
        """Something came on the stream of a leader."""
        self.leader, self.epoch, self._heard = leader, epoch, now

    def release(self) -> None:
        """The promise is over: its voter has voted for another, or leads, or was told by its leader to take over."""
        self.leader = None

    def forbids(self, candidate: str, epoch: int, transfer: int, has_history: bool, now: float) -> bool:
        """Whether a vote would break it: for the candidate (the voter itself, too), in that epoch, as the transfer of
        an epoch or 0."""
        if has_history and self.just_started(now):
            return True
        if self.leader is None or now - self._heard >= self._timing.promise:
            return False
        return not (self.is_same_leader(candidate) or self.is_transfer(epoch, transfer))

    def just_started(self, now: float) -> bool:
        """Whether promises of the run before may still bind."""
        return now - self._started < self._timing.promise

    def is_same_leader(self, candidate: str) -> bool:
        """Whether the candidate is the one to whom the promise was given."""
        return self.leader == candidate

    def is_transfer(self, epoch: int, transfer: int) -> bool:
        """Whether the candidate was told to take over by the leader to whom the promise was given."""
        return transfer != 0 and transfer == self.epoch and epoch == transfer + 1

    def _check(self) -> None:
        assert self.leader is None or self.epoch > 0
        assert self._heard >= self._started
