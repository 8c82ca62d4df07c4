"""What is remembered of keys that are gone, in 8 bytes a slot.

A direct-mapped table: a key has one place, found by its hash, and what is put there overwrites what was there before. A
fingerprint of 8 bits tells a key from another with the same place, wrongly once in 256 times, which does no harm: what
is remembered is a number and a tick, never an answer to anybody.

The table must grow with the cache, and must never stop the world. It is made of rows and grows by one row at a time
(linear hashing; Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980). A new row begins as a
copy of the row it splits: every key is found at once in the right one of the two, and what is left of it in the other
is overwritten in time. Until it is split a row stands at both of its places in the list, so nobody has to ask whether
it is.

A place is one word, what is remembered above the fingerprint, so that to look at it is one miss of the processor's
cache. Of a hash 30 bits are taken, because CPython has operations for such integers that are several times faster: the
low ones choose the row, the next ones are the fingerprint, and the high ones choose the place in the row. In a history
of more than four million places a fingerprint tells less, as the row has told a part of it.
"""

from __future__ import annotations

from array import array

ROW = 256
NUMBERS = 256
NUMBER_BITS = 8
_SPOTS = (1 << 30) - 35  # a prime
_FREED = 8
"""A row takes as long to free as so many elements of a collection."""
_TAG_SHIFT, _PLACE_SHIFT = 14, 22


class MappedHistory:
    """A note for each key that is gone and not forgotten: ``tick << NUMBER_BITS | number``, of a number below NUMBERS
    and a tick above 0."""

    __slots__ = ("_mask", "_rows", "size")

    def __init__(self) -> None:
        self._rows = [array("Q", bytes(8 * ROW))]
        self._mask = 0  # the number of places in the list is a power of two, this is one less
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

    def free(self, budget: int) -> int:
        """Take rows apart, each of which counts for _FREED of the budget; nobody uses the history any more. Returns
        what was used of the budget."""
        rows = self._rows
        before = len(rows)
        del rows[-max(1, budget // _FREED) :]
        self.size = min(self.size, len(rows))
        return _FREED * (before - len(rows))

    def remember(self, key: bytes, note: int) -> None:
        """Put a key's note in its place."""
        spot = hash(key) % _SPOTS
        self._rows[spot & self._mask][spot >> _PLACE_SHIFT] = note << 8 | spot >> _TAG_SHIFT & 0xFF

    def recall(self, key: bytes) -> int:
        """The note of a key, which is forgotten; 0 where there is none."""
        spot = hash(key) % _SPOTS
        row = self._rows[spot & self._mask]
        place = spot >> _PLACE_SHIFT
        held = row[place]
        if held & 0xFF != spot >> _TAG_SHIFT & 0xFF:
            return 0
        row[place] = 0
        return held >> 8

    def row_of(self, index: int) -> list[tuple[int, int]]:
        """The numbers and ticks in a row."""
        return [(held >> 8 & 0xFF, held >> 16) for held in self._rows[index] if held]

    def _check(self) -> None:
        assert self._mask + 1 == len(self._rows) < 2 * self.size
        assert all(len(row) == ROW for row in self._rows)
        half = len(self._rows) // 2
        assert all(self._rows[index] is self._rows[index - half] for index in range(self.size, len(self._rows)))
        assert len({id(row) for row in self._rows}) == self.size
