"""A database whose keys can be given up: every key has an entry of an engine's, which is counted in bytes.

The keyspace keeps the account (``Database.used``, and ``Keyspace.held`` for all: keys, values and entries in bytes, as
memory.py measures them, O(1) a write); the candidates (candidates.py) tell the engine, which keeps the order. An entry
has been counted, ``entry.size``, before an engine hears of it. Rule: ``entry.size`` is what ``size_of`` gives, after
every operation.

A database that holds keys when it gets its first engine is taken over in slices, and loses its last one in slices:
changing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycache_server.entry import NEVER, Entry, SizedEntry
from pycache_server.evict.base import Marker
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates
from pycache_server.store.database import Database
from pycache_server.store.events import Event
from pycache_server.store.hash import VolatileHash
from pycache_server.store.memory import (
    SHARED_SIZES,
    Remains,
    no_engine,
    share_sizes,
    size_of_value,
    sizes,
    string_sizes,
)
from pycache_server.store.scan import SLOT_MASK
from pycache_server.store.strings import STRING_TYPES, as_bytes

_new: Callable[[type[SizedEntry]], SizedEntry] = object.__new__


class EvictingDatabase(Database):
    """A database all of whose keys have entries of an engine's.

    Hot: what a GET or a SET of a key that is there does stands in one method each, and in three classes, by what an
    access is to the engine: a call here, a write in the two below.
    """

    __slots__ = ()

    def begin(self, candidates: Candidates | None) -> None:
        """Let other candidates take the place of those that are there."""
        self.candidates = candidates
        if candidates is None:
            self.on_admit = self.on_access = no_engine
            self.marker = Marker()
            return
        share_sizes()
        self.marker = candidates.marker
        self.plain, self.weight_of_new = candidates.plain, candidates.weight_of_new
        self.on_admit, self.on_access = candidates.admit, candidates.access

    def evict(self, bound: int = -1, most: int = 1) -> int:
        candidates = self.candidates
        if candidates is None:
            return 0
        size = self.keyspace.held - bound
        if type(self) not in QUIET:  # somebody hears of each key that goes, who may want another to go
            for done in range(most):
                if size <= 0:
                    return done
                entry = next(iter(candidates.take_victims(1, size)), None)
                if entry is None:
                    return done
                size -= entry.size
                self._remove_victim(candidates, entry)
            return most
        buckets, plain = self.buckets, self.plain
        done = others = freed = 0
        try:
            for entry in candidates.take_victims(most, size):
                done += 1
                if type(entry) is plain and type(entry.value) is bytes:
                    freed += entry.size
                    key = entry.key
                    del buckets[hash(key) & SLOT_MASK][key]
                else:
                    others += 1
                    self._remove_victim(candidates, entry)
        finally:
            if done > others:
                self._count_simple(candidates, done - others, freed)
        return done

    def _count_simple(self, candidates: Candidates, victims: int, size: int) -> None:
        """So many victims have been removed of which nobody has to hear, with so many bytes."""
        self._add_used(-size)
        self.size -= victims
        self.dirty += victims
        self.keyspace.evicted += victims
        self.keyspace.evicted_by[type(candidates.engine)] += victims

    def give_up(self, entry: SizedEntry) -> None:
        """Remove an engine's victim."""
        candidates = self.candidates
        assert candidates is not None
        if entry.expires != NEVER and self._live_value(entry) is None:
            return  # it was dead already: now it has expired
        candidates.evicted(entry)
        self._remove_victim(candidates, entry)

    def _remove_victim(self, candidates: Candidates, entry: SizedEntry) -> None:
        """Remove an entry that the engine has given up."""
        key = entry.key
        expired = entry.expires <= self.clock.time * 1000.0
        del self.buckets[hash(key) & SLOT_MASK][key]
        self.size -= 1
        self._add_used(-entry.size)
        if entry.next is not None:
            self.wheel.remove(entry)
        super()._let_go(entry.value)
        if expired:  # it was dead already
            self._count_victim(entry)
            self._has_expired(entry)
            return
        self.dirty += 1
        engine = candidates.engine_of(entry)
        assert engine is not None
        self.keyspace.evicted_by[type(engine)] += 1
        self._count_victim(entry)
        self._has_been_evicted(entry)

    def _count_victim(self, entry: SizedEntry) -> None:
        """A victim is no longer there, for those who count by key (limits.py)."""

    # Reading

    def read(self, key: bytes) -> Any:
        return self._value_of(self.buckets[hash(key) & SLOT_MASK].get(key))

    def _value_of(self, entry: SizedEntry | None) -> Any:
        """What ``read`` answers for an entry, or for none."""
        if entry is None or (entry.expires is not NEVER and self._seen_value(entry) is None):
            self.misses += 1
            return None
        self.hits += 1
        self.on_access(entry)
        return entry.value

    def get_string(self, key: bytes) -> bytes | None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(entry) is self.plain:
            access = self.on_access  # what lies in a slot is called by way of a local
            access(entry)
            value = entry.value
            return value if type(value) is bytes else as_bytes(value)
        if entry is None:
            self.hits -= 1
            self.misses += 1
            return None
        return self._string_of(entry)

    def _string_of(self, entry: SizedEntry) -> bytes | None:
        """What ``get_string`` answers for an entry that may expire."""
        if entry.expires is not NEVER and self._seen_value(entry) is None:
            self.hits -= 1
            self.misses += 1
            return None
        self.on_access(entry)
        value = entry.value
        return value if type(value) is bytes else as_bytes(value)

    def read_string(self, key: bytes) -> bytes | None:
        value = self.read(key)
        return value if type(value) is bytes or value is None else as_bytes(value)

    def find(self, key: bytes) -> Any:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if entry is None or (entry.expires is not NEVER and self._seen_value(entry) is None):
            return None
        self.on_access(entry)
        return entry.value

    # Writing

    def put(self, key: bytes, value: Any, event: Event) -> None:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        entry = bucket.get(key)
        if type(entry) is self.plain and type(value) is bytes:
            old = entry.value
            if type(old) is bytes:
                self.dirty += 1
                entry.value = value
                if len(old) != len(value):
                    self._recount(entry, size_of_value(value) - size_of_value(old))
                access = self.on_access
                access(entry)
                return
        if entry is None:
            self.dirty += 1
            self._add(bucket, key, value, NEVER)
        else:
            self._store(key, value, NEVER)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        self._store(key, value, expires)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if entry is None or self._live_value(entry) is None:
            self._store(key, value, NEVER)
        elif type(entry.value) not in STRING_TYPES:
            self._store(key, value, self.expires_at(key) or NEVER)
        else:
            self.dirty += 1
            entry.value = value
            self._recount(entry, self.size_of(entry, entry.expires) - entry.size)

    def touched(self, key: bytes, event: Event, changes: int = 1) -> None:
        self.dirty += changes
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if entry is not None:
            self._recount(entry, self.size_of(entry, entry.expires) - entry.size)

    def take(self, key: bytes) -> tuple[Any, int] | None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        taken = super().take(key)
        if taken is not None and isinstance(entry, SizedEntry):
            self._disown(entry)
        return taken

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if entry is None or (live := self._live_value(entry)) is None:
            return False
        if entry.next is not None:
            self.wheel.remove(entry)
        if type(live) is VolatileHash:
            live.times.until = expires
            expires = min(expires, live.end())
        self.wheel.add(self.retime(entry, expires))
        self.dirty += 1
        return True

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        return self._increment_any(key, self.find(key), delta, event)

    def was_accessed(self, key: bytes, idle: int | None, frequency: int | None) -> None:
        entry = self.stored_entry(key)
        if self.candidates is None or not isinstance(entry, SizedEntry):
            return
        engine = self.candidates.engine_of(entry)
        if engine is not None:
            engine.was_accessed(entry, idle, frequency)

    def flush(self) -> int:
        removed = super().flush()
        if self.candidates is not None:
            self.begin(self.candidates.anew())
        self._add_used(-self.used)
        self.changed_over = len(self.buckets)
        return removed

    def size_of(self, entry: SizedEntry, expires: int) -> int:
        """Bytes of an entry that expires at some time, measured anew."""
        assert self.candidates is not None
        return self.candidates.weight(entry, expires) + size_of_value(entry.key) + size_of_value(entry.value)

    # Inside

    def _store(self, key: bytes, value: Any, expires: int) -> None:
        """Set a key, whatever it holds and whether it is there."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        entry = bucket.get(key)
        self.dirty += 1
        if entry is None or self._live_value(entry) is None:
            self._add(bucket, key, value, expires)
        else:
            self._overwrite(entry, value, expires)

    def _add(self, bucket: Bucket, key: bytes, value: Any, expires: int) -> None:
        weight = self.weight_of_new
        if weight and expires is NEVER:
            plain = self.plain
            entry = _new(plain)  # what its class would do: two calls and 150 ns less
            entry.key = key
            entry.value = value
        else:
            candidates = self.candidates
            assert candidates is not None
            entry = candidates.make(key, value, expires)
            weight = candidates.weight(entry, expires)
            if expires != NEVER:
                self.wheel.add(entry)
        bucket[key] = entry
        self.size += 1
        try:
            size = string_sizes[len(value)] if type(value) is bytes else size_of_value(value)
            size = sizes[weight + string_sizes[len(key)] + size]
        except IndexError:  # it is none of those that are shared
            size = weight + size_of_value(key) + size_of_value(value)
        entry.size = size
        self.used += size
        self.keyspace.held += size
        admit = self.on_admit
        admit(entry)

    def _overwrite(self, entry: SizedEntry, value: Any, expires: int) -> None:
        if entry.next is not None:
            self.wheel.remove(entry)
        super()._let_go(entry.value)
        entry.value = value
        if expires != NEVER and not entry.may_expire:
            entry, new = self._give_time(entry, expires)
        else:
            self._recount(entry, self.size_of(entry, expires) - entry.size)
            new = entry.expires != expires and self._retimed(entry, expires)
        if expires != NEVER:
            self.wheel.add(entry)
        if not new:
            self.on_access(entry)

    def _give_time(self, old: SizedEntry, expires: int) -> tuple[SizedEntry, bool]:
        """Put an entry that has room for a time to live in the place of one that has not. Returns it, and whether it
        has become a candidate by that."""
        candidates = self.candidates
        assert candidates is not None
        new = candidates.make(old.key, old.value, expires)
        new.size = old.size
        self.buckets[hash(old.key) & SLOT_MASK][old.key] = new
        self._recount(new, self.size_of(new, expires) - new.size)
        return new, candidates.exchange(old, new)

    def retime(self, entry: Entry, expires: int) -> Entry:
        if not isinstance(entry, SizedEntry):
            return super().retime(entry, expires)
        if expires != NEVER and not entry.may_expire:
            return self._give_time(entry, expires)[0]
        if entry.expires != expires:
            self._recount(entry, self.size_of(entry, expires) - entry.size)
            self._retimed(entry, expires)
        return entry

    def _retimed(self, entry: SizedEntry, expires: int) -> bool:
        assert self.candidates is not None
        return self.candidates.retime(entry, expires)

    def forget_expiry(self, bucket: Bucket, entry: Entry) -> None:
        if isinstance(entry, SizedEntry):
            self.retime(entry, NEVER)
        else:
            super().forget_expiry(bucket, entry)

    def _let_go(self, value: Any) -> None:
        if isinstance(value, SizedEntry):
            self._disown(value)
        super()._let_go(value)

    def _disown(self, entry: SizedEntry) -> None:
        """An entry goes for another reason than want of memory."""
        assert self.candidates is not None
        self.candidates.discard(entry)
        self._uncount(entry)

    def _uncount(self, entry: SizedEntry) -> None:
        self._add_used(-entry.size)

    def _recount(self, entry: SizedEntry, growth: int) -> None:
        size = entry.size + growth
        entry.size = sizes[size] if size < SHARED_SIZES else size
        self.used += growth
        self.keyspace.held += growth

    def _add_used(self, growth: int) -> None:
        self.used += growth
        self.keyspace.held += growth

    def _remains(self) -> Remains:
        return Remains(
            self.keyspace, self.buckets, self.candidates.discard if self.candidates is not None else no_engine
        )

    def _check(self) -> None:
        super()._check()
        used = 0
        for bucket in self.buckets:
            for entry in bucket.values():
                if isinstance(entry, SizedEntry):
                    assert entry.size == self.size_of(entry, entry.expires), (entry.key, entry.size)
                    used += entry.size
        assert self.used == used
        if self.candidates is not None:
            self.candidates._check()


class MarkingDatabase(EvictingDatabase):
    """A database with an engine to which an access is the write of a mark that many entries share."""

    __slots__ = ()

    def read(self, key: bytes) -> Any:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        marker = self.marker
        if type(entry) is not marker.plain or entry is None:
            return self._value_of(entry)
        entry.mark = marker.mark
        self.hits += 1
        return entry.value

    def get_string(self, key: bytes) -> bytes | None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        marker = self.marker
        if type(entry) is marker.plain:
            entry.mark = marker.mark
            value = entry.value
            return value if type(value) is bytes else as_bytes(value)
        if entry is None:
            self.hits -= 1
            self.misses += 1
            return None
        return self._string_of(entry)

    def put(self, key: bytes, value: Any, event: Event) -> None:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        entry = bucket.get(key)
        marker = self.marker
        if type(entry) is marker.plain and type(value) is bytes:
            old = entry.value
            if type(old) is bytes:
                self.dirty += 1
                entry.value = value
                if len(old) != len(value):
                    self._recount(entry, size_of_value(value) - size_of_value(old))
                entry.mark = marker.mark
                return
        if entry is None:
            self.dirty += 1
            self._add(bucket, key, value, NEVER)
        else:
            super().put(key, value, event)


class CountingDatabase(EvictingDatabase):
    """A database with an engine to which an access is one more in the mark of an entry."""

    __slots__ = ()

    def read(self, key: bytes) -> Any:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(entry) is not self.marker.counted or entry is None:
            return self._value_of(entry)
        entry.mark += 1
        self.hits += 1
        return entry.value

    def get_string(self, key: bytes) -> bytes | None:
        entry = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(entry) is self.marker.counted:
            entry.mark += 1
            value = entry.value
            return value if type(value) is bytes else as_bytes(value)
        if entry is None:
            self.hits -= 1
            self.misses += 1
            return None
        return self._string_of(entry)

    def put(self, key: bytes, value: Any, event: Event) -> None:
        bucket = self.buckets[hash(key) & SLOT_MASK]
        entry = bucket.get(key)
        if type(entry) is self.marker.counted and type(value) is bytes:
            old = entry.value
            if type(old) is bytes:
                self.dirty += 1
                entry.value = value
                if len(old) != len(value):
                    self._recount(entry, size_of_value(value) - size_of_value(old))
                entry.mark += 1
                return
        if entry is None:
            self.dirty += 1
            self._add(bucket, key, value, NEVER)
        else:
            super().put(key, value, event)


QUIET = {EvictingDatabase, MarkingDatabase, CountingDatabase}
"""Databases in which nobody hears of keys that go."""


def marked_class(marker: Marker) -> type[EvictingDatabase]:
    """The class of a database with an engine of such a marker: each does the same as its base does by calls."""
    if marker.counted is not None:
        return CountingDatabase
    return MarkingDatabase if marker.plain is not None else EvictingDatabase
