"""A ring of entries: a queue from which anything can be taken out at once.

The links lie in the entries, so a ring costs 16 bytes an entry, moving one is six pointer writes, and nothing has to be
rebuilt when it grows to millions. The ring's head is an entry of its own, the newest and the oldest entry's neighbour,
so that no end is a special case. Whoever is taken out forgets its neighbours: rings are reference cycles, and automatic
garbage collection may be off. (To write None over a slot takes CPython a third of the time that it takes to delete it.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from pycache_server.entry import SizedEntry

LONGEST_WALK = 1024
"""How many entries a search for a victim looks at before it takes the next one, be it good or bad: as many as half a
millisecond allows where each is a cache miss. What it has looked at is done, so the next search starts behind it."""


class LinkedEntry(SizedEntry):
    """``newer`` and ``older`` are its neighbours while it is in a ring; in none they are None, or not set."""

    __slots__ = ("newer", "older")

    newer: Any
    older: Any


E = TypeVar("E", bound=LinkedEntry)


def _slots_of(entry_type: type[LinkedEntry]) -> list[str]:
    """The fields that an engine has in its entries."""
    engines = entry_type.__mro__[: entry_type.__mro__.index(SizedEntry)]
    return [name for each in engines for name in vars(each).get("__slots__", ()) if name not in _OWNED]


_OWNED = frozenset(("expires", "next", "prev"))


class Ring(Generic[E]):
    """Entries from the oldest to the newest. ``head.older`` is the newest, ``head.newer`` the oldest; both are the head
    itself where there is none."""

    __slots__ = ("head", "size")

    def __init__(self) -> None:
        self.head = head = LinkedEntry(b"", None)
        head.newer = head.older = head
        self.size = 0

    def push(self, entry: E) -> None:
        """Put in an entry that is in no ring, as the newest."""
        head = self.head
        newest = head.older
        entry.older = newest
        entry.newer = head
        newest.newer = head.older = entry
        self.size += 1

    def push_before(self, entry: E, younger: E) -> None:
        """Put in an entry that is in no ring, as the one that is next older than another."""
        older = younger.older
        entry.older, entry.newer = older, younger
        older.newer = younger.older = entry
        self.size += 1

    def remove(self, entry: E) -> None:
        """Take out an entry that is in."""
        newer, older = entry.newer, entry.older
        newer.older = older
        older.newer = newer
        entry.newer = entry.older = None
        self.size -= 1

    def replace(self, old: E, new: E) -> None:
        """Put an entry that is in no ring in the place of one that is in, with all that the engine knows of it."""
        for name in ("mark", *_slots_of(type(old))):
            if hasattr(old, name):
                setattr(new, name, getattr(old, name))
        new.newer.older = new.older.newer = new
        del old.newer, old.older

    def dissolve(self) -> None:
        """The ring is empty and will not be used any more: its head forgets itself."""
        del self.head.newer, self.head.older

    def oldest(self) -> E | None:
        """The entry that has been in for the longest time; None where there is none."""
        entry = self.head.newer
        return None if entry is self.head else entry

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[E]:
        """From the oldest to the newest."""
        entry = self.head.newer
        while entry is not self.head:
            yield entry
            entry = entry.newer

    def _check(self) -> None:
        """Assert that links agree and the size is right."""
        assert sum(1 for _ in self) == self.size
        assert all(entry.newer.older is entry and entry.older.newer is entry for entry in self)
        assert self.head.newer.older is self.head and self.head.older.newer is self.head
