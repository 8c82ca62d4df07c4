"""One run: a cluster, its clients and its adversary, one clock and one source of chance. A seed is a run."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pycache_server.election.machine import Memory
from pycache_server.election.state import Durable
from pycache_server.election.timing import Timing
from pycache_server.repl.actions import Execute
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.member import Picture, Saved, Settings
from tests.simulation.adversary import Adversary
from tests.simulation.checks import Checks, Violation
from tests.simulation.clients import Clients
from tests.simulation.configurations import GONE, Configuration
from tests.simulation.engine import Engine
from tests.simulation.failbacks import DELAY, INTERVAL, PREFERRED, Failbacks, watched
from tests.simulation.forgotten import Forgotten
from tests.simulation.host import EMPTY, Disk, Host
from tests.simulation.network import Network
from tests.simulation.planted import NOTHING, Planted
from tests.simulation.replacement import replace_dead
from tests.simulation.schemes import Schemes

BOUND = 12000.0
"""Milliseconds within which a group leads again, if so many voters as decide can talk."""


class World:
    """Everything there is."""

    ack_timeout = 5000.0

    def __init__(self, seed: int, config: Configuration, planted: Planted = NOTHING, trace: bool = False) -> None:
        self.config = config
        self.planted = planted
        self.trace = trace
        self.random = random.Random(seed)
        self.time = 0.0
        self.numbers = itertools.count(1)
        self.chaos = True
        self.timing = replace(Timing(), eager_retry=(8.0, 60.0)) if config.hot else Timing()
        self.member_timing = planted.timing(self.timing)
        self.base = tuple(f"n{index}" for index in range(config.voters))
        self._heap: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._events = itertools.count()
        self.checks = Checks(self)
        self.network = Network(self)
        self.schemes = Schemes(self)
        self.failbacks = Failbacks(self)
        self.adversary = Adversary(self)
        self.engine = Engine(self)
        self.forgotten = Forgotten(self)
        self.hosts = [Host(self, index) for index in range(config.voters + config.spare)]
        self.by_seat = {host.seat: host for host in self.hosts}
        self.member_class = self._member_class()
        self.settings = self._settings()
        self.ending = ""
        """How the run ends; with a star if there was no leader then whom it could have struck."""
        for host in self.hosts:
            if not config.boot and host.index < config.voters:
                host.disk = self._formed_disk(host)
            self.after(self.random.uniform(0, 1500 if config.boot else 20), host.start)
            self.after(self.random.uniform(0, 100), self._tick, host)
        self.clients = Clients(self)

    def _formed_disk(self, host: Host) -> Disk:
        disk = Disk(Durable(host.seat, f"birth{host.index}", 0, None, True), base=Picture((), 0, self.base, EMPTY))
        if not self.config.aof:
            disk.clean = (empty_history(self.base), (0, 0))
        return disk

    def _settings(self) -> Settings:
        preferred = PREFERRED if self.config.preferred else ""
        keep, wait = self.config.keep, self.ack_timeout
        settings = Settings(self.base, self.member_timing, keep=keep, ack_timeout=wait, preferred=preferred)
        return settings._replace(failback_delay=DELAY, failback_interval=INTERVAL)

    def _member_class(self) -> Any:
        """The product's member, watched: with what is planted taken away from it."""
        world, planted = self, self.planted

        class WatchedLog(planted.log):  # type: ignore[name-defined,misc]
            def append(self, entry: Entry) -> int:
                before = self.position
                end = super().append(entry)
                world.checks.appended(before, entry, end)
                return int(end)

        class WatchedLeading(planted.leading):  # type: ignore[name-defined,misc]
            def append(self, entry: Entry, now: float) -> int:
                host, before = world.by_seat[self._member.seat], self._log.voters
                if entry.kind is Kind.VOTERS:
                    world.checks.adds_voters(host, {*entry.voters} - {*before})
                self._member.actions.append(Execute((entry,)))
                end = int(super().append(entry, now))
                if entry.kind is Kind.BEAT:
                    host.beats.append(end)
                    world.schemes.beats(host)
                    world.failbacks.beat(host, end)
                return end

        class WatchedMember(planted.member):  # type: ignore[name-defined,misc]
            machine_class = planted.machine
            log_class = WatchedLog
            leading_class = WatchedLeading
            failback_class = watched(planted.failback, world)

            def lead(self, now: float) -> None:
                host = world.by_seat[self.seat]
                host.beats.clear()
                world.checks.leads(host, self.machine.epoch)
                super().lead(now)
                world.adversary.trap(host, "win", None)
                world.schemes.won(host)
                world.failbacks.won(host)

        return WatchedMember

    # Time.

    def after(self, delay: float, call: Callable[..., Any], *arguments: Any) -> None:
        heapq.heappush(self._heap, (self.time + delay, next(self._events), call, arguments))

    def run_until(self, end: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.time, _, call, arguments = heapq.heappop(heap)
            call(*arguments)
        self.time = end

    def _tick(self, host: Host) -> None:
        self.after(self.timing.heartbeat * self.random.uniform(0.9, 1.1), self._tick, host)
        if host.up and not host.is_paused():
            host.member.tick(host.clock())
            if host.candidate is not None:
                host.candidate.tick()
            host.settle()

    # What others ask.

    def say(self, *words: Any) -> None:
        if self.trace:
            print(f"{self.time:9.1f}", *words)

    def random_for(self, index: int) -> random.Random:
        return random.Random(self.random.getrandbits(32) * 8 + index)

    def leader(self) -> Host | None:
        return max((host for host in self.hosts if host.leads), key=lambda host: host.epoch, default=None)

    def weak(self) -> int:
        """How many of the first voters have not their memory."""
        return sum(not host.whole for host in self.hosts[: self.config.voters])

    def network_cuts(self, index: int) -> bool:
        cut = {node for pair in self.network.blocked if index in pair for node in pair}
        return len(cut) > self.config.voters // 2 + 1

    # One run.

    def run(self) -> float | None:
        """All of it; Violation if something does not hold. How long the first acknowledged write took after the last
        fault is the answer."""
        try:
            self.after(self.config.calm, self.adversary.strike)
            if self.config.steady:
                self.after(2900, self._note_quiet)
            self.run_until(self.config.length)
            self._heal()
            return self._end()
        except AssertionError as error:
            self.say("VIOLATION", error)
            raise Violation(f"assertion: {error}") from error

    def _note_quiet(self) -> None:
        leader = self.leader()
        self.checks.quiet_epoch = leader.epoch if leader else None

    def _heal(self) -> None:
        self.chaos = False
        self.network.blocked.clear()
        self.network.lossy = False
        self.engine.away = set(range(len(self.hosts))) if self.config.engine_ends else set()
        self.checks.quiet_epoch = None
        for host in self.hosts:
            if host.up:
                host.paused_until = min(host.paused_until, self.time + 1)
            else:
                self.after(self.random.uniform(1, 200), host.start)
        self.run_until(self.time + 230)

    def _end(self) -> float | None:
        furthest = max((host for host in self.hosts if host.up), key=lambda host: host.member.position)
        voters = [self.by_seat[seat] for seat in furthest.member.voters]
        whole = [host for host in voters if host.whole]
        needed = len(voters) // 2 + 1
        leader = self.leader()
        owed = len(whole) >= needed or self._can_come_back(leader) or self.forgotten.happens
        self.ending = self._choose_ending(len(whole) > needed)
        ended = 0
        if self.ending == "replaced":
            ended = replace_dead(self)
        elif self.ending != "healed":
            ended = self._play_ending(whole, len(whole) - needed, leader)
        self.say("ENDING", self.ending, "a leader is owed" if owed else "")
        return self._await_leader(voters, owed, ended)

    def _can_come_back(self, leader: Host | None) -> bool:
        if self.config.boot:
            return not any(host.ever_whole and not host.whole for host in self.hosts)
        return leader is not None and all(host.epoch <= leader.epoch for host in self.hosts)

    def _choose_ending(self, spare: bool) -> str:
        if self.config.replaced:
            return "replaced" if spare else "healed"
        if not spare or self.config.spare or self.config.boot:
            return "healed"
        return self.random.choice(self.config.endings)

    def _play_ending(self, whole: list[Host], count: int, leader: Host | None) -> int:
        """A fault that stays, and leaves as many whole voters as decide; the leader goes first. Its epoch, which ends,
        is the answer; 0 if none does."""
        first = [leader] if leader in whole else []
        gone = [*first, *(host for host in whole if host not in first)][: self.random.randint(1, count)]
        if self.ending == "handover":
            gone = [host for host in gone if leader and host is not leader]
            if gone and leader:
                self.adversary.hand_over(leader, gone[0].seat)
                self.run_until(self.time + self.random.uniform(0, 30))
                gone[0].crash()
        nodes = range(len(self.hosts))
        ended = leader.epoch if leader in gone and leader.member.holds_lease(leader.clock()) else 0
        for host in gone if self.ending != "handover" else []:
            if self.ending == "dead":
                host.crash()
            if self.ending in ("isolated", "deaf"):
                self.network.blocked |= {(other, host.index) for other in nodes if other != host.index}
            if self.ending in ("isolated", "mute"):
                self.network.blocked |= {(host.index, other) for other in nodes if other != host.index}
        return ended

    def _await_leader(self, voters: list[Host], owed: bool, ended: int) -> float | None:
        began = self.time
        self.clients.await_epoch(ended)
        while self.time < began + BOUND:
            self.run_until(self.time + 100)
            if self.clients.first_answer is not None and self._settled(voters, self.time - began):
                self.ending += "*" if self.ending in GONE and not ended else ""
                if self.ending == "healed" and (leader := self.leader()):
                    self.checks.agree_at_last(leader, voters)
                return self.clients.first_answer - began
        if self.clients.first_answer is not None:
            self.checks.bad("a voter is stranded", *((host.seat, host.epoch) for host in voters))
        if owed:
            self.checks.bad(f"no leader ({self.ending})", *((h.seat, h.up, h.epoch) for h in self.hosts))
        return None

    def _settled(self, voters: list[Host], since: float) -> bool:
        if self.ending != "healed":
            return True
        return since > 1500 and all(self._takes_part(host) for host in voters)

    def _takes_part(self, host: Host) -> bool:
        machine = host.member.machine
        heard = host.member.link is not None and host.clock() - machine.silent_since < 500
        return machine.memory is Memory.WHOLE and (host.leads or (heard and host.member.log.readable))


def empty_history(voters: tuple[str, ...]) -> Any:
    """What a clean shutdown has saved before anything was written."""
    return Saved((), 0, voters, ())
