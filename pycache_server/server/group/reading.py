"""Loading the append-only file of a group: its data set, and the entries at its end.

All entries are executed; the last ones are kept for the log of the group, so many bytes of them. Of an increment that
another one follows only what lies in front of that one's beginning counts: a rewrite has written the rest of it again.

Whether what is found is all that this voter has acknowledged is told by ``covered``: if everything was synced before it
was acknowledged, or if the end was a clean one. If anybody else has written to the files, nothing is known of them:
``place`` is None then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycache_server.persist.group_lines import Place, Reading, units_of
from pycache_server.persist.replay import BadFile, Command, Replay
from pycache_server.repl.entries import Entry, Kind
from pycache_server.repl.epochs import Epochs
from pycache_server.repl.member import Saved


class Tail:
    """The history of what is being loaded, with the entries at its end: about ``keep`` bytes of them."""

    def __init__(self, place: Place, keep: int) -> None:
        self.base = self.end = place.end
        self.voters = place.voters
        """Of the base."""
        self.epochs = Epochs(place.table)
        self.entries: deque[Entry] = deque()
        self._keep = keep

    def append(self, entry: Entry) -> None:
        """The next entry."""
        if entry.epoch != self.epochs.last:
            self.epochs.begin(entry.epoch, self.end)
        self.entries.append(entry)
        self.end += len(entry.data)
        while self.end - self.base > self._keep:
            self._forget()

    def _forget(self) -> None:
        first = self.entries.popleft()
        self.base += len(first.data)
        if first.kind is Kind.VOTERS:
            self.voters = first.voters

    def saved(self) -> Saved:
        """What a member begins with."""
        return Saved(self.epochs.table, self.base, self.voters, tuple(self.entries))

    def _check(self) -> None:
        assert self.base + sum(len(entry.data) for entry in self.entries) == self.end
        self.epochs._check()


class Found:
    """What the files of a group hold. ``keep`` is how many bytes of entries are wanted."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.tail: Tail | None = None
        """None where there is no history of a group."""
        self.foreign = False
        """Whether somebody has written who knows nothing of the group."""
        self.always = self.clean = False
        self._limits: dict[str, int | None] = {}

    @property
    def covered(self) -> bool:
        """Whether everything is there that was acknowledged."""
        return self.tail is not None and not self.foreign and (self.always or self.clean)

    def look(self, paths: list[Path]) -> None:
        """See where increments begin, before they are read in this order.

        Raises BadFile, OSError.
        """
        limit: int | None = None
        for path in reversed(paths):
            self._limits[path.name] = limit
            with path.open("rb") as stream:
                place = Reading(stream.read(1 << 20)).begin().place
            limit = place.end if place is not None else None

    def replay(self, data: Any, start: int, name: str) -> GroupReplay | Replay:
        """What reads a file: an increment, or a base of commands, of which nothing is said here."""
        if name not in self._limits:
            return Replay(data, start)
        reading = Reading(data, start).begin()
        if reading.place is None:
            self.foreign = self.foreign or reading.foreign
            return Replay(data, start)
        if self.tail is None:
            self.tail = Tail(reading.place, self._keep)
        elif self.tail.end != reading.place.end:
            raise BadFile(0)
        return GroupReplay(reading, self, self._limits[name])


class GroupReplay:
    """The units of an increment of a group: as Replay (persist/replay.py)."""

    def __init__(self, reading: Reading, found: Found, limit: int | None) -> None:
        self._reading = reading
        self._found = found
        self._limit = limit
        self.cut_off: int | None = None
        self.open_transaction = False

    @property
    def position(self) -> int:
        """How far the file has been read."""
        return self._reading.position

    def __iter__(self) -> Iterator[list[Command]]:
        """The units.

        Raises BadFile.
        """
        reading, found, limit = self._reading, self._found, self._limit
        tail = found.tail
        assert tail is not None
        yield from self._units(reading.select, 0)
        for entry in reading.entries():
            if limit is not None and tail.end >= limit:
                return
            tail.append(entry)
            if entry.kind is Kind.WRITE:
                yield from self._units(entry.data, reading.entry_at)
        self.cut_off = reading.cut_off
        found.always, found.clean = reading.always, reading.clean and reading.cut_off is None
        if reading.foreign:
            found.foreign = True
            replay = Replay(reading.data, reading.position)
            yield from replay
            self.cut_off, self.open_transaction = replay.cut_off, replay.open_transaction

    @staticmethod
    def _units(data: bytes, begin: int) -> list[list[Command]]:
        if not data:
            return []
        try:
            return units_of(data)
        except ValueError:
            raise BadFile(begin) from None
