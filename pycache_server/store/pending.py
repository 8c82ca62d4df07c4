"""Entries of a stream that have been delivered and not acknowledged, in the order of their ids.

A group may have a million of them, so they are packed: chunks of up to 255 entries, each with an array of ids, one of
times with counts, and one byte for the consumer, which is a place in the chunk's own list of consumers. That is about
20 bytes an entry, where a dict of objects would take 250. An entry is found by bisection over the chunks' first ids,
then within the chunk (pending_chunk.py), and what is behind it there moves up: less than a kilobyte.

Redis also keeps the entries of each consumer in a tree of its own. Here a consumer counts its entries, and whoever
wants to see them walks over the chunks that know it: a test for each of the others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from pycache_server.store.memory import size_of
from pycache_server.store.pending_chunk import FULL, TIME_BITS, Chunk, Delivery
from pycache_server.store.stream_id import LARGEST_ID, LARGEST_SEQ, SEQ_BITS

if TYPE_CHECKING:
    from pycache_server.store.groups import Consumer

_SPARSE = 64
"""A chunk of as few entries looks for a neighbour to be one with."""
_FEW = 8
"""The only chunk stays as it is while it has no more entries, even with none: the next ones go there."""


class Pending:
    """All entries of a group that are pending. ``length`` counts them."""

    __slots__ = ("_chunks", "_counted", "_last", "_starts", "length")

    def __init__(self) -> None:
        self.length = 0
        self._chunks: list[Chunk] = []
        self._starts: list[int] = []  # no entry of a chunk has a smaller id
        self._last = -1  # no entry has a greater id
        self._counted = 0

    def __len__(self) -> int:
        return self.length

    # Changing

    def add(self, number: int, consumer: Consumer, time: int, count: int = 1) -> None:
        """Let an entry be pending with a consumer, whether it is already, with whomever, or not."""
        stamp = count << TIME_BITS | time
        if number > self._last:
            self._append(number, consumer, stamp)
        elif not self._change(number, consumer, stamp):
            self._insert(number, consumer, stamp)

    def _append(self, number: int, consumer: Consumer, stamp: int) -> None:
        """Put in an entry behind all others: in the last chunk, if it fits there."""
        chunk, seq = self._chunks[-1] if self._chunks else None, number & LARGEST_SEQ
        if chunk is None or len(chunk.owners) == FULL or seq >> chunk.shift:
            self._add_chunk(number, consumer, stamp)
            return
        owner = chunk.numbers.get(consumer)
        if owner is None:
            owner = chunk.number_of(consumer)
        ids = chunk.ids
        try:
            ids.append(((number >> SEQ_BITS) - chunk.base << chunk.shift) | seq)
            chunk.times.append(stamp)
        except OverflowError:  # too far from the chunk's first, or too many deliveries
            del ids[len(chunk.owners) :]
            self._add_chunk(number, consumer, stamp)
            return
        chunk.owners.append(owner)
        self._last = number
        self.length += 1
        consumer.pending += 1

    def _add_chunk(self, number: int, consumer: Consumer, stamp: int, place: int | None = None) -> None:
        """Begin a chunk, the last one or at a place, with an entry."""
        if self._chunks and not self.length:  # the one that has become empty
            self._drop_chunk(0)
        if place is None:
            if self._chunks:
                self._chunks[-1].cut()
                self._recount(self._chunks[-1])
            place = len(self._chunks)
            self._last = number
        chunk = Chunk(number)
        chunk.insert(0, number, chunk.number_of(consumer), stamp)
        self._chunks.insert(place, chunk)
        self._starts.insert(place, number)
        self._recount(chunk)
        self.length += 1
        consumer.pending += 1

    def _change(self, number: int, consumer: Consumer, stamp: int) -> bool:
        """Change an entry. Whether it is there."""
        found = self._find(number)
        if found is None:
            return False
        chunk, index = found
        before = chunk.consumers[chunk.owners[index]]
        chunk.set_time(index, stamp)
        if before is not consumer:
            before.pending -= 1
            consumer.pending += 1
            known = consumer in chunk.numbers
            chunk.owners[index] = chunk.number_of(consumer)
            if not known:
                self._recount(chunk)
        if chunk.shift == SEQ_BITS:
            self._recount(chunk)
        return True

    def _insert(self, number: int, consumer: Consumer, stamp: int) -> None:
        """Put in an entry that is not the last one."""
        place = bisect_right(self._starts, number) - 1
        if place < 0:
            self._add_chunk(number, consumer, stamp, 0)
            return
        chunk = self._chunks[place]
        if len(chunk.owners) == FULL:
            self._divide(place)
            self._insert(number, consumer, stamp)
            return
        chunk.insert(chunk.place_of(number), number, chunk.number_of(consumer), stamp)
        self._recount(chunk)
        self.length += 1
        consumer.pending += 1

    def remove(self, number: int) -> bool:
        """Take out an entry. Whether it was there."""
        place = bisect_right(self._starts, number) - 1
        if place < 0:
            return False
        chunk, seq = self._chunks[place], number & LARGEST_SEQ
        ids, shift = chunk.ids, chunk.shift
        key = ((number >> SEQ_BITS) - chunk.base << shift) | seq
        index = bisect_left(ids, key)
        if index == len(ids) or ids[index] != key or seq >> shift:
            return False
        owners = chunk.owners
        chunk.consumers[owners[index]].pending -= 1
        del ids[index], chunk.times[index], owners[index]
        self.length -= 1
        count = len(owners)
        if shift == SEQ_BITS:
            self._recount(chunk)
        if not count & (count - 1) and (count > _FEW or len(self._chunks) > 1):
            self._has_shrunk(place)
        return True

    def remove_all(self, consumer: Consumer) -> int:
        """Take out a consumer's entries. Returns how many."""
        removed = consumer.pending
        for place in range(len(self._chunks) - 1, -1, -1):
            chunk = self._chunks[place]
            number = chunk.numbers.get(consumer)
            if number is None:
                continue
            chunk.keep([owner != number for owner in chunk.owners])
            chunk.forget_strangers()
            self._recount(chunk)
            if not chunk.owners and len(self._chunks) > 1:
                self._drop_chunk(place)
            elif sum(len(each.owners) for each in self._chunks[place : place + 2]) <= FULL - _SPARSE:
                self._unite(place)
        self.length -= removed
        consumer.pending = 0
        return removed

    # Chunks

    def _has_shrunk(self, place: int) -> None:
        """A chunk has lost entries, and now has 0, or a power of two."""
        chunk = self._chunks[place]
        count = len(chunk.owners)
        if not count:
            self._drop_chunk(place)
            return
        chunk.cut()
        if count <= _SPARSE and len(self._chunks) > 1:
            other = place - 1 if place else 1
            if count + len(self._chunks[other].owners) <= FULL - _SPARSE:
                self._unite(min(place, other))
                return
        self._recount(chunk)

    def _drop_chunk(self, place: int) -> None:
        self._counted -= self._chunks[place].counted
        del self._chunks[place], self._starts[place]

    def _divide(self, place: int) -> None:
        """Make two chunks of one."""
        entries = self._entries(place)
        self._drop_chunk(place)
        self._put_chunk(place, entries[FULL // 2 :])
        self._put_chunk(place, entries[: FULL // 2])

    def _unite(self, place: int) -> None:
        """Make one chunk of two neighbours, if there are two."""
        if place + 1 == len(self._chunks):
            return
        entries = self._entries(place) + self._entries(place + 1)
        self._drop_chunk(place + 1)
        self._drop_chunk(place)
        self._put_chunk(place, entries)

    def _entries(self, place: int) -> list[Delivery]:
        chunk = self._chunks[place]
        return list(map(chunk.delivery, range(len(chunk.owners))))

    def _put_chunk(self, place: int, entries: list[Delivery]) -> None:
        """Put a chunk of entries, which are counted already, at a place."""
        chunk = Chunk(entries[0].id)
        for index, (number, consumer, time, count) in enumerate(entries):
            chunk.insert(index, number, chunk.number_of(consumer), count << TIME_BITS | time)
        chunk.cut()
        self._chunks.insert(place, chunk)
        self._starts.insert(place, entries[0].id)
        self._recount(chunk)

    # Reading

    def get(self, number: int) -> Delivery | None:
        """An entry, None where it is not pending."""
        found = self._find(number)
        return None if found is None else found[0].delivery(found[1])

    def __contains__(self, number: int) -> bool:
        return self._find(number) is not None

    def _find(self, number: int) -> tuple[Chunk, int] | None:
        """The chunk of an entry and its index there, None where it is not pending."""
        place = bisect_right(self._starts, number) - 1
        if place < 0:
            return None
        chunk = self._chunks[place]
        index = chunk.place_of(number)
        return (chunk, index) if index < len(chunk.owners) and chunk.id_at(index) == number else None

    def first(self) -> int:
        """The smallest id; there must be one."""
        return next(chunk.id_at(0) for chunk in self._chunks if chunk.owners)

    def last(self) -> int:
        """The greatest id; there must be one."""
        return next(chunk.id_at(-1) for chunk in reversed(self._chunks) if chunk.owners)

    def range(self, start: int = 0, end: int = LARGEST_ID, consumer: Consumer | None = None) -> Iterator[Delivery]:
        """The entries with ids from ``start`` to ``end``, both included, or those of a consumer. What has come may be
        changed or removed on the way."""
        size = _FEW
        while start <= end:
            chunks, starts = self._chunks, self._starts
            place = max(bisect_right(starts, start) - 1, 0)
            while consumer is not None and place < len(chunks) and consumer not in chunks[place].numbers:
                place += 1
            if place >= len(chunks):
                return
            chunk = chunks[place]
            following = starts[place + 1] if place + 1 < len(chunks) else LARGEST_ID + 1
            low = chunk.place_of(start)
            indices = range(low, len(chunk.owners)) if consumer is None else chunk.those_of(consumer, low)
            piece = list(map(chunk.delivery, indices[:size]))
            start = piece[-1].id + 1 if len(piece) < len(indices) else following
            yield from takewhile(lambda entry: entry.id <= end, piece)
            size = min(2 * size, FULL)

    # The account

    def _recount(self, chunk: Chunk) -> None:
        size = chunk.memory()
        self._counted += size - chunk.counted
        chunk.counted = size

    def memory(self) -> int:
        """Bytes that it holds, but for the consumers."""
        if self._chunks:
            self._recount(self._chunks[-1])
        return size_of(self) + size_of(self._chunks) + size_of(self._starts) + self._counted

    def free(self, budget: int) -> int:
        """Drop about ``budget`` entries, at least one; returns how many. It is of no other use any more."""
        done = 0
        while self.length and done < budget:
            count = len(self._chunks.pop().owners)
            self.length -= count
            done += count
        return done

    def copy(self, twins: dict[Consumer, Consumer]) -> Pending:
        """The same entries, with other consumers in place of these. The counts of those are theirs already."""
        twin = Pending()
        twin.length, twin._last, twin._starts = self.length, self._last, self._starts[:]
        for chunk in self._chunks:
            other = Chunk(0)
            for name in ("base", "shift"):
                setattr(other, name, getattr(chunk, name))
            other.ids, other.times, other.owners = chunk.ids[:], chunk.times[:], chunk.owners[:]
            other.consumers = chunk.consumers
            other.forget_strangers()
            other.consumers = [twins[consumer] for consumer in other.consumers]
            other.numbers = {consumer: number for number, consumer in enumerate(other.consumers)}
            twin._chunks.append(other)
            twin._recount(other)
        return twin

    def _check(self) -> None:
        """Assert that everything is in order and counted."""
        entries = [entry for place in range(len(self._chunks)) for entry in self._entries(place)]
        assert all(one.id < other.id for one, other in pairwise(entries))
        assert self.length == len(entries)
        assert not entries or entries[-1].id <= self._last
        assert self._starts == sorted(set(self._starts)) and len(self._starts) == len(self._chunks)
        for start, following, chunk in zip(
            self._starts, [*self._starts[1:], LARGEST_ID + 1], self._chunks, strict=False
        ):
            ids = chunk.all_ids()
            assert len(ids) == len(chunk.times) == len(chunk.owners) <= FULL
            assert all(start <= number < following for number in ids)
            assert chunk.owners or len(self._chunks) == 1
            assert chunk.numbers == {consumer: number for number, consumer in enumerate(chunk.consumers)}
        self.memory()
        assert self._counted == sum(chunk.memory() for chunk in self._chunks)
