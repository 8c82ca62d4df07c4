"""The table of a database: SLOTS dicts, chosen by the low bits of the key's hash, made when they are first looked at.

Making them takes half a millisecond and half a megabyte, and most databases are never used. A database that is empty
has an Unmade in their place, which puts the table there when it is asked for a bucket. Nobody tests for it: it is a
list to whoever looks into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from pycache_server.store.scan import SLOTS

if TYPE_CHECKING:
    from pycache_server.store.database import Database

Bucket = dict[bytes, Any]
_NO_KEY: Any = None


@final
class Unmade(list[Bucket]):
    """The table of ``owner``, which is empty and has not been made."""

    __slots__ = ("owner",)

    def __init__(self, owner: Database) -> None:
        self.owner = owner

    def __getitem__(self, index: Any) -> Any:
        owner = self.owner
        if owner.buckets is self:
            owner.buckets = [{} for _ in range(SLOTS)]
            owner.keyspace.on_table(owner.buckets)
        return owner.buckets[index]

    def __iter__(self) -> Iterator[Bucket]:
        return iter(())

    def __len__(self) -> int:
        return SLOTS


def make_known(buckets: list[Bucket]) -> None:
    """Tell the garbage collector of buckets.

    CPython does so by itself when the first object comes in that the collector must know, not when the dict is made,
    and forgets it again in a full collection that finds no such object. A bucket of many strings would come to the
    collector as young when it gets its first hash, and be walked: 0.6 s for 10 million keys. One that is known while
    it is empty has been frozen long before (server/gc.py).
    """
    thing: list[None] = []
    for bucket in buckets:
        bucket[_NO_KEY] = thing
        del bucket[_NO_KEY]
        if not bucket:
            bucket.clear()  # and so give the room back
