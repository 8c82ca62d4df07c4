"""Snapshots: all that the keyspace holds at one moment, written while it goes on changing.

``Snapshots.start`` begins one: into a file (temporary file, fsync, rename, fsync of the directory), or into a function
that takes chunks of bytes, for a replica that waits or a file of somebody else's. There is one at a time. How:

- a *fork*, where the server owns its process and runs one thread: the child writes what it sees (forked.py). It costs
  the server nothing but the fork, and the system up to as much memory as the keys take: a child that reads a Python
  object writes to its reference count, so that pages do not stay shared.
- *slices* otherwise, or with ``snapshot-method slices``: some 0.3 ms of writing, a pause of the same length,
  and every bucket is written before its first change (persist/slices.py). It costs time of the server and no memory.

Whoever starts one is called at the exact moment that it shows, ``on_begin``, and once at its end. A sink that cannot
take more calls ``pause`` and ``resume``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from pycache_server import REDIS_VERSION
from pycache_server.persist.opcodes import Aux, aux_of_server
from pycache_server.persist.recreate import Recreating
from pycache_server.persist.saving import Saving, save
from pycache_server.persist.slices import Slices
from pycache_server.server.files import sync_directory
from pycache_server.server.forked import Write, can_fork, fork, private_bytes, write_all, written
from pycache_server.server.oom import SAVES
from pycache_server.session.latency import watch_latency
from pycache_server.settings.kinds import delay_of

if TYPE_CHECKING:
    from pycache_server.server.app import App

FILE, REPLICAS, BASE = "RDB", "diskless", "AOF rewrite"
"""What a snapshot is for: a file, replicas that wait, the base of an append-only file."""
SLICE: Final = 0.0003
"""Seconds of a slice, and of the pause behind it."""
_SYNC_EVERY: Final = 4 << 20
"""rdb-save-incremental-fsync: so much is written between two syncs."""
_PIPE: Final = 1 << 20
_POLL: Final = 0.002
Sink = Path | Callable[[bytes], None]


class Refused(Exception):
    """No snapshot can be made now; the text says why."""


@dataclass
class Order:
    """What is wanted. ``aux`` is told by the file besides what every file tells; ``without_times`` is for readers that
    do not know of hashes with fields that expire; ``commands`` wants commands in place of an RDB file."""

    sink: Sink
    kind: str
    on_end: Callable[[Snapshot], None]
    aux: Sequence[Aux] = ()
    without_times: bool = False
    commands: bool = False


class Snapshot:
    """One that is being made, or has been. ``error`` is empty where it has succeeded."""

    def __init__(self, order: Order, now: float, total: int) -> None:
        self.kind = order.kind
        self.order = order
        self.started = now
        """Seconds since 1970."""
        self.pid = 0
        """Of the child, 0 where there is none."""
        self.keys = 0
        """How many keys have been written."""
        self.total = total
        self.private = self.peak_private = 0
        """Bytes that parent and child do not share any more, as the child tells now and then."""
        self.stripped = 0
        """Hashes whose fields have lost their times to live."""
        self.size = 0
        """Bytes, of a file when it is complete."""
        self.error = ""
        self.signal = 0
        """The signal that ended the child."""
        self.aborted = False
        self.ended = False
        self.reported_at = now

    def pause(self) -> None:
        """The sink can take no more for now."""

    def resume(self) -> None:
        """The sink can take more again."""

    def abort(self) -> None:
        """Nobody needs it any more. ``on_end`` is called later."""

    def end_now(self) -> None:
        """Nobody needs it any more, and everything it has is to be gone. ``on_end`` is called."""


def _nothing(snapshot: Snapshot) -> None:
    """Nobody wants to hear of the end."""


class Snapshots:
    """The snapshots of one server."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.running: Snapshot | None = None
        self.on_moment: Callable[[str], Sequence[Aux]] = lambda kind: ()
        """Called at the moment that a snapshot shows, with what it is for; may add to what it tells of itself."""
        self.forks = 0
        self.fork_seconds = 0.0
        """How long the last fork took."""

    def start(
        self,
        sink: Sink,
        kind: str,
        on_end: Callable[[Snapshot], None],
        on_begin: Callable[[], Sequence[Aux]] | None = None,
        without_times: bool = False,
        commands: bool = False,
    ) -> Snapshot:
        """Begin a snapshot of this moment. ``on_begin`` is called at it, and may add to what the file tells of itself.
        ``commands`` makes one that is commands which make everything anew, and no RDB file.

        Raises Refused where another one is running, or where it cannot be begun.
        """
        if self.running is not None:
            raise Refused("Background save already in progress")
        app = self._app
        app.core.clock.time = app.core.host.time()
        aux = [*(on_begin() if on_begin is not None else ()), *self.on_moment(kind)]
        order = Order(sink, kind, on_end, aux, without_times, commands)
        forks = self.forks_here()
        try:
            self.running = (_Forked if forks else _Sliced)(self, app, order)
        except OSError as error:
            raise Refused(
                f"Can't save in background: {'fork' if forks else 'open'}: {error.strerror or error}"
            ) from None
        return self.running

    def forks_here(self) -> bool:
        """Whether a snapshot would be made by a child."""
        app = self._app
        if app.settings["snapshot-method"] == "slices" or app.embedded or app.collector is None:
            return False
        return can_fork()

    def abort(self) -> None:
        """End the one that is running, if there is one, and wait for that."""
        if self.running is not None:
            self.running.end_now()

    def ended(self, snapshot: Snapshot) -> None:
        """One has ended: let its owner know."""
        snapshot.ended = True
        if self.running is snapshot:
            self.running = None
        try:
            snapshot.order.on_end(snapshot)
        except Exception as error:
            self._app.core.report_failure("what follows a snapshot", error)

    def save_now(self, path: Path, kind: str = FILE, commands: bool = False) -> None:
        """Write a file while everything waits.

        Raises OSError.
        """
        app = self._app
        app.core.clock.time = app.core.host.time()
        order = Order(path, kind, _nothing, self.on_moment(kind), commands=commands)
        file = SnapshotFile(path, app.settings["dir"], self.syncs(order))
        try:
            for chunk in self.chunks(self.saving(order), order):
                file.write(chunk)
            file.complete()
        except BaseException:
            file.remove()
            raise

    def aux(self, order: Order | None = None) -> list[Aux]:
        """What a file tells of itself."""
        app = self._app
        kind = order.kind if order is not None else FILE
        own = aux_of_server(REDIS_VERSION, int(app.core.clock.time), app.memory.used(0), kind == BASE)
        told = order.aux if order is not None else ()
        if kind == FILE:  # so that a follower may go on from there when it has loaded it again
            told = [*told, *app.core.replication.position()]
        return [*own[:-1], *told, own[-1]]

    def functions(self) -> list[bytes]:
        """The code of all libraries of functions."""
        scripts = self._app.core.scripts
        return [library.code for library in scripts.libraries.values()] if scripts is not None else []

    def saving(self, order: Order | None = None) -> Saving | Recreating:
        """What makes a file."""
        app = self._app
        if order is not None and order.commands:
            stamped = app.settings["aof-timestamp-enabled"]
            return Recreating(app.core.keyspace, int(app.core.host.time()) if stamped else None)
        return Saving(app.core.keyspace, app.settings["rdbchecksum"], order is not None and order.without_times)

    def syncs(self, order: Order | None = None) -> bool:
        """Whether a file is synced while it is written, piece by piece."""
        base = order is not None and order.kind == BASE
        return bool(self._app.settings["aof-rewrite-incremental-fsync" if base else "rdb-save-incremental-fsync"])

    def chunks(self, saving: Saving | Recreating, order: Order | None = None) -> Iterator[bytes]:
        """All of a file, of this moment."""
        return save(self._app.core.keyspace, self.aux(order), self.functions(), saving=saving)


class SnapshotFile:
    """A file that takes the place of another when it is complete: ``temp-<pid>.rdb`` until then. All in a directory
    have that name, one after the other: one may be completed in a thread, and who removes it meanwhile waits for that.

    Raises OSError, as do its methods.
    """

    def __init__(self, path: Path, directory: str, sync: bool) -> None:
        self.path = path
        self.temporary = path.with_name(f"temp-{os.getpid()}.rdb")
        try:
            self.descriptor = os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OSError(
                error.errno,
                f"Failed opening the temp RDB file {self.temporary.name} (in server root dir {directory}) for saving: "
                f"{error.strerror}",
            ) from None
        self._sync = sync
        self._lock = Lock()
        self.size = self._synced = 0

    def write(self, data: bytes) -> None:
        """Write a chunk."""
        self._do("write", partial(write_all, self.descriptor, data))
        self.size += len(data)
        if self._sync and self.size - self._synced >= _SYNC_EVERY:
            self._do("fdatasync", partial(_sync_data, self.descriptor))
            self._synced = self.size

    def complete(self) -> None:
        """Let the file take its place, on disk, unless it has been removed."""
        with self._lock:
            if self.descriptor < 0:
                raise OSError(errno.ECANCELED, "the snapshot was given up")
            self._do("fsync", partial(os.fsync, self.descriptor))
            self._do("fclose", self._close)
            self._do("rename", partial(os.replace, self.temporary, self.path))
            self._do("fsync", partial(sync_directory, self.path.parent))

    def remove(self) -> None:
        """The file is not wanted; one that is complete stays in its place."""
        with self._lock, contextlib.suppress(OSError):
            self._close()
            self.temporary.unlink()

    def _close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    @staticmethod
    def _do(what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            raise OSError(error.errno, f"Write error while saving DB to the disk({what}): {error.strerror}") from None


def _widen(pipe: int) -> None:
    """Let a pipe hold more, where that can be had."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    except (ImportError, AttributeError, OSError):
        pass


_sync_data = getattr(os, "fdatasync", os.fsync)


class _Forked(Snapshot):
    """A snapshot that a child writes."""

    def __init__(self, snapshots: Snapshots, app: App, order: Order) -> None:
        keyspace = app.core.keyspace
        super().__init__(order, app.core.clock.time, sum(database.size for database in keyspace.databases))
        self._snapshots = snapshots
        self._loop = app.loop
        self._lines = b""
        self._paused = False
        self._data, write_end = os.pipe() if callable(order.sink) else (-1, -1)
        begin = time.perf_counter()
        try:
            self._child = fork(partial(_write_as_child, app, order, write_end), [write_end, app.log.descriptor()])
        except OSError:
            if self._data >= 0:
                os.close(self._data)
            raise
        finally:
            if write_end >= 0:
                os.close(write_end)
        self.pid = self._child.pid
        snapshots.forks += 1
        snapshots.fork_seconds = time.perf_counter() - begin
        watch_latency(app.core.latency, app.core.clock, "fork", snapshots.fork_seconds)
        self._loop.add_reader(self._child.reports, self._on_report)
        if self._data >= 0:
            os.set_blocking(self._data, False)
            _widen(self._data)
            self._loop.add_reader(self._data, self._on_data)

    def pause(self) -> None:
        if self._data >= 0 and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._data)

    def resume(self) -> None:
        if self._data >= 0 and self._paused:
            self._paused = False
            self._loop.add_reader(self._data, self._on_data)

    def abort(self) -> None:
        if not self.ended:
            self.aborted = True
            self._child.kill()
            self._close_data()

    def end_now(self) -> None:
        self.abort()
        if self._child.reports >= 0:
            self._close_reports()
        self._child.wait()
        self._end()

    def _close_reports(self) -> None:
        self._loop.remove_reader(self._child.reports)
        os.close(self._child.reports)
        self._child.reports = -1

    def _on_data(self) -> None:
        """The child has written."""
        try:
            data = os.read(self._data, _PIPE)
        except BlockingIOError:
            return
        if not data:
            self._close_data()
            return
        self.size += len(data)
        sink = self.order.sink
        assert callable(sink)
        try:
            sink(data)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            self.abort()

    def _close_data(self) -> None:
        if self._data >= 0:
            if not self._paused:
                self._loop.remove_reader(self._data)
            os.close(self._data)
            self._data = -1

    def _on_report(self) -> None:
        """The child tells something, or has closed its end."""
        try:
            data = os.read(self._child.reports, 1 << 16)
        except BlockingIOError:
            return
        if data:
            *lines, self._lines = (self._lines + data).split(b"\n")
            for line in lines:
                self._take(line.decode("utf-8", "surrogateescape"))
            return
        self._close_reports()
        self._wait()

    def _take(self, line: str) -> None:
        kind, _, rest = line.partition(" ")
        if kind == "error":
            self.error = rest
            return
        self.keys, self.private, self.stripped, self.size = map(int, rest.split())
        self.peak_private = max(self.peak_private, self.private)
        self.reported_at = time.time()

    def _wait(self) -> None:
        """Look whether the child has ended, which takes a while where it has much memory, and all has been read."""
        if self.ended:
            return
        if self._data >= 0 or not self._child.ended():
            self._loop.call_later(_POLL, self._wait)
            return
        self._end()

    def _end(self) -> None:
        self.signal = self._child.killed_by()
        if self.signal:
            self.error = self.error or f"the child was ended by signal {self.signal}"
        elif self._child.status:
            self.error = self.error or "the child has failed"
        if self.error and isinstance(self.order.sink, Path):
            with contextlib.suppress(OSError):
                self.order.sink.with_name(f"temp-{self.pid}.rdb").unlink()
        self._snapshots.ended(self)


def _write_as_child(app: App, order: Order, data: int, report: Write) -> None:
    """What the child does."""
    app.log.become_child()
    app.oom.follow(SAVES)
    saving = app.snapshots.saving(order)
    size = 0

    def tell() -> None:
        report(b"at %d %d %d %d\n" % (saving.keys, private_bytes(), saving.stripped, size))

    try:
        chunks = app.snapshots.chunks(saving, order)
        if app.settings["rdb-key-save-delay"]:
            chunks = _delayed(chunks, saving, delay_of(app.settings["rdb-key-save-delay"]))
        if isinstance(order.sink, Path):
            file = SnapshotFile(order.sink, app.settings["dir"], app.snapshots.syncs(order))
            try:
                written(chunks, file.write, tell)
                file.complete()
            except BaseException:
                file.remove()
                raise
            size = file.size
        else:
            written(chunks, partial(write_all, data), tell)
        tell()
    except BaseException as error:
        text = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        report(b"error " + str(text).replace("\n", " ").encode("utf-8", "surrogateescape") + b"\n")
        raise


def _delayed(chunks: Iterator[bytes], saving: Saving | Recreating, seconds: float) -> Iterator[bytes]:
    """The same, but each key takes so long."""
    told = 0
    for chunk in chunks:
        time.sleep(seconds * (saving.keys - told))
        told = saving.keys
        yield chunk


class _Sliced(Snapshot):
    """A snapshot that is made in slices."""

    def __init__(self, snapshots: Snapshots, app: App, order: Order) -> None:
        keyspace = app.core.keyspace
        self._saving = snapshots.saving(order)
        super().__init__(order, app.core.clock.time, self._saving.total)
        self._snapshots = snapshots
        self._app = app
        self._paused = False
        self._file: SnapshotFile | None = None
        if isinstance(order.sink, Path):  # syncing is done by another thread in the end
            self._file = SnapshotFile(order.sink, app.settings["dir"], sync=False)
        self._slices = Slices(keyspace, app.core.shape, self._saving, snapshots.aux(order), snapshots.functions())
        self._timer: asyncio.TimerHandle | None = app.loop.call_later(0, self._run)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            if self._timer is None and not self.ended:
                self._timer = self._app.loop.call_later(0, self._run)

    def abort(self) -> None:
        if not self.ended:
            self.aborted = True
            if self._timer is None and not self._slices.done:
                self._timer = self._app.loop.call_later(0, self._run)

    def end_now(self) -> None:
        self.aborted = True
        if self._timer is not None:
            self._timer.cancel()
        self.error = self.error or "the snapshot was given up"
        self._end()

    def _run(self) -> None:
        """Work for about SLICE seconds, and plan the next slice."""
        self._timer = None
        try:
            self._work(time.perf_counter() + SLICE)
        except Exception as error:
            if not isinstance(error, OSError):
                self._app.core.report_failure("a snapshot", error)
            self.error = (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"
        if self.error:
            self._end()
        elif self._slices.done:
            self._complete()
        elif not self._paused:
            self._timer = self._app.loop.call_later(SLICE, self._run)

    def _work(self, until: float) -> None:
        """Write chunks until a time.

        Raises OSError, or what the sink raises.
        """
        if self.aborted or self._slices.abandoned:
            raise OSError(errno.ECANCELED, "the snapshot was given up")
        while not self._slices.done and not self._paused:
            data = self._slices.take(1 << 14)
            self.size += len(data)
            if self._file is not None:
                self._file.write(data)
            else:
                self.order.sink(data)  # type: ignore[operator]
            if time.perf_counter() >= until:
                break
        self.keys, self.stripped, self.reported_at = self._saving.keys, self._saving.stripped, time.time()
        self.private = self._slices.held()
        self.peak_private = max(self.peak_private, self.private)

    def _complete(self) -> None:
        """Everything has been written; a file must get onto the disk, which another thread waits for."""
        self._slices.close()
        if self._file is None:
            self._end()
            return
        future = self._app.loop.run_in_executor(None, self._file.complete)
        future.add_done_callback(self._on_complete)

    def _on_complete(self, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if self.ended:
            return
        if error is not None:
            self.error = str(getattr(error, "strerror", None) or error)
        self._end()

    def _end(self) -> None:
        self._slices.close()
        if self.error and self._file is not None:
            self._file.remove()
        self._snapshots.ended(self)
