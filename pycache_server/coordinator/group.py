"""What a coordinator asks of the group, and tells it. The group knows nothing of engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Group(Protocol):
    """The voter of this process."""

    on_role_change: list[Callable[[], None]]
    """Called when it leads, leads no more, or follows another."""

    @property
    def seat(self) -> str:
        """Its ``host:port`` among the voters."""

    @property
    def voters(self) -> tuple[str, ...]:
        """The seats of all voters."""

    @property
    def epoch(self) -> int:
        """The highest epoch that it has promised."""

    @property
    def leads(self) -> bool:
        """Whether it leads, and under the lease of the group."""

    @property
    def leader_seat(self) -> str | None:
        """The leader that is heard, itself if it leads; None if none is."""

    @property
    def is_leaderless(self) -> bool:
        """Whether no leader, and nobody that stands, was heard for so long that an election is due. A leader without a
        lease is one itself."""

    @property
    def may_stand(self) -> bool:
        """Whether it could be elected: it is a voter, has its memory, and its priority is not 0."""

    def nominate(self) -> None:
        """Stand as soon as the promises allow. Raises election.machine.Refusal if it cannot."""
