"""A voter: it follows, stands or leads, and what it says follows from what it has promised on disk.

Messages and times come in (``step``, ``tick``), actions are appended to a list that its owner takes. The machine has no
idea of bytes or links: it asks and tells the stream beneath it (stream.py), which does what it is told at once.

What it holds to (docs/design/election.md has the reasons):

- One vote in an epoch, for a candidate whose history reaches at least as far as one's own, on disk before it is told.
- First a question that changes nothing (pre-vote): who was away and comes back deposes nobody.
- A promise to the leader that was heard last (promise.py) forbids to vote for others and to stand.
- Who has lost its memory votes for nobody and does not stand, until the stream has made it whole.
- Who hears that a promise lies above its epoch stands above that; as a leader it goes on until the pre-vote carries.
- Who has given up its epoch in a handover never acts in it again; if nobody takes over it stands in a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pycache_server.election.actions import Log, Persist, Send
from pycache_server.election.forming import Forming
from pycache_server.election.messages import (
    Hello,
    Higher,
    Iam,
    Message,
    PreVote,
    PreVoteReply,
    Prove,
    Vote,
    VoteReply,
    Who,
)
from pycache_server.election.position import NOWHERE, Position
from pycache_server.election.promise import Promise
from pycache_server.election.rounds import Courtesy, PreVoteRound, Tally, majority
from pycache_server.election.state import Durable
from pycache_server.election.stream import Stream
from pycache_server.election.timing import Timing

if TYPE_CHECKING:
    from random import Random

FORCED_LEAP: Final = 1 << 32
"""By so much at most an epoch rises that is led without votes: that two such leaps are the same is next to impossible,
and 2^31 of them fit into the eight bytes of an epoch."""
PRIORITY: Final = 100
"""The usual priority (replica-priority): a smaller one stands sooner, 0 never."""


class Role(Enum):
    """What a voter does at present."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Memory(Enum):
    """What a voter knows of what it has said before."""

    NONE = "none"
    """It is in no group: new, or its file is lost."""
    RECOVERING = "recovering"
    """It knows its promises, but has not all data that it has acknowledged: it serves nothing and votes for nobody."""
    WHOLE = "whole"


class Refusal(Exception):
    """The operator asks for what this voter cannot do now; the message says why."""


class GivenUp(NamedTuple):
    """A handover in which this voter has given up its epoch."""

    target: str
    since: float
    epoch: int


class Machine:
    """The voter of one seat; ``start`` names this run of its process."""

    promise_class = Promise
    forming_class = Forming

    def __init__(
        self,
        state: Durable,
        configured: tuple[str, ...],
        stream: Stream,
        timing: Timing,
        random: Random,
        start: str,
        now: float,
        actions: list[Any],
        priority: int = PRIORITY,
        holds_data: bool = False,
    ) -> None:
        self.state = state
        self.seat = state.seat
        self.configured = configured
        self.timing = timing
        self.role = Role.FOLLOWER
        self.memory = Memory.NONE
        self.leader: str | None = None
        """Whom this voter follows; itself, if it leads."""
        self.highest = 0
        """The highest promise that was heard of."""
        self.priority = priority
        self.promise = self.promise_class(timing, now)
        self.given_up: GivenUp | None = None
        self.nominated_until: float | None = None
        self.forced = False
        """Whether an operator has made it leader without votes (GROUP FORCE), and nobody can be elected without it."""
        self._supplied: set[str] = set()
        self.may_stand_by_itself: Callable[[float], bool] = lambda now: True
        """Whether, at this time, a voter that nobody has nominated may stand when it hears no leader. A coordinator
        (coordinator/) puts its own question here; a leader that stands anew is not asked."""
        self._stream = stream
        self._random = random
        self._start = start
        self._actions = actions
        self.forming = self.forming_class(state, configured, timing, now, holds_data)
        """What it knows of the others while it is in no group."""
        self._question: PreVoteRound | None = None
        self._questions = 0
        self._tally = Tally(self.seat)
        self._heard = now
        self._patience = self.draw_patience(timing.promise)
        self._retry_at = 0.0
        self._courtesy = Courtesy(timing.courtesy)
        self._steps: dict[type, Any] = {
            Who: self.step_who,
            Iam: self.step_iam,
            PreVote: self.step_pre_vote,
            PreVoteReply: self.step_pre_vote_reply,
            Vote: self.step_vote,
            VoteReply: self.step_vote_reply,
            Hello: self.step_hello,
            Higher: self.step_higher,
            Prove: self.step_prove,
        }

    @property
    def epoch(self) -> int:
        """The highest epoch that this voter has promised; 0 while it is in no group."""
        return self.state.epoch or 0

    @property
    def is_voter(self) -> bool:
        """Whether its votes count, after the newest change in its history."""
        return self.seat in self._stream.voters

    @property
    def silent_since(self) -> float:
        """When the stream of a leader was last heard, or began to be waited for."""
        return self._heard

    # What comes in.

    def step(self, sender: str, message: Message, now: float) -> None:
        """A message of another seat, whose signature was right."""
        self._steps[type(message)](sender, message, now)

    def tick(self, now: float) -> None:
        """Time has passed; to be called about once a heartbeat."""
        if self.memory is Memory.NONE and (founder := self.forming.alone()) is not None:
            self._belong(founder)
        elif self.memory is Memory.NONE:
            question = self.forming.question(now)
            for seat in sorted(self.forming.others):
                self._send(seat, question)
        elif self.role is Role.LEADER:
            self._tick_leader(now)
        elif self.given_up:
            self.tick_given_up(self.given_up, now)
        elif not self.may_stand():
            self.seek(now)
        elif self.wants_to_stand(now):
            self.campaign(now)

    def seek(self, now: float) -> None:
        """Who may not stand, and hears no leader, asks for one: perhaps none knows of it."""
        if now - self._heard > self.timing.silent_link and now > self._retry_at:
            self._retry_at = now + self._random.uniform(*self.timing.retry)
            for seat in sorted({*self.configured, *self._stream.voters}):
                self._send(seat, Prove())

    def _tick_leader(self, now: float) -> None:
        if self.highest > self.epoch and now > self._retry_at:
            self.stand_above(now)

    def stand_above(self, now: float) -> None:
        """Somebody has promised more than this leader's epoch, and will not follow it: it stands anew, above that, and
        goes on leading until it knows that a majority would vote for it."""
        self.campaign(now)

    def tick_given_up(self, given_up: GivenUp, now: float) -> None:
        """The one that should take over has had its time: stand in a new epoch."""
        if now - given_up.since > self.timing.takeover:
            self.given_up = None
            self._retry_at = 0.0
            self.campaign(now)

    def wants_to_stand(self, now: float) -> bool:
        """Whether it is time for an election: no leader is heard, or this voter was nominated."""
        if not self.may_stand() or now <= self._retry_at or self._courtesy.is_owed(self.seat, now):
            return False
        return self.is_nominated(now) or (now - self._heard > self._patience and self.may_stand_by_itself(now))

    def may_stand(self) -> bool:
        """Whether this voter may be elected at all."""
        return self.memory is Memory.WHOLE and self.is_voter and self.priority > 0

    # Pre-votes.

    def campaign(self, now: float) -> None:
        """Ask all voters whether they would vote for this one; it stands when a majority would."""
        if not self.may_stand() or self.is_bound_itself(now):
            return
        retry = self.timing.eager_retry if self.is_nominated(now) else self.timing.retry
        self._retry_at = now + self._random.uniform(*retry)
        self.ask(now)

    def is_bound_itself(self, now: float) -> bool:
        """Whether its promise keeps this voter from standing."""
        return self.is_bound(self.seat, 0, 0, now)

    def ask(self, now: float) -> None:
        """Begin a round of pre-votes."""
        self._questions += 1
        self._question = PreVoteRound(self.seat, self._questions, max(self.epoch, self.highest))
        self._courtesy.give(self.seat, self._stream.position, now, False)
        self._broadcast(PreVote(self._start, self._questions, self._stream.position))
        self._maybe_stand(now)

    def step_pre_vote(self, sender: str, message: PreVote, now: float) -> None:
        """Somebody asks whether it would get this vote."""
        granted = self.would_vote(sender, message.position, now)
        if granted := granted and not self._courtesy.forbids(sender, message.position, now):
            self._courtesy.give(sender, message.position, now, True)
            self._question = None
        self._send(sender, PreVoteReply(message.start, message.round, granted, self.epoch, self.told_position()))

    def would_vote(self, candidate: str, position: Position, now: float) -> bool:
        """Whether a candidate could have this vote, as things are. The leader that is followed is not behind, though it
        may have told of a position and then gone on."""
        behind = self.is_behind(position) and not self.promise.is_same_leader(candidate)
        return self.can_vote() and not behind and not self.is_bound(candidate, 0, 0, now)

    def told_position(self) -> Position | None:
        """What this voter tells of its history: nothing, if it has lost some."""
        return self._stream.position if self.memory is Memory.WHOLE else None

    def step_pre_vote_reply(self, sender: str, message: PreVoteReply, now: float) -> None:
        """An answer to a round of pre-votes."""
        question = self._question
        if question is None or message.start != self._start or message.round != question.number:
            return
        question.answer(sender, message)
        furthest = question.furthest()
        if furthest and furthest[1] > self._stream.position:
            self.find_ahead(furthest[0], now)
        self._maybe_stand(now)

    def find_ahead(self, seat: str, now: float) -> None:
        """A voter is ahead: one that was nominated catches up. A leader without a lease makes way, for it cannot get
        that vote, and as long as it leads, its followers give theirs to nobody."""
        if self.is_nominated(now):
            self._stream.pull(seat, now)
        if self.role is Role.LEADER and not self._stream.holds_lease(now):
            self._actions.append(Log(f"{seat} has entries of a later epoch: leading no more"))
            self._leave_office(now)

    def _maybe_stand(self, now: float) -> None:
        if self._question and self._question.carried(self._stream.voters):
            self.stand(self._question.epoch + 1, 0, now)

    # Votes.

    def stand(self, epoch: int, transfer: int, now: float) -> None:
        """Be a candidate in an epoch, with the own vote; ``transfer`` is the epoch that its leader hands over, or 0."""
        if not self.may_stand():
            return
        self._leave(now)
        self.role, self.leader, self.given_up, self._question = Role.CANDIDATE, None, None, None
        self._tally = Tally(self.seat)
        self._promise_epoch(epoch, self.seat)
        self._courtesy.give(self.seat, self._stream.position, now, True)
        self._broadcast(Vote(self._start, epoch, self.claimed_position(), transfer))
        self._maybe_win(now)

    def claimed_position(self) -> Position:
        """By what votes are compared: how far the history reaches."""
        return self._stream.position

    def step_vote(self, sender: str, message: Vote, now: float) -> None:
        """Somebody stands."""
        if not self.can_vote():
            return
        if not self.grants(sender, message, now):
            self._send(sender, VoteReply(message.start, message.epoch, False, self.epoch))
            return
        self._leave(now)
        self.role, self.leader, self._question = Role.FOLLOWER, None, None
        self.promise.release()
        self._heard = max(self._heard, now)
        self._patience = self.draw_patience(self.timing.down_after * 0.4)
        self._promise_epoch(message.epoch, sender)
        self._courtesy.give(sender, message.position, now, True)
        self._send(sender, VoteReply(message.start, message.epoch, True, message.epoch))

    def grants(self, candidate: str, message: Vote, now: float) -> bool:
        """Whether a candidate gets this vote."""
        return (
            self.has_vote_for(candidate, message.epoch)
            and not self.is_behind(message.position)
            and not self.is_bound(candidate, message.epoch, message.transfer, now)
        )

    def can_vote(self) -> bool:
        """Who has lost what it has acknowledged would let win who lacks it, too."""
        return self.memory is Memory.WHOLE

    def has_vote_for(self, candidate: str, epoch: int) -> bool:
        """Whether the vote of an epoch is still free, or was given to this candidate."""
        if epoch == self.epoch:
            return self.state.vote in (None, candidate) and self.role is Role.FOLLOWER
        return epoch > self.epoch

    def is_behind(self, position: Position) -> bool:
        """Whether a candidate lacks something that this voter holds, and that may be committed."""
        return position < self.claimed_position()

    def is_bound(self, candidate: str, epoch: int, transfer: int, now: float) -> bool:
        """Whether a promise forbids a vote; a leader has made one to itself, as long as its lease holds."""
        if self.role is Role.LEADER and candidate != self.seat and self._stream.holds_lease(now):
            return True
        has_history = self._stream.position > NOWHERE
        return self.promise.forbids(candidate, epoch, transfer, has_history, now)

    def step_vote_reply(self, sender: str, message: VoteReply, now: float) -> None:
        """An answer to a candidacy of this start; one of an earlier start may be of another history."""
        if message.start != self._start:
            return
        self.highest = max(self.highest, message.promised)
        if self.role is Role.CANDIDATE and message.granted and message.epoch == self.epoch:
            self._tally.grant(sender)
            self._maybe_win(now)

    def _maybe_win(self, now: float) -> None:
        if self._tally.carried(self._stream.voters):
            self.win(now)

    def win(self, now: float) -> None:
        """Lead the epoch."""
        self.role, self.leader = Role.LEADER, self.seat
        self.given_up, self.nominated_until, self._question = None, None, None
        self.promise.release()
        self._actions.append(Log(f"Elected leader of epoch {self.epoch}"))
        self._stream.lead(now)

    # Leaders.

    def step_hello(self, sender: str, message: Hello, now: float) -> None:
        """Somebody leads an epoch."""
        if self.memory is Memory.NONE:
            return
        if self.refuses_epoch(message.epoch):
            self._send(sender, Higher(self.epoch))
            return
        if self.role is Role.LEADER:
            if message.epoch <= self.epoch:
                return
            self._actions.append(Log(f"{sender} leads the higher epoch {message.epoch}: leading no more"))
            self._leave_office(now)
        if self.given_up and message.epoch > self.given_up.epoch:
            self.given_up = None
        self.role = Role.FOLLOWER
        self._stream.follow(sender, now)

    def refuses_epoch(self, epoch: int) -> bool:
        """No link below the promise, ever: what it acknowledged there could be counted by a leader deposed."""
        return epoch < self.epoch

    def is_above(self, epoch: int) -> bool:
        """Whether a follower has promised more than this leader's epoch."""
        return epoch > self.epoch

    def reach(self, epoch: int) -> None:
        """Entries of this epoch are about to be kept: it is promised, at least."""
        if epoch > self.epoch:
            self._promise_epoch(epoch, None)
        self._retry_at = 0.0

    def step_higher(self, sender: str, message: Higher, now: float) -> None:
        """Somebody cannot follow, because it has promised more."""
        self.hear_of(sender, message.epoch, now)

    def hear_of(self, seat: str, epoch: int, now: float) -> None:
        """Somebody has promised this epoch. One that has got no data of this leader's has done so before."""
        self.highest = max(self.highest, epoch)
        if self.forced and seat not in self._supplied and self.role is Role.LEADER and epoch > self.epoch:
            self._lead_by_force(now)

    def supply(self, seat: str) -> None:
        """A leader sends its data to a follower, which may be whole from then on, and vote. When so many are that they
        could elect another, a leader by force is like any other: a higher promise may be to one that was elected."""
        if self.forced:
            self._supplied.add(seat)
            voters = self._stream.voters
            self.forced = len(self._supplied.intersection(voters)) < majority(len(voters))

    def step_prove(self, sender: str, message: Prove, now: float) -> None:
        """Somebody was told to follow this voter: it says so, if it leads."""
        if self.role is Role.LEADER:
            self._send(sender, Hello(self.epoch))

    def hear_stream(self, leader: str, epoch: int, now: float) -> None:
        """Something came on the stream of a leader whose epoch is not refused: only this keeps a voter quiet."""
        if epoch > self.epoch:
            self._promise_epoch(epoch, None)
        self.leader, self._question, self.given_up = leader, None, None
        self._heard = now
        self._patience = self.draw_patience(self.timing.down_after)
        self.promise.renew(leader, epoch, now)

    def lose_stream(self, now: float) -> None:
        """The other end of the stream was closed: its leader has died, most likely, and is waited for only as long as
        the promise to it lasts. A leader that lives says Hello until then."""
        self._patience = min(self._patience, self.draw_patience(self.timing.promise))

    def take_over(self, epoch: int, now: float) -> None:
        """The leader of an epoch has given it up for this voter, whose history is as long as its own."""
        if epoch == self.epoch:
            self.promise.release()
            self.stand(epoch + 1, epoch, now)

    def give_up(self, target: str, now: float) -> None:
        """End the own epoch in favour of a voter that has all of it."""
        epoch = self.epoch
        self._leave_office(now)
        self._heard = now
        self.given_up = GivenUp(target, now, epoch)

    # What operators and sentinels ask for.

    def is_nominated(self, now: float) -> bool:
        """Whether somebody wants this voter to lead."""
        return self.nominated_until is not None and now <= self.nominated_until

    def nominate(self, now: float) -> None:
        """REPLICAOF NO ONE: stand as soon as the promise allows, catching up first; Refusal if it cannot."""
        if not self.may_stand():
            raise Refusal("this node is no voter with its memory, or has priority 0")
        if self.role is Role.FOLLOWER:
            self.nominated_until = now + self.timing.nomination
            self._retry_at = 0.0

    def redirect(self, seat: str, now: float) -> None:
        """REPLICAOF host port: no longer nominated. Whom to follow is not obeyed but asked: it must prove that it leads
        a higher epoch."""
        self.nominated_until = None
        self._send(seat, Prove())

    def force(self, now: float) -> None:
        """GROUP FORCE: lead without votes. The operator answers for it: acknowledged writes may be lost."""
        if self.memory is not Memory.WHOLE:
            raise Refusal("this node has no whole data set; GROUP BOOTSTRAP begins with one")
        self._supplied.clear()
        self._lead_by_force(now)

    def _lead_by_force(self, now: float) -> None:
        self._actions.append(Log("GROUP FORCE: leading without votes; acknowledged writes may be lost"))
        self._leave(now)
        self.forced = True
        self._promise_epoch(self.draw_epoch(), self.seat)
        self.win(now)

    def draw_epoch(self, known: int = 0) -> int:
        """An epoch for a leader that nobody has elected. Others may elect one out of its sight at the same time, or be
        forced as well; two of one epoch would write different things in the same place. So it leaps, at random,
        from the highest that is known."""
        least = max(self.epoch, self.highest, self._stream.position.epoch, known)
        return least + 1 + self._random.randrange(FORCED_LEAP)

    def check_bootstrap(self, now: float) -> None:
        """Whether an operator may let the group go on with what this node holds. Raises Refusal."""
        if self.memory is Memory.WHOLE:
            raise Refusal("this node has its memory; GROUP FORCE makes it lead")
        if self.memory is Memory.NONE and (why := self.forming.why_not_begin()):
            raise Refusal(why)
        if self.leader is not None and now - self._heard < self.timing.down_after:
            raise Refusal(f"{self.leader} leads, and makes this node whole")

    def bootstrap(self, now: float) -> None:
        """GROUP BOOTSTRAP: what this node holds now is the data of the group, whatever was acknowledged before."""
        self.check_bootstrap(now)
        self._actions.append(Log("GROUP BOOTSTRAP: the data set of this node becomes that of the group"))
        if self.state.epoch is None:
            self.persist(replace(self.state, epoch=0))
        self.become_whole()
        self.force(now)

    # Memory.

    def step_who(self, sender: str, message: Who, now: float) -> None:
        """Somebody that is in no group asks."""
        if self.memory is Memory.NONE:
            self._send(sender, self.forming.asked_by(sender, message))
        else:
            told, voters = self.state, self._stream.settled_voters(now)
            self._send(sender, Iam(message.birth, message.round, told.birth, told.epoch, told.founders, (), voters))

    def step_iam(self, sender: str, message: Iam, now: float) -> None:
        """An answer to such a question: it may make this voter a founder, or tell what it may have promised."""
        if self.memory is not Memory.NONE:
            return
        found = self.forming.answered(sender, message)
        if found is not None:
            self._belong(found)

    def _belong(self, found: Durable) -> None:
        self.persist(found)
        self.memory = Memory.WHOLE if found.whole else Memory.RECOVERING
        self._actions.append(Log("The group has formed" if found.whole else "There is a group: following its leader"))

    def become_recovering(self) -> None:
        """Data that was acknowledged is lost, or about to be replaced by older: on disk before that."""
        self.memory = Memory.RECOVERING
        self.note_loss()

    def note_loss(self) -> None:
        """Write down that the data set is not whole, so that a restart does not take it for that."""
        if self.state.whole:
            self.persist(replace(self.state, whole=False))

    def become_whole(self) -> None:
        """The data set has all that was ever acknowledged."""
        self.memory = Memory.WHOLE
        self.persist(replace(self.state, whole=True))

    # The small parts.

    def persist(self, state: Durable) -> None:
        """Write the state before anything that is said from now on."""
        self.state = state
        self._actions.append(Persist(state))

    def draw_patience(self, least: float) -> float:
        """For how long from now a voter waits for a leader; who has a better priority waits for less."""
        return least + self._random.uniform(0, self.timing.spread) * min(self.priority / PRIORITY, 2.0)

    def _promise_epoch(self, epoch: int, vote: str | None) -> None:
        self.persist(replace(self.state, epoch=epoch, vote=vote))
        self._courtesy.begin_anew()

    def _leave(self, now: float) -> None:
        self._leave_office(now)
        self._stream.unfollow()

    def _leave_office(self, now: float) -> None:
        if self.role is Role.LEADER:
            self.role, self.leader = Role.FOLLOWER, None
            self._heard = max(self._heard, now - self.timing.down_after)
            self.promise.release()
            self.forced = False
            self._stream.cease()

    def _broadcast(self, message: Message) -> None:
        for seat in self._stream.voters:
            self._send(seat, message)

    def _send(self, to: str, message: Message) -> None:
        if to != self.seat:
            self._actions.append(Send(to, message))

    def _check(self) -> None:
        self.state._check()
        assert (self.memory is Memory.NONE) == (self.state.epoch is None)
        assert self.state.whole or self.memory is not Memory.WHOLE
        assert self.role is Role.FOLLOWER or self.memory is Memory.WHOLE
        assert (self.role is Role.LEADER) == (self.leader == self.seat)
        assert not (self.given_up and self.role is Role.LEADER)
