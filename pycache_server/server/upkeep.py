"""Work on the keyspace that no client waits for, in slices: expiry, freeing, changes of the eviction engine,
giving up keys where more is held than maxmemory allows, sparse buckets, the census.

A slice takes about a millisecond; while there is more to do, the next one comes after a pause of the same length, in
which clients are served. Otherwise the next slice comes when the next key is due, or when the keyspace calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pycache_server.session.core import Core
from pycache_server.session.latency import watch_latency
from pycache_server.store.memory import free_slice
from pycache_server.store.owned import expire_own
from pycache_server.store.tidy import Tidier

SLICE = 0.001
"""Seconds that one slice takes, roughly."""
CHANGE_SLICE = 0.0002
"""The same while the eviction engine changes, whose steps may take as long again."""
EXPIRE_BATCH = 64
FREE_BATCH = 2048
TIDY_BATCH = 1000
AFTER_FAILURE = 0.1


class Upkeep:
    """The upkeep of one server. ``count`` goes on with a census (memory.py), ``send`` sends what is held of replies,
    which shall not wait for a slice (bursts.py)."""

    def __init__(
        self, core: Core, loop: asyncio.AbstractEventLoop, count: Callable[[], bool], send: Callable[[], None]
    ) -> None:
        self._core = core
        self._send = send
        self._count = count
        self._loop = loop
        self.tidier = Tidier(core.keyspace)
        self._timer: asyncio.TimerHandle | None = None
        self._planned = float("inf")  # loop time of the next slice
        self.expire_seconds = 0.0
        core.keyspace.on_wake = self.wake

    def wake(self) -> None:
        """There is something to do, or due earlier than known."""
        self._plan(0.0)

    def stop(self) -> None:
        """No more slices."""
        self._core.keyspace.on_wake = lambda: None
        if self._timer is not None:
            self._timer.cancel()

    def _plan(self, delay: float) -> None:
        due = self._loop.time() + delay
        if due >= self._planned:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._planned = due
        self._timer = self._loop.call_later(delay, self._run)

    def _run(self) -> None:
        self._planned = float("inf")
        self._timer = None
        try:
            self._send()
            more = self._slice()
            self._core.blocking.serve_ready()  # some wait for streams, which may have gone
            delay = SLICE if more else self._until_due()
        except Exception as error:  # it is in the log and in INFO, and the next try comes soon
            self._core.report_failure("upkeep of the keyspace", error)
            delay = AFTER_FAILURE
        if delay is not None:
            self._plan(delay)

    def _slice(self) -> bool:
        """Work for about SLICE seconds. Whether there is more to do."""
        core = self._core
        ticks = core.host.ticks
        begin = ticks()
        core.clock.time = core.host.time()
        more = self._expire(begin + SLICE)
        expired = ticks()
        self.expire_seconds += expired - begin
        watch_latency(core.latency, core.clock, "expire-cycle", expired - begin)
        changing = False
        while ticks() - expired < (CHANGE_SLICE if changing else SLICE):
            freeing = free_slice(core.keyspace, FREE_BATCH)
            changing = core.shape.step()
            evicting = core.room.trim() or (core.room.exceeded and core.room.make() and not core.keyspace.keeps_all)
            tidying = self.tidier.step(TIDY_BATCH)
            if not self._count() and not freeing and not changing and not evicting and not tidying:
                return more
        return True

    def _expire(self, until: float) -> bool:
        """Remove due keys and fields until a time in ticks. Whether there are more."""
        core = self._core
        if not core.keyspace.expires_actively or core.keyspace.stands_still:
            return core.keyspace.expires_actively and self._expire_own(until)
        for database in core.keyspace.databases:
            while (database.wheel.size or database.fields.size) and database.expire_due(EXPIRE_BATCH):
                if core.host.ticks() >= until:
                    return True
        return False

    def _expire_own(self, until: float) -> bool:
        """The same on a follower: keys of its clients alone."""
        core, own = self._core, self._core.keyspace.own
        if own is None or core.pause.mode:
            return False
        while (found := own.take_due(core.clock.now())) is not None:
            expire_own(core.keyspace.databases[found[0]], found[1])
            if core.host.ticks() >= until:
                return True
        return False

    def _until_due(self) -> float | None:
        """Seconds until the next key or field is due, None where none will be."""
        keyspace = self._core.keyspace
        if not keyspace.expires_actively:
            return None
        if keyspace.stands_still:
            own = keyspace.own
            found = [own.next_due()] if own is not None and not self._core.pause.mode else []
        else:
            found = [database.next_due() for database in keyspace.databases]
        dues = [due for due in found if due is not None]
        if not dues:
            return None
        now = self._core.host.time()
        return min(max(min(dues) / 1000 - now, 0.0), 3600.0)
