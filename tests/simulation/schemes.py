"""Chains of events that chance brings about too seldom: each is the story that one rule was made for.

A scheme begins at a strike of the adversary, waits for somebody to win where it must, and leaves the rest to chance. It
does nothing that an adversary could not do. Where the rule holds nothing comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pycache_server.election.machine import Memory
from pycache_server.repl.links import Continue

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

STALL = 500.0
"""For how long, in milliseconds, a leader that a scheme slows down needs for the entries of its own epoch."""


class Schemes:
    """The schemes, of which one is played at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.strikes: dict[str, Callable[[], None]] = {
            "eight": self.figure_eight,
            "two": self.two_changes,
            "bounce": self.bounce_all,
            "freeze": self.freeze,
            "late": self.late,
            "drift": self.drift,
            "give": self.give,
            "force": self.force,
        }
        self._at_win: Callable[[Host], None] | None = None
        self._at_beat: Callable[[Host], None] | None = None
        self._is_deafened = False
        self._slowed: Host | None = None

    # What the world tells.

    def won(self, host: Host) -> None:
        """A node has begun to lead; nothing that it says is on the way yet."""
        if self._at_win is not None and self.world.chaos:
            then, self._at_win = self._at_win, None
            then(host)

    def beats(self, host: Host) -> None:
        """A leader's heartbeat is about to leave."""
        if self._at_beat is not None and self.world.chaos:
            then, self._at_beat = self._at_beat, None
            then(host)

    def gives_up(self, host: Host) -> None:
        """A leader tells another to take over; that is not on the way yet."""
        if self._is_deafened and self.world.chaos:
            self._is_deafened = False
            self.world.network.blocked |= {(other.index, host.index) for other in self.world.hosts if other is not host}
            self._after(1500, self._heal)

    def splits(self, source: Host, message: Any) -> int | None:
        """Behind how many entries what the slowed leader sends is torn apart: behind those of earlier epochs."""
        if source is not self._slowed or not isinstance(message, Continue):
            return None
        older = sum(entry.epoch < message.epoch for entry in message.entries)
        return older if 0 < older < len(message.entries) else None

    # The small parts.

    def _is_ready(self, voters: int) -> bool:
        """Whether so many nodes are there, whole and in touch."""
        world = self.world
        return len(world.hosts) == voters and not world.network.blocked and all(host.whole for host in world.hosts)

    def _block(self, one: Iterable[Host], other: Iterable[Host]) -> None:
        pairs = {(a.index, b.index) for a in one for b in other if a is not b}
        self.world.network.blocked |= pairs | {(b, a) for a, b in pairs}

    def _heal(self) -> None:
        if self.world.chaos:
            self.world.network.blocked.clear()

    def _end(self) -> None:
        self._at_win = self._slowed = None
        self._heal()

    def _after(self, delay: float, call: Callable[..., None], *arguments: Any) -> None:
        """Go on after a while, unless the run has come to its end."""
        self.world.after(delay, self._go_on, call, arguments)

    def _go_on(self, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if self.world.chaos:
            call(*arguments)

    # Figure 8 of Raft: an entry of an older epoch on a majority.

    def figure_eight(self) -> None:
        """A leader leaves entries with one follower. One of the others wins, and dies with nothing but its mark. That
        follower wins, and a majority gets the old entries from it, but not yet its own. It dies, and the second comes
        back, whose mark is of a later epoch than those entries."""
        leader = self.world.leader()
        if leader is None or not self._is_ready(5):
            return
        holder, *rest = self.random.sample([host for host in self.world.hosts if host is not leader], 4)
        self.world.say("figure 8", leader.seat, holder.seat)
        self._block((leader, holder), rest)
        self._at_win = lambda host: self._second_wins(leader, holder, host)
        for host in rest[:1]:
            self._after(400, self.world.adversary.nominate, host, 3000)
        self._after(5000, self._end)

    def _second_wins(self, leader: Host, holder: Host, second: Host) -> None:
        if second in (leader, holder):
            return
        self._at_win = lambda host: self._holder_wins(second, host)
        self._after(0.1, second.crash)
        self._after(0.2, leader.crash)
        self._after(0.3, self._heal)
        self._after(5, self.world.adversary.nominate, holder, 3000)
        self._after(4500, leader.start)
        self._after(4500, second.start)

    def _holder_wins(self, second: Host, third: Host) -> None:
        self._slowed = third
        self._after(self.random.uniform(60, 200), self._third_dies, second, third)

    def _third_dies(self, second: Host, third: Host) -> None:
        for connection in list(third.connections.values()):
            self.world.network.break_link(connection)
        third.crash()
        self._slowed = None
        self._after(4000, third.start)
        second.start()
        self.world.adversary.nominate(second, 3000)

    # Changes of the voters by two leaders, of which neither knows the other's.

    def two_changes(self) -> None:
        """A leader of four removes a voter, which nobody hears. The others elect one that removes the old leader, and
        then the remaining two of either set must not be enough for their own."""
        leader = self.world.leader()
        if leader is None or not self._is_ready(4) or len(leader.member.voters) != 4:
            return
        first, second, third = self.random.sample([host for host in self.world.hosts if host is not leader], 3)
        self.world.say("two changes", leader.seat, first.seat, second.seat, third.seat)
        self._block((leader,), (first, second, third))
        self._remove(leader, third)
        self._at_win = lambda host: self._other_wins(leader, first, second, host)
        self._after(900, self.world.adversary.nominate, third, 3000)
        self._after(4000, self._end)

    def _other_wins(self, leader: Host, first: Host, second: Host, winner: Host) -> None:
        if winner is leader:
            return
        alone = second if winner is first else first
        self._remove(winner, leader)
        self.world.network.blocked.clear()
        apart = (leader, alone)
        self._block(apart, [host for host in self.world.hosts if host not in apart])

    def _remove(self, leader: Host, seat: Host) -> None:
        leading = leader.member.leading
        assert leading is not None
        self.world.adversary.attempt(leading.changes.remove, seat.seat, leading.epoch, leader.clock())
        leader.settle()

    # The lease.

    def bounce_all(self) -> None:
        """The leader is cut off, and all others start anew, at once eager: none remembers its promise."""
        leader = self.world.leader()
        others = [host for host in self.world.hosts if host is not leader]
        if leader is None or not all(host.whole for host in others) or self.world.network.blocked:
            return
        self.world.say("all forget", leader.seat)
        self.world.clients.writers_rest = True
        self._after(40, self._bounce_now, leader, others)

    def _bounce_now(self, leader: Host, others: list[Host]) -> None:
        self._block((leader,), others)
        self._at_win = self._write_again
        self._after(1100, self._write_again, leader)
        for host in others:
            host.crash()
            self._after(self.random.uniform(1, 20), host.start)
        eager = self.random.choice(others)
        for delay in (25, 300):
            self._after(delay, self._nominate, eager)
        self._after(self.random.uniform(1200, 2200), self._heal)

    def _nominate(self, host: Host) -> None:
        if host.up and host.member.machine.memory is Memory.WHOLE:
            self.world.adversary.nominate(host, 2000)

    def freeze(self) -> None:
        """The leader is stopped with nothing on its way, and another leads before it wakes."""
        leader = self.world.leader()
        if leader is None or leader.is_paused() or self.world.network.blocked:
            return
        self.world.clients.writers_rest = True
        self._at_win = self._write_again
        self._after(40, leader.pause, self.random.uniform(1250, 2000))
        self._after(900, self._nominate, self.random.choice([host for host in self.world.hosts if host is not leader]))
        self._after(2000, self._write_again, leader)

    def late(self) -> None:
        """What the leader says does not arrive any more, and the last acknowledgements of what did come late."""
        leader = self.world.leader()
        others = [host for host in self.world.hosts if host is not leader]
        if leader is None or self.world.network.blocked or leader.member.leading is None:
            return
        for connection in leader.connections.values():
            connection.waits_when_cut = True
        self.world.clients.writers_rest = True
        self._after(60, self._block_one_way, others, (leader,))
        self._after(180, self._block_one_way, (leader,), others)
        self._after(880, self._unblock, others, (leader,))
        self._after(1010, self._block_one_way, others, (leader,))
        self._at_win = self._write_again
        self._after(1000, self._nominate, self.random.choice(others))
        self._after(1700, self._write_again, leader)
        self._after(1900, self._heal)

    def _block_one_way(self, sources: Iterable[Host], targets: Iterable[Host]) -> None:
        self.world.network.blocked |= {(source.index, target.index) for source in sources for target in targets}

    def _unblock(self, sources: Iterable[Host], targets: Iterable[Host]) -> None:
        self.world.network.blocked -= {(source.index, target.index) for source in sources for target in targets}

    def drift(self) -> None:
        """The leader's clock is slow, those of the others are fast. It is cut off right behind a heartbeat, to which
        nothing was written, and as soon as the promises are over one of the others is eager."""
        leader, slow = self.world.leader(), self.world.hosts[0]
        if leader is None or self.world.network.blocked:
            return
        if leader is not slow:
            self.world.adversary.hand_over(leader, slow.seat)
            return
        self.world.clients.writers_rest = True
        self._after(50, self._await_beat, leader)

    def _await_beat(self, leader: Host) -> None:
        eager = self.random.choice(self.world.hosts[1:])

        def cut_off(host: Host) -> None:
            if host is leader:
                self._after(2.5, self._block, (leader,), self.world.hosts[1:])
                self._after(700, self._nominate, eager)
                self._after(self.world.timing.lease / eager.rate + 2, self._tick, eager)
                self._after(self.random.uniform(1200, 1800), self._heal)

        self._at_beat = cut_off
        self._at_win = self._write_again
        self._after(1100, self._write_again, leader)

    def _tick(self, host: Host) -> None:
        if host.up:
            host.member.tick(host.clock())
            host.settle()

    def _write_again(self, host: Host) -> None:
        self.world.clients.writers_rest = False

    # Handovers.

    def give(self) -> None:
        """Who gives up its epoch hears nothing more: neither the one that takes over, nor a vote."""
        if not self.world.network.blocked:
            self._is_deafened = True
            self.world.adversary.any_handover()

    # An operator on each side.

    def force(self) -> None:
        """The network falls apart, and on each side an operator makes a voter lead without votes."""
        world, draw = self.world, self.random
        hosts = draw.sample(world.hosts, len(world.hosts))
        at = draw.randrange(1, len(hosts))
        sides = hosts[:at], hosts[at:]
        if world.network.blocked:
            return
        self._block(*sides)
        for side in sides:
            self._after(draw.uniform(0, 300), self._force_one, side)
        self._after(draw.uniform(300, 3000), self._heal)

    def _force_one(self, side: list[Host]) -> None:
        whole = [host for host in side if host.whole and not host.is_paused() and not host.leads]
        if not whole:
            return
        host = self.random.choice(whole)
        self.world.say("forced", host.seat)
        self.world.checks.forgives = True
        host.member.machine.force(host.clock())
        host.settle()
