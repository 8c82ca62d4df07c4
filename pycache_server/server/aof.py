"""The append-only file of a server: on and off, at boot, while it runs, and anew.

Three states. ``off``: nothing is written. ``on``: every change goes to the last increment of the manifest
(appending.py) before its reply leaves. ``waits``: appending has been switched on while the server runs; changes go to a
temporary increment, and the state is ``on`` when a base has been written that the increment continues. A crash before
that finds the files that there were before.

A rewrite begins a new increment, names it in the manifest, and lets a child write the base that holds everything before
it (snapshots.py). When that is on the disk the manifest names it in place of all older files, which are removed. So at
every moment the manifest on the disk names files that make up the data set.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pycache_server.persist.manifest import HISTORY, Manifest
from pycache_server.server.aofload import AppendLoading
from pycache_server.server.appenddir import TEMPORARY, AppendDirectory, CannotAppend
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.appending import Appending
from pycache_server.server.loads import CannotLoad
from pycache_server.server.rewriting import Rewrites, growth
from pycache_server.server.snapshots import BASE, Refused, Snapshot

if TYPE_CHECKING:
    from pycache_server.server.app import App

AppendingKind = TypeVar("AppendingKind", bound=Appending)
OFF: Final = "off"
WAITS: Final = "waits"
ON: Final = "on"


class AppendOnly:
    """The append-only file of one server."""

    def __init__(self, app: App, die: Callable[[str], None]) -> None:
        self._app = app
        self._core = core = app.core
        settings = app.settings
        self.state = OFF
        self.is_ready = False
        """Whether the data set is there, so that appending may be switched."""
        self.loading: AppendLoading | None = None
        """What is being loaded."""
        self.on_annotation: Callable[[bytes], None] | None = None
        """Who hears of the annotations of a file that is loaded."""
        self.directory = AppendDirectory(
            lambda: str(settings["dir"]), settings["appenddirname"], settings["appendfilename"], core.host.log
        )
        self.selected = 0
        """The database of the last command that was loaded."""
        self.make_replay: Callable[..., Any] | None = None
        """Makes readers of files, where Replay is not what reads them."""
        self.on_manifest: Callable[[Manifest], None] = lambda manifest: None
        """Called at the start, before the files of a manifest are read, which may name none."""
        self.on_reload: Callable[[], None] = lambda: None
        """Called before the files are loaded while the server runs; a CannotLoad refuses it."""
        self.on_rewrite: Callable[[], None] = lambda: None
        """Called before a rewrite begins; an OSError refuses it."""
        self.on_increment: Callable[[AppendFile], None] = lambda file: None
        """Called with each new increment, before the manifest names it."""
        self.manifest = Manifest()
        self._die = die
        self.appending = self.make_appending(Appending)
        self.open_file: Callable[..., AppendFile] = AppendFile
        """Opens files; tests have others, that fail."""
        self.rewrites = Rewrites()
        self.base_size = 0
        """Bytes of all files after the last rewrite, or at the start."""
        self._older_size = 0  # bytes of all files but the one that grows
        self._snapshot: Snapshot | None = None  # the rewrite that runs
        self.last_private = 0
        """Bytes that the child of the last rewrite did not share with the server in the end."""

    def make_appending(self, kind: type[AppendingKind]) -> AppendingKind:
        """What writes the file."""
        app = self._app
        return kind(self._core, app.outbox, app.settings, app.loop.call_soon_threadsafe, self._has_child, self._die)

    # At boot

    async def load_at_start(self, appends: bool = True) -> None:
        """Load the data set, if there is one, and append from now on, or not. Whoever needs data is told to wait
        meanwhile.

        Raises CannotLoad.
        """
        log = self._core.host.log
        try:
            self.manifest = self.directory.upgrade(self.directory.load())
            self.on_manifest(self.manifest)
            if self.manifest.parts():
                for _ in self._steps():
                    await asyncio.sleep(0)
            if appends:
                self.begin()
        except OSError as error:
            text = str(error) if isinstance(error, CannotAppend) else f"{error.filename or ''}: {error.strerror}"
            log("warning", text)
            raise CannotLoad(text) from None
        except CannotLoad as problem:
            log("warning", str(problem))
            raise
        self._app.saves.forget_changes()
        self._core.become_loading("")

    def _steps(self) -> Iterator[None]:
        """Load what the manifest names, in slices.

        Raises CannotLoad, CannotAppend.
        """
        core, truncate = self._core, bool(self._app.settings["aof-load-truncated"])
        loading = self.loading = AppendLoading(
            core, self._app.loads, self.directory, self.manifest, truncate, self.on_annotation, self.make_replay
        )
        core.replaying = True
        core.settle_stillness()
        try:
            yield from loading.steps()
        finally:
            self.selected = loading.selected
            self.loading = None
            core.replaying = False
            core.settle_stillness()

    def reload(self) -> None:
        """DEBUG LOADAOF: forget the data set, and load it again.

        Raises CannotLoad, CannotAppend.
        """
        core = self._core
        self.on_reload()
        if self.state == ON:
            self.appending.settle()
            self.manifest = self.directory.load()
        self._app.snapshots.abort()
        databases = core.keyspace.databases
        changes = [database.dirty for database in databases]
        audience, core.feed.audience = core.feed.audience, 0
        try:
            core.keyspace.flush(databases)
            for _ in self._steps():
                pass
        finally:
            core.feed.audience = audience
            for database, count in zip(databases, changes, strict=True):
                database.dirty = count  # nothing has changed for those who are told of changes: it is in the file
        self._app.saves.forget_changes()

    def begin(self) -> None:
        """Append from now on: to the last increment, or to a new one. Where there are no files yet, the base is what
        the keyspace holds now.

        Raises CannotAppend, OSError.
        """
        log = self._core.host.log
        self.directory.make()
        manifest = self.manifest
        if not manifest.parts():
            manifest = manifest.with_base(self.directory.name, bool(self._app.settings["aof-use-rdb-preamble"]), keep=0)
            assert manifest.base is not None
            log("notice", f"Creating AOF base file {manifest.base.name} on server start")
            self._app.snapshots.save_now(
                self.directory.file(manifest.base.name), BASE, commands=not self._app.settings["aof-use-rdb-preamble"]
            )
        if manifest.increments:
            log("notice", f"Opening AOF incr file {manifest.increments[-1].name} on server start")
        else:
            manifest = manifest.with_increment(self.directory.name)
            log("notice", f"Creating AOF incr file {manifest.increments[-1].name} on server start")
            self.directory.remove(manifest.increments[-1].name)  # a crash may have left one that nobody knows
        file = self.open_file(self.directory.file(manifest.increments[-1].name))
        if manifest is not self.manifest:
            self.on_increment(file)
            self.directory.persist(manifest)
        self.manifest = manifest
        self._measure()
        self.base_size = self.size()
        self.appending.open(file)
        self.state = ON
        self.is_ready = True
        self._remove_history()

    def stay_off(self) -> None:
        """Append nothing, but know the files that there are, so that a rewrite goes on from their numbers.

        Raises CannotLoad.
        """
        self.is_ready = True
        if self.directory.path.is_dir():
            try:
                self.manifest = self.directory.load()
            except CannotAppend as problem:
                self._core.host.log("warning", str(problem))
                raise CannotLoad(str(problem)) from None

    def switch(self, wanted: bool) -> None:
        """CONFIG SET appendonly.

        Raises CannotAppend.
        """
        if not self.is_ready:
            return  # what the setting is when the data set has been loaded decides
        if wanted:
            self.enable()
        else:
            self.appending.leave()
            self.disable()

    # Switching

    def enable(self) -> None:
        """CONFIG SET appendonly yes.

        Raises CannotAppend.
        """
        if self.state != OFF:
            return
        self.state = WAITS
        log = self._core.host.log
        if self._has_child() or self._within_transaction():
            self.rewrites.scheduled = True
            why = "there is already another background operation" if self._has_child() else None
            log(
                "notice",
                f"AOF was enabled but {why}. An AOF background was scheduled to start when possible."
                if why
                else "AOF was enabled during a transaction. An AOF background was scheduled to start when possible.",
            )
        elif not self._start():
            self.state = OFF
            log(
                "warning",
                "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above "
                "logs for more info about the error.",
            )
            raise CannotAppend("Unable to turn on AOF. Check server logs.")

    def disable(self) -> None:
        """CONFIG SET appendonly no, and the end of the server: what there is is written, and on the disk."""
        if self.state == OFF:
            return
        waited = self.state == WAITS
        self._stop_rewrite()
        self.rewrites.scheduled = False
        self.state = OFF
        self.appending.close()
        if waited:
            self.directory.remove(self._temporary_increment())

    def start_over(self, base_file: Path | None, begin: Callable[[AppendFile], None]) -> None:
        """Let the files be those of another data set, at once: an RDB file that is on the disk, which
        becomes the base, or what the keyspace holds where that is None; and a new increment, with which ``begin`` goes
        on when the manifest names it.

        Raises OSError: then the files are as they were.
        """
        self._stop_rewrite()
        self.rewrites.scheduled = False
        directory = self.directory
        preamble = base_file is not None or bool(self._app.settings["aof-use-rdb-preamble"])
        manifest = self.manifest.with_base(directory.name, preamble, keep=0).with_increment(directory.name)
        assert manifest.base is not None
        base, increment = directory.file(manifest.base.name), directory.file(manifest.increments[-1].name)
        directory.make()
        directory.remove(base.name)
        directory.remove(increment.name)
        if base_file is not None:
            base_file.replace(base)
        else:
            self._app.snapshots.save_now(base, BASE, commands=not preamble)
        file = self.open_file(increment)
        self.on_increment(file)
        directory.persist(manifest)
        self.manifest = manifest
        begin(file)
        if self.state == WAITS:
            directory.remove(self._temporary_increment())
        self.state = ON
        self._measure()
        self.base_size = self.size()
        self._remove_history()

    def adopt(self, payload: Path | None) -> Path | None:
        """Another name for a file that holds a data set which may take the place of this one (``begin_anew``), among
        the files of this one; None where there is none, or nothing is appended."""
        if self.state == OFF or payload is None:
            return None
        adopted = self.directory.file(f"{TEMPORARY}sync.rdb")
        try:
            self.directory.make()
            self.directory.remove(adopted.name)
            os.link(payload, adopted)
        except OSError:
            return None
        return adopted

    def begin_anew(self, base_file: Path | None) -> None:
        """The data set has become another one, without a word of the feed: that of a master. An RDB file that holds it
        (``adopt``) becomes the base at once; without one, or where the disk does not take it, a child writes the base,
        and what comes meanwhile waits in a temporary increment, as when appending is switched on."""
        if self.state == OFF:
            return
        if base_file is not None:
            try:
                self.start_over(base_file, self.appending.start_over)
            except OSError as error:
                self._core.host.log("warning", f"Can't begin the append-only file anew: {error.strerror or error}")
                self.directory.remove(base_file.name)
            else:
                return
        self._stop_rewrite()
        self.appending.close(sync=False)
        if self.state == WAITS:
            self.directory.remove(self._temporary_increment())
        self.state = WAITS
        self.rewrites.scheduled = self._has_child() or not self._start()

    def may_end(self, forced: bool) -> bool:
        """Whether the server may end now: not while the first base is being written, without which what it has appended
        is worth nothing, unless it must."""
        if self.state == WAITS and self._snapshot is not None:
            words = "Writing initial AOF. Exit anyway." if forced else "Writing initial AOF, can't exit."
            self._core.host.log("warning", words)
            return forced
        return True

    def _within_transaction(self) -> bool:
        return self._core.feed.depth > 0 or any(session.executing for session in self._core.sessions.values())

    # Rewrites

    def rewrite(self) -> bytes:
        """BGREWRITEAOF: what to answer.

        Raises CannotAppend.
        """
        if self.rewrites.begun is not None:
            raise CannotAppend("Background append only file rewriting already in progress")
        if self._has_child() or self._within_transaction():
            self.rewrites.failures = 0  # somebody wants it: no delay
            self.rewrites.scheduled = True
            return b"Background append only file rewriting scheduled"
        if not self._start():
            raise CannotAppend(
                "Can't execute an AOF background rewriting. Please check the server logs for more information."
            )
        return b"Background append only file rewriting started"

    def tick(self) -> None:
        """Called some times a second."""
        self.appending.tick()
        if self._has_child() or self._within_transaction():
            return
        wanted = self.rewrites.scheduled
        if not wanted and not self._has_grown():
            return
        delay = self.rewrites.delay(self._core.host.ticks())
        if delay is None:
            if not wanted:
                percent = growth(self.size(), self.base_size)
                self._core.host.log("notice", f"Starting automatic rewriting of AOF on {percent}% growth")
            self._start()
        elif delay:
            self._core.host.log(
                "warning",
                f"Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {delay} minutes",
            )

    def _has_grown(self) -> bool:
        settings = self._app.settings
        percentage, size = settings["auto-aof-rewrite-percentage"], self.size()
        if self.state != ON:
            return False
        if self.appending.doubtful and self.appending.trouble() is None:
            return True
        return bool(
            percentage and size > settings["auto-aof-rewrite-min-size"] and growth(size, self.base_size) >= percentage
        )

    def _start(self) -> bool:
        """Begin a rewrite. Whether it could be begun; the log tells why not."""
        log = self._core.host.log
        now = self._core.host.ticks()
        try:
            self.directory.make()
            self.on_rewrite()
            if self.state == ON:
                self._begin_increment()
            elif self.state == WAITS:
                self._begin_temporary_increment()
            self._start_child()
        except (OSError, Refused) as error:
            log("warning", f"Can't rewrite append only file in background: {error}")
            self.rewrites.begin(now)
            self.rewrites.end(now, ok=False)
            if self.state == WAITS:
                self._drop_temporary_increment()
            return False
        self.rewrites.begin(now)
        return True

    def _begin_increment(self) -> None:
        """Let what comes now go into a new increment.

        Raises OSError.
        """
        appending = self.appending
        if not appending.settle():
            raise appending.error or CannotAppend("the append-only file cannot be written")
        manifest = self.manifest.with_increment(self.directory.name)
        name = manifest.increments[-1].name
        self._core.host.log("notice", f"Creating AOF incr file {name} on background rewrite")
        self.directory.remove(name)
        file = self.open_file(self.directory.file(name))
        try:
            self.on_increment(file)
            self.directory.persist(manifest)
        except OSError:
            file.close()
            self.directory.remove(name)
            raise
        assert appending.file is not None
        self._older_size += appending.file.size
        appending.exchange(file)
        self.manifest = manifest

    def _begin_temporary_increment(self) -> None:
        name = self._temporary_increment()
        self.directory.remove(name)
        self._core.host.log("notice", f"Creating AOF incr file {name} on background rewrite")
        file = self.open_file(self.directory.file(name))
        self.on_increment(file)
        self.appending.open(file)
        self.appending.is_whole = False

    def _drop_temporary_increment(self) -> None:
        if self.appending.file is not None:
            self.appending.close(sync=False)
        name = self._temporary_increment()
        self._core.host.log("notice", f"Removing the temp incr aof file {name} in the background")
        self.directory.remove(name)
        self.rewrites.scheduled = self.state == WAITS

    def _temporary_increment(self) -> str:
        return f"{TEMPORARY}{self.directory.name}.incr.aof"

    def _start_child(self) -> None:
        """Raises Refused."""
        preamble = bool(self._app.settings["aof-use-rdb-preamble"])
        path = self.directory.file(f"{TEMPORARY}rewriteaof-bg.aof")

        def on_end(snapshot: Snapshot) -> None:
            self._end(snapshot, path, preamble)

        self._snapshot = snapshot = self._app.snapshots.start(path, BASE, on_end, commands=not preamble)
        started = f" by pid {snapshot.pid}" if snapshot.pid else ""
        self._core.host.log("notice", f"Background append only file rewriting started{started}")

    def _end(self, snapshot: Snapshot, path: Path, preamble: bool) -> None:
        """The new base has been written, or not."""
        self._snapshot = None
        self.last_private = snapshot.private
        log = self._core.host.log
        ok = not snapshot.error
        if ok:
            log("notice", "Background AOF rewrite terminated with success")
            ok = self._install_base(path, preamble)
        elif snapshot.signal or snapshot.aborted:
            log("warning", f"Background AOF rewrite terminated by signal {snapshot.signal or 9}")
        else:
            log("warning", snapshot.error)
            log("warning", "Background AOF rewrite terminated with error")
        self.rewrites.end(self._core.host.ticks(), None if snapshot.aborted else ok)
        if ok:
            log("notice", "Background AOF rewrite finished successfully")
            return
        with contextlib.suppress(OSError):
            path.unlink()
        if self.state == WAITS:
            self._drop_temporary_increment()

    def _install_base(self, temporary: Path, preamble: bool) -> bool:
        """Let a base that has been written take the place of all older files. Whether that could be done."""
        log, directory, before = self._core.host.log, self.directory, self.manifest
        manifest = before.with_base(directory.name, preamble, keep=1 if self.state == ON else 0)
        assert manifest.base is not None
        path = directory.file(manifest.base.name)
        try:
            temporary.replace(path)
            log(
                "notice",
                f"Successfully renamed the temporary AOF base file {temporary.name} into {manifest.base.name}",
            )
            if self.state == WAITS:
                manifest = manifest.with_increment(directory.name)
                increment = manifest.increments[-1].name
                directory.file(self._temporary_increment()).replace(directory.file(increment))
                log(
                    "notice",
                    f"Successfully renamed the temporary AOF incr file {self._temporary_increment()} into {increment}",
                )
            directory.persist(manifest)
        except OSError as error:
            log("warning", f"Error trying to put the new AOF base file {path.name} in place: {error.strerror}")
            directory.remove(path.name)
            return False
        self.manifest = manifest
        if self.state == WAITS:
            self.state = ON
        self.appending.is_whole = True
        self._core.syncs.moved()
        self._measure()
        self.base_size = self.size()
        self.appending.doubtful = False
        self._remove_history()
        return True

    def _remove_history(self) -> None:
        """Remove what a rewrite has made superfluous."""
        if not self.manifest.history or self._app.settings["aof-disable-auto-gc"]:
            return
        directory = self.directory
        for part in self.manifest.history:
            assert part.kind == HISTORY
            self._core.host.log("notice", f"Removing the history file {part.name} in the background")
            self.appending.in_background(lambda name=part.name: directory.remove(name))  # type: ignore[misc]
        manifest = self.manifest.without_history()
        try:
            directory.persist(manifest)
        except OSError as error:
            self._core.host.log("warning", f"Cannot write the AOF manifest: {error.strerror}")
        else:
            self.manifest = manifest

    def _stop_rewrite(self) -> None:
        if self._snapshot is not None:
            self._core.host.log("notice", f"Killing running AOF rewrite child: {self._snapshot.pid}")
            self._snapshot.end_now()

    # Reports

    def size(self) -> int:
        """Bytes of all files."""
        file = self.appending.file
        return self._older_size + (file.size if file is not None else 0)

    def _measure(self) -> None:
        """Look how large the files are that do not grow."""
        with contextlib.suppress(CannotAppend):
            self._older_size = sum(self.directory.sizes(self.manifest)[:-1])

    def _has_child(self) -> bool:
        return self._app.snapshots.running is not None

    def fields(self) -> Iterator[tuple[str, Any]]:
        """The fields of INFO persistence."""
        rewrites, appending = self.rewrites, self.appending
        now = self._core.host.ticks()
        yield "aof_enabled", int(self.state != OFF)
        yield "aof_rewrite_in_progress", int(rewrites.begun is not None)
        yield "aof_rewrite_scheduled", int(rewrites.scheduled)
        yield "aof_last_rewrite_time_sec", rewrites.seconds
        yield "aof_current_rewrite_time_sec", -1 if rewrites.begun is None else int(now - rewrites.begun)
        yield "aof_last_bgrewrite_status", "ok" if rewrites.ok else "err"
        yield "aof_rewrites", rewrites.count
        yield "aof_rewrites_consecutive_failures", rewrites.failures
        yield "aof_last_write_status", "ok" if appending.trouble() is None else "err"
        yield "aof_last_cow_size", self.last_private

    def running_fields(self) -> Iterator[tuple[str, Any]]:
        """The fields that there are only while something is appended."""
        if self.state == OFF:
            return
        yield "aof_current_size", self.size()
        yield "aof_base_size", self.base_size
        yield "aof_pending_rewrite", 0
        yield "aof_buffer_length", self.appending.buffered()
        yield "aof_pending_bio_fsync", self.appending.syncing()
        yield "aof_delayed_fsync", self.appending.delayed
