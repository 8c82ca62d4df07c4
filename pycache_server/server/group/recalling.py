"""The data set of a voter at its start: loaded from what there is, and what of it counts.

With an append-only file that is all that this voter has acknowledged if everything was synced before it was
acknowledged, or if the end was a clean one. Otherwise it is ``dump.rdb`` with what a clean end has left beside it
(saved.py). The state file has a say, too: a voter that was not whole is not made whole by a restart, and files that end
before an epoch that the state file has seen begin are copies from before.

What does not count is loaded all the same, and is there for an operator (``remains``). A voter without a state file
that finds nothing where it is told to look looks at the other files, too: a backup that was restored is not passed over
because it is a snapshot and ``appendonly`` is on, or the other way round.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pycache_server.election.state import Durable
from pycache_server.persist.group_lines import Place, Reading, mode_bytes, parse_table, table_text, units_of
from pycache_server.persist.manifest import Manifest
from pycache_server.persist.opcodes import Aux
from pycache_server.persist.replay import BadFile
from pycache_server.repl.entries import Kind
from pycache_server.repl.member import Saved
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.group.reading import Found
from pycache_server.server.group.saved import Remainder, read_remainder
from pycache_server.server.loads import CannotLoad
from pycache_server.server.replaying import Replaying

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.core import Core

TOKEN: Final = b"pg-token"
OFFSET: Final = b"pg-offset"
TABLE: Final = b"pg-table"
VOTERS: Final = b"pg-voters"
"""What an RDB file tells of itself: a name of its own, and where in the group's history it stands."""


class Recall:
    """One start. ``voters`` are the configured ones, ``remainder`` is where a clean end leaves its file."""

    def __init__(self, app: App, voters: tuple[str, ...], remainder: Path) -> None:
        self._app = app
        self._core = app.core
        self._voters = voters
        self._remainder = remainder
        self.remains: Saved | None = None
        self.why = ""
        self.database = 0
        self._found = Found(app.core.replication.backlog_size)
        self._has_files = False

    async def load(self, state: Durable) -> Saved | None:
        """Load the data set. What of it counts; None: ``why`` says why nothing does.

        Raises CannotLoad.
        """
        if self._app.settings["appendonly"]:
            return await self._load_file(state)
        return await self._load_dump(state)

    def holds_data(self) -> bool:
        """Whether anything was found: keys, or libraries of functions."""
        scripts = self._core.scripts
        return count_keys(self._core) > 0 or (scripts is not None and bool(scripts.libraries))

    def is_new(self, state: Durable) -> bool:
        """Whether the voter has been in no group, and there are no files yet."""
        return state.epoch is None and not self._has_files

    def _believe(self, state: Durable, saved: Saved, why: str) -> Saved | None:
        """What was loaded, if it is what the state file speaks of; ``why`` says why else it is not."""
        end = end_of(saved)
        if state.epoch is None and (end or self.holds_data()):
            why = "the group's state file is lost"
        elif state.epoch is not None and not state.whole:
            why = "it was not whole before"
        elif state.table and end < state.table[-1][1]:
            why = "it is older than the group's state file"
        if not why:
            return saved
        self.why, self.remains = why, saved
        return None

    # An append-only file

    async def _load_file(self, state: Durable) -> Saved | None:
        aof, found = self._app.aof, self._found
        await aof.load_at_start()
        self.database = aof.selected
        if state.epoch is None and not self.holds_data() and (found.tail is None or not found.tail.end):
            if self._app.loads.wanted():
                await self._app.loads.load_at_start()
            if self.holds_data():
                return self._judge_dump(state)
        if self.is_new(state):
            return Saved((), 0, self._voters, ())
        if not self._has_files:
            self.why = "there is no append-only file"
            return None
        if found.tail is None or found.foreign:
            self.why = "others have written to the append-only file, or it belongs to no group"
            return None
        why = "" if found.covered else "without 'appendfsync always' nobody knows what a crash has lost"
        return self._believe(state, found.tail.saved(), why)

    def look(self, manifest: Manifest) -> None:
        """The files of a manifest will be read.

        Raises OSError, CannotLoad.
        """
        directory = self._app.aof.directory
        self._has_files = bool(manifest.parts())
        try:
            self._found.look([directory.file(part.name) for part in manifest.increments])
        except BadFile as error:
            raise CannotLoad(f"The beginning of an increment of the append-only file is damaged: {error}") from None

    def make_replay(self, data: Any, start: int, name: str) -> Any:
        """What reads a file."""
        return self._found.replay(data, start, name)

    # A file of a clean end

    async def _load_dump(self, state: Durable) -> Saved | None:
        app = self._app
        app.aof.stay_off()
        self._distrust_file()
        if self._core.loading:
            await app.loads.load_at_start()
        if state.epoch is None and not self.holds_data():
            return await self._look_at_file()
        return self._judge_dump(state)

    def _judge_dump(self, state: Durable) -> Saved | None:
        """A snapshot was loaded: execute what a clean end has left beside it. What of it counts."""
        app, name = self._app, self._remainder.name
        try:
            remainder = read_remainder(self._remainder)
        except OSError as error:
            app.log.write("warning", f"Can't read {self._remainder}: {error.strerror}")
            remainder = None
        aux = app.loads.last_aux
        self.remains = place = _saved_at(aux)
        if remainder is None:
            self.why = f"no clean end has left {name}"
            return None
        if place is None or aux.get(TOKEN) != remainder.token.encode():
            self.why = f"{name} does not belong to {app.saves.path.name}"
            return None
        if not remainder.saved.base <= place.base <= end_of(remainder.saved):
            self.why = f"{name} does not reach as far as {app.saves.path.name}"
            return None
        self.remains = None
        self._execute(remainder, place.base)
        app.saves.forget_changes()
        return self._believe(state, remainder.saved, "")

    async def _look_at_file(self) -> Saved | None:
        """The snapshot has nothing in it, and there is no state file."""
        aof = self._app.aof
        if aof.manifest.parts():
            await aof.load_at_start(appends=False)
        if not self.holds_data():
            return Saved((), 0, self._voters, ())
        tail = self._found.tail
        self.why, self.remains = "the group's state file is lost", tail.saved() if tail is not None else None
        return None

    def _execute(self, remainder: Remainder, done: int) -> None:
        """Execute the entries behind the data set that was loaded."""
        core = self._core
        replaying = Replaying(core, self._remainder.name)
        offset = remainder.saved.base
        core.replaying = True
        core.clock.time = core.host.time()
        core.clock.stand_aside()
        try:
            for unit in units_of(remainder.select):
                replaying.run(unit)
            for entry in remainder.saved.entries:
                if offset >= done and entry.kind is Kind.WRITE:
                    for unit in units_of(entry.data):
                        replaying.run(unit)
                offset += len(entry.data)
        finally:
            core.clock.come_back()
            core.replaying = False
        self.database = replaying.selected

    def _distrust_file(self) -> None:
        """The append-only file that there may be does not go on: let it say so, for the start that reads it again.

        Raises CannotLoad.
        """
        aof = self._app.aof
        if not aof.manifest.increments:
            return
        path = aof.directory.file(aof.manifest.increments[-1].name)
        try:
            reading = Reading(path.read_bytes())
            for _ in reading.begin().entries():
                pass
            file = AppendFile(path)
            try:
                if reading.cut_off is not None:
                    file.end_at(reading.cut_off)
                file.write(mode_bytes(False))
                file.sync()
            finally:
                file.close()
        except BadFile:
            return  # nobody will believe it anyway
        except OSError as error:
            text = f"Can't write to {path}, which must not be taken for whole later: {error.strerror}"
            self._app.log.write("warning", text)
            raise CannotLoad(text) from None


def count_keys(core: Core) -> int:
    """How many keys there are."""
    return sum(database.size for database in core.keyspace.databases)


def end_of(saved: Saved) -> int:
    """Where a history ends."""
    return saved.base + sum(len(entry.data) for entry in saved.entries)


def place_of(saved: Saved) -> Place:
    """Where it ends, and who votes there."""
    changes = [entry.voters for entry in saved.entries if entry.kind is Kind.VOTERS]
    return Place(end_of(saved), saved.table, changes[-1] if changes else saved.voters)


def aux_of_place(place: Place) -> list[Aux]:
    """What an RDB file tells of a data set that stands there; its token names the file."""
    return [
        (TOKEN, place.token.encode()),
        (OFFSET, b"%d" % place.end),
        (TABLE, table_text(place.table)),
        (VOTERS, " ".join(place.voters).encode()),
    ]


def _saved_at(aux: dict[bytes, bytes]) -> Saved | None:
    """What an RDB file holds of a group's history, if it tells."""
    offset = aux.get(OFFSET, b"")
    if not offset.isdigit():
        return None
    try:
        table = parse_table(aux.get(TABLE, b""))
    except ValueError:
        return None
    return Saved(table, int(offset), tuple(aux.get(VOTERS, b"").decode("utf-8", "replace").split()), ())
