"""How far a stream is acknowledged: what a group commits, and what a reply waits for.

``repl-ack`` says when a reply leaves, and nothing else. A group commits by majority, whatever replies wait for: counted
are voters alone, the leader's own history for one. Learners (real redis-servers, nodes that are no voters) never count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pycache_server.election.rounds import majority

ASYNC: Final = 0
"""A level: replies leave at once."""
QUORUM: Final = -1
"""A level: replies leave at commit."""
ALL: Final = -2
"""A level: replies leave when all voters have it. Any positive number is a level, too: so many followers."""
_NAMES: Final = {"async": ASYNC, "one": 1, "quorum": QUORUM, "all": ALL}


def parse_level(word: str) -> int:
    """The level of a word of the configuration; ValueError if it is none."""
    if word in _NAMES:
        return _NAMES[word]
    if word.isdecimal() and int(word) > 0:
        return int(word)
    raise ValueError("repl-ack must be async, one, a number of followers, quorum or all")


@dataclass(frozen=True, slots=True)
class Acks:
    """What the voters hold: the leader up to ``end``, the others up to what they have acknowledged, best first."""

    seats: int
    """How many voters there are."""
    own: bool
    """Whether the leader is one of them: it may be about to leave."""
    end: int
    others: tuple[int, ...]

    @property
    def needed(self) -> int:
        """How many others make a majority with the leader."""
        return majority(self.seats) - self.own

    def on_majority(self) -> int:
        """Up to where a majority of the voters holds the stream."""
        return self.on_others(self.needed)

    def heard_by_majority(self) -> int:
        """Up to where a majority has heard: what a heartbeat counts by."""
        return self.on_others(majority(self.seats) - self.own)

    def on_others(self, count: int) -> int:
        """Up to where so many other voters hold it; 0 if there are not so many."""
        if count <= 0:
            return self.end
        return self.others[count - 1] if count <= len(self.others) else 0

    def reached(self, level: int, commit: int) -> int:
        """Up to where replies of a level may leave."""
        if level == ASYNC:
            return self.end
        if level == QUORUM:
            return commit
        if level == ALL:
            return min(commit, self.on_others(len(self.others)))
        return self.on_others(level)


def count_acks(voters: tuple[str, ...], leader: str, end: int, acknowledged: Mapping[str, int]) -> Acks:
    """Count what followers have acknowledged; those that are no voters are left out."""
    others = sorted((acknowledged.get(seat, 0) for seat in voters if seat != leader), reverse=True)
    return Acks(len(voters), leader in voters, end, tuple(others))
