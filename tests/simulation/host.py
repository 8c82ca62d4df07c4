"""One node: a process with a member and a keyspace, a disk, and a clock that is a little wrong.

The keyspace is a digest of what was executed, so that two of them are the same exactly if the same was executed. The
disk holds the state file, and, as configured, an append-only file or what a clean shutdown has saved.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pycache_server.election import actions as election
from pycache_server.election.machine import Memory, Role
from pycache_server.election.messages import VoteReply
from pycache_server.election.state import Durable, format_state, parse_state
from pycache_server.repl import actions as repl
from pycache_server.repl.entries import Entry
from pycache_server.repl.links import Ack, Link, Stand
from pycache_server.repl.member import Picture, Saved
from tests.simulation.engine import Candidate
from tests.simulation.network import Connection

if TYPE_CHECKING:
    from pycache_server.repl.member import Member
    from tests.simulation.world import World

EMPTY = (0, 0)
"""The keyspace in which nothing was executed: offset and digest."""


@dataclass
class Disk:
    """What outlives a crash."""

    state: Durable
    base: Picture
    before: Durable | None = None
    """The state before the last write, which a disk that does not sync may come back with."""
    entries: list[Entry] = field(default_factory=list)
    clean: tuple[Saved, Any] | None = None
    foreign: bool = False
    """Whether the data belong to no history that the state file speaks of: that was lost (forgotten.py)."""

    def discard(self, voters: tuple[str, ...]) -> None:
        """What was found is no part of the history that begins."""
        self.base, self.entries, self.foreign = Picture((), 0, voters, EMPTY), [], False


class Host:
    """A node; most of the time it has a member."""

    member: Member

    def __init__(self, world: World, index: int) -> None:
        self.world = world
        self.index = index
        self.seat = f"n{index}"
        drift = world.timing.drift
        self.rate = 1 + (world.random.uniform(-drift, drift) if not world.config.skewed else drift if index else -drift)
        self.up = False
        self.paused_until = 0.0
        self.woke = -99.0
        self.froze = 0.0
        self.start_id = ""
        self.candidate: Candidate | None = None
        self.disk: Disk | None = None
        self.connections: dict[Link, Connection] = {}
        self.keyspace = EMPTY
        self.picture: tuple[int, float, Picture] | None = None
        self.seen_commit = 0
        self.led: int | None = None
        """The epoch that it led before the step that it is in."""
        self.beats: deque[int] = deque(maxlen=5)
        """Where its newest heartbeats as a leader end."""
        self.ever_whole = False
        self.most_acked = (0, 0)
        """The furthest position that it has ever acknowledged."""
        self._do: dict[type, Any] = {
            election.Persist: self._persist,
            election.Send: lambda action: world.network.send(self, action.to, self._sent(action.message, action.to)),
            election.Log: lambda action: world.say(self.seat, action.text),
            repl.Connect: lambda action: world.network.connect(self, action.link),
            repl.Say: self._say,
            repl.Close: lambda action: world.network.close(self, action.link),
            repl.Keep: self._keep,
            repl.Cut: self._cut,
            repl.Execute: self._execute,
            repl.Install: self._install,
            repl.Reply: lambda action: world.clients.reply(self, action.client, action.token),
            repl.Hangup: lambda action: world.clients.fail(action.client, action.token.number),
        }

    # What it is.

    def clock(self) -> float:
        return self.world.time * self.rate

    def is_paused(self) -> bool:
        return self.paused_until > self.world.time

    def until_awake(self) -> float:
        return self.paused_until - self.world.time + self.world.random.uniform(0, 3)

    def pause(self, duration: float) -> None:
        self.froze = self.world.time
        self.paused_until = self.woke = self.world.time + duration
        self.world.say(self.seat, "pauses", duration)

    @property
    def leads(self) -> bool:
        return self.up and self.member.machine.role is Role.LEADER

    @property
    def whole(self) -> bool:
        return self.up and self.member.machine.memory is Memory.WHOLE

    @property
    def follows_whole(self) -> bool:
        return self.whole and self.member.machine.role is Role.FOLLOWER

    @property
    def epoch(self) -> int:
        return self.member.machine.epoch if self.up else (self.disk and self.disk.state.epoch) or 0

    @property
    def hands_over(self) -> bool:
        """Whether it is in the middle of a handover."""
        leading = self.member.leading
        return bool(self.member.machine.given_up or (leading and leading.handover))

    # Life and death.

    def start(self) -> None:
        if self.up:
            return
        world = self.world
        self.up, self.paused_until, self.connections, self.seen_commit, self.led = True, 0.0, {}, 0, None
        self.start_id = f"start{next(world.numbers)}"
        if self.disk is None:
            self.disk = Disk(Durable(self.seat, self.start_id), base=Picture((), 0, world.base, EMPTY))
        elif world.planted.rebirth and self.disk.state.epoch is None:
            self.disk.state = Durable(self.seat, self.start_id)
        state = parse_state(format_state(self.disk.state))
        saved = self._read_saved()
        found = self.disk.foreign and state.epoch is None
        self.member = world.member_class(
            state, world.settings, saved, self, world.random_for(self.index), self.start_id, self.clock(), found
        )
        self.candidate = Candidate(self, world.engine) if world.config.engine else None
        if not self.whole:
            self.keyspace = EMPTY
        world.say(self.seat, "starts", self.member.machine.memory, self.epoch, self.member.position)
        self.settle()

    def _read_saved(self) -> Saved | None:
        disk, table = self.disk, table_of
        assert disk is not None
        if disk.foreign:
            return None
        if self.world.config.aof:
            found = Saved(
                table(disk.base.table, disk.base.end, disk.entries),
                disk.base.end,
                disk.base.voters,
                tuple(disk.entries),
            )
            self.keyspace = self.world.checks.digest(disk.base.data, disk.entries)
            self.world.checks.table_on_disk(self, found, disk.state)
            return found
        if disk.clean is None:
            return None
        saved, self.keyspace = disk.clean
        if not self.world.planted.keeps_clean:
            disk.clean = None
        return saved

    def crash(self, clean: bool = False, lost: bool = False) -> None:
        if not self.up:
            return
        world, disk = self.world, self.disk
        assert disk is not None
        world.say(self.seat, "crashes", "cleanly" if clean else "", "and loses its disk" if lost else "")
        if clean and not world.config.aof:
            self._save()
        self.up = False
        if not clean:
            world.planted.at_crash(self)
        for link in list(self.connections):
            world.network.close(self, link)
        self.picture = None
        if lost:
            self.disk = None
            world.checks.forget_candidacies(self.seat)

    def _save(self) -> None:
        saved = self.world.planted.shutdown(self)
        if saved is None:
            return
        # The data set holds what was executed; the acknowledged entries behind it are executed when they are loaded.
        assert self.disk is not None
        end, loaded = self.keyspace[0], []
        last = saved.base + sum(len(entry.data) for entry in saved.entries)
        for entry in self.member.log.since(end) or []:
            end += len(entry.data)
            loaded += [entry] if end <= last else []
        self.disk.clean = (saved, self.world.checks.digest(self.keyspace, loaded))

    # Actions.

    def settle(self) -> None:
        """Do what the member wants done, in order; at any point of it the process may die."""
        self.world.checks.commits(self)
        taken = self.member.take_actions()
        for action in taken:
            self._do[type(action)](action)
            if not self.up:
                return
        self.world.checks.after_step(self)

    def _persist(self, action: election.Persist) -> None:
        disk = self.disk
        assert disk is not None
        self.world.checks.persisted(self, disk.state, action.state)
        if action.state.epoch != disk.state.epoch or action.state.vote != disk.state.vote:
            disk.before = disk.state
        stands = action.state.vote == self.seat and action.state.epoch != disk.state.epoch
        disk.state = action.state
        self.world.adversary.at_persist(self)
        if stands and self.up:
            self.world.adversary.slow_vote(self, action.state.epoch)

    def _sent(self, message: Any, to: str) -> Any:
        if isinstance(message, VoteReply) and message.granted:
            self.world.adversary.trap(self, "vote", self.world.by_seat[to])
        return message

    def _say(self, action: repl.Say) -> None:
        if isinstance(action.message, Ack):
            self.world.checks.acknowledges(self)
        if isinstance(action.message, Stand):
            self.world.checks.gives_up(self, self.world.by_seat[action.link.peer])
            self.world.schemes.gives_up(self)
            self.world.failbacks.gives_up()
        self.world.network.say(self, action.link, action.message)
        if isinstance(action.message, Stand):
            self.world.adversary.trap(self, "handover", self.world.by_seat[action.link.peer])

    def _keep(self, action: repl.Keep) -> None:
        if self.world.config.aof:
            assert self.disk is not None
            if self.disk.foreign:
                self.disk.discard(self.world.base)
            self.disk.entries += action.entries

    def _cut(self, action: repl.Cut) -> None:
        self.world.checks.dropped(self, self.member.machine.epoch, action.end)
        disk = self.disk
        if self.world.config.aof:
            assert disk is not None
            end = disk.base.end + sum(len(entry.data) for entry in disk.entries)
            while end > action.end:
                end -= len(disk.entries.pop().data)
            assert end == action.end, "the file ends at an entry"

    def _execute(self, action: repl.Execute) -> None:
        self._advance(action.entries)

    def _advance(self, entries: Any) -> None:
        self.keyspace = self.world.checks.digest(self.keyspace, entries)

    def _install(self, action: repl.Install) -> None:
        image = action.image
        self.world.checks.dropped(self, image.epoch, 0)
        self.keyspace = image.data
        if self.world.config.aof:
            assert self.disk is not None
            self.disk.base = Picture(image.table, image.end, image.voters, image.data)
            self.disk.entries, self.disk.foreign = [], False

    # Pictures of the keyspace.

    def take(self, epoch: int, least: int) -> Picture:
        """One that was begun for another follower, if it is new enough."""
        if self.picture:
            of, at, picture = self.picture
            if of == epoch and self.world.time - at < 500 and picture.end >= least:
                return picture
        log = self.member.log
        # Actions that come before are done before a snapshot begins.
        picture = Picture(log.epochs.table, log.end, log.voters, self.world.checks.digest_at(log))
        self.picture = (epoch, self.world.time, picture)
        return picture


def table_of(table: Any, base: int, entries: list[Entry]) -> tuple[tuple[int, int], ...]:
    """The table of a file: that of its base, and what its entries say."""
    rows, end = [row for row in table if row[1] < base], base
    for entry in entries:
        if not rows or rows[-1][0] != entry.epoch:
            rows.append((entry.epoch, end))
        end += len(entry.data)
    return tuple(rows)
