"""What is remembered of keys that are gone, in 4 or 8 bytes a place.

A direct-mapped table: a key has one place, found by its hash, and what is put there overwrites what was there before. A
fingerprint of 8 bits tells a key from another with the same place, wrongly once in 256 times, which does no harm: what
is remembered is a number and a time, never an answer to anybody.

The table must grow with the cache, and must never stop the world. It is made of rows and grows by one row at a time
(linear hashing; Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980). A new row begins as a
copy of the row it splits: every key is found at once in the right one of the two, and what is left of it in the other
is overwritten in time. Until it is split a row stands at both of its places in the list, so nobody has to ask whether
it is.

A place is one word, what is remembered above the fingerprint, so that to look at it is one miss of the processor's
cache; rows are as long as a step of growth allows, some microseconds, so that there are few of them and where they
begin is no miss. Of a hash 30 bits are taken, because CPython has operations for such integers that are several times
faster: the low ones choose the row, the next ones are the fingerprint, and the high ones choose the place in the row.
In a history of more than four million places a fingerprint tells less, as the row has told a part of it.
"""

from __future__ import annotations

from array import array

ROW = 4096
TAG = 0xFF
"""The bits of a word that are the fingerprint."""
NUMBERS = 256
NUMBER_SHIFT, TIME_SHIFT = 8, 16
"""Where a number below NUMBERS and a time stand in a word."""
SPOTS = (1 << 30) - 35  # a prime
TAG_SHIFT, PLACE_SHIFT = 10, 18
PART = 256
"""Places that are looked at together."""
_PARTS = ROW // PART
_FREED = 16
"""A row takes as long to free as so many elements of a collection."""


class MappedHistory:
    """A number below NUMBERS and a time for each key that is gone and not forgotten, in words of the array type
    ``code``: the time, the number and the fingerprint, from the top; 0 is nothing.

    ``rows[spot & mask][spot >> PLACE_SHIFT]`` is the place of a key whose hash modulo SPOTS is ``spot``, and its
    fingerprint ``spot >> TAG_SHIFT & TAG``. Where it is hot, engines write out what ``remember`` does, and looking up:
    it is done once or twice for each key that comes, and to call for it would cost as much again."""

    __slots__ = ("mask", "rows", "size")

    def __init__(self, code: str) -> None:
        self.rows = [array(code, [0]) * ROW]
        self.mask = 0  # the number of places in the list is a power of two, this is one less
        self.size = 1
        """How many rows there are."""

    def __len__(self) -> int:
        return ROW * self.size

    def grow(self) -> None:
        """Add a row."""
        rows, size = self.rows, self.size
        if size == len(rows):
            rows += rows
            self.mask = len(rows) - 1
        rows[size] = rows[size][:]
        self.size = size + 1

    def free(self, budget: int) -> int:
        """Take rows apart, each of which counts for _FREED of the budget; nobody uses the history any more. Returns
        what was used of the budget."""
        rows = self.rows
        before = len(rows)
        del rows[-max(1, budget // _FREED) :]
        self.size = min(self.size, len(rows))
        return _FREED * (before - len(rows))

    def remember(self, key: bytes, time: int, number: int) -> None:
        """Put what is to be remembered of a key in its place."""
        spot = hash(key) % SPOTS
        word = time << TIME_SHIFT | number << NUMBER_SHIFT | spot >> TAG_SHIFT & TAG
        self.rows[spot & self.mask][spot >> PLACE_SHIFT] = word

    @property
    def parts(self) -> int:
        """How many parts there are to look at."""
        return _PARTS * self.size

    def part(self, index: int) -> list[tuple[int, int]]:
        """The numbers and times in a part of a row."""
        row, part = divmod(index, _PARTS)
        held = self.rows[row][PART * part : PART * (part + 1)]
        return [(word >> NUMBER_SHIFT & NUMBERS - 1, word >> TIME_SHIFT) for word in held if word]

    def _check(self) -> None:
        assert self.mask + 1 == len(self.rows) < 2 * self.size
        assert all(len(row) == ROW for row in self.rows)
        half = len(self.rows) // 2
        assert all(self.rows[index] is self.rows[index - half] for index in range(self.size, len(self.rows)))
        assert len({id(row) for row in self.rows}) == self.size
