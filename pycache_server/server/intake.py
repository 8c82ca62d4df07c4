"""The payload of a full resync: received, checked, and put into the place of the data set.

It comes into a temporary file, or into memory where repl-diskless-load says so (MOST_IN_MEMORY bytes of it: what is
larger, or has no end, goes on in a file), and is loaded in slices into databases
that nobody sees (persist/loading.py) while others go on. Only when all of it is sound is it installed, as one change: a
payload that is cut or corrupt has changed nothing. So for a moment both data sets are in memory.

The file becomes ``dbfilename`` then, as with Redis; with rdb-del-sync-files it goes where nothing is saved otherwise.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycache_server.errors import RedisError
from pycache_server.persist.loading import Loading
from pycache_server.rdb.reader import BadData
from pycache_server.scripting.functions import link, make_library
from pycache_server.scripting.library import Library
from pycache_server.scripting.running import scripts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pycache_server.server.app import App

SYNC_EVERY = 8 << 20
"""So many bytes are given to the disk at once."""
MOST_IN_MEMORY = 1 << 28
"""Bytes of a payload that are kept in memory, before anything shows whether they are one."""
SLICE = 0.002
"""Seconds of loading after which others go on."""


class NotKept(OSError):
    """The disk does not take what has come."""


class Intake:
    """One payload. ``size`` is its length in bytes, None where only its end tells."""

    def __init__(self, app: App, size: int | None, in_memory: bool) -> None:
        self._app = app
        self.size = size
        self.received = 0
        """Bytes that have come."""
        self._parts: list[bytes] = []
        self._stream: Any = None
        self._path: Path | None = None
        self._mapped: mmap.mmap | None = None
        self._synced = 0
        self.loading: Loading | None = None
        """The loading, once all has come."""
        self._libraries: dict[bytes, Library] = {}
        self._is_kept = not in_memory  # whether the file becomes the one that is loaded at the next start
        if not in_memory:
            self._open_file()

    def _open_file(self) -> None:
        directory = Path(self._app.settings["dir"])
        self._path = directory / f"temp-{int(self._app.host.time())}.{os.getpid()}-{id(self):x}.rdb"
        self._stream = self._path.open("wb")

    @property
    def path(self) -> Path | None:
        """The file that it comes into; None where it comes into memory."""
        return self._path

    def take(self, data: bytes) -> None:
        """A part has come.

        Raises OSError.
        """
        self.received += len(data)
        if self._stream is None:
            self._parts.append(data)
            if self.received <= MOST_IN_MEMORY:
                return
            self._open_file()
            data = b"".join(self._parts)
            self._parts.clear()
        self._stream.write(data)
        if self.received - self._synced >= SYNC_EVERY:  # little by little, so that the end does not take seconds
            self._synced = self.received
            self._stream.flush()
            os.fdatasync(self._stream.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._stream.fileno())

    def load(self) -> Iterator[None]:
        """Load what has come, a slice a step.

        Raises BadData, NotKept.
        """
        core = self._app.core
        loading = self.loading = Loading(
            self._whole(),
            core.keyspace,
            core.shape,
            keep_expired=True,
            checksum=self._app.settings["rdbchecksum"],
        )
        ticks = core.host.ticks
        until = ticks() + SLICE
        while loading.step():
            if ticks() >= until:
                yield
                until = ticks() + SLICE
        if loading.end != self.received:
            raise BadData("something follows the end of the file", loading.end)
        self._make_libraries(loading)

    def _whole(self) -> Any:
        if self._stream is None:
            data = b"".join(self._parts)
            self._parts.clear()
            return data
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        except OSError as error:
            raise NotKept(error.errno, error.strerror) from None
        if not self.received:
            return b""
        assert self._path is not None
        with self._path.open("rb") as stream:
            self._mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return self._mapped

    def _make_libraries(self, loading: Loading) -> None:
        """Let the functions of the payload be compiled, which is the last thing that can fail."""
        for code in loading.functions:
            try:
                library = make_library(scripts_of(self._app.core), code, self._libraries)
            except RedisError as error:
                raise BadData(f"a library of functions cannot be made: {error}", loading.end) from None
            self._libraries[library.name] = library

    def install(self) -> dict[bytes, bytes]:
        """Let what was loaded take the place of what is there. Returns what the file tells of itself."""
        assert self.loading is not None
        core = self._app.core
        self.loading.install()
        if core.scripts is not None:
            core.scripts.forget_libraries()
            link(core.scripts, self._libraries, replace=True)
        self._keep_file()
        return self.loading.aux

    def _keep_file(self) -> None:
        """Let the file become the one that is loaded at the next start."""
        settings = self._app.settings
        if self._path is None or not self._is_kept:
            return
        persists = bool(settings["save"]) or settings["appendonly"]
        try:
            if settings["rdb-del-sync-files"] and not persists:
                return
            self._path.replace(Path(settings["dir"]) / settings["dbfilename"])
        except OSError as error:
            self._app.log.write(
                "warning",
                "Failed trying to rename the temp DB into dump.rdb in MASTER <-> REPLICA synchronization: "
                f"{error.strerror or error}",
            )

    def close(self) -> None:
        """Leave nothing behind, whatever has come of it."""
        self._parts.clear()
        self.loading = None
        if self._mapped is not None:
            self._mapped.close()
            self._mapped = None
        if self._stream is not None:
            with contextlib.suppress(OSError):  # a full disk does not take what is still to be written
                self._stream.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
