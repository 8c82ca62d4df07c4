"""Bytes -> commands, fast: hiredis where the input is what a client library sends, exact.py for everything else.

hiredis reads replies, not commands, and trusts its peer: it takes ``*1000000000`` and reserves 8 GB, turns ``:5`` into
an int among the arguments, dies on inline commands and cannot tell an idle connection from a huge unfinished array.
Scanning the input beforehand costs more than parsing it, so the traps are closed without a scan:

- **Array sizes.** hiredis's C reader has a limit for them (``maxelements``), which its Python binding leaves at 2^32.
  We lower it to FAST_COUNT through ctypes, once per connection, after proving at import that the field lies where we
  think (``_look_inside``). Where that cannot be proved, a regular expression looks for long headers in each read:
  about 40 ns per pipelined command.
- **Is anything unfinished?** hiredis says whether bytes are left, but not that it waits inside an array. Its depth of
  nesting tells, which is above 0 there and nowhere else; it is read through ctypes as well (50 ns a read), or found
  out by feeding a status line. Where something is unfinished, or hiredis refuses something, the piece is walked again
  by the exact parser from the first command that hiredis did not return.
- **Argument types.** The session loop looks at each argument's type (15 ns each) and calls ``reject`` for what is not
  bytes. Status lines, verbatim strings and big numbers come out as bytes, as good as any argument. To refuse them as
  Redis does costs 80 ns a command, so that is done in the first WATCHED bytes of a connection, in which a client that
  speaks so is found out.

Long input is cut into pieces of at most PIECE bytes at a command's end, which also gives the session a place to read
the clock again and to look at its output. The contract is that of a source and a turn::

    source = parser.feed(data)
    while source is not None:
        argv = source()
        if type(argv) is list: ...           # a command
        else: source = parser.turn(argv)     # the end of a piece, or something unusual

The end of all input can be told without a call of ``turn``::

    argv is NOTHING and not parser.more and parser.depth.value < 1 and not parser.has_data()
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from typing import Any, Protocol

import hiredis

from pycache_server.errors import ProtocolError
from pycache_server.resp.exact import ExactParser, InputLimits, QueryBufferExceeded

PIECE = 16 * 1024
"""Most bytes given to hiredis at once."""
FAST_COUNT = 4096
"""Most elements of an array that hiredis may read; longer commands take the exact parser. Arrays nest 1024 deep in
hiredis, and freeing what the deepest nest of such headers reserves takes about 5 ms."""
WATCHED = 16 * 1024
"""So many bytes of a connection are looked at for arguments that are no bulk strings and yet come out as bytes."""
_WATCHED_READ = WATCHED // 100
"""What a shorter read counts for: more than a hundred of them show what kind of a client it is."""

BROKEN = object()
"""What the session passes to ``turn`` when the source raised hiredis.ProtocolError."""
_MARK = b"between commands"
NOTHING = object()
"""What hiredis gives where nothing more is complete."""
_PAUSE = object()
_LONG_HEADER = re.compile(rb"[*~>%|]\d{5}")
_PLAIN_LINES = re.compile(rb"""[^*\0"']{1,%d}(?<=\n)""" % PIECE)
"""Whole inline commands without a quote, an array among them, or the NUL at which Redis ends a line."""
_LF = b"\n"
STAR = 0x2A
NEWLINE = 0x0A

Source = Callable[[], Any]


class Depth(Protocol):
    """A reader's depth of nesting."""

    @property
    def value(self) -> int:
        """Above 0 inside an array."""


class _Inside:
    """The two fields of a Reader's C structure that its Python binding does not show."""

    # struct redisReader begins with: int err; char errstr[128]; char *buf; size_t pos, len, maxbuf; long long
    # maxelements; redisReadTask **task; int tasks, ridx. The Python object holds a pointer to it behind its head.
    HEAD = object.__basicsize__
    MAXBUF, MAXELEMENTS, RIDX = 160, 168, 188

    def __init__(self, reader: Any) -> None:
        place = ctypes.c_void_p.from_address(id(reader) + self.HEAD).value or 0
        self.maxbuf = ctypes.c_size_t.from_address(place + self.MAXBUF)
        self.maxelements = ctypes.c_longlong.from_address(place + self.MAXELEMENTS)
        self.depth = ctypes.c_int.from_address(place + self.RIDX)


def _look_inside() -> bool:
    """Whether _Inside can be trusted in this process.

    The proof: the field in front follows the public ``setmaxbuf``; the limit holds its documented default, and when
    it is changed an array at the limit is taken and one above it refused; the depth is above 0 within an array, whether
    its buffer is empty or not, and not before, between and behind arrays.
    """
    if sys.implementation.name != "cpython" or hiredis.__version__.split(".")[0] != "3":
        return False
    if hiredis.Reader.__basicsize__ < _Inside.HEAD + 8:
        return False
    probe = hiredis.Reader(notEnoughData=NOTHING)
    inside = _Inside(probe)
    for size in (12345, 54321):
        probe.setmaxbuf(size)
        if inside.maxbuf.value != size:
            return False
    if inside.maxelements.value != 2**32 - 1 or inside.depth.value >= 1:
        return False
    inside.maxelements.value = 2
    for data, result, within in (
        (b"*2\r\n", NOTHING, True),
        (b"$1\r\na\r\n", NOTHING, True),
        (b"$1\r\n", NOTHING, True),
        (b"b\r\n", [b"a", b"b"], False),
        (b"", NOTHING, False),
    ):
        probe.feed(data)
        if probe.gets() != result or (inside.depth.value >= 1) != within:
            return False
    probe.feed(b"*3\r\n")
    try:
        probe.gets()
    except hiredis.ProtocolError:
        return True
    return False


_trusted_inside = _look_inside()


class _Probe:
    """A reader's depth, found out from the outside: a status line comes out by itself between replies alone."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    @property
    def value(self) -> int:
        """Above 0 inside an array, and then the reader is of no more use."""
        if self._reader.has_data():
            return 0  # which the caller sees for itself
        self._reader.feed(b"+%b\r\n" % _MARK)
        try:
            return 0 if self._reader.gets() == _MARK else 1
        except hiredis.ProtocolError:
            return 1


def reader_of(most: int) -> tuple[Any, Depth] | None:
    """A hiredis reader whose arrays may have ``most`` elements, with its depth of nesting; None where that cannot be
    had. It gives NOTHING where nothing more is complete."""
    if not _trusted_inside:
        return None
    reader = hiredis.Reader(notEnoughData=NOTHING)
    inside = _Inside(reader)
    inside.maxelements.value = most
    return reader, inside.depth


class Parser:
    """One connection's input. While it is not ``trusted`` (the client has yet to authenticate) every byte takes the
    exact parser, whose limits are lower then."""

    __slots__ = (
        "_exact",
        "_feed",
        "_free",
        "_offset",
        "_watch",
        "depth",
        "gets",
        "has_data",
        "limits",
        "more",
        "piece",
        "plain",
    )

    def __init__(self, limits: InputLimits, trusted: bool = True) -> None:
        self.limits = limits
        self.piece = b""
        """What hiredis was fed last: walked again if something unusual comes out."""
        self.more = b""
        """Input behind the piece, from _offset on."""
        self._offset = 0
        self._exact: ExactParser | None = None if trusted else ExactParser(limits, trusted=False)
        self._free = False  # whether the exact parser may hand over to hiredis before the next array
        self._watch = WATCHED  # how many more bytes are to be looked at for disguised arguments
        self.plain: Callable[[bytes], Any] | None = None
        """What hiredis is fed by while nobody has to look at input in front of it but for where it begins and ends, and
        how long it is; None as long as ``feed`` must be asked. See ``Session.receive``."""
        self._renew()

    def _renew(self) -> None:
        """A fresh hiredis reader: after an error, or with an unfinished command in it, one is of no more use."""
        self.plain = None
        reader = hiredis.Reader(notEnoughData=NOTHING)
        self._feed = reader.feed
        self.gets: Source = reader.gets
        """The source while hiredis reads."""
        self.has_data = reader.has_data
        if _trusted_inside:
            inside = _Inside(reader)
            inside.maxelements.value = FAST_COUNT
            self.depth: Depth = inside.depth
        else:
            self.depth = _Probe(reader)

    def feed(self, data: bytes) -> Source | None:
        """Take input while no source is open. The source of its commands, or None where it holds nothing to do.

        Raises QueryBufferExceeded.
        """
        if self._exact is not None:
            self._exact.feed(data)
            return self._next_exact
        if data[0] != STAR or data[-1] != NEWLINE or len(data) > PIECE or not _trusted_inside:
            return self._feed_unusual(data)
        feed = self._feed
        if self._watch <= 0:
            self.plain = feed
        elif self._is_disguised(data):
            return self._feed_exact(data)
        self.piece = data
        feed(data)
        return self.gets

    def relax(self) -> None:
        """Give back what is kept for the next input of a connection that has been silent: the last piece, and a buffer
        of hiredis that it has made large. While no source is open."""
        if self.piece and self._exact is None and self.depth.value < 1 and not self.has_data():
            self.piece = b""
            self._renew()

    def hold(self, data: bytes) -> None:
        """Take input while a source is open: it comes behind everything that is still to come.

        Raises QueryBufferExceeded.
        """
        self.more = self.more[self._offset :] + data
        self._offset = 0
        if self.held() > self.limits.query_buffer:
            raise QueryBufferExceeded

    def held(self) -> int:
        """How many bytes wait to be looked at or to be completed."""
        waiting = len(self.more) - self._offset
        return waiting + self._exact.pending() if self._exact is not None else waiting

    def turn(self, last: Any) -> Source | None:
        """The source that follows the one which gave ``last``, or None where nothing more is complete.

        Raises QueryBufferExceeded.
        """
        if last is NOTHING and self.depth.value < 1 and not self.has_data():
            return self._feed_more() if self.more else None
        if last is _PAUSE:
            return self._after_exact()
        if last is None:  # a null array: ignored, as in Redis
            return self.gets
        self._renew()
        trusted = self._exact is None  # else the client has lost its authentication within the piece
        self._exact = self._stand_after_hiredis(self._sure_boundary(self.piece))
        self._exact.trusted = trusted
        self._free = False
        return self._next_exact

    def trust(self) -> None:
        """The client has authenticated: from the next command on the usual limits hold and hiredis may read."""
        if self._exact is not None:
            self._exact.trusted = True
            self._free = True

    def distrust(self) -> None:
        """The client must authenticate anew. Commands that hiredis holds already are not read again."""
        if self._exact is None:
            self._exact = ExactParser(self.limits, trusted=False)
            self.plain = None
        self._exact.trusted = False
        self._free = False

    def reject(self) -> None:
        """A command came out of hiredis with an argument that is no bulk string: raise what Redis says to that.

        Raises ProtocolError.
        """
        self._stand_after_hiredis(0).next_command()
        raise ProtocolError(b"ERR Protocol error: invalid bulk length")

    def _feed_more(self) -> Source | None:
        data = self.more[self._offset :] if self._offset else self.more
        if len(data) > PIECE:
            self.more, self._offset = data, 0
        else:
            self.more, self._offset = b"", 0
        return self.feed(data)

    def _feed_unusual(self, data: bytes) -> Source | None:
        """Input that has to be looked at, or cut, before hiredis may see it."""
        if not data:
            return None
        if data[0] != STAR:
            return self._feed_lines(data) if _PLAIN_LINES.fullmatch(data) else self._feed_exact(data)
        if len(data) > PIECE:
            cut = data.rfind(b"\r\n*", 0, PIECE) + 2
            if cut < 2:
                self.more, self._offset = b"", 0
                return self._feed_exact(data)
            self.more, self._offset = data, cut
            data = data[:cut]
        elif data[-1] == STAR:  # hiredis would take the type of the next command and say that nothing is left
            if len(data) == 1:
                return self._feed_exact(data)
            self.more, self._offset = data, len(data) - 1
            data = data[:-1]
        if (self._watch > 0 and self._is_disguised(data)) or (not _trusted_inside and _LONG_HEADER.search(data)):
            return self._feed_exact(data)
        self.piece = data
        self._feed(data)
        return self.gets

    def _feed_lines(self, data: bytes) -> Source:
        """Inline commands that are no more than words."""
        if data.find(_LF) == len(data) - 1 and (words := data.split()):
            return [NOTHING, words].pop
        commands: list[Any] = [words for line in data.split(_LF) if (words := line.split())]
        commands.append(NOTHING)
        commands.reverse()
        return commands.pop

    def _is_disguised(self, data: bytes) -> bool:
        """Whether lines begin with the type of a status, a verbatim string or a big number."""
        self._watch -= max(len(data), _WATCHED_READ)
        return (43 in data and b"\n+" in data) or (61 in data and b"\n=" in data) or (40 in data and b"\n(" in data)

    def _feed_exact(self, data: bytes) -> Source:
        self._exact = ExactParser(self.limits, trusted=True)
        self._free = False
        self.plain = None
        self._exact.feed(data)
        return self._next_exact

    def _next_exact(self) -> Any:
        """The source while the exact parser reads: a command, or _PAUSE where hiredis may go on or input is missing."""
        exact = self._exact
        assert exact is not None
        if self._free and exact.before_array():
            return _PAUSE
        argv = exact.next_command()
        if argv is None:
            self._free = False
            return _PAUSE
        self._free = exact.trusted
        return argv

    def _after_exact(self) -> Source | None:
        exact = self._exact
        assert exact is not None
        if exact.trusted and (self._free or exact.idle()):
            self._exact = None
            rest = exact.take_rest() + self.more[self._offset :]
            self.more, self._offset = b"", 0
            return self.feed(rest) if rest else None
        if not self.more:
            return None
        exact.feed(self.more[self._offset :])
        self.more, self._offset = b"", 0
        return self._next_exact

    def _stand_after_hiredis(self, start: int) -> ExactParser:
        """An exact parser before the first command of the piece that hiredis did not return, or not rightly. A
        command begins at ``start``."""
        piece, self.piece = self.piece, b""
        walker = ExactParser(self.limits, trusted=True)
        walker.feed(piece[start:])
        read = 0
        while walker.before_array():
            read = walker.position
            try:
                if walker.next_command() is None:
                    break
            except ProtocolError:
                break
            read = walker.position
        exact = ExactParser(self.limits, trusted=True)
        exact.feed(piece[start + read :])
        return exact

    def _sure_boundary(self, piece: bytes) -> int:
        """Where in ``piece`` a command surely begins, late if possible: before its last array, if hiredis agrees that
        all in front of that is complete. Spares the walk through a long piece that was cut near its end."""
        guess = piece.rfind(b"\r\n*") + 2
        if guess < 2:
            return 0
        self._feed(piece[:guess])
        try:
            while type(last := self.gets()) is list:
                pass
            if last is NOTHING and self.depth.value < 1 and not self.has_data():
                return guess
        except hiredis.ProtocolError:
            pass
        self._renew()
        return 0
