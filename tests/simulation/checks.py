"""What must hold, checked after every delivery, with a memory of all that ever was that no node has.

An entry is known by where it ends and its epoch: whoever appends it must have the same before it (log matching), so the
histories of two nodes are compared by their positions, however long they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pycache_server.election.machine import Memory
from pycache_server.election.position import NOWHERE, Position
from pycache_server.repl.entries import Entry
from pycache_server.repl.epochs import Epochs
from pycache_server.repl.group_log import GroupLog

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World


class Violation(Exception):
    """Something that must hold does not."""


class Known(NamedTuple):
    """An entry that some node has appended."""

    before: Position
    data: bytes
    digest: int


class Checks:
    """The memory, and the comparisons with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known: dict[Position, Known] = {}
        self.committed: dict[Position, int] = {NOWHERE: 0}
        """All entries that a leader has committed, in order."""
        self.committed_end = NOWHERE
        self.committed_by: dict[int, Position] = {}
        """How far the leader of each epoch has committed."""
        self.answered = NOWHERE
        """The newest acknowledged write, or write that a read has shown."""
        self.begun: dict[int, int] = {}
        """Where the histories end with which an operator has let an epoch begin (forgotten.py)."""
        self.leaders: dict[int, str] = {}
        self.votes: dict[tuple[str, int], str] = {}
        self.last_epoch = 0
        """In which a write was acknowledged last."""
        self.quiet_epoch: int | None = None
        """The epoch that nothing may end, once a steady run has found its leader."""
        self.acknowledged = self.reads = self.refused_reads = 0
        self.refused: set[bytes] = set()
        self.forgives = False
        """Whether an operator has forced somebody to lead: what was acknowledged may be lost since then, but histories
        must not mix, and no epoch has two leaders."""
        self._steps = 0

    def bad(self, kind: str, *details: Any) -> None:
        self.world.say("VIOLATION", kind, *details)
        raise Violation(kind)

    # Histories.

    def appended(self, before: Position, entry: Entry, end: int) -> None:
        """A node has put an entry at the end of its history."""
        at = Position(entry.epoch, end)
        known = self.known.get(at)
        if known is None:
            digest = self.known[before].digest if before in self.known else 0
            self.known[at] = Known(before, entry.data, hash((digest, entry.epoch, entry.data)))
            if entry.data in self.refused:
                self.bad("a refused write appears")
        elif known.before != before or known.data != entry.data:
            self.bad("two histories differ", at, known.before, before)

    def digest(self, keyspace: tuple[int, int], entries: Any) -> tuple[int, int]:
        """The keyspace after the execution of entries."""
        offset, digest = keyspace
        for entry in entries:
            offset += len(entry.data)
            digest = hash((digest, entry.epoch, entry.data))
        return offset, digest

    def digest_at(self, log: GroupLog) -> tuple[int, int]:
        """The keyspace of a leader, which has executed all of its history."""
        at = log.position
        return at.offset, self.known[at].digest if at in self.known else 0

    def holds(self, log: GroupLog, position: Position) -> bool:
        """Whether a history contains an entry."""
        table = log.epochs.table
        if log.end < position.offset:
            return False
        if table and position.offset <= self.begun.get(table[0][0], 0):
            return position in self.committed
        return log.epochs.at(position.offset) == position.epoch

    def is_committed(self, log: GroupLog, offset: int) -> bool:
        """Whether a history up to an offset is one that was committed."""
        return self.forgives or Position(log.epochs.at(offset), offset) in self.committed

    def table_on_disk(self, host: Host, saved: Any, state: Any) -> None:
        """The table in the state file must be that of the file of entries, as far as that goes."""
        end = saved.base + sum(len(entry.data) for entry in saved.entries)
        table = Epochs(state.table)
        table.cut(end)
        if table.table != saved.table:
            self.bad("the table in the state file is not that of the entries", host.seat, table.table, saved.table, end)

    # After each step.

    def after_step(self, host: Host) -> None:
        member = host.member
        if member.machine.memory is Memory.WHOLE:
            host.ever_whole = True
        self._steps += 1
        if self._steps % 64 == 0:
            member._check()

    def commits(self, host: Host) -> None:
        """A member has taken a step: what it takes for committed must be."""
        log, leading = host.member.log, host.member.leading
        epoch = leading.epoch if leading else host.led
        host.led = leading.epoch if leading else None
        if log.commit != host.seen_commit and not self.forgives:
            host.seen_commit = log.commit
            self._agree(host, log, epoch)

    def _agree(self, host: Host, log: GroupLog, led: int | None) -> None:
        if log.commit > self.committed_end.offset:
            if led is None:
                self.bad("a follower commits what no leader did", host.seat)
            if not self.holds(log, self.committed_end):
                self.bad("committed prefixes differ", host.seat)
            self._grow(Position(log.epochs.at(log.commit), log.commit))
        elif not self.is_committed(log, log.commit):
            self.bad("committed prefixes differ", host.seat, log.commit)
        if led is not None:
            self.committed_by[led] = Position(log.epochs.at(log.commit), log.commit)

    def _grow(self, at: Position) -> None:
        new = []
        while at != self.committed_end:
            if at not in self.known:
                self.bad("committed prefixes differ", at)
            new.append(at)
            at = self.known[at].before
        for position in reversed(new):
            self.committed[position] = len(self.committed)
        self.committed_end = new[0] if new else self.committed_end

    def begin_anew(self, epoch: int, old: Position, keyspace: tuple[int, int]) -> None:
        """An operator lets an epoch begin with a data set, that of a position: nothing that was committed may be
        missing."""
        self.forget_epochs(epoch)
        self._grow(old)
        first = Position(epoch, old.offset)
        self.known[first] = Known(old, b"", keyspace[1])
        self._grow(first)
        self.begun[epoch] = old.offset

    def forget_epochs(self, first: int) -> None:
        """Nobody remembers what was promised, and from an epoch on none has left an entry: they may come again."""
        self.known = {at: entry for at, entry in self.known.items() if at.epoch < first}
        self.leaders = {epoch: seat for epoch, seat in self.leaders.items() if epoch < first}
        self.votes.clear()

    def keyspace(self, host: Host) -> None:
        """A node's keyspace must be what its history says."""
        log = host.member.log
        at = Position(log.epochs.at(log.applied), log.applied)
        digest = self.known[at].digest if at in self.known else 0
        if host.keyspace != (log.applied, digest):
            self.bad("keyspace and history differ", host.seat, host.keyspace, log.applied)

    # Votes and epochs.

    def persisted(self, host: Host, before: Any, after: Any) -> None:
        if before.epoch is not None and (after.epoch is None or after.epoch < before.epoch):
            self.bad("a promise went back", host.seat)
        if after.vote is None or (after.epoch, after.vote) == (before.epoch, before.vote):
            return
        if self.votes.setdefault((host.seat, after.epoch), after.vote) != after.vote:
            self.bad("two votes in one epoch", host.seat, after.epoch)
        if host.member.machine.memory is not Memory.WHOLE:
            self.bad("a node without memory votes", host.seat)
        if host.member.position < host.most_acked:
            self.bad("voted with less than it had acknowledged", host.seat, host.member.position, host.most_acked)

    def forget_candidacies(self, seat: str) -> None:
        """A lost disk: the votes that a candidate has given itself died with it."""
        for key in [key for key, vote in self.votes.items() if key[0] == vote == seat]:
            del self.votes[key]

    def acknowledges(self, host: Host) -> None:
        position = host.member.position
        if position < host.most_acked:
            self.bad("acknowledged with less than it had acknowledged", host.seat, position, host.most_acked)
        host.most_acked = position

    def dropped(self, host: Host, epoch: int, end: int) -> None:
        """A later leader has cut a history: what it drops was never committed."""
        if epoch > host.most_acked[0] and end < host.most_acked[1]:
            host.most_acked = (0, 0)

    def leads(self, host: Host, epoch: int) -> None:
        log = host.member.log
        if self.leaders.setdefault(epoch, host.seat) != host.seat:
            self.bad("two leaders in one epoch", epoch)
        if self.forgives:
            return
        needed = max((at for of, at in self.committed_by.items() if of < epoch), default=NOWHERE)
        lost_answer = not self.holds(log, self.answered)
        if not self.holds(log, needed):
            self.bad("an acknowledged write is lost" if lost_answer else "a committed entry is lost", host.seat, epoch)
        if self.quiet_epoch is not None and epoch > self.quiet_epoch:
            self.bad("a needless failover", epoch)

    def gives_up(self, host: Host, target: Host) -> None:
        """A leader tells another to take over: it must have acknowledged all."""
        if target.epoch <= host.epoch and target.most_acked[1] < host.member.log.end:
            self.bad("a handover to one who is behind", host.seat, target.seat, target.most_acked, host.member.log.end)

    def adds_voters(self, host: Host, seats: set[str]) -> None:
        """A leader lets others vote: they must have all but what is on its way, what it had half a second ago."""
        least = host.beats[0] if host.beats else host.member.log.end
        for seat in sorted(seats):
            new = self.world.by_seat[seat]
            if new.epoch <= host.epoch and new.most_acked[1] < least:
                self.bad("a voter is added that is behind", seat, new.most_acked, least)

    def agree_at_last(self, leader: Host, hosts: list[Host]) -> None:
        """When all is well again, all that is executed is of one history: the leader's."""
        for host in hosts:
            log = host.member.log
            self.keyspace(host)
            if log.applied and not self.holds(leader.member.log, Position(log.epochs.at(log.applied), log.applied)):
                self.bad("voters differ in the end", leader.seat, host.seat, log.applied)

    # Answers.

    def answers_write(self, host: Host, offset: int, floor: int) -> None:
        log = host.member.log
        if not self.is_committed(log, offset):
            self.bad("a write is acknowledged that is not committed", host.seat)
        epoch = host.epoch
        if epoch < self.last_epoch and not self.forgives:
            self.bad("two leaders acknowledge in overlapping time", epoch, self.last_epoch)
        self.last_epoch = epoch
        self.acknowledged += 1
        self._answered(log, offset)

    def answers_read(self, host: Host, offset: int, floor: int) -> None:
        log = host.member.log
        if not self.is_committed(log, offset):
            self.bad("a read shows what is not committed", host.seat)
        if offset < floor and not self.forgives:
            self.bad("a stale read", host.seat, offset, floor)
        self.reads += 1
        self._answered(log, offset)

    def _answered(self, log: GroupLog, offset: int) -> None:
        if offset > self.answered.offset:
            self.answered = Position(log.epochs.at(offset), offset)

    def follower_reads(self, host: Host) -> None:
        log = host.member.log
        self.keyspace(host)
        if not self.is_committed(log, log.applied):
            self.bad("a follower shows what is not committed", host.seat)
        self.reads += 1
