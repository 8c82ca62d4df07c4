"""The exact grammar of Redis's input, one command at a time: what the fast path in parser.py falls back on.

It reads what hiredis cannot (inline commands, empty lines, empty arrays), holds every limit before anything is
allocated, words each error as Redis does, and takes a command apart that arrives in many reads without looking at any
byte twice. Arguments above INLINE_BULK are collected as chunks and joined once, so a bulk of 500 MB costs one copy
and only as much memory as has been sent; a header that claims gigabytes costs nothing.

Source: "Redis serialization protocol specification", and the behaviour of redis-server 7.0.15 where that is silent.
"""

from __future__ import annotations

from pycache_server.errors import ProtocolError
from pycache_server.words import split_words

LINE_LIMIT = 64 * 1024
"""Longest inline command or header line, in bytes."""
COUNT_LIMIT = 2**31 - 1
"""Most arguments of one command."""
UNAUTHENTICATED_COUNT = 10
UNAUTHENTICATED_BULK = 16384
"""What a client may send before it has authenticated: arguments of a command, and bytes of one argument."""
INLINE_BULK = 64 * 1024
"""Arguments above this many bytes are collected as chunks instead of in the buffer."""


class InputLimits:
    """The limits of input that are configured: shared by all sessions of a server and changed by CONFIG SET."""

    __slots__ = ("bulk", "query_buffer")

    def __init__(self, bulk: int = 512 * 1024 * 1024, query_buffer: int = 1024 * 1024 * 1024) -> None:
        self.bulk = bulk
        """proto-max-bulk-len, in bytes."""
        self.query_buffer = query_buffer
        """client-query-buffer-limit, in bytes."""


class QueryBufferExceeded(Exception):
    """More unfinished input than client-query-buffer-limit: Redis closes the connection without a reply."""


class ExactParser:
    """Feed bytes, take commands. ``trusted`` says whether the limits for unauthenticated clients are off."""

    __slots__ = (
        "_argv",
        "_buffer",
        "_bulk",
        "_chunks",
        "_collected",
        "_held",
        "_missing",
        "_scanned",
        "limits",
        "position",
        "trusted",
    )

    def __init__(self, limits: InputLimits, trusted: bool) -> None:
        self.limits = limits
        self.trusted = trusted
        self._buffer = b""
        self.position = 0
        """How far the buffer has been read."""
        self._scanned = 0  # where the search for the end of the current line goes on
        self._argv: list[bytes] | None = None  # arguments so far of a multibulk command
        self._missing = 0  # how many more arguments it has
        self._bulk = -1  # length of the argument being read, -1 before its header
        self._chunks: list[bytes] | None = None  # the parts of a big argument
        self._collected = 0
        self._held = 0  # bytes of the arguments in _argv

    def idle(self) -> bool:
        """Whether no command has begun and no input is left."""
        return self._argv is None and self.position >= len(self._buffer)

    def between(self) -> bool:
        """Whether no command has begun."""
        return self._argv is None

    def before_array(self) -> bool:
        """Whether the next command has not begun and will not be an inline one."""
        buffer, position = self._buffer, self.position
        return self._argv is None and position < len(buffer) and buffer[position] == 0x2A

    def pending(self) -> int:
        """How many bytes of an unfinished command are held."""
        return len(self._buffer) - self.position + self._collected + self._held

    def take_rest(self) -> bytes:
        """Give up what has not been read yet; only between commands."""
        rest = self._buffer[self.position :]
        self._buffer = b""
        self.position = self._scanned = 0
        return rest

    def feed(self, data: bytes) -> None:
        """Add input.

        Raises QueryBufferExceeded when too much of it is unfinished.
        """
        if self._chunks is not None:
            self._chunks.append(data)
            self._collected += len(data)
        elif self.position == len(self._buffer):
            self._buffer = data
            self.position = self._scanned = 0
        else:
            self._buffer = self._buffer[self.position :] + data
            self._scanned -= self.position
            self.position = 0
        if self.pending() > self.limits.query_buffer:
            raise QueryBufferExceeded

    def next_command(self) -> list[bytes] | None:
        """The next complete command, [] for an empty line or array, or None where more input is needed.

        Raises ProtocolError with Redis's words.
        """
        if self._argv is None:
            if self.position >= len(self._buffer):
                return None
            if self._buffer[self.position] != 0x2A:
                return self._inline()
            if not self._multibulk_header():
                return None
        while self._missing:
            if not self._argument():
                return None
        argv = self._argv
        self._argv = None
        self._held = 0
        return argv or []

    def _inline(self) -> list[bytes] | None:
        """The words of one line, [] for an empty line, None where the line has no end yet."""
        buffer = self._buffer
        newline = buffer.find(b"\n", max(self._scanned, self.position))
        if newline < 0:
            self._scanned = len(buffer)
            if len(buffer) - self.position > LINE_LIMIT:
                raise ProtocolError(b"ERR Protocol error: too big inline request")
            return None
        line = buffer[self.position : newline]
        if line.endswith(b"\r"):
            line = line[:-1]
        words = split_words(line.split(b"\0", 1)[0])
        if words is None:
            raise ProtocolError(b"ERR Protocol error: unbalanced quotes in request")
        self.position = self._scanned = newline + 1
        return words

    def _header(self, too_long: bytes) -> bytes | None:
        """The next header line without its CRLF, or None where it has no end yet. Moves past it."""
        buffer = self._buffer
        end = buffer.find(b"\r", max(self._scanned, self.position))
        if end < 0 or end + 2 > len(buffer):
            self._scanned = len(buffer) if end < 0 else end
            if end < 0 and len(buffer) - self.position > LINE_LIMIT:
                raise ProtocolError(too_long)
            return None
        line = buffer[self.position : end]
        self.position = self._scanned = end + 2
        return line

    def _multibulk_header(self) -> bool:
        line = self._header(b"ERR Protocol error: too big mbulk count string")
        if line is None:
            return False
        count = _length(line)
        if count is None or count > COUNT_LIMIT:
            raise ProtocolError(b"ERR Protocol error: invalid multibulk length")
        if count > UNAUTHENTICATED_COUNT and not self.trusted:
            raise ProtocolError(b"ERR Protocol error: unauthenticated multibulk length")
        if count > 0:
            self._argv = []
            self._missing = count
        return True

    def _argument(self) -> bool:
        """Read one more argument; False where its end has not come yet."""
        if self._bulk < 0 and not self._bulk_header():
            return False
        size = self._bulk
        if self._chunks is not None:
            return self._big_argument(size)
        start = self.position
        if start + size + 2 > len(self._buffer):
            if size > INLINE_BULK:
                first = self.take_rest()
                self._chunks, self._collected = [first], len(first)
            return False
        self._append(self._buffer[start : start + size])
        self.position = self._scanned = start + size + 2
        return True

    def _append(self, argument: bytes) -> None:
        assert self._argv is not None
        self._argv.append(argument)
        self._held += len(argument)
        self._missing -= 1
        self._bulk = -1

    def _bulk_header(self) -> bool:
        line = self._header(b"ERR Protocol error: too big bulk count string")
        if line is None:
            return False
        if line[:1] != b"$":
            got = line[:1] or b"\r"
            raise ProtocolError(b"ERR Protocol error: expected '$', got '" + got + b"'")
        size = _length(line)
        if size is None or size < 0 or size > self.limits.bulk:
            raise ProtocolError(b"ERR Protocol error: invalid bulk length")
        if size > UNAUTHENTICATED_BULK and not self.trusted:
            raise ProtocolError(b"ERR Protocol error: unauthenticated bulk length")
        self._bulk = size
        return True

    def _big_argument(self, size: int) -> bool:
        surplus = self._collected - size - 2
        if surplus < 0:
            return False
        assert self._chunks is not None
        last = self._chunks[-1]
        if len(last) < surplus + 2:  # the closing CRLF is cut in two: rare, and worth one more copy
            last = b"".join(self._chunks)
            self._chunks = [last]
        self._chunks[-1] = last[: len(last) - surplus - 2]
        whole = b"".join(self._chunks)
        self._chunks, self._collected = None, 0
        self._append(whole)
        self._buffer, self.position, self._scanned = last[len(last) - surplus :], 0, 0
        return True


def _length(line: bytes) -> int | None:
    """The number of a header line behind its type byte, as strict as Redis's ``string2ll``; None where it is none."""
    digits = line[1:]
    unsigned = digits[1:] if digits[:1] == b"-" else digits
    if not unsigned.isdigit() or len(unsigned) > 19 or (unsigned[:1] == b"0" and digits != b"0"):
        return None
    return int(digits)
