"""A leader's epoch: what it appends, who has it, what is committed, and what may be answered.

One object is one epoch of one leader; with it go the links of the followers, the lease and the replies that wait, and
nothing of an epoch can survive it by being forgotten somewhere.

- Nothing is committed by counting until an entry of this epoch is on a majority: then all before it is (Raft, 5.4.2).
- Answers leave under the lease only, which only voters renew that acknowledge heartbeats (election/lease.py).
- A follower that acknowledges nothing is hung up on: a leader that cannot hear must not keep its followers quiet.
- In a planned handover it writes nothing more, heartbeats neither, until the target holds all; then it is over.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pycache_server.election.actions import Log, Send
from pycache_server.election.lease import Lease
from pycache_server.election.machine import Refusal
from pycache_server.election.messages import Hello
from pycache_server.election.rounds import majority
from pycache_server.repl import entries
from pycache_server.repl.actions import Close, Hangup, Reply
from pycache_server.repl.changes import VoterChanges
from pycache_server.repl.commit import ALL, ASYNC, Acks, count_acks
from pycache_server.repl.entries import Entry
from pycache_server.repl.epochs import common_end
from pycache_server.repl.held import HeldReplies
from pycache_server.repl.links import Ack, Append, Continue, FromFollower, Image, Link, Stand, Sync
from pycache_server.repl.links import Refusal as Refused

if TYPE_CHECKING:
    from pycache_server.repl.member import Member


ON_ITS_WAY: Final = 3
"""What was appended within so many heartbeats is on its way: who has all before it is in step."""
IN_STEP: Final = 5
"""For so many heartbeats in a row a follower is in step before it may become a voter."""


class Verdict(Enum):
    """Whether a request may be executed now."""

    SERVE = "serve"
    ISOLATED = "isolated"
    """No lease, or no leader: role:slave to INFO and ROLE, so that others look elsewhere."""
    PAUSED = "paused"
    """A handover holds writes: they wait for its end, which comes within half a second."""
    TOO_FEW = "too few"
    """-NOREPLICAS: a definite no, nothing was executed."""


class Follower:
    """One link to a follower."""

    __slots__ = ("acknowledged", "durable", "heard", "in_step", "link", "stands")

    def __init__(self, link: Link, now: float, stands: bool) -> None:
        self.link = link
        self.stands = stands
        """Whether it may lead."""
        self.acknowledged = 0
        self.durable = 0
        """Up to where it has said last that its file is on the disk."""
        self.heard = now
        self.in_step = 0
        """For how many heartbeats in a row it has had all but what is on its way."""


class Handover(NamedTuple):
    """A planned handover that has not given up anything yet."""

    target: str
    since: float


class Leading:
    """One epoch."""

    lease_class = Lease
    changes_class = VoterChanges

    def __init__(self, member: Member, now: float) -> None:
        self._member = member
        self._log = member.log
        self._timing = member.timing
        self.epoch = member.machine.epoch
        self.followers: dict[str, Follower] = {}
        self.lease = self.lease_class(member.timing)
        self.held = HeldReplies()
        self.handover: Handover | None = None
        self.changes = self.changes_class(self._log, self.append, self.has_committed, self.keeps_up, self._tell)
        self._ends: deque[int] = deque(maxlen=ON_ITS_WAY)
        self.began = self._log.end
        """Where its own entries begin."""
        self.newest_write = self.began
        """What a read may have seen at most."""

    # Entries.

    def open(self, now: float) -> None:
        """Begin the epoch with its mark, which commits what was before it."""
        self.append(entries.mark(self.epoch, self._member.seat, self._member.draw_id()), now)
        self.newest_write = self._log.end
        self.tick(now)

    def append(self, entry: Entry, now: float) -> int:
        """Put an entry of this epoch at the end and send it to all followers; its end is the answer. A leader has
        executed what it appends."""
        first = self._log.end
        self._member.keep((entry,))
        self._log.applied = self._log.end
        message = Append(self.epoch, first, (entry,), self._log.commit)
        for follower in self.followers.values():
            self._member.say(follower.link, message)
        if self.acks().needed <= 0:
            self.count(now)
        return self._log.end

    def tick(self, now: float) -> None:
        """Time has passed: a heartbeat, and what takes too long."""
        for seat, follower in list(self.followers.items()):
            if self.is_deaf(follower, now):
                self.hang_up(seat)
        if self.handover and self.is_overdue(self.handover, now):
            self.handover = None
        self._note_steps()
        if not self.handover:
            self.lease.sent(self.append(entries.beat(self.epoch), now), now)
        self._member.failback.look(self, self._member.seat, now)
        if self._member.leading is not self:  # handed over
            return
        for seat in self._member.whom_to_greet():
            if seat not in self.followers:
                self._member.actions.append(Send(seat, Hello(self.epoch)))
        for held in self.held.take_late(now):
            self._member.actions.append(Hangup(held.client, held.token))
        self.changes.proceed(now)

    def _note_steps(self) -> None:
        least = self._ends[0] if len(self._ends) == ON_ITS_WAY else self._log.end
        for follower in self.followers.values():
            follower.in_step = follower.in_step + 1 if follower.acknowledged >= least else 0
        self._ends.append(self._log.end)

    def keeps_up(self, seat: str) -> bool:
        """Whether a seat follows, is whole, and has had all but what is on its way for some heartbeats."""
        follower = self.followers.get(seat)
        return follower is not None and follower.in_step >= IN_STEP

    def catching_up(self) -> list[str]:
        """The seats of voters that follow, and lacked more than what is on its way at the last heartbeat."""
        return [seat for seat, follower in self.followers.items() if seat in self._log.voters and not follower.in_step]

    def is_indispensable(self) -> bool:
        """Whether those that are in step are no majority without this one, which others could be."""
        seat, voters = self._member.seat, self._log.voters
        others = [each for each in voters if each != seat]
        present = [each for each in others if each in self.followers and self.followers[each].in_step]
        return len(others) >= majority(len(voters)) > len(present)

    def _tell(self, text: str) -> None:
        self._member.actions.append(Log(text))

    @property
    def stream_end(self) -> int:
        """Where the history ends."""
        return self._log.end

    def is_deaf(self, follower: Follower, now: float) -> bool:
        """Whether a follower has acknowledged nothing for too long."""
        return now - follower.heard > self._timing.deaf

    # Followers.

    def step(self, link: Link, message: FromFollower, now: float) -> None:
        """A message of a follower."""
        if isinstance(message, Sync):
            self.step_sync(link, message, now)
            return
        follower = self.followers.get(link.peer)
        if follower is None or follower.link != link:
            self._member.close(link)
            return
        follower.heard = now
        if isinstance(message, Ack):
            if message.offset > self._log.end:
                del self.followers[link.peer]
                self._member.distrust(
                    link, f"it has acknowledged {message.offset}, and the history ends at {self._log.end}"
                )
                return
            follower.acknowledged = max(follower.acknowledged, message.offset)
            follower.durable = message.durable
            self.count(now)
        elif isinstance(message, Refused):
            self.hang_up(link.peer)
            self._member.machine.hear_of(link.peer, message.epoch, now)

    def step_sync(self, link: Link, sync: Sync, now: float) -> None:
        """A follower comes: it goes on from where its history parts from this one, or gets an image."""
        if self._member.machine.is_above(sync.epoch):
            self._member.close(link)
            self._member.machine.hear_of(link.peer, sync.epoch, now)
            return
        self.hang_up(link.peer)
        self.followers[link.peer] = Follower(link, now, sync.stands)
        self._member.machine.supply(link.peer)
        log = self._log
        cut = self.cut_for(sync)
        missing = log.since(cut) if sync.whole and self.can_continue(sync, cut) else None
        if missing is not None:
            self._member.say(link, Continue(self.epoch, cut, tuple(missing), log.commit))
        else:
            self.send_image(link, cut)

    def cut_for(self, sync: Sync) -> int:
        """Up to where a follower's history is the leader's."""
        return common_end(self._log.epochs.table, self._log.end, sync.table, sync.end)

    def can_continue(self, sync: Sync, cut: int) -> bool:
        """Whether what the follower must drop is not in its keyspace yet."""
        return sync.applied <= cut

    def send_image(self, link: Link, cut: int) -> None:
        """Send a whole data set, perhaps one begun for another follower, and what was appended since."""
        log = self._log
        picture = self._member.pictures.take(self.epoch, log.base)
        self._member.say(
            link,
            Image(self.epoch, picture.table, picture.end, picture.voters, log.end, cut, log.commit, picture.data),
        )
        since = log.since(picture.end)
        if since:
            self._member.say(link, Append(self.epoch, picture.end, tuple(since), log.commit))

    def hang_up(self, seat: str) -> None:
        """Close the link of a follower, if there is one."""
        follower = self.followers.pop(seat, None)
        if follower:
            self._member.actions.append(Close(follower.link))

    # Commits.

    def acks(self) -> Acks:
        """Who has how much."""
        acknowledged = {seat: follower.acknowledged for seat, follower in self.followers.items()}
        return count_acks(self._log.voters, self._member.seat, self._log.end, acknowledged)

    def count(self, now: float) -> None:
        """Somebody has acknowledged more: commit, renew the lease, let replies leave."""
        acks = self.acks()
        self.lease.acknowledged(acks.heard_by_majority(), now)
        offset = self.offset_to_commit(acks)
        if offset > self._log.commit and self.may_commit(offset):
            self._log.learn_commit(offset)
        if self.may_answer(now):  # else they wait: the acknowledgement that renews the lease may be next
            for held in self.held.take_reached(lambda level: acks.reached(level, self._log.commit)):
                self._member.actions.append(Reply(held.client, held.token))
        self.maybe_give_up(now)

    def offset_to_commit(self, acks: Acks) -> int:
        """Up to where a majority holds the stream."""
        return acks.on_majority()

    def may_commit(self, offset: int) -> bool:
        """Only an entry of the own epoch is committed by counting."""
        return offset > self.began

    def has_committed(self) -> bool:
        """Whether an entry of this epoch is committed."""
        return self._log.commit > self.began

    def holds_lease(self, now: float) -> bool:
        """Whether nobody else can lead."""
        return majority(len(self._log.voters)) == 1 or self.lease.holds(now)

    def may_answer(self, now: float) -> bool:
        """Whether a reply that was held may still leave."""
        return self.holds_lease(now)

    # Requests.

    def admit(self, is_write: bool, level: int, now: float) -> Verdict:
        """Whether a request may be executed; ``now`` is from after it was read."""
        if not self.holds_lease(now):
            return Verdict.ISOLATED
        if is_write and self.handover:
            return Verdict.PAUSED
        if is_write and not self.has_enough(level, now):
            return Verdict.TOO_FEW
        return Verdict.SERVE

    def has_enough(self, level: int, now: float) -> bool:
        """Whether so many voters follow that a reply of this level can come to leave."""
        wanted = len(self._log.voters) - 1 if level == ALL else max(level, 0)
        live = [seat for seat, follower in self.followers.items() if not self.is_deaf(follower, now)]
        return sum(seat in self._log.voters for seat in live) >= wanted

    def append_writes(self, data: bytes, now: float) -> None:
        """What clients have written, which is executed."""
        self.newest_write = self.append(entries.write(self.epoch, data), now)

    def write(self, data: bytes, level: int, client: Any, token: Any, now: float) -> None:
        """What a client has written, which is executed: append it, and answer when it is time (Reply)."""
        self.append_writes(data, now)
        self.hold(self.newest_write, level, client, token, now)

    def read(self, level: int, client: Any, token: Any, now: float) -> None:
        """A client has read: answer when the newest write that it may have seen is as safe as one of this level."""
        self.hold(self.newest_write, level, client, token, now)

    def hold(self, offset: int, level: int, client: Any, token: Any, now: float) -> None:
        """Let a reply wait for an offset, or leave if it need not."""
        reached = offset <= self.acks().reached(level, self._log.commit)
        may_leave = level == ASYNC or (reached and self.may_answer(now))
        if may_leave and not self.held.waits(client):
            self._member.actions.append(Reply(client, token))
        else:
            self.held.hold(offset, level, client, token, now + self._member.ack_timeout)

    # A planned handover.

    def hand_over(self, target: str, now: float) -> None:
        """Let a voter take over that is nearly up to date; Refusal if it is not, or something else is going on."""
        self.check_handover(target)
        self.handover = Handover(target, now)
        self.maybe_give_up(now)

    def check_handover(self, target: str) -> None:
        """Refusal if a voter cannot take over now."""
        if target not in self.followers or target not in self._log.voters:
            raise Refusal(f"{target} is no voter that follows")
        if not self.followers[target].stands:
            raise Refusal(f"{target} never leads: its replica-priority is 0")
        if self.handover or self.changes.pending:
            raise Refusal("another change is going on")

    def is_overdue(self, handover: Handover, now: float) -> bool:
        """Whether a handover has held writes for too long."""
        return now - handover.since > self._timing.handover

    def maybe_give_up(self, now: float) -> None:
        """Give up the epoch if the target of a handover holds all of it."""
        handover = self.handover
        if handover is None or handover.target not in self.followers:
            return
        follower = self.followers[handover.target]
        if not follower.stands:  # it has come anew meanwhile, with another priority
            return
        if self.holds_all(follower):
            self._member.say(follower.link, Stand(self.epoch))
            self._member.actions.append(Log(f"Handed epoch {self.epoch} over to {handover.target}"))
            self._member.machine.give_up(handover.target, now)

    def holds_all(self, follower: Follower) -> bool:
        """Whether a follower has acknowledged the whole stream."""
        return follower.acknowledged == self._log.end

    def end(self) -> None:
        """Over: hang up on everybody. A follower that was told to stand has been told before."""
        for seat in list(self.followers):
            self.hang_up(seat)
        for held in self.held.take_all():
            self._member.actions.append(Hangup(held.client, held.token))

    def _check(self) -> None:
        self.lease._check()
        self.held._check()
        assert all(follower.acknowledged <= self._log.end for follower in self.followers.values())
        assert self._member.machine.epoch == self.epoch
