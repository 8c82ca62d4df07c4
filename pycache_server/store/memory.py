"""How many bytes a key holds, and how they are given back.

The measure is what CPython allocates: every object's size as ``sys.getsizeof`` gives it, rounded up to the 16 bytes of
its allocator, and the key's share of the buckets. Collections keep the account of their elements themselves (value.py),
so measuring one costs the same for any size. What CPython shares among all is not counted: strings of one byte,
integers up to 256.

Freeing a collection of a million elements, or a database, takes a large part of a second: what is discarded is taken
apart in slices.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from pycache_server.entry import NEVER, Entry, SizedEntry
from pycache_server.evict.base import Engine, Surroundings
from pycache_server.store.hash import VolatileHash
from pycache_server.store.strings import STRING_TYPES

if TYPE_CHECKING:
    from pycache_server.store.keyspace import Keyspace

BUCKET_SHARE = 38
"""Bytes of the keyspace's dicts for each key: 24 of the item, the rest for the share that is free."""
TIME = 32
"""Bytes of a time at which a key expires."""
HEAVY = 512
"""Values of more elements are freed in slices."""
_SHARED_INTS = range(-5, 257)


def size_of(thing: Any) -> int:
    """Bytes of one object that holds no others."""
    return (getsizeof(thing) + 15) & ~15


def size_of_value(value: Any) -> int:
    """Bytes of a value."""
    kind = type(value)
    if kind is bytes:
        size = len(value)
        return size + 48 & -16 if size > 1 else 0
    if kind is int and value in _SHARED_INTS:
        return 0
    return size_of(value) if kind in STRING_TYPES else int(value.memory())


def size_of_key(key: bytes, value: Any, entry: Entry | None) -> int:
    """Bytes that a key holds with its value, its entry where it has one, and its share of the buckets."""
    if isinstance(entry, SizedEntry):
        return entry.size
    held = size_of(entry) + TIME if entry is not None else 0
    return BUCKET_SHARE + size_of_value(key) + held + size_of_value(value)


def size_of_entry(entry: SizedEntry) -> int:
    """The same for an entry of an engine, measured anew."""
    time = TIME if entry.expires != NEVER else 0
    return overheads[type(entry)] + size_of_value(entry.key) + time + size_of_value(entry.value)


overheads: dict[type[SizedEntry], int] = {}
"""Bytes that an entry of an engine takes without key, time and value, its share of the buckets included."""


def measure_overhead(engine: type[Engine], surroundings: Surroundings) -> None:
    """Find out what entries of an engine take: the entry itself, and the numbers that an engine keeps in it."""
    if engine.entry_type in overheads:
        return
    probe = engine.entry_type(b"key", b"value")
    sample = engine(surroundings)
    probe.size = 1 << 20
    sample.admit(probe)
    slots = {name for kind in type(probe).__mro__ for name in getattr(kind, "__slots__", ())}
    numbers = [getattr(probe, name, None) for name in slots - {"expires"}]
    sample.discard(probe)
    held = sum(size_of(each) for each in numbers if type(each) in (int, float) and each not in _SHARED_INTS)
    overheads[engine.entry_type] = BUCKET_SHARE + size_of(probe) + held


# Giving back


def no_engine(entry: SizedEntry) -> None:
    """What an entry means to an engine that is not there: nothing."""


class Remains:
    """The buckets of a database that was emptied. ``forget`` tells its engine of each entry that goes: engines hang
    entries in rings, which are reference cycles."""

    __slots__ = ("_buckets", "_forget", "_keyspace")

    def __init__(
        self,
        keyspace: Keyspace,
        buckets: list[dict[bytes, Any]],
        forget: Callable[[SizedEntry], None] = no_engine,
    ) -> None:
        self._keyspace = keyspace
        self._buckets = buckets
        self._forget = forget

    def __len__(self) -> int:
        return len(self._buckets)

    def free(self, budget: int) -> int:
        """Drop whole buckets from the end of the list, but for what is big in them, which waits for its own turn.
        Returns the number of elements."""
        buckets, done = self._buckets, 0
        while buckets and done < budget:
            bucket = buckets.pop()
            done += len(bucket) + 1
            for value in bucket.values():
                if type(value) is not bytes:
                    self._let_go(value)
        return done

    def _let_go(self, value: Any) -> None:
        """Entries of a dropped database hang in rings of dropped wheels: breaks the cycles."""
        if isinstance(value, Entry):
            if isinstance(value, SizedEntry):
                self._forget(value)
            value.prev = value.next = None
            value = value.value
        if type(value) is VolatileHash:
            value.times.prev = value.times.next = None
        if type(value) not in STRING_TYPES and len(value) > HEAVY:
            self._keyspace.discarded.insert(0, value)


def free_slice(keyspace: Keyspace, budget: int) -> bool:
    """Take apart about ``budget`` elements of what has been discarded. Whether there is more to do."""
    discarded = keyspace.discarded
    while discarded and budget > 0:
        thing = discarded[-1]
        budget -= thing.free(budget)
        if not len(thing):
            discarded.pop()
            keyspace.freed += 1
    return bool(discarded)
