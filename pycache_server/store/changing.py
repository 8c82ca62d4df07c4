"""Databases that get their first engine, change it, or lose the last one, in slices while commands are served.

A slice changes buckets over, in their order. On the way to the first engine every key that a command touches is adopted
before (AdoptingDatabase), on the way from the last one it is released before (LeavingDatabase), so that the operations
of EvictingDatabase and of Database find what they expect. From one engine to another every key has an entry all the
time, and who knows it is a question of its bucket (Handover); the account never stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from pycache_server.entry import NEVER, Entry, SizedEntry, TimedEntry
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates, Handover
from pycache_server.store.database import Database
from pycache_server.store.evicting import EvictingDatabase
from pycache_server.store.memory import SHARED_SIZES, size_of_value, sizes
from pycache_server.store.scan import SLOT_MASK, SLOTS

Operation = TypeVar("Operation", bound=Callable[..., Any])


def _prepared(operation: Operation) -> Operation:
    """An operation on one key, before which ``prepare`` is called for it."""

    def run(self: AdoptingDatabase | LeavingDatabase, key: bytes, *rest: Any) -> Any:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        stored = bucket.get(key)
        if stored is not None:
            self.prepare(bucket, key, stored)
        return operation(self, key, *rest)

    return cast(Operation, run)


class ChangingDatabase(EvictingDatabase):
    """What a change over is made of."""

    __slots__ = ()

    def change_over(self, budget: int) -> int:
        """Change the next keys over, ``budget`` of them, or all where there are no keys: those that come later come as
        they should. Returns how many there were, with one for each bucket."""
        done = 0
        if not self.size:
            self.changed_over = SLOTS
        while done < budget and self.changed_over < SLOTS:
            bucket = self.buckets[self.changed_over]
            waiting = [(key, stored) for key, stored in bucket.items() if self.is_left(stored)]
            for key, stored in waiting[: budget - done]:
                self.prepare(bucket, key, stored)
            if len(waiting) <= budget - done:
                self.changed_over += 1
            done += len(waiting) + 1
        return done

    def discard_remains(self, old: Candidates) -> None:
        """Free in slices what an engine leaves behind that knows no entry any more."""
        for part in old.remains():
            self.keyspace.discard(part)

    def is_left(self, stored: Any) -> bool:
        """Whether what is stored for a key has not changed over."""
        raise NotImplementedError

    def prepare(self, bucket: Bucket, key: bytes, stored: Any) -> None:
        """Change what is stored for a key, if it has not changed over."""
        raise NotImplementedError

    def exchange(self, bucket: Bucket, old: Entry, new: Entry) -> None:
        """Put another entry for the same value in the place of one, in the bucket and in the wheel."""
        bucket[new.key] = new
        if old.next is not None:
            self.wheel.remove(old)
            self.wheel.add(new)


class AdoptingDatabase(ChangingDatabase):
    """A database that gets its first engine: it has bare values beside entries, which are not counted yet."""

    __slots__ = ()

    def is_left(self, stored: Any) -> bool:
        return not isinstance(stored, SizedEntry)

    def prepare(self, bucket: Bucket, key: bytes, stored: Any) -> None:
        """Give a bare value or a plain entry an entry of the engine's."""
        if isinstance(stored, SizedEntry):
            return
        assert self.candidates is not None
        if isinstance(stored, Entry):
            entry = self.candidates.make(key, stored.value, stored.expires)
            self.exchange(bucket, stored, entry)
        else:
            entry = bucket[key] = self.candidates.make(key, stored, NEVER)
        self._recount(entry, self.size_of(entry, entry.expires))
        self.candidates.admit(entry)

    read = _prepared(EvictingDatabase.read)
    get_string = _prepared(EvictingDatabase.get_string)
    read_string = _prepared(EvictingDatabase.read_string)
    find = _prepared(EvictingDatabase.find)
    put = _prepared(EvictingDatabase.put)
    put_until = _prepared(EvictingDatabase.put_until)
    update = _prepared(EvictingDatabase.update)
    touched = _prepared(EvictingDatabase.touched)
    take = _prepared(EvictingDatabase.take)
    expire = _prepared(EvictingDatabase.expire)
    increment = _prepared(EvictingDatabase.increment)


class LeavingDatabase(ChangingDatabase):
    """A database that loses its engine: what has changed over, or is touched, is what a Database holds."""

    __slots__ = ()

    def is_left(self, stored: Any) -> bool:
        return isinstance(stored, SizedEntry)

    def prepare(self, bucket: Bucket, key: bytes, stored: Any) -> None:
        """Turn an entry back into what a Database holds."""
        if not isinstance(stored, SizedEntry):
            return
        self._disown(stored)
        if stored.expires == NEVER:
            bucket[key] = stored.value
        else:
            self.exchange(bucket, stored, TimedEntry(key, stored.value, stored.expires))

    read = _prepared(Database.read)
    get_string = _prepared(Database.get_string)
    read_string = _prepared(Database.read_string)
    find = _prepared(Database.find)
    put = _prepared(Database.put)
    put_until = _prepared(Database.put_until)
    update = _prepared(Database.update)
    touched = _prepared(Database.touched)
    take = _prepared(Database.take)
    expire = _prepared(Database.expire)
    persist = _prepared(Database.persist)
    increment = _prepared(Database.increment)


class HandingDatabase(ChangingDatabase):
    """A database that changes from one engine to another."""

    __slots__ = ()

    def hand_over(self, new: Candidates) -> None:
        """Begin."""
        assert self.candidates is not None
        self.begin(Handover(self.candidates, new))

    def change_over(self, budget: int) -> int:
        handover = self.candidates
        done = 0
        if not self.size and isinstance(handover, Handover):
            self.changed_over = handover.position = SLOTS
        while done < budget and self.changed_over < SLOTS and isinstance(handover, Handover):
            bucket, moved = self.buckets[self.changed_over], handover.moved
            waiting = [entry for key, entry in bucket.items() if key not in moved]
            for entry in waiting[: budget - done]:
                self._hand_over_one(bucket, entry, handover)
                moved.add(entry.key)
            if len(waiting) <= budget - done:
                self.changed_over = handover.position = self.changed_over + 1
                moved.clear()
            done += len(waiting) + 1
        if self.changed_over == SLOTS and isinstance(handover, Handover):
            self.begin(handover.new)
            self.discard_remains(handover.old)
        return done

    def _hand_over_one(self, bucket: Bucket, old: SizedEntry, handover: Handover) -> None:
        handover.old.discard(old)
        entry = handover.new.make(old.key, old.value, old.expires)
        self.exchange(bucket, old, entry)
        size = handover.new.weight(entry, entry.expires) + size_of_value(entry.key) + size_of_value(entry.value)
        entry.size = sizes[size] if size < SHARED_SIZES else size
        self._add_used(size - old.size)
        handover.old.count(old, -old.size)
        if handover.new.count(entry, entry.size):
            self.keyspace.crowded = True
        handover.new.admit(entry)
