"""A voter's server: what its member wants (repl/member.py), done.

The member decides; here are the clock, the disk, the connections, the keyspace and the clients. Whatever happens - a
message, a link, a tick - is given to the member, and then its actions are done one after the other (``settle``).

Rules.

1. *The history is the replication stream.* Its offset is that of the log, on a leader up to what was executed in this
   round of the loop; so before anything is given to the member what was executed becomes an entry (``catch_up``).
2. *What is to be on the disk is there before anything is said.* When the state file cannot be written, nothing else is
   done either: the actions wait, the member hears nothing, the lease runs out, and the write is tried again.
3. *Role and gates follow the member at once*: a leader that ceases stops counting and closes its clients in the same
   turn in which it hears of another.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from pycache_server.election import actions as election
from pycache_server.election.machine import Memory, Role
from pycache_server.election.messages import Message
from pycache_server.election.state import BadState, Durable
from pycache_server.election.wire import Wire
from pycache_server.repl import actions as repl
from pycache_server.repl.commit import ALL, parse_level
from pycache_server.repl.entries import Kind, replication_id
from pycache_server.repl.link_wire import Here
from pycache_server.repl.links import Ack, Image, Link
from pycache_server.repl.member import Member, Saved, Settings
from pycache_server.repl.replica import Replica, State
from pycache_server.server.coordinator.begin import make_coordinator
from pycache_server.server.group.asides import Asides
from pycache_server.server.group.dialing import address_of
from pycache_server.server.group.following import GroupFollowing
from pycache_server.server.group.journal import Journal
from pycache_server.server.group.links import Links
from pycache_server.server.group.orders import Orders
from pycache_server.server.group.pictures import Pictures
from pycache_server.server.group.post import Post
from pycache_server.server.group.replies import Replies
from pycache_server.server.group.seat import find_seat
from pycache_server.server.group.statefile import StateFile
from pycache_server.server.group.times import timing_of
from pycache_server.server.group.waiting import Waiting
from pycache_server.server.group.watched import Watched
from pycache_server.server.loads import CannotLoad
from pycache_server.session import group as gates
from pycache_server.session.applying import LinkBroken
from pycache_server.session.following import refuse
from pycache_server.session.stream import select

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

_FOR_EVER: Final = float("inf")


def now_ms() -> float:
    """The monotonic clock, read now: that of the event loop may be older than a request."""
    return perf_counter() * 1000


class Group:
    """The membership of one server in its group."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.core = app.core
        settings = app.settings
        self.seat = find_seat(settings, app.port)
        self.timing = timing_of(settings["group-lease"], settings["group-down-after"])
        secret = settings["group-secret"].encode()
        self.asides = Asides(self)
        self.watched = Watched(self)
        self.post = Post(app, Wire(self.seat, secret), self.on_message, self.asides.hear)
        self.links = Links(
            app, self.seat, secret, self.on_link_message, self.on_link_lost, self.hear_part, self.post.note
        )
        stem = f"group-{address_of(self.seat)[1]}"
        self.journal = Journal(app, settings["group-voters"], stem)
        self.links.durable = self.journal.file.durable
        name = settings["group-state-file"] or f"{stem}.state"
        self.state_file = StateFile(Path(settings["dir"] or ".") / name)
        self.following = GroupFollowing(self)
        self.replies = Replies(app, parse_level(settings["repl-ack"]))
        self.member: Member
        self.orders = Orders(self)
        self.waiting = Waiting(self)
        self.coordinator = make_coordinator(self)
        self.now = now_ms
        self.is_in_office = False
        """Whether this server executes what clients change, as the leader of an epoch."""
        self.lease_ends = 0.0
        """See session/group.py."""
        self.standing = ""
        """``leading``, ``following``, or why nothing is served: ``forming``, ``recovering``, ``uncommitted``."""
        self.problem = ""
        """Why the state file cannot be written."""
        self._undone: list[Any] = []
        self._settles = False
        self._timer: asyncio.TimerHandle | None = None
        self.has_begun = False
        self._do: dict[type, Any] = {
            election.Persist: self._persist,
            election.Send: lambda action: self.post.send(action.to, action.message),
            election.Log: lambda action: self.app.log.write(action.level, f"Group: {action.text}"),
            repl.Connect: lambda action: self.links.connect(action.link),
            repl.Say: lambda action: self.links.say(action.link, action.message),
            repl.Close: self._close,
            repl.Keep: self._keep,
            repl.Cut: lambda action: self.journal.cut(action.end),
            repl.Execute: lambda action: self.following.execute(action.entries),
            repl.Install: self._install,
            repl.Reply: lambda action: self.replies.let_go(action.client, action.token, now_ms()),
            repl.Hangup: lambda action: self.replies.cut(action.client, action.token),
        }

    # Life

    async def load(self) -> None:
        """Load the data set, and be a voter: follow, until more is known.

        Raises CannotLoad.
        """
        core, settings = self.core, self.app.settings
        try:
            state = self.state_file.read()
            if state is None:
                state = Durable(self.seat, core.host.token(32).decode())
                self.state_file.write(state)
        except (BadState, OSError) as problem:
            raise self._cannot_load(str(problem)) from None
        if state.seat != self.seat:
            raise self._cannot_load(f"{self.state_file.path} is of the voter {state.seat}, and this is {self.seat}")
        replication = core.replication
        replication.leading.counts = True
        replication.become_follower(self.following)
        saved = await self.journal.load(state)
        self._begin(state, saved, settings)

    def _cannot_load(self, text: str) -> CannotLoad:
        self.app.log.write("warning", text)
        return CannotLoad(text)

    def _begin(self, state: Durable, saved: Saved | None, settings: Any) -> None:
        core = self.core
        chance = random.Random(core.host.token(32))
        wanted = Settings(
            settings["group-voters"],
            self.timing,
            settings["repl-ack-timeout"],
            settings["repl-backlog-size"],
            settings["replica-priority"],
            settings["preferred-leader"],
            settings["failback-delay"],
            settings["failback-interval"],
        )
        self.pictures = Pictures(self.app, lambda: self.member.log, self.catch_up)
        start = core.host.token(16).decode()
        found = self.journal.holds_found
        self.member = Member(state, wanted, saved, self.pictures, chance, start, now_ms(), found)
        self.journal.attach(self.member.log)
        self.journal.seal = self.seal
        self.journal.is_settled = lambda: not self._undone and not self._settles
        self.journal.stream_db = lambda: 0
        core.replication.leading.on_sealed = self._append
        core.replication.leading.leader.voters = self.voting_followers
        core.replication.hand_over = self.orders.hand_over
        core.replication.isolated = lambda: None if self.leads else self.following.role()
        self.app.outbox.open(self._pass, first=True)
        self._bind_level()
        self.following.begin()
        self.has_begun = True
        self.app.log.write("notice", f"Group: this is the voter {self.seat} of {', '.join(wanted.voters)}")
        self.settle()
        self._tick()
        self.coordinator.nominate_for(self.member.machine)

    def stop(self) -> None:
        """The server ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.has_begun:
            self.has_begun = False
            self.journal.seal = lambda: None
            self.following.end()
            self.links.close_all()
            self.pictures.forget()
        self.post.close()

    def shut_down(self) -> None:
        """The data set has been saved for the last time: leave what the next start needs to know of it."""
        if self.has_begun:
            self.catch_up()
            self.journal.shutdown(self.member.shutdown())

    # Events

    def on_message(self, sender: str, message: Message) -> None:
        """A voter says something."""
        if self.is_ready():
            self.member.step(sender, message, now_ms())
            self.settle()

    def on_link_message(self, link: Link, message: Any) -> None:
        """Something is said on a link."""
        if not self.is_ready():
            self.links.close(link)
        elif type(message) is Here:
            self.hear_follower(link)
        elif type(message) is Image and link == self.member.link:
            self.following.load(link, message, lambda image: self._has_loaded(link, image))
        else:
            self.member.step_link(link, message, now_ms())
            self.settle()
            if type(message) is Ack:
                self.core.replication.acknowledged()

    def on_link_lost(self, link: Link) -> None:
        """A link is gone."""
        if self.has_begun:
            self.catch_up()
            if link == self.member.link:
                self.following.give_up_image()
            self.member.lose_link(link, now_ms())
            self.settle()

    def hear_part(self, link: Link) -> None:
        """Something long comes on a link, or its other end says that it is alive."""
        if self.has_begun and link == self.member.link:
            self.member.hear_part(now_ms())

    def hear_progress(self, link: Link) -> None:
        """An image that has come on a link is being loaded."""
        if self.has_begun and link == self.member.link:
            self.member.hear_link(now_ms())

    def hear_follower(self, link: Link) -> None:
        """A follower is busy with an image."""
        leading = self.member.leading
        follower = leading.followers.get(link.peer) if leading else None
        if follower is not None and follower.link == link:
            follower.heard = now_ms()

    def _has_loaded(self, link: Link, image: Image) -> None:
        if self.is_ready():
            self.member.step_link(link, image, now_ms())
            self.settle()
        self.links.go_on(link)

    def refuse_image(self, link: Link) -> None:
        """An image could not be loaded: the link comes to nothing, and another is made in a while."""
        if link == self.member.link:
            self.member.unfollow()
            self.settle()

    def _tick(self) -> None:
        self._timer = self.app.loop.call_later(self.timing.heartbeat / 1000, self._tick)
        try:
            if self.is_ready():
                member = self.member
                member.tick(now_ms())
                self.settle()
                self.journal.trim(member.log.commit)
                self.waiting.tell()
            self.asides.tick(now_ms())
            self.watched.tick(now_ms())
        except Exception as error:  # it is in the log and in INFO, and the next tick comes
            self.core.report_failure("a tick of the group", error)

    def is_ready(self) -> bool:
        """Whether the member may hear something: all that it wanted has been done."""
        if not self.has_begun:
            return False
        if self._undone:
            self.settle()
            if self._undone:
                return False
        self.catch_up()
        return True

    # Actions

    def settle(self) -> None:
        """Do what the member wants done."""
        if self._settles:
            return
        self._settles = True
        try:
            actions = self._undone + self.member.take_actions()
            while actions:
                self._undone = actions
                self._do_all(actions)
                if self._undone:
                    break
                actions = self.member.take_actions()
        finally:
            self._settles = False
        self._take_standing()

    def _do_all(self, actions: list[Any]) -> None:
        for place, action in enumerate(actions):
            try:
                self._do[type(action)](action)
            except OSError as error:
                if type(action) is not election.Persist:
                    raise
                self._undone = actions[place:]
                self._tell_problem(f"{self.state_file.path} cannot be written: {error.strerror or error}")
                return
            except LinkBroken as broken:
                self._lose_data(broken)
        self._undone = []
        if self.problem:
            self.app.log.write("notice", "Group: the state file can be written again")
            self.problem = ""
            self.core.pause.release(_DISK)

    def _tell_problem(self, text: str) -> None:
        self.lease_ends = 0.0
        self.core.pause.hold(_DISK)  # nothing may be executed behind what is not kept
        if text != self.problem:
            self.problem = text
            self.app.log.write("warning", f"Group: {text}. This voter does nothing until it can")

    def _lose_data(self, broken: LinkBroken) -> None:
        """A committed entry cannot be applied here: the data set is not the group's any more."""
        self.app.log.write(
            "warning",
            f"Group: an entry cannot be applied at offset {broken.offset}: {broken.problem}. The link is dropped, and "
            "the data set is asked for anew",
        )
        self.app.follow.errors += 1
        self.member.machine.become_recovering()
        self.member.unfollow()

    def _persist(self, action: election.Persist) -> None:
        if action.state.epoch is not None:
            self.journal.put_aside()
        self.state_file.write(action.state)

    def _close(self, action: repl.Close) -> None:
        self.links.close(action.link)
        if action.link.outgoing and (self.member.link is None or self.member.link == action.link):
            self.following.give_up_image()

    def _keep(self, action: repl.Keep) -> None:
        leading = self.member.leading
        if leading is not None:
            for entry in action.entries:
                if entry.kind is Kind.MARK:
                    self._take_office(replication_id(entry))
                if entry.kind is not Kind.WRITE:  # that is in the stream already
                    self.core.replication.leading.append(entry.data)
        self.journal.keep(action.entries)

    def _install(self, action: repl.Install) -> None:
        self.following.install(action.image)
        self.journal.install(replace(action.image, data=None), action.dropped, self.following.take_prepared())

    # What was executed

    def catch_up(self) -> None:
        """Let what was executed since the last time be an entry."""
        if self.is_in_office:
            self.seal()

    def seal(self) -> None:
        """The same, before a snapshot."""
        leading = self.core.replication.leading
        if self.is_in_office:
            if leading.stream.selected > 0:  # entries end with database 0 (following.py)
                leading.append(select(0))
                leading.stream.selected = 0
            leading.flush()

    def _append(self, fresh: bytes) -> None:
        """The stream has gone on by so many bytes, some of which may be in the history already."""
        leading = self.member.leading
        if leading is None or not self.is_in_office:
            return
        missing = self.core.replication.history.offset - self.member.log.end
        if missing > 0:
            now = now_ms()
            leading.append_writes(fresh if missing == len(fresh) else fresh[-missing:], now)
            self.replies.hold(leading, self.member.log.end, now)
            self.settle()

    def _pass(self) -> int:
        """The gate of the outbox: what waits is told to the leader."""
        self.catch_up()
        return self.core.feed.position

    # Office

    def _take_office(self, replid: bytes) -> None:
        replication = self.core.replication
        if self.is_in_office:
            replication.history.rotate(replid)
            replication.drop_followers()
            return
        self.is_in_office = True
        self.following.end()
        replication.become_leader(replid)
        replication.drop_followers()
        self.app.log.write("notice", "Group: this node leads now")

    def _leave_office(self) -> None:
        """Lead no more: nothing is counted, and clients go to look for the leader."""
        self.is_in_office = False
        self.lease_ends = 0.0
        core = self.core
        self.app.outbox.flush()  # what was committed in this turn leaves before its connection ends
        core.replication.become_follower(self.following)
        self.following.begin()
        self.pictures.forget()
        core.pause.release(_HANDOVER)
        self.replies.free()
        core.replication.drop_followers()
        closed = 0
        for session in list(core.sessions.values()):
            if session.kind() in ("normal", "pubsub") and session.id not in self.post.senders:
                gates.part_with(session)
                closed += 1
        self.app.log.write("notice", f"Group: this node leads no more; {closed} clients are disconnected")

    def _take_standing(self) -> None:
        """Let role and gates be those of the member."""
        member, core = self.member, self.core
        leading = member.leading
        if self.is_in_office and leading is None:
            self._leave_office()
        if leading is not None and not self._undone:
            self.lease_ends = _FOR_EVER if len(member.voters) == 1 else leading.lease.ends / 1000
            (core.pause.hold if leading.handover else core.pause.release)(_HANDOVER)
        standing = self._standing_of()
        if standing != self.standing:
            self.standing = standing
            self._set_gates(standing)
            self.coordinator.role_changed()

    def _standing_of(self) -> str:
        member = self.member
        memory = member.machine.memory
        if member.leading is not None:
            return "leading"
        if memory is Memory.NONE:
            return "forming"
        if memory is Memory.RECOVERING:
            return "recovering"
        if not member.has_committed_data():
            return "uncommitted"
        stale = not self.app.settings["replica-serve-stale-data"] and not self.is_linked
        return "stale" if stale else "following"

    def _set_gates(self, standing: str) -> None:
        core = self.core
        follows = standing in ("following", "stale")
        refuse(core, follows, standing == "stale", "")
        core.replication.refuses_writes = standing != "leading"
        if standing == "leading":
            gates.refuse_as_leader(core, self)
        elif follows:
            gates.refuse_as_follower(core)
        else:
            gates.refuse_all(core)
        self.app.log.role = "M" if standing == "leading" else "S"
        core.settle_stillness()

    def has_enough(self, session: Session) -> bool:
        """See session/group.py."""
        level = self.replies.level if session.ack_level is None else session.ack_level
        leading = self.member.leading
        return not (level > 0 or level == ALL) or (leading is not None and leading.has_enough(level, now_ms()))

    # What clients and operators want

    def _bind_level(self) -> None:
        passing = self.replies.passing(self.replies.level)
        self.app.outbox.usual = passing
        for session in list(self.core.sessions.values()):
            if session.ack_level is None:
                self._let_pass(session, passing)

    def _let_pass(self, session: Session, passing: Any) -> None:
        line = getattr(session.link, "line", None)
        if line is not None:
            line.pass_by(passing)

    def set_level(self, word: str) -> None:
        """repl-ack has changed."""
        self.replies.level = parse_level(word)
        self._bind_level()

    def set_client_level(self, session: Session, word: str) -> None:
        """CLIENT ACK: from now on the replies to this client leave at a level.

        Raises ValueError.
        """
        level = None if word == "default" else parse_level(word)
        session.ack_level = level
        self._let_pass(session, self.replies.passing(self.replies.level if level is None else level))

    # What is shown

    @property
    def voters(self) -> tuple[str, ...]:
        """The seats that vote."""
        return self.member.voters if self.has_begun else tuple(self.app.settings["group-voters"])

    def voting_followers(self) -> list[Replica]:
        """The followers that are voters, as those who count replicas see them."""
        leading = self.member.leading
        if leading is None:
            return []
        found = []
        for seat in filter(self.member.voters.__contains__, leading.followers):
            host, port = address_of(seat)
            follower = leading.followers[seat]
            each = Replica(host, follower.link.number)
            each.port, each.state = port, State.ONLINE
            each.acknowledged, each.durable = follower.acknowledged, follower.durable
            each.heard_at = follower.heard / 1000
            found.append(each)
        return found

    @property
    def leads(self) -> bool:
        """Whether this node leads, and nobody else can at this moment."""
        return self.is_in_office and perf_counter() < self.lease_ends

    @property
    def hands_over(self) -> bool:
        """Whether this node lets another one take over at this moment."""
        leading = self.member.leading if self.has_begun else None
        return leading is not None and leading.handover is not None

    @property
    def leader(self) -> str | None:
        """The seat that this voter follows or is; None if it knows none."""
        return self.member.machine.leader if self.has_begun else None

    @property
    def epoch(self) -> int:
        """The highest epoch that this voter has promised."""
        return self.member.machine.epoch if self.has_begun else 0

    @property
    def end(self) -> int:
        """Where the history ends, committed or not."""
        return self.member.log.end if self.has_begun else 0

    @property
    def is_linked(self) -> bool:
        """Whether this voter follows a leader that it hears."""
        if not self.has_begun or self.member.link is None or self.following.intake is not None:
            return False
        return self.member.machine.leader == self.member.link.peer and self.silence * 1000 < self.timing.down_after

    @property
    def silence(self) -> int:
        """For how many seconds nothing was heard of a leader."""
        return int((now_ms() - self.member.machine.silent_since) / 1000) if self.has_begun else -1

    @property
    def serves_followers(self) -> bool:
        """Whether others may follow this node."""
        return self.standing in ("leading", "following", "stale")

    @property
    def sync_state(self) -> str:
        """One word about this voter, for INFO."""
        if self.standing == "leading":
            return "leader" if self.leads else "isolated"
        if self.standing in ("following", "stale"):
            return "in-sync" if self.is_linked else "disconnected"
        return self.standing or "loading"

    def _check(self) -> None:
        """Assert that the history is where the keyspace is."""
        self.member._check()
        self.links._check()
        offset = self.core.replication.history.offset
        if self.is_in_office:
            assert self.member.machine.role is Role.LEADER
            assert offset >= self.member.log.end
        elif self.standing in ("following", "stale"):
            assert offset == self.member.log.applied


_HANDOVER: Final = "handover"
_DISK: Final = "group-state"
