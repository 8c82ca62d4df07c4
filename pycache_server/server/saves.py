"""When the data set is saved to its file: SAVE, BGSAVE, save points, the end of the server; and what became of it.

A save point ``save 60 1000`` asks for a snapshot where 1000 changes have been made since the last one and 60 seconds
have passed. After one that failed the next try is RETRY seconds later, and with stop-writes-on-bgsave-error commands
that write are refused until one succeeds. While somebody else's snapshot runs, BGSAVE SCHEDULE waits for its end.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pycache_server.errors import RedisError
from pycache_server.server.snapshots import FILE, Refused, Snapshot

if TYPE_CHECKING:
    from pycache_server.server.app import App

RETRY: Final = 5
_NOT_SAVED: Final = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    b"may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    b"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    b"error."
)
_NO_SCRIPTS: Final = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable "
    b"scripts are blocked. Use 'no-writes' flag for read only scripts."
)
_CANNOT_EXIT: Final = "Error trying to save the DB, can't exit."
IN_PROGRESS: Final = b"ERR Background save already in progress"
OTHER_IN_PROGRESS: Final = (
    b"ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    b"BGSAVE whenever possible."
)


class Saves:
    """The saves of one server. Times are in seconds since 1970."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.last_save = app.started_at
        self.last_try = 0.0
        self.last_ok = True
        """Whether the last save in the background has succeeded."""
        self.last_seconds = -1
        """How long that took."""
        self.last_private = 0
        """Bytes that its child did not share with the server in the end."""
        self.count = 0
        """How many saves have succeeded."""
        self.scheduled = False
        self.running: Snapshot | None = None
        self._saved_changes = 0  # of all databases, when the last save began
        self._begun_with = 0

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self._app.settings["dir"], self._app.settings["dbfilename"])

    def changes(self) -> int:
        """Changes since the last save."""
        return self._all_changes() - self._saved_changes

    def _all_changes(self) -> int:
        return sum(database.dirty for database in self._app.core.keyspace.databases)

    def forget_changes(self) -> None:
        """What is there is what a file holds."""
        self._saved_changes = self._all_changes()

    # Saving

    def save(self) -> bool:
        """Write the file while everything waits. Whether that has succeeded; the log tells why not."""
        app = self._app
        try:
            app.snapshots.save_now(self.path)
        except OSError as error:
            app.log.write("warning", error.strerror or str(error))
            self._note(False)
            return False
        app.log.write("notice", "DB saved on disk")
        self.forget_changes()
        self.last_save = app.host.time()
        self.count += 1
        self._note(True)
        return True

    def begin(self) -> None:
        """Begin to write the file in the background.

        Raises Refused.
        """
        app = self._app
        self.last_try = app.host.time()
        self._begun_with = self._all_changes()
        try:
            self.running = app.snapshots.start(self.path, FILE, self._on_end)
        except Refused as refusal:
            app.log.write("warning", str(refusal))
            self._note(False)
            raise
        self.scheduled = False
        pid = self.running.pid
        app.log.write("notice", f"Background saving started by pid {pid}" if pid else "Background saving started")

    def request(self, schedule: bool, in_exec: bool = False) -> bytes:
        """BGSAVE: begin, or be told to begin later. What Redis says.

        Raises RedisError.
        """
        if self.running is not None:
            raise RedisError(IN_PROGRESS)
        if self._app.snapshots.running is not None or in_exec:
            if not schedule and not in_exec:
                raise RedisError(OTHER_IN_PROGRESS)
            self.scheduled = True
            return b"Background saving scheduled"
        try:
            self.begin()
        except Refused:
            raise RedisError(b"ERR") from None
        return b"Background saving started"

    def tick(self) -> None:
        """Called by cron: begin what is due."""
        app = self._app
        if app.snapshots.running is not None or app.core.loading:
            return
        now = app.host.time()
        may_try = self.last_ok or now - self.last_try > RETRY
        if self.scheduled and may_try:
            self._try()
            return
        changes = self.changes()
        for seconds, least in app.settings["save"]:
            if changes >= least and now - self.last_save > seconds and may_try:
                app.log.write("notice", f"{least} changes in {seconds} seconds. Saving...")
                self._try()
                return

    def _try(self) -> None:
        with contextlib.suppress(Refused):  # the log tells, and ``last_ok``
            self.begin()

    def _on_end(self, snapshot: Snapshot) -> None:
        app = self._app
        self.running = None
        self.last_seconds = int(app.host.time() - snapshot.started)
        self.last_private = snapshot.private
        write = app.log.write
        if not snapshot.error:
            self._tell_memory(snapshot)
            write("notice", "Background saving terminated with success")
            self._saved_changes = self._begun_with
            self.last_save = app.host.time()
            self.count += 1
            self._note(True)
        elif snapshot.signal or snapshot.aborted:
            write("warning", f"Background saving terminated by signal {snapshot.signal or 9}")
            if not snapshot.aborted:  # Redis takes only what it has killed itself for no error
                self._note(False)
        else:
            write("warning", snapshot.error)
            write("warning", "Background saving error")
            self._note(False)

    def _tell_memory(self, snapshot: Snapshot) -> None:
        self._app.log.write("notice", "DB saved on disk")
        if snapshot.pid:
            now, peak = snapshot.private >> 20, snapshot.peak_private >> 20
            self._app.log.write("notice", f"Fork CoW for RDB: current {now} MB, peak {peak} MB, average {now} MB")

    def flushed(self) -> None:
        """FLUSHALL has removed everything: so shall the file, where there are save points."""
        if self.running is not None:
            self._app.snapshots.abort()
        if self._app.settings["save"]:
            self.save()

    def last(self, save: bool, force: bool) -> bool:
        """The server ends: save once more, where that is wanted. Whether it may end."""
        write = self._app.log.write
        if self.running is not None:
            write("warning", "There is a child saving an .rdb. Killing it!")
        self._app.snapshots.abort()
        if not save:
            return True
        write("notice", "Saving the final RDB snapshot before exiting.")
        if self.save():
            return True
        write("warning", "Error trying to save the DB. Exit anyway." if force else _CANNOT_EXIT)
        return force

    # What follows from it

    def _note(self, ok: bool) -> None:
        self.last_ok = ok
        self.refresh()

    def refresh(self) -> None:
        """Refuse commands that write, or do not any more."""
        settings = self._app.settings
        stop = settings["stop-writes-on-bgsave-error"] and settings["save"] and not self.last_ok
        self._app.core.refuse_writes("rdb", _NOT_SAVED if stop else None, _NO_SCRIPTS)
