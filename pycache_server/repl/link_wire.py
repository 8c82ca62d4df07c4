"""The messages of a link as bytes, and back: arrays in the protocol of Redis, the first word of which names the kind.

::

    append <epoch> <first> <commit> {<epoch> <kind> <bytes>}...      ack <offset> [<offset on the disk>]
    continue <epoch> <cut> <commit> {<epoch> <kind> <bytes>}...      refusal <epoch>
    image <epoch> <end> <need> <cut> <commit> <size> <rows> {<epoch> <first>}... {<voter>}...
    piece <bytes>      whole                                         stand <epoch>
    sync <epoch> <end> <applied> <flags> {<epoch> <first>}...        here      there
    pull <end> <applied> {<epoch> <first>}...
    pulled <epoch> <offset> <cut> {<epoch> <kind> <bytes>}...

Numbers are integers of the protocol, all else bulk strings. A link is spoken on by two voters that have proved
themselves (server/group/links.py), each of which may be of another version, or broken: so whatever is not exactly a
message is a BadLink, and ends the link; nothing is guessed. Entries are never split.

An image is a data set of any size: it travels as its head (an ``Image`` whose data is the size in bytes), ``Piece``
after ``Piece``, and ``Whole``. While it is made or received, ``There`` and ``Here`` tell the other side that one is
alive; they carry nothing, and promise nothing.

An Append of one entry and its Ack are what every round of a leader costs: those two are read and written in one go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import hiredis

from pycache_server.election.position import Position, Table
from pycache_server.repl import entries
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.links import Ack, Append, Continue, Image, Pull, Pulled, Refusal, Spoken, Stand, Sync
from pycache_server.resp.parser import NOTHING, reader_of

MOST_OF_FOLLOWERS: Final = 1 << 24
"""Bytes of a message of a follower that is not complete yet: such are small."""
MOST_OF_LEADERS: Final = 1 << 36
"""The same of a leader, whose entries are as large as what clients write at once: no more than memory must hold."""
MOST_NUMBER: Final = 1 << 62
"""What no epoch is above, so that there is room for the next ones in the numbers of the protocol."""
MOST_WORDS: Final = 1 << 24
"""Of one message."""
_KINDS: Final = {Kind.WRITE: b"w", Kind.MARK: b"m", Kind.BEAT: b"b", Kind.VOTERS: b"v"}
_KIND_OF: Final = {letter: kind for kind, letter in _KINDS.items()}
_WRITE: Final = Kind.WRITE
_NOTHING: Final = object()
_IS_WHOLE: Final = 1
_NEVER_LEADS: Final = 2


class BadLink(ValueError):
    """What has come is no message of a link; the text says why."""


@dataclass(frozen=True, slots=True)
class Here:
    """A follower is alive, though it acknowledges nothing: it receives an image, or loads it."""


@dataclass(frozen=True, slots=True)
class There:
    """A leader is alive, though nothing comes of the stream: it makes an image."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an image."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """All of an image has been sent."""


Told = Spoken | Here | There | Piece | Whole
_HERE, _THERE, _WHOLE = Here(), There(), Whole()


# To bytes.


def encode(message: Told) -> bytes:
    """The bytes of a message; of an image the head, whose data is a size in bytes."""
    return _ENCODERS[type(message)](message)


def encode_ack(offset: int, durable: int) -> bytes:
    """The bytes of an acknowledgement; before version 2 of the protocol nothing is told of the disk."""
    if durable:
        return b"*3\r\n$3\r\nack\r\n:%d\r\n:%d\r\n" % (offset, durable)
    return b"*2\r\n$3\r\nack\r\n:%d\r\n" % offset


def _array(name: bytes, *words: int | bytes) -> bytes:
    head = b"*%d\r\n$%d\r\n%b\r\n" % (len(words) + 1, len(name), name)
    return head + b"".join([_word(word) for word in words])


def _word(word: int | bytes) -> bytes:
    return b":%d\r\n" % word if isinstance(word, int) else b"$%d\r\n%b\r\n" % (len(word), word)


def _append(message: Append) -> bytes:
    if len(message.entries) == 1:
        epoch, kind, data, _ = message.entries[0]
        return b"*7\r\n$6\r\nappend\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n$1\r\n%b\r\n$%d\r\n%b\r\n" % (
            message.epoch,
            message.first,
            message.commit,
            epoch,
            _KINDS[kind],
            len(data),
            data,
        )
    return _array(b"append", message.epoch, message.first, message.commit, *_flat(message.entries))


def _flat(found: tuple[Entry, ...]) -> list[int | bytes]:
    words: list[int | bytes] = []
    for entry in found:
        words += (entry.epoch, _KINDS[entry.kind], entry.data)
    return words


def _rows(table: Table) -> list[int]:
    return [number for row in table for number in row]


def _image(message: Image) -> bytes:
    numbers = (message.epoch, message.end, message.need, message.cut, message.commit, message.data)
    seats = [seat.encode() for seat in message.voters]
    return _array(b"image", *numbers, len(message.table), *_rows(message.table), *seats)


def _flags(message: Sync) -> int:
    return _IS_WHOLE * message.whole | _NEVER_LEADS * (not message.stands)


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    Append: _append,
    Ack: lambda message: encode_ack(message.offset, message.durable),
    Continue: lambda message: _array(b"continue", message.epoch, message.cut, message.commit, *_flat(message.entries)),
    Image: _image,
    Stand: lambda message: _array(b"stand", message.epoch),
    Refusal: lambda message: _array(b"refusal", message.epoch),
    Sync: lambda message: _array(
        b"sync", message.epoch, message.end, message.applied, _flags(message), *_rows(message.table)
    ),
    Pull: lambda message: _array(b"pull", message.end, message.applied, *_rows(message.table)),
    Pulled: lambda message: _array(b"pulled", *message.position, message.cut, *_flat(message.entries)),
    Here: lambda message: _array(b"here"),
    There: lambda message: _array(b"there"),
    Piece: lambda message: b"*2\r\n$5\r\npiece\r\n$%d\r\n%b\r\n" % (len(message.data), message.data),
    Whole: lambda message: _array(b"whole"),
}


# From bytes.


class LinkReader:
    """The messages of one link, from its bytes. ``most`` is how many of them may wait for the end of a message."""

    __slots__ = ("_feed", "_gets", "_most", "_nothing", "_reader", "waiting")

    def __init__(self, most: int = MOST_OF_LEADERS) -> None:
        self._most = most
        self._nothing: Any
        self._reader: Any
        found = reader_of(MOST_WORDS)
        if found is not None:
            self._reader, self._nothing = found[0], NOTHING
        else:
            self._reader, self._nothing = hiredis.Reader(notEnoughData=_NOTHING), _NOTHING
        self._feed, self._gets = self._reader.feed, self._reader.gets
        self.waiting = 0
        """About how many bytes have come of a message that is not complete."""

    def feed(self, data: bytes) -> list[Told]:
        """The messages that are complete with these bytes.

        Raises BadLink.
        """
        gets, nothing = self._gets, self._nothing
        self._feed(data)
        found: list[Told] = []
        try:
            while (words := gets()) is not nothing:
                if type(words) is not list:
                    raise BadLink("it is no array")
                found.append(_DECODERS[words[0]](words))
        except (hiredis.ProtocolError, ValueError, KeyError, IndexError, TypeError, MemoryError) as error:
            raise BadLink(str(error) or type(error).__name__) from None
        self.waiting = 0 if found else self.waiting + len(data)
        if self.waiting > self._most:
            raise BadLink("a message is too long")
        return found


def _numbers(words: list[Any], count: int, more: bool = False) -> list[int]:
    """The words behind the name: so many numbers, and nothing else unless there may be more."""
    found = words[1 : count + 1]
    if len(found) < count or (len(words) > count + 1 and not more):
        raise BadLink(f"'{words[0].decode()}' has {len(words)} words")
    for each in found:
        if type(each) is not int or not 0 <= each <= MOST_NUMBER:
            raise BadLink("a number is none")
    return found


def _entries_of(words: list[Any]) -> tuple[Entry, ...]:
    """The entries behind the name and three numbers."""
    if len(words) % 3 != 1:
        raise BadLink("an entry is cut")
    return tuple([_entry(*words[place : place + 3]) for place in range(4, len(words), 3)])


def _entry(epoch: Any, letter: bytes, data: Any) -> Entry:
    kind = _KIND_OF[letter]
    if type(epoch) is not int or epoch < 0 or type(data) is not bytes or not data:
        raise BadLink("an entry is none")
    if kind is Kind.WRITE:
        return Entry(epoch, kind, data)
    found = entries.parse_published(_published(data))
    if found.data != data or found.epoch != epoch or found.kind is not kind:
        raise BadLink("an entry is not what it says")
    return found


def _published(data: bytes) -> bytes:
    """The last word of a command, which the payload of a PUBLISH is."""
    return data.rpartition(b"\r\n$")[2].partition(b"\r\n")[2][:-2]


def _table_of(words: list[Any]) -> Table:
    for each in words:
        if type(each) is not int or not 0 <= each <= MOST_NUMBER:
            raise BadLink("a table has something else than numbers")
    table = tuple(zip(words[::2], words[1::2], strict=True))
    for before, after in pairwise(table):
        if not (before[0] < after[0] and before[1] < after[1]):
            raise BadLink("a table does not rise")
    return table


def _to_append(words: list[Any]) -> Append:
    if len(words) == 7 and words[5] == b"w":
        _, epoch, first, commit, of, _, data = words
        if (
            type(epoch) is type(first) is type(commit) is type(of) is int
            and type(data) is bytes
            and data
            and 0 <= epoch <= MOST_NUMBER
            and first >= 0 <= commit
            and of >= 0
        ):
            return Append(epoch, first, (Entry(of, _WRITE, data),), commit)
    epoch, first, commit = _numbers(words, 3, more=True)
    return Append(epoch, first, _entries_of(words), commit)


def _to_ack(words: list[Any]) -> Ack:
    if len(words) == 3:
        _, offset, durable = words
        if type(offset) is type(durable) is int and 0 <= durable <= offset:
            return Ack(offset, durable)
        raise BadLink("what is on the disk is no offset, or more than there is")
    _, offset = words
    if type(offset) is not int or offset < 0:
        raise BadLink("an offset is none")
    return Ack(offset)


def _to_continue(words: list[Any]) -> Continue:
    epoch, cut, commit = _numbers(words, 3, more=True)
    return Continue(epoch, cut, _entries_of(words), commit)


def _to_image(words: list[Any]) -> Image:
    epoch, end, need, cut, commit, size, rows = _numbers(words, 7, more=True)
    behind = 8 + 2 * rows
    if len(words) < behind:
        raise BadLink("a table is cut")
    voters = words[behind:]
    if not voters or any(type(seat) is not bytes or not seat for seat in voters):
        raise BadLink("a voter is none")
    seats, table = tuple(seat.decode() for seat in voters), _table_of(words[8:behind])
    if table and table[-1][1] > end:
        raise BadLink("a table reaches further than the history")
    return Image(epoch, table, end, seats, need, cut, commit, size)


def _to_sync(words: list[Any]) -> Sync:
    epoch, end, applied, flags = _numbers(words, 4, more=True)
    if flags > _IS_WHOLE | _NEVER_LEADS:
        raise BadLink("a flag is none")
    return Sync(epoch, _table_of(words[5:]), end, applied, bool(flags & _IS_WHOLE), not flags & _NEVER_LEADS)


def _to_pull(words: list[Any]) -> Pull:
    end, applied = _numbers(words, 2, more=True)
    return Pull(_table_of(words[3:]), end, applied)


def _to_pulled(words: list[Any]) -> Pulled:
    epoch, offset, cut = _numbers(words, 3, more=True)
    return Pulled(Position(epoch, offset), cut, _entries_of(words))


def _to_piece(words: list[Any]) -> Piece:
    if len(words) != 2 or type(words[1]) is not bytes or not words[1]:
        raise BadLink("a piece is none")
    return Piece(words[1])


def _alone(message: Told) -> Callable[[list[Any]], Told]:
    def decode(words: list[Any]) -> Told:
        _numbers(words, 0)
        return message

    return decode


_DECODERS: Final[dict[bytes, Callable[[list[Any]], Told]]] = {
    b"append": _to_append,
    b"ack": _to_ack,
    b"continue": _to_continue,
    b"image": _to_image,
    b"stand": lambda words: Stand(*_numbers(words, 1)),
    b"refusal": lambda words: Refusal(*_numbers(words, 1)),
    b"sync": _to_sync,
    b"pull": _to_pull,
    b"pulled": _to_pulled,
    b"here": _alone(_HERE),
    b"there": _alone(_THERE),
    b"piece": _to_piece,
    b"whole": _alone(_WHOLE),
}
