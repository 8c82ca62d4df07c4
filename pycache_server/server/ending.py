"""The end of a server that has replicas: they get what they lack first, and in a group another voter takes over.

Writes stand still, the replicas are asked how far they are, and when all have everything, or after shutdown-timeout,
the server ends (App.shut_down): SHUTDOWN and signals alike. Until then SHUTDOWN ABORT, or a failure to save, lets it
go on.

A leader of a group waits as long, while it serves, for voters that are catching up: one that has returned without
memory has no vote yet, and the rest may be no majority without this one (docs/design/election.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from pycache_server.commands.context import NOT_READY
from pycache_server.election.machine import Refusal
from pycache_server.errors import RedisError

if TYPE_CHECKING:
    from pycache_server.repl.leading import Leading
    from pycache_server.server.app import App
    from pycache_server.server.group.group import Group
    from pycache_server.session.applying import LinkBroken
    from pycache_server.session.session import Session

FAILED = RedisError(b"ERR Errors trying to SHUTDOWN. Check logs.")
_HELD = "shutdown"
_HANDOVER = 1.0
"""Seconds that a handover may take before the end."""
_RETURN = 2.0
"""Seconds in which a voter that is started again is heard of."""
UNKEPT_EVERY = 10.0
"""Seconds between lines of the log that the disk does not take what is applied."""
_LOOK = 0.1
"""Seconds from one look at voters that are catching up to the next."""


class Doomed(Exception):
    """The server must end at once, and does (App.die)."""


def panic_where_wanted(app: App, broken: LinkBroken) -> None:
    """A command of the master has failed: with propagation-error-behavior other than ``ignore`` the server ends."""
    settings = app.settings
    if broken.command and settings["propagation-error-behavior"] != "ignore" and settings["replica-read-only"]:
        with contextlib.suppress(Doomed):
            app.die(
                "This replica panicked sending an error to its master after processing the command "
                f"'{broken.command}': {broken.problem} at offset {broken.offset}"
            )


class Unkept:
    """What a replica does about a disk that does not take what its master sends."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._not_told_before = 0.0  # ticks

    def tell(self) -> None:
        """Something is about to be applied.

        Raises Doomed, unless replica-ignore-disk-write-errors says that it is applied all the same.
        """
        app = self._app
        if not app.settings["replica-ignore-disk-write-errors"]:
            app.die("Replica was unable to write command to disk.")
        now = app.core.host.ticks()
        if now >= self._not_told_before:
            self._not_told_before = now + UNKEPT_EVERY
            app.log.write("warning", "Replica is applying a command even though it is unable to write to disk.")


def _leading(group: Group) -> Leading | None:
    """The epoch of a voter that leads."""
    return group.member.leading if group.leads else None


class Ending:
    """The end of one server."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replication = app.core.replication
        self._options: Collection[str] = ()
        self._target = 0
        self._begin = 0.0  # when it was requested, in ticks
        self._timer: asyncio.TimerHandle | None = None
        self._clients: list[Session] = []
        self.waits = False
        """Whether the server is about to end, and waits for its replicas."""
        self._replication.on_acknowledged.append(self._look)
        self._replication.on_role.append(self._look)

    def request(self, options: Collection[str]) -> bool | None:
        """End the server, with SHUTDOWN's options in lower case. Whether it ends; None where it waits for replicas."""
        if self.waits:
            return None
        self._options = options
        self._target = self._replication.history.offset
        self._begin = self._app.core.host.ticks()
        if "now" in options or not self._app.settings["shutdown-timeout"] or self._in_step():
            return self._finish()
        self._wait()
        return None

    def hold(self, session: Session) -> object:
        """Let a client wait for the end of the server, which ends its connection; it hears when there is none."""
        self._clients.append(session)
        return session.block([], lambda key: NOT_READY, 0, FAILED)

    @property
    def milliseconds_left(self) -> int:
        """How long it may take until the server ends."""
        return max(0, int(1000 * (self._deadline - self._app.core.host.ticks())))

    @property
    def _deadline(self) -> float:
        """When the server ends whatever is missing, in ticks."""
        return self._begin + float(self._app.settings["shutdown-timeout"])

    def abort(self) -> bool:
        """Go on. Whether the server was about to end."""
        if not self.waits:
            return False
        self._app.log.write("warning", "Shutdown manually aborted.")
        self._go_on()
        return True

    def _wait(self) -> None:
        self.waits = True
        self._app.log.write("notice", "Waiting for replicas before shutting down.")
        if self._app.group is not None:
            self._wait_for_voters(self._app.group)
            return
        self._replication.leading.send_getack()  # which the acknowledgement that it asks for does not contain
        self._app.core.pause.hold(_HELD)
        self._timer = self._app.loop.call_later(self._app.settings["shutdown-timeout"], self._end)

    def _wait_for_voters(self, group: Group) -> None:
        """Look again while some are catching up; then a handover has its time."""
        if not self.waits:
            return
        if self._has_patience(group):
            self._timer = self._app.loop.call_later(_LOOK, self._wait_for_voters, group)
            return
        leading = _leading(group)
        if leading is not None and leading.is_indispensable():
            late = " ".join(leading.catching_up()) or "none"
            self._app.log.write(
                "warning", f"Ending, though without this voter there is no majority. Catching up: {late}"
            )
        if self._hands_over(group):
            self._timer = self._app.loop.call_later(_HANDOVER, self._end)
        else:
            self._end()

    def _has_patience(self, group: Group) -> bool:
        """Whether voters are catching up, and may go on with it; or so few follow that one that has just been started
        again may come."""
        leading, now = _leading(group), self._app.core.host.ticks()
        if leading is None or now >= self._deadline:
            return False
        return bool(leading.catching_up()) or (leading.is_indispensable() and now < self._begin + _RETURN)

    def _in_step(self) -> bool:
        """Whether every replica has everything."""
        group = self._app.group
        if group is not None:
            return not self._has_patience(group) and not self._hands_over(group)
        replicas = self._replication.leading.leader.replicas
        return not self._replication.leads or all(each.acknowledged >= self._target for each in replicas)

    @staticmethod
    def _hands_over(group: Group) -> bool:
        """Whether a voter that leads lets another one take over, so that nobody waits for an election."""
        if not group.leads:
            return False
        try:
            group.orders.hand_over(None)
        except Refusal:
            return group.hands_over
        return group.leads

    def _look(self) -> None:
        if self.waits and self._in_step():
            self._app.loop.call_soon(self._end)

    def _end(self) -> None:
        if not self.waits:
            return
        self.waits = False
        if not self._finish():
            self._go_on()

    def _finish(self) -> bool:
        """End. Whether that is possible."""
        self._tell_lagging()
        ends = self._app.shut_down(self._options)
        if not ends:
            self._app.log.write(
                "warning", "Errors trying to shut down the server. Check the logs for more information."
            )
        return ends

    def _tell_lagging(self) -> None:
        log, offset = self._app.log.write, self._replication.history.offset
        replicas, now = self._replication.leading.leader.replicas, self._app.core.host.ticks()
        lagging = [each for each in replicas if each.acknowledged < self._target]
        for each in lagging:
            behind = offset - each.acknowledged
            lag = each.lag(now)
            log(
                "notice",
                f"Lagging replica {each.name} reported offset {behind} behind master, lag={lag}, state={each.shown}.",
            )
        if replicas:
            count = len(replicas)
            log("notice", f"{count - len(lagging)} of {count} replicas are in sync when shutting down.")

    def _go_on(self) -> None:
        self.waits = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._app.core.pause.release(_HELD)
        clients, self._clients = self._clients, []
        for session in clients:
            self._app.core.blocking.unblock(session, FAILED)
