"""What other policies and other sizes would have hit, found out from a sample of the keys while they are in use.

*The sample.* A key belongs to it if some bits of its hash are below a threshold, so that all accesses to a key count or
none does (SHARDS). Where more keys are known than are wanted, the threshold falls to the greatest of them, which goes:
the number of keys is bounded, whatever the keyspace holds, and the rate is what the threshold is. An access counts for
as many as the rate at its time stands for.

*The caches.* There is a Shadow (shadow.py) for each policy and size, and a Stack (stack.py), which tells what LRU would
hit at all sizes at once. They are fed with what happens to the real keys: a read asks them all; what is read or written
in the real cache they take in, with its real size and time to live; what is deleted or expires leaves them. What the
real cache gives up is no concern of theirs. When a key is read that is not there, the client is about to fetch and
write it: to a shadow that had it, that write is no access.

*The figures.* A few keys that are in great demand may be in the sample or not, which would shift all hit ratios by
more than anything else, and all alike. What the real cache misses is known exactly, so the misses of the caches are
scaled by how many the real one has for each that it has in the sample (a ratio estimate). On traces of zipf 0.8 and 1.1
with five percent of 40,000 keys that leaves an error of 0.2 to 1 points, where the sample alone has 3 to 8, and the
adjustment of SHARDS, which takes the reads that the sample has too many or too few for hits, 0.5 to 1.7.

While nobody wants to know, the databases have no ShadowedDatabase among their classes (shape.py).

Sources: Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC construction with SHARDS", FAST 2015; Cochran, "Sampling
techniques", 1977, chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sortedcontainers import SortedList

from pycache_server.entry import NEVER, Entry, SizedEntry
from pycache_server.evict.base import Policy, Surroundings
from pycache_server.evict.lru import Lru
from pycache_server.store.candidates import plain_candidates
from pycache_server.store.database import Database
from pycache_server.store.events import Event
from pycache_server.store.expiry import Wheel
from pycache_server.store.memory import size_of_value
from pycache_server.store.scan import SLOTS
from pycache_server.store.shadow import Shadow
from pycache_server.store.stack import Curve, Stack
from pycache_server.store.strings import as_bytes

PLACES = 0x3FFFF * SLOTS
"""The bits of a hash that decide whether a key is sampled: none of those that choose its bucket, and few enough for an
int of one digit, which is found in half of the time."""
_ALL = PLACES + SLOTS
_EFFORT = 100
"""What leaving all caches is to take for, in elements that are freed."""


class Known(SizedEntry):
    """A key of the sample that some cache holds. ``size`` is its payload (shadow.py), ``holders`` the number of caches
    that hold it; ``missed`` tells that its last read has found nothing."""

    __slots__ = ("expires", "holders", "missed", "next", "place", "prev")

    def __init__(self, name: bytes, place: int) -> None:
        super().__init__(name, None)
        self.expires = NEVER
        self.next = self.prev = None
        self.place = place
        self.holders = 0
        self.missed = False


class Simulation:
    """Shadows of some policies at some percentages of ``memory`` bytes, with ``most`` sampled keys at most, the share
    ``rate`` of all keys at the beginning."""

    def __init__(
        self,
        memory: int,
        policies: Iterable[Policy],
        percents: Iterable[int],
        surroundings: Surroundings,
        most: int = 4096,
        rate: float = 1.0,
    ) -> None:
        self.memory = memory
        self.percents = sorted(set(percents))
        self.most = most
        self.asked = 0
        """Reads of all keys."""
        self.found = 0
        """Those that found their key."""
        self.threshold = max(SLOTS, int(rate * _ALL))
        self._policies = list(policies)
        self._surroundings = surroundings
        self._known: dict[bytes, Known] = {}
        self._places: SortedList[tuple[int, bytes]] = SortedList()
        self._wheel = Wheel()
        self._stack = Stack()
        self._lru = plain_candidates(Lru, False, surroundings)
        self.shadows = [
            Shadow(policy, percent, surroundings, self._released)
            for policy in self._policies
            for percent in self.percents
        ]
        self._set_limits()
        self.reset()

    def reset(self) -> None:
        """Count from now on; the caches keep what they hold."""
        self.asked = self.found = 0
        self.reads = 0.0
        """Reads of keys of the sample, weighted."""
        self.hits = 0.0
        """Those that found their key."""
        self._curve = Curve()
        for shadow in self.shadows:
            shadow.hits = 0.0

    def anew(self) -> Simulation:
        """The same with empty caches: the keys have gone. The counts go on."""
        found = Simulation(self.memory, self._policies, self.percents, self._surroundings, self.most)
        for name in ("threshold", "asked", "found", "reads", "hits"):
            setattr(found, name, getattr(self, name))
        found._curve = self._curve
        for shadow, old in zip(found.shadows, self.shadows, strict=True):
            shadow.hits = old.hits
        found._set_limits()
        return found

    # What it finds out

    @property
    def rate(self) -> float:
        """The share of the keys that is sampled."""
        return self.threshold / _ALL

    @property
    def real_ratio(self) -> float:
        """The hit ratio of the real cache, from 0 to 1."""
        return self.found / self.asked if self.asked else 0.0

    def ratio(self, hits: float) -> float:
        """The hit ratio, from 0 to 1, of a cache with so many weighted hits of the sample."""
        if not self.asked:
            return 0.0
        missed, sampled = self.asked - self.found, self.reads - self.hits
        scale = missed / sampled if missed and sampled > 0.5 else 1.0  # none in the sample, but for rounding
        return min(1.0, max(0.0, 1 - (self.reads - hits) * scale / self.asked))

    def best(self) -> Shadow:
        """The shadow with most hits of those that are as big as the real cache, or nearest to that."""
        nearest = min(self.percents, key=lambda percent: abs(percent - 100))
        return max((each for each in self.shadows if each.percent == nearest), key=lambda each: each.hits)

    def lru_ratio(self, percent: float) -> float:
        """The hit ratio of exact LRU with that part of the memory, up to the largest that is simulated."""
        return self.ratio(self._curve.hits(percent / 100 * self.memory))

    def __len__(self) -> int:
        return len(self._known)

    # What it hears of keys of the sample, after it has happened in a database

    def has_read(self, database: Database, key: bytes, found: bool) -> None:
        """A key was read."""
        rate = self.rate
        weight = 1 / rate
        self.reads += weight
        if found:
            self.hits += weight
        known = self._find(database, key)
        if known is None and found:
            known = self._meet(database, key)
        if known is None:
            return
        known.missed = not found
        name, payload, expires = known.key, known.size, known.expires
        known.holders += 1  # so that it is known until the end
        for shadow in self.shadows:
            if shadow.access(name):
                shadow.hits += weight
            elif found and shadow.put(name, payload, expires):
                known.holders += 1
        if found or name in self._stack:
            distance = self._push(known)
            if distance is not None:
                self._curve.add(distance / rate, weight)
        self._released(name)

    def has_used(self, database: Database, key: bytes) -> None:
        """A key was found by a command that changes it."""
        known = self._find(database, key)
        if known is not None:
            for shadow in self.shadows:
                shadow.access(known.key)
            if known.key in self._stack:
                self._push(known)

    def has_written(self, database: Database, key: bytes, access: bool = False) -> None:
        """A key has another value, size or time to live, or is new. ``access`` tells that this is an access to it, if
        it was there."""
        value = database.peek(key)
        if value is None:
            self.has_gone(database, key)
            return
        known = self._find(database, key) or self._meet(database, key)
        if known is None:
            return
        if known.missed:
            known.missed = access = False
        self._measure(known, database, key, value)
        name, payload, expires = known.key, known.size, known.expires
        known.holders += 1
        for shadow in self.shadows:
            if shadow.put(name, payload, expires, access):
                known.holders += 1
        if access or name not in self._stack:
            self._push(known)
        else:
            self._stack.resize(name, self._weight(known))
        self._released(name)

    def has_gone(self, database: Database, key: bytes) -> None:
        """A key was deleted, or has expired."""
        known = self._known.get(_name(database, key))
        if known is not None:
            self._drop(known)

    # The sample

    def _find(self, database: Database, key: bytes) -> Known | None:
        now = database.clock.now()
        due = self._wheel.next_due()
        if due is not None and due <= now:
            for entry in self._wheel.expire(now, 16)[0]:
                self._drop(self._known[entry.key])
        known = self._known.get(_name(database, key))
        if known is not None and known.expires <= now:
            self._drop(known)
            return None
        return known

    def _meet(self, database: Database, key: bytes) -> Known | None:
        """Begin to know a key that is there. None where that makes too many, and it is the one to go."""
        name = _name(database, key)
        known = self._known[name] = Known(name, hash(key) & PLACES)
        self._places.add((known.place, name))
        self._measure(known, database, key, database.peek(key))
        while len(self._known) > self.most:
            self._lower()
        return known if name in self._known else None

    def _lower(self) -> None:
        """Let those go whose hash is greatest, and what is like them be sampled no more."""
        self.threshold = max(SLOTS, self._places[-1][0])
        while self._places and (self._places[-1][0] >= self.threshold or len(self._known) > self.most):
            self._drop(self._known[self._places[-1][1]])
        self._set_limits()

    def _measure(self, known: Known, database: Database, key: bytes, value: Any) -> None:
        known.size = size_of_value(key) + size_of_value(value)
        entry = database.entry(key)
        expires = entry.expires if entry is not None else NEVER
        if expires != known.expires:
            if known.next is not None:
                self._wheel.remove(known)
            known.expires = expires
            if expires != NEVER:
                self._wheel.add(known)

    def _set_limits(self) -> None:
        for shadow in self.shadows:
            shadow.limit = self.memory * shadow.percent / 100 * self.rate

    def _weight(self, known: Known) -> int:
        return self._lru.weight_until(known.expires) + known.size

    def _push(self, known: Known) -> int | None:
        """Put a key on top of the stack, and let go what lies too deep. Returns how deep it lay."""
        stack = self._stack
        distance = stack.touch(known.key, self._weight(known))
        if distance is None:
            known.holders += 1
        bottom = self.memory * self.percents[-1] / 100 * self.rate
        while stack.total > bottom and len(stack) > 1:
            name = stack.oldest()
            stack.remove(name)
            self._released(name)
        return distance

    def _released(self, name: bytes) -> None:
        """A cache holds a key no more."""
        known = self._known[name]
        known.holders -= 1
        if not known.holders:
            self._forget(known)

    def _forget(self, known: Known) -> None:
        del self._known[known.key]
        self._places.remove((known.place, known.key))
        if known.next is not None:
            self._wheel.remove(known)

    def _drop(self, known: Known) -> None:
        """A key leaves all caches."""
        name = known.key
        for shadow in self.shadows:
            shadow.discard(name)
        if name in self._stack:
            self._stack.remove(name)
        self._forget(known)

    def free(self, budget: int) -> int:
        """Take the caches apart in slices (memory.py). Returns about how many elements that was."""
        done = 0
        while self._known and done < budget:
            self._drop(next(iter(self._known.values())))
            done += _EFFORT
        if not self._known:
            self._wheel.next_due()  # which closes the rings that are empty
            self.shadows.clear()  # who know this: a cycle
        return done

    def _check(self) -> None:
        self._stack._check()
        self._wheel._check()
        assert len(self._known) <= self.most and len(self._places) == len(self._known)
        for shadow in self.shadows:
            shadow._check()
        for name, known in self._known.items():
            holders = sum(name in shadow for shadow in self.shadows) + (name in self._stack)
            assert known.key == name and known.holders == holders > 0
            assert known.place < self.threshold
        for cache in self.shadows:
            assert all(name in self._known for name in cache._entries)


def _name(database: Database, key: bytes) -> bytes:
    """A name for a key among those of all databases."""
    return b"%d:%b" % (database.index, key)


class ShadowedDatabase(Database):
    """A database that tells a simulation. A mix-in of shape.py."""

    __slots__ = ()

    def _written(self, key: bytes, access: bool = False) -> None:
        shadows = self.keyspace.shadows
        if shadows is not None and hash(key) & PLACES < shadows.threshold:
            shadows.has_written(self, key, access)

    def _gone(self, key: bytes) -> None:
        shadows = self.keyspace.shadows
        if shadows is not None and hash(key) & PLACES < shadows.threshold:
            shadows.has_gone(self, key)

    def _asked(self, key: bytes, found: bool) -> None:
        shadows = self.keyspace.shadows
        if shadows is not None:
            shadows.asked += 1
            shadows.found += found
            if hash(key) & PLACES < shadows.threshold:
                shadows.has_read(self, key, found)

    def read(self, key: bytes) -> Any:
        value = super().read(key)
        self._asked(key, value is not None)
        return value

    def get_string(self, key: bytes) -> bytes | None:
        value = super().get_string(key)
        self._asked(key, value is not None)
        return value

    def read_string(self, key: bytes) -> bytes | None:
        value = self.read(key)
        return value if type(value) is bytes or value is None else as_bytes(value)

    def find(self, key: bytes) -> Any:
        value = super().find(key)
        shadows = self.keyspace.shadows
        if value is not None and shadows is not None and hash(key) & PLACES < shadows.threshold:
            shadows.has_used(self, key)
        return value

    def put(self, key: bytes, value: Any, event: Event) -> None:
        super().put(key, value, event)
        self._written(key, access=True)

    def put_until(self, key: bytes, value: Any, expires: int, event: Event) -> None:
        super().put_until(key, value, expires, event)
        self._written(key, access=True)

    def update(self, key: bytes, value: Any, event: Event) -> None:
        super().update(key, value, event)
        self._written(key)

    def touched(self, key: bytes, event: Event, changes: int = 1) -> None:
        super().touched(key, event, changes)
        self._written(key)

    def increment(self, key: bytes, delta: int, event: Event) -> int:
        return self._increment_any(key, self.find(key), delta, event)  # which ends in ``update``

    def expire(self, key: bytes, expires: int, event: Event) -> bool:
        done = super().expire(key, expires, event)
        if done:
            self._written(key)
        return done

    def persist(self, key: bytes, event: Event) -> bool:
        done = super().persist(key, event)
        if done:
            self._written(key)
        return done

    def delete(self, key: bytes, event: Event) -> bool:
        deleted = super().delete(key, event)
        self._gone(key)
        return deleted

    def take(self, key: bytes) -> tuple[Any, int] | None:
        taken = super().take(key)
        self._gone(key)
        return taken

    def vacate(self, key: bytes) -> None:
        super().vacate(key)
        self._gone(key)

    def flush(self) -> int:
        removed = super().flush()
        if removed:
            self.keyspace.restart_shadows()
        return removed

    def _has_expired(self, entry: Entry) -> None:
        super()._has_expired(entry)
        self._gone(entry.key)
