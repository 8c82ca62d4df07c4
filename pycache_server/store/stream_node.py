"""A node of a stream: a hundred entries or so, packed.

Redis keeps a stream as a radix tree of listpacks. Where one listpack ends and the next begins can be seen from outside:
trimming with ``~`` removes whole ones, XINFO counts them. So a node knows to the byte how long its listpack would be.
What it holds is laid out for CPython: the texts of all entries one behind the other in one byte string, and arrays of
numbers for where each of them ends and for the ids, so that an entry with one field and a value of ten bytes takes
about 20 bytes, where objects would take 200.

The first entry's fields are the node's. An entry that has the same holds its values alone; one that has others holds
fields and values alternately, and ``marks`` tells for each entry where it begins and which kind it is.

Deleted entries stay in their place until the whole node goes, as in Redis: those at the front are counted, others are
marked. A node is open while it is the last of its stream; then it is sealed: cut to size, and never changed again but
for what is deleted, so that copies share its parts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, chain, compress, pairwise, repeat

from pycache_server.store.listpack import FRAME, bytes_of_all, element_bytes, integer_bytes
from pycache_server.store.memory import size_of
from pycache_server.store.stream_id import LARGEST_SEQ, SEQ_BITS

Record = tuple[bytes, tuple[bytes, ...]]
"""An id and the fields and values alternately, as clients get them."""
_FEW_TEXTS = 20
_NUMBERS_BYTES = 80
"""Bytes of a node's integers, about."""


class Node:
    """Entries whose ids follow each other, from ``start`` on."""

    __slots__ = (
        "alive",
        "body",
        "counted",
        "data",
        "ends",
        "fields",
        "frame",
        "front",
        "live",
        "marks",
        "ms",
        "seq",
        "start",
    )

    def __init__(self, start: int, fields: tuple[bytes, ...]) -> None:
        self.start = start
        self.fields = fields
        self.alive = 0
        """How many entries are not deleted."""
        self.front = 0
        """How many entries at the front are deleted. The next one, if any, is not."""
        self.live: bytearray | None = None
        """1 for each entry that is not deleted, 0 for the others; None while only those at the front are."""
        self.ms = array("H")
        """The first parts of the ids, from that of ``start`` on."""
        self.seq = array("H")
        """The second parts."""
        self.data: bytearray | bytes = bytearray()
        self.ends = array("H")
        """Where each text ends in ``data``."""
        self.counted = 0
        """What the stream's account holds for this node, in bytes."""
        self.marks: array[int] | None = None
        """For each entry the number of its first text, doubled, and 1 more where it has fields of its own; None while
        none has."""
        zero_at_the_end = integer_bytes(0)
        self.body = FRAME + integer_bytes(len(fields)) + sum(map(element_bytes, fields)) + zero_at_the_end
        """Bytes of the listpack without the two counts at its beginning."""
        self.frame = _frame_bytes(len(fields))
        """Bytes that an entry takes there besides its id and its values."""

    @classmethod
    def packed(
        cls,
        start: int,
        fields: tuple[bytes, ...],
        ms: list[int],
        seq: list[int],
        texts: list[bytes],
        marks: list[int] | None,
        live: bytearray,
        size: int,
    ) -> Node:
        """A sealed node of entries that are given as it keeps them, with 1 in ``live`` for each that is not deleted;
        ``size`` is how long its listpack is."""
        node = cls(start, fields)
        node.ms, node.seq = _extended(node.ms, ms), _extended(node.seq, seq)
        node.ends = _extended(node.ends, list(accumulate(map(len, texts))))
        node.data = b"".join(texts)
        node.alive = live.count(1)
        node.front = live.index(1) if node.alive else len(live)
        node.live = live if node.alive < len(live) - node.front else None
        node.marks = None if marks is None else array("I", marks)
        node.body = size - integer_bytes(node.alive) - integer_bytes(len(live) - node.alive)
        node._copy_arrays()
        return node

    def packed_entries(self) -> Iterator[tuple[int, int, bool, bool, list[bytes]]]:
        """All entries as the node keeps them: the first part of the id from that of ``start`` on, the second part,
        whether the entry is not deleted, whether it has fields of its own, and its texts."""
        step = 2 * len(self.fields)
        marks = range(0, step * len(self), step) if self.marks is None else self.marks
        texts = self._texts(0, len(self.ends))
        for index, (mark, following) in enumerate(pairwise([*marks, 2 * len(texts)])):
            live = index >= self.front and self._is_live(index)
            yield self.ms[index], self.seq[index], live, bool(mark & 1), texts[mark >> 1 : following >> 1]

    def __len__(self) -> int:
        return len(self.ms)

    def listpack_bytes(self) -> int:
        """How long Redis's listpack with these entries is."""
        return self.body + integer_bytes(self.alive) + integer_bytes(len(self.ms) - self.alive)

    # Adding

    def append(self, number: int, fields: tuple[bytes, ...], values: list[bytes]) -> None:
        """Add an entry; its id is ``number``, greater than all before."""
        texts = values if fields == self.fields and self.marks is None else self._prepare(fields, values)
        start, seq = self.start, number & LARGEST_SEQ
        ms, distance = 0, number - start
        if distance > seq:  # another ms
            ms, distance = (number >> SEQ_BITS) - (start >> SEQ_BITS), seq - (start & LARGEST_SEQ)
        size = 4 if ms < 128 and 0 <= distance < 128 else integer_bytes(ms) + integer_bytes(distance)
        try:
            self.ms.append(ms)
        except OverflowError:
            self.ms = _widened(self.ms, ms)
        try:
            self.seq.append(seq)
        except OverflowError:
            self.seq = _widened(self.seq, seq)
        data, ends = self.data, self.ends
        for text in texts:
            data += text
            length = len(text)
            size += length + 2 if length < 64 and text >= b":" else element_bytes(text)
            try:
                ends.append(len(data))
            except OverflowError:
                ends = self.ends = _widened(ends, len(data))
        self.body += self.frame + size
        self.alive += 1
        if self.live is not None:
            self.live.append(1)

    def extend(self, numbers: list[int], texts: list[bytes]) -> None:
        """Add entries at once, in a third of the time. They have the node's one field, as all before have."""
        first, count, start = numbers[0], len(numbers), self.start
        base, least = start >> SEQ_BITS, start & LARGEST_SEQ
        low = first & LARGEST_SEQ
        high = low + count - 1
        if numbers[-1] - first == count - 1 and high <= LARGEST_SEQ:  # one after the other, as in a busy ms
            ms, seq = [(first >> SEQ_BITS) - base] * count, list(range(low, high + 1))
        else:
            ms, seq = [(number >> SEQ_BITS) - base for number in numbers], [number & LARGEST_SEQ for number in numbers]
            low, high = min(seq), max(seq)
        if ms[-1] < 128 and least - 4096 <= low and high < least + 128:
            ids = 4 * count + (0 if low >= least else sum(map(least.__gt__, seq)))  # an integer below 0 takes 3 bytes
        else:
            ids = sum(map(integer_bytes, ms)) + sum([integer_bytes(each - least) for each in seq])
        lengths, end = list(map(len, texts)), len(self.data)
        length = lengths[0]
        if length and lengths.count(length) == count:
            ends = list(range(end + length, end + count * length + 1, length))
        else:
            ends = list(accumulate(lengths, initial=end))[1:]
        self.data += b"".join(texts)
        self.ms, self.seq, self.ends = _extended(self.ms, ms), _extended(self.seq, seq), _extended(self.ends, ends)
        self.body += count * self.frame + ids + bytes_of_all(texts, lengths)
        self.alive += count
        if self.live is not None:
            self.live += b"\1" * count

    def _prepare(self, fields: tuple[bytes, ...], values: list[bytes]) -> list[bytes]:
        """What is to be kept of an entry, in a node whose entries have different fields."""
        if fields == self.fields:
            self._mark(0)
            return values
        self._mark(1)
        self.body += _frame_bytes(1 + 2 * len(fields)) + integer_bytes(len(fields)) - self.frame
        return list(chain.from_iterable(zip(fields, values, strict=True)))

    def _mark(self, kind: int) -> None:
        """Note where the next entry begins; ``kind`` is 1 where it has fields of its own."""
        if self.marks is None:
            width = len(self.fields)
            self.marks = array("I", range(0, 2 * width * len(self.ms), 2 * width))
        self.marks.append(2 * len(self.ends) + kind)

    def seal(self) -> None:
        """Cut everything to size: another node has become the last one."""
        self.data = bytes(self.data)
        self._copy_arrays()

    def open(self) -> None:
        """Let entries be added again: the nodes behind this one are gone."""
        self.data = bytearray(self.data)
        self._copy_arrays()

    def _copy_arrays(self) -> None:
        self.ms, self.seq, self.ends = self.ms[:], self.seq[:], self.ends[:]
        if self.marks is not None:
            self.marks = self.marks[:]
        if self.live is not None:
            self.live = self.live[:]

    # Places

    def id_at(self, index: int) -> int:
        """The id of an entry."""
        return (self.start >> SEQ_BITS) + self.ms[index] << SEQ_BITS | self.seq[index]

    def place_of(self, number: int) -> int:
        """The index of the first entry whose id is at least ``number``, deleted or not."""
        ms = (number >> SEQ_BITS) - (self.start >> SEQ_BITS)
        if ms < 0:
            return 0
        low = bisect_left(self.ms, ms)
        return bisect_left(self.seq, number & LARGEST_SEQ, low, bisect_right(self.ms, ms, low))

    def find(self, number: int) -> int | None:
        """The index of the entry with an id, None where there is none or it is deleted."""
        index = self.place_of(number)
        if self.front <= index < len(self.ms) and self.id_at(index) == number and self._is_live(index):
            return index
        return None

    def _is_live(self, index: int) -> bool:
        return self.live is None or bool(self.live[index])

    def last_live_id(self) -> int:
        """The id of the last entry that is not deleted; there must be one."""
        return self.id_at(-1 if self.live is None else self.live.rindex(1))

    # Reading

    def entries(self, low: int, high: int, count: int, backwards: bool) -> list[Record]:
        """The entries of which the index is below ``high`` and not below ``low``, and which are not deleted: the first
        ``count`` of them, or the last, in reverse order."""
        low, high = self._narrow(max(low, self.front), high, count, backwards)
        if self.live is None and self.marks is None and (high - low) * len(self.fields) <= _FEW_TEXTS:
            return self._few(low, high, backwards)
        base = self.start >> SEQ_BITS
        ids = [b"%d-%d" % (base + ms, seq) for ms, seq in zip(self.ms[low:high], self.seq[low:high], strict=True)]
        rows = self._rows(low, high) if self.marks is None else self._mixed_rows(low, high)
        pairs = zip(ids, rows, strict=False)
        found = list(pairs if self.live is None else compress(pairs, self.live[low:high]))
        if backwards:
            found.reverse()
        return found

    def _few(self, low: int, high: int, backwards: bool) -> list[Record]:
        """A few entries, all live and with the node's fields, one by one: that begins sooner than working with all of
        them at once, which takes less time for each."""
        base, ms, seq, ends, fields = self.start >> SEQ_BITS, self.ms, self.seq, self.ends, self.fields
        data = bytes(self.data)
        place = low * len(fields)
        begin = ends[place - 1] if place else 0
        found: list[Record] = []
        for index in range(low, high):
            texts: list[bytes] = []
            for field in fields:
                end = ends[place]
                texts += (field, data[begin:end])
                begin = end
                place += 1
            found.append((b"%d-%d" % (base + ms[index], seq[index]), tuple(texts)))
        if backwards:
            found.reverse()
        return found

    def ids(self, low: int, high: int) -> list[int]:
        """The ids of the entries of which the index is below ``high`` and not below ``low``, and not deleted."""
        base = self.start >> SEQ_BITS
        ids = [base + ms << SEQ_BITS | seq for ms, seq in zip(self.ms[low:high], self.seq[low:high], strict=True)]
        return ids if self.live is None else list(compress(ids, self.live[low:high]))

    def take(self, low: int, count: int) -> tuple[list[int], list[Record]]:
        """The first ``count`` entries from an index on that are not deleted, or all: their ids, and themselves."""
        low, high = self._narrow(max(low, self.front), len(self.ms), count, backwards=False)
        return self.ids(low, high), self.entries(low, high, high - low, backwards=False)

    def _narrow(self, low: int, high: int, count: int, backwards: bool) -> tuple[int, int]:
        """The shortest part of a range that holds ``count`` entries from its beginning, or from its end."""
        if backwards:
            start = max(low, high - count)
            while self.live is not None and start > low and (missing := count - self.live.count(1, start, high)):
                start = max(low, start - missing)
            return start, high
        stop = min(high, low + count)
        while self.live is not None and stop < high and (missing := count - self.live.count(1, low, stop)):
            stop = min(high, stop + missing)
        return low, stop

    def _rows(self, low: int, high: int) -> Iterator[tuple[bytes, ...]]:
        """Fields and values of entries that all have the node's fields."""
        fields, width = self.fields, len(self.fields)
        values = self._texts(low * width, high * width)
        if width == 1:
            return zip(repeat(fields[0]), values)
        columns = chain.from_iterable((repeat(field), values[index::width]) for index, field in enumerate(fields))
        return zip(*columns, strict=False)

    def _mixed_rows(self, low: int, high: int) -> Iterator[tuple[bytes, ...]]:
        assert self.marks is not None
        marks = [*self.marks[low : high + 1], 2 * len(self.ends)]
        for mark, following in pairwise(marks[: high - low + 1]):
            texts = self._texts(mark >> 1, following >> 1)
            yield tuple(texts) if mark & 1 else tuple(chain.from_iterable(zip(self.fields, texts, strict=True)))

    def _texts(self, first: int, last: int) -> list[bytes]:
        data = bytes(self.data)
        ends = self.ends[first - 1 : last] if first else [0, *self.ends[:last]]
        return [data[start:end] for start, end in pairwise(ends)]

    # Deleting

    def delete(self, index: int) -> None:
        """Delete an entry that is not deleted."""
        self.alive -= 1
        if self.live is not None:
            self.live[index] = 0
        elif index > self.front:
            self.live = bytearray(b"\1") * len(self.ms)
            self.live[: self.front] = bytes(self.front)
            self.live[index] = 0
        if index == self.front:
            self._advance(index + 1)

    def delete_first(self, count: int) -> None:
        """Delete the first ``count`` entries; there are more of them."""
        self.delete_below(self._narrow(self.front, len(self.ms), count, backwards=False)[1])

    def delete_below(self, index: int) -> int:
        """Delete the entries before ``index``. Returns how many that were."""
        if index <= self.front:
            return 0
        deleted = index - self.front if self.live is None else self.live.count(1, self.front, index)
        self.alive -= deleted
        self._advance(index)
        return deleted

    def _advance(self, index: int) -> None:
        """Everything before ``index`` is deleted, and perhaps more."""
        live = self.live
        if live is not None:
            live[self.front : index] = bytes(index - self.front)
            index = len(live) if not self.alive else live.index(1, index)
        self.front = index

    # The rest of what a part of a value does

    def memory(self) -> int:
        """Bytes that the node holds, but for its fields, which nodes share."""
        arrays = size_of(self.ms) + size_of(self.seq) + size_of(self.ends)
        if self.live is not None:
            arrays += size_of(self.live)
        if self.marks is not None:
            arrays += size_of(self.marks)
        return size_of(self) + _NUMBERS_BYTES + size_of(self.data) + arrays

    def copy(self) -> Node:
        """A node of the same entries, open where this one is."""
        twin = Node.__new__(Node)
        for name in Node.__slots__:
            setattr(twin, name, getattr(self, name))
        if self.live is not None:
            twin.live = self.live[:]
        if type(self.data) is bytearray:
            twin.open()
        return twin

    def _check(self) -> None:
        """Assert that everything fits together."""
        count = len(self.ms)
        assert count == len(self.seq)
        ids = [self.id_at(index) for index in range(count)]
        assert ids == sorted(set(ids))
        assert not ids or ids[0] == self.start
        assert 0 <= self.front <= count
        assert self.alive == (count - self.front if self.live is None else sum(self.live[self.front :]))
        if self.live is not None:
            assert len(self.live) == count
            assert not any(self.live[: self.front])
        assert self.front == count or self._is_live(self.front)
        if self.marks is None:
            assert len(self.ends) == count * len(self.fields)
        else:
            assert len(self.marks) == count
        assert list(self.ends) == sorted(self.ends)
        assert not self.ends or self.ends[-1] == len(self.data)


def _frame_bytes(texts: int) -> int:
    """Bytes of an entry's flags, and of the number of elements at its end."""
    return integer_bytes(0) + integer_bytes(3 + texts)


def _extended(numbers: array[int], more: list[int]) -> array[int]:
    """An array with more numbers at its end: the same one, or another where they are too great for it."""
    try:
        numbers.fromlist(more)
    except OverflowError:
        numbers = array("I" if max(more) < 2**32 else "Q", numbers)
        numbers.fromlist(more)
    return numbers


def _widened(numbers: array[int], number: int) -> array[int]:
    """An array with room for greater numbers, and one of them at its end."""
    wide = array("I" if number < 2**32 else "Q", numbers)
    wide.append(number)
    return wide
