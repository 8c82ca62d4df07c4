"""How long everything lasts, in milliseconds of a monotonic clock, and how far two clocks may drift apart.

One inequality carries the lease: a leader's lease, run by its clock, must end before the promise of its voters ends,
run by theirs. With clocks that err by at most ``drift`` either way, a voter's promise is longer than the lease by the
drift of both (``promise``). And a promise is shorter than ``down_after``, so that it never delays an election.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a group; all its voters are configured alike."""

    heartbeat: float = 100.0
    """Between two heartbeats of a leader, and between two ticks of anybody."""
    lease: float = 1000.0
    """For how long the acknowledgements of a heartbeat let the leader answer, from when it was sent."""
    down_after: float = 1500.0
    """For how long a leader is not heard before its voters call an election. One whose connection was closed is waited
    for only as long as the promise to it lasts, and so is any by a voter that has just started."""
    spread: float = 300.0
    """Elections start up to so much later, at random, so that two voters seldom ask at once."""
    drift: float = 0.02
    """By what part of the time a clock may be wrong, in either direction."""
    retry: tuple[float, float] = (200.0, 700.0)
    """Between two attempts to be elected, at random."""
    courtesy: float = 100.0
    """For how long a voter that has told one candidate yes tells others no, and does not ask itself."""
    eager_retry: tuple[float, float] = (50.0, 200.0)
    """The same for a voter that was nominated."""
    silent_link: float = 800.0
    """A follower whose link has brought nothing for so long opens another."""
    handover: float = 500.0
    """For how long a planned handover may hold writes before it is called off."""
    takeover: float = 400.0
    """For how long who has given up its epoch waits for the one that should take over."""
    nomination: float = 2000.0
    """For how long a nomination holds (failover-timeout)."""
    round: float = 500.0
    """For how long a voter whose file is lost collects the answers to one question."""

    @property
    def promise(self) -> float:
        """For how long a voter that has heard its leader votes for nobody else."""
        return self.lease * (1 + 2.1 * self.drift)

    @property
    def deaf(self) -> float:
        """A follower that has acknowledged nothing for so long is hung up on."""
        return self.down_after * 0.6

    def _check(self) -> None:
        assert 0 < self.heartbeat < self.lease
        assert self.promise < self.down_after
        assert self.deaf < self.down_after
