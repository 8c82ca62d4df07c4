"""Reading an append-only file into the keyspace, in slices.

The base comes first, an RDB file or commands; then the increments. Old files begin with an RDB file and go on with
commands. What a crash has cut off at the very end is cut off for good where aof-load-truncated allows it; damage
anywhere else, and an end that is missing before the last file, is refused, with the offset in the log: whoever wants to
go on all the same has redis-check-aof.

``steps`` is a generator that does a slice between two yields; the keyspace must be empty before.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pycache_server.persist.loading import Loading, Progress
from pycache_server.persist.manifest import BASE, Manifest, Part
from pycache_server.persist.replay import BadFile, Replay
from pycache_server.rdb.reader import BadData
from pycache_server.server.appenddir import AppendDirectory
from pycache_server.server.loads import CannotLoad, Loads
from pycache_server.server.replaying import Replaying
from pycache_server.session.core import Core

SLICE: Final = 0.005
"""Seconds of a slice, about."""
_UNITS: Final = 64
_RDB: Final = b"REDIS"


class AppendLoading:
    """The files of a manifest, as they are read. ``truncate`` is aof-load-truncated; ``on_annotation`` hears of lines
    that are no commands; ``make_replay`` makes another reader of a file (data, where to begin, name) than Replay.

    Raises CannotLoad, CannotAppend.
    """

    def __init__(
        self,
        core: Core,
        loads: Loads,
        directory: AppendDirectory,
        manifest: Manifest,
        truncate: bool,
        on_annotation: Callable[[bytes], None] | None = None,
        make_replay: Callable[[Any, int, str], Any] | None = None,
    ) -> None:
        self._core = core
        self._directory = directory
        self._loads = loads
        self._parts = manifest.parts()
        self._truncate = truncate
        self._make_replay = make_replay or (lambda data, start, name: Replay(data, start, on_annotation))
        self.selected = 0
        """The database that the last command was for."""
        self.sizes = directory.sizes(manifest)
        self.progress = Progress(0, sum(self.sizes))
        """How much has been read, in bytes, and how many keys there are by now."""
        self._before = 0  # bytes of the files that have been read
        self.aux: dict[bytes, bytes] = {}
        """What the base tells of itself."""

    def steps(self) -> Iterator[None]:
        """Read everything.

        Raises CannotLoad.
        """
        core = self._core
        start = core.host.ticks()
        for number, part in enumerate(self._parts):
            begin = core.host.ticks()
            yield from self._read(part, last=number == len(self._parts) - 1)
            kind = "base" if part.kind == BASE else "incr"
            took = core.host.ticks() - begin
            if self.sizes[number]:
                core.host.log("notice", f"DB loaded from {kind} file {part.name}: {took:.3f} seconds")
        core.host.log("notice", f"DB loaded from append only file: {core.host.ticks() - start:.3f} seconds")

    def _read(self, part: Part, last: bool) -> Iterator[None]:
        path = self._directory.file(part.name)
        size = path.stat().st_size
        if size:
            with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                start = 0
                if data[: len(_RDB)] == _RDB:
                    loading = yield from self._read_rdb(data, part)
                    start = loading.end
                if start < size:
                    if start:
                        self._core.host.log("notice", "Reading the remaining AOF tail...")
                    try:
                        replay = self._make_replay(data, start, part.name)
                    except BadFile as error:
                        raise self._damaged(part, error) from None
                    yield from self._replay(replay, part)
                    cut_off, within = replay.cut_off, replay.open_transaction
                else:
                    cut_off, within = None, False
            if cut_off is not None:
                self._end_early(path, cut_off, within, last)
        self._before += size
        self.progress.done = self._before

    def _read_rdb(self, data: Any, part: Part) -> Generator[None, None, Loading]:
        """Read the RDB file that a file is, or begins with."""
        host, loads = self._core.host, self._loads
        base = part.kind == BASE and part.name.endswith(".rdb")
        host.log(
            "notice", "Reading RDB base file on AOF loading..." if base else "Reading RDB preamble from AOF file..."
        )
        try:
            steps = loads.steps(data)
            loading = yield from self._watched(steps)
        except BadData as error:
            loads.complain(error)
            what = "RDB base file" if base else "RDB preamble of the AOF file"
            raise CannotLoad(f"Error reading the {what} {part.name}, AOF loading aborted") from None
        self.aux = loading.aux
        return loading

    def _watched(self, steps: Generator[None, None, Loading]) -> Generator[None, None, Loading]:
        """Go on with what loads an RDB file, and follow how far it is."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            loading = self._loads.current
            if loading is not None:
                self.progress.done = self._before + loading.progress.done
                self.progress.keys = loading.progress.keys
            yield

    def _replay(self, replay: Replay, part: Part) -> Iterator[None]:
        """Execute the commands of a file."""
        core = self._core
        replaying = Replaying(core, part.name)
        units = iter(replay)
        more = True
        while more:
            more = self._slice(replaying, units, part)
            self.progress.done = self._before + replay.position
            self.progress.keys = sum(database.size for database in core.keyspace.databases)
            yield
        self.selected = replaying.selected

    def _slice(self, replaying: Replaying, units: Iterator[list[list[bytes]]], part: Part) -> bool:
        """Execute commands for about SLICE seconds. Whether there are more."""
        core = self._core
        ticks, until = core.host.ticks, core.host.ticks() + SLICE
        core.clock.time = core.host.time()
        core.clock.stand_aside()
        try:
            while ticks() < until:
                some = list(islice(units, _UNITS))
                for unit in some:
                    replaying.run(unit)
                if not some:
                    return False
        except BadFile as error:
            raise self._damaged(part, error) from None
        finally:
            core.clock.come_back()
        return True

    def _damaged(self, part: Part, error: BadFile) -> CannotLoad:
        self._core.host.log("warning", f"AOF {part.name} is damaged at offset {error.offset}")
        return CannotLoad(
            f"Bad file format reading the append only file {part.name}: make a backup of your AOF file, then use "
            "./redis-check-aof --fix <filename.manifest>"
        )

    def _end_early(self, path: Path, offset: int, within: bool, last: bool) -> None:
        """The end of a file is missing."""
        log, name = self._core.host.log, path.name
        if within:
            log("warning", f"Revert incomplete MULTI/EXEC transaction in AOF file {name}")
        if not self._truncate:
            log("warning", f"AOF {name} is cut off at offset {offset}")
            raise CannotLoad(
                f"Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF "
                "file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the "
                "'aof-load-truncated' configuration option to yes and restart the server."
            )
        log("warning", f"!!! Warning: short read while loading the AOF file {name}!!!")
        if not last:
            raise CannotLoad("Fatal error: the truncated file is not the last file")
        log("warning", f"!!! Truncating the AOF {name} at offset {offset} !!!")
        try:
            os.truncate(path, offset)
        except OSError as error:
            raise CannotLoad(f"Error truncating the AOF file {name}: {error.strerror}") from None
        log("warning", f"AOF {name} loaded anyway because aof-load-truncated is enabled")
