"""A voter's life by chance: entries, cuts, executions, rewrites, images, kills and clean ends, in any order. After each
start it holds exactly what was kept, as data and as entries, or says that it does not know.

Each command appends a number of its own to a list, so that what is executed twice, or not, is seen."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from pycache_server.repl.entries import Entry, beat, mark, voters, write
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.links import Image
from pycache_server.server.app import App
from pycache_server.server.embed import Server
from pycache_server.session.feed import Told
from pycache_server.session.stream import CommandStream
from tests.conftest import more_in_ci, some_slow
from tests.server.group_voter import SEAT, VOTERS, VoterApp, kill, open_voter

STEPS = 40
DATABASES = 3
Lists = dict[int, list[int]]


class Life:
    """A voter, and what it must hold."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.chance = random.Random(seed)
        self.options: dict[str, Any] = {"appendfsync": self.chance.choice(["always", "always", "everysec"])}
        self.appends = self.chance.random() < 0.8
        self.options["aof_use_rdb_preamble"] = self.chance.choice(["yes", "no"])
        self.app: VoterApp = None  # type: ignore[assignment]
        self.stream = CommandStream()
        self.numbers = 0
        self.base: Lists = {}
        self.entries: list[tuple[Entry, Lists]] = []
        """All since the base, with what they append."""
        self.epoch = 1
        self.images = 0
        self.losses = 0
        self.dumped_at = -1
        """The offset of the data set that dump.rdb holds."""
        self.before: GroupLog | None = None
        """The history before the last start."""

    async def run(self) -> None:
        await self.start()
        await self.begin_epoch()
        steps = [self.keep, self.keep, self.keep, self.execute, self.cut, self.rewrite, self.rest, self.lead]
        rare = [self.install, self.kill, self.kill, self.end, self.policy, self.save]
        for _ in range(STEPS):
            await self.chance.choice(rare if self.chance.random() < 0.25 else steps)()
            self.app.voter.journal.file._check()
        await self.kill()
        await kill(self.app)

    @property
    def log(self) -> Any:
        return self.app.voter.log

    async def start(self) -> None:
        self.before, self.dumped_at = self.log if self.app else None, -1
        options = self.options if self.appends else {**self.options, "appendonly": "no"}
        self.app = await open_voter(self.directory, **{"appendonly": "yes", **options})
        self.stream.reset()
        saved = self.app.voter.saved
        if saved is not None and self.chance.random() < 0.7:
            self.stream.selected = self.app.voter.journal.database
            self.app.voter.runs.run([[b"SELECT", b"%d" % self.stream.selected]])  # type: ignore[union-attr]

    async def check(self, covered: bool) -> None:
        saved, log = self.app.voter.saved, self.log
        assert (saved is not None) == covered, self.app.voter.journal.why
        if saved is None:
            self.losses += 1
            self.base, self.entries, self.epoch = {}, [], self.epoch + 1
            self.app.voter.keep(mark(self.epoch, SEAT, "0" * 40))
            self.app.voter.execute()
            self.entries.append((mark(self.epoch, SEAT, "0" * 40), {}))
            self.app.voter.promise(True)
            assert lists_of(self.app) == {}
            return
        assert log.since(log.base) == [entry for entry, _ in self.entries][len(self.entries) - len(saved.entries) :]
        assert lists_of(self.app) == self.expected()
        before = self.before
        assert before is not None and saved.table == before.epochs.table
        assert log.voters == before.voters and log.position == before.position

    def expected(self) -> Lists:
        found = {index: list(numbers) for index, numbers in self.base.items()}
        for _, effects in self.entries:
            for index, numbers in effects.items():
                found.setdefault(index, []).extend(numbers)
        return found

    # What happens

    async def keep(self) -> None:
        some = [self.entry() for _ in range(self.chance.randrange(1, 4))]
        self.app.voter.keep(*(entry for entry, _ in some))
        self.entries += some

    def entry(self) -> tuple[Entry, Lists]:
        kind = self.chance.random()
        if kind < 0.2:
            return beat(self.epoch), {}
        if kind < 0.25:
            return voters(self.epoch, self.chance.choice([VOTERS, VOTERS[:2]])), {}
        effects: Lists = {}
        parts = []
        for _ in range(self.chance.randrange(1, 4)):
            unit: list[Told] = []
            for _ in range(self.chance.choice([1, 1, 3])):
                index = self.chance.randrange(DATABASES)
                self.numbers += 1
                effects.setdefault(index, []).append(self.numbers)
                unit.append((index, [b"RPUSH", b"list", b"%d" % self.numbers]))
            parts.append(self.stream.encode(unit))
        return write(self.epoch, b"".join(parts)), effects

    async def execute(self) -> None:
        voter, log = self.app.voter, self.log
        ends = [end for end in log._ends if end >= log.applied]
        if ends:
            voter.execute(self.chance.choice(ends))

    async def cut(self) -> None:
        """A later leader does not have the last entries."""
        log = self.log
        ends = [end for end in (log.applied, *log._ends) if end >= log.commit]
        end = self.chance.choice(ends)
        dropped = len([at for at in log._ends if at > end])
        if dropped:
            self.app.voter.cut(end)
            del self.entries[len(self.entries) - dropped :]
        await self.begin_epoch()

    async def begin_epoch(self) -> None:
        self.epoch += 1
        self.stream.reset()
        self.app.voter.epoch = self.epoch
        self.app.voter.promise(True)
        self.app.voter.keep(mark(self.epoch, SEAT, "0" * 40))
        self.entries.append((mark(self.epoch, SEAT, "0" * 40), {}))

    async def lead(self) -> None:
        """Everything is executed, and so is what follows at once."""
        self.app.voter.execute()
        await self.keep()
        self.app.voter.execute()

    async def rewrite(self) -> None:
        if self.appends and self.app.aof.rewrites.begun is None:
            self.app.aof.rewrite()

    async def rest(self) -> None:
        for _ in range(self.chance.randrange(60)):
            await asyncio.sleep(0.0005)

    async def save(self) -> None:
        assert self.app.saves.save()
        self.dumped_at = self.app.core.replication.history.offset

    async def policy(self) -> None:
        self.options["appendfsync"] = self.chance.choice(["always", "everysec", "no"])
        self.app.settings.values["appendfsync"] = self.options["appendfsync"]
        self.app.aof.appending.configure()

    async def install(self) -> None:
        """A leader sends another data set."""
        self.images += 1
        self.numbers += 1
        directory = self.directory / f"image{self.images}"
        directory.mkdir()
        async with Server(dir=directory) as other:
            row = other.app.core.tables.normal[b"rpush"]
            row.resolve([b"RPUSH", b"list", b"1"]).run(
                other.app.core.make_session(), [b"RPUSH", b"list", b"%d" % self.numbers]
            )
            assert other.app.saves.save()
        data = (directory / "dump.rdb").read_bytes()
        self.epoch += 1
        voter, log = self.app.voter, self.log
        end = log.end + self.chance.randrange(100)
        image = Image(self.epoch, ((self.epoch, 0),), end, VOTERS, end, 0, end, None)
        self.app.loads.load_now(data)
        self.app.core.replication.history.offset = end
        log.adopt(image.table, end, VOTERS)
        log.commit = end
        voter.journal.install(image, (), self.chance.choice([None, data, directory / "dump.rdb"]))
        voter.epoch = self.epoch
        voter.promise(True)
        self.base, self.entries = {0: [self.numbers]}, []
        self.dumped_at = -1
        self.stream.reset()
        self.app.voter.runs.run([[b"SELECT", b"0"]])  # type: ignore[union-attr]

    async def kill(self) -> None:
        covered = self.appends and self.options["appendfsync"] == "always"
        await kill(self.app)
        if self.appends and self.chance.random() < 0.3:
            self.tear()
        await self.start()
        await self.check(covered)

    def tear(self) -> None:
        """A write was under way."""
        directory = self.app.aof.directory
        manifest = directory.load()
        with directory.file(manifest.increments[-1].name).open("ab") as stream:
            entry = b"#PG:WRITE 99 123456 23 0f0f0f0f\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n"
            stream.write(entry[: self.chance.randrange(len(entry))])

    async def end(self) -> None:
        options = self.chance.choice([("save",), ("nosave",)])
        offset = self.app.core.replication.history.offset
        is_saved = options == ("save",) or self.dumped_at == offset
        assert self.app.shut_down(options)
        left = (self.directory / "group-test.saved").exists()
        await self.app.stop()
        await self.start()
        assert self.appends or is_saved == left
        await self.check(self.appends or is_saved)


def lists_of(app: App) -> Lists:
    found = {}
    for database in app.core.keyspace.databases:
        value = database.find(b"list")
        if value is not None:
            found[database.index] = [int(text) for text in value]
    return found


@pytest.mark.parametrize("seed", some_slow(range(1000), more_in_ci(2, 24)))
def test_a_voter_holds_what_it_has_kept_or_knows_that_it_does_not(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    asyncio.run(Life(tmp_path, seed).run())
