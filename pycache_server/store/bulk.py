"""Writes of many keys at once, as MSET makes them: the common case in one loop, without a call for each key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycache_server.store.database import Database
from pycache_server.store.events import Event
from pycache_server.store.scan import SLOT_MASK


def put_all(database: Database, keys: Sequence[bytes], values: Sequence[Any], event: Event) -> None:
    """``Database.put`` each of some keys, in half of the time where nobody has to be told of them."""
    if type(database) is not Database:
        for key, value in zip(keys, values, strict=True):
            database.put(key, value, event)
        return
    buckets = database.buckets
    for key, value in zip(keys, values, strict=True):
        bucket = buckets[hash(key) & SLOT_MASK]
        old = bucket.get(key)
        bucket[key] = value
        if old is None:
            database.size += 1
        elif type(old) is not bytes:
            database.replaced(key, old)
    database.dirty += len(keys)
