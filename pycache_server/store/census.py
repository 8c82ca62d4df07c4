"""What the keys take, found out by looking at all of them: for a keyspace that keeps no account.

A plain Database counts nothing but its keys, so that a write costs no more than it must. A census measures bucket by
bucket, 0.2 us a key, in slices, and only when somebody wants to know; it is exact as long as nothing changes, which the
counters of the databases tell.
"""

from __future__ import annotations

import operator

from pycache_server.entry import Entry
from pycache_server.store.buckets import Bucket
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.memory import size_of_key
from pycache_server.store.scan import SLOTS

Tables = list[list[Bucket]]


class Census:
    """The last complete count of a keyspace, and the one that is going on."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.bytes = 0
        """What the keys took."""
        self.keys = 0
        """How many there were."""
        self.taken = False
        """Whether there has been a complete count."""
        self._counted: Tables = []  # what was counted then: FLUSHALL and SWAPDB put others in their places
        self._counting: Tables = []  # and what the count that is going on began with
        self._state: object = None  # the counters at the beginning of the last complete count
        self._present: object = None  # and of the one that is going on
        self._place: int | None = None
        self._found = (0, 0)

    @property
    def fresh(self) -> bool:
        """Whether nothing has changed since the last complete count."""
        return self.taken and self._state == self._counters()

    def likens(self, keys: int) -> bool:
        """Whether what a key took in the last count tells what one takes now that there are so many: nothing was
        flushed since, and the number is of the same size."""
        return self.keys <= 2 * keys <= 4 * self.keys and self._same(self._counted)

    def _buckets(self) -> Tables:
        return [each.buckets for each in self._keyspace.databases]

    def _same(self, tables: Tables) -> bool:
        """Whether the databases are still those."""
        return len(tables) > 0 and all(map(operator.is_, self._buckets(), tables))

    @property
    def running(self) -> bool:
        """Whether a count is going on."""
        return self._place is not None

    def begin(self) -> None:
        """Begin a count, unless one is going on of the same databases: a flush puts an end to it."""
        if self._place is None or not self._same(self._counting):
            self._place, self._found, self._present = 0, (0, 0), self._counters()
            self._counting = self._buckets()

    def step(self, budget: int) -> bool:
        """Count about ``budget`` keys. Whether there is more to do."""
        databases, place = self._keyspace.databases, self._place
        if place is None:
            return False
        while budget > 0:
            index, slot = divmod(place, SLOTS)
            if index == len(databases):
                self._finish()
                return False
            database = databases[index]
            if not database.size:
                place = (index + 1) * SLOTS
                continue
            bucket = database.buckets[slot]
            self._found = (self._found[0] + measure(bucket), self._found[1] + len(bucket))
            budget -= len(bucket) + 1
            place += 1
        self._place = place
        return True

    def _finish(self) -> None:
        self.bytes, self.keys = self._found
        self._state, self._place, self.taken = self._present, None, True
        self._counted = self._counting

    def _counters(self) -> object:
        return [(each.dirty, each.size, each.expired_fields) for each in self._keyspace.databases]


def measure(bucket: Bucket) -> int:
    """What the keys of a bucket take, in bytes."""
    total = 0
    for key, stored in bucket.items():
        if isinstance(stored, Entry):
            total += size_of_key(key, stored.value, stored)
        else:
            total += size_of_key(key, stored, None)
    return total
