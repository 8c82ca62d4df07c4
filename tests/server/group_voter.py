"""A server that is the only voter of a group, driven by hand: its entries go through the journal as those of a real
group do, and are committed at once. ``python -m tests.server.group_voter OPTIONS`` runs it as a process."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pycache_server.cli import server as cli
from pycache_server.election.state import Durable
from pycache_server.persist.group_lines import units_of
from pycache_server.repl.entries import Entry, Kind, beat, mark, write
from pycache_server.repl.epochs import Epochs
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.member import Saved
from pycache_server.server.app import App
from pycache_server.server.group.journal import Journal
from pycache_server.server.group.statefile import StateFile
from pycache_server.server.log import Log
from pycache_server.server.replaying import Replaying
from pycache_server.session.feed import REPLICAS, Sink, Told
from pycache_server.session.stream import CommandStream
from pycache_server.settings.config import Settings, arguments_to_text

SEAT = "127.0.0.1:7001"
VOTERS = (SEAT, "127.0.0.1:7002", "127.0.0.1:7003")


class VoterApp(App):
    """The server."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.voter = Voter(self)

    async def load(self) -> None:
        await self.voter.load()

    def shut_down(self, options: Collection[str] = ()) -> bool:
        ends = super().shut_down(options)
        if ends:
            self.voter.end()
        return ends

    async def stop(self) -> None:
        await super().stop()
        self.log.close()


class Voter(Sink):
    """A sink of the feed and a gate of the outbox while it leads; by hand it appends and executes as a follower."""

    kind = REPLICAS

    def __init__(self, app: App) -> None:
        self.app = app
        self.journal = Journal(app, VOTERS, "group-test")
        self.log = GroupLog(VOTERS)
        self.stream = CommandStream()
        self.fresh: list[bytes] = []
        self.epoch = 1
        self.saved: Saved | None = None
        self.leads = False
        self.runs: Replaying | None = None
        self.state_file = StateFile(Path(app.settings["dir"] or ".") / "group-test.state")

    async def load(self) -> None:
        state = self.state_file.read() or Durable(SEAT, "birth")
        self.saved = saved = await self.journal.load(state)
        if saved is not None:
            self.begin(saved)
        self.journal.attach(self.log)
        self.journal.seal = self.seal
        self.epoch = max(self.log.epochs.last, state.epoch or 0) + 1
        self.runs = runs = Replaying(self.app.core, "the stream")
        runs.run([[b"SELECT", b"%d" % self.journal.database]])
        self.journal.stream_db = lambda: runs.selected if self.stream.selected < 0 else self.stream.selected

    def begin(self, saved: Saved) -> None:
        """Let the history be what was saved."""
        before = Epochs(saved.table)
        before.cut(saved.base)
        self.log.adopt(before.table, saved.base, saved.voters)
        for entry in saved.entries:
            self.log.append(entry)
        self.log.applied = self.log.commit = self.log.end

    def promise(self, whole: bool) -> None:
        """Write the state file."""
        self.state_file.write(Durable(SEAT, "birth", self.epoch, SEAT, whole, table=self.log.epochs.table))

    def lead(self) -> None:
        """Take over: what clients change becomes entries."""
        self.leads = True
        self.promise(True)
        self.app.outbox.open(self.pass_)
        self.app.core.feed.open(self)
        self.keep(mark(self.epoch, SEAT, "0" * 40))
        self.execute()

    def take(self, unit: list[Told]) -> None:
        self.app.core.feed.position += 1
        data = self.stream.encode(unit)
        self.fresh.append(data)
        self.app.core.replication.history.offset += len(data)
        self.app.outbox.plan()

    def pass_(self) -> int:
        self.seal()
        return self.app.core.feed.position

    def seal(self) -> None:
        if self.fresh:
            entry = write(self.epoch, b"".join(self.fresh))
            self.fresh.clear()
            self.log.append(entry)
            self.log.commit = self.log.applied = self.log.end
            self.journal.keep((entry,))
            self.journal.trim(self.log.end)

    # By hand, as a follower

    def keep(self, *entries: Entry) -> None:
        for entry in entries:
            self.log.append(entry)
        self.journal.keep(entries)

    def execute(self, end: int | None = None) -> None:
        """Execute what is kept, up to an offset or all of it."""
        assert self.runs is not None
        self.log.commit = max(self.log.commit, self.log.end if end is None else end)
        for entry in self.log.learn_commit(self.log.commit):
            for unit in units_of(entry.data) if entry.kind is Kind.WRITE else ():
                self.runs.run(unit)
            self.app.core.replication.history.offset += len(entry.data)
        self.journal.trim(self.log.applied)

    def cut(self, end: int) -> None:
        self.log.cut(end)
        self.journal.cut(end)

    def beat(self) -> None:
        self.keep(beat(self.epoch))

    def end(self) -> None:
        self.seal()
        log = self.log
        self.journal.shutdown(Saved(log.epochs.table, log.base, log.voters_at_base, tuple(log.since(log.base) or ())))


async def open_voter(directory: Path, **options: object) -> VoterApp:
    """A voter in this process."""
    settings = Settings()
    settings.load("bind 127.0.0.1")
    settings.load("port 0")
    arguments = ["--dir", str(directory), "--save", ""]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    settings.load(arguments_to_text(arguments))
    app = VoterApp(settings, Log("notice", str(directory / "log")), embedded=True)
    await app.start()
    try:
        await app.load()
    except BaseException:
        await app.stop()
        raise
    return app


async def kill(app: VoterApp) -> None:
    """End without anything that an end does: what a kill leaves."""
    app.aof._stop_rewrite()
    if app.aof.appending.file is not None:
        app.aof.appending._syncer.wait()
        app.aof.appending._writer.wait()
        app.aof.appending._buffer.clear()
        app.voter.journal.file.silent = True
    app.is_saved = True
    await app.stop()


def main() -> int:
    """The process: it leads when it has loaded."""

    class Leader(VoterApp):
        async def load(self) -> None:
            await super().load()
            self.voter.lead()

    setattr(cli, "App", Leader)  # noqa: B010
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
