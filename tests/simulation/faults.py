"""The faults that are planted, one for each rule that can be taken away, in the order of the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pycache_server.election.forming import Forming
from pycache_server.election.lease import Lease
from pycache_server.election.machine import Machine, Memory, Role
from pycache_server.election.messages import Iam, Who
from pycache_server.election.position import Position
from pycache_server.election.promise import Promise
from pycache_server.election.timing import Timing
from pycache_server.repl import entries
from pycache_server.repl.actions import Reply
from pycache_server.repl.changes import VoterChanges
from pycache_server.repl.failback import Failback
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.leading import Leading
from pycache_server.repl.member import Member, Saved
from tests.simulation.planted import Planted

if TYPE_CHECKING:
    from tests.simulation.host import Host

CONSTANTS: dict[bool, Any] = {value: lambda *_, value=value: value for value in (False, True)}
NO, YES = CONSTANTS[False], CONSTANTS[True]


def _of(base: type[Any], **methods: Any) -> type[Any]:
    """A class of the product with some of its methods replaced."""
    return type(f"Faulty{base.__name__}", (base,), methods)


def _promise(**methods: Any) -> type[Machine]:
    return _of(Machine, promise_class=_of(Promise, **methods))


def _forming(**methods: Any) -> type[Machine]:
    return _of(Machine, forming_class=_of(Forming, **methods))


def _changes(**methods: Any) -> type[Leading]:
    return _of(Leading, changes_class=_of(VoterChanges, **methods))


# Rule 1: epochs and votes.


class _ForgetsVote(Planted):
    def at_crash(self, host: Host) -> None:
        disk = host.disk
        if disk and disk.before and host.world.random.random() < 0.5:
            disk.state = replace(disk.state, epoch=disk.before.epoch, vote=disk.before.vote)


def _stand_unasked(machine: Machine, now: float) -> None:
    machine.stand(max(machine.epoch, machine.highest) + 1, 0, now)


class _ComparesPromises(Machine):
    def claimed_position(self) -> Position:
        return Position(self.epoch, self._stream.position.offset)

    def would_vote(self, candidate: str, position: Position, now: float) -> bool:
        return self.can_vote() and not self.is_bound(candidate, 0, 0, now)


# Rule 2: the mark and the cut.


def _open_unmarked(leading: Leading, now: float) -> None:
    leading.newest_write = leading.began
    leading.tick(now)


# Rule 4: memory.


class _RecoversBelow(Machine):
    def refuses_epoch(self, epoch: int) -> bool:
        return self.memory is not Memory.RECOVERING and super().refuses_epoch(epoch)

    is_above = NO


class _KeepsClean(Planted):
    keeps_clean = True


class _LosesTail(Planted):
    def at_crash(self, host: Host) -> None:
        disk, log = host.disk, host.member.log
        least = 0 if host.member.leading else log.commit
        if disk is None:
            return
        end = disk.base.end + sum(len(entry.data) for entry in disk.entries)
        for _ in range(host.world.random.randrange(6)):
            if disk.entries and end - len(disk.entries[-1].data) >= least:
                end -= len(disk.entries.pop().data)


class _SavesExecuted(Planted):
    def shutdown(self, host: Host) -> Saved | None:
        saved, end = host.member.shutdown(), host.member.log.applied
        if saved is None:
            return None
        last, kept = saved.base, []
        for entry in saved.entries:
            last += len(entry.data)
            kept += [entry] if last <= end else []
        return saved._replace(entries=tuple(kept))


class _BelievesDisk(Member):
    is_whole = YES

    def shutdown(self) -> Saved | None:
        memory, self.machine.memory = self.machine.memory, Memory.WHOLE
        try:
            return super().shutdown()
        finally:
            self.machine.memory = memory


# Rule 5: first boot and changes of voters.


def _found_with_some(forming: Forming, iam: Any) -> Any:
    unknown = sum(epoch is None for epoch in forming._answers.values())
    if iam.epoch is None:
        return forming.known if unknown >= (len(forming.others) + 1) // 2 else None
    return Forming.founders(forming, iam)


class _OnePhase(Planted):
    rebirth = True


def _found_at_once(forming: Forming, iam: Any) -> Any:
    unknown = sum(epoch is None for epoch in forming._answers.values())
    return forming.known if unknown == len(forming.others) else None


def _repeat_anyway(forming: Forming, sender: str, who: Who) -> Iam:
    return replace(Forming.asked_by(forming, sender, who), known=who.known)


def _replace_at_once(changes: VoterChanges, old: str, new: str, epoch: int, now: float) -> None:
    changes.check_allowed()
    changes.check_new(new)
    changes._begin(entries.voters(epoch, tuple(sorted({*changes._without(old), new}))), (), now)


def _replace_in_a_row(changes: VoterChanges, old: str, new: str, epoch: int, now: float) -> None:
    changes.check_allowed()
    changes.check_new(new)
    changes._begin(entries.voters(epoch, changes._without(old)), (), now)
    changes._begin(entries.voters(epoch, tuple(sorted({*changes._log.voters, new}))), (), now)


# Rule 6: replies.


def _reply_now(leading: Leading, offset: int, level: int, client: Any, token: Any, now: float) -> None:
    leading._member.actions.append(Reply(client, token))


def _read_now(leading: Leading, level: int, client: Any, token: Any, now: float) -> None:
    leading._member.actions.append(Reply(client, token))


# Rule 7: the lease.


class _FrozenClock(Planted):
    def request_clock(self, host: Host) -> float:
        just_woke = host.world.time - host.woke < 5
        return host.froze * host.rate if just_woke else host.clock()


class _NoDrift(Timing):
    @property
    def promise(self) -> float:
        return self.lease


class _IgnoresDrift(Planted):
    def timing(self, timing: Timing) -> Timing:
        return _NoDrift(eager_retry=timing.eager_retry)


# Rules 8, 9 and 11: demotion, nomination, handover.


def _obey(machine: Machine, seat: str, now: float) -> None:
    machine._leave_office(now)


def _lead_at_once(machine: Machine, now: float) -> None:
    if machine.memory is Memory.WHOLE and machine.role is not Role.LEADER:
        machine._leave(now)
        machine._promise_epoch(machine.epoch + 1, machine.seat)
        machine.win(now)


class _TellsAnyPosition(Machine):
    def told_position(self) -> Position | None:
        return super().told_position() or Position(99999, 0)


class _PullsAnything(Member):
    can_be_pulled = YES

    def step_pulled(self, message: Any, now: float) -> None:
        self._pulled_at = self.log.position
        super().step_pulled(message._replace() if hasattr(message, "_replace") else message, now)
        machine = self.machine
        if machine.memory is Memory.WHOLE and machine.role is Role.FOLLOWER and message.position < self.position:
            self.unfollow()
            self.log.commit = 0
            self.cut(message.cut)
            self.keep(message.entries)


class _AnswersStill(Planted):
    def serves_read(self, host: Host, kind: str) -> bool:
        return kind == "read" and host.member.machine.given_up is not None and not host.leads


class _Resumes(Machine):
    """As it was, with the lease that it had: a new one would have to be earned from a majority that holds more than
    the target, then, and would not elect it."""

    def give_up(self, target: str, now: float) -> None:
        self._left: Any = self._stream.leading  # type: ignore[attr-defined]
        super().give_up(target, now)

    def tick_given_up(self, given_up: Any, now: float) -> None:
        if now - given_up.since > self.timing.takeover:
            self.given_up = None
            if self.epoch == given_up.epoch:
                self.role, self.leader, self._left.handover = Role.LEADER, self.seat, None
                self._stream.leading = self._left  # type: ignore[attr-defined]


# Failback.


def _look_at_nothing(failback: Failback, leading: Leading, seat: str, now: float) -> None:
    wanted = failback.preferred not in ("", seat) and failback.preferred in leading.followers
    if wanted and failback.may_offer(now):
        failback.offer(leading, now)


def _make_way(failback: Failback, leading: Any, now: float) -> None:
    """Nominates the preferred voter, so to say, and leads no more."""
    failback._not_before = now + failback._interval
    leading._member.machine.promise.release()
    leading._member.machine._leave_office(now)


# The operator.


def _next_epoch(machine: Machine) -> int:
    return max(machine.epoch, machine.highest) + 1


LOST = "disk3,disk5,diskaof3,diskaof5"
BOOT = "boot3,boot5"
FORGET = "forget3,forget5"
LEASE = "lease3,lease5"
CUT = "bounce3,drift3"
REPLACED = "repl3,repl5"
MEMORY = "over3,over5,mem3,mem5,disk5"
CHURN = "churn3,churn5,aof5"
EIGHT = "eight5"
BOUNCE = "bounce3,bounce5"
HAND = "hand3,hand5"
BACK = "back3,back5,flap3"

FAULTS: dict[str, Planted] = {
    "nofsync": _ForgetsVote("a vote is on disk before it is told", configs=CHURN),
    "nopos": Planted("votes compare positions", machine=_of(Machine, is_behind=NO)),
    "noprevote": Planted(
        "a question that changes nothing comes first", machine=_of(Machine, ask=_stand_unasked), configs="steady3"
    ),
    "lowlink": Planted("no link below the promise", machine=_of(Machine, refuses_epoch=NO, is_above=NO)),
    "twovotes": Planted("one vote in an epoch", machine=_of(Machine, has_vote_for=lambda m, c, e: e >= m.epoch)),
    "promisepos": Planted("a position is that of the last entry", machine=_ComparesPromises),
    "stepup": Planted(
        "a leader stands above a higher promise", machine=_of(Machine, stand_above=NO), configs="disk5,over5,mem5"
    ),
    "oldcommit": Planted("only an own entry commits", leading=_of(Leading, may_commit=YES), configs=EIGHT),
    "nomarker": Planted(
        "an epoch begins with its mark", leading=_of(Leading, open=_open_unmarked, may_commit=YES), configs=EIGHT
    ),
    "naivecut": Planted(
        "histories part by epoch", leading=_of(Leading, cut_for=lambda x, sync: min(sync.end, x._log.end))
    ),
    "applyall": Planted(
        "followers execute what is committed",
        log=_of(GroupLog, applicable=lambda log: log.end),
        member=_of(Member, has_committed_data=YES),
    ),
    "keepdirty": Planted(
        "what was executed and dropped needs an image",
        leading=_of(Leading, can_continue=YES),
        member=_of(Member, has_committed_data=YES, may_drop=YES),
    ),
    "dirtyread": Planted("no reads of what was loaded beyond the commit", member=_of(Member, has_committed_data=YES)),
    "memvote": Planted(
        "without memory no vote", machine=_of(Machine, can_vote=lambda m: m.state.epoch is not None), configs=MEMORY
    ),
    "syncany": Planted("no recovery from below the promise", machine=_RecoversBelow, configs=MEMORY),
    "keepclean": _KeepsClean("what was saved is found once", configs=MEMORY),
    "aofsec": _LosesTail("acknowledgements follow the fsync", configs=CHURN),
    "wholeflag": Planted(
        "the state file says that the data is not whole",
        machine=_of(Machine, note_loss=NO),
        member=_BelievesDisk,
        configs=MEMORY + ",diskaof5",
    ),
    "need": Planted("whole is where the leader was when asked", member=_of(Member, is_whole_at=YES), configs=MEMORY),
    "shutdown": _SavesExecuted("a clean shutdown saves what is acknowledged", configs=MEMORY),
    "noask": Planted(
        "who has lost its file asks",
        machine=_forming(lost_promise=lambda f: 0 if any(e is not None for e in f._answers.values()) else None),
        configs=LOST,
    ),
    "allothers": Planted(
        "it asks all others",
        machine=_forming(all_answered=lambda f, known: len(known) >= len(f.others) // 2 + 1),
        configs=LOST + ",disk4",
    ),
    "formany": Planted("all form a group", machine=_forming(founders=_found_with_some), configs=BOOT),
    "twophase": _OnePhase("it forms in two phases", machine=_forming(founders=_found_at_once), configs=BOOT),
    "dropfound": Planted("data that are found are not dropped", machine=_forming(withholds=NO), configs=FORGET),
    "repeatfound": Planted(
        "who has found data repeats no birth ids", machine=_forming(asked_by=_repeat_anyway), configs=FORGET
    ),
    "forcestays": Planted(
        "a leader by force is like any other when others can be elected",
        machine=_of(Machine, supply=NO),
        configs=FORGET,
    ),
    "remadd": Planted("one seat at a time", leading=_changes(replace=_replace_at_once), configs=REPLACED),
    "cfgown": Planted("a change after an own commit", leading=_of(Leading, has_committed=YES), configs="two4"),
    "newbehind": Planted(
        "who is added is in step", leading=_of(Leading, keeps_up=YES), configs=REPLACED + ",new3,new5"
    ),
    "cfgtwo": Planted(
        "one change at a time", leading=_changes(replace=_replace_in_a_row, pending=property(NO)), configs=REPLACED
    ),
    "ackearly": Planted("replies wait for the commit", leading=_of(Leading, hold=_reply_now)),
    "minority": Planted(
        "commits by majority", leading=_of(Leading, offset_to_commit=lambda x, acks: acks.on_others(acks.needed - 1))
    ),
    "readnow": Planted("reads wait for what they saw", leading=_of(Leading, read=_read_now)),
    "acklease": Planted("replies leave under the lease", leading=_of(Leading, may_answer=YES), configs=LEASE + ",mem5"),
    "nolease": Planted("reads need the lease", leading=_of(Leading, holds_lease=YES), configs=CUT),
    "nopromise": Planted("voters promise", machine=_of(Machine, is_bound=NO), configs=CUT),
    "leaserecv": Planted(
        "the lease runs from the sending",
        leading=_of(Leading, lease_class=_of(Lease, starts=lambda x, sent, now: now)),
        configs="late3",
    ),
    "cachedclock": _FrozenClock("the clock is read after the request", configs="freeze3"),
    "drift": _IgnoresDrift("the promise is longer by the drift", configs="drift3"),
    "bootwait": Planted("who has just started keeps still", machine=_promise(just_started=NO), configs=BOUNCE),
    "ownvote": Planted("a promise forbids to stand", machine=_of(Machine, is_bound_itself=NO), configs=CUT),
    "samevote": Planted(
        "a promise does not bind against its leader", machine=_promise(is_same_leader=NO), configs="disk5,mem5,over5"
    ),
    "xferflag": Planted(
        "a promise does not bind against a handover", machine=_promise(is_transfer=NO), configs="xfer3,xfer5"
    ),
    "checkq": Planted(
        "who acknowledges nothing is hung up on", leading=_of(Leading, is_deaf=NO), configs="mem3,aof5,mem5"
    ),
    "demoteany": Planted("only who leads higher demotes", machine=_of(Machine, redirect=_obey), configs="steady3"),
    "nooneleads": Planted("NO ONE is a nomination", machine=_of(Machine, nominate=_lead_at_once)),
    "pullrec": Planted(
        "catching up from whole voters", machine=_TellsAnyPosition, member=_PullsAnything, configs=MEMORY
    ),
    "xferkeep": _AnswersStill("who has given up answers nothing", configs=HAND),
    "xferresume": Planted("who has given up never acts in that epoch", machine=_Resumes, configs=HAND),
    "xfernowait": Planted("the target holds all", leading=_of(Leading, holds_all=YES), configs=HAND),
    "backbehind": Planted("no failback to who is behind", failback=_of(Failback, look=_look_at_nothing), configs=BACK),
    "backway": Planted("failback is a handover", failback=_of(Failback, offer=_make_way), configs=BACK),
    "backrate": Planted("failbacks are rare", failback=_of(Failback, may_offer=YES), configs=BACK),
    "forcenext": Planted("forced epochs leap", machine=_of(Machine, draw_epoch=_next_epoch), configs="force3,force5"),
    "xferhang": Planted("if nobody takes over it stands anew", machine=_of(Machine, tick_given_up=NO), configs=HAND),
}
