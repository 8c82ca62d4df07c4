"""Any key, each as likely as the others.

Sometimes that is right: a loop over more keys than fit hits nothing under LRU, and a good part under Random. An entry
knows its place in a list of all, so one is drawn, or taken out with the last put in its place, in O(1).
"""

from __future__ import annotations

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine, Surroundings


class PlacedEntry(SizedEntry):
    """``place`` is its index in the engine's list."""

    __slots__ = ("place",)

    place: int


class Random(Engine):
    """A list of all entries, in no order."""

    entry_type = PlacedEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._entries: list[PlacedEntry] = []

    def admit(self, entry: PlacedEntry) -> None:
        entry.place = len(self._entries)
        self._entries.append(entry)

    def access(self, entry: PlacedEntry) -> None:
        """Nothing to remember."""

    def discard(self, entry: PlacedEntry) -> None:
        last = self._entries.pop()
        if last is not entry:
            self._entries[entry.place] = last
            last.place = entry.place

    def exchange(self, old: PlacedEntry, new: PlacedEntry) -> None:
        new.place = old.place
        self._entries[new.place] = new

    def victim(self) -> PlacedEntry | None:
        entries = self._entries
        return entries[self.surroundings.choose(len(entries))] if entries else None

    def _check(self) -> None:
        assert all(entry.place == place for place, entry in enumerate(self._entries))
