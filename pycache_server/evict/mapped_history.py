"""What is remembered of keys that are gone, in 8 bytes a slot.

A direct-mapped table: a key has one place, found by its hash, and what is put there overwrites what was there before. A
fingerprint of 8 bits tells a key from another with the same place, wrongly once in 256 times, which does no harm: what
is remembered is a number and a tick, never an answer to anybody.

The table must grow with the cache, and must never stop the world. It is made of rows and grows by one row at a time
(linear hashing; Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980). A new row begins as a
copy of the row it splits: every key is found at once in the right one of the two, and what is left of it in the other
is overwritten in time.
"""

from __future__ import annotations

from array import array

ROW = 256
NUMBERS = 256
_TICK_BITS = 48
_TICK_MASK = (1 << _TICK_BITS) - 1


class MappedHistory:
    """A number below NUMBERS and a tick above 0 for each key that is gone and not forgotten."""

    __slots__ = ("_half", "rows")

    def __init__(self) -> None:
        self.rows = [array("Q", bytes(8 * ROW))]
        self._half = 1  # the greatest power of two that is at most the number of rows

    def __len__(self) -> int:
        return ROW * len(self.rows)

    def grow(self) -> None:
        """Add a row."""
        rows = self.rows
        if len(rows) == 2 * self._half:
            self._half *= 2
        rows.append(rows[len(rows) - self._half][:])

    def remember(self, key: bytes, number: int, tick: int) -> None:
        """Put a key's number and tick in its place."""
        mixed = hash(key)
        rows, half = self.rows, self._half
        index = mixed >> 8 & (2 * half - 1)
        row = rows[index if index < len(rows) else index - half]
        row[mixed & 255] = (mixed >> 40 & 255) << 56 | number << _TICK_BITS | tick & _TICK_MASK

    def recall(self, key: bytes) -> tuple[int, int] | None:
        """The number and the tick of a key, which are forgotten; None where nothing is known."""
        mixed = hash(key)
        rows, half = self.rows, self._half  # as above: a call would be a fifth of it
        index = mixed >> 8 & (2 * half - 1)
        row = rows[index if index < len(rows) else index - half]
        held = row[mixed & 255]
        if not held or held >> 56 != mixed >> 40 & 255:
            return None
        row[mixed & 255] = 0
        return held >> _TICK_BITS & 255, held & _TICK_MASK

    def row_of(self, index: int) -> list[tuple[int, int]]:
        """The numbers and ticks in a row."""
        return [(held >> _TICK_BITS & 255, held & _TICK_MASK) for held in self.rows[index] if held]

    def _check(self) -> None:
        assert self._half <= len(self.rows) <= 2 * self._half
        assert all(len(row) == ROW for row in self.rows)
