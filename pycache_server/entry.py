"""What the keyspace holds for a key that has more than a value.

A key without a time to live, in a keyspace without an eviction engine, is stored as the bare value: an entry for each
would cost 64 bytes a key and a cache miss a read. An entry appears when there is something to remember: an expiry
time, or what an engine wants to know of the key. Everything is kept inside the entry, because a second look-up by key
costs more than all the rest of a read.

An eviction engine that needs room of its own brings a subclass of SizedEntry with more slots (``Engine.entry_type``).
Most keys never expire, and 24 bytes less for each is much: an entry has room for a time to live and for the links of
the time wheel only where the key expires. ``timed`` derives the class that has, from any that has not; when a key gets
its first time to live another entry takes the place of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

NEVER = 1 << 63
"""The expiry time, in ms, of an entry that does not expire. Greater than any that a client can set, so that
``entry.expires <= now`` needs no second test."""


class Entry:
    """A value with its metadata.

    ``expires`` is absolute, in ms since 1970, or NEVER. ``prev`` and ``next`` link the entry into a ring of the time
    wheel (store/expiry.py) and are None while it is in none; whoever drops an entry takes it out of its ring first,
    because a ring is a reference cycle and automatic garbage collection may be off. Where a class has no slots for
    these three, its entries never expire.
    """

    if not TYPE_CHECKING:  # mypy would not have ``expires`` set, which some have
        __slots__ = ()

    key: bytes
    value: Any
    expires: int = NEVER
    prev: Entry | None = None
    next: Entry | None = None
    may_expire = False
    """Whether there is room for a time to live."""


class TimedEntry(Entry):
    """An entry of a keyspace without an eviction engine, for a key that expires."""

    __slots__ = ("expires", "key", "next", "prev", "value")

    may_expire = True

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        self.key = key
        self.value = value
        self.expires = expires
        self.prev = None
        self.next = None


class _MarkedEntry(Entry):
    """What a read needs, at the beginning of an entry, so that one line of the processor's cache has it more often."""

    __slots__ = ("mark", "value")

    mark: Any


class SizedEntry(_MarkedEntry):
    """An entry that remembers what it has been counted for, as every entry of an eviction engine must.

    ``size`` is in bytes, key and value and all that holds them together. There is no room for ``expires``: see
    ``timed``. ``mark`` belongs to the engine, which may let the database write it (evict/base.py, Marker); it is not
    set before.
    """

    __slots__ = ("key", "size")

    size: int

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        self.key = key
        self.value = value
        self.size = 0


E = TypeVar("E", bound=SizedEntry)


_timed: dict[type[SizedEntry], type[SizedEntry]] = {}


def timed(entry_type: type[E]) -> type[E]:
    """The class of those entries of a kind that may expire, made by ``key, value, expires``."""
    found = _timed.get(entry_type)
    if found is None:
        found = _timed[entry_type] = _derive(entry_type)
    return cast(type[E], found)


def _derive(entry_type: type[SizedEntry]) -> type[SizedEntry]:
    def begin(self: Any, key: bytes, value: Any, expires: int = NEVER) -> None:
        entry_type.__init__(self, key, value, expires)
        self.expires = expires
        self.prev = None
        self.next = None

    members = {
        "__slots__": ("expires", "next", "prev"),
        "__init__": begin,
        "__module__": entry_type.__module__,
        "may_expire": True,
    }
    return type("Timed" + entry_type.__name__, (entry_type,), members)


def make_entry(entry_type: type[E], key: bytes, value: Any, expires: int = NEVER) -> E:
    """An entry of a kind, with room for a time to live where it has one."""
    return (entry_type if expires == NEVER else timed(entry_type))(key, value, expires)
