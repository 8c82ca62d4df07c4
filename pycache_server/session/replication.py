"""What a node is in its replication: its role, its history, and what follows from that for commands.

There is one of these in each Core, whatever the role. ``history`` (repl/history.py) says which data the node holds;
``backlog`` keeps the end of the stream, once somebody has asked for it or the node follows. While the node leads, what
changes comes from the feed; while it follows, from its leader, byte for byte (``forward``). Either way it goes on to
the followers of this node (leading.py).

``following`` is what is known of the leader while the node follows one, and None while it leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from pycache_server.repl.backlog import Backlog
from pycache_server.repl.history import History
from pycache_server.repl.replica import State
from pycache_server.session.boot import EmptyStart
from pycache_server.session.failover import Failover
from pycache_server.session.gates import good_replicas
from pycache_server.session.leading import Leading
from pycache_server.session.waits import Waits

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session


class Following(Protocol):
    """A node's link to its leader, as ROLE and INFO show it."""

    @property
    def ignores_maxmemory(self) -> bool:
        """Whether the node holds all that its leader holds, whatever its own limit is."""

    @property
    def stream_db(self) -> int:
        """The index of the database that is selected in the stream, at the offset that has been applied."""

    @property
    def connected(self) -> bool:
        """Whether the link is there, so that others may follow this node."""

    def acknowledge(self) -> None:
        """Tell the leader how far the node is."""

    def role(self) -> list[Any]:
        """The reply to ROLE."""

    def info(self) -> Iterator[tuple[str, Any]]:
        """The fields of INFO replication that only a follower has, in their order."""


class Replication:
    """The replication of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.history = History(core.host.token(40))
        self.backlog: Backlog | None = None
        self.backlog_size = 1 << 20
        """repl-backlog-size in bytes."""
        self.following: Following | None = None
        self.refuses_writes = False
        """Whether clients may only read, because the node follows."""
        self.is_stale = False
        """Whether clients may read nothing, because the leader is out of reach (replica-serve-stale-data)."""
        self.wants_replicas = False
        """Whether writes may be refused for want of good replicas (min-replicas-to-write)."""
        self.on_role: list[Callable[[], None]] = []
        """Called when the node has begun to follow, or to lead."""
        self.on_acknowledged: list[Callable[[], None]] = []
        """Called when a replica has acknowledged something, or gone."""
        self.leading = Leading(core, self)
        self.waits = Waits(core, self)
        self.failover = Failover(core, self)
        self.empty_start = EmptyStart(core)
        self.follow: Callable[[str, int, Callable[[bool], None]], None] = _cannot_follow
        """Lets the node follow another, at a host and port, which shall lead; and calls back with whether that one
        agrees. Set by the server."""
        self.unfollow: Callable[[], None] = self.become_leader
        """Lets the node follow nobody any more. Set by the server."""
        self.hand_over: Callable[[str | None], None] | None = None
        """In a group: lets the voter at a host:port take over, or the best one. Set by the server."""
        self.isolated: Callable[[], list[Any] | None] | None = None
        """In a group: the reply to ROLE of a leader that may not answer as one; None while it may."""
        self._listens = False

    # The role

    @property
    def leads(self) -> bool:
        """Whether the node is a leader: a master, in Redis's words."""
        return self.following is None

    def become_follower(self, following: Following) -> None:
        """Follow a leader from now on: nothing is fed any more but what comes from there. Who follows this node goes
        on with that."""
        self.following = following
        self.empty_start.open()
        self.keep_backlog()
        self._change_role()

    def become_leader(self, replication_id: bytes = b"") -> None:
        """Lead from now on, with a history of one's own that continues the present one."""
        self.following = None
        self.history.rotate(replication_id or self._core.host.token(40))
        self.leading.leader.alone_since = self._core.host.ticks()
        self._change_role()

    def _change_role(self) -> None:
        self._listen()
        self.set_gate()
        self._core.settle_stillness()
        for call in self.on_role:
            call()

    def forget(self, session: Session) -> None:
        """A client has gone."""
        if session.replica is not None:
            self.leading.forget(session)

    def drop_followers(self) -> None:
        """Let those who follow this node connect anew, because their history has changed."""
        self.leading.drop_all()

    def role(self) -> list[Any]:
        """The reply to ROLE."""
        if self.following is not None:
            return self.following.role()
        if self.isolated is not None and (role := self.isolated()) is not None:
            return role
        found = self.leading.leader.voters() if self.leading.counts else self.leading.leader.replicas
        online = [
            [(each.address or each.host).encode(), b"%d" % each.port, b"%d" % each.acknowledged]
            for each in found
            if each.state is State.ONLINE
        ]
        return [b"master", self.history.offset, online]

    # The stream

    def keep_backlog(self) -> Backlog:
        """Keep the end of the stream from now on. A leader that has kept none takes a new id, so that nobody comes
        with an offset that it has not counted."""
        if self.backlog is None:
            if self.leads:
                self.history.renew(self._core.host.token(40))
                self._core.host.log(
                    "notice",
                    f"Replication backlog created, my new replication IDs are '{self.history.id.decode()}' and "
                    f"'{self.history.second_id.decode()}'",
                )
            self._make_backlog()
        assert self.backlog is not None
        return self.backlog

    def restart_backlog(self) -> None:
        """The data set has become another one: what is kept of the stream before is of no use."""
        self.leading.drop_all()
        self.backlog = None
        self._make_backlog()

    def recall(self, replication_id: bytes, offset: int) -> None:
        """The data set of a leader has been loaded, and is that of a history at an offset: whoever has followed that
        may go on from there. The node has an id of its own; the old one is right up to here."""
        own = self.history.id
        self.history.adopt(replication_id, offset)
        self.history.rotate(own)
        self.leading.leader.alone_since = self._core.host.ticks()
        self.restart_backlog()

    def _make_backlog(self) -> None:
        if self._listens:
            self._core.feed.close(self.leading)
            self._listens = False
        self.backlog = Backlog(self.history, self.backlog_size)
        self.leading.set_takers(self.backlog)
        self.leading.begin_ticking()
        self._listen()

    def free_backlog(self) -> None:
        """Keep nothing of the stream any more: whoever comes needs everything."""
        self.history.renew(self._core.host.token(40))
        self.backlog = None
        self._listen()

    def resize_backlog(self, size: int) -> None:
        """Keep so many bytes from now on."""
        self.backlog_size = size
        if self.backlog is not None:
            self.backlog.resize(size)

    def forward(self, data: bytes) -> None:
        """The stream goes on with these bytes, which the data set contains."""
        self.leading.append(data)

    def _listen(self) -> None:
        """Hear of changes while they are for replicas: of a follower they are its leader's."""
        wanted = self.leads and self.backlog is not None
        if wanted and not self._listens:
            self.leading.stream.reset()
            self._core.feed.open(self.leading)
        elif not wanted and self._listens:
            self._core.feed.close(self.leading)
        self._listens = wanted

    @property
    def stream_db(self) -> int:
        """The index of the database that is selected in the stream where it is now; 0 where the next command selects
        its own."""
        return self.following.stream_db if self.following is not None else max(self.leading.stream.selected, 0)

    def position(self) -> list[tuple[bytes, bytes]]:
        """What an RDB file tells of where its data stand in the stream, so that who has loaded it may go on there:
        names and values; nothing where nobody could."""
        if self.backlog is None:
            return []
        return [
            (b"repl-stream-db", b"%d" % self.stream_db),
            (b"repl-id", self.history.id),
            (b"repl-offset", b"%d" % self.history.offset),
        ]

    # Who has it

    def acknowledged(self) -> None:
        """A replica has acknowledged something, or gone."""
        self.waits.look_soon()
        self._core.syncs.moved()
        if self.failover.state:
            self.failover.look()
        for call in self.on_acknowledged:
            call()

    def durable_for(self, session: Session) -> int:
        """How many replicas have on disk what a client has written."""
        return self.leading.leader.durable_at(session.told)

    def set_gate(self) -> None:
        """Refuse writes while there are too few good replicas, where that is wanted."""
        limits = self.leading.leader.limits
        wanted = self.leads and limits.least_good > 0 and limits.max_lag > 0
        self.wants_replicas = wanted
        self._core.gates.set("noreplicas", good_replicas if wanted else None)

    @property
    def lacks_replicas(self) -> bool:
        """Whether writes are refused for want of good replicas. They are counted anew for each write: what is written
        after they have gone silent is what a failover loses."""
        limits = self.leading.leader.limits
        if limits.least_good <= 0 or limits.max_lag <= 0 or not self.leads:
            return False
        self.leading.count_good()
        return self.leading.good < limits.least_good

    def _check(self) -> None:
        """Assert that everything agrees."""
        self.history._check()
        if self.backlog is not None:
            self.backlog._check()
        self.leading._check()


def _cannot_follow(host: str, port: int, on_outcome: Callable[[bool], None]) -> None:
    """There is nobody who could connect."""
    on_outcome(False)
