"""The history of a group in an append-only file: lines that say what stands between them.

Redis passes lines that begin with ``#``, so a file of ours is one for it, too: commands, and between them lines of
ours. Each is shorter than LONGEST bytes, which is all that Redis reads of one. ::

    #PG:BASE 81230 4bf0...             an increment begins: the data set in front of it ends at this offset
    #PG:TABLE 1:0 4:5120               up to there, these epochs have begun at these offsets (several lines if long)
    #PG:VOTERS a:7001 b:7001 c:7001    and these were the voters (several lines if long)
    #PG:SELECT 23                      so many bytes follow that select the database of the stream at this place
    #PG:MODE always                    from here on everything is synced before it is acknowledged; ``other``: it is not
    #PG:WRITE 4 81230 112 9ae0c1d2     an entry: its epoch, its first offset, its bytes that follow, their CRC-32
    #PG:BEAT 4 81342 56 01b2ae33       one that the leader said, by its kind
    #PG:CLEAN 81398                    everything is on the disk up to this offset: a clean end, if nothing follows

``Reading`` goes through the bytes of a file. Whatever stands outside of entries was written by somebody who knows
nothing of the group: then the data set is not the group's any more.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pycache_server.election.position import Table
from pycache_server.persist.replay import BadFile, Command, Replay
from pycache_server.repl.entries import Entry, Kind, parse_published

LONGEST: Final = 1000
MARK: Final = b"#PG:"
END: Final = b"\r\n"
_KINDS: Final = {kind.name.encode(): kind for kind in Kind}
_HEADS: Final = {kind: MARK + name for name, kind in _KINDS.items()}
_ROW: Final = re.compile(rb"(\d{1,19}):(\d{1,19})")
_NUMBER: Final = re.compile(rb"\d{1,19}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a group's history a data set stands. ``token`` names this one."""

    end: int = 0
    table: Table = ()
    voters: tuple[str, ...] = ()
    token: str = "-"


def entry_bytes(entry: Entry, first: int) -> bytes:
    """An entry as it stands in a file; it begins at an offset of the history."""
    data = entry.data
    head = b"%b %d %d %d %08x\r\n" % (_HEADS[entry.kind], entry.epoch, first, len(data), zlib.crc32(data))
    return head + data


def place_bytes(place: Place, select: bytes) -> bytes:
    """The beginning of an increment; ``select`` is the command that selects the database of the stream."""
    rows = map(_row_text, place.table)
    seats = (seat.encode() for seat in place.voters)
    return b"".join(
        (
            _line(b"BASE", b"%d" % place.end, place.token.encode()),
            *_lines(b"TABLE", rows),
            *_lines(b"VOTERS", seats),
            _line(b"SELECT", b"%d" % len(select)),
            select,
        )
    )


def mode_bytes(always: bool) -> bytes:
    """The line that says whether what follows is synced before it is acknowledged."""
    return _line(b"MODE", b"always" if always else b"other")


def clean_bytes(end: int) -> bytes:
    """The line of a clean end."""
    return _line(b"CLEAN", b"%d" % end)


def units_of(data: bytes) -> list[list[Command]]:
    """The commands of an entry, those of a transaction together.

    Raises ValueError where they are not whole.
    """
    replay = Replay(data)
    try:
        units = list(replay)
    except BadFile as error:
        raise ValueError(str(error)) from None
    if replay.cut_off is not None:
        raise ValueError("an entry that is not whole commands")
    return units


def _line(*words: bytes) -> bytes:
    return MARK + b" ".join(words) + END


def table_text(table: Table) -> bytes:
    """A table as words."""
    return b" ".join(map(_row_text, table))


def parse_table(text: bytes) -> Table:
    """The table that a text is.

    Raises ValueError.
    """
    found = [_ROW.fullmatch(word) for word in text.split()]
    rows = [(int(row[1]), int(row[2])) for row in found if row is not None]
    if len(rows) != len(found) or rows != sorted(set(rows)):
        raise ValueError(f"no table: {text!r}")
    return tuple(rows)


def _row_text(row: tuple[int, int]) -> bytes:
    return b"%d:%d" % row


def _lines(name: bytes, words: Iterable[bytes]) -> Iterator[bytes]:
    """Lines that have all words between them, as few as there can be."""
    some: list[bytes] = []
    size = 0
    for word in words:
        if some and size + len(word) >= LONGEST - 20:
            yield _line(name, *some)
            some, size = [], 0
        some.append(word)
        size += len(word) + 1
    if some:
        yield _line(name, *some)


@dataclass(slots=True)
class Reading:
    """The entries of the bytes of an increment, in their order, and what else it says. ``data`` is bytes, or a map of
    a file; ``cut_off`` is where the sound part ends if the end is missing."""

    data: Any
    position: int = 0
    place: Place | None = None
    """How the increment begins; None where it does not begin as one of a group."""
    select: bytes = b""
    always: bool = False
    """Whether what has been read last was synced before it was acknowledged."""
    clean: bool = False
    """Whether the end was a clean one."""
    foreign: bool = False
    """Whether commands stand outside of entries."""
    cut_off: int | None = None
    entry_at: int = 0
    """Where the line of the last entry begins."""
    end: int = field(default=0)
    """The offset of the history behind the last entry."""

    def begin(self) -> Reading:
        """Read how the increment begins.

        Raises BadFile.
        """
        size = len(self.data)
        if self.data[: len(MARK) + 5] != MARK + b"BASE ":
            self.foreign = size > 0
            return self
        table: list[tuple[int, int]] = []
        seats: list[str] = []
        end, token = 0, ""
        while (line := self._read_line()) is not None:
            name, *words = line
            if name == b"BASE" and len(words) == 2:
                end, token = self._number(words[0]), words[1].decode("ascii", "replace")
            elif name == b"TABLE":
                table += self._table(words)
            elif name == b"VOTERS":
                seats += [word.decode("utf-8", "replace") for word in words]
            elif name == b"SELECT" and len(words) == 1:
                self.select = self._take(self._number(words[0]))
                break
            else:
                raise BadFile(self.position)
        self.place = Place(end, tuple(table), tuple(seats), token)
        self.end = end
        return self

    def entries(self) -> Iterator[Entry]:
        """The entries behind the beginning; stops at the end, or where something is missing or foreign.

        Raises BadFile.
        """
        data, size = self.data, len(self.data)
        while self.position < size:
            begin = self.position
            if data[begin] != 0x23:
                self.foreign = True
                return
            self.clean = False
            line = self._read_line()
            if line is None:
                self.cut_off = begin
                return
            kind = _KINDS.get(line[0])
            if kind is None:
                self._hear(line)
                continue
            if len(line) != 5:
                raise BadFile(begin)
            length = self._number(line[3])
            if self.position + length > size:
                self.cut_off = begin
                return
            self.entry_at = begin
            yield self._entry(kind, line, self._take(length), begin)

    def _entry(self, kind: Kind, line: list[bytes], body: bytes, begin: int) -> Entry:
        if self._number(line[2]) != self.end or b"%08x" % zlib.crc32(body) != line[4]:
            raise BadFile(begin)
        self.end += len(body)
        epoch = self._number(line[1])
        if kind is not Kind.VOTERS:
            return Entry(epoch, kind, body)
        try:
            return parse_published(units_of(body)[0][0][2])
        except (ValueError, IndexError):
            raise BadFile(begin) from None

    def _hear(self, line: list[bytes]) -> None:
        """A line that is no entry."""
        if line[0] == b"MODE":
            self.always = line[1:] == [b"always"]
        elif line[0] == b"CLEAN":
            self.clean = line[1:] == [b"%d" % self.end]

    def _read_line(self) -> list[bytes] | None:
        """The words of the next line; others' lines are passed. None where its end is missing."""
        end = self.data.find(b"\n", self.position)
        if end < 0:
            return None
        text = bytes(self.data[self.position : end]).rstrip(b"\r")
        self.position = end + 1
        return text[len(MARK) :].split(b" ") if text.startswith(MARK) else [b""]

    def _take(self, length: int) -> bytes:
        body = bytes(self.data[self.position : self.position + length])
        self.position += length
        return body

    def _number(self, word: bytes) -> int:
        if not _NUMBER.fullmatch(word):
            raise BadFile(self.position)
        return int(word)

    def _table(self, words: list[bytes]) -> Table:
        try:
            return parse_table(b" ".join(words))
        except ValueError:
            raise BadFile(self.position) from None
