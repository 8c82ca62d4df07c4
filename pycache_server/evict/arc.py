"""ARC: the share of recency against that of frequency, learned from what was given up too early.

Two lists in the order of the last access: *recent* has entries that were asked for once, *frequent* those that were
asked for again. Each has ghosts, the keys that it gave up last; with its ghosts a list is never longer than the cache
has room for entries. When a ghost of the recent list comes back that list should have been longer, so its target grows;
a ghost of the frequent list makes it shrink, by more the fewer such ghosts there are. The list that exceeds its target
gives the victim.

The paper makes room before it brings a key in; here the key is in already when a victim is asked for, so one entry that
came last does not count.

Source: Megiddo, Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003.
"""

from __future__ import annotations

from typing import Any

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.ghosts import Ghosts
from pycache_server.evict.ring import LinkedEntry, Ring

_MOST_DROPS = 4
"""Ghosts that may go for one that comes, where the cache has become smaller."""


class ArcEntry(LinkedEntry):
    """``mark`` is whether it has been asked for again."""

    __slots__ = ()

    mark: bool


class Arc(Engine):
    """The paper's T1, B1, T2, B2 and p: ``_recent``, ``_recent_ghosts``, ``_frequent``, ``_frequent_ghosts``, and
    ``_target``, the number of entries that the recent list ought to have."""

    entry_type = ArcEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._recent = Ring[ArcEntry]()
        self._frequent = Ring[ArcEntry]()
        self._recent_ghosts = Ghosts()
        self._frequent_ghosts = Ghosts()
        self._target = 0.0
        self._newcomer = False  # whether the recent list has an entry that no room has been made for
        self._regretted = False  # whether the last that came was a ghost of the frequent list

    def admit(self, entry: ArcEntry) -> None:
        recent_ghosts, frequent_ghosts = self._recent_ghosts.size, self._frequent_ghosts.size
        hash_ = hash(entry.key)
        self._regretted = self._newcomer = False
        entry.mark = True
        if self._recent_ghosts.take(hash_) is not None:
            room = self._recent.size + self._frequent.size
            self._target = min(room, self._target + max(1.0, frequent_ghosts / recent_ghosts))
            self._frequent.push(entry)
        elif self._frequent_ghosts.take(hash_) is not None:
            self._target = max(0.0, self._target - max(1.0, recent_ghosts / frequent_ghosts))
            self._regretted = True
            self._frequent.push(entry)
        else:
            entry.mark = False
            self._newcomer = True
            self._recent.push(entry)

    def access(self, entry: ArcEntry) -> None:
        if entry.mark:
            self._frequent.remove(entry)
        else:
            self._recent.remove(entry)
            entry.mark = True
        self._frequent.push(entry)

    def discard(self, entry: ArcEntry) -> None:
        (self._frequent if entry.mark else self._recent).remove(entry)

    def exchange(self, old: ArcEntry, new: ArcEntry) -> None:
        self._recent.replace(old, new)  # or in the other one, which is the same

    def remains(self) -> list[Any]:
        return [ghosts for ghosts in (self._recent_ghosts, self._frequent_ghosts) if ghosts]

    def evicted(self, entry: ArcEntry) -> None:
        self.discard(entry)
        room = self._recent.size + self._frequent.size
        ghosts = self._frequent_ghosts if entry.mark else self._recent_ghosts
        ghosts.add(hash(entry.key), 2 * room)
        for _ in range(_MOST_DROPS):
            if self._recent_ghosts.size and self._recent.size - self._newcomer + self._recent_ghosts.size > room:
                self._recent_ghosts.drop_oldest()
            elif self._frequent_ghosts.size and self._recent_ghosts.size + self._frequent_ghosts.size > room:
                self._frequent_ghosts.drop_oldest()
        self._newcomer = False

    def victim(self) -> ArcEntry | None:
        recent = self._recent.size - self._newcomer
        over = recent > self._target or (self._regretted and recent >= self._target)
        if recent > 0 and over:
            return self._recent.oldest()
        return self._frequent.oldest() or self._recent.oldest()

    def report(self) -> dict[str, int | float | str]:
        return {
            "recent": self._recent.size,
            "frequent": self._frequent.size,
            "recent_target": round(self._target),
            "ghosts": self._recent_ghosts.size + self._frequent_ghosts.size,
        }

    def _check(self) -> None:
        for ring in (self._recent, self._frequent):
            ring._check()
        for ghosts in (self._recent_ghosts, self._frequent_ghosts):
            ghosts._check()
        assert not any(entry.mark for entry in self._recent)
        assert all(entry.mark for entry in self._frequent)
        assert self._target >= 0
