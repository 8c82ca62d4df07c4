"""A piece of what is pending in a consumer group: up to 255 entries, packed (see pending.py).

An id is kept as its distance in ms from the first one, shifted by 32 bits, and its second part. What does not fit makes
the chunk wide, and so does a count greater than 16 bits: then lists of integers take the places of the arrays, and ids
are whole.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from pycache_server.store.memory import size_of
from pycache_server.store.stream_id import LARGEST_SEQ, SEQ_BITS

if TYPE_CHECKING:
    from pycache_server.store.groups import Consumer

FULL = 255
"""Most entries of a chunk: a byte tells the consumer, and there must be one free for another."""
TIME_BITS = 48
"""Times in ms are kept with the number of deliveries above so many bits."""
_MOST_CONSUMERS = 256
_NARROW = 32
LARGEST_TIME = (1 << TIME_BITS) - 1
_START = 64
"""Bytes of a chunk's first id, and of the numbers of the chunk."""


class Delivery(NamedTuple):
    """An entry that is pending: with whom, since when (ms since 1970), and how often it has been delivered."""

    id: int
    consumer: Consumer
    time: int
    deliveries: int


class Chunk:
    """Entries whose ids follow each other. ``consumers`` and ``numbers`` may know some that have no entry here."""

    __slots__ = ("base", "consumers", "counted", "ids", "numbers", "owners", "shift", "times")

    def __init__(self, start: int) -> None:
        narrow = start & LARGEST_SEQ < 1 << _NARROW
        self.shift = _NARROW if narrow else SEQ_BITS
        self.base = start >> SEQ_BITS if narrow else 0
        self.ids: array[int] | list[int] = array("Q") if narrow else []
        self.times: array[int] | list[int] = array("Q") if narrow else []
        """The count, shifted, and the time."""
        self.owners = bytearray()
        self.consumers: list[Consumer] = []
        self.numbers: dict[Consumer, int] = {}
        """What stands for each of them in ``owners``: its place in ``consumers``."""
        self.counted = 0
        """What the account holds for this chunk, in bytes."""

    def place_of(self, number: int) -> int:
        """The index of the first entry with an id that is not less than ``number``."""
        seq = min(number & LARGEST_SEQ, (1 << self.shift) - 1)
        place = bisect_left(self.ids, ((number >> SEQ_BITS) - self.base << self.shift) | seq)
        return place + (seq != number & LARGEST_SEQ and place < len(self.ids) and self.id_at(place) < number)

    def id_at(self, index: int) -> int:
        """The id of an entry."""
        key = self.ids[index]
        shift = self.shift
        return (key >> shift) + self.base << SEQ_BITS | (key & (1 << shift) - 1)

    def all_ids(self) -> list[int]:
        """The ids of all entries."""
        base, shift, mask = self.base, self.shift, (1 << self.shift) - 1
        return [(key >> shift) + base << SEQ_BITS | (key & mask) for key in self.ids]

    def number_of(self, consumer: Consumer) -> int:
        """What stands for a consumer in ``owners``."""
        number = self.numbers.get(consumer)
        if number is None:
            if len(self.consumers) == _MOST_CONSUMERS:
                self.forget_strangers()
            number = self.numbers[consumer] = len(self.consumers)
            self.consumers.append(consumer)
        return number

    def forget_strangers(self) -> None:
        """Know the consumers that have an entry here, and no others; one place at least is free then."""
        known = sorted(set(self.owners))
        translation = bytearray(_MOST_CONSUMERS)
        for place, number in enumerate(known):
            translation[number] = place
        self.owners = self.owners.translate(translation)
        self.consumers = [self.consumers[number] for number in known]
        self.numbers = {consumer: place for place, consumer in enumerate(self.consumers)}

    def insert(self, index: int, number: int, owner: int, stamp: int) -> None:
        """Put in an entry before the one at ``index``."""
        seq = number & LARGEST_SEQ
        if seq >> self.shift:
            self._widen()
        try:
            self.ids.insert(index, ((number >> SEQ_BITS) - self.base << self.shift) | seq)
        except OverflowError:
            self._widen()
            self.ids.insert(index, number)
        try:
            self.times.insert(index, stamp)
        except OverflowError:
            self._widen()
            self.times.insert(index, stamp)
        self.owners.insert(index, owner)

    def _widen(self) -> None:
        self.ids, self.times, self.base, self.shift = self.all_ids(), list(self.times), 0, SEQ_BITS

    def set_time(self, index: int, stamp: int) -> None:
        """Set the count and the time of an entry."""
        try:
            self.times[index] = stamp
        except OverflowError:
            self._widen()
            self.times[index] = stamp

    def delivery(self, index: int) -> Delivery:
        """An entry."""
        stamp = self.times[index]
        return Delivery(self.id_at(index), self.consumers[self.owners[index]], stamp & LARGEST_TIME, stamp >> TIME_BITS)

    def those_of(self, consumer: Consumer, low: int) -> list[int]:
        """The indices of a consumer's entries, from one on."""
        number = self.numbers[consumer]
        return [index for index, owner in enumerate(self.owners[low:], low) if owner == number]

    def keep(self, wanted: list[bool]) -> None:
        """Drop the entries that are not wanted."""
        for name in ("ids", "times"):
            numbers = getattr(self, name)
            kept = compress(numbers, wanted)
            setattr(self, name, list(kept) if type(numbers) is list else array("Q", kept))
        self.owners = bytearray(compress(self.owners, wanted))

    def cut(self) -> None:
        """Give back what is allocated and not needed."""
        self.ids, self.times, self.owners = self.ids[:], self.times[:], self.owners[:]

    def memory(self) -> int:
        """Bytes of the chunk."""
        held = size_of(self) + _START + size_of(self.owners) + size_of(self.consumers) + size_of(self.numbers)
        for numbers, one in ((self.ids, 48), (self.times, 32)):
            held += size_of(numbers) + (one * len(numbers) if type(numbers) is list else 0)
        return held
