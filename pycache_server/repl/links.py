"""What a leader and a follower of a group say on the link between them: in order, or not at all once it is closed.

A follower opens the link and says Sync. The leader answers Continue, if the follower's history parts from its own where
nothing was executed yet and the entries behind that are kept, otherwise Image. From then on every entry follows as it
is appended, and the follower acknowledges. Every message carries the sender's epoch, or the answer to it (Refusal).

Appended entries are the bytes of the replication stream; the rest stands beside it and counts in no offset. How
messages are bytes: link_wire.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pycache_server.election.position import Position, Table
from pycache_server.repl.entries import Entry


class Link(NamedTuple):
    """Names a link at one of its ends."""

    peer: str
    number: int
    outgoing: bool
    """Whether this end has opened it."""


@dataclass(frozen=True, slots=True)
class Sync:
    """A follower tells what it has."""

    epoch: int
    table: Table
    end: int
    applied: int
    whole: bool
    stands: bool = True
    """Whether it may ever lead: its replica-priority is not 0."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Drop what you have behind ``cut``, and go on with these entries."""

    epoch: int
    cut: int
    entries: tuple[Entry, ...]
    commit: int


@dataclass(frozen=True, slots=True)
class Image:
    """A whole data set, which may have been begun for another follower; ``need`` is where the leader stood when it was
    asked: the follower is whole when it has come that far. ``cut`` is up to where its own history was the same."""

    epoch: int
    table: Table
    end: int
    voters: tuple[str, ...]
    need: int
    cut: int
    commit: int
    data: Any


@dataclass(frozen=True, slots=True)
class Append:
    """Entries that begin at ``first``, and up to where the leader has committed."""

    epoch: int
    first: int
    entries: tuple[Entry, ...]
    commit: int


@dataclass(frozen=True, slots=True)
class Stand:
    """The last word of an epoch, behind its last entry: take over."""

    epoch: int


class Ack(NamedTuple):
    """A follower holds all up to here, as durably as it is configured to."""

    offset: int
    durable: int = 0
    """Up to where its append-only file is on the disk; 0 where it tells of none."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A follower has promised this epoch, and hangs up."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Pull:
    """A nominated voter asks one that is ahead for the entries that it lacks. This is no link to a leader: what comes
    is not acknowledged, and no promise is given."""

    table: Table
    end: int
    applied: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """The answer: drop what lies behind ``cut`` and go on with these. Who cannot give it so hangs up."""

    position: Position
    cut: int
    entries: tuple[Entry, ...]


FromLeader = Continue | Image | Append | Stand
FromFollower = Sync | Ack | Refusal
Spoken = FromLeader | FromFollower | Pull | Pulled
