"""How many bytes a key holds, and how they are given back.

The measure is what CPython allocates: every object's size as ``sys.getsizeof`` gives it, rounded up to the 16 bytes of
its allocator, with the 16 bytes of the garbage collector where it has a part in it, and the key's share of the buckets.
Collections keep the account of their elements themselves (value.py), so measuring one costs the same for any size.

Freeing a collection of a million elements, or a database, takes a large part of a second: what is discarded is taken
apart in slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import Any

from pycache_server.entry import Entry
from pycache_server.store.hash import VolatileHash
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.strings import STRING_TYPES
from pycache_server.store.value import CONTAINER

BUCKET_SHARE = 38
"""Bytes of the keyspace's dicts for each key: 24 of the item, the rest for the share that is free."""


def size_of(thing: Any) -> int:
    """Bytes of one object that holds no others."""
    return (getsizeof(thing) + 15) & ~15


def size_of_value(value: Any) -> int:
    """Bytes of a value."""
    return size_of(value) if type(value) in STRING_TYPES else int(value.memory())


def size_of_key(key: bytes, value: Any, entry: Entry | None) -> int:
    """Bytes that a key holds with its value, its entry where it has one, and its share of the buckets."""
    held = size_of(entry.expires) + size_of(entry) + CONTAINER if entry is not None else 0
    return BUCKET_SHARE + size_of(key) + held + size_of_value(value)


def free_slice(keyspace: Keyspace, budget: int) -> bool:
    """Take apart about ``budget`` elements of what has been discarded. Whether there is more to do."""
    discarded = keyspace.discarded
    while discarded and budget > 0:
        thing = discarded[-1]
        if type(thing) is list:
            budget -= _free_buckets(thing, budget)
            if not thing:
                discarded.pop()
                keyspace.freed += 1
        else:
            budget -= thing.free(budget)
            if not len(thing):
                discarded.pop()
                keyspace.freed += 1
    return bool(discarded)


def _free_buckets(buckets: list[dict[bytes, Any]], budget: int) -> int:
    """Drop whole buckets from the end of the list. Returns the number of elements."""
    done = 0
    while buckets and done < budget:
        bucket = buckets.pop()
        done += len(bucket) + 1
        _unlink(bucket.values())
    return done


def _unlink(values: Iterable[Any]) -> None:
    """Entries of a dropped database hang in rings of dropped wheels: break the cycles."""
    for value in values:
        if isinstance(value, Entry):
            value.prev = value.next = None
            value = value.value
        if type(value) is VolatileHash:
            value.times.prev = value.times.next = None
