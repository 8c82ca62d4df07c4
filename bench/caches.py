"""Caches in this process, counted in entries: what eviction engines hit of a trace, and what they are measured by.

The references need no engine: ``opt`` knows the future and is the bound of all policies, ``lru``, ``fifo`` and
``random`` know nothing but the order of what has come. An engine is called as a database calls it: room is made before
a new key comes in, and time is a tick a request, so that nothing depends on how fast this machine is.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

from pycache_server.entry import NEVER, SizedEntry, make_entry
from pycache_server.evict.base import Engine, Surroundings

BEGIN = 1_700_000_000.0
"""When time begins, in seconds: any time that is not near 0."""


# References: hits of a trace with room for so many entries


def opt(keys: Sequence[int], room: int) -> int:
    """The most that any policy could hit, one that keeps a newcomer out included (Belady 1966).

    A hit is a key that was kept from one request to its next. Of all that is kept at a time, what comes back last is
    given up; so a key is known by the time at which it comes back, which is unique.
    """
    back = _next_requests(keys)
    kept: set[int] = set()
    farthest: list[int] = []  # a heap of negative times, of those that are kept and of some that are past
    hits = 0
    for time, returns in enumerate(back):
        if time in kept:
            kept.remove(time)
            hits += 1
        if returns < len(keys):
            kept.add(returns)
            heapq.heappush(farthest, -returns)
            if len(kept) > room:
                kept.remove(-heapq.heappop(farthest))
    return hits


def _next_requests(keys: Sequence[int]) -> list[int]:
    """For each request when its key comes next: the end of the trace where it does not."""
    back = [len(keys)] * len(keys)
    last: dict[int, int] = {}
    for time, key in enumerate(keys):
        if key in last:
            back[last[key]] = time
        last[key] = time
    return back


def lru(keys: Sequence[int], room: int) -> int:
    """The key goes that has not been asked for for the longest time."""
    order: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in keys:
        if key in order:
            order.move_to_end(key)
            hits += 1
            continue
        if len(order) >= room:
            order.popitem(last=False)
        order[key] = None
    return hits


def fifo(keys: Sequence[int], room: int) -> int:
    """The key goes that has been there for the longest time."""
    queue: deque[int] = deque()
    there: set[int] = set()
    hits = 0
    for key in keys:
        if key in there:
            hits += 1
            continue
        if len(queue) >= room:
            there.remove(queue.popleft())
        queue.append(key)
        there.add(key)
    return hits


def by_chance(keys: Sequence[int], room: int) -> int:
    """Any key goes."""
    chance = random.Random(1)
    held: list[int] = []
    there: set[int] = set()
    hits = 0
    for key in keys:
        if key in there:
            hits += 1
            continue
        there.add(key)
        if len(held) < room:
            held.append(key)
        else:
            place = chance.randrange(room)
            there.remove(held[place])
            held[place] = key
    return hits


REFERENCES: dict[str, Callable[[Sequence[int], int], int]] = {
    "opt": opt,
    "exact lru": lru,
    "fifo": fifo,
    "chance": by_chance,
}


# Engines


class EngineCache:
    """Room for so many entries, given up by an engine. ``now`` is in seconds, and stands still unless it is moved."""

    def __init__(self, engine: type[Engine], room: int, lazy: bool = False) -> None:
        """``lazy`` lets keys that have expired keep their room until they are asked for or given up."""
        self.now = BEGIN
        self.engine = engine(Surroundings(lambda: self.now, random.Random(1).randrange))
        self.room = room
        self.entries: dict[int, SizedEntry] = {}
        self._due: list[tuple[int, int]] | None = None if lazy else []

    def ask(self, key: int, lives: int = 0) -> bool:
        """Get a key, and put it in where it is not there, to live so many ms or for ever. Whether it was there."""
        if self._due:
            self._expire(self._due)
        entry = self.entries.get(key)
        if entry is not None:
            if entry.expires > self.now * 1000:
                self.engine.access(entry)
                return True
            self._drop(entry)
        while len(self.entries) >= self.room:
            self._evict()
        self._add(key, int(self.now * 1000) + lives if lives else NEVER)
        return False

    def _add(self, key: int, expires: int) -> None:
        self.entries[key] = entry = make_entry(self.engine.entry_type, b"%d" % key, None, expires)
        entry.size = 1
        self.engine.admit(entry)
        if expires != NEVER and self._due is not None:
            heapq.heappush(self._due, (expires, key))

    def _evict(self) -> None:
        victim = self.engine.victim()
        assert victim is not None
        del self.entries[int(victim.key)]
        self.engine.evicted(victim)

    def _drop(self, entry: SizedEntry) -> None:
        del self.entries[int(entry.key)]
        self.engine.discard(entry)

    def _expire(self, due: list[tuple[int, int]]) -> None:
        """Remove what has expired."""
        now = self.now * 1000
        while due and due[0][0] <= now:
            expires, key = heapq.heappop(due)
            entry = self.entries.get(key)
            if entry is not None and entry.expires == expires:
                self._drop(entry)


def hits_of(engine: type[Engine], keys: Iterable[int], room: int) -> int:
    """What an engine hits of a trace, a millisecond a request."""
    cache = EngineCache(engine, room)
    hits = 0
    for key in keys:
        cache.now += 0.001
        hits += cache.ask(key)
    return hits
