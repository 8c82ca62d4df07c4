"""The append-only file of a voter while it runs: the entries of its group, in place of what the feed tells.

An entry is written when the history is appended to, which a voter acknowledges: on a follower that is before it is
executed. With ``appendfsync always`` it is on the disk when ``keep`` returns, so that what was acknowledged outlives
everything (no-appendfsync-on-rewrite does not count here). Otherwise it is written as appending.py does, and what the
file holds after a crash is not known to be all: it says so itself (persist/group_lines.py).

What is not committed may be cut off again: ``marks`` tell where entries end that have not been executed yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pycache_server.persist.group_lines import Place, Reading, clean_bytes, entry_bytes, mode_bytes, place_bytes
from pycache_server.repl.entries import Entry
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.appending import Appending

MOST_WAITING: Final = 64 << 20
"""Bytes that may wait for a disk that cannot take them. A leader is given no more while its disk fails, but a follower
is."""


class GroupAppending(Appending):
    """Appends entries. ``end`` is the offset of the history behind the last one that was given."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.end = 0
        self.silent = True
        """Whether the file is left as it is, because what it holds is not the history of this voter."""
        self.ends_cleanly = False
        """Whether ``close`` is a clean end."""
        self._durable = 0
        self._syncing = 0  # what the fsync that is running covers, in offsets
        self._kept = 0  # the position of the feed when entries came last
        self._size = 0  # of the file when everything is written that has come
        self._marks: deque[tuple[int, int]] = deque()  # offsets of the history, and of the file
        self._prepared: tuple[AppendFile, int, deque[tuple[int, int]]] | None = None

    # The file

    def _listen(self, wanted: bool) -> None:
        """The group gives what is to be written, not the feed."""

    def _position(self) -> int:
        return self._kept

    def open(self, file: AppendFile) -> None:
        """See Appending."""
        super().open(file)
        self._kept = self._feed.position
        self._begin(file)

    def _begin(self, file: AppendFile) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] is file:
            self.silent = False
            _, self._size, self._marks = prepared
        else:
            self._size, self._marks = file.size, deque([(self.end, file.size)])

    def go_on(self) -> None:
        """Entries follow what the file holds: let it say how, on the disk. From then on it has had no clean end.

        Raises OSError.
        """
        assert self.file is not None
        self.silent = False
        line = mode_bytes(self._policy == "always")
        self.file.write(line)
        self.file.sync()
        self._size += len(line)
        if not self._buffer:
            self._durable = self._syncing = self.end

    def prepare(self, file: AppendFile, place: Place, select: bytes, pending: Sequence[Entry]) -> None:
        """Write the beginning of an increment: where the data set in front of it stands, and what is kept behind that
        but not executed.

        Raises OSError.
        """
        parts = [place_bytes(place, select), mode_bytes(self._policy == "always")]
        size, offset = file.size + sum(map(len, parts)), place.end
        marks = deque([(offset, size)])
        for entry in pending:
            parts.append(entry_bytes(entry, offset))
            offset += len(entry.data)
            size += len(parts[-1])
            marks.append((offset, size))
        file.write(b"".join(parts))
        file.sync()
        self._prepared = file, size, marks

    def exchange(self, file: AppendFile) -> None:
        """See Appending. What the new file holds again is taken from the old one, for readers that know nothing of it;
        where that cannot be done they would execute it twice, and we do not (reading.py)."""
        old, prepared = self.file, self._prepared
        if old is not None and prepared is not None:
            place = next((at for offset, at in self._marks if offset == prepared[2][0][0]), None)
            if place is not None and place < old.size:
                try:
                    old.end_at(place)
                except OSError as error:
                    self._core.host.log("warning", f"Cannot shorten {old.path.name}: {error.strerror}")
        super().exchange(file)
        self._begin(file)

    def start_over_at(self, file: AppendFile, end: int) -> None:
        """Go on in a file that continues nothing of what was written before, from an offset of the history."""
        self._buffer.clear()
        self._drain()
        self._buffer.clear()
        self._set_trouble(None, None)
        self.is_whole = True
        super().exchange(file)
        self.end = end
        self.silent = False
        self._begin(file)
        self._durable = self._syncing = end  # base, increment and manifest are on the disk

    def leave(self) -> None:
        """See Appending. What is acknowledged meanwhile is not in the file, which says so."""
        if self.file is not None and not self.silent:
            self._sign(self.file, mode_bytes(False))

    def close(self, sync: bool = True) -> None:
        """See Appending. After a clean end the last line says that it was one."""
        if self.file is not None and not self.silent and self.ends_cleanly:
            self._sign(self.file, clean_bytes(self.end))
        super().close(sync)
        self.silent = True

    def _sign(self, file: AppendFile, line: bytes) -> None:
        """Write a last line when everything before it is on the disk."""
        if not self.settle():
            return
        try:
            file.sync()
            file.write(line)
            file.sync()
        except OSError as error:
            self._core.host.log("warning", f"Cannot write the end of {file.path.name}: {error.strerror}")

    def configure(self) -> None:
        """See Appending."""
        always = str(self._settings["appendfsync"]) == "always"
        if self.file is None or self.silent or always == (self._policy == "always"):
            super().configure()
            return
        self.settle()
        super().configure()
        try:
            if self.error is not None:
                raise self.error
            self._syncer.wait()
            self.file.sync()
            self.go_on()
        except OSError as error:
            self._die(f"Can't change how the AOF is synced: {error.strerror}. Exiting...")

    def _settings_forbid_sync(self) -> bool:
        return self._policy != "always" and super()._settings_forbid_sync()

    # The disk

    def durable(self) -> int:
        """Up to which offset of the history everything is on the disk, as far as that is known; 0 where it is not."""
        return self._durable if self.file is not None and self.is_whole and not self.silent else 0

    def _maybe_sync(self, position: int) -> None:
        was_idle = not self._syncer.pending
        super()._maybe_sync(position)
        if was_idle and self._syncer.pending and not self._buffer and not self._writer.pending:
            self._syncing = self.end

    def _has_synced(self, position: int, error: OSError | None) -> None:
        if error is None:
            self._durable = max(self._durable, self._syncing)
        super()._has_synced(position, error)

    def _sync_always(self) -> None:
        super()._sync_always()
        if not self._buffer:
            self._durable = self._syncing = self.end

    # Entries

    def note(self, text: bytes) -> None:
        """See Appending."""
        if self.file is not None and not self.silent:
            super().note(text)
            self._size += len(text) + 3

    def keep(self, entries: Sequence[Entry]) -> None:
        """Append entries: written when this returns, but for a disk that fails or is busy with an fsync; with
        appendfsync always on the disk, or the process ends."""
        offset = self.end
        if self.file is None or self.silent:
            self.end = offset + sum([len(entry.data) for entry in entries])
            return
        if self._stamps:
            self._annotate_time()
        size, buffer, marks = self._size, self._buffer, self._marks
        for entry in entries:
            data = entry_bytes(entry, offset)
            buffer.append(data)
            offset += len(entry.data)
            size += len(data)
            marks.append((offset, size))
        self.end, self._size = offset, size
        self._kept = self._feed.position
        self._flush(patient=self._policy != "always")
        if self.error is not None and self.buffered() > MOST_WAITING:
            self._die(f"Can't write to the AOF file, and too much waits for it: {self.error.strerror}. Exiting...")
        if not self._outbox.planned:
            self._outbox.plan()

    def forget(self, offset: int) -> None:
        """Up to here nothing will be cut off any more."""
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= offset:
            marks.popleft()

    def cut(self, end: int) -> None:
        """Take away the entries behind an offset."""
        self.end = end
        file = self.file
        if file is None or self.silent:
            return
        try:
            if not self.settle():
                raise self.error or OSError(0, "it cannot be written")
            file.end_at(self._find(file.path, end))
            self._size = file.size
            self.go_on()  # the line that said so may be gone, and what comes may be acknowledged before it is written
        except OSError as error:
            self._die(f"Can't drop from the AOF what the leader does not have: {error.strerror}. Exiting...")

    def _find(self, path: Path, end: int) -> int:
        """Where in the file an offset of the history is.

        Raises OSError.
        """
        marks = self._marks
        while len(marks) > 1 and marks[-1][0] > end:
            marks.pop()
        if marks[-1][0] == end:
            return marks[-1][1]
        with path.open("rb") as stream:
            reading = Reading(stream.read()).begin()
        found = reading.position if reading.end == end else None
        for _ in reading.entries() if found is None else ():
            if reading.end == end:
                found = reading.position
                break
        if found is None:
            raise OSError(0, f"no entry of {path.name} ends at {end}")
        self._marks = deque([(end, found)])
        return found

    def _check(self) -> None:
        assert list(self._marks) == sorted(set(self._marks))
        if self.file is not None and not self.silent and not self._buffer and not self._writer.pending:
            assert self._size == self.file.size, (self._size, self.file.size)
