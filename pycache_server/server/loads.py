"""How a data set comes in: from the file at the start, from a leader, by DEBUG RELOAD.

A file is read in slices between which clients are served what needs no data (INFO, and whatever else has the LOADING
flag); everybody else is answered -LOADING. It takes effect when all of it has been read (persist/loading.py), with its
libraries of functions. A file that is not sound changes nothing.
"""

from __future__ import annotations

import asyncio
import mmap
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pycache_server.errors import RedisError
from pycache_server.persist.loading import Loading
from pycache_server.rdb.reader import BadData
from pycache_server.scripting.functions import link
from pycache_server.scripting.library import Library
from pycache_server.scripting.payload import make_libraries
from pycache_server.scripting.running import Scripts, scripts_of
from pycache_server.settings.kinds import delay_of

if TYPE_CHECKING:
    from pycache_server.server.app import App

SLICE: Final = 0.01
"""Seconds of a slice while commands must wait anyway; others get as much time as the loading where they are served."""
SERVED_SLICE: Final = 0.001
TELL_EVERY: Final = 2.0


class CannotLoad(Exception):
    """The data set cannot be had; the log has been told, and the text says why."""


def read_file(path: Path) -> Any:
    """What a file holds, without reading all of it at once; None where there is no file.

    Raises OSError.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return None
    with stream:
        try:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # it is empty
            return b""


class Loads:
    """The loading of one server's data set."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.current: Loading | None = None
        """What is being loaded."""
        self.started = 0.0
        self._told = 0.0
        self.last_keys = self.last_expired = 0
        """Of the last file that was loaded."""
        self.last_aux: dict[bytes, bytes] = {}
        """What that file tells of itself."""

    def wanted(self) -> bool:
        """Whether there is a file to load at the start."""
        return self._app.saves.path.exists()

    async def load_at_start(self) -> None:
        """Load the file, if there is one.

        Raises CannotLoad.
        """
        app, path = self._app, self._app.saves.path
        begin = time.perf_counter()
        try:
            data = read_file(path)
        except OSError as error:
            text = f"Fatal error: can't open the RDB file {path.name} for reading: {error.strerror}"
            app.log.write("warning", text)
            raise CannotLoad(text) from None
        if data is None:
            app.core.become_loading("")
            return
        try:
            await self.load(data)
        except BadData as error:
            text = self.complain(error)
            app.log.write("warning", "Fatal error loading the DB, check server logs. Exiting.")
            raise CannotLoad(text) from None
        app.saves.forget_changes()
        app.log.write("notice", f"DB loaded from disk: {time.perf_counter() - begin:.3f} seconds")

    def complain(self, error: BadData) -> str:
        """Tell the log what is wrong with a file. The line."""
        text = f"Internal error in RDB reading offset {error.offset}: {error.reason}"
        self._app.log.write("warning", text)
        return text

    async def load(
        self, data: Any, how: str = "sync", keep_expired: bool = False, start: int = 0, preamble: bool = False
    ) -> Loading:
        """Let what a file holds take the place of everything. ``how`` says what clients get meanwhile: ``sync`` for
        -LOADING, ``async`` for the old data. ``keep_expired`` is for followers, ``preamble`` for the beginning of an
        append-only file.

        Raises BadData; then nothing has changed.
        """
        core = self._app.core
        follows = bool(self._app.settings["replicaof"])  # then the master says which keys go
        loading = self._begin(data, keep_expired or preamble or follows, start)
        core.become_loading(how)
        seconds = SLICE if how == "sync" else SERVED_SLICE
        try:
            while self._slice(loading, seconds):
                await asyncio.sleep(0 if how == "sync" else seconds)
            libraries = self._libraries(loading)
            self._install(loading, libraries)
        except BaseException:
            loading.discard()
            raise
        finally:
            self.current = None
            core.become_loading("")
        return loading

    def steps(self, data: Any) -> Generator[None, None, Loading]:
        """The same for the file that an append-only file begins with, in slices, whoever is served meanwhile.

        Raises BadData; then nothing has changed.
        """
        loading = self._begin(data, keep_expired=True, start=0)
        try:
            while self._slice(loading, SLICE):
                yield
            self._install(loading, self._libraries(loading))
        except BaseException:
            loading.discard()
            raise
        finally:
            self.current = None
        return loading

    def load_now(self, data: Any, merge: bool | None = None) -> None:
        """The same at once. ``merge`` adds to what is there: True overwrites keys, False refuses them.

        Raises BadData; then nothing has changed.
        """
        loading = self._begin(data, False, 0)
        try:
            while self._step(loading):
                pass
            libraries = self._libraries(loading)
            if merge is False:
                self._refuse_twice(libraries)
            if merge is None:
                self._install(loading, libraries)
                return
            taken = loading.merge(merge)
            if taken is not None:
                raise BadData(f"RDB has duplicated key '{taken.decode('utf-8', 'backslashreplace')}'", 0)
            if libraries:
                link(scripts_of(self._app.core), libraries, replace=True)
            self._report(loading)
        finally:
            self.current = None

    def _refuse_twice(self, libraries: dict[bytes, Library]) -> None:
        scripts: Scripts | None = self._app.core.scripts
        for name in libraries:
            if scripts is not None and name in scripts.libraries:
                raise BadData(f"Library {name.decode('utf-8', 'backslashreplace')} already exists", 0)

    def _begin(self, data: Any, keep_expired: bool, start: int) -> Loading:
        app = self._app
        app.core.clock.time = self.started = self._told = app.host.time()
        loading = self.current = Loading(
            data, app.core.keyspace, app.core.shape, start, keep_expired, app.settings["rdbchecksum"]
        )
        return loading

    def _step(self, loading: Loading) -> bool:
        """Read some keys, or one that takes its time (key-load-delay). Whether there are more.

        Raises BadData.
        """
        delay = self._app.settings["key-load-delay"]
        if not delay:
            return loading.step()
        time.sleep(delay_of(delay))
        return loading.step(1)

    def _slice(self, loading: Loading, seconds: float) -> bool:
        """Read for some time. Whether there is more.

        Raises BadData.
        """
        host = self._app.host
        known, until = bool(loading.aux), host.ticks() + seconds
        more = True
        while more and host.ticks() < until:
            more = self._step(loading)
        if loading.aux and not known:
            self._tell_origin(loading.aux)
        now = host.time()
        if now - self._told >= TELL_EVERY:
            self._told = now
            progress = loading.progress
            part = 100 * progress.done / (progress.total or 1)
            self._app.log.write(
                "notice", f"Loading the DB: {part:.0f}% of {progress.total} bytes, {progress.keys} keys"
            )
        return more

    def _tell_origin(self, aux: dict[bytes, bytes]) -> None:
        write = self._app.log.write
        texts = {name: text.decode("utf-8", "backslashreplace") for name, text in aux.items()}
        if b"redis-ver" in texts:
            write("notice", f"Loading RDB produced by version {texts[b'redis-ver']}")
        if b"ctime" in texts and texts[b"ctime"].isdigit():
            write("notice", f"RDB age {max(int(self._app.host.time()) - int(texts[b'ctime']), 0)} seconds")
        if b"used-mem" in texts and texts[b"used-mem"].isdigit():
            write("notice", f"RDB memory usage when created {int(texts[b'used-mem']) / (1 << 20):.2f} Mb")
        if texts.get(b"aof-base") == "1":
            write("notice", "RDB is base AOF")

    def _libraries(self, loading: Loading) -> dict[bytes, Library]:
        """The libraries of functions of a file, which nobody knows yet.

        Raises BadData.
        """
        if not loading.functions:
            return {}
        try:
            return make_libraries(scripts_of(self._app.core), loading.functions)
        except RedisError as error:
            raise BadData(f"Failed creating a library of functions: {error}", 0) from None

    def _install(self, loading: Loading, libraries: dict[bytes, Library]) -> None:
        core = self._app.core
        loading.install()
        if core.scripts is not None:
            core.scripts.forget_libraries()
        if libraries:
            link(scripts_of(core), libraries, replace=False)
        self._report(loading)

    def _report(self, loading: Loading) -> None:
        progress = loading.progress
        self.last_keys, self.last_expired, self.last_aux = progress.keys, progress.expired, loading.aux
        text = f"Done loading RDB, keys loaded: {progress.keys}, keys expired: {progress.expired}"
        text += f", empty keys skipped: {progress.empty}." if progress.empty else "."
        self._app.log.write("notice", text)
