"""The leader's side: sessions that have become replicas, and how the stream gets to them.

The feed tells of every change (``take``). It is encoded once and appended to the backlog, and at the end of the round
of the event loop what is new is written to all replicas (``flush``). With many clients a round has a dozen writes, and
to send those of each by themselves costs nearly as much as to execute them. So while they get between MANY and ENOUGH
bytes at a time, what is new is gathered for GATHER; never where somebody waits for replicas, and not in a group. A
replica that does not read as fast is left behind at its position: the bytes are in the backlog, and nothing piles up in
its connection. How far it may fall behind is a matter of client-output-buffer-limit.

What a replica lacks altogether it gets by a snapshot (``Sync``): one for all that wait. Making and sending it is for
whoever has files and processes (server/replicate.py), here it only has a beginning and an end.

A node that follows has replicas, too: they get what its leader sends, byte for byte (session/replication.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from pycache_server.commands.registry import Handler
from pycache_server.repl.backlog import Backlog
from pycache_server.repl.field_times import lasting
from pycache_server.repl.leader import Leader
from pycache_server.repl.replica import Replica, State
from pycache_server.resp.encode import CRLF, HALT, JOINTS, NO_REPLY
from pycache_server.session.describe import describe
from pycache_server.session.feed import REPLICAS, Told
from pycache_server.session.host import Refused
from pycache_server.session.stream import CommandStream, encode_command

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.host import Timer
    from pycache_server.session.replication import Replication
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

BITE: Final = 64 * 1024
"""Bytes that are written at a time to a replica that has fallen behind."""
GATHER: Final = 0.002
"""Seconds between two writes to a replica that gets much and that nobody waits for."""
MANY, ENOUGH = 1024, 32 * 1024
"""Bytes written to a replica at a time from which on it gets much, and from which on nothing is won by gathering."""
TICK: Final = 1.0
"""Seconds between two looks at the replicas."""
GETACK: Final = encode_command([b"REPLCONF", b"GETACK", b"*"])
PING: Final = encode_command([b"PING"])


class Transfer(Protocol):
    """A snapshot on its way to one replica."""

    def go_on(self) -> None:
        """The replica reads again."""

    def abandon(self) -> None:
        """The replica has gone."""


class Snapshots(Protocol):
    """Who makes snapshots for replicas and sends them."""

    def start(self, sync: Sync) -> None:
        """Make one. Raises Refused where that is not possible now, and OSError where it fails."""


class ReplicaLink:
    """A session that is a replica, or says that it will be."""

    __slots__ = ("pass_on", "replica", "session", "transfer", "warned")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.replica = Replica(_host_of(session), session.id)
        self.transfer: Transfer | None = None
        self.pass_on: Callable[[bytes], None] = self.write
        """Sends it whole commands of the stream, in words that it knows."""
        self.warned = False

    def suit(self) -> None:
        """It has said what it knows, and is a replica from now on."""
        if not self.replica.keeps_field_times:
            self.pass_on = self._pass_on_lasting

    def _pass_on_lasting(self, data: bytes) -> None:
        self.write(self._lasting(data))

    def _lasting(self, data: bytes) -> bytes:
        """Whole commands as they are for who does not know of fields that expire."""
        found = lasting(data)
        if found is not data and not self.warned:
            self.warned = True
            self.session.core.host.log(
                "warning",
                f"Replica {self.replica.name} does not tell of version 7.4: it is not sent the times to live of fields "
                "of hashes, which go from it when they are due",
            )
        return found

    def write(self, data: bytes) -> None:
        """Send it something."""
        stats = self.session.core.stats
        stats.writes += 1
        stats.repl_output_bytes += len(data)
        self.session.link.write(data)

    def unread(self) -> int:
        """How many bytes of the stream are kept for it, here and in its connection."""
        session, replica = self.session, self.replica
        behind = session.core.replication.history.offset - replica.position if replica.reads else 0
        return behind + session.link.buffered()

    def pump(self) -> None:
        """Send what it lacks, as far as it reads."""
        backlog, replica = self.session.core.replication.backlog, self.replica
        assert backlog is not None
        while not self.session.congested and (data := backlog.since(replica.position, BITE)):
            if not replica.keeps_field_times:
                start, block = backlog.whole(replica.position)
                begin = replica.position - start
                data = self._lasting(block)[begin : begin + len(data)]
            replica.position += len(data)
            self.write(data)


class Sync:
    """One snapshot for some replicas. ``streamed`` says that it is sent as it is made."""

    def __init__(self, leading: Leading, links: list[ReplicaLink], streamed: bool) -> None:
        self._leading = leading
        self.links = links
        """Those that still wait for it."""
        self.streamed = streamed
        self.offset = 0
        first = links[0].replica
        self.filtered, self.with_functions, self.keeps_field_times, _ = first.wants()

    @property
    def replicas(self) -> list[Replica]:
        """What is known of those that wait for it."""
        return [link.replica for link in self.links]

    def begin(self) -> None:
        """This is the moment whose data the snapshot has."""
        self.offset = self._leading.begin_snapshot()
        for link in self.links:
            self._leading.set_up(link, self.offset)

    def deliver(self, link: ReplicaLink) -> None:
        """A replica has been sent all of it."""
        link.transfer = None
        self.links.remove(link)
        self._leading.deliver(link, self.streamed)

    def end(self) -> None:
        """It is made: another one may begin. Its replicas may still be reading it."""
        self._leading.end_sync(self)

    def fail(self) -> None:
        """There will be none: its replicas must try again."""
        for link in list(self.links):
            self._leading.core.host.log("warning", "SYNC failed. BGSAVE child returned an error")
            link.session.abort()
        self.end()


class Leading:
    """The replicas of one server; a sink of its feed."""

    kind = REPLICAS

    def __init__(self, core: Core, replication: Replication) -> None:
        self.core = core
        self.leader = Leader(replication.history)
        self.links: list[ReplicaLink] = []
        self.snapshots: Snapshots | None = None
        """Set by the server."""
        self.on_tick: Callable[[], None] = lambda: None
        """Called once a second while there are replicas."""
        self.stream = CommandStream()
        self.take: Callable[[list[Told]], None] = _take_nothing
        """See Sink; made anew with the backlog, as the next."""
        self.take_one: Callable[[int, list[bytes]], None] = _take_nothing
        self.on_sealed: Callable[[bytes], None] | None = None
        """Called with all that is new in the stream, once a round; set by a group."""
        self._is_plain = True  # whether all that is not sealed are commands of three words, which every replica knows
        self.counts = False
        """Whether replies wait for what is in the stream, so that its units are positions of the feed."""
        self.good = 0
        """How many replicas are online and do not lag, as of the last look."""
        self._replication = replication
        self._sync: Sync | None = None
        self._planned = False
        self._gathering: Timer | None = None
        self._flushed = -GATHER  # when replicas were last sent something
        self._size = 0  # and how much
        self._asks = False
        self._timer: Timer | None = None
        self._start_timer: Timer | None = None

    # The stream

    def set_takers(self, backlog: Backlog) -> None:
        """Make what takes units from the feed, for a backlog."""
        stream, history, add, feed = self.stream, backlog.history, backlog.fresh.append, self.core.feed
        counts = self.counts

        def take(unit: list[Told]) -> None:
            data = stream.encode(unit)
            self._is_plain = False
            add(data)
            history.offset += len(data)
            if counts:
                feed.position += 1
            if not self._planned:
                self.plan_flush()

        def take_one(index: int, argv: list[bytes]) -> None:
            # hot: nearly every write comes here, so what it would call stands in it (bench/replication.py)
            try:
                if len(argv) == 3 and index == stream.selected:
                    name, key, value = argv
                    data = b"".join(
                        (b"*3", JOINTS[len(name)], name, JOINTS[len(key)], key, JOINTS[len(value)], value, CRLF)
                    )
                else:
                    data = encode_command(argv) if index == stream.selected else stream.encode([(index, argv)])
                    self._is_plain = False
            except IndexError:  # a long word
                data = encode_command(argv)
            add(data)
            history.offset += len(data)
            if counts:
                feed.position += 1
            if not self._planned:
                self.plan_flush()

        self.take, self.take_one = take, take_one

    def append(self, data: bytes) -> None:
        """The stream goes on with these bytes."""
        backlog = self._replication.backlog
        assert backlog is not None
        backlog.append(data)
        self._is_plain = False
        self.plan_flush()

    def flush(self) -> None:
        """Send the replicas what is new."""
        self._planned = False
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        backlog = self._replication.backlog
        if backlog is None:
            return
        self._flushed = self.core.host.ticks()
        begin = backlog.sealed
        fresh = backlog.seal()
        plain, self._is_plain = self._is_plain, True
        if self.on_sealed is not None and fresh:
            self.on_sealed(fresh)
        self._size = size = len(fresh)
        for link in self.links:
            replica = link.replica
            if replica.streams and not link.session.congested:
                if replica.position == begin and size <= BITE:
                    replica.position += size
                    (link.write if plain else link.pass_on)(fresh)
                else:
                    link.pump()
            elif replica.reads:
                link.session.check_output(self.core.host.ticks())

    def ask(self) -> None:
        """Let the replicas tell how far they are, at the end of this round."""
        if not self._asks and self.links:
            self._asks = True
            self.core.host.defer(self.send_getack)

    def send_getack(self) -> None:
        """Let the replicas tell how far they are."""
        if self.core.pause.mode:  # the stream stands still: the tick tries again
            return
        self._asks = False
        if self._replication.leads and self.links:
            self.append(GETACK)
            self.hurry()

    # Who comes and goes

    def come(self, link: ReplicaLink, offset: int | None) -> None:
        """A session has become a replica: its stream goes on from an offset, or it needs a snapshot."""
        now = self.core.host.ticks()
        link.suit()
        self.links.append(link)
        self.leader.add(link.replica, now, offset)
        self.core.pubsub.forget(link.session)
        self.core.tracking.forget(link.session)
        link.session.silence = ""
        link.session.choose_table()
        self.begin_ticking()
        if offset is not None:
            self._keep_for(link.replica)
            self.count_good()
            self.plan_flush()

    def plan_flush(self) -> None:
        """See to it that the replicas get what is there."""
        if self._planned:
            return
        self._planned = True
        host = self.core.host
        if MANY <= self._size < ENOUGH and self.on_sealed is None and host.ticks() - self._flushed < GATHER:
            self._gathering = host.call_later(GATHER, self.flush)
        else:
            host.defer(self.flush)

    def hurry(self) -> None:
        """Gather no more: somebody waits."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
            self.core.host.defer(self.flush)

    def _keep_for(self, replica: Replica) -> None:
        assert self._replication.backlog is not None
        self._replication.backlog.readers.append(replica)

    def forget(self, session: Session) -> None:
        """A client has gone."""
        link = session.replica
        if link is None or not link.replica.active:
            return
        session.replica = None
        self.core.host.log("notice", f"Connection with replica {link.replica.name} lost.")
        if link.transfer is not None:
            link.transfer.abandon()
        self.links.remove(link)
        self.leader.remove(link.replica, self.core.host.ticks())
        backlog = self._replication.backlog
        if backlog is not None and link.replica in backlog.readers:
            backlog.readers.remove(link.replica)
            backlog.trim()
        if self._sync is not None and link in self._sync.links:
            self._sync.links.remove(link)
        self.count_good()
        self._replication.acknowledged()

    def drop_all(self) -> None:
        """End the connections of all replicas: they come back, and hear what has changed."""
        for link in list(self.links):
            session = link.session
            self.forget(session)
            session.abort()

    # Snapshots

    def join(self, link: ReplicaLink) -> None:
        """A replica needs a snapshot: that which is being made, or another one."""
        log, sync = self.core.host.log, self._sync
        if sync is None:
            limits = self.leader.limits
            if limits.diskless and limits.delay and link.replica.takes_streams:
                log("notice", "Delay next BGSAVE for diskless SYNC")
            self.start_pending()
        elif sync.streamed:
            log("notice", "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        elif self.leader.may_join(link.replica, sync.replicas):
            sync.links.append(link)
            self.set_up(link, sync.offset)
            log("notice", "Waiting for end of BGSAVE for SYNC")
        else:
            log("notice", "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")

    def start_pending(self) -> None:
        """Make a snapshot, if replicas wait for one, and it is time."""
        if self._start_timer is not None:
            self._start_timer.cancel()
            self._start_timer = None
        now = self.core.host.ticks()
        if self._sync is not None or not self.leader.waiting():
            return
        order = self.leader.order(now)
        if order is None:
            self._start_timer = self.core.host.call_later(self.leader.due(now), self.start_pending)
            return
        links = [link for link in self.links if link.replica in order.replicas]
        self._start(Sync(self, links, order.streamed))

    def _start(self, sync: Sync) -> None:
        log = self.core.host.log
        if self.snapshots is None:
            self._give_up(sync, "there are none in this process")
            return
        self._sync = sync
        try:
            self.snapshots.start(sync)
        except Refused:
            self._sync = None
            log("notice", "No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed")
        except OSError as error:
            self._sync = None
            self._give_up(sync, str(error))

    def _give_up(self, sync: Sync, why: str) -> None:
        """No snapshot can be made: tell the replicas, and end their connections."""
        self.core.host.log("warning", f"BGSAVE for replication failed: {why}")
        for link in sync.links:
            link.write(b"-ERR BGSAVE failed, replication can't continue\r\n")
            link.session.close()

    def begin_snapshot(self) -> int:
        """A snapshot has been made of this moment. Its offset."""
        self.stream.reset()
        return self._replication.history.offset

    def set_up(self, link: ReplicaLink, offset: int) -> None:
        """A replica will get a snapshot that ends at an offset."""
        answer = link.replica.begin_snapshot(self._replication.history.id, offset)
        if link.replica.reads:
            self._keep_for(link.replica)
        if answer:
            link.write(answer)

    def deliver(self, link: ReplicaLink, streamed: bool) -> None:
        """A replica has been sent its snapshot."""
        replica, log = link.replica, self.core.host.log
        if streamed:
            log(
                "notice",
                f"Streamed RDB transfer with replica {replica.name} succeeded (socket). Waiting for REPLCONF ACK from "
                "replica to enable streaming",
            )
        if replica.only_snapshot:
            log(
                "notice",
                f"RDB transfer completed, rdb only replica ({replica.name}) should be disconnected asap",
            )
            link.session.close()
            return
        replica.go_online(self.core.host.ticks())
        replica.awaits_ack = streamed and not replica.old
        log("notice", f"Synchronization with replica {replica.name} succeeded")
        self.core.replication.empty_start.note_in_step(replica)
        self.count_good()
        if replica.streams:
            link.pump()

    def end_sync(self, sync: Sync) -> None:
        """A snapshot is made, or has failed."""
        if self._sync is sync:
            self._sync = None
            self.core.host.defer(self.start_pending)

    # What replicas say

    def hear(self, link: ReplicaLink, offset: int, durable: int = 0) -> None:
        """A replica has acknowledged. One that has more than it was sent lies, or follows another history: then its
        word counts for nothing, and it is not spoken to any more. Before it has got its snapshot it has nothing, and
        what it says is not heard."""
        replica = link.replica
        if replica.state is not State.ONLINE:
            return
        if max(offset, durable) > replica.position:
            self.disbelieve(
                link,
                f"has acknowledged offset {max(offset, durable)}, but has been sent the stream up to "
                f"{replica.position} only",
            )
            return
        starts = replica.awaits_ack
        replica.acknowledge(offset, durable, self.core.host.ticks())
        if starts:
            link.pump()
        if self.good < self.leader.limits.least_good:
            self.count_good()
        self._replication.acknowledged()

    def disbelieve(self, link: ReplicaLink, why: str) -> None:
        """A replica has said what cannot be."""
        self.core.host.log("warning", f"Replica {link.replica.name} {why}. Disconnecting it.")
        link.session.abort()

    def resume(self, link: ReplicaLink) -> None:
        """A replica reads again."""
        if link.replica.streams:
            link.pump()
        elif link.transfer is not None:
            link.transfer.go_on()

    # Time

    def begin_ticking(self) -> None:
        """Look at the replicas once a second, while there are some or the stream is kept."""
        if self._timer is None:
            self._timer = self.core.host.call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._look(self.core.host.ticks())
        except Exception as error:  # it is in the log and in INFO, and the next tick comes
            self.core.report_failure("looking at the replicas", error)
        if self.links or self._replication.backlog is not None:
            self.begin_ticking()

    def _look(self, now: float) -> None:
        leads, log = self._replication.leads, self.core.host.log
        if self.leader.tick() and leads and not self.core.pause.held:
            self.append(PING)
        if self._asks:
            self.send_getack()
        for link in self.links:
            if link.replica.state is State.WAIT_START or (
                link.replica.state is State.WAIT_END and self._sync is not None and not self._sync.streamed
            ):
                link.write(b"\n")  # so that it does not take the connection for dead
            link.session.check_output(now)
        for replica in list(self.leader.late(now)):
            log("warning", f"Disconnecting timedout replica (streaming sync): {replica.name}")
            self.link_of(replica).session.abort()
        if leads and self._replication.backlog is not None and self.leader.outlived(now):
            self._replication.free_backlog()
            ttl = self.leader.limits.backlog_ttl
            log("notice", f"Replication backlog freed after {ttl} seconds without connected replicas.")
        self.count_good()
        self.start_pending()
        self.on_tick()

    def link_of(self, replica: Replica) -> ReplicaLink:
        """The connection of a replica."""
        return next(link for link in self.links if link.replica is replica)

    def count_good(self) -> None:
        """See how many replicas are online and do not lag."""
        self.good = self.leader.good(self.core.host.ticks())

    def refuse(self, session: Session, argv: Sequence[bytes]) -> Any:
        """A replica has said something that would have to be answered, where nothing but the stream may be sent."""
        name = argv[0][:64].decode("ascii", "backslashreplace") if argv else "unknown"
        self.core.host.log(
            "warning", f"Replica generated a reply to command '{name}', disconnecting it: {describe(session)}"
        )
        session.abort()
        return HALT

    def _check(self) -> None:
        """Assert that sessions, replicas and the backlog agree."""
        self.leader._check()
        assert [link.replica for link in self.links] == self.leader.replicas
        readers = self._replication.backlog.readers if self._replication.backlog is not None else []
        for link in self.links:
            assert link.session.replica is link
            assert link.replica.reads == (link.replica in readers)
        assert len(readers) == sum(link.replica.reads for link in self.links)


def _take_nothing(*_: Any) -> None:
    """Nobody follows."""


def replicating(row: Row) -> Handler:
    """A command of a replica: it may say how far it is, and nothing that has an answer."""
    name = row.command.name

    def run(session: Session, argv: list[bytes]) -> Any:
        row.calls += 1
        if name in ("psync", "sync"):  # it is one already
            return NO_REPLY
        value = row.run(session, argv) if name == "replconf" else None
        return value if value is NO_REPLY else session.core.replication.leading.refuse(session, argv)

    return run


def _host_of(session: Session) -> str:
    return session.address.rpartition(":")[0].strip("[]")
