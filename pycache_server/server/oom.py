"""oom-score-adj: whom Linux ends first when memory runs out.

A process has a figure from -1000 (never) to 1000 (first) in ``/proc/self/oom_score_adj``. oom-score-adj-values has one
for a server that leads, one for one that follows and one for its children that save; they are added to what the process
was started with (``yes``, ``relative``), or taken as they are (``absolute``). With ``no`` it gets back what it had.
Lower figures than it had are for privileged processes.

Source: redis.conf of Redis 7.0; proc_pid_oom_score_adj(5).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pycache_server.server.app import App

LEADS: Final = 0
FOLLOWS: Final = 1
SAVES: Final = 2
MOST = 1000
FILE = Path("/proc/self/oom_score_adj")
UNPRIVILEGED = (
    "The oom-score-adj-values configuration may not work for non-privileged processes! "
    "Please consult the documentation."
)


class OomScore:
    """The figure of one server's process. ``file`` is where the system has it."""

    def __init__(self, app: App, file: Path = FILE) -> None:
        self._app = app
        self._file = file
        self._before: int | None = None  # what the process had, while it has another
        self.tried = False
        """Whether ``set`` has been called: the server has begun."""
        app.core.replication.on_role.append(self.follow)

    def set(self, place: int | None = None) -> str:
        """Set the figure for what the process does: by its role, where no ``place`` is given. Returns what is wrong, or
        nothing."""
        self.tried = True
        settings = self._app.settings
        mode, values = settings["oom-score-adj"], list(map(int, settings["oom-score-adj-values"]))
        if mode == "no" and self._before is None:
            return ""
        try:
            if self._before is None:
                self._before = int(self._file.read_text())
            figure = self._before
            if mode != "no":
                figure = values[(LEADS if self._app.core.replication.leads else FOLLOWS) if place is None else place]
                figure += 0 if mode == "absolute" else self._before
            self._file.write_text(f"{max(-MOST, min(figure, MOST))}\n")
        except (OSError, ValueError) as error:
            return f"Unable to set oom_score_adj: {getattr(error, 'strerror', None) or error}"
        if mode == "no":
            self._before = None
        return ""

    def follow(self, place: int | None = None) -> None:
        """What the process does has changed: ``set``, and the log has what is wrong."""
        problem = self.set(place)
        if problem:
            self._app.log.write("warning", problem)
