"""What every kind of value but the string can do for those who know nothing of its kind.

A collection is one class with one file in this folder. Commands call its own methods; the keyspace, MEMORY, DEBUG
DIGEST, COPY and the freeing of memory in slices call what stands here, and so does whoever writes snapshots.

Three rules. *The account is kept, not made*: a collection adds and subtracts ``bytes_of`` each element as it comes and
goes, so ``memory`` costs the same for ten elements and ten million. *Nothing stops the world*: whatever grows without
bound is made of small parts (table.py, chunks), because growing or freeing a large dict or list takes a large part of
a second. *No clock, no chance*: the time comes as an argument, random numbers from ``Keyspace.choose``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

CONTAINER = 16
"""Bytes in front of an object that the garbage collector knows."""


class Value(Protocol):
    """A list, set, sorted set, hash or stream."""

    type_name: ClassVar[bytes]
    """What TYPE answers."""

    def __len__(self) -> int:
        """How many elements there are."""

    def encoding(self, limits: Encodings) -> bytes:
        """What OBJECT ENCODING answers: what Redis 7.4 would use after the same history under these limits."""

    def memory(self) -> int:
        """Bytes of everything that the value holds, its containers included, in a time that does not depend on how
        much that is."""

    def free(self, budget: int) -> int:
        """Drop about ``budget`` elements, at least one; returns how many. The value is of no other use any more, and
        may be dropped as a whole when its length is 0."""

    def copy(self) -> Value:
        """A value that shares nothing with this one that either could change."""

    def digest_parts(self) -> Iterable[Any]:
        """What DEBUG DIGEST mixes (server/digest.py): byte strings in order for a list or a stream, byte strings for
        a set, tuples of byte strings for a hash (with a third one for a field that expires) or a sorted set."""

    def _check(self) -> None:
        """Assert that the value's own structures are sound, and that ``memory`` counts what is there."""


def bytes_of(text: bytes) -> int:
    """Bytes of a byte string as CPython allocates it: 33 and its length, rounded up to 16."""
    return (len(text) + 48) & ~15
