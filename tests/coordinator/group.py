"""A group that does what the test says."""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.election.machine import Refusal

SEATS = ("a.example:7001", "b.example:7002", "c.example:7003")


class FakeGroup:
    """One seat of it."""

    def __init__(self, seat: str = SEATS[0], voters: tuple[str, ...] = SEATS) -> None:
        self.on_role_change: list[Callable[[], None]] = []
        self.seat = seat
        self.voters = voters
        self.epoch = 1
        self.leads = False
        self.leader_seat: str | None = None
        self.may_stand = True
        self.refuses = False
        self.nominations = 0

    @property
    def is_leaderless(self) -> bool:
        return self.leader_seat is None

    def nominate(self) -> None:
        if self.refuses:
            raise Refusal("not now")
        self.nominations += 1

    def change(self, leader: str | None, epoch: int | None = None) -> None:
        """Somebody leads now, or nobody does."""
        self.epoch = self.epoch if epoch is None else epoch
        self.leader_seat, self.leads = leader, leader == self.seat
        for call in list(self.on_role_change):
            call()
