"""The fields of messages as bytes: a shape for each kind of value, which writes it and reads it back.

A number is eight bytes; a text, a list and what may be missing have their length in front. Reading checks bounds: bytes
that end too early, a text that is no text or a flag that is neither raise ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pycache_server.election.position import Position

LONGEST_TEXT = 300
LONGEST_LIST = 100
MOST_NUMBER = 1 << 62
"""What no number is above: there is room for the next epochs in eight bytes, and in the numbers of links."""


class Reader:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError if there are not so many."""
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise ValueError("the message ends too early")
        self._at += count
        return found

    def number(self, size: int = 8, most: int = MOST_NUMBER) -> int:
        """The next number; ValueError if it is greater than the most."""
        found = int.from_bytes(self.take(size), "big")
        if found > most:
            raise ValueError("a number is out of range")
        return found

    def finish(self) -> None:
        """ValueError if anything is left."""
        if self._at != len(self._data):
            raise ValueError("there are bytes behind the message")


class Shape(NamedTuple):
    """How values of one kind are written and read."""

    write: Callable[[Any], bytes]
    read: Callable[[Reader], Any]


def _write_text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _read_text(reader: Reader) -> str:
    return reader.take(reader.number(2, LONGEST_TEXT)).decode()


def _list_of(*shapes: Shape) -> Shape:
    def write(rows: tuple[tuple[Any, ...], ...]) -> bytes:
        cells = (shape.write(cell) for row in rows for shape, cell in zip(shapes, row, strict=True))
        return len(rows).to_bytes(2, "big") + b"".join(cells)

    def read(reader: Reader) -> tuple[tuple[Any, ...], ...]:
        return tuple(tuple(shape.read(reader) for shape in shapes) for _ in range(reader.number(2, LONGEST_LIST)))

    return Shape(write, read)


def _maybe(shape: Shape) -> Shape:
    return Shape(
        lambda value: b"\0" if value is None else b"\1" + shape.write(value),
        lambda reader: shape.read(reader) if reader.number(1, 1) else None,
    )


NUMBER = Shape(lambda value: int.to_bytes(value, 8, "big"), Reader.number)
FLAG = Shape(lambda value: bytes([value]), lambda reader: bool(reader.number(1, 1)))
TEXT = Shape(_write_text, _read_text)
BIRTHS = _list_of(TEXT, TEXT)
_ROWS_OF_ONE = _list_of(TEXT)
SEATS = Shape(
    lambda value: _ROWS_OF_ONE.write(tuple((seat,) for seat in value)),
    lambda reader: tuple(row[0] for row in _ROWS_OF_ONE.read(reader)),
)
POSITION = Shape(
    lambda value: NUMBER.write(value.epoch) + NUMBER.write(value.offset),
    lambda reader: Position(reader.number(), reader.number()),
)
MAYBE_NUMBER = _maybe(NUMBER)
MAYBE_POSITION = _maybe(POSITION)
