"""A member of a group: the machine that votes (election/machine.py) over the history that it votes by.

This is what a server drives, and the simulation, too. In come messages of other seats (``step``), messages on links
(``step_link``), closed links (``lose_link``), times (``tick``) and requests of clients (``admit``, ``leading``); out go
actions (``take_actions``), to be done one after the other. The rules of following stand here, those of leading in
leading.py.

A follower appends what comes, acknowledges, and executes what the leader has committed. It acknowledges nothing while
it is not whole: before the stream has come to where the leader was when it was asked, an image may be older than what
this node has acknowledged in a former life.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pycache_server.election.actions import Log
from pycache_server.election.machine import PRIORITY, Machine, Memory, Role
from pycache_server.election.messages import Message
from pycache_server.election.position import Position, Table
from pycache_server.election.state import Durable
from pycache_server.election.timing import Timing
from pycache_server.repl.actions import Close, Connect, Cut, Execute, Install, Keep, Say
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.epochs import Epochs, common_end
from pycache_server.repl.failback import Failback
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.leading import Leading, Verdict
from pycache_server.repl.links import (
    Ack,
    Append,
    Continue,
    FromLeader,
    Image,
    Link,
    Pull,
    Pulled,
    Refusal,
    Spoken,
    Stand,
    Sync,
)

if TYPE_CHECKING:
    from random import Random


class Picture(NamedTuple):
    """A whole data set, as it was at one offset of the history."""

    table: Table
    end: int
    voters: tuple[str, ...]
    data: Any


class Pictures(Protocol):
    """Who takes pictures of the keyspace."""

    def take(self, epoch: int, least: int) -> Picture:
        """One of this epoch's data set, taken now or earlier in the epoch, at an offset not below the least."""


class Saved(NamedTuple):
    """What outlives a restart: a data set up to ``base``, and the entries behind it, all of which are acknowledged."""

    table: Table
    base: int
    voters: tuple[str, ...]
    entries: tuple[Entry, ...]


class Settings(NamedTuple):
    """How a member is configured."""

    voters: tuple[str, ...]
    """The seats of group-voters."""
    timing: Timing = Timing()
    ack_timeout: float = 5000.0
    """For how long a reply is held (repl-ack-timeout), in milliseconds."""
    keep: int = 1 << 20
    """How many bytes of the history are kept for others."""
    priority: int = PRIORITY
    preferred: str = ""
    """The seat that leads when it can (preferred-leader); any, if it is empty."""
    failback_delay: float = 5000.0
    """For how long it must have been in step before it gets the lead back, in milliseconds."""
    failback_interval: float = 60_000.0
    """Between two such handovers, at least."""


class Member:
    """One seat. ``start`` names this run of its process; ``saved`` is what a file has kept, None if nothing has;
    ``holds_data`` tells that there are data though this seat is in no group (election/forming.py)."""

    machine_class = Machine
    log_class = GroupLog
    leading_class = Leading
    failback_class = Failback

    def __init__(
        self,
        state: Durable,
        settings: Settings,
        saved: Saved | None,
        pictures: Pictures,
        random: Random,
        start: str,
        now: float,
        holds_data: bool = False,
    ) -> None:
        self.seat = state.seat
        self.settings = settings
        self.timing = settings.timing
        self.ack_timeout = settings.ack_timeout
        self.pictures = pictures
        self._random = random
        self.actions: list[Any] = []
        self.log = self.log_class(settings.voters)
        self.machine = self.machine_class(
            state, settings.voters, self, self.timing, random, start, now, self.actions, settings.priority, holds_data
        )
        self.failback = self.failback_class(settings.preferred, settings.failback_delay, settings.failback_interval)
        self.leading: Leading | None = None
        self.link: Link | None = None
        """The link to a leader."""
        self.pulling: Link | None = None
        self._pulled_at = self.log.position
        self._need = 0
        self._linked_at = now
        self._links = 0
        self._remember(state, saved)

    def _remember(self, state: Durable, saved: Saved | None) -> None:
        machine = self.machine
        if state.epoch is None:
            return
        if saved is None:
            machine.become_recovering()
        elif self.is_whole(state):
            self._load(saved)
            machine.memory = Memory.WHOLE
        else:
            machine.memory = Memory.RECOVERING

    def is_whole(self, state: Durable) -> bool:
        """Whether what is on disk is all that this seat has acknowledged."""
        return state.whole

    def _load(self, saved: Saved) -> None:
        before = Epochs(saved.table)
        before.cut(saved.base)
        self.log.adopt(before.table, saved.base, saved.voters)
        for entry in saved.entries:
            self.log.append(entry)
        self.log.applied = self.log.end

    # What comes in.

    def step(self, sender: str, message: Message, now: float) -> None:
        """A message of another seat, whose signature was right."""
        self.machine.step(sender, message, now)

    def tick(self, now: float) -> None:
        """Time has passed; to be called about once a heartbeat."""
        if self.link and now - max(self.machine.silent_since, self._linked_at) > self.timing.silent_link:
            self.unfollow()
        self.machine.tick(now)
        self.failback.note_leader(self.machine.leader, now)
        if self.leading:
            self.leading.tick(now)
        self.log.trim(self.settings.keep)

    def take_actions(self) -> list[Any]:
        """What is to be done, in this order."""
        taken = self.actions[:]
        self.actions.clear()
        return taken

    def step_link(self, link: Link, message: Spoken, now: float) -> None:
        """A message on a link."""
        if isinstance(message, Pull):
            self.step_pull(link, message)
        elif isinstance(message, Pulled):
            if link == self.pulling:
                self.step_pulled(message, now)
            else:
                self.distrust(link, "it answers what it was not asked")
        elif isinstance(message, (Continue, Image, Append, Stand)):
            if link == self.link:
                self.step_stream(link, message, now)
            else:
                self.distrust(link, "it speaks as a leader, and is not followed on this link")
        elif self.leading:
            self.leading.step(link, message, now)
        else:
            self.close(link)

    def lose_link(self, link: Link, now: float) -> None:
        """A link was closed by the other end, or broke."""
        if link == self.link:
            self.link = None
            self.machine.lose_stream(now)
        elif link == self.pulling:
            self.pulling = None
        elif self.leading:
            follower = self.leading.followers.get(link.peer)
            if follower and follower.link == link:
                del self.leading.followers[link.peer]

    def hear_link(self, now: float) -> None:
        """The leader is there, but busy with an image for this seat: the link is not silent. It promises nothing."""
        self._linked_at = now

    def hear_part(self, now: float) -> None:
        """A part of what the leader says has come, or a sign that it is alive, on the link to it: as good as a whole
        message for who has followed it before. One large write may be on its way for longer than a leader may be
        silent, and would otherwise depose it each time it is sent."""
        self._linked_at = now
        machine = self.machine
        if self.link and machine.promise.leader == self.link.peer:
            machine.hear_stream(self.link.peer, machine.promise.epoch, now)

    # Requests of clients.

    def admit(self, is_write: bool, level: int, now: float) -> Verdict:
        """Whether a request may be executed that asks for the leader; ``now`` is from after it was read."""
        return self.leading.admit(is_write, level, now) if self.leading else Verdict.ISOLATED

    def can_read(self) -> bool:
        """Whether a follower may answer reads: with what is committed, perhaps old."""
        follows = self.machine.role is Role.FOLLOWER and self.machine.memory is Memory.WHOLE
        return follows and self.has_committed_data()

    def has_committed_data(self) -> bool:
        """Whether nothing is in the keyspace that may yet be dropped."""
        return self.log.readable

    def holds_lease(self, now: float) -> bool:
        """Whether this seat leads, and nobody else can."""
        return self.leading is not None and self.leading.holds_lease(now)

    def whom_to_greet(self) -> list[str]:
        """Whom a leader would have as followers: the voters as configured, and those that were added since."""
        return sorted({*self.settings.voters, *self.voters} - {self.seat})

    # What the machine asks for (election/stream.py).

    @property
    def position(self) -> Position:
        """How far the history reaches."""
        return self.log.position

    @property
    def voters(self) -> tuple[str, ...]:
        """The voters after the newest change."""
        return self.log.voters

    def settled_voters(self, now: float) -> tuple[str, ...]:
        """The voters, if this seat leads under a lease and no change of them is on its way; otherwise nobody."""
        leading = self.leading
        settled = leading is not None and leading.holds_lease(now) and leading.has_committed()
        return self.log.voters if leading and settled and not leading.changes.pending else ()

    def lead(self, now: float) -> None:
        """Elected: execute what is not executed yet, and open the epoch."""
        self._execute(self.log.execute_all())
        self.leading = self.leading_class(self, now)
        self.leading.open(now)

    def cease(self) -> None:
        """Lead no more."""
        if self.leading:
            self.leading.end()
            self.leading = None

    def follow(self, leader: str, now: float) -> None:
        """Open a link to a leader, unless there is one."""
        if self.link and self.link.peer == leader:
            return
        self.unfollow()
        log, machine = self.log, self.machine
        whole = machine.memory is Memory.WHOLE
        stands = machine.priority > 0
        self.link = self._open(leader, Sync(machine.epoch, log.epochs.table, log.end, log.applied, whole, stands))
        self._linked_at = now

    def unfollow(self) -> None:
        """Hang up on the leader."""
        if self.link:
            self.close(self.link)
            self.link = None

    def pull(self, seat: str, now: float) -> None:
        """Ask a voter that is ahead for the entries that are missing here."""
        if self.pulling is None or self.pulling.peer != seat:
            if self.pulling:
                self.close(self.pulling)
            self._pulled_at = self.log.position
            self.pulling = self._open(seat, Pull(self.log.epochs.table, self.log.end, self.log.applied))

    def draw_id(self) -> str:
        """A replication id that nobody has."""
        return f"{self._random.getrandbits(160):040x}"

    # Following.

    def step_stream(self, link: Link, message: FromLeader, now: float) -> None:
        """Something of the stream of a leader."""
        machine = self.machine
        if machine.refuses_epoch(message.epoch):
            self.say(link, Refusal(machine.epoch))
            self.unfollow()
        elif isinstance(message, Stand):
            machine.take_over(message.epoch, now)
        else:
            machine.hear_stream(link.peer, message.epoch, now)
            if self._take(message):
                self._after(link, message.commit)

    def _take(self, message: Continue | Image | Append) -> bool:
        if isinstance(message, Image):
            self.install(message)
            return True
        if isinstance(message, Continue):
            problem = self._misfit(message.cut, message.entries, message.epoch)
        elif message.first != self.log.end:
            problem = f"entries begin at {message.first}, and the history ends at {self.log.end}"
        else:
            problem = self._misplaced(message.first, message.entries, message.epoch)
        if problem:
            self.distrust(self.link, problem)
            self.link = None
            return False
        if isinstance(message, Continue):
            self.cut(message.cut)
        self.keep(message.entries)
        return True

    def _misfit(self, cut: int, new: tuple[Entry, ...], epoch: int) -> str:
        """Why this history cannot go on at ``cut`` with entries of a leader of an epoch; empty where it can."""
        if not self.log.ends_at(cut):
            return f"the history should go on at {cut}, and no entry ends there"
        if not self.may_drop(cut):
            return f"what lies behind {cut} should be dropped, and is committed or executed"
        return self._misplaced(cut, new, epoch)

    def may_drop(self, cut: int) -> bool:
        """Whether nothing that lies behind this offset is committed or in the keyspace."""
        return cut >= self.log.commit and cut >= self.log.applied

    def _misplaced(self, first: int, new: tuple[Entry, ...], epoch: int) -> str:
        """Why entries cannot stand behind an offset; empty where they can."""
        if len(new) == 1 and new[0].epoch == self.log.position.epoch and first == self.log.end:
            return ""  # as nearly all do
        last = self.log.epochs.at(first)
        for entry in new:
            if not last <= entry.epoch <= epoch:
                return f"an entry of epoch {entry.epoch} should stand behind one of epoch {last}, in epoch {epoch}"
            last = entry.epoch
        return ""

    def distrust(self, link: Link | None, why: str) -> None:
        """Hang up on a voter that has said what no voter says, and tell the operator."""
        if link:
            self.close(link)
            text = f"The link {'to' if link.outgoing else 'of'} {link.peer} is dropped: {why}"
            self.actions.append(Log(text, "warning"))

    def _after(self, link: Link, commit: int) -> None:
        machine, log = self.machine, self.log
        if machine.memory is Memory.RECOVERING and self.is_whole_at(log.end):
            machine.become_whole()
            self.actions.append(Log("All that was acknowledged is here again"))
        self._execute(log.learn_commit(commit))
        if machine.memory is Memory.WHOLE:
            self.say(link, Ack(log.end))

    def is_whole_at(self, end: int) -> bool:
        """Whether the stream has come to where the leader was when it was asked for an image."""
        return end >= self._need

    def keep(self, new: tuple[Entry, ...]) -> None:
        """Append entries, and write them; before that the state, if epochs or voters change with them."""
        log = self.log
        before = log.position.epoch
        changes = False
        for entry in new:
            log.append(entry)
            changes = changes or entry.kind is Kind.VOTERS
        if changes or log.position.epoch != before:
            self._persist_history()
        if new:
            self.actions.append(Keep(new))

    def cut(self, end: int) -> None:
        """Drop what a later leader does not have."""
        if end < self.log.end:
            self.log.cut(end)
            self.actions.append(Cut(end))
            self._persist_history()

    def install(self, image: Image) -> None:
        """Exchange the data set. Until the stream has come far enough this node is not whole: on disk before that."""
        self._need = image.need
        if not self.is_whole_at(image.end) and self.machine.memory is Memory.WHOLE:
            self.machine.become_recovering()
        dropped = tuple(self.log.since(image.cut) or ()) if self.log.end > image.cut else ()
        self.log.adopt(image.table, image.end, image.voters)
        self.actions.append(Install(image, dropped))
        self._persist_history()

    def _persist_history(self) -> None:
        machine = self.machine
        machine.persist(replace(machine.state, table=self.log.epochs.table, voters=self.log.voters))

    def _execute(self, committed: Any) -> None:
        if committed:
            self.actions.append(Execute(tuple(committed)))

    # Catching up before an election.

    def step_pull(self, link: Link, message: Pull) -> None:
        """A nominated voter asks for what it lacks: entries, if its keyspace holds nothing that it must drop."""
        log = self.log
        cut = common_end(log.epochs.table, log.end, message.table, message.end)
        missing = log.since(cut) if message.applied <= cut and self.can_be_pulled() else None
        if missing is not None:
            self.say(link, Pulled(log.position, cut, tuple(missing)))
        self.close(link)

    def can_be_pulled(self) -> bool:
        """Whether what this node holds may be the base of an election."""
        return self.machine.memory is Memory.WHOLE

    def step_pulled(self, message: Pulled, now: float) -> None:
        """What was asked for: the history becomes that of the voter that was ahead. It was asked for from where the
        history ended then: if that has moved on since, the answer does not fit any more."""
        machine = self.machine
        wanted = machine.is_nominated(now) and machine.role is Role.FOLLOWER and machine.memory is Memory.WHOLE
        pulled, self.pulling = self.pulling, None
        self.close(pulled)
        if wanted and message.position > self.log.position == self._pulled_at:
            problem = self._misfit(message.cut, message.entries, message.position.epoch)
            if problem:
                self.distrust(pulled, problem)
                return
            self.unfollow()
            machine.reach(message.position.epoch)
            self.cut(message.cut)
            self.keep(message.entries)

    def begin_anew(self, saved: Saved) -> None:
        """What the keyspace holds is the history of nobody else (GROUP BOOTSTRAP), of an epoch above all that was heard
        of, which is promised with it."""
        self.log.adopt(saved.table, saved.base, saved.voters)
        epoch, machine = saved.table[-1][0], self.machine
        machine.persist(replace(machine.state, epoch=epoch, vote=None, table=saved.table, voters=self.log.voters))

    # Ends.

    def shutdown(self) -> Saved | None:
        """What a clean shutdown writes beside the data set, for the next start to find once: all that is acknowledged,
        executed or not. None if this node is not whole."""
        if self.machine.memory is not Memory.WHOLE:
            return None
        log = self.log
        return Saved(log.epochs.table, log.base, log.voters_at_base, tuple(log.since(log.base) or ()))

    # Links.

    def _open(self, peer: str, first: Spoken) -> Link:
        self._links += 1
        link = Link(peer, self._links, True)
        self.actions.append(Connect(link))
        self.actions.append(Say(link, first))
        return link

    def say(self, link: Link, message: Spoken) -> None:
        """Send a message on a link."""
        self.actions.append(Say(link, message))

    def close(self, link: Link | None) -> None:
        """Hang up."""
        if link:
            self.actions.append(Close(link))

    def _check(self) -> None:
        self.machine._check()
        self.log._check()
        assert (self.leading is not None) == (self.machine.role is Role.LEADER)
        assert not (self.link and self.leading)
        if self.leading:
            self.leading._check()
