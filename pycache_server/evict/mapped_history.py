"""What is remembered of keys that are gone, in 8 bytes a slot.

A direct-mapped table: a key has one place, found by its hash, and what is put there overwrites what was there before. A
fingerprint of 8 bits tells a key from another with the same place, wrongly once in 256 times, which does no harm: what
is remembered is a number and a tick, never an answer to anybody.

The table must grow with the cache, and must never stop the world. It is made of rows and grows by one row at a time
(linear hashing; Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980). A new row begins as a
copy of the row it splits: every key is found at once in the right one of the two, and what is left of it in the other
is overwritten in time. Until it is split a row stands at both of its places in the list, so nobody has to ask whether
it is.

A place is one word, the tick above the number above the fingerprint, so that to look at it is one miss of the
processor's cache; the low bits of a hash choose the row, and 16 others the place in it and the fingerprint.
"""

from __future__ import annotations

from array import array

ROW = 256
NUMBERS = 256
_REST_SHIFT = 40  # in a hash


class MappedHistory:
    """A number below NUMBERS and a tick above 0 for each key that is gone and not forgotten."""

    __slots__ = ("_mask", "_rows", "size")

    def __init__(self) -> None:
        self._rows = [array("Q", bytes(8 * ROW))]
        self._mask = 0  # the number of places in the list is a power of two, this one more
        self.size = 1
        """How many rows there are."""

    def __len__(self) -> int:
        return ROW * self.size

    def grow(self) -> None:
        """Add a row."""
        rows, size = self._rows, self.size
        if size == len(rows):
            rows += rows
            self._mask = len(rows) - 1
        rows[size] = rows[size][:]
        self.size = size + 1

    def remember(self, key: bytes, number: int, tick: int) -> None:
        """Put a key's number and tick in its place."""
        mixed = hash(key)
        rest = mixed >> _REST_SHIFT & 0xFFFF
        self._rows[mixed & self._mask][rest & 0xFF] = tick << 16 | number << 8 | rest >> 8

    def recall(self, key: bytes) -> tuple[int, int] | None:
        """The number and the tick of a key, which are forgotten; None where nothing is known."""
        mixed = hash(key)
        rest = mixed >> _REST_SHIFT & 0xFFFF
        row = self._rows[mixed & self._mask]
        held = row[rest & 0xFF]
        if held & 0xFF != rest >> 8 or not held:
            return None
        row[rest & 0xFF] = 0
        return held >> 8 & 0xFF, held >> 16

    def row_of(self, index: int) -> list[tuple[int, int]]:
        """The numbers and ticks in a row."""
        return [(held >> 8 & 0xFF, held >> 16) for held in self._rows[index] if held]

    def _check(self) -> None:
        assert self._mask + 1 == len(self._rows) < 2 * self.size
        assert all(len(row) == ROW for row in self._rows)
        half = len(self._rows) // 2
        assert all(self._rows[index] is self._rows[index - half] for index in range(self.size, len(self._rows)))
        assert len({id(row) for row in self._rows}) == self.size
