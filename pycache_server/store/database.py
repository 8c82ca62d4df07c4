"""A database: which value a key has, until when, and who must hear of a change.

Three rules.

1. *How a key is represented is this folder's secret.* A bucket maps the key to the bare value, or to an Entry where
   there is more to hold (entry.py). Strings are bytes; int after arithmetic, which spares INCR two conversions;
   bytearray after an edit in place, which OBJECT ENCODING calls raw; EmbeddedString where the result of arithmetic is
   kept as text. Commands get strings from ``read_string`` and never see the difference.
2. *Exactly one look-up of a key per command*, at least of a key in the cold: the second is to the same bucket.
3. *Reads pay nothing for writes, and writes nothing for listeners that are not there.* Who must hear of changes
   (WATCH, blocked clients, keyspace events) makes the database an ObservedDatabase, an eviction engine makes it an
   EvictingDatabase: by substitution of the class, so that nothing is tested for on the way.

The keyspace is not one dict: growing one of 2.8 million keys stops the world for 114 ms. It is a fixed table of 4096
dicts (buckets.py), which also gives scans, sampling and freeing in slices.

Each write names its event (events.py). A write that fails must fail before its first change.

A key is gone when the time of its entry has come. For a hash all of whose fields expire that is the time of the last
one, so that nobody who looks at entries has to look into hashes; what the key itself was given is ``until`` of its
FieldTimes then. The wheel has the keys that were given a time, ``fields`` the hashes with fields that were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress, count
from typing import TYPE_CHECKING, Any

from pycache_server.entry import NEVER, Entry, SizedEntry, TimedEntry
from pycache_server.errors import WouldOverflow
from pycache_server.evict.base import Engine, Marker
from pycache_server.store.buckets import Bucket, Unmade
from pycache_server.store.candidates import Candidates
from pycache_server.store.events import DEL, EXPIRED_KEY, FIELDS_EXPIRED, UNHEARD, Event
from pycache_server.store.expiry import Wheel
from pycache_server.store.field_expiry import dead_hashes, drop_due_fields, leave, retime
from pycache_server.store.hash import VolatileHash
from pycache_server.store.memory import HEAVY, Remains, no_engine
from pycache_server.store.numbers import INT_MAX, INT_MIN
from pycache_server.store.scan import END, SLOT_MASK, scan
from pycache_server.store.strings import STRING_TYPES, as_bytes, to_int
from pycache_server.store.table import choose_bucket
from pycache_server.store.untold import Untold

if TYPE_CHECKING:
    from pycache_server.store.keyspace import Keyspace


class Database(Untold):
    """One numbered database, while nobody observes it and no engine evicts from it.

    Times are in ms since 1970. ``size`` counts the keys, expired ones that have not been removed yet included.
    """

    __slots__ = (
        "buckets",
        "candidates",
        "changed_over",
        "clock",
        "dirty",
        "expired",
        "expired_fields",
        "fields",
        "hits",
        "index",
        "keyspace",
        "marker",
        "misses",
        "on_access",
        "on_admit",
        "plain",
        "size",
        "used",
        "weight_of_new",
        "wheel",
    )

    def __init__(self, index: int, keyspace: Keyspace) -> None:
        self.index = index
        self.keyspace = keyspace
        self.clock = keyspace.clock
        self.hits = 0
        """Reads that found their key, but for those of GET: see ``get_string``."""
        self.misses = 0
        self.dirty = 0
        """Changes since the start."""
        self.expired = 0
        """Keys that were removed because their time had come."""
        self.expired_fields = 0
        """Fields of hashes that were."""
        self.candidates: Candidates | None = None  # this and the next six belong to evicting.py
        self.marker = Marker()
        self.plain: type[SizedEntry] = SizedEntry
        self.weight_of_new = 0
        self.on_admit: Callable[[SizedEntry], None] = no_engine
        self.on_access: Callable[[SizedEntry], None] = no_engine
        self.used = 0
        self.changed_over = 0
        """How many buckets have followed a change of the engine (shape.py)."""
        self._renew()

    def _renew(self) -> None:
        self.buckets: list[Bucket] = Unmade(self)
        self.wheel = Wheel(self.keyspace.wake)
        self.fields = Wheel(self.keyspace.wake)
        self.size = 0

    # Reading

    def read(self, key: bytes) -> Any:
        """The value of ``key``, or None. Counts as a read."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(value) is TimedEntry:
            value = self._seen_value(value)
        if value is None:
            self.misses += 1
            return None
        self.hits += 1
        return value

    def get_string(self, key: bytes) -> bytes | None:
        """The string at ``key``, or None, for GET alone, whose calls are counted anyway: they stand for its hits, and
        only a miss is counted here, as one hit less and one miss more. That is 50 ns of a GET.

        Raises WrongType.
        """
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(value) is bytes:
            return value
        if type(value) is TimedEntry:
            value = self._seen_value(value)
        if value is None:
            self.hits -= 1
            self.misses += 1
            return None
        return as_bytes(value)

    def read_string(self, key: bytes) -> bytes | None:
        """The string at ``key``, or None. Counts as a read.

        Raises WrongType.
        """
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(value) is bytes:
            self.hits += 1
            return value
        if type(value) is TimedEntry:
            value = self._seen_value(value)
        if value is None:
            self.misses += 1
            return None
        self.hits += 1
        return as_bytes(value)

    def find(self, key: bytes) -> Any:
        """The value of ``key``, or None, for a write: counts as no read."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if type(value) is TimedEntry:
            return self._seen_value(value)
        return value

    def look(self, key: bytes, announce: bool = True) -> Any:
        """The value of ``key``, or None. Counts as a read, but the engine does not hear of it; nobody hears that it was
        not there unless that shall be announced."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if isinstance(value, Entry):
            value = self._seen_value(value)
        if value is None:
            self.misses += 1
        else:
            self.hits += 1
        return value

    def peek(self, key: bytes) -> Any:
        """The value of ``key``, or None, without any effect: no count, no engine hears of it."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if isinstance(value, Entry):
            return value.value if value.expires > self.clock.now() else None
        return value

    def entry(self, key: bytes) -> Entry | None:
        """The entry of ``key`` where it has one and has not expired; for OBJECT and DEBUG."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if isinstance(value, Entry) and value.expires > self.clock.now():
            return value
        return None

    def stored_entry(self, key: bytes) -> Entry | None:
        """The entry of ``key`` where it has one, expired or not; for WATCH."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        return value if isinstance(value, Entry) else None

    @property
    def engine(self) -> Engine | None:
        """The engine that orders the keys, None where there is none."""
        return self.candidates.engine if self.candidates is not None else None

    def engine_for(self, key: bytes) -> Engine | None:
        """The engine that decides on a key, None where there is none."""
        return self.candidates.engine_for(key) if self.candidates is not None else None

    def engine_knows(self, key: bytes, ask: Callable[[Engine, SizedEntry], int | None]) -> int | None:
        """What the engine answers of a key's entry; None where it does not know the entry."""
        entry = self.stored_entry(key)
        if self.candidates is None or not isinstance(entry, SizedEntry):
            return None
        engine = self.candidates.engine_of(entry)
        return ask(engine, entry) if engine is not None else None

    def expires_at(self, key: bytes) -> int | None:
        """When ``key`` expires: NEVER where it does not, None where there is no such key. Counts as no read."""
        value = self.buckets[hash(key) & SLOT_MASK].get(key)
        if value is None:
            return None
        if not isinstance(value, Entry):
            return NEVER
        live = self._seen_value(value)
        if type(live) is VolatileHash:
            return live.times.until
        return value.expires if live is not None else None

    # Writing

    def put(self, key: bytes, value: Any, event: Event) -> None:
        """Set ``key`` to a new value that does not expire."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        old = bucket.get(key)
        bucket[key] = value
        self.dirty += 1
        if old is None:
            self.size += 1
        elif type(old) is not bytes:
            self.replaced(key, old)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        """Set ``key`` to a new value that expires at ``expires``."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        old = bucket.get(key)
        self.dirty += 1
        if type(old) is TimedEntry and type(old.value) is bytes and old.expires > self.clock.time * 1000.0:
            wheel = self.wheel  # a session that is prolonged, say: the entry will do
            wheel.remove(old)
            old.value = value
            old.expires = expires
            wheel.add(old)
            return
        entry = TimedEntry(key, value, expires)
        bucket[key] = entry
        if old is None:
            self.size += 1
        elif type(old) is not bytes:
            self.replaced(key, old)
        self.wheel.add(entry)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        """Set ``key`` to a new value and keep its time to live; create it if need be."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        old = bucket.get(key)
        self.dirty += 1
        if isinstance(old, Entry):
            replaced = self._live_value(old)
            if type(replaced) in _LIGHT:
                old.value = value
                return
            if replaced is not None:
                self._supplant(bucket, old, value)
                return
            old = None
        bucket[key] = value
        if old is None:
            self.size += 1
        elif type(old) not in _LIGHT:
            self._let_go(old)

    def place(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        """Set ``key`` to a value that has lived elsewhere, to expire at ``expires``, or NEVER."""
        if expires == NEVER:
            self.put(key, value, event)
        else:
            self.put_until(key, value, expires, event)
        if type(value) is VolatileHash:
            value.times.until = expires
            retime(self, key, value)

    def recast(self, key: bytes, value: Any) -> None:
        """Hold the string at ``key`` in another form, or make room for one, as a command does before it edits in place.
        Nothing has changed yet: it does not count, and nobody hears of more than a new key."""
        self.update(key, value, UNHEARD)
        self.dirty -= 1

    def will_edit(self, key: bytes) -> None:
        """The value of ``key``, found by a read and not by ``find``, is about to be changed in place."""

    def touched(self, key: bytes, event: Event, changes: int = 1) -> None:
        """The value of ``key`` has been changed in place."""
        self.dirty += changes

    def announce(self, key: bytes, event: Event) -> None:
        """Something more has happened to ``key`` in a change that has been told already."""

    def was_accessed(self, key: bytes, idle: int | None, frequency: int | None) -> None:
        """Tell the engine of accesses before ``key`` came here: see ``Engine.was_accessed``."""

    def delete(self, key: bytes, event: Event) -> bool:
        """Remove ``key``. Whether it was there."""
        value = self.buckets[hash(key) & SLOT_MASK].pop(key, None)
        if value is None:
            return False
        self.size -= 1
        if type(value) is not bytes:
            expired = isinstance(value, Entry) and value.expires <= self.clock.now()
            self._let_go(value)
            if expired:
                self._has_expired(value)
                return False
        self.dirty += 1
        return True

    def take(self, key: bytes) -> tuple[Any, int] | None:
        """Remove ``key`` and hand over its value and its expiry time, for a new place. None where it was not there. Who
        takes it tells of it (``announce``), and it counts as a change where it is put."""
        value = self.find(key)
        if value is None:
            return None
        expires = self.expires_at(key)
        assert expires is not None
        entry = self.buckets[hash(key) & SLOT_MASK].pop(key)
        if isinstance(entry, Entry) and entry.next is not None:
            self.wheel.remove(entry)
        if type(value) is VolatileHash:
            leave(self, value)
        self.size -= 1
        return value, expires

    def vacate(self, key: bytes) -> None:
        """Remove ``key`` without a word: something new is about to take its place."""
        if self.expires_at(key) is not None:
            self.size -= 1
            self._let_go(self.buckets[hash(key) & SLOT_MASK].pop(key))

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        """Let ``key`` expire at ``expires``. Whether it was there."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        value = bucket.get(key)
        if value is None:
            return False
        live = self._live_value(value) if isinstance(value, Entry) else value
        if live is None:
            return False
        if type(live) is VolatileHash:
            live.times.until = expires
            expires = min(expires, live.end())
        if isinstance(value, Entry):
            if value.next is not None:
                self.wheel.remove(value)
            value.expires = expires
        else:
            value = bucket[key] = TimedEntry(key, value, expires)
        self.wheel.add(value)
        self.dirty += 1
        return True

    def persist(self, key: bytes, event: Event) -> bool:
        """Let ``key`` not expire. Whether it was there and would have."""
        bucket = self.buckets[hash(key) & SLOT_MASK]
        value = bucket.get(key)
        if not isinstance(value, Entry) or self._live_value(value) is None or value.next is None:
            return False
        self.wheel.remove(value)
        if type(value.value) is VolatileHash:
            value.value.times.until = NEVER
            retime(self, key, value.value)
        else:
            self.forget_expiry(bucket, value)
        self.dirty += 1
        return True

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        """Add to the integer at ``key``, 0 where it is not there, and keep its time to live.

        Raises WrongType, NotAnInteger, WouldOverflow.
        """
        bucket = self.buckets[hash(key) & SLOT_MASK]
        value = bucket.get(key)
        if type(value) is int:
            value += delta
            if INT_MIN <= value <= INT_MAX:
                bucket[key] = value
                self.dirty += 1
                return value
            raise WouldOverflow
        return self._increment_any(key, value, delta, event)

    def _increment_any(self, key: bytes, value: Any, delta: int, event: Event) -> int:
        if isinstance(value, Entry):
            value = self._live_value(value)
        result = (0 if value is None else to_int(value)) + delta
        if not INT_MIN <= result <= INT_MAX:
            raise WouldOverflow
        self.update(key, result, event)
        return result

    def flush(self) -> int:
        """Remove every key; the memory comes back in slices. Returns how many there were."""
        removed = self.live_size()
        if self.size:
            self.keyspace.discard(self._remains())
            self._renew()
        self.dirty += removed
        return removed

    # All keys

    def live_size(self) -> int:
        """How many keys there are that have not expired."""
        overdue = self.wheel.overdue(self.clock.now()) if self.wheel.size else 0
        return self.size - overdue - (dead_hashes(self) if self.fields.size else 0)

    def shown_size(self) -> int:
        """How many keys clients are told that there are; where what has expired stays until it is read, that too."""
        return self.live_size() if self.keyspace.sweeps else self.size

    def volatile(self) -> int:
        """How many keys there are that will expire; where what has expired stays until it is read, that too."""
        return self.wheel.size - self.wheel.overdue(self.clock.now()) if self.keyspace.sweeps else self.wheel.size

    def keys(self) -> Iterator[bytes]:
        """All keys that have not expired."""
        now = self.clock.now()
        for bucket in filter(None, self.buckets):
            for key, value in bucket.items():
                if not isinstance(value, Entry) or value.expires > now:
                    yield key

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About ``count`` keys from ``cursor`` on and the next cursor, 0 at the end. Expired keys are left out."""
        if cursor >= END or not self.size:
            return 0, []
        cursor, keys = scan(self.buckets, 0, cursor, count)
        if self.wheel.size or self.fields.size:
            keys = [key for key in keys if self.expires_at(key) is not None]
        return cursor, keys

    def random_key(self) -> bytes | None:
        """A key that has not expired, each as likely as the others; None where there is none."""
        tries = _TRIES if self.keyspace.follows else 0  # where what is dead stays, there may be nothing else
        while self.shown_size():
            bucket, place = choose_bucket(self.buckets, self.size, self.keyspace.choose)
            key = next(key for number, key in enumerate(bucket) if number == place)
            if self.expires_at(key) is not None:
                return key
            tries -= 1
            if not tries and self.wheel.size == self.size:
                return key
        return None

    def expire_due(self, limit: int) -> bool:
        """Remove keys and fields whose time has come, about ``limit`` of them at most. Whether there is more to do."""
        if self.keyspace.stands_still:
            return False
        more = False
        if self.wheel.size:
            due, more = self.wheel.expire(self.clock.now(), limit)
            for entry in due:
                self._drop(entry)
        return drop_due_fields(self, limit) or more if self.fields.size else more

    def next_due(self) -> int | None:
        """When to call ``expire_due`` next, in ms; None while nothing expires."""
        dues = [due for wheel in (self.wheel, self.fields) if (due := wheel.next_due()) is not None]
        return min(dues, default=None)

    # Inside

    def _seen_value(self, entry: Entry) -> Any:
        """The value of an entry for a reader, or None where it has expired: then the key is gone, or hidden while the
        keyspace stands still."""
        if entry.expires <= self.clock.time * 1000.0:
            return None if self.keyspace.stands_still else self._live_value(entry)
        return entry.value

    def _live_value(self, entry: Entry) -> Any:
        """The value of an entry for a writer, or None where it has expired: then the key is gone."""
        if entry.expires <= self.clock.time * 1000.0:
            if entry.next is not None:
                self.wheel.remove(entry)
            self._drop(entry)
            return None
        return entry.value

    def _drop(self, entry: Entry) -> None:
        """Remove an expired entry that is out of the wheel."""
        bucket = self.buckets[hash(entry.key) & SLOT_MASK]
        del bucket[entry.key]
        if not bucket:
            bucket.clear()  # a dict does not give its room back by itself
        self.size -= 1
        self._let_go(entry)
        self._has_expired(entry)

    def _has_expired(self, entry: Entry) -> None:
        """An entry has been removed because its time had come, or that of its last field."""
        value = entry.value
        if type(value) is VolatileHash and value.times.until > self.clock.now():
            self.expired_fields += len(value.fields)
            self.announce(entry.key, FIELDS_EXPIRED)
            self.announce(entry.key, DEL)
        else:
            self.expired += 1
            self.announce(entry.key, EXPIRED_KEY)

    def evict(self, bound: int = -1, most: int = 1) -> int:
        """Give up the keys that the engine chooses, ``most`` of them or until the keyspace holds no more than ``bound``
        bytes. Returns how many: 0 where it has none to give, or there is no engine."""
        return 0

    def _has_been_evicted(self, entry: Entry) -> None:
        """An entry has been given up."""
        self.keyspace.evicted += 1

    def replaced(self, key: bytes, old: Any) -> None:
        """What was stored under ``key`` has been overwritten."""
        if isinstance(old, Entry) and old.expires <= self.clock.now():
            self._has_expired(old)
        self._let_go(old)

    def _let_go(self, value: Any) -> None:
        """What was stored under a key, entry or value, is no longer."""
        if isinstance(value, Entry):
            if value.next is not None:
                self.wheel.remove(value)
            value = value.value
        if type(value) in _LIGHT:
            return
        size = len(value)
        if type(value) is VolatileHash:
            leave(self, value)
            size = len(value.fields)  # with those that have expired
        if size > HEAVY:
            self.keyspace.discard(value)

    def _supplant(self, bucket: Bucket, entry: Entry, value: Any) -> None:
        """A string takes the place of a collection, and its time to live."""
        expires = self.expires_at(entry.key)
        self._let_go(entry)
        bucket[entry.key] = value
        if expires is not None and expires != NEVER:
            bucket[entry.key] = entry = TimedEntry(entry.key, value, expires)
            self.wheel.add(entry)

    def _remains(self) -> Remains:
        return Remains(self.keyspace, self.buckets)

    def retime(self, entry: Entry, expires: int) -> Entry:
        """Give an entry that is in no ring of the wheel another time, which is not NEVER. Returns the entry that has it
        now."""
        entry.expires = expires
        return entry

    def forget_expiry(self, bucket: Bucket, entry: Entry) -> None:
        """An entry that is out of the wheel does not expire any more: the bare value will do."""
        bucket[entry.key] = entry.value

    def _check(self) -> None:
        """Assert that keys are in their buckets, counts are right, and what expires hangs in the wheels."""
        self.wheel._check()
        self.fields._check()
        volatile = timed = 0
        for number in compress(count(), self.buckets):  # of the buckets that are not empty
            for key, value in self.buckets[number].items():
                assert hash(key) & SLOT_MASK == number and type(key) is bytes
                entry, value = value, value.value if isinstance(value, Entry) else value
                expires = until = entry.expires if isinstance(entry, Entry) else NEVER
                if type(value) is VolatileHash:
                    times, until = value.times, value.times.until
                    assert times.next is not None and times.key == key and times.expires == times.earliest()
                    assert expires == min(until, value.end())
                    timed += 1
                if isinstance(entry, Entry):
                    assert entry.key == key and (entry.next is not None) == (until != NEVER)
                    volatile += entry.next is not None
                assert value is not None and not isinstance(value, Entry)
                if type(value) not in STRING_TYPES:
                    value._check()
        assert volatile == self.wheel.size and timed == self.fields.size
        assert self.size == sum(map(len, self.buckets))


_TRIES = 100
"""So often a random key is looked for among keys all of which expire, while none goes; then a dead one will do, as in
Redis."""
_LIGHT = STRING_TYPES
