"""The keys that take most memory, found by looking at all of them, in slices.

It walks through the buckets, as a census does (census.py), and keeps the biggest that it has met. Sizes are those of
the account (memory.py), O(1) a key whatever it holds. Keys that come, go or change meanwhile are seen as they are when
their bucket is looked at.
"""

from __future__ import annotations

from heapq import heappush, heapreplace
from typing import Any, NamedTuple

from pycache_server.entry import Entry
from pycache_server.store.buckets import Bucket
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.memory import size_of_key
from pycache_server.store.scan import SLOTS
from pycache_server.store.strings import STRING_TYPES

_KEY = 4
"""The effort of looking at a key; that of going on to the next bucket is 1."""


class Big(NamedTuple):
    """A key, how many bytes it takes, and what it holds: the name of a type and a number of elements, or of bytes of a
    string."""

    size: int
    database: int
    key: bytes
    kind: bytes
    elements: int


class Biggest:
    """A search for the ``count`` biggest keys of all databases, of one kind or of all."""

    def __init__(self, keyspace: Keyspace, count: int, kind: bytes | None = None) -> None:
        self._keyspace = keyspace
        self._count = count
        self._kind = kind
        self._place = 0
        self._found: list[Big] = []  # a heap, the smallest first
        self.seen = 0
        """How many keys have been looked at."""

    def step(self, budget: int) -> bool:
        """Look at the next keys; ``budget`` is the effort, 4 for each. Whether there are more."""
        databases = self._keyspace.databases
        now = self._keyspace.clock.now()
        while budget > 0:
            index, slot = divmod(self._place, SLOTS)
            if index == len(databases):
                return False
            database = databases[index]
            if not database.size:
                self._place = (index + 1) * SLOTS
                continue
            bucket = database.buckets[slot]
            self._look(index, bucket, now)
            budget -= _KEY * len(bucket) + 1
            self._place += 1
        return True

    def result(self) -> list[Big]:
        """The biggest so far, in order."""
        return sorted(self._found, reverse=True)

    def _look(self, index: int, bucket: Bucket, now: int) -> None:
        found, count, wanted = self._found, self._count, self._kind
        for key, stored in bucket.items():
            entry = stored if isinstance(stored, Entry) else None
            if entry is not None and entry.expires <= now:
                continue
            value = stored if entry is None else entry.value
            size = size_of_key(key, value, entry)
            self.seen += 1
            if (len(found) == count and size < found[0].size) or (wanted is not None and _kind_of(value) != wanted):
                continue
            big = Big(size, index, key, _kind_of(value), _elements_of(value))
            if len(found) < count:
                heappush(found, big)
            elif big > found[0]:
                heapreplace(found, big)


def _kind_of(value: Any) -> bytes:
    if type(value) in STRING_TYPES:
        return b"string"
    kind: bytes = value.type_name
    return kind


def _elements_of(value: Any) -> int:
    return len(b"%d" % value) if type(value) is int else len(value)
