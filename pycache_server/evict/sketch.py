"""How often a key has been asked for lately, of keys that are there or not: a count-min sketch that forgets.

Four small counters stand for each key, chosen by its hash and shared with others; each access adds one to all four,
up to 15, and the least of them is the estimate, which may be too high but not too low. After ten accesses for each
entry of the cache all counters are halved, so that what was asked for long ago fades.

The counters lie in blocks of 1024, and all four of a key in the same one. So nothing stops the world: halving goes on a
block at a time, one for each access that follows, and when the cache grows the number of blocks is doubled by letting
each old block stand for two until the second is first used.

Sources: Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications", Journal
of Algorithms 2005; Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM ToS 2017.
"""

from __future__ import annotations

MOST = 15
_BLOCK = 1024
_BLOCK_SHIFT = 32
"""The bits of a hash above the four of eight that choose counters choose the block."""
_ENTRIES_OF_BLOCK = 64
PERIOD = 10
"""Accesses for each entry of the cache until counters are halved for the first time; the sum is halved too, so half as
many until the next."""
_HALVES = bytes(count >> 1 for count in range(256))


class Sketch:
    """Estimates of up to 15 accesses for the hash of any key."""

    __slots__ = ("_blocks", "_halving", "_left", "_mask", "capacity")

    def __init__(self) -> None:
        self._blocks: list[bytearray | None] = [bytearray(_BLOCK)]
        self._mask = 0
        self.capacity = _ENTRIES_OF_BLOCK
        """Entries of a cache for which this is large enough."""
        self._left = PERIOD * _ENTRIES_OF_BLOCK  # accesses until halving begins or goes on
        self._halving = 0  # the next block to halve

    def touch(self, hash_: int) -> None:
        """Count an access."""
        index = hash_ >> _BLOCK_SHIFT & self._mask
        block = self._blocks[index] or self._split(index)
        place = hash_ & 255
        if block[place] < MOST:
            block[place] += 1
        place = hash_ >> 8 & 255 | 256
        if block[place] < MOST:
            block[place] += 1
        place = hash_ >> 16 & 255 | 512
        if block[place] < MOST:
            block[place] += 1
        place = hash_ >> 24 & 255 | 768
        if block[place] < MOST:
            block[place] += 1
        self._left -= 1
        if self._left < 0:
            self._halve()

    def estimate(self, hash_: int) -> int:
        """How many accesses have been counted, or more."""
        index = hash_ >> _BLOCK_SHIFT & self._mask
        block = self._blocks[index] or self._split(index)
        first = min(block[hash_ & 255], block[hash_ >> 8 & 255 | 256])
        return min(first, block[hash_ >> 16 & 255 | 512], block[hash_ >> 24 & 255 | 768])

    def grow(self) -> None:
        """Make room for twice as many entries."""
        self._blocks += [None] * len(self._blocks)
        self._mask = len(self._blocks) - 1
        self.capacity *= 2
        self._left += PERIOD * self.capacity // 2

    def _split(self, index: int) -> bytearray:
        """The block of an index, which has been part of another until now."""
        source, top = index, len(self._blocks)
        while (block := self._blocks[source]) is None:
            top >>= 1
            source &= top - 1
        copy = self._blocks[index] = bytearray(block)
        return copy

    def _halve(self) -> None:
        """Halve one more block."""
        index = self._halving
        block = self._blocks[index]
        if block is not None:
            self._blocks[index] = block.translate(_HALVES)
        self._halving = index + 1
        self._left = 0
        if self._halving == len(self._blocks):
            self._halving = 0
            self._left = PERIOD * self.capacity // 2

    def _check(self) -> None:
        """Assert that counters are in bounds."""
        assert len(self._blocks) == self._mask + 1 and self._blocks[0] is not None
        assert all(max(block) <= MOST for block in self._blocks if block is not None)
