"""What a leader decides about its replicas: how each gets its data, who may go on where it was, who is too late.

Time comes in as an argument, and what is to be done goes out as values; sockets, snapshots and the log are those of
session/leading.py.

Offsets are those of repl/history.py. What comes from a replica in PSYNC counts from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pycache_server.repl.backlog import Backlog
from pycache_server.repl.history import History
from pycache_server.repl.replica import Replica, State

ANY_ID: Final = b"?"
"""The id of who wants everything."""
_SHOWN: Final = 64
"""So many bytes of a strange id are shown in the log; real ones have 40."""


@dataclass
class Limits:
    """The directives that a leader obeys, in seconds where they are times."""

    ping_period: int = 10
    timeout: int = 60
    backlog_ttl: int = 3600
    diskless: bool = True
    delay: float = 5
    most_waiting: int = 0
    """repl-diskless-sync-max-replicas, 0 for any number."""
    least_good: int = 0
    """min-replicas-to-write."""
    max_lag: int = 10
    """min-replicas-max-lag."""


@dataclass(frozen=True)
class Decision:
    """The answer to PSYNC: the offset from which the stream goes on, or None where everything is needed; and what the
    log is told, as pairs of level and text."""

    offset: int | None
    notes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Order:
    """A snapshot to be made for these replicas: sent as it is made where ``streamed``, else as a file."""

    replicas: list[Replica]
    streamed: bool


class Leader:
    """The replicas of one leader."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.limits = Limits()
        self.replicas: list[Replica] = []
        self.voters: Callable[[], list[Replica]] = list
        """The followers of a group's leader that are voters: they are no replicas, but count as such."""
        self.full = 0
        self.partial = 0
        self.refused = 0
        """How many wanted to go on, and could not."""
        self.alone_since = 0.0
        """Since when there has been no replica."""
        self._ticks = 0

    # Who comes and goes

    def decide(self, replica: Replica, replication_id: bytes, asked: int, backlog: Backlog | None) -> Decision:
        """How a replica that sends PSYNC gets its data."""
        decision = self._decide(replica, replication_id.lower(), asked, backlog)
        if decision.offset is not None:
            self.partial += 1
        elif replication_id != ANY_ID:
            self.refused += 1
        return decision

    def _decide(self, replica: Replica, wanted: bytes, asked: int, backlog: Backlog | None) -> Decision:
        history = self._history
        if wanted == ANY_ID:
            return Decision(None, [("notice", f"Full resync requested by replica {replica.name}")])
        if wanted not in (history.id, history.second_id):
            shown = wanted[:_SHOWN].decode("utf-8", "backslashreplace")
            return _refusal(
                f"Replication ID mismatch (Replica asked for '{shown}', my replication IDs are "
                f"'{history.id.decode()}' and '{history.second_id.decode()}')"
            )
        if not history.shares(wanted, asked - 1):
            return _refusal(
                f"Requested offset for second ID was {asked}, but I can reply up to {history.second_offset}"
            )
        if backlog is None or not backlog.covers(asked - 1):
            lack = f"Unable to partial resync with replica {replica.name} for lack of backlog"
            notes = [("notice", f"{lack} (Replica request was: {asked}).")]
            if asked > history.offset + 1:
                too_far = "tried to PSYNC with an offset that is greater than the master replication offset"
                notes.append(("warning", f"Warning: replica {replica.name} {too_far}."))
            return Decision(None, notes)
        size = history.offset - (asked - 1)
        accepted = f"Partial resynchronization request from {replica.name} accepted."
        return Decision(
            asked - 1, [("notice", f"{accepted} Sending {size} bytes of backlog starting from offset {asked}.")]
        )

    def add(self, replica: Replica, now: float, offset: int | None) -> None:
        """A replica has come: its stream goes on from an offset, or it needs a snapshot."""
        self.replicas.append(replica)
        if offset is not None:
            replica.position = offset
            replica.go_online(now)
            return
        self.full += 1
        replica.state = State.WAIT_START
        replica.asked_at = now

    def remove(self, replica: Replica, now: float) -> None:
        """A replica has gone."""
        self.replicas.remove(replica)
        if not self.replicas:
            self.alone_since = now

    # How far they are

    def acknowledged_by(self, offset: int) -> int:
        """How many replicas have the stream up to an offset."""
        found = (*self.replicas, *self.voters())
        return sum(each.state is State.ONLINE and each.acknowledged >= offset for each in found)

    def durable_at(self, offset: int) -> int:
        """How many replicas have it on disk up to an offset."""
        found = (*self.replicas, *self.voters())
        return sum(each.state is State.ONLINE and each.durable >= offset for each in found)

    def good(self, now: float) -> int:
        """How many replicas are online and have been heard of late."""
        longest = self.limits.max_lag
        found = (*self.replicas, *self.voters())
        return sum(each.state is State.ONLINE and each.lag(now) <= longest for each in found)

    @property
    def in_step(self) -> bool:
        """Whether every replica has acknowledged everything."""
        return all(each.acknowledged == self._history.offset for each in self.replicas)

    def find(self, address: str, port: int) -> Replica | None:
        """The replica that can be reached there."""
        for each in self.replicas:
            if (each.address or each.host) == address and each.port == port:
                return each
        return None

    # What is to be done

    def waiting(self) -> list[Replica]:
        """Who waits for a snapshot to begin."""
        return [each for each in self.replicas if each.state is State.WAIT_START]

    def order(self, now: float) -> Order | None:
        """The snapshot that should begin, if one should: for all that wait and want the same."""
        waiting = self.waiting()
        if not waiting:
            return None
        first = waiting[0]
        sharing = [each for each in waiting if each.wants() == first.wants()]
        streamed = (self.limits.diskless or first.filtered) and all(each.takes_streams for each in sharing)
        enough = 0 < self.limits.most_waiting <= len(sharing)
        if streamed and self.limits.diskless and not enough and self.due(now) > 0:
            return None
        return Order(sharing, streamed)

    def due(self, now: float) -> float:
        """In how many seconds a streamed snapshot should begin, so that others may come and share it."""
        return max(0.0, min(each.asked_at for each in self.waiting()) + self.limits.delay - now)

    def may_join(self, replica: Replica, others: list[Replica]) -> bool:
        """Whether the snapshot that is being made for others, as a file, serves one that has come later."""
        known = [each for each in others if each.state is State.WAIT_END]
        return bool(known) and known[0].wants() == replica.wants()

    def tick(self) -> bool:
        """A second has passed. Whether the replicas are to be pinged."""
        self._ticks += 1
        return bool(self.replicas) and self._ticks % max(self.limits.ping_period, 1) == 0

    def late(self, now: float) -> Iterator[Replica]:
        """Replicas that get the stream and have not been heard for too long."""
        for each in self.replicas:
            if each.state is State.ONLINE and not each.old and now - each.heard_at > self.limits.timeout:
                yield each

    def outlived(self, now: float) -> bool:
        """Whether nobody has been there for so long that the backlog may go."""
        ttl = self.limits.backlog_ttl
        return bool(not self.replicas and ttl and now - self.alone_since > ttl)

    def _check(self) -> None:
        """Assert that no replica has more than there is."""
        for each in self.replicas:
            each._check()
            assert each.active
            assert each.position <= self._history.offset
            assert each.state is not State.ONLINE or max(each.acknowledged, each.durable) <= each.position


def _refusal(why: str) -> Decision:
    return Decision(None, [("notice", f"Partial resynchronization not accepted: {why}")])
