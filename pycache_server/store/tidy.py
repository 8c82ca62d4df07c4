"""Gives back the room that keys which have gone leave in buckets where others stay.

A dict does not shrink when keys are removed: after nine of ten keys have expired, the buckets are as big as before,
though upkeep clears those that have become empty. Nobody pays for that on the way. Cron looks at the number of keys now
and then; when it has fallen well below what it was, and falls no more, or to less than half, all buckets are looked at,
in slices of upkeep, and those that need little of their room are copied.
"""

from __future__ import annotations

from pycache_server.store.buckets import Bucket, Unmade
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.scan import SLOTS

MANY = 4096
"""Fewer keys that have gone are not worth a look at 4096 buckets."""
PART = 4
"""Nor is less than this part of the keys."""
_ROOM = 128
"""A bucket that takes as many bytes a key, and _SPARE, is copied: two or three times what a copy takes."""
_SPARE = 300


class Tidier:
    """Looks after the buckets of a keyspace."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._most = 0  # keys at the most since the last round
        self._last = 0
        self._place: int | None = None
        self.rounds = 0
        """How often all buckets have been looked at."""

    @property
    def running(self) -> bool:
        """Whether a round is going on."""
        return self._place is not None

    def look(self) -> bool:
        """Look at the number of keys. Whether a round begins, which is upkeep's work."""
        keys = sum(database.size for database in self._keyspace.databases)
        last, self._last = self._last, keys
        self._most = max(self._most, keys)
        gone = self._most - keys
        if self.running or self._keyspace.discarded or gone < max(MANY, self._most // PART):
            return False
        if keys < last and gone < self._most // 2:
            return False
        self._place, self._most = 0, keys
        return True

    def step(self, budget: int) -> bool:
        """Copy sparse buckets of about ``budget`` keys. Whether there is more to do."""
        place = self._place
        if place is None:
            return False
        databases = self._keyspace.databases
        while budget > 0:
            index, slot = divmod(place, SLOTS)
            if index == len(databases):
                self._place = None
                self.rounds += 1
                return False
            buckets = databases[index].buckets
            if type(buckets) is Unmade:
                place = (index + 1) * SLOTS
                continue
            budget -= self._tidy(buckets, slot)
            place += 1
        self._place = place
        return True

    def _tidy(self, buckets: list[Bucket], slot: int) -> int:
        """Copy a bucket if it is sparse. Returns the effort."""
        bucket = buckets[slot]
        if bucket.__sizeof__() <= _SPARE + _ROOM * len(bucket):
            return 1
        copy: Bucket = {}
        self._keyspace.on_table([copy])
        copy.update(bucket)
        buckets[slot] = copy
        return 16 + len(bucket)
