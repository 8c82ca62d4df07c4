"""What has to be looked at now and then, ``hz`` times a second: idle clients, clients that do not read, rates, memory,
the garbage collector, memory to give back, huge pages. Work on the keyspace is upkeep.py's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pycache_server.server.gc import YOUNG_LIMIT
from pycache_server.session.core import Core
from pycache_server.session.describe import describe
from pycache_server.session.latency import watch_latency

if TYPE_CHECKING:
    from pycache_server.server.app import App

PART = 50
"""Sessions are looked at in parts, so that 10,000 idle ones delay nobody: at least so many at a time."""
LOG_EVERY = 5.0
SILENT = 2.0
"""Seconds after which a client is taken for silent."""


class Cron:
    """The periodic work of one server."""

    def __init__(self, app: App, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._core = core
        self._loop = loop
        self._timer: asyncio.Handle | None = None
        self._parts = (
            self._look_at_rates,
            self._look_at_figures,
            self._look_at_keys_and_clients,
            self._collect,
            self._look_at_memory,
        )
        self._round: list[int] = []  # ids of sessions still to be looked at in this round
        self._last_report = 0.0
        self._evicted = 0  # keys, when the collector was last called
        self.paused = False
        """DEBUG PAUSE-CRON."""

    def start(self) -> None:
        """Begin."""
        self._timer = self._loop.call_later(self._interval(), self._run)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()

    def _interval(self) -> float:
        return float(1.0 / min(max(self._app.settings["hz"], 1), 500))

    def _run(self, part: int = 0) -> None:
        """One part of a tick: clients are served between two of them."""
        self._app.bursts.flush()  # what is held of replies does not wait for it
        try:
            if not self.paused:
                self._parts[part]()
        except Exception as error:  # it is in the log and in INFO, and the next tick comes
            self._core.report_failure("cron", error)
        if part + 1 < len(self._parts):
            self._timer = self._loop.call_soon(self._run, part + 1)
        else:
            self._timer = self._loop.call_later(self._interval(), self._run)

    def _look_at_rates(self) -> None:
        self._core.clock.time = self._core.host.time()
        self._core.sample_rates()

    def _look_at_figures(self) -> None:
        core = self._core
        core.peak_memory = max(core.peak_memory, self._app.memory.peak())

    def _look_at_keys_and_clients(self) -> None:
        core = self._core
        now = core.clock.time = core.host.time()
        core.room.look()
        core.blocking.rest()
        self._app.saves.tick()
        self._app.aof.tick()
        self._look_at_sessions(now)
        if now - self._last_report >= LOG_EVERY:
            self._last_report = now
            self._report()

    def _collect(self) -> None:
        core = self._core
        if self._app.collector is not None:
            begin = core.host.ticks()
            evicted = core.keyspace.evicted
            flooded = core.shape.changing or evicted - self._evicted > YOUNG_LIMIT  # as many keys have come
            self._evicted = evicted
            self._app.collector.step(flooded)
            watch_latency(core.latency, core.clock, "gc", core.host.ticks() - begin)

    def _look_at_memory(self) -> None:
        core = self._core
        if self._app.upkeep.tidier.look():
            core.keyspace.wake()
        if self._app.spare is not None:
            begin = core.host.ticks()
            self._app.spare.step(core.stats.input_bytes)
            watch_latency(core.latency, core.clock, "spare-memory", core.host.ticks() - begin)
        if self._app.pages is not None and self._app.settings["huge-pages"] and not core.shape.changing:
            begin = core.host.ticks()
            self._app.pages.step(self._app.memory.resident())
            watch_latency(core.latency, core.clock, "huge-pages", core.host.ticks() - begin)

    def _look_at_sessions(self, now: float) -> None:
        core, timeout = self._core, self._app.settings["timeout"]
        if not self._round:
            self._round = list(core.sessions)
        size = max(PART, len(core.sessions) // 10)
        part, self._round = self._round[-size:], self._round[:-size]
        sessions = [session for number in part if (session := core.sessions.get(number)) is not None]
        for session in sessions:
            if session.congested:
                session.check_output(core.host.ticks())
            idle = now - session.last_seen
            if idle > SILENT:
                session.relax()
            if timeout and idle > timeout and not session.waits():
                core.host.log("verbose", f"Closing idle client {describe(session)}")
                session.abort()
        core.client_memory.look(sessions)  # last: who exceeds a limit of its own goes for that

    def _report(self) -> None:
        core = self._core
        for database in core.keyspace.databases:
            if database.size:
                core.host.log("verbose", f"DB {database.index}: {database.size} keys ({database.wheel.size} volatile)")
        core.host.log("debug", f"{len(core.sessions)} clients connected, {self._app.memory.peak()} bytes in use")
