"""What the keys take, found out by looking at all of them: for a keyspace that keeps no account.

A plain Database counts nothing but its keys, so that a write costs no more than it must. A census measures bucket by
bucket, 0.2 us a key, in slices, and only when somebody wants to know; it is exact as long as nothing changes, which the
counters of the databases tell.
"""

from __future__ import annotations

from pycache_server.entry import Entry
from pycache_server.store.database import Bucket
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.memory import size_of_key
from pycache_server.store.scan import SLOTS


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
        self._state: object = None  # the counters at the beginning of the last complete count
        self._present: object = None  # and of the one that is going on
        self._place: int | None = None
        self._found = (0, 0)

    @property
    def fresh(self) -> bool:
        """Whether nothing has changed since the last complete count."""
        return self.taken and self._state == self._counters()

    @property
    def running(self) -> bool:
        """Whether a count is going on."""
        return self._place is not None

    def begin(self) -> None:
        """Begin a count, unless one is going on."""
        if self._place is None:
            self._place, self._found, self._present = 0, (0, 0), self._counters()

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
            self._found = (self._found[0] + _measure(bucket), self._found[1] + len(bucket))
            budget -= len(bucket) + 1
            place += 1
        self._place = place
        return True

    def _finish(self) -> None:
        self.bytes, self.keys = self._found
        self._state, self._place, self.taken = self._present, None, True

    def _counters(self) -> object:
        return [(each.dirty, each.size, each.expired_fields) for each in self._keyspace.databases]


def _measure(bucket: Bucket) -> int:
    total = 0
    for key, stored in bucket.items():
        if isinstance(stored, Entry):
            total += size_of_key(key, stored.value, stored)
        else:
            total += size_of_key(key, stored, None)
    return total
