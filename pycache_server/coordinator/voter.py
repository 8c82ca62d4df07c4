"""The group as a coordinator sees it (group.py), read from the machine of its voter."""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.election.machine import Machine, Role


class Voter:
    """The voter of this process, of which there may not be more yet than its seat. ``voters`` gives the seats after the
    newest change, ``machine`` the machine; ``holds_lease`` tells at a time whether it leads under its lease; ``clock``
    is the monotonic one that the machine is told, in milliseconds."""

    def __init__(
        self,
        seat: str,
        voters: Callable[[], tuple[str, ...]],
        machine: Callable[[], Machine],
        holds_lease: Callable[[float], bool],
        clock: Callable[[], float],
    ) -> None:
        self.on_role_change: list[Callable[[], None]] = []
        self.seat = seat
        self._voters = voters
        self._machine = machine
        self._holds_lease = holds_lease
        self._clock = clock

    @property
    def voters(self) -> tuple[str, ...]:
        """The seats of all voters, after the newest change."""
        return self._voters()

    @property
    def epoch(self) -> int:
        """The highest epoch that it has promised."""
        return self._machine().epoch

    @property
    def leads(self) -> bool:
        """Whether it leads, under its lease."""
        return self._machine().role is Role.LEADER and self._holds_lease(self._clock())

    @property
    def leader_seat(self) -> str | None:
        """The leader, as long as it is heard."""
        return None if self.is_leaderless else self._machine().leader

    @property
    def is_leaderless(self) -> bool:
        """Whether an election is due."""
        machine, now = self._machine(), self._clock()
        if machine.role is Role.LEADER:
            return not self._holds_lease(now)
        return now - machine.silent_since > machine.timing.down_after

    @property
    def may_stand(self) -> bool:
        """Whether it could be elected."""
        return self._machine().may_stand()

    def nominate(self) -> None:
        """Stand as soon as the promises allow. Raises Refusal."""
        self._machine().nominate(self._clock())
