"""Who votes, changed by the leader: one seat at a time, so that majorities before and after always share a voter.

A change is an entry, in force where it stands, committed or not. So the next may come only when it is committed, and
the first of an epoch only when the leader has committed an entry of its own: a change of an earlier leader may be in
its history, uncommitted, and two such changes of different leaders have majorities that do not meet (Ongaro's
correction of 2015). To replace a voter is to remove it, and then to add another.
"""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.election.machine import Refusal
from pycache_server.repl import entries
from pycache_server.repl.entries import Entry
from pycache_server.repl.group_log import GroupLog


class VoterChanges:
    """The changes of one leader's epoch."""

    def __init__(self, log: GroupLog, append: Callable[[Entry, float], int], has_committed: Callable[[], bool]) -> None:
        self._log = log
        self._append = append
        self._has_committed = has_committed
        self._offset = 0
        self._then: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether a change is not committed, or only the first half of a replacement is."""
        return bool(self._then) or self._offset > self._log.commit

    def add(self, seat: str, epoch: int, now: float) -> None:
        """Let a seat vote; Refusal if another change is going on."""
        self.check_allowed()
        self._begin(entries.voters(epoch, tuple(sorted({*self._log.voters, seat}))), (), now)

    def remove(self, seat: str, epoch: int, now: float) -> None:
        """Let a seat vote no more; Refusal likewise."""
        self.check_allowed()
        self._begin(entries.voters(epoch, self._without(seat)), (), now)

    def replace(self, old: str, new: str, epoch: int, now: float) -> None:
        """Remove one seat, and when that is committed add another; Refusal likewise."""
        self.check_allowed()
        self._begin(entries.voters(epoch, self._without(old)), (new,), now)

    def check_allowed(self) -> None:
        """Refusal if no change may be made now."""
        if not self._has_committed():
            raise Refusal("nothing of this epoch is committed yet")
        if self.pending:
            raise Refusal("another change of the voters is going on")

    def proceed(self, now: float) -> None:
        """Make the second half of a replacement, if the first is committed."""
        if self._then and self._offset <= self._log.commit:
            (seat,), self._then = self._then, ()
            epoch = self._log.position.epoch
            self._begin(entries.voters(epoch, tuple(sorted({*self._log.voters, seat}))), (), now)

    def _without(self, seat: str) -> tuple[str, ...]:
        if seat not in self._log.voters:
            raise Refusal(f"{seat} is no voter")
        return tuple(voter for voter in self._log.voters if voter != seat)

    def _begin(self, entry: Entry, then: tuple[str, ...], now: float) -> None:
        self._then = then
        self._offset = self._log.end + len(entry.data)
        self._append(entry, now)
