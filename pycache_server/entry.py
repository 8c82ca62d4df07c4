"""What the keyspace holds for a key that has more than a value.

A key without a time to live, in a keyspace without an eviction engine, is stored as the bare value: an entry for each
would cost 80 bytes a key and a cache miss a read. An entry appears when there is something to remember: an expiry
time, or what an engine wants to know of the key. Everything is kept inside the entry, because a second look-up by key
costs more than all the rest of a read.

An eviction engine that needs room of its own brings a subclass with more slots (``Engine.entry_type``).
"""

from __future__ import annotations

from typing import Any

NEVER = 1 << 63
"""The expiry time, in ms, of an entry that does not expire. Greater than any that a client can set, so that
``entry.expires <= now`` needs no second test."""


class Entry:
    """A value with its metadata.

    ``expires`` is absolute, in ms since 1970, or NEVER. ``prev`` and ``next`` link the entry into a ring of the time
    wheel (store/expiry.py) and are None while it is in none; whoever drops an entry takes it out of its ring first,
    because a ring is a reference cycle and automatic garbage collection may be off.
    """

    __slots__ = ("expires", "key", "next", "prev", "value")

    value: Any
    expires: int
    key: bytes
    prev: Entry | None
    next: Entry | None

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        self.key = key
        self.value = value
        self.expires = expires
        self.prev = None
        self.next = None


class SizedEntry(Entry):
    """An entry that remembers what it has been counted for, as every entry of an eviction engine must.

    ``size`` is in bytes, key and value and all that holds them together.
    """

    __slots__ = ("size",)

    def __init__(self, key: bytes, value: Any, expires: int = NEVER) -> None:
        self.key = key  # and not super().__init__: a tenth of what a new key costs
        self.value = value
        self.expires = expires
        self.prev = None
        self.next = None
        self.size = 0
