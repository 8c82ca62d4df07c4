"""A cache that holds no values: what another policy, or another size, would have kept.

It has an engine of the policy's own class, the entries that the engine wants, and the size of each key; it is asked and
filled with the keys of a sample, and its limit is the sample's share of the memory that it stands for (miniature
simulation: a tenth of the keys in a tenth of the memory behave as all of them do).

It gives up keys when a server does: before it takes something in, while it holds more than its limit.

Source: Waldspurger, Saemundsson, Ahmad, Park, "Cache modeling and optimization using miniature simulations", ATC 2017.
"""

from __future__ import annotations

from collections.abc import Callable

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Policy, Surroundings
from pycache_server.store.candidates import plain_candidates


class Shadow:
    """The cache of one policy with ``percent`` of the memory. ``limit`` is in bytes, for the keys of the sample;
    ``on_eviction`` is called with the name of each key that is given up.

    ``payload`` is what a key takes but for the entry of the engine, whose size differs between engines.
    """

    __slots__ = ("_candidates", "_entries", "full", "hits", "limit", "on_eviction", "percent", "policy", "used")

    def __init__(
        self, policy: Policy, percent: int, surroundings: Surroundings, on_eviction: Callable[[bytes], None]
    ) -> None:
        self.policy = policy
        self.percent = percent
        self.on_eviction = on_eviction
        self.limit = 0.0
        self.hits = 0.0
        """Reads that it would have answered, weighted."""
        self.used = 0
        self.full = False
        """Whether it has ever been: until then it tells nothing of its policy."""
        self._entries: dict[bytes, SizedEntry] = {}
        self._candidates = plain_candidates(policy.engine, policy.volatile, surroundings)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: bytes) -> bool:
        return name in self._entries

    def access(self, name: bytes) -> bool:
        """A key is read or written. Whether it is in."""
        entry = self._entries.get(name)
        if entry is None:
            return False
        self._candidates.access(entry)
        return True

    def put(self, name: bytes, payload: int, expires: int, access: bool = False) -> bool:
        """Take a key in, or let it have another size or time to live; ``access`` tells that the latter is an access to
        the engine. It stays out where nothing may go for it. Whether it has come."""
        able = self._make_room()
        candidates = self._candidates
        entry = self._entries.get(name)
        if entry is not None:
            if entry.expires != expires:
                access = not candidates.retime(entry, expires) and access
            size = candidates.weight_until(expires) + payload
            self.used += size - entry.size
            entry.size = size
            if access:
                candidates.access(entry)
            return False
        if not able:
            return False
        entry = self._entries[name] = candidates.timed(name, None, expires)
        entry.size = candidates.weight_until(expires) + payload
        self.used += entry.size
        candidates.admit(entry)
        return True

    def discard(self, name: bytes) -> None:
        """A key goes everywhere: it is deleted, or its time has come, or it is no longer in the sample."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.used -= entry.size
            self._candidates.discard(entry)

    def _make_room(self) -> bool:
        """Give up keys while there is too much. False where there is nothing to give up."""
        while self.used > self.limit:
            self.full = True
            victim = self._candidates.victim()
            if victim is None:
                return False
            del self._entries[victim.key]
            self.used -= victim.size
            self._candidates.evicted(victim)
            self.on_eviction(victim.key)
        return True

    def _check(self) -> None:
        assert self.used == sum(entry.size for entry in self._entries.values())
        assert all(entry.key == name for name, entry in self._entries.items())
        self._candidates._check()
