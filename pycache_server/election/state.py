"""What a voter has on disk, and its form as text: one file, replaced as a whole and synced before anything is answered.

The text is a line of ``name value`` for each field, the first naming the version, the last a checksum of what is above
it: a file that was cut short or edited is refused (``BadState``), for a voter that believed half of it could vote
twice. A voter whose file is refused is one whose file is lost (forming.py), if the operator deletes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pycache_server.election.messages import Births
from pycache_server.election.position import Table

VERSION = "pycache-group 1"


class BadState(ValueError):
    """The text is not a state that was written whole; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Durable:
    """The state of one seat."""

    seat: str
    """host:port, as in group-voters: a file that was copied to another seat is not believed."""
    birth: str
    """Names this file: written at the first start, another one if the file is lost."""
    epoch: int | None = None
    """The highest epoch that was promised; None while the seat is in no group."""
    vote: str | None = None
    """Who has got the vote of that epoch."""
    whole: bool = False
    """Whether the data set reaches as far as all that this voter has acknowledged."""
    founders: Births = ()
    """The birth ids at the formation of the group; none if the file was lost and the epoch asked for."""
    voters: tuple[str, ...] = ()
    """The voters after the newest change in the history, removed and added ones; none: as configured."""
    table: Table = ()
    """The epochs of the history."""

    def _check(self) -> None:
        assert self.epoch is not None or not (self.vote or self.whole or self.founders or self.table)
        assert list(self.table) == sorted(set(self.table))


def format_state(state: Durable) -> str:
    """The text of a state."""
    rows = [
        ("seat", state.seat),
        ("birth", state.birth),
        ("epoch", "none" if state.epoch is None else str(state.epoch)),
        ("vote", state.vote or "none"),
        ("whole", "yes" if state.whole else "no"),
        *(("founder", f"{seat} {birth}") for seat, birth in state.founders),
        *(("voter", seat) for seat in state.voters),
        *(("began", f"{epoch} {offset}") for epoch, offset in state.table),
    ]
    body = "".join(f"{name} {value}\n" for name, value in [("version", VERSION), *rows])
    return f"{body}checksum {_checksum(body)}\n"


def parse_state(text: str) -> Durable:
    """The state of a text; BadState if it is not exactly what ``format_state`` has written."""
    body, mark, checksum = text.rpartition("checksum ")
    if not mark or checksum != _checksum(body) + "\n":
        raise BadState("the checksum is wrong: the file was cut short or changed")
    rows = [line.split(" ") for line in body.splitlines()]
    if rows[0] != ["version", *VERSION.split(" ")]:
        raise BadState(f"it is of version {' '.join(rows[0][1:])!r}, not {VERSION!r}")
    try:
        return _state_of(rows[1:])
    except (KeyError, ValueError, IndexError) as error:
        raise BadState(f"a field is missing or wrong: {error}") from None


def _state_of(rows: list[list[str]]) -> Durable:
    once = {row[0]: row[1] for row in rows if len(row) == 2}
    return Durable(
        seat=once["seat"],
        birth=once["birth"],
        epoch=None if once["epoch"] == "none" else int(once["epoch"]),
        vote=None if once["vote"] == "none" else once["vote"],
        whole={"yes": True, "no": False}[once["whole"]],
        founders=tuple((row[1], row[2]) for row in rows if row[0] == "founder"),
        voters=tuple(row[1] for row in rows if row[0] == "voter"),
        table=tuple((int(row[1]), int(row[2])) for row in rows if row[0] == "began"),
    )


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
