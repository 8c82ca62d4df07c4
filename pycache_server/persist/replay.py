"""The commands of an append-only file, and where its sound part ends.

A file is commands as clients send them, arrays of bulk strings; MULTI and EXEC around those that belong together; and
annotations, lines that begin with ``#`` and are no commands. It is written front to back, so what a crash leaves is a
file whose end is missing: that is *cut off*, and all before it is right. Anything else that cannot be read is damage
(BadFile): nobody knows what it once was.

hiredis reads pieces of the file and tells no offsets; they are counted from the sizes of what it gave. ``read_command``
is slow and exact: it looks again where hiredis stopped, and decides what is wrong there as Redis does. Transactions
come whole: one whose EXEC is missing has never happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

import hiredis
from hiredis import ProtocolError

CHUNK: Final = 1 << 16
_FRAMES: Final = [len(b"$%d\r\n\r\n" % size) + size for size in range(4096)]
_NOTHING: Final = object()
_MULTI: Final = frozenset((b"MULTI", b"multi"))
_EXEC: Final = frozenset((b"EXEC", b"exec"))
_LONGEST_NUMBER: Final = 20

Command = list[bytes]


class BadFile(Exception):
    """A file that is damaged, and the offset at which that shows."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"bad file format at offset {offset}")
        self.offset = offset


class _CutOff(Exception):
    """There is the beginning of a command and then the end of the file."""


class Replay:
    """The units of a file that is there as ``data``, bytes or a map of it, from an offset on: lists of commands, one or
    those of a transaction. ``on_annotation`` hears of each line of that kind, without its end."""

    def __init__(self, data: Any, start: int = 0, on_annotation: Callable[[bytes], None] | None = None) -> None:
        self._data = data
        self._size = len(data)
        self._on_annotation = on_annotation
        self._begin = start  # where the commands of the present piece begin
        self._fed = start
        self.cut_off: int | None = None
        """At the end: where the sound part of the file ends, None where that is its end."""
        self.open_transaction = False
        """At the end: whether it is a transaction that is not complete."""
        self._multi: tuple[int, list[Command], int] | None = None  # where the present transaction begins

    @property
    def position(self) -> int:
        """About how far the file has been read."""
        return self._fed

    def __iter__(self) -> Iterator[list[Command]]:
        """The units.

        Raises BadFile.
        """
        unit: list[Command] | None = None
        for piece in self._pieces():
            for place, argv in enumerate(piece):
                if len(argv) == 1 and argv[0] in _MULTI:
                    unit, self._multi = [], (self._begin, piece, place)
                elif unit is None:
                    yield [argv]
                elif len(argv) == 1 and argv[0] in _EXEC:
                    complete, unit, self._multi = unit, None, None
                    yield complete
                else:
                    unit.append(argv)
            self._begin += _size_of(piece)
        if self._multi is not None:
            begin, piece, place = self._multi
            self.cut_off = begin + _size_of(piece[:place])
            self.open_transaction = True

    def _pieces(self) -> Iterator[list[Command]]:
        """The commands, those of about CHUNK bytes together."""
        reader = hiredis.Reader(notEnoughData=_NOTHING)
        while self._fed < self._size:
            data = self._data[self._fed : self._fed + CHUNK]
            self._fed += len(data)
            reader.feed(data)
            piece: list[Command] = []
            sound = _gather(reader, piece)
            if piece:
                yield piece
            if not sound or (not piece and self._data[self._begin] == 0x23):
                self._skip_annotations()  # or it is bad
                self._fed = self._begin
                reader = hiredis.Reader(notEnoughData=_NOTHING)
        if self._begin < self._size and self._data[self._begin] == 0x23:
            self._skip_annotations()
        elif self._begin < self._size:
            self._look_at_end()

    def _skip_annotations(self) -> None:
        """hiredis can read no further: pass the annotations that stand there.

        Raises BadFile where there are none, or the file is damaged.
        """
        begin = self._begin
        while self._begin < self._size and self._data[self._begin] == 0x23:
            end = self._data.find(b"\n", self._begin)
            if end < 0:
                self.cut_off = self._begin
                self._begin = self._size
                return
            if self._on_annotation is not None:
                self._on_annotation(bytes(self._data[self._begin : end]).rstrip(b"\r"))
            self._begin = end + 1
        if begin == self._begin:
            self._look_at_end()
            raise BadFile(begin)  # hiredis refuses what Redis would take: nobody has written that

    def _look_at_end(self) -> None:
        """Find out what is wrong with what could not be read.

        Raises BadFile where the file is not just cut off.
        """
        try:
            read_command(self._data, self._begin)
        except _CutOff:
            self.cut_off = self._begin
            self._begin = self._size
        # what can be read in the end has been read before


def _gather(reader: Any, piece: list[Command]) -> bool:
    """Add the commands that a reader has. Whether it can go on."""
    gets, add = reader.gets, piece.append
    try:
        while (argv := gets()) is not _NOTHING:
            add(argv)
    except ProtocolError:
        sound = False
    else:
        sound = True
    if set(map(type, piece)) <= {list} and set(map(type, chain.from_iterable(piece))) <= {bytes} and all(piece):
        return sound
    wrong = next(place for place, argv in enumerate(piece) if not _is_command(argv))
    del piece[wrong:]
    return False


def _is_command(argv: Any) -> bool:
    return type(argv) is list and bool(argv) and all(type(word) is bytes for word in argv)


def _size_of(commands: list[Command]) -> int:
    """Bytes of commands in a file, as everybody writes them."""
    heads = sum([len(b"*%d\r\n" % len(argv)) for argv in commands])
    try:
        return heads + sum(map(_FRAMES.__getitem__, map(len, chain.from_iterable(commands))))
    except IndexError:
        sizes = map(len, chain.from_iterable(commands))
        return heads + sum([size + len(b"$%d\r\n\r\n" % size) for size in sizes])


def read_command(data: Any, place: int) -> tuple[Command, int]:
    """The command at an offset, and where the next one begins.

    Raises BadFile, and _CutOff where the data ends before the command does.
    """
    begin = place
    count, place = _read_number(data, place, 0x2A, begin)
    if count < 1:
        raise BadFile(begin)
    argv: Command = []
    for _ in range(count):
        size, place = _read_number(data, place, 0x24, begin)
        if size < 0:
            raise BadFile(begin)
        if place + size + 2 > len(data):
            raise _CutOff
        argv.append(bytes(data[place : place + size]))
        place += size + 2
    return argv, place


def _read_number(data: Any, place: int, mark: int, begin: int) -> tuple[int, int]:
    """The number of a line with a mark in front, and where the next line begins."""
    if place >= len(data):
        raise _CutOff
    if data[place] != mark:
        raise BadFile(begin)
    end = data.find(b"\n", place, place + _LONGEST_NUMBER + 3)
    if end < 0:
        if place + _LONGEST_NUMBER + 3 >= len(data):
            raise _CutOff
        raise BadFile(begin)
    text = bytes(data[place + 1 : end]).rstrip(b"\r")
    if not text.lstrip(b"-").isdigit():
        raise BadFile(begin)
    return int(text), end + 1
