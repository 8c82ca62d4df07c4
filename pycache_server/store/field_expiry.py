"""Hashes whose fields expire, in their database.

A hash with fields that expire hangs in ``Database.fields``, a wheel of its own, by its FieldTimes, for the time of the
first field that does; what is due is removed in slices, many fields of one hash or fields of many hashes. The key's
entry has the time of the last field, if all expire. Both times are brought up to date by ``retime`` after every change,
so that nothing stale is left behind; strings, and hashes whose fields last, know nothing of all this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.entry import NEVER, Entry, TimedEntry
from pycache_server.store.events import FIELDS_EXPIRED
from pycache_server.store.field_times import FieldTimes
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.scan import SLOT_MASK

if TYPE_CHECKING:
    from pycache_server.store.database import Database

SOME = 64
"""How many due fields of a hash a command removes that meets them."""


def make_volatile(db: Database, key: bytes, value: Hash) -> VolatileHash:
    """Let fields of the hash at ``key`` have times to live from now on; ``retime`` must follow."""
    until = db.expires_at(key)
    assert until is not None
    volatile = value.become_volatile(db.clock)
    volatile.times.until = until
    return volatile


def retime(db: Database, key: bytes, value: VolatileHash) -> None:
    """Let a change of the fields of the hash at ``key``, or of their times, take effect on when they are removed, and
    when the key is."""
    times = value.times
    first, end = times.earliest(), min(times.until, value.end())
    if times.next is not None and times.expires != first:
        db.fields.remove(times)
    if first == NEVER:
        value.become_lasting()
    elif times.next is None:
        times.key, times.expires = key, first
        db.fields.add(times)
    bucket = db.buckets[hash(key) & SLOT_MASK]
    entry = bucket[key]
    if not isinstance(entry, Entry):
        if end != NEVER:
            bucket[key] = TimedEntry(key, value, end)
    elif entry.expires != end:
        if entry.next is not None:
            db.wheel.remove(entry)
            db.wheel.add(db.retime(entry, end))
        elif end != NEVER:
            db.retime(entry, end)
        else:
            db.forget_expiry(bucket, entry)


def leave(db: Database, value: VolatileHash) -> None:
    """Take the timer of a hash that is no longer in its database out of the wheel."""
    if value.times.next is not None:
        db.fields.remove(value.times)


def dead_hashes(db: Database) -> int:
    """How many hashes are still there without a field that has not expired, but for those that the keys' wheel has."""
    now = db.clock.now()
    entries = [db.stored_entry(times.key) for times in db.fields.late(now)]
    return sum(entry is not None and entry.next is None and entry.expires <= now for entry in entries)


def drop_some_due(db: Database, key: bytes, value: VolatileHash, limit: int = SOME) -> int:
    """Remove up to ``limit`` fields that have expired of the hash at ``key``, which has others. Returns how many."""
    dropped = value.drop_due(limit)
    retime(db, key, value)
    if dropped:
        db.expired_fields += len(dropped)
        db.has_lost_fields(key, dropped)
        db.touched(key, FIELDS_EXPIRED, 0)
    return len(dropped)


def drop_due_fields(db: Database, limit: int) -> bool:
    """Remove fields of any hash that have expired, about ``limit`` of them at most, and keys with their last field.
    Whether there is more to do."""
    now = db.clock.now()
    while limit > 0 and (times := db.fields.first_due(now, limit)) is not None:
        assert isinstance(times, FieldTimes)
        gone = db.expires_at(times.key) is None  # which removes a key that has no field left
        limit -= 1 if gone else drop_some_due(db, times.key, db.peek(times.key), limit)
    due = db.fields.next_due()
    return due is not None and due <= now
