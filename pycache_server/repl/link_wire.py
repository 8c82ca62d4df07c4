"""The messages of a link as bytes, and back: arrays of bulk strings, the first of which names the kind.

A link is spoken on by two voters that have proved themselves (server/group/links.py), each of which may be of another
version, or broken. So whatever is not exactly a message is a BadLink, and ends the link; nothing is guessed. Entries
are never split: those of an ``append`` come as (epoch, kind, bytes).

An image is a data set of any size: it travels as its head (``Image`` without data), ``Piece`` after ``Piece``, and
``Whole``. While it is made or received, ``There`` and ``Here`` tell the other side that one is alive; they carry
nothing, and promise nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import hiredis

from pycache_server.election.position import Position, Table
from pycache_server.repl import entries
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.links import Ack, Append, Continue, Image, Pull, Pulled, Refusal, Spoken, Stand, Sync

MOST_BYTES: Final = 1 << 30
"""Of a message that is not complete yet."""
_KINDS: Final = {Kind.WRITE: b"w", Kind.MARK: b"m", Kind.BEAT: b"b", Kind.VOTERS: b"v"}
_KIND_OF: Final = {letter: kind for kind, letter in _KINDS.items()}
_NOTHING: Final = object()


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
    """The bytes of a message; of an image only the head."""
    if type(message) is Ack:
        return b"*2\r\n$3\r\nack\r\n" + _bulk(b"%d" % message.offset)
    words = _WORDS[type(message)](message)
    return b"*%d\r\n" % len(words) + b"".join([_bulk(word) for word in words])


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(word), word)


def _number(value: int) -> bytes:
    return b"%d" % value


def _row(table: Table) -> bytes:
    return b",".join(b"%d:%d" % row for row in table)


def _seats(voters: tuple[str, ...]) -> bytes:
    return ",".join(voters).encode()


def _flat(found: tuple[Entry, ...]) -> list[bytes]:
    words: list[bytes] = []
    for entry in found:
        words += (b"%d" % entry.epoch, _KINDS[entry.kind], entry.data)
    return words


_WORDS: Final[dict[type, Callable[[Any], list[bytes]]]] = {
    Append: lambda m: [b"append", _number(m.epoch), _number(m.first), _number(m.commit), *_flat(m.entries)],
    Continue: lambda m: [b"continue", _number(m.epoch), _number(m.cut), _number(m.commit), *_flat(m.entries)],
    Image: lambda m: [
        b"image",
        _number(m.epoch),
        _row(m.table),
        _number(m.end),
        _seats(m.voters),
        _number(m.need),
        _number(m.cut),
        _number(m.commit),
    ],
    Stand: lambda m: [b"stand", _number(m.epoch)],
    Refusal: lambda m: [b"refusal", _number(m.epoch)],
    Sync: lambda m: [
        b"sync",
        _number(m.epoch),
        _row(m.table),
        _number(m.end),
        _number(m.applied),
        b"1" if m.whole else b"0",
    ],
    Pull: lambda m: [b"pull", _row(m.table), _number(m.end), _number(m.applied)],
    Pulled: lambda m: [
        b"pulled",
        _number(m.position.epoch),
        _number(m.position.offset),
        _number(m.cut),
        *_flat(m.entries),
    ],
    Here: lambda m: [b"here"],
    There: lambda m: [b"there"],
    Piece: lambda m: [b"piece", m.data],
    Whole: lambda m: [b"whole"],
}


# From bytes.


class LinkReader:
    """The messages of one link, from its bytes."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._waiting = 0

    def feed(self, data: bytes) -> list[Told]:
        """The messages that are complete with these bytes.

        Raises BadLink.
        """
        reader = self._reader
        reader.feed(data)
        self._waiting += len(data)
        found: list[Told] = []
        try:
            while (words := reader.gets()) is not _NOTHING:
                self._waiting = 0
                found.append(_decode(words))
        except (hiredis.ProtocolError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadLink(f"no message of a link: {error}") from None
        if self._waiting > MOST_BYTES:
            raise BadLink("a message without an end")
        return found


def _decode(words: Any) -> Told:
    if type(words) is not list or not words or any(type(word) is not bytes for word in words):
        raise BadLink("something else than an array of words")
    return _READ[words[0]](words)


def _count(word: bytes) -> int:
    if not word.isdigit():
        raise BadLink("a number is no number")
    return int(word)


def _table_of(word: bytes) -> Table:
    rows = []
    for cell in word.split(b",") if word else ():
        epoch, first = cell.split(b":")
        rows.append((_count(epoch), _count(first)))
    if rows != sorted(set(rows)):
        raise BadLink("a table is not in order")
    return tuple(rows)


def _voters_of(word: bytes) -> tuple[str, ...]:
    return tuple(word.decode().split(",")) if word else ()


def _entries_of(words: list[bytes], first: int) -> tuple[Entry, ...]:
    if (len(words) - first) % 3:
        raise BadLink("an entry is cut")
    return tuple([_entry(*words[place : place + 3]) for place in range(first, len(words), 3)])


def _entry(epoch: bytes, letter: bytes, data: bytes) -> Entry:
    kind = _KIND_OF[letter]
    if not data:
        raise BadLink("an entry is empty")
    if kind is not Kind.VOTERS:
        return Entry(int(epoch), kind, data)
    found = entries.parse_published(data.rpartition(b"\r\n$")[2].partition(b"\r\n")[2][:-2])
    if found.data != data or found.epoch != int(epoch):
        raise BadLink("an entry is not what it says")
    return found


def _exactly(words: list[bytes], count: int) -> list[bytes]:
    if len(words) != count:
        raise BadLink(f"{words[0].decode()} has {len(words)} words, not {count}")
    return words


def _alone(words: list[bytes], message: Told) -> Told:
    _exactly(words, 1)
    return message


def _append(words: list[bytes]) -> Append:
    return Append(_count(words[1]), _count(words[2]), _entries_of(words, 4), _count(words[3]))


def _continue(words: list[bytes]) -> Continue:
    return Continue(_count(words[1]), _count(words[2]), _entries_of(words, 4), _count(words[3]))


def _image(words: list[bytes]) -> Image:
    _, epoch, table, end, voters, need, cut, commit = _exactly(words, 8)
    return Image(
        _count(epoch),
        _table_of(table),
        _count(end),
        _voters_of(voters),
        _count(need),
        _count(cut),
        _count(commit),
        None,
    )


def _sync(words: list[bytes]) -> Sync:
    _, epoch, table, end, applied, whole = _exactly(words, 6)
    if whole not in (b"0", b"1"):
        raise BadLink("a flag is no flag")
    return Sync(_count(epoch), _table_of(table), _count(end), _count(applied), whole == b"1")


def _pull(words: list[bytes]) -> Pull:
    _, table, end, applied = _exactly(words, 4)
    return Pull(_table_of(table), _count(end), _count(applied))


def _pulled(words: list[bytes]) -> Pulled:
    return Pulled(Position(_count(words[1]), _count(words[2])), _count(words[3]), _entries_of(words, 4))


_READ: Final[dict[bytes, Callable[[list[bytes]], Told]]] = {
    b"append": _append,
    b"ack": lambda words: Ack(_count(_exactly(words, 2)[1])),
    b"continue": _continue,
    b"image": _image,
    b"stand": lambda words: Stand(_count(_exactly(words, 2)[1])),
    b"refusal": lambda words: Refusal(_count(_exactly(words, 2)[1])),
    b"sync": _sync,
    b"pull": _pull,
    b"pulled": _pulled,
    b"here": lambda words: _alone(words, _HERE),
    b"there": lambda words: _alone(words, _THERE),
    b"piece": lambda words: Piece(_exactly(words, 2)[1]),
    b"whole": lambda words: _alone(words, _WHOLE),
}
