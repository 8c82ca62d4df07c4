"""Who strikes: faults at random moments, and traps right after a vote, a win or a handover, where protocols break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.election.machine import Refusal
from pycache_server.election.messages import Vote

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World


class Adversary:
    """All that goes wrong. Disks are lost one at a time, unless the configuration says that more may be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        steady = world.config.steady
        self.pace = 1 if steady else self.random.choice([1, 1, 2.5])
        self.limit = (world.config.voters - 1) // 2
        self._strikes: dict[str, Any] = {
            "crash": self.crash,
            "clean": self.clean,
            "lost": self.lost,
            "killq": self.kill_majority,
            "roll": lambda host: self.roll(0),
            "pause": self.pause,
            "part": lambda host: self.cut(host, one_way=False),
            "oneway": lambda host: self.cut(host, one_way=True),
            "handover": lambda host: self.any_handover(),
            "sentinel": self.sentinel,
            "replace": lambda host: self.replace(self.world.leader()),
            "fresh": lambda host: self.lose_learner(),
            "lease": lambda host: self.lease_edge(),
            "engine": lambda host: self.world.engine.strike(),
            "lostiso": lambda host: self.lose_isolated(),
            **{name: lambda host, scheme=scheme: scheme() for name, scheme in world.schemes.strikes.items()},
            "forget": lambda host: self.world.forgotten.strike(host),
        }

    @property
    def hosts(self) -> list[Host]:
        return self.world.hosts

    def strike(self) -> None:
        world, draw = self.world, self.random
        if not world.chaos:
            return
        world.after(draw.uniform(*world.config.every) * self.pace, self.strike)
        kinds = world.config.faults
        kind = draw.choices(list(kinds), list(kinds.values()))[0]
        busy = world.network.blocked or any(host.paused_until > world.time - 700 for host in self.hosts)
        if world.config.steady and busy:
            return
        leader = world.leader()
        host = leader if leader and draw.random() < 0.45 else draw.choice(self.hosts)
        self._strikes[kind](host)

    def is_safe(self) -> bool:
        """Whether one more may lose its memory."""
        config = self.world.config
        return config.aof or config.over or self.world.weak() < self.limit

    def downtime(self) -> float:
        return self.random.uniform(30, 2500) if self.random.random() < 0.8 else self.random.uniform(1, 30)

    # Crashes.

    def crash(self, host: Host) -> None:
        if host.up and (self.is_safe() or not host.whole):
            self.restart_after(host, self.downtime())

    def clean(self, host: Host) -> None:
        if host.whole:
            self.restart_after(host, self.downtime(), clean=True)

    def lost(self, host: Host) -> None:
        if host.up and (self.world.weak() < self.limit or not host.whole):
            self.restart_after(host, self.downtime(), lost=True)

    def lose_learner(self) -> None:
        """A seat that the leader does not count among the voters, and has committed that, comes back with nothing."""
        leader = self.world.leader()
        if leader is None or leader.member.leading is None:
            return
        voters = leader.member.settled_voters(leader.clock())
        others = [host for host in self.hosts if voters and host.up and host.seat not in voters]
        if others:
            self.restart_after(self.random.choice(others), self.downtime(), lost=True)

    def restart_after(self, host: Host, delay: float, **how: bool) -> None:
        host.crash(**how)
        self.world.after(delay, host.start)

    def kill_majority(self, host: Host) -> None:
        voters = self.world.config.voters
        for victim in self.random.sample(self.hosts[:voters], voters // 2 + 1):
            self.restart_after(victim, self.random.uniform(30, 2500))

    def roll(self, index: int) -> None:
        world = self.world
        if index >= world.config.voters or not world.chaos:
            return
        host = self.hosts[index]
        if world.weak() == 0 and host.up:
            self.restart_after(host, self.random.uniform(50, 300), clean=self.random.random() < 0.5)
            world.after(600, self.roll, index + 1)
        else:
            world.after(200, self.roll, index)

    def pause(self, host: Host) -> None:
        nominated = any(other.up and other.member.machine.nominated_until for other in self.hosts)
        if host.up and not (self.world.config.steady and nominated):
            host.pause(self.random.uniform(50, self.world.config.longest_pause))

    def at_persist(self, host: Host) -> None:
        """The process may die between what it writes and what it says."""
        world = self.world
        may = world.chaos and world.config.net and world.config.aof and not world.config.hot
        if may and self.random.random() < 0.004:
            self.restart_after(host, self.random.uniform(5, 500))

    # The network.

    def cut(self, host: Host, one_way: bool) -> None:
        draw, nodes = self.random, range(len(self.hosts))
        side = set(draw.sample(nodes, draw.randint(1, len(nodes) - 1))) if draw.random() < 0.6 else {host.index}
        leader = self.world.leader()
        if self.world.config.steady:
            side = {draw.choice([node for node in nodes if leader is None or node != leader.index])}
        pairs = {(one, other) for one in side for other in nodes if other not in side}
        if not one_way:
            pairs |= {(other, one) for one, other in pairs}
        elif draw.random() < 0.5:
            pairs = {(other, one) for one, other in pairs}
        if draw.random() < 0.25:
            pairs = {pair for pair in sorted(pairs) if draw.random() < 0.6}
        self.block(pairs, draw.uniform(200, 4000))

    def block(self, pairs: set[tuple[int, int]], duration: float) -> None:
        self.world.say("cut", sorted(pairs))
        self.world.network.blocked |= pairs
        self.world.after(duration, self.heal, pairs)

    def heal(self, pairs: set[tuple[int, int]]) -> None:
        if self.world.chaos:
            self.world.network.blocked -= pairs

    # Operators and sentinels.

    def any_handover(self) -> None:
        leader = self.world.leader()
        if leader and not leader.hands_over:
            others = [seat for seat in leader.member.voters if seat != leader.seat]
            self.hand_over(leader, self.random.choice(others or [leader.seat]))

    def hand_over(self, leader: Host, target: str) -> None:
        leading = leader.member.leading
        follower = leading.followers.get(target) if leading else None
        if leading is None or follower is None or follower.acknowledged < leader.member.log.end - 150:
            return
        self.world.say("handover", leader.seat, target)
        self.world.clients.begin_handover(leader)
        self.attempt(leading.hand_over, target, leader.clock())
        leader.settle()

    def attempt(self, call: Any, *arguments: Any) -> bool:
        """Ask for something that may be refused; whether it was not."""
        try:
            call(*arguments)
        except Refusal as refusal:
            self.world.say("refused:", refusal)
            return False
        return True

    def sentinel(self, host: Host) -> None:
        """A sentinel whose view is old: it nominates somebody, or sends the leader after somebody else."""
        if not host.up or host.is_paused() or host.member.machine.state.epoch is None:
            return
        machine = host.member.machine
        if self.random.random() < 0.5:
            if host.whole and not host.leads:
                self.nominate(host, 2000)
        elif host.leads:
            other = self.random.choice([other for other in self.hosts if other is not host])
            epoch = machine.epoch
            machine.redirect(other.seat, host.clock())
            host.settle()
            if self.world.config.steady and not host.leads and not (other.up and other.epoch > epoch):
                self.world.checks.bad("a stale sentinel deposed a healthy leader")

    def nominate(self, host: Host, duration: float) -> None:
        machine = host.member.machine
        if self.attempt(machine.nominate, host.clock()):
            self.world.say("nominated", host.seat)
            if machine.nominated_until is not None:
                machine.nominated_until = host.clock() + duration
            host.settle()

    def replace(self, leader: Host | None) -> None:
        if leader is None or leader.member.leading is None:
            return
        leading, draw = leader.member.leading, self.random
        voters, now = leader.member.voters, leader.clock()
        new = [host.seat for host in self.hosts if host.seat not in voters]
        if len(voters) < self.world.config.voters:
            self.attempt(leading.changes.add, draw.choice(new), leading.epoch, now)
        else:
            out = draw.choice([seat for seat in voters if seat != leader.seat])
            self.attempt(leading.changes.replace, out, draw.choice(new), leading.epoch, now)
        leader.settle()

    # The edges of the lease.

    def lease_edge(self) -> None:
        """Somebody is eager to lead while the leader is cut off or stopped, and other voters start anew."""
        world, draw, leader = self.world, self.random, self.world.leader()
        voters = [host for host in self.hosts if host.follows_whole and host.member.machine.is_voter]
        if leader is None or not voters:
            return
        eager = draw.choice(voters)
        self.nominate(eager, 3000)
        kind = draw.randrange(4)
        others = [host.index for host in self.hosts if host is not leader]
        pairs = {(leader.index, other) for other in others} if kind in (0, 1) else set()
        if kind in (0, 2):
            pairs |= {(other, leader.index) for other in others}
        if kind == 3:
            leader.pause(draw.uniform(800, 2500))
        self.block(pairs, draw.uniform(900, 2500))
        for host in voters:
            if host is not eager and world.config.aof and draw.random() < 0.4:
                world.after(draw.uniform(0, 900), self.bounce, host)

    def bounce(self, host: Host) -> None:
        if host.up:
            self.restart_after(host, self.random.uniform(1, 30))

    def lose_isolated(self) -> None:
        """A disk is lost while those that are whole cannot be reached from those that have no file."""
        leader, draw = self.world.leader(), self.random
        apart = {host.index for host in self.hosts if host.up and host.member.machine.state.epoch is None}
        whole = [host for host in self.hosts if host.whole and host is not leader]
        gone = sum(host.ever_whole and not host.whole for host in self.hosts)
        if not apart or not whole or gone >= self.limit:
            return
        victim = draw.choice(whole)
        self.restart_after(victim, draw.uniform(1, 30), lost=True)
        apart.add(victim.index)
        rest = [host.index for host in self.hosts if host.index not in apart]
        pairs = {(one, other) for one in apart for other in rest}
        pairs |= {(other, one) for one, other in pairs}
        self.world.network.blocked.clear()
        self.block(pairs, draw.uniform(200, 1500))

    def slow_vote(self, host: Host, epoch: int) -> None:
        """A candidate stands against a living leader: one vote comes at once, one late, and the first voter loses its
        disk in between."""
        world, draw = self.world, self.random
        old = [other for other in self.hosts if other.leads and other.epoch < epoch]
        may = world.chaos and world.config.net and "lost" in world.config.faults and world.config.voters == 5
        if not (may and old and world.weak() < 2 and draw.random() < 0.5):
            return
        leader = old[0]
        voters = [other for other in self.hosts if other.whole and other not in (host, leader)]
        if len(voters) < 3:
            return
        first, second = draw.sample(voters, 2)
        world.say("slow vote", host.seat, first.seat, second.seat)
        blocked = {(host.index, other.index) for other in self.hosts if other is not first}
        blocked |= {(leader.index, second.index), (second.index, leader.index), (leader.index, host.index)}
        world.network.blocked = set(blocked)
        vote = Vote(host.start_id, epoch, host.member.position, 0)
        world.after(14, self._lose_first, host, first, epoch)
        world.after(draw.uniform(500, 1800), self._vote_late, host, second, vote)
        world.after(2500, self.heal, blocked)

    def _lose_first(self, host: Host, first: Host, epoch: int) -> None:
        if self.world.chaos and first.up and first.epoch == epoch and self.world.weak() < 2:
            self.restart_after(first, self.random.uniform(1, 20), lost=True)
            self.world.network.blocked.add((host.index, first.index))

    def _vote_late(self, host: Host, second: Host, vote: Vote) -> None:
        self.world.network.blocked.discard((host.index, second.index))
        self.world.network.arrive(host, second, vote)

    # Traps.

    def trap(self, host: Host, kind: str, other: Host | None) -> None:
        config = self.world.config
        if self.world.chaos and not config.steady and self.random.random() < config.trap:
            self.world.after(self.random.uniform(0, 25), self._spring, host, kind, other)

    def _spring(self, host: Host, kind: str, other: Host | None) -> None:
        if not self.world.chaos or not self.world.network.lossy or not host.up:
            return
        self.world.say("trap", kind, host.seat)
        if kind == "win":
            self._after_win(host)
        elif other is not None:
            (self._after_vote if kind == "vote" else self._after_handover)(host, other)

    def _cut_off(self, side: set[int], back: bool = True) -> None:
        nodes = range(len(self.hosts))
        pairs = {(one, two) for one in side for two in nodes if two not in side}
        if back:
            pairs |= {(two, one) for one, two in pairs}
        self.block(pairs, self.random.uniform(200, 3000))

    def _after_vote(self, voter: Host, candidate: Host) -> None:
        """The voter forgets, the candidate hears but cannot speak, some stand still, the old leader is back."""
        world, draw = self.world, self.random
        old = [host for host in self.hosts if host.leads and host.epoch < voter.epoch]
        if old and draw.random() < 0.7:
            world.network.blocked.clear()
        if "lost" in world.config.faults and world.weak() < self.limit and draw.random() < 0.7:
            self.restart_after(voter, draw.uniform(1, 40), lost=True)
        elif self.is_safe():
            self.restart_after(voter, draw.uniform(1, 40))
        if draw.random() < 0.7:
            self._cut_off({candidate.index}, back=draw.random() < 0.4)
        for host in self.hosts:
            if host not in (voter, candidate, *old) and host.up and draw.random() < 0.4:
                host.pause(draw.uniform(100, 1800))

    def _after_win(self, host: Host) -> None:
        draw, world = self.random, self.world
        rivals = self._rivals(host)
        if rivals and world.config.aof and draw.random() < 0.8:
            world.after(draw.uniform(5, 200), self._figure_eight, host, draw.choice(rivals))
        elif world.config.spare and draw.random() < 0.8:
            self.replace(host)
            if host.leads:
                apart = {host.index} | {
                    self.world.by_seat[seat].index
                    for seat in host.member.voters
                    if int(seat[1:]) >= world.config.voters
                }
                some = draw.sample(host.member.voters, draw.randint(0, 2))
                self._cut_off(apart | {world.by_seat[seat].index for seat in some})
        elif draw.random() < 0.5 and self.is_safe():
            self.restart_after(host, draw.uniform(20, 1500))
        else:
            nodes = range(len(self.hosts))
            self._cut_off({host.index, *draw.sample(nodes, draw.randint(0, world.config.voters // 2))})

    def _rivals(self, host: Host) -> list[Host]:
        """Figure 8 of Raft: who holds entries of a later epoch than what the winner sends again."""
        if not host.leads:
            return []
        table = host.member.log.epochs.table
        own = next((epoch for epoch, _ in reversed(table) if epoch < host.epoch), 0)
        return [other for other in self.hosts if other is not host and own < last_epoch(other) < host.epoch]

    def _figure_eight(self, host: Host, rival: Host) -> None:
        if self.world.chaos:
            self.world.say("figure 8", host.seat, rival.seat)
            self.restart_after(host, self.random.uniform(2500, 4500))
            self.world.network.blocked.clear()
            rival.start()

    def _after_handover(self, leader: Host, target: Host) -> None:
        kind = self.random.randrange(4)
        if kind == 0:
            self._cut_off({leader.index})
        elif kind == 1:
            self._cut_off({target.index})
        elif kind == 2:
            leader.pause(self.random.uniform(300, 2500))
        elif self.is_safe() and target.up:
            self.restart_after(target, self.random.uniform(20, 2500))


def last_epoch(host: Host) -> int:
    """The epoch of the last entry that a node holds, if only on its disk."""
    if host.up:
        return host.member.position.epoch
    if host.disk is None:
        return 0
    entries = host.disk.entries
    table = host.disk.base.table
    return entries[-1].epoch if entries else table[-1][0] if table else 0
