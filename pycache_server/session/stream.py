"""Units of the feed as bytes: what stands in an append-only file, and what a replica is sent.

Commands are arrays of bulk strings, whatever their client wrote. In front of a command stands a SELECT where its
database is not that of the one before; around a unit of several stand MULTI and EXEC, and the SELECT of the first of
them in front of MULTI, as Redis 7.0 has it. So one stream knows which database its reader has selected: each sink has
a stream of its own, and whoever lets somebody read from a point on calls ``reset`` there.

This is on the path of every write: a SET of 64 bytes takes about 0.3 µs (bench/hot_path.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.resp.encode import CRLF, encode_texts, joint

if TYPE_CHECKING:
    from pycache_server.session.feed import Told

MULTI = b"*1\r\n$5\r\nMULTI\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"
_FEW = 8
_HEADS = [b"*%d" % count for count in range(_FEW + 1)]
NOWHERE = -1
"""The index of no database: the next command must select its own."""


def encode_command(argv: list[bytes]) -> bytes:
    """A command as an array of bulk strings."""
    count = len(argv)
    try:  # most have a few short words: that takes a third of what any number takes
        if count == 3:
            name, key, value = argv
            return b"".join((b"*3", joint(len(name)), name, joint(len(key)), key, joint(len(value)), value, CRLF))
        if count == 5:  # SET with a time to live
            name, key, value, unit, moment = argv
            return b"".join(
                (
                    b"*5",
                    joint(len(name)),
                    name,
                    joint(len(key)),
                    key,
                    joint(len(value)),
                    value,
                    joint(len(unit)),
                    unit,
                    joint(len(moment)),
                    moment,
                    CRLF,
                )
            )
        if count == 2:
            name, key = argv
            return b"".join((b"*2", joint(len(name)), name, joint(len(key)), key, CRLF))
        if count <= _FEW:
            parts = [_HEADS[count]]
            for word in argv:
                parts.append(joint(len(word)))
                parts.append(word)
            parts.append(CRLF)
            return b"".join(parts)
    except IndexError:  # a long one
        pass
    return encode_texts(argv)


def select(index: int) -> bytes:
    """The command that selects a database."""
    return encode_command([b"SELECT", b"%d" % index])


class CommandStream:
    """The bytes of one stream of units."""

    __slots__ = ("selected",)

    def __init__(self) -> None:
        self.selected = NOWHERE
        """The index of the database that whoever reads the stream has selected by now."""

    def reset(self) -> None:
        """Let the next unit select its database, whatever came before."""
        self.selected = NOWHERE

    def encode(self, unit: list[Told]) -> bytes:
        """The bytes of a unit that is not empty."""
        if len(unit) == 1:
            index, argv = unit[0]
            if index == self.selected:
                return encode_command(argv)
            self.selected = index
            return select(index) + encode_command(argv)
        return self._encode_transaction(unit)

    def _encode_transaction(self, unit: list[Told]) -> bytes:
        parts: list[bytes] = []
        for number, (index, argv) in enumerate(unit):
            if index != self.selected:
                parts.append(select(index))
                self.selected = index
            if number == 0:
                parts.append(MULTI)
            parts.append(encode_command(argv))
        parts.append(EXEC)
        return b"".join(parts)
