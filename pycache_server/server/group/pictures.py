"""Pictures of the keyspace for followers that cannot go on: files, each for all that ask while it is new.

A picture is begun when a follower needs one, and shows that moment; it is written to a temporary file by a snapshot
(server/snapshots.py), and sent from there to each follower at its own speed. Whoever asks while it is being made, or
shortly afterwards, gets the same one, as long as the entries behind it are still kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pycache_server.persist.opcodes import Aux
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.member import Picture
from pycache_server.server.snapshots import REPLICAS, Refused, Snapshot

if TYPE_CHECKING:
    from pycache_server.server.app import App

FRESH: Final = 0.5
"""Seconds for which a picture serves those who ask after it was made."""


class PictureFile:
    """The file of a picture: being made, complete, or failed. It goes when nobody needs it any more."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.path = path
        self.epoch = epoch
        self.is_complete = False
        self.problem = ""
        """Why there will be none."""
        self.made_at = 0.0
        self._waiting: list[Callable[[], None]] = []
        self._users = 0

    def when_made(self, call: Callable[[], None]) -> None:
        """Call when it is complete, or has failed."""
        self._waiting.append(call)

    def settle(self, problem: str) -> None:
        """It is complete, or has failed."""
        self.is_complete, self.problem = not problem, problem
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def hold(self) -> None:
        """Somebody needs it."""
        self._users += 1

    def release(self) -> None:
        """Somebody needs it no more."""
        self._users -= 1
        if not self._users:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Pictures:
    """The pictures of one leader. ``log`` tells its history."""

    def __init__(self, app: App, log: Callable[[], GroupLog]) -> None:
        self._app = app
        self._log = log
        self._last: tuple[Picture, PictureFile] | None = None
        self._number = 0

    def take(self, epoch: int, least: int) -> Picture:
        """See repl/member.py."""
        if self._last is not None:
            picture, file = self._last
            fresh = not file.is_complete or self._app.host.ticks() - file.made_at < FRESH
            if file.epoch == epoch and not file.problem and fresh and picture.end >= least:
                return picture
        self.forget()
        return self._begin(epoch)

    def _begin(self, epoch: int) -> Picture:
        app, log = self._app, self._log()
        self._number += 1
        path = Path(app.settings["dir"]) / f"temp-group-{app.port}-{self._number}.rdb"
        file = PictureFile(path, epoch)
        file.hold()
        picture = Picture(log.epochs.table, log.end, log.voters, file)
        self._last = picture, file
        try:
            self._start(file)
        except (Refused, OSError) as error:
            file.problem = str(error)
            app.log.write("warning", f"A picture of the data set for followers cannot be made: {error}")
        return picture

    def _start(self, file: PictureFile) -> None:
        app = self._app

        def begin() -> Sequence[Aux]:
            app.core.replication.leading.begin_snapshot()
            return app.core.replication.position()

        def end(snapshot: Snapshot) -> None:
            if snapshot.error:
                app.log.write("warning", f"A picture of the data set for followers has failed: {snapshot.error}")
            file.made_at = app.host.ticks()
            file.settle(snapshot.error)

        app.snapshots.start(file.path, REPLICAS, end, begin)

    def forget(self) -> None:
        """The last picture serves nobody any more who has not got it."""
        if self._last is not None:
            file, self._last = self._last[1], None
            file.release()
