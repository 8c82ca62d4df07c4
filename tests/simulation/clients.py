"""Clients: six that write and read one after the other, one of them stuck on an address, two at the oldest leader that
anybody takes for one, one that reads followers. They never send again what has got no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pycache_server.repl.commit import ALL, ASYNC, QUORUM
from pycache_server.repl.leading import Verdict

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World


@dataclass(eq=False)
class Client:
    """One client; a request at a time."""

    index: int
    target: int = 0
    number: int = 0
    last: int = -1
    """Where its newest acknowledged write ends."""

    @property
    def stuck(self) -> bool:
        return self.index == 1

    @property
    def oldest(self) -> bool:
        return self.index == 0


class Token(NamedTuple):
    """A request: what must hold for its answer."""

    number: int
    kind: str
    level: int
    offset: int
    floor: int


class Clients:
    """All of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.hot = world.config.hot
        self.all = [Client(index) for index in range(6)]
        self.first_answer: float | None = None
        """When a leader of a later epoch than ``awaited`` has first acknowledged a write."""
        self.awaited = 0
        self.gap_from: tuple[float, str] | None = None
        """Since when a handover keeps clients waiting, and whose epoch it ends."""
        self.gaps: list[float] = []
        self.writers_rest = False
        """Whether nobody writes for a while, where requests come fast."""
        self.handed_over = 0
        """The epoch that the newest handover ends."""
        for client in self.all:
            world.after(self.random.uniform(300, 900), self.next, client, 0)

    def next(self, client: Client, number: int) -> None:
        if number != client.number:
            return
        client.number += 1
        kind = self._choose(client)
        if kind is None:
            self.fail(client, client.number)
            return
        target = self.random.randrange(len(self.world.hosts)) if kind == "follower" else client.target
        floor = self.world.checks.answered.offset
        self.world.after(
            self.random.uniform(0.5, 4 if self.hot else 8), self.arrive, target, client, client.number, kind, floor
        )
        self.world.after(1500, self.next, client, client.number)

    def _choose(self, client: Client) -> str | None:
        draw = self.random.random
        kind = "read" if draw() < 0.5 else "write"
        if client.index == 3 and draw() < 0.6:
            kind = "follower"
        leaders = [host for host in self.world.hosts if host.up and (host.leads or host.hands_over)]
        if leaders and not client.stuck and client.index < 3:
            client.target = (min if client.oldest else max)(leaders, key=lambda host: host.epoch).index
        if self.hot and leaders and self.world.chaos:
            # Readers stay with the oldest; writers never write at a leader that is cut off.
            reads = client.index < 2
            client.target = (min if reads else max)(leaders, key=lambda host: host.epoch).index
            kind = "read" if reads else "write"
            if not reads and (self.writers_rest or self.world.network_cuts(client.target)):
                return None
        return kind

    def fail(self, client: Client, number: int) -> None:
        """A request has got no answer, or a refusal: another node may know better."""
        if not client.stuck:
            client.target = self.random.randrange(len(self.world.hosts))
        if client.number == number:
            wait = self.random.uniform(2, 20) if self.hot else self.random.uniform(20, 120)
            self.world.after(wait, self.next, client, number)

    def succeed(self, client: Client, number: int) -> None:
        if client.number == number:
            wait = self.random.uniform(1, 12) if self.hot else self.random.uniform(10, 90)
            self.world.after(wait, self.next, client, number)

    def arrive(self, index: int, client: Client, number: int, kind: str, floor: int) -> None:
        host = self.world.hosts[index]
        if host.up and host.is_paused():
            self.world.after(host.until_awake(), self.arrive, index, client, number, kind, floor)
        elif not host.up:
            self.fail(client, number)
        elif kind == "follower" and host.follows_whole:
            if host.member.can_read():
                self.world.checks.follower_reads(host)
                self.succeed(client, number)
            else:
                self.fail(client, number)
        else:
            self._at_leader(host, client, number, kind, floor)

    def _at_leader(self, host: Host, client: Client, number: int, kind: str, floor: int) -> None:
        now = self.world.planted.request_clock(host)
        level = self._level(client)
        verdict = host.member.admit(kind == "write", level, now)
        data = b"INCR %d %d" % (client.index, number)
        leading = host.member.leading
        if verdict is Verdict.SERVE and leading:
            if kind == "write":
                end = host.member.log.end + len(data)
                leading.write(data, level, client, Token(number, kind, level, end, floor), now)
            else:
                token = Token(number, "read", level, leading.newest_write, floor)
                leading.read(level, client, token, now)
            host.settle()
        elif self.world.planted.serves_read(host, kind):
            self.reply(host, client, Token(number, "read", level, host.member.log.end, floor))
        else:
            if kind == "write":
                self.world.checks.refused.add(data)
            self.fail(client, number)

    def _level(self, client: Client) -> int:
        if client.index == 4 and self.random.random() < 0.1:
            return ALL
        if client.index == 5 and self.random.random() < 0.05:
            return ASYNC
        return QUORUM

    def reply(self, host: Host, client: Client, token: Token) -> None:
        checks = self.world.checks
        if token.level == ASYNC:
            pass  # as safe as in Redis
        elif token.kind == "read":
            checks.answers_read(host, token.offset, token.floor)
        else:
            checks.answers_write(host, token.offset, token.floor)
            self._note_write(host, client, token)
        self.succeed(client, token.number)

    def _note_write(self, host: Host, client: Client, token: Token) -> None:
        if token.offset <= client.last and not self.world.checks.forgives:
            self.world.checks.bad("the counter of a client went back", client.index)
        client.last = token.offset
        now = self.world.time
        if self.first_answer is None and host.epoch > self.awaited:
            self.first_answer = now
        if self.gap_from and host.seat == self.gap_from[1]:
            self._not_handed_over(host)
        elif self.gap_from:
            gap, self.gap_from = now - self.gap_from[0], None
            self.gaps.append(gap)
            bound = self.world.config.handover_bound
            if bound is not None and gap > bound:
                self.world.checks.bad("a handover took too long", gap)

    def _not_handed_over(self, host: Host) -> None:
        """The old leader answers: the handover was called off, or it is not that far yet, or it has failed."""
        leading = host.member.leading
        if host.epoch > self.handed_over and self.world.config.handover_bound is not None:
            self.world.checks.bad("a handover failed", host.seat)
        if leading is None or leading.handover is None:
            self.gap_from = None

    def await_epoch(self, ended: int) -> None:
        """Note when a write is first acknowledged in a later epoch than the one that has ended."""
        self.first_answer, self.awaited, self.gap_from = None, ended, None

    def begin_handover(self, host: Host) -> None:
        self.gap_from = (self.world.time, host.seat)
        self.handed_over = host.epoch
