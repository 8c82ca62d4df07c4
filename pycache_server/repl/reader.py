"""A stream of commands, from a master or a file -> commands, and the exact number of bytes that they were.

What comes is arrays of bulk strings and nothing else: no inline commands, no empty arrays, nothing nested. Whatever is
not that is a BadStream, at the offset at which it begins. Unlike a client's input (resp/parser.py) a command may be as
large as it likes, up to MOST_WAITING.

hiredis parses, and does not say how far it has read. Counting the bytes of each command would cost 150 ns; so the
input is cut where its last array seems to begin, and when hiredis is at rest behind the cut, everything in front of it
was whole commands. Only where that was a guess gone wrong, within a value, are the commands counted one by one: their
sizes are those of their only encoding (``size_of``).
"""

from __future__ import annotations

import hiredis

from pycache_server.errors import ProtocolError
from pycache_server.resp.exact import ExactParser, InputLimits, QueryBufferExceeded
from pycache_server.resp.parser import NOTHING, reader_of

MOST_ARGUMENTS = 1 << 20
"""Most words of one command."""
MOST_WAITING = 4 << 30
"""Most bytes of a command that is not complete."""
_UNLIMITED = InputLimits(bulk=2**63 - 1, query_buffer=MOST_WAITING)


class BadStream(Exception):
    """What has come at an offset is no command."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem} at offset {offset}")
        self.offset = offset


def size_of(argv: list[bytes]) -> int:
    """How many bytes a command has in a stream."""
    return len(str(len(argv))) + 3 + sum([len(str(len(word))) + len(word) + 5 for word in argv])


class StreamReader:
    """The reader of one stream. ``offset`` is the end of the last command that has been given, ``received`` of what has
    come. ``broken`` says what is wrong with what follows, once something is: then nothing more comes."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = self.received = offset
        self.broken: BadStream | None = None
        self._fed = offset
        self._kept = b""  # the star of the next command: hiredis would swallow it and say that nothing is left
        found = reader_of(MOST_ARGUMENTS)
        self._exact = ExactParser(_UNLIMITED, trusted=True) if found is None else None
        if found is not None:
            self._reader, self._depth = found

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that are complete with these bytes, in their order. Words that are no bulk strings may be
        among their arguments, and commands without any: who executes them looks at them anyway."""
        self.received += len(data)
        if self.broken is not None:
            return []
        if self._exact is not None:
            commands = self._read_exact(self._exact, data)
        else:
            data = self._kept + data
            self._kept = b"*" if data == b"*" or data.endswith(b"\n*") else b""
            data = data[: len(data) - len(self._kept)]
            cut = data.rfind(b"\r\n*") + 2
            commands = self._read(data) if cut < 2 else self._read(data[:cut]) + self._read(data[cut:])
        if self.broken is None and self.received - self.offset > MOST_WAITING:
            self._break("a command without an end")
        return commands

    def _read(self, data: bytes) -> list[list[bytes]]:
        """The commands that are complete with a part of the input."""
        if not data or self.broken is not None:
            return []
        self._reader.feed(data)
        self._fed += len(data)
        gets = self._reader.gets
        commands: list[list[bytes]] = []
        add = commands.append
        argv, problem = None, "something else than a command"
        try:
            while type(argv := gets()) is list:
                add(argv)
        except hiredis.ProtocolError as error:
            problem = str(error)
        if argv is NOTHING and self._depth.value < 1 and not self._reader.has_data():
            self.offset = self._fed
            return commands
        self.offset += sum(map(size_of, commands)) if all(map(_is_whole, commands)) else 0
        if argv is not NOTHING or self._depth.value > 1:
            self._break(problem)
        return commands

    def _read_exact(self, exact: ExactParser, data: bytes) -> list[list[bytes]]:
        """The same without hiredis."""
        commands: list[list[bytes]] = []
        try:
            exact.feed(data)
            while exact.before_array() or not exact.between():
                argv = exact.next_command()
                if argv is None:
                    return commands
                self.offset += size_of(argv)
                commands.append(argv)
        except (ProtocolError, QueryBufferExceeded) as error:
            self._break(str(error))
        if not exact.idle():
            self._break("something else than a command")
        return commands

    def _break(self, problem: str) -> None:
        self.broken = BadStream(self.offset, problem)

    def _check(self) -> None:
        """Assert that the counts agree."""
        assert self.offset <= self.received
        if self._exact is None and self.broken is None:
            assert self.received == self._fed + len(self._kept)


def _is_whole(argv: list[bytes]) -> bool:
    return all(type(word) is bytes for word in argv)
