"""Consumer groups of a stream: how far each has read, who its consumers are, and what is pending.

A group counts the entries that it has read, so that it can tell how many are ahead of it, its lag. It knows for sure as
long as no entry ahead has been deleted; afterwards the number can be had again at the ends of the stream only.

Consumers and groups are told in the order of their names. What Redis calls NACKs is in pending.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pycache_server.store.memory import size_of
from pycache_server.store.pending import Pending
from pycache_server.store.pending_chunk import LARGEST_TIME
from pycache_server.store.table import SMALL, Table, free_buckets, size_of_buckets
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.store.stream import Stream

UNKNOWN = -1
"""A number of entries that cannot be told; the time of what has never been."""
_NUMBERS = 96
"""Bytes of a consumer's times and count, or of a group's numbers."""

Names = dict[bytes, Any] | Table
"""Groups or consumers by their names."""


def put_name(names: Names, name: bytes, thing: Any) -> Names:
    """Put something under a new name. Returns what the names are in now."""
    names[name] = thing
    return Table(names) if type(names) is dict and len(names) > SMALL else names


class Consumer:
    """One who reads for a group. Times are in ms since 1970."""

    __slots__ = ("active_time", "name", "pending", "seen_time")

    def __init__(self, name: bytes, seen_time: int, active_time: int = UNKNOWN) -> None:
        self.name = name
        self.seen_time = seen_time
        """When it has asked for something."""
        self.active_time = active_time
        """When it has got something; UNKNOWN where it never has."""
        self.pending = 0
        """How many entries are pending with it."""

    def memory(self) -> int:
        """Bytes that it holds."""
        return size_of(self) + _NUMBERS + bytes_of(self.name)


class Group:
    """A group. ``last_id`` is the id of the last entry that was delivered, ``entries_read`` how many entries the stream
    had up to there, or UNKNOWN."""

    __slots__ = ("consumers", "counted", "entries_read", "held", "last_id", "pending")

    def __init__(self, last_id: int = 0, entries_read: int = UNKNOWN) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: Names = {}
        self.pending = Pending()
        self.held = 0
        """Bytes of the consumers."""
        self.counted = 0
        """What the stream's account holds for this group, in bytes."""

    def __len__(self) -> int:
        """Consumers, and entries that are pending: all that is to be freed."""
        return len(self.consumers) + self.pending.length

    # Consumers

    def consumer(self, name: bytes) -> Consumer | None:
        """The consumer of a name."""
        found: Consumer | None = self.consumers.get(name)
        return found

    def add_consumer(self, name: bytes, now: int, active_time: int = UNKNOWN) -> Consumer:
        """A new consumer, of a name that there is not."""
        consumer = Consumer(name, now, active_time)
        self.consumers = put_name(self.consumers, name, consumer)
        self.held += consumer.memory()
        return consumer

    def remove_consumer(self, consumer: Consumer) -> int:
        """Remove a consumer, and what is pending with it. Returns how many entries that was."""
        self.consumers.pop(consumer.name)
        self.held -= consumer.memory()
        return self.pending.remove_all(consumer) if consumer.pending else 0

    def in_order(self) -> list[Consumer]:
        """The consumers in the order of their names."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    # What is ahead

    def advance(self, stream: Stream, delivered: list[int]) -> None:
        """Entries of the stream have been delivered; some of them for the first time."""
        if delivered[-1] <= self.last_id:
            return
        known = max(stream.tombstone() + 1, stream.first_live_id())  # from here on no entry is missing
        if self.entries_read != UNKNOWN and known <= self.last_id < delivered[0]:  # nearly always
            self.entries_read += len(delivered)
        else:
            for number in delivered:
                if number <= self.last_id:
                    continue
                if self.entries_read != UNKNOWN and known <= self.last_id:
                    self.entries_read += 1
                elif stream.added:
                    self.entries_read = stream.entries_up_to(number)
                self.last_id = number
        self.last_id = delivered[-1]

    def lag(self, stream: Stream) -> int | None:
        """How many entries of the stream the group has not read, None where nobody knows."""
        if not stream.added or not stream.length:
            return 0
        first = stream.first_live_id()
        if self.last_id < first > stream.max_deleted_id:
            return stream.length
        if self.entries_read != UNKNOWN and stream.tombstone() < self.last_id:
            return stream.added - self.entries_read
        read = stream.entries_up_to(self.last_id)
        return None if read == UNKNOWN else stream.added - read

    # The whole

    def memory(self) -> int:
        """Bytes that it holds, in a time that does not depend on how much that is."""
        return size_of(self) + _NUMBERS + size_of_buckets(self.consumers) + self.held + self.pending.memory()

    def free(self, budget: int) -> int:
        """Drop about ``budget`` entries or consumers, at least one; returns how many, 0 where nothing is left. It is of
        no other use any more."""
        return self.pending.free(budget) or free_buckets(self.consumers, budget)

    def copy(self) -> Group:
        """A group that shares nothing with this one that either could change."""
        twin = Group(self.last_id, self.entries_read)
        twins: dict[Consumer, Consumer] = {}
        for consumer in self.in_order():
            other = twin.add_consumer(consumer.name, consumer.seen_time, consumer.active_time)
            other.pending = consumer.pending
            twins[consumer] = other
        twin.pending = self.pending.copy(twins)
        return twin

    def rebuild(
        self, consumers: Iterable[tuple[bytes, int, int]], pending: Iterable[tuple[int, bytes, int, int]]
    ) -> None:
        """Put into a new group its consumers (name, seen time, active time) and what is pending, in the order of ids
        (id, name of the consumer, time of the delivery, number of deliveries). Times that cannot be are cut.

        Raises KeyError where the consumer of an entry is not there.
        """
        for name, seen, active in consumers:
            self.add_consumer(name, seen, active)
        for number, name, time, count in pending:
            self.pending.add(number, self.consumers[name], min(max(time, 0), LARGEST_TIME), count)

    def _check(self) -> None:
        """Assert that counts are right."""
        self.pending._check()
        counts = dict.fromkeys(self.consumers, 0)
        for entry in self.pending.range():
            assert self.consumers[entry.consumer.name] is entry.consumer
            counts[entry.consumer.name] += 1
        assert counts == {consumer.name: consumer.pending for consumer in self.consumers.values()}
        assert self.held == sum(consumer.memory() for consumer in self.consumers.values())
