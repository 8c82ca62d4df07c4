"""How many bytes a key holds, and how they are given back.

The measure is what CPython allocates: every object's size as ``sys.getsizeof`` gives it, rounded up to the 16 bytes of
its allocator, and the key's share of the buckets. Collections keep the account of their elements themselves (value.py),
so measuring one costs the same for any size.

Freeing a collection of a million elements, or a database, takes a large part of a second: what is discarded is taken
apart in slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import Any

from pycache_server.entry import Entry
from pycache_server.store.database import HEAVY
from pycache_server.store.hash import VolatileHash
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.strings import STRING_TYPES

BUCKET_SHARE = 38
"""Bytes of the keyspace's dicts for each key: 24 of the item, the rest for the share that is free."""


_LAST_BUCKETS = 64
_PIECE = 128
"""The last buckets of a database are emptied in pieces of so many keys. Neighbours in memory lie in buckets far apart,
so that nearly all of CPython's arenas become empty, and go back to the system for 40 us each, when the last keys go."""


def size_of(thing: Any) -> int:
    """Bytes of one object that holds no others."""
    return (getsizeof(thing) + 15) & ~15


def size_of_value(value: Any) -> int:
    """Bytes of a value."""
    return size_of(value) if type(value) in STRING_TYPES else int(value.memory())


def size_of_key(key: bytes, value: Any, entry: Entry | None) -> int:
    """Bytes that a key holds with its value, its entry where it has one, and its share of the buckets."""
    held = size_of(entry.expires) + size_of(entry) if entry is not None else 0
    return BUCKET_SHARE + size_of(key) + held + size_of_value(value)


def free_slice(keyspace: Keyspace, budget: int) -> bool:
    """Take apart about ``budget`` elements of what has been discarded. Whether there is more to do."""
    discarded = keyspace.discarded
    while discarded and budget > 0:
        thing = discarded[-1]
        if type(thing) is list:
            budget -= _free_buckets(keyspace, thing, budget)
            if not thing:
                discarded.pop()
                keyspace.freed += 1
        else:
            budget -= thing.free(budget)
            if not len(thing):
                discarded.pop()
                keyspace.freed += 1
    return bool(discarded)


def _free_buckets(keyspace: Keyspace, buckets: list[dict[bytes, Any]], budget: int) -> int:
    """Drop whole buckets from the end of the list, but for what is big in them, which waits for its own turn. Returns
    the number of elements."""
    done = 0
    while buckets and done < budget:
        if len(buckets) <= _LAST_BUCKETS and len(buckets[-1]) > _PIECE:
            _release(keyspace, [buckets[-1].popitem()[1] for _ in range(_PIECE)])
            return budget
        bucket = buckets.pop()
        done += len(bucket) + 1
        _release(keyspace, bucket.values())
    return done


def _release(keyspace: Keyspace, values: Iterable[Any]) -> None:
    """Prepare values for their end."""
    for value in values:
        if type(value) is not bytes:
            value = _unlinked(value)
            if type(value) not in STRING_TYPES and len(value) > HEAVY:
                keyspace.discarded.insert(0, value)


def _unlinked(value: Any) -> Any:
    """The value of an entry, or a bare one. Entries of a dropped database hang in rings of dropped wheels: breaks the
    cycles."""
    if isinstance(value, Entry):
        value.prev = value.next = None
        value = value.value
    if type(value) is VolatileHash:
        value.times.prev = value.times.next = None
    return value
