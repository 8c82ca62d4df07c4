"""Pictures of the keyspace for followers that cannot go on: files, each for all that ask while it is new.

A picture is begun when a follower needs one, and shows that moment; it is written to a temporary file by a snapshot
(server/snapshots.py), and sent from there to each follower at its own speed (sending.py). Whoever asks while it is
being made, or shortly afterwards, gets the same one, as long as the entries behind it are still kept.

Two rules.

1. *A picture shows an offset of the history*, or none is made: what the leader has executed in this round is sealed
   before (``seal``), and keyspace and history must end at the same place.
2. *Where a picture cannot be begun now* (one snapshot is made at a time, and one for a file may take minutes) it is
   begun later, and shows that later moment. Its file tells of which one: whoever sends it leaves out what lies before.

A picture that nobody waits for any more is given up, and a file goes when nobody sends it and it is not new any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from pycache_server.election.position import Table
from pycache_server.persist.opcodes import Aux
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.member import Picture
from pycache_server.server.snapshots import REPLICAS, Refused, Snapshot

if TYPE_CHECKING:
    from pycache_server.server.app import App

FRESH: Final = 0.5
"""Seconds for which a picture serves those who ask after it was made."""
LATER: Final = 0.05
"""Seconds until it is tried again to begin one."""


class PictureFile:
    """The file of a picture: being made, complete, or failed. ``on_unused`` hears when nobody needs it any more."""

    def __init__(self, path: Path, epoch: int, on_unused: Callable[[PictureFile], None]) -> None:
        self.path = path
        self.epoch = epoch
        self.table: Table = ()
        self.end = 0
        """The offset of the history that it shows; right once it is complete, as are the table and the voters."""
        self.voters: tuple[str, ...] = ()
        self.size = 0
        """Bytes, once it is complete."""
        self.is_begun = False
        self.is_complete = False
        self.problem = ""
        """Why there will be none."""
        self.made_at = 0.0
        self.users = 0
        self._on_unused = on_unused
        self._waiting: list[Callable[[], None]] = []

    def show(self, log: GroupLog) -> None:
        """It shows what the history holds now."""
        self.is_begun = True
        self.table, self.end, self.voters = log.epochs.table, log.end, log.voters

    def when_made(self, call: Callable[[], None]) -> None:
        """Call when it is complete, or has failed."""
        self._waiting.append(call)

    def forget_waiter(self, call: Callable[[], None]) -> None:
        """Do not call any more."""
        if call in self._waiting:
            self._waiting.remove(call)

    def settle(self, problem: str) -> None:
        """It is complete, or has failed."""
        if not problem:
            try:
                self.size = self.path.stat().st_size
            except OSError as error:
                problem = error.strerror or str(error)
        self.is_complete, self.problem = not problem, problem
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def open(self) -> IO[bytes]:
        """What it holds, from the beginning.

        Raises OSError.
        """
        return self.path.open("rb", buffering=0)

    def hold(self) -> None:
        """Somebody needs it."""
        self.users += 1

    def release(self) -> None:
        """Somebody needs it no more."""
        self.users -= 1
        if not self.users:
            self._on_unused(self)

    def remove(self) -> None:
        """It is not sent to anybody else. Who is reading it goes on."""
        with contextlib.suppress(OSError):
            self.path.unlink()


class Pictures:
    """The pictures of one leader. ``log`` tells its history; ``seal`` makes an entry of what the leader has executed in
    this round, and is not called within ``take``, whose caller has done so."""

    def __init__(self, app: App, log: Callable[[], GroupLog], seal: Callable[[], None] = lambda: None) -> None:
        self._app = app
        self._log = log
        self.seal = seal
        self._last: PictureFile | None = None
        self._number = 0

    def take(self, epoch: int, least: int) -> Picture:
        """See repl/member.py."""
        last, log = self._last, self._log()
        if last is None or last.epoch != epoch or last.problem or not self._serves(last, least):
            self.forget()
            last = self._last = self._make(epoch)
            self._begin(last)
        if last.is_begun:
            return Picture(last.table, last.end, last.voters, last)
        return Picture(log.epochs.table, log.end, log.voters, last)

    def _serves(self, file: PictureFile, least: int) -> bool:
        if file.is_complete:
            return file.end >= least and self._app.host.ticks() - file.made_at < FRESH
        return not file.is_begun or file.end >= least

    def _make(self, epoch: int) -> PictureFile:
        self._number += 1
        path = Path(self._app.settings["dir"]) / f"temp-group-{self._app.port}-{self._number}.rdb"
        return PictureFile(path, epoch, self._unused)

    # Making one

    def _begin(self, file: PictureFile) -> None:
        """Begin now, or later."""
        app, log = self._app, self._log()
        if app.snapshots.running is not None or app.core.replication.history.offset != log.end:
            app.loop.call_later(LATER, self._begin_later, file)
            return
        file.show(log)
        try:
            app.snapshots.start(file.path, REPLICAS, lambda snapshot: self._made(file, snapshot), self._at_moment)
        except (Refused, OSError) as error:
            self._fail(file, f"cannot be made: {error}", str(error))

    def _begin_later(self, file: PictureFile) -> None:
        if self._last is not file or file.problem:
            return
        if not file.users:
            self.forget()
            return
        self.seal()
        self._begin(file)

    def _at_moment(self) -> Sequence[Aux]:
        self._app.core.replication.leading.begin_snapshot()
        return self._app.core.replication.position()

    def _made(self, file: PictureFile, snapshot: Snapshot) -> None:
        file.made_at = self._app.host.ticks()
        if file.problem:  # it was given up
            return
        if snapshot.error:
            self._fail(file, f"has failed: {snapshot.error}", snapshot.error)
            return
        if self._last is not file and not file.users:
            file.remove()
            return
        self._app.loop.call_later(FRESH, self._grow_old, file)
        file.settle("")

    def _fail(self, file: PictureFile, what: str, problem: str) -> None:
        if self._last is file:
            self._last = None
        self._app.log.write("warning", f"A picture of the data set for followers {what}")
        file.settle(problem)

    # The end of one

    def _grow_old(self, file: PictureFile) -> None:
        if self._last is file:
            self.forget()

    def _unused(self, file: PictureFile) -> None:
        """Nobody sends it any more."""
        if file.is_complete and self._last is not file:
            file.remove()
        elif not file.is_complete and not file.problem:
            self._give_up(file)

    def _give_up(self, file: PictureFile) -> None:
        if self._last is file:
            self._last = None
        file.problem = "nobody waits for it"
        running = self._app.snapshots.running
        if running is not None and running.order.sink == file.path:
            running.abort()

    def forget(self) -> None:
        """The last picture serves nobody any more who has not got it."""
        file, self._last = self._last, None
        if file is not None and not file.users:
            if file.is_complete:
                file.remove()
            elif not file.problem:
                self._give_up(file)

    def _check(self) -> None:
        last = self._last
        assert last is None or not last.problem
        assert last is None or last.users >= 0
