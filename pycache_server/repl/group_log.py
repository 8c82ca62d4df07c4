"""The history of a voter: appended, then committed, then applied.

    base ........ applied ........ commit ........ end
      | kept, executed | to be executed | may yet be dropped |

An entry is appended as soon as it comes, and acknowledged; it is executed when the leader has told that it is
committed. So what an old leader has never committed is cut off the end and a resync goes on from there: only who has
it in its keyspace already (the old leader itself, or one that has loaded a file) needs a full one. There ``applied``
lies beyond ``commit``, and nothing may be read until the commit has passed it.

Offsets count bytes; every boundary that is spoken of is the end of an entry. Entries are kept from ``base`` on, those
beyond the commit always.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from pycache_server.election.position import NOWHERE, Position, Table
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.epochs import Epochs, common_end


class GroupLog:
    """The history of one seat; ``voters`` are those before the first change in it."""

    def __init__(self, voters: tuple[str, ...]) -> None:
        self.base = 0
        self.commit = 0
        """Up to where the leader is known to have it on a majority."""
        self.applied = 0
        """Up to where it is in the keyspace."""
        self.position = NOWHERE
        self.voters = voters
        """Who votes, after the newest change."""
        self.epochs = Epochs()
        self._entries: list[Entry] = []
        self._ends: list[int] = []
        self._changes: list[tuple[int, tuple[str, ...]]] = [(0, voters)]

    @property
    def end(self) -> int:
        """The offset behind the last entry."""
        return self.position.offset

    def append(self, entry: Entry) -> int:
        """Put an entry at the end; where it ends is the answer."""
        first = self.position.offset
        end = first + len(entry.data)
        if entry.epoch != self.position.epoch:
            self.epochs.begin(entry.epoch, first)
        if entry.kind is Kind.VOTERS:
            self._changes.append((end, entry.voters))
            self.voters = entry.voters
        self._entries.append(entry)
        self._ends.append(end)
        self.position = Position(entry.epoch, end)
        return end

    def cut(self, end: int) -> None:
        """Drop all entries behind this one."""
        assert end >= self.commit, "a committed entry cannot be dropped"
        kept = bisect_left(self._ends, end + 1)
        del self._entries[kept:], self._ends[kept:]
        self.epochs.cut(end)
        while self._changes[-1][0] > end:
            self._changes.pop()
        self.voters = self._changes[-1][1]
        self.position = Position(self.epochs.last, end)
        self.applied = min(self.applied, end)

    def ends_at(self, offset: int) -> bool:
        """Whether this is the end of an entry that is kept, or of what is kept of those before."""
        place = bisect_left(self._ends, offset)
        return offset == self.base or (place < len(self._ends) and self._ends[place] == offset)

    def since(self, offset: int) -> list[Entry] | None:
        """All entries behind this one; None if they are not kept any more."""
        if offset < self.base:
            return None
        return self._entries[bisect_left(self._ends, offset + 1) :]

    def adopt(self, table: Table, end: int, voters: tuple[str, ...]) -> None:
        """The data set was exchanged for one with another history, without its entries. What was committed is so still
        as far as both agree: an operator's word (GROUP FORCE) may have dropped the rest, and what now stands at those
        offsets is something else."""
        self.commit = min(self.commit, common_end(self.epochs.table, self.end, table, end))
        self.epochs = Epochs(table)
        self._entries, self._ends = [], []
        self._changes = [(0, voters)]
        self.voters = voters
        self.base = self.applied = end
        self.position = Position(self.epochs.last, end)

    def learn_commit(self, offset: int) -> Sequence[Entry]:
        """The leader has committed up to here: what may be executed now that could not before."""
        self.commit = max(self.commit, min(offset, self.end))
        return self._executable(self.applicable())

    def applicable(self) -> int:
        """Up to where entries may be executed."""
        return self.commit

    def execute_all(self) -> Sequence[Entry]:
        """A new leader goes on from the end of its history: what it has to execute before that."""
        return self._executable(self.end)

    @property
    def readable(self) -> bool:
        """Whether the keyspace holds nothing but what is committed."""
        return self.applied <= self.commit

    def trim(self, keep: int) -> None:
        """Forget entries that others will hardly ask for: all but about so many bytes, never what is not committed and
        executed."""
        least = min(self.end - keep, self.commit, self.applied)
        dropped = bisect_left(self._ends, least + 1)
        if dropped:
            self.base = self._ends[dropped - 1]
            del self._entries[:dropped], self._ends[:dropped]
            behind = [row for row in self._changes if row[0] > self.base]
            self._changes = [*self._changes[: -len(behind) or None][-1:], *behind]

    def voters_at(self, offset: int) -> tuple[str, ...]:
        """Who voted at an offset that is not below the base."""
        return next(voters for at, voters in reversed(self._changes) if at <= offset or at == self._changes[0][0])

    @property
    def voters_at_base(self) -> tuple[str, ...]:
        """Who voted before the first entry that is kept."""
        return self._changes[0][1]

    def _executable(self, end: int) -> Sequence[Entry]:
        if end <= self.applied:
            return ()
        first = bisect_left(self._ends, self.applied + 1)
        last = bisect_left(self._ends, end + 1)
        self.applied = end
        return self._entries[first:last]

    def _check(self) -> None:
        assert self.base <= self.applied <= self.end
        assert self.commit <= self.end
        assert self._ends == sorted(set(self._ends))
        assert len(self._ends) == len(self._entries)
        assert self._ends[-1:] in ([], [self.end])
        assert self.end == self.base + sum(len(entry.data) for entry in self._entries)
        assert self.voters == self._changes[-1][1]
        self.epochs._check()
