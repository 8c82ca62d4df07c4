"""What voters say to each other outside the stream: small messages that may be lost, doubled, late or out of order.

Each kind says below what makes an old or repeated one harmless. Who sent it and to whom is part of the envelope
(wire.py) and arrives as ``sender``. A voter is named by its *seat*: its ``host:port`` in ``group-voters``. A *birth id*
names what a seat has on disk, written once at its first start. A *start* names one run of its process.
"""

from __future__ import annotations

from dataclasses import dataclass

from pycache_server.election.position import Position

Births = tuple[tuple[str, str], ...]
"""(seat, birth id), sorted by seat: the founders of a group, or those of them that a voter knows so far."""


@dataclass(frozen=True, slots=True)
class Who:
    """A voter that is in no group asks another: who are you, and is there a group? Answering changes nothing but that
    the birth id is noted, and a group needs it to be confirmed by all."""

    birth: str
    round: int
    known: Births


@dataclass(frozen=True, slots=True)
class Iam:
    """The answer to Who, for the birth id and the round that asked. Who has no group repeats in ``known`` what the
    asker knew, or nothing, if it holds data that a group would not have that forms now. Who has one tells its promise,
    and the founders if it knows them. A leader that may answer tells who votes, too, unless a change of that is on its
    way."""

    asked: str
    round: int
    birth: str
    epoch: int | None
    founders: Births
    known: Births
    voters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreVote:
    """Would you vote for me? Changes nothing where it arrives."""

    start: str
    round: int
    position: Position


@dataclass(frozen=True, slots=True)
class PreVoteReply:
    """The answer for one round of one start; any other is ignored. A voter without memory tells no position."""

    start: str
    round: int
    granted: bool
    epoch: int
    position: Position | None


@dataclass(frozen=True, slots=True)
class Vote:
    """Vote for me in this epoch. Repeated, it meets the vote on disk: the same answer, or none. ``transfer`` is the
    epoch whose leader has told the sender to take over, or 0."""

    start: str
    epoch: int
    position: Position
    transfer: int


@dataclass(frozen=True, slots=True)
class VoteReply:
    """The answer to Vote; counted in that epoch of that start alone. ``promised`` is the voter's epoch."""

    start: str
    epoch: int
    granted: bool
    promised: int


@dataclass(frozen=True, slots=True)
class Hello:
    """I lead this epoch: follow me. Whoever has promised a higher one says so; an equal one is known already."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Higher:
    """I cannot follow you: I have promised this epoch. An old one names an epoch that has been passed by."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Prove:
    """I was told to follow you. If you lead, say Hello."""


Message = Who | Iam | PreVote | PreVoteReply | Vote | VoteReply | Hello | Higher | Prove


# Beside the election: nobody's vote, promise or memory depends on these, and a voter of an older version does not know
# them. They travel by a command of their own, which such a voter answers with an error, and nothing else happens.


@dataclass(frozen=True, slots=True)
class Window:
    """I answer the clients of sentinels at this port of my seat's host, under this id; nowhere, if the port is 0. An
    old one is out of date by as long as it was on its way: it is said again each second."""

    port: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Sentinels have chosen me: you who lead this epoch, hand over. They do not know of you; or, if you are known,
    it is for you to say whether they reach you. In an epoch that is over it is nothing."""

    epoch: int
    known: bool


Aside = Window | Claim
ASIDES = (Window, Claim)
