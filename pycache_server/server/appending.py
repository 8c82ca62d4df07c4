"""The append-only file while the server runs: what has changed, written before anybody is told.

A sink of the feed and a gate of the outbox (outbox.py). What the feed tells in a round of the event loop is collected;
when the outbox asks, all of it is written by one write(2), and only then do the replies leave: in every mode. What a
crash of the process leaves is therefore every acknowledged write. ``appendfsync`` decides what a crash of the machine
leaves:

``always``    fsync before the replies. Where it fails, or the write, nobody can tell any more what is on the disk:
              clients are cut off without their replies, and the process ends, as with Redis.
``everysec``  fsync once a second, in a thread. While one runs, write(2) may have to wait for it in the kernel: then a
              second thread writes. The loop never waits for the disk; replies do.
``no``        the system decides.

A write that fails, in the latter two, leaves the file as it was: what it has left is cut off. Its data are kept and
tried again, its replies are held until that succeeds, and until then no command that writes is executed: -MISCONF. So
there is nothing whose reply could be wrong, and nothing grows. After a failed fsync writes are refused until one
succeeds; what the file holds by then may be damaged all the same, since kernels drop what they could not write, so a
rewrite is asked for.

Positions are those of the feed: ``written`` is how far the file has it, ``synced`` how far the disk has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from pycache_server.server.appendfile import AppendFile, WriteFailed
from pycache_server.server.outbox import Outbox
from pycache_server.server.worker import Worker
from pycache_server.session.feed import FILE, Sink, Told
from pycache_server.session.latency import watch_latency
from pycache_server.session.stream import CommandStream

if TYPE_CHECKING:
    from pycache_server.session.core import Core

EVERY: Final = 1.0
"""Seconds between two fsyncs of ``everysec``."""
LATE: Final = 2.0
"""Seconds after which a write that waits for a disk is worth a warning."""
RETRY: Final = 0.1
"""Seconds until a write that has failed is tried again."""
LOG_EVERY: Final = 30.0
"""Seconds between two lines in the log about writes that fail."""
LONGEST_NOTE: Final = 1024

_NO_SCRIPTS = (
    b"MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable "
    b"scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: "
)


class Settings(Protocol):
    """Where the directives are."""

    def __getitem__(self, name: str) -> object: ...


class Appending(Sink):
    """The file that is being written. ``child`` tells whether a child saves something, ``die`` ends the process."""

    kind = FILE

    def __init__(
        self,
        core: Core,
        outbox: Outbox,
        settings: Settings,
        notify: Callable[[Callable[[], None]], object],
        child: Callable[[], bool],
        die: Callable[[str], None],
    ) -> None:
        self._core = core
        self._feed = core.feed
        self._outbox = outbox
        self._settings = settings
        self._child = child
        self._die = die
        self._writer = Worker("aof-write", notify)
        self._syncer = Worker("aof-fsync", notify)
        self._stream = CommandStream()
        self._buffer: list[bytes] = []
        self._stamp = 0  # the second that was annotated last
        self._stamps = False
        self._policy = ""
        self.file: AppendFile | None = None
        """The increment that grows; None while nothing is written."""
        self.written = 0
        self.synced = 0
        self.is_whole = True
        """See session/syncs.py."""
        self._unsynced = False  # whether the file has grown since the last fsync began
        self._sync_begun = 0.0
        self._retry_at = 0.0
        self._logged_at = -LOG_EVERY
        self.error: OSError | None = None
        """Why the last write has failed; None where it has not."""
        self.sync_error: OSError | None = None
        """The same of the last fsync in a thread."""
        self.doubtful = False
        """Whether an fsync has failed since the last rewrite, so that the file may be damaged."""
        self.delayed = 0
        """How often a write had to wait for longer than LATE."""

    # The feed

    def open(self, file: AppendFile) -> None:
        """Write to a file from now on."""
        assert self.file is None
        self.configure()
        self.file = file
        self.is_whole = True
        self.written = self.synced = self._feed.position
        self._stream.reset()
        self._stamp = 0
        self._sync_begun = self._core.host.ticks()
        self._core.syncs.local = self
        self._listen(True)
        self._outbox.open(self.pass_)

    def close(self, sync: bool = True) -> None:
        """Write nothing more. What there is is written, and on the disk, as far as the disk can."""
        if self.file is None:
            return
        self._drain()
        self._syncer.wait()
        if sync and self.error is None:
            self._core.host.log("notice", "Calling fsync() on the AOF file.")
            self._sync_now()
        self._listen(False)
        file, self.file = self.file, None
        self._buffer.clear()
        self._set_trouble(None, None)
        self._outbox.close(self.pass_)
        self._syncer.submit(file.close, lambda error: None)
        self._core.syncs.local = None
        self._core.syncs.moved()

    def leave(self) -> None:
        """Appending is switched off, and the server goes on."""

    def _listen(self, wanted: bool) -> None:
        """Hear of what changes, or do not any more."""
        if wanted:
            self._feed.open(self)
        else:
            self._feed.close(self)

    def _position(self) -> int:
        """Up to which position of the feed everything has been collected."""
        return self._feed.position

    def configure(self) -> None:
        """The settings have changed, or are to be known."""
        self._policy = str(self._settings["appendfsync"])
        self._stamps = bool(self._settings["aof-timestamp-enabled"])

    def take(self, unit: list[Told]) -> None:
        """See session/feed.py. Hot."""
        if self._stamps:
            self._annotate_time()
        self._feed.position += 1
        self._buffer.append(self._stream.encode(unit))
        if not self._outbox.planned:
            self._outbox.plan()

    def _annotate_time(self) -> None:
        second = int(self._core.clock.time)
        if second > self._stamp:
            self._stamp = second
            self.note(b"TS:%d" % second)

    def note(self, text: bytes) -> None:
        """Put an annotation between commands, which no reader executes."""
        assert len(text) < LONGEST_NOTE and b"\n" not in text
        if self.file is not None:
            self._buffer.append(b"#" + text + b"\r\n")
            self._outbox.plan()

    def buffered(self) -> int:
        """How many bytes have not been written."""
        return sum(map(len, self._buffer))

    # The gate

    def pass_(self) -> int:
        """Write what there is. The position up to which replies may leave."""
        if self._buffer:
            self._flush()
        elif not self._writer.pending and self.error is None:
            self.written = self._position()
        return self.written

    def _flush(self, patient: bool = True) -> None:
        """Write what has been collected, or let it be written. ``patient`` lets a write wait for one before it, and
        one that has failed for its next turn."""
        if not self._buffer or (patient and self._must_wait()):
            return
        assert self.file is not None
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        position = self._position()
        if patient and self._syncer.pending and self._policy != "always":
            self._write_in_thread(self.file, data, position)
            return
        ticks = self._core.host.ticks
        begin = ticks()
        try:
            self.file.write(data)
        except WriteFailed as failure:
            self._watch_write(ticks() - begin)
            self._has_failed(data, failure)
        else:
            self._watch_write(ticks() - begin)
            self._has_written(position)

    def _must_wait(self) -> bool:
        return self._writer.pending > 0 or (self.error is not None and self._core.host.ticks() < self._retry_at)

    def _write_in_thread(self, file: AppendFile, data: bytes, position: int) -> None:
        """An fsync runs, for which the write may have to wait: not here."""
        begin = self._core.host.ticks()
        late = self._core.host.call_later(LATE, self._note_late)

        def done(error: OSError | None) -> None:
            late.cancel()
            self._watch_write(self._core.host.ticks() - begin)
            if error is None:
                self._has_written(position)
            else:
                self._has_failed(data, error if isinstance(error, WriteFailed) else WriteFailed(0, error))
            self._outbox.flush()

        self._writer.submit(lambda: file.write(data), done)

    def _note_late(self) -> None:
        self.delayed += 1
        self._core.host.log(
            "notice",
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for "
            "fsync to complete, this may slow down Redis.",
        )

    def _watch_write(self, seconds: float) -> None:
        latency, clock = self._core.latency, self._core.clock
        if seconds >= latency.threshold:
            pending = "aof-write-pending-fsync" if self._syncer.pending else ""
            alone = "aof-write-active-child" if self._child() else "aof-write-alone"
            watch_latency(latency, clock, pending or alone, seconds)
            watch_latency(latency, clock, "aof-write", seconds)

    def _has_written(self, position: int) -> None:
        if self.error is not None:
            self._core.host.log("warning", "AOF write error looks solved, Redis can write again.")
            self._set_trouble(None, self.sync_error)
        self._unsynced = True
        if not self._settings_forbid_sync():
            if self._policy == "always":
                self._sync_always()
                self.synced = position
                self._core.syncs.moved()
            elif self._policy == "everysec":
                self._maybe_sync(position)
        self.written = position

    def _has_failed(self, data: bytes, failure: WriteFailed) -> None:
        """A write could not be done, or not whole."""
        host = self._core.host
        now = host.ticks()
        if self._policy == "always":
            host.log("warning", f"Error writing to the AOF file: {failure.strerror}")
            self._die("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
        worth_telling = now - self._logged_at >= LOG_EVERY
        if worth_telling:
            self._logged_at = now
            written = f"(nwritten={failure.written}, expected={len(data)})"
            problem = f"Short write while writing to the AOF file: {written}"
            host.log("warning", problem if failure.written else f"Error writing to the AOF file: {failure.strerror}")
        if failure.written:
            data = self._cut(data, failure.written)
        self._buffer.insert(0, data)
        self._retry_at = now + RETRY
        host.call_later(RETRY, self._outbox.plan)
        self._set_trouble(failure, self.sync_error)

    def _cut(self, data: bytes, written: int) -> bytes:
        """Take away what a short write has left, or count it where that cannot be done. What is still to be written."""
        assert self.file is not None
        try:
            self.file.cut()
        except OSError as error:
            self.file.keep(written)
            self._core.host.log(
                "warning",
                "Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next "
                f"time it starts.  ftruncate: {error.strerror}",
            )
            return data[written:]
        return data

    # The disk

    def tick(self) -> None:
        """Called some times a second: what must be done though nobody writes."""
        if self.file is None:
            return
        if self._buffer:
            self._outbox.plan()
        if self._unsynced and self._policy == "always" and not self._settings_forbid_sync():
            self._sync_always()  # what has not been while a child was writing
            self.synced = self.written
            self._core.syncs.moved()
        elif self._policy == "everysec" and not self._settings_forbid_sync():
            self._maybe_sync(self.written)

    def _settings_forbid_sync(self) -> bool:
        return bool(self._settings["no-appendfsync-on-rewrite"]) and self._child()

    def _maybe_sync(self, position: int) -> None:
        """Begin an fsync in the thread where one is due, of what is written up to a position."""
        now = self._core.host.ticks()
        if not self._unsynced or self._syncer.pending or now - self._sync_begun < EVERY:
            return
        assert self.file is not None
        self._sync_begun = now
        self._unsynced = False
        self._syncer.submit(self.file.sync, lambda error: self._has_synced(position, error))

    def _has_synced(self, position: int, error: OSError | None) -> None:
        """An fsync in the thread has ended."""
        if error is not None:
            self._unsynced = True
            if self.sync_error is None:
                self._core.host.log("warning", f"Fail to fsync the AOF file: {error.strerror}")
            self.doubtful = True
            self.is_whole = False
            self._set_trouble(self.error, error)
            return
        if self.sync_error is not None:
            self._set_trouble(self.error, None)
        self.synced = max(self.synced, position)
        self._core.syncs.moved()

    def _sync_always(self) -> None:
        assert self.file is not None
        begin = self._core.host.ticks()
        try:
            self.file.sync()
        except OSError as error:
            self._die(
                f"Can't persist AOF for fsync error when the AOF fsync policy is 'always': {error.strerror}. Exiting..."
            )
        self._unsynced = False
        watch_latency(self._core.latency, self._core.clock, "aof-fsync-always", self._core.host.ticks() - begin)

    def _sync_now(self) -> None:
        assert self.file is not None
        try:
            self.file.sync()
        except OSError as error:
            self._core.host.log("warning", f"Fail to fsync the AOF file: {error.strerror}.")
        else:
            self._unsynced = False
            self.synced = self.written

    # Another file

    def settle(self) -> bool:
        """Write everything now, whatever has to be waited for. Whether that could be done."""
        self._drain()
        return self.error is None

    def _drain(self) -> None:
        """Write what there is without waiting for its turn."""
        while self._writer.pending:  # when it ends the outbox is flushed, which may begin the next
            self._writer.wait()
        self._flush(patient=False)

    def exchange(self, file: AppendFile) -> None:
        """Go on in another file, after ``settle``. The old one is synced and closed."""
        assert self.file is not None and not self._buffer
        old, self.file = self.file, file
        position = self.written
        self._stream.reset()
        self._stamp = 0
        self._unsynced = False
        if self._policy == "no":
            self._syncer.submit(old.close, lambda error: None)
            return

        def finish() -> None:
            try:
                old.sync()
            finally:
                old.close()

        self._syncer.submit(finish, lambda error: self._has_synced(position, error))

    def start_over(self, file: AppendFile) -> None:
        """Go on in a file that continues nothing of what was written before: the data set is another one."""
        if self.file is None:
            self.open(file)
            return
        self._buffer.clear()
        self._drain()
        self._buffer.clear()
        self._set_trouble(None, None)
        self.written = self._position()
        self.is_whole = True
        self.exchange(file)

    def in_background(self, job: Callable[[], object]) -> None:
        """Do something with files in the thread; where it fails, nobody is harmed."""
        self._syncer.submit(job, lambda error: None)

    # Trouble

    def syncing(self) -> int:
        """How many fsyncs wait or run in the thread."""
        return self._syncer.pending

    def trouble(self) -> OSError | None:
        """Why writes are refused, None where they are not."""
        return self.error or self.sync_error

    def _set_trouble(self, error: OSError | None, sync_error: OSError | None) -> None:
        """Refuse commands that write, or refuse them no more."""
        self.error, self.sync_error = error, sync_error
        self._outbox.pass_unheld(error is not None)
        trouble = self.trouble()
        if trouble is None:
            self._core.refuse_writes("aof", None)
            return
        reason = (trouble.strerror or str(trouble)).encode("utf-8", "replace")
        self._core.refuse_writes("aof", b"MISCONF Errors writing to the AOF file: " + reason, _NO_SCRIPTS + reason)
