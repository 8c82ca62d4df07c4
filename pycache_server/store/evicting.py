"""A database with an eviction engine: every key has an entry, is counted in bytes, and can be given up.

The keyspace keeps the account (``used``: keys, values and entries in bytes, as memory.py measures them, O(1) a write);
the engine keeps the order. A database that gets its engine while it holds keys is taken over in slices (``adopt``), and
loses it in slices (``release``): until that is done some keys are bare values, which are read as ever, not counted and
not given up.
"""

from __future__ import annotations

from typing import Any

from pycache_server.entry import NEVER, Entry, SizedEntry
from pycache_server.evict.base import Engine
from pycache_server.store.database import Bucket, Database
from pycache_server.store.events import Event
from pycache_server.store.memory import size_of_key
from pycache_server.store.scan import SLOT_MASK, SLOTS
from pycache_server.store.strings import STRING_TYPES, as_bytes


class EvictingDatabase(Database):
    """A database whose keys an engine orders."""

    __slots__ = ()

    def begin(self, engine: Engine) -> None:
        """Start with an engine; ``adopt`` brings it the keys that are there."""
        self.engine = engine
        self.on_access = engine.access
        self.used = 0

    def adopt(self, first: int, count: int) -> int:
        """Make entries of the bare values in up to ``count`` buckets from ``first`` on. The next bucket to adopt, or
        the number of buckets at the end."""
        last = min(first + count, SLOTS)
        for bucket in self.buckets[first:last]:
            for key, value in list(bucket.items()):
                if not isinstance(value, SizedEntry):
                    self._own(bucket, key, value)
        return last

    def release(self, first: int, count: int) -> int:
        """Turn entries back into what a Database holds; the counterpart of ``adopt``."""
        last = min(first + count, SLOTS)
        for bucket in self.buckets[first:last]:
            for key, entry in list(bucket.items()):
                if not isinstance(entry, SizedEntry):
                    continue
                self._disown(entry)
                if entry.expires == NEVER:
                    bucket[key] = entry.value
                else:
                    self._exchange(bucket, entry, Entry(key, entry.value, entry.expires))
        return last

    def evict_one(self) -> bool:
        """Give up the engine's victim. False where there is none."""
        assert self.engine is not None
        entry = self.engine.victim()
        if entry is None:
            return False
        del self.buckets[hash(entry.key) & SLOT_MASK][entry.key]
        self.size -= 1
        self.dirty += 1
        self.engine.evicted(entry)
        self.used -= entry.size
        super()._let_go(entry)
        self._has_been_evicted(entry.key)
        return True

    # Reading

    def read(self, key: bytes) -> Any:
        value = self.find(key)
        if value is None:
            self.misses += 1
        else:
            self.hits += 1
        return value

    def get_string(self, key: bytes) -> bytes | None:
        value = self.find(key)
        if value is None:
            self.hits -= 1
            self.misses += 1
        return value if type(value) is bytes or value is None else as_bytes(value)

    def read_string(self, key: bytes) -> bytes | None:
        value = self.read(key)
        return value if type(value) is bytes or value is None else as_bytes(value)

    def find(self, key: bytes) -> Any:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if isinstance(entry, Entry):
            value = self._seen_value(entry)
            if value is not None and isinstance(entry, SizedEntry):
                self.on_access(entry)
            return value
        return entry

    # Writing

    def put(self, key: bytes, value: Any, event: Event) -> None:
        self._store(key, value, NEVER)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        self._store(key, value, expires)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        entry = bucket.get(key)
        if entry is None or (isinstance(entry, Entry) and self._live_value(entry) is None):
            self._store(key, value, NEVER)
            return
        owned = self._own(bucket, key, entry)
        if type(owned.value) not in STRING_TYPES:
            self._store(key, value, self.expires_at(key) or NEVER)
            return
        self.dirty += 1
        owned.value = value
        self._count(owned)
        self.on_access(owned)

    def touched(self, key: bytes, event: Event, changes: int = 1) -> None:
        self.dirty += changes
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if isinstance(entry, SizedEntry):
            self._count(entry)

    def take(self, key: bytes) -> tuple[Any, int] | None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        taken = super().take(key)
        if taken is not None and isinstance(entry, SizedEntry):
            self._disown(entry)
        return taken

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        value = bucket.get(key)
        if value is not None:
            self._own(bucket, key, value)
        return super().expire(key, expires, event)

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        return self._increment_any(key, self.find(key), delta, event)

    def flush(self) -> int:
        removed = super().flush()
        if self.engine is not None:
            self.begin(type(self.engine)(self.engine.surroundings))
        return removed

    # Inside

    def _store(self, key: bytes, value: Any, expires: int) -> None:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        old = bucket.get(key)
        if isinstance(old, Entry) and self._live_value(old) is None:
            old = None
        self.dirty += 1
        if old is None:
            self.size += 1
            assert self.engine is not None
            entry = bucket[key] = self.engine.entry_type(key, value, expires)
            self.engine.admit(entry)
        else:
            entry = self._own(bucket, key, old)
            if entry.next is not None:
                self.wheel.remove(entry)
            super()._let_go(entry.value)
            entry.value = value
            entry.expires = expires
            self.on_access(entry)
        if expires != NEVER:
            self.wheel.add(entry)
        self._count(entry)

    def _own(self, bucket: Bucket, key: bytes, value: Any) -> SizedEntry:
        """The engine's entry for what is stored under ``key``: itself, or made of a bare value or a plain entry."""
        if isinstance(value, SizedEntry):
            return value
        assert self.engine is not None
        if isinstance(value, Entry):
            entry = self.engine.entry_type(key, value.value, value.expires)
            self._exchange(bucket, value, entry)
        else:
            entry = bucket[key] = self.engine.entry_type(key, value, NEVER)
        self._count(entry)
        self.engine.admit(entry)
        return entry

    def _exchange(self, bucket: Bucket, old: Entry, new: Entry) -> None:
        """Put another entry for the same value in the place of one, in the bucket and in the wheel."""
        bucket[new.key] = new
        if old.next is not None:
            self.wheel.remove(old)
            self.wheel.add(new)

    def _disown(self, entry: SizedEntry) -> None:
        assert self.engine is not None
        self.engine.discard(entry)
        self.used -= entry.size

    def _count(self, entry: SizedEntry) -> None:
        """Measure an entry anew."""
        size = size_of_key(entry.key, entry.value, entry)
        self.used += size - entry.size
        entry.size = size

    def _let_go(self, value: Any) -> None:
        if isinstance(value, SizedEntry):
            self._disown(value)
        super()._let_go(value)

    def forget_expiry(self, bucket: Bucket, entry: Entry) -> None:
        if isinstance(entry, SizedEntry):
            entry.expires = NEVER
        else:
            super().forget_expiry(bucket, entry)

    def _check(self) -> None:
        super()._check()
        assert self.engine is not None
        self.engine._check()
        entries = [value for bucket in self.buckets for value in bucket.values() if isinstance(value, SizedEntry)]
        assert self.used == sum(entry.size for entry in entries)


class LeavingDatabase(EvictingDatabase):
    """A database whose engine is being taken away: what is written no longer gets an entry of the engine's."""

    __slots__ = ()

    put = Database.put
    put_until = Database.put_until
    update = Database.update
    touched = Database.touched
    expire = Database.expire
