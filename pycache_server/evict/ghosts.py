"""Keys that were given up lately, by their hashes: who comes back was given up too early.

A ghost is eight bytes in the order in which they came, and twelve in one of 4096 shards, chosen by the hash: a
fingerprint, the ghost's number and a note. A shard is an array of bytes that is searched by ``find``, at a few bytes a
nanosecond. A dict of ints would take five times the memory and stop the world when it grows. Two keys with the same 44
bits of hash pass for one; with a million ghosts that happens to one key in 17 million.

A ghost that comes back leaves its number behind in the order, to be skipped. So that these cannot pile up, there are
never more than four times as many numbers as there may be ghosts.
"""

from __future__ import annotations

from array import array
from collections import deque
from struct import Struct

_SHARD_BITS = 12
_SHARD_MASK = (1 << _SHARD_BITS) - 1
_MASK = 0xFFFFFFFF
_RECORD = Struct("<III")
_WIDTH = _RECORD.size
_PART = 1024
"""Numbers of one part of the order."""
_FREED = 8
"""A part takes as long to free as so many elements of a collection."""
_NUMBERS = 4
"""Most numbers of the order for each ghost that there may be."""
_MOST_DROPS = 32
"""How many numbers one call may pass: a limit that has fallen is reached in small steps."""


class Ghosts:
    """Hashes in the order in which they were added, each with a note of 32 bits."""

    __slots__ = ("_first", "_next", "_order", "_shards", "size")

    def __init__(self) -> None:
        self.size = 0
        self._shards: dict[int, bytearray] = {}
        self._order: deque[array[int]] = deque()
        self._first = 0  # number of the oldest of the order; a multiple of _PART below is where its part begins
        self._next = 0

    def __len__(self) -> int:
        return self.size

    def add(self, hash_: int, limit: int, note: int = 0) -> None:
        """Add a hash that is not in; the oldest go where there are more than ``limit``."""
        number = self._next
        if not number % _PART:
            self._order.append(array("q"))
        self._order[-1].append(hash_)
        self._next = number + 1
        self.size += 1
        record = _RECORD.pack(hash_ >> _SHARD_BITS & _MASK, number & _MASK, note)
        shard = self._shards.get(hash_ & _SHARD_MASK)
        if shard is None:
            self._shards[hash_ & _SHARD_MASK] = bytearray(record)
        else:
            shard += record
        for _ in range(_MOST_DROPS):
            if self.size <= limit and self._next - self._first <= _NUMBERS * limit:
                break
            self._pass_oldest()

    def take(self, hash_: int) -> tuple[int, int] | None:
        """Take a hash out. Returns its note, and how many have been added since; None where it was not in."""
        shard = self._shards.get(hash_ & _SHARD_MASK)
        if shard is None:
            return None
        place = _find(shard, hash_)
        if place < 0:
            return None
        _, number, note = _RECORD.unpack_from(shard, place)
        self._remove(shard, place, hash_)
        return note, (self._next - 1 - number) & _MASK

    def drop_oldest(self) -> None:
        """Forget the one that has been in for the longest time, or go on to it. There must be one."""
        size = self.size
        for _ in range(_MOST_DROPS):
            if self.size == size:
                self._pass_oldest()

    def free(self, budget: int) -> int:
        """Take parts of the order and shards apart, each of which counts for _FREED of the budget; nobody uses the
        ghosts any more. Returns what was used of the budget."""
        order, shards = self._order, self._shards
        done = 0
        while done < budget and (order or shards):
            if order:
                order.pop()
            else:
                self.size -= len(shards.popitem()[1]) // _WIDTH
            done += _FREED
        return done

    def _pass_oldest(self) -> None:
        """Go on by one number in the order, and forget its ghost if it is still there."""
        number = self._first
        hash_ = self._order[0][number % _PART]
        shard = self._shards.get(hash_ & _SHARD_MASK)
        place = _find(shard, hash_) if shard is not None else -1
        if place >= 0:
            assert shard is not None
            if _RECORD.unpack_from(shard, place)[1] == number & _MASK:
                self._remove(shard, place, hash_)
        self._first = number + 1
        if not self._first % _PART:
            self._order.popleft()

    def _remove(self, shard: bytearray, place: int, hash_: int) -> None:
        del shard[place : place + _WIDTH]
        if not shard:
            del self._shards[hash_ & _SHARD_MASK]
        self.size -= 1

    def _check(self) -> None:
        """Assert that what is in the shards is in the order."""
        assert self.size == sum(map(len, self._shards.values())) // _WIDTH
        known = {}
        for number in range(self._first, self._next):
            part = number // _PART - self._first // _PART
            known[number & _MASK] = self._order[part][number % _PART]
        for index, shard in self._shards.items():
            for fingerprint, number, _ in _RECORD.iter_unpack(shard):
                hash_ = known[number]
                assert hash_ & _SHARD_MASK == index and hash_ >> _SHARD_BITS & _MASK == fingerprint


def _find(shard: bytearray, hash_: int) -> int:
    """Where the record of a hash begins in its shard, or -1."""
    fingerprint = (hash_ >> _SHARD_BITS & _MASK).to_bytes(4, "little")
    place = shard.find(fingerprint)
    while place > 0 and place % _WIDTH:
        place = shard.find(fingerprint, place + 1)
    return place
