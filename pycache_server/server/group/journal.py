"""What of a voter's data outlives a restart: the append-only file of its group, or what a clean end leaves.

The driver of the group calls, in this order:

At boot, in place of ``app.load``'s own loading:

1. ``Journal(app, voters, stem)`` before anything is loaded (``stem`` is ``group-<port>``).
2. ``await load(state)``, with what the state file holds: loads the data set, and answers what the Member begins with.
   None: the memory is lost. ``why`` tells that in words then, ``remains`` what was found all the same. The offset of
   the replication history is that of the group's afterwards, ``database`` is which one the stream has selected there.
3. Make the Member; ``attach(member.log)``; set ``seal``, ``is_settled`` and, unless ``core.replication.stream_db`` is
   right on leaders and followers alike, ``stream_db``.
4. Where GROUP BOOTSTRAP makes the data of this node those of the group though ``load`` answered None: ``adopt(saved)``
   with what was loaded into the Member's log (``remains``, or a Saved of one's own for data of no group), before any
   other action.

While running, each action in its turn:

- Keep: ``keep(entries)``, before any Ack that follows it is said. The leader's own entries come by it, too, before the
  gates of the outbox let the replies of that round leave.
- Cut: ``cut(end)``.
- Install: exchange the keyspace first, let ``core.replication.history.offset`` be ``image.end``, then
  ``install(image, dropped, source)``. ``source`` is the image as an RDB file: what ``await prepare(path or bytes)`` has
  given, which does the slow part while the loop goes on (best while the image is loaded; ``discard(source)`` if it
  comes to nothing); or its path or bytes; or None: it is written anew from the keyspace. When ``install`` returns the
  file holds the image.
- now and then (each tick): ``trim(log.commit)``.

A snapshot shows what the keyspace holds, and that must be an offset of the history: ``seal`` is called before one, to
make an entry of what the leader has executed in this round, and keep it. ``is_settled`` tells whether all actions that
were taken have been done; while they have not, no rewrite begins.

At a clean end, when App.shut_down has agreed: ``shutdown(member.shutdown())``, in the same turn of the loop as the last
save. What is kept after that takes the clean end back, as far as that can be done: with an append-only file ``keep``
raises OSError once it is closed (App.stop), so that nothing more is acknowledged. The group had better have stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pycache_server.election.state import Durable
from pycache_server.persist.group_lines import Place, entry_bytes
from pycache_server.persist.manifest import Manifest
from pycache_server.persist.opcodes import Aux
from pycache_server.repl.entries import Entry
from pycache_server.repl.epochs import Epochs
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.links import Image
from pycache_server.repl.member import Saved
from pycache_server.server.aof import OFF
from pycache_server.server.appenddir import CannotAppend
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.files import sync_directory
from pycache_server.server.group.appended import GroupAppending
from pycache_server.server.group.recalling import Recall, aux_of_place, count_keys, place_of
from pycache_server.server.group.saved import Remainder, forget_remainder, names_token, write_remainder
from pycache_server.server.loads import CannotLoad
from pycache_server.server.snapshots import BASE, FILE, REPLICAS
from pycache_server.server.worker import Worker
from pycache_server.session.stream import select

if TYPE_CHECKING:
    from pycache_server.server.app import App


class Prepared(NamedTuple):
    """An image that is on the disk."""

    path: Path


class Journal:
    """The journal of one voter. ``voters`` are the configured ones."""

    def __init__(self, app: App, voters: tuple[str, ...], stem: str) -> None:
        self._app = app
        self._core = app.core
        self._voters = voters
        self._stem = stem
        self.log: GroupLog | None = None
        self.seal: Callable[[], None] = lambda: None
        self.is_settled: Callable[[], bool] = lambda: True
        self.stream_db: Callable[[], int] = lambda: app.core.replication.stream_db
        """Which database the stream has selected at the offset of the keyspace."""
        self.remains: Saved | None = None
        """What was loaded though it is not all that was acknowledged."""
        self.why = ""
        """Why the memory is lost."""
        self.database = 0
        """The database that the stream has selected where the data set that was loaded ends."""
        self._stale = False  # whether keyspace and files hold something else than the log
        self._is_over = False  # whether a clean end has been written, which holds while nothing follows
        self.holds_found = False
        """Whether the keyspace holds data though this voter is in no group: its group's, whose state file is lost, or
        those of no group."""
        self._knows = False  # whether it is known where in the history the keyspace stands
        self._place = Place(0, (), voters)  # of the keyspace, while there is no log
        self._worker = Worker("group-image", app.loop.call_soon_threadsafe)
        self._numbers = itertools.count()
        self._dumped: Place | None = None  # of the last dump.rdb that was begun, while it is of this history
        aof = app.aof
        self.file = aof.appending = aof.make_appending(GroupAppending)
        aof.on_reload = _refuse_reload
        aof.on_rewrite = self._before_rewrite
        aof.on_increment = self._begin_increment
        app.snapshots.on_moment = self._describe

    @property
    def end(self) -> int:
        """The offset of the history up to which entries have been given."""
        return self.file.end

    # At boot

    async def load(self, state: Durable) -> Saved | None:
        """Load the data set, and tell what is known of it.

        Raises CannotLoad.
        """
        app = self._app
        recall = Recall(app, self._voters, self._remainder)

        def look(manifest: Manifest) -> None:
            recall.look(manifest)
            self._knows = recall.is_new(state)

        app.aof.on_manifest, app.aof.make_replay = look, recall.make_replay
        saved = await recall.load(state)
        self.holds_found = state.epoch is None and saved is None and recall.holds_data()
        if not self.holds_found:  # who has found data acknowledges nothing: it may start again before an operator comes
            self._forget_remainder()
        self.remains, self.why, self.database = recall.remains, recall.why, recall.database
        if saved is None:
            self._stale = True
            if state.epoch is not None:
                app.log.write("warning", f"The data set of this voter is not whole: {self.why}")
        self._begin_at(saved)
        return saved

    def _begin_at(self, saved: Saved | None) -> None:
        """The keyspace holds what was saved, or nothing that counts.

        Raises CannotLoad.
        """
        place = self._place = place_of(saved) if saved is not None else Place(0, (), self._voters)
        self.file.end = place.end
        replication = self._core.replication
        replication.history.offset = place.end
        if replication.backlog is not None:
            replication.restart_backlog()
        if saved is not None and self.file.file is not None:
            try:
                self.file.go_on()
            except OSError as error:
                raise self._refuse("Can't write to the append-only file", error) from None

    def _forget_remainder(self) -> None:
        """Raises CannotLoad."""
        try:
            forget_remainder(self._remainder)
        except OSError as error:
            raise self._refuse(f"Can't remove {self._remainder}, which must not be found again", error) from None

    def _refuse(self, what: str, error: OSError) -> CannotLoad:
        text = f"{what}: {error.strerror}"
        self._app.log.write("warning", text)
        return CannotLoad(text)

    def attach(self, log: GroupLog) -> None:
        """The history is there."""
        self.log = log
        self._knows = True

    def adopt(self, saved: Saved) -> None:
        """What the keyspace holds is the group's data from now on, whatever was acknowledged before.

        Raises CannotLoad, OSError.
        """
        if self.holds_found:
            self._forget_remainder()
        self._stale = False
        try:
            self._begin_at(saved)
            if self._app.aof.state != OFF:
                self._rebase(self._place, None)
        except (CannotLoad, OSError):
            self._stale = True
            raise
        self.holds_found = False
        self.remains = self._dumped = None

    # While running

    def keep(self, entries: Sequence[Entry]) -> None:
        """Write entries to the file, if there is one: with appendfsync always they are on the disk when this returns,
        or the process ends."""
        if self._stale:
            self._discard()
        if self._is_over:
            self._take_back()
        self.file.keep(entries)

    def cut(self, end: int) -> None:
        """Drop the entries behind an offset."""
        if self._is_over:
            self._take_back()
        self.file.cut(end)

    def _take_back(self) -> None:
        """The history goes on though a clean end has been written: let the next start not find that. With an
        append-only file it is written by ``close``, behind which nothing may come.

        Raises OSError.
        """
        if self.file.ends_cleanly and self.file.file is None:
            raise OSError(0, "the append-only file has got its clean end")
        if not self.file.ends_cleanly:
            self._is_over = False
            forget_remainder(self._remainder)

    def trim(self, offset: int) -> None:
        """Nothing will be cut off up to this offset."""
        self.file.forget(offset)

    async def prepare(self, source: Path | bytes) -> Prepared | None:
        """Bring an image onto the disk, in another thread, for ``install``. None where there is no file to be written,
        or where that has failed: ``install`` tries again."""
        if self._app.aof.state == OFF:
            return None
        path = self._app.aof.directory.file(f"temp-group-{next(self._numbers)}.rdb")
        done: asyncio.Future[OSError | None] = self._app.loop.create_future()

        def end(error: OSError | None) -> None:
            if not done.done():
                done.set_result(error)

        self._worker.submit(lambda: _write_base(path, source), end)
        error = await done
        if error is None:
            return Prepared(path)
        self._app.log.write("warning", f"Can't write {path.name}: {error.strerror}")
        self.discard(Prepared(path))
        return None

    def discard(self, prepared: Prepared | None) -> None:
        """An image will not be installed."""
        if prepared is not None:
            with contextlib.suppress(OSError):
                prepared.path.unlink()

    def install(self, image: Image, dropped: Sequence[Entry], source: Prepared | Path | bytes | None = None) -> None:
        """The data set has become another one."""
        first = self.end - sum(len(entry.data) for entry in dropped)
        if self._is_over:
            self._take_back()
        if dropped:
            self._keep_dropped(dropped, first)
        self._stale = False
        self.remains = self._dumped = None
        self.file.end = image.end
        if self._app.aof.state == OFF:
            return
        try:
            self._rebase(Place(image.end, image.table, image.voters), self._as_file(source))
        except OSError as error:
            self._app.die(f"Can't keep the data set of the leader in the append-only file: {error.strerror}")

    def _as_file(self, source: Prepared | Path | bytes | None) -> Path | None:
        """A file of our own that holds an image, on the disk.

        Raises OSError.
        """
        if source is None or isinstance(source, Prepared):
            return source.path if source is not None else None
        path = self._app.aof.directory.file(f"temp-group-{next(self._numbers)}.rdb")
        _write_base(path, source)
        return path

    def _discard(self) -> None:
        """The history begins anew at the beginning: what was found at the start is not part of it."""
        app, core = self._app, self._core
        databases = core.keyspace.databases
        self.put_aside()
        audience, core.feed.audience = core.feed.audience, 0
        try:
            core.keyspace.flush(databases)
            if core.scripts is not None:
                core.scripts.forget_libraries()
        finally:
            core.feed.audience = audience
        app.saves.forget_changes()
        self._stale = False
        self.remains = self._dumped = None
        if app.aof.state == OFF:
            return
        try:
            self._rebase(Place(0, (), self._voters), None)
        except OSError as error:
            app.die(f"Can't begin the append-only file anew: {error.strerror}")

    def _rebase(self, place: Place, source: Path | None) -> None:
        """Let the append-only file hold what the keyspace holds, which is the data set of a place.

        Raises OSError.
        """
        kept = self._place, self.log
        self._place, self.log, self._knows = place, None, True
        try:
            self._app.aof.start_over(source, lambda file: self.file.start_over_at(file, place.end))
        finally:
            self._place, self.log = kept

    def _keep_dropped(self, dropped: Sequence[Entry], first: int) -> None:
        """Write entries that no leader has to a file for the operator."""
        path = Path(self._app.settings["dir"]) / f"group-dropped-{dropped[0].epoch}-{first}.aof"
        size = sum(len(entry.data) for entry in dropped)
        parts, offset = [], first
        for entry in dropped:
            parts.append(entry_bytes(entry, offset))
            offset += len(entry.data)
        write = self._app.log.write
        try:
            _write_file(path, b"".join(parts))
            sync_directory(path.parent)
        except OSError as error:
            write("warning", f"{size} bytes that no leader has are dropped; {path} cannot be written: {error.strerror}")
        else:
            write("warning", f"{size} bytes that no leader has are dropped, and kept in {path}")

    def put_aside(self) -> None:
        """This voter is about to belong to a group that does not begin with the data that were found here: they are
        written to a file for the operator, before the state file says so."""
        if not self.holds_found:
            return
        keys, path = count_keys(self._core), self._file_aside()
        try:
            self._app.snapshots.save_now(path, BASE)
            forget_remainder(self._remainder)
        except OSError as error:
            self._app.die(f"Can't keep {keys} keys that were found here in {path}: {error.strerror}")
        self.holds_found = False
        text = f"{keys} keys were found here, and the group has other data: they are dropped, and kept in {path}"
        self._app.log.write("warning", text)

    def _file_aside(self) -> Path:
        """A file that is not there yet: what was put aside before stays."""
        directory, marks = Path(self._app.settings["dir"]), (f"-{number}" for number in itertools.count(2))
        names = (f"{self._stem}-dropped{mark}.rdb" for mark in itertools.chain([""], marks))
        return next(path for path in map(directory.joinpath, names) if not path.exists())

    # Snapshots

    def _before_rewrite(self) -> None:
        """Raises CannotAppend."""
        self.seal()
        if self._stale:
            raise CannotAppend("the data of this node are not those of its group")
        if not self.is_settled():
            raise CannotAppend("the group's entries are being executed")

    def _where(self) -> tuple[Place, Sequence[Entry]]:
        """Where the keyspace stands, and the entries behind that."""
        log = self.log
        if log is None:
            return self._place, ()
        done = self._core.replication.history.offset
        before = Epochs(log.epochs.table)
        before.cut(done)
        place = Place(done, before.table, log.voters_at(done), self._core.host.token(16).decode())
        return place, tuple(log.since(done) or ())

    def _begin_increment(self, file: AppendFile) -> None:
        """A new increment is to be named by the manifest."""
        if not self._knows:
            return  # what stands there without a beginning is taken for the work of others at the next start
        place, pending = self._where()
        self.file.prepare(file, place, select(self.stream_db()), pending)

    def _describe(self, kind: str) -> Sequence[Aux]:
        """What a snapshot of this moment tells of itself."""
        if kind == REPLICAS:
            return ()
        if self.log is None:
            return () if self._stale else aux_of_place(self._place)
        self.seal()
        if self._stale or not self.is_settled():
            return ()
        place, _ = self._where()
        if kind == FILE:
            self._dumped = place
        return aux_of_place(place)

    # The end

    @property
    def _remainder(self) -> Path:
        return Path(self._app.settings["dir"]) / f"{self._stem}.saved"

    def shutdown(self, saved: Saved | None) -> bool:
        """The server ends, and nothing will be acknowledged any more. Whether the next start will find everything."""
        app = self._app
        if saved is None or self._stale:
            return False
        if app.aof.state != OFF:
            self.file.ends_cleanly = self._is_over = True
            return True
        dumped = self._dumped
        if dumped is None or dumped.end != self._core.replication.history.offset:
            return False
        if not names_token(app.saves.path, dumped.token):
            return False
        remainder = Remainder(saved, dumped.token, select(self.stream_db()))
        try:
            write_remainder(self._remainder, remainder)
        except OSError as error:
            app.log.write("warning", f"Can't write {self._remainder}: {error.strerror}")
            return False
        self._is_over = True
        app.log.write("notice", f"The group's entries are saved in {self._remainder.name}")
        return True


def _refuse_reload() -> None:
    """Raises CannotLoad."""
    raise CannotLoad("the data of a group's voter are not exchanged by hand")


def _write_base(path: Path, source: Path | bytes) -> None:
    """Raises OSError."""
    if isinstance(source, bytes):
        _write_file(path, source)
        return
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_file(path: Path, data: bytes) -> None:
    """Raises OSError."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
