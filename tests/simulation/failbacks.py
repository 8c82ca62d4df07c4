"""What failback owes, checked where it is offered, with what only the simulation knows: how far the preferred voter
really is, and when the last one was, whoever has offered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.repl.failback import Failback

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

PREFERRED = "n0"
DELAY = 400.0
INTERVAL = 4000.0
_BEATS_IN_STEP = 3
"""At so many heartbeats in a row the preferred voter had all that there was at the one before: DELAY, less one that
clocks may take."""
_SOON = 800.0
"""Nobody is elected against a leader's promise so soon."""
_EARLY = 0.9
"""Clocks and heartbeats are not exact."""


class Failbacks:
    """All failbacks of a run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.times: list[float] = []
        """When they were begun."""
        self._newest: dict[str, float] = {}
        self._ends: dict[str, int] = {}
        self._in_step: dict[str, int] = {}
        self._given_up_at = -1.0
        """When a leader gave its epoch up last, in a handover."""
        self._unstable = 0
        self._led_since: float | None = None

    def beat(self, host: Host, end: int) -> None:
        """A leader has appended a heartbeat."""
        if self.world.config.preferred:
            target = self.world.by_seat[PREFERRED]
            is_in_step = target.most_acked[1] >= self._ends.get(host.start_id, end)
            self._in_step[host.start_id] = self._in_step.get(host.start_id, 0) + 1 if is_in_step else 0
            self._ends[host.start_id] = end

    def won(self, host: Host) -> None:
        """Somebody leads. What was not kept for an interval was for nothing."""
        now = self.world.time
        if host.seat == PREFERRED:
            if self.times and now - self.times[-1] < _SOON and self._given_up_at < self.times[-1]:
                self.world.checks.bad("a failback without a handover", host.epoch)
            self._led_since = now
            if self.world.config.flaps and self.world.chaos:
                self.world.after(self.world.random.uniform(600, 1500), self._die, host)
        elif self._led_since is not None:
            self._unstable = 0 if now - self._led_since >= INTERVAL * _EARLY else self._unstable + 1
            self._led_since = None

    def _die(self, host: Host) -> None:
        if self.world.chaos and host.leads:
            self.world.adversary.restart_after(host, self.world.random.uniform(1, 700))

    def gives_up(self) -> None:
        """A leader has handed its epoch over."""
        self._given_up_at = self.world.time

    def begins(self, host: Host) -> None:
        """A leader has begun a handover to the preferred voter."""
        world = self.world
        target = world.by_seat[PREFERRED]
        if target.epoch <= host.epoch and self._in_step.get(host.start_id, 0) < _BEATS_IN_STEP:
            world.checks.bad("failback to one who is behind", target.most_acked, host.member.log.end)
        self._check_rate(host)
        self.times.append(world.time)
        self._newest[host.start_id] = world.time
        world.clients.begin_handover(host)

    def _check_rate(self, host: Host) -> None:
        """Once in an interval by who has begun the last; where all have seen all, twice as long after each failure."""
        wait, last = INTERVAL, self._newest.get(host.start_id)
        if self.world.config.flaps and self.times:
            wait, last = INTERVAL * 2.0 ** max(min(self._unstable - 1, 6), 0), self.times[-1]
        if last is not None and self.world.time - last < wait * _EARLY:
            self.world.checks.bad("failbacks in a row", *self.times, self.world.time)


def watched(base: type[Failback], world: World) -> type[Failback]:
    """The failback of the product, or one that lacks a rule, watched."""

    class WatchedFailback(base):  # type: ignore[misc,valid-type]
        def offer(self, leading: Any, now: float) -> None:
            before = self._not_before
            super().offer(leading, now)
            if self._not_before > before:
                world.failbacks.begins(world.by_seat[leading._member.seat])

    return WatchedFailback
