"""Who votes, changed by the leader: one seat at a time, so that majorities before and after always share a voter.

A change is an entry, in force where it stands, committed or not. So the next may come only when it is committed, and
the first of an epoch only when the leader has committed an entry of its own: a change of an earlier leader may be in
its history, uncommitted, and two such changes of different leaders have majorities that do not meet (Ongaro's
correction of 2015). To replace a voter is to remove it, and then to add another.

Who is added must be in step: it follows, is whole, and has acknowledged all but what is on its way. Otherwise the group
would be larger by a voter that cannot acknowledge, and a majority of it perhaps none of those that can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pycache_server.election.machine import Refusal
from pycache_server.repl import entries
from pycache_server.repl.entries import Entry
from pycache_server.repl.group_log import GroupLog

PATIENCE: Final = 10_000.0
"""For how long, in milliseconds, the second half of a replacement waits for who has fallen behind since the first."""


class VoterChanges:
    """The changes of one leader's epoch."""

    def __init__(
        self,
        log: GroupLog,
        append: Callable[[Entry, float], int],
        has_committed: Callable[[], bool],
        keeps_up: Callable[[str], bool],
        tell: Callable[[str], None],
    ) -> None:
        self._log = log
        self._append = append
        self._has_committed = has_committed
        self._keeps_up = keeps_up
        self._tell = tell
        self._offset = 0
        self._since = 0.0
        self._then: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether a change is not committed, or only the first half of a replacement is."""
        return bool(self._then) or self._offset > self._log.commit

    def add(self, seat: str, epoch: int, now: float) -> None:
        """Let a seat vote; Refusal if another change is going on, or if it is not in step."""
        self.check_allowed()
        self.check_new(seat)
        self._begin(entries.voters(epoch, tuple(sorted({*self._log.voters, seat}))), (), now)

    def remove(self, seat: str, epoch: int, now: float) -> None:
        """Let a seat vote no more; Refusal likewise."""
        self.check_allowed()
        self._begin(entries.voters(epoch, self._without(seat)), (), now)

    def replace(self, old: str, new: str, epoch: int, now: float) -> None:
        """Remove one seat, and when that is committed add another; Refusal likewise."""
        self.check_allowed()
        self.check_new(new)
        self._begin(entries.voters(epoch, self._without(old)), (new,), now)

    def check_allowed(self) -> None:
        """Refusal if no change may be made now."""
        if not self._has_committed():
            raise Refusal("nothing of this epoch is committed yet")
        if self.pending:
            raise Refusal("another change of the voters is going on")

    def check_new(self, seat: str) -> None:
        """Refusal if a seat votes already, or could not acknowledge what comes from now on."""
        if seat in self._log.voters:
            raise Refusal(f"{seat} votes already")
        if not self._keeps_up(seat):
            raise Refusal(f"{seat} is not in step: it must follow, and have acknowledged the history, before it votes")

    def proceed(self, now: float) -> None:
        """Make the second half of a replacement, if the first is committed and the new voter is still in step. Who has
        fallen behind for too long is not added: an operator may do that later."""
        if not self._then or self._offset > self._log.commit:
            return
        (seat,) = self._then
        if self._keeps_up(seat):
            epoch = self._log.position.epoch
            self._begin(entries.voters(epoch, tuple(sorted({*self._log.voters, seat}))), (), now)
        elif now - self._since > PATIENCE:
            self._then = ()
            self._tell(f"{seat} has fallen behind and is not added: GROUP ADD {seat} does it when it is in step")

    def _without(self, seat: str) -> tuple[str, ...]:
        if seat not in self._log.voters:
            raise Refusal(f"{seat} is no voter")
        return tuple(voter for voter in self._log.voters if voter != seat)

    def _begin(self, entry: Entry, then: tuple[str, ...], now: float) -> None:
        self._then = then
        self._since = now
        self._offset = self._log.end + len(entry.data)
        self._append(entry, now)
