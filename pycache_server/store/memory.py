"""How many bytes a key holds, and how they are given back.

The measure is what CPython allocates: every object's size as ``sys.getsizeof`` gives it, rounded up to the 16 bytes of
its allocator, and the key's share of the buckets. Collections keep the account of their elements themselves (value.py),
so measuring one costs the same for any size. What CPython shares among all is not counted: strings of one byte,
integers up to 256.

Freeing a collection of a million elements, or a database, takes a large part of a second: what is discarded is taken
apart in slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import getsizeof
from typing import TYPE_CHECKING, Any, NamedTuple

from pycache_server.entry import Entry, SizedEntry, timed
from pycache_server.evict.base import Engine, Surroundings, builtin_engines
from pycache_server.store.hash import VolatileHash
from pycache_server.store.strings import STRING_TYPES

if TYPE_CHECKING:
    from pycache_server.store.keyspace import Keyspace

BUCKET_SHARE = 38
"""Bytes of the keyspace's dicts for each key: 24 of the item, the rest for the share that is free."""
TIME = 32
"""Bytes of a time at which a key expires."""
SHARED_SIZES = 4096
"""Sizes below this, of which a server has few different ones, are integers that entries share: see ``sizes``."""
sizes: list[int] = []
"""These integers, while there are engines: 32 bytes for each entry otherwise."""
string_sizes: list[int] = []
"""What ``size_of_value`` answers for short strings, by their length, at the same time."""
_SHORT = 1024
HEAVY = 512
"""Values of more elements are freed in slices."""
_SHARED_INTS = range(-5, 257)


_LAST_BUCKETS = 64
_PIECE = 16
"""The last buckets of a database are emptied in pieces of so many keys. Neighbours in memory lie in buckets far apart,
so that nearly all of CPython's arenas become empty, and go back to the system for 40 to 100 us each, when the last keys
go."""


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


class Weight(NamedTuple):
    """Bytes of an engine's entry without key, time and value: what all have, with the share of the buckets, without
    room for a time to live and with it; and what the engine keeps of those that it knows: numbers in them, but for
    those that entries share, as marks are, and what it has aside."""

    plain: int
    timed: int
    numbers: int


_weights: dict[type[Engine], Weight] = {}
_PROBES = 300
"""So many entries are made to weigh one: numbers that count them are no longer among those that are shared."""


def weigh(engine: Engine) -> Weight:
    """Find out what entries of an engine weigh, with another engine of that kind."""
    kind = type(engine)
    if kind not in _weights:
        sample = kind(engine.surroundings)
        probes = [kind.entry_type(b"%d" % number, b"") for number in range(_PROBES)]
        for probe in probes:
            probe.size = 1 << 20
            sample.admit(probe)
        before, last = probes[-2:]
        slots = {name for each in type(last).__mro__ for name in getattr(each, "__slots__", ())}
        numbers = [
            number
            for name in slots - {"mark", "size"}
            if (number := getattr(last, name, None)) is not getattr(before, name, None)
        ]
        held = sum(size_of(each) for each in numbers if type(each) in (int, float) and each not in _SHARED_INTS)
        with_time = size_of(timed(kind.entry_type)(b"", None))
        _weights[kind] = Weight(BUCKET_SHARE + size_of(last), BUCKET_SHARE + with_time, held + kind.aside)
        for probe in probes:
            sample.discard(probe)
    return _weights[kind]


def weigh_all(surroundings: Surroundings) -> None:
    """Import the builtin engines and weigh them, 20 ms in all: before anybody waits, not when one is chosen."""
    for kind in builtin_engines():
        weigh(kind(surroundings))
    share_sizes()


def share_sizes() -> None:
    """Make the integers that entries share."""
    if not sizes:
        sizes.extend(range(SHARED_SIZES))
        string_sizes.extend([sizes[size_of_value(bytes(length))] for length in range(_SHORT)])


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
            if len(buckets) <= _LAST_BUCKETS and len(buckets[-1]) > _PIECE:
                self._let_go([buckets[-1].popitem()[1] for _ in range(_PIECE)])
                return budget
            bucket = buckets.pop()
            done += len(bucket) + 1
            self._let_go(bucket.values())
        return done

    def _let_go(self, values: Iterable[Any]) -> None:
        """Entries of a dropped database hang in rings of dropped wheels: breaks the cycles."""
        for value in values:
            if type(value) is not bytes:
                if isinstance(value, Entry):
                    if isinstance(value, SizedEntry):
                        self._forget(value)
                    if value.next is not None:
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
