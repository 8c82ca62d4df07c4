"""The task that drives one seat's candidacy: its ticks, the requests to the engine, and the watch.

One task does what the candidacy wants, one thing after the other, each within a time; another watches the key, which
only makes things quicker: what it hears wakes the first. Failures are told to the candidacy, which logs them and goes
on. With the builtin coordinator there is no task at all."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

from pycache_server.coordinator.candidacy import Acquire, Candidacy, Release, Renew, Say
from pycache_server.coordinator.engine import Engine, EngineError, Registered, Unreachable
from pycache_server.coordinator.group import Group
from pycache_server.election.machine import Machine
from pycache_server.server.coordinator.kinds import BUILTIN

TICK = 0.1
"""Seconds between two looks at the clock."""
WATCH_PAUSE = 0.05
"""Seconds between two things that a watch tells, at least."""
WATCH_RETRY = 0.5
"""Seconds after which a watch that has failed is opened again."""
PARTING = 1.0
"""Seconds that the end of the process waits for the engine."""

Told = Callable[[str, str], None]


class Coordinator:
    """One seat's. ``tell`` writes a line of the log, ``report`` an unexpected failure; ``clock`` is monotonic, in
    seconds; ``fallback`` in milliseconds."""

    def __init__(
        self,
        engine: Engine,
        group: Group,
        fallback: float,
        tell: Told,
        report: Callable[[str, BaseException], None],
        clock: Callable[[], float],
    ) -> None:
        self.engine = engine
        self.is_driven = engine.kind != BUILTIN
        """Whether there is an engine at all."""
        self._group = group
        self._tell, self._report, self._clock = tell, report, clock
        self.candidacy = Candidacy(group, engine, fallback, random.Random(), self.now())
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        """Milliseconds of the monotonic clock."""
        return self._clock() * 1000

    def start(self) -> None:
        """Begin."""
        if self.is_driven:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._drive()), loop.create_task(self._watch())]
            self._group.on_role_change.append(self._wake.set)

    def nominate_for(self, machine: Machine) -> None:
        """Begin, for a voter that stands by itself no more, unless there is no engine or it does not nominate."""
        if self.engine.nominates:
            machine.may_stand_by_itself = self.candidacy.may_stand_by_itself
        self.start()

    def role_changed(self) -> None:
        """The voter leads, leads no more, or follows another: whoever wants to know is told."""
        for call in list(self._group.on_role_change):
            call()

    async def stop(self) -> None:
        """Give up what is held, and end; whatever the engine does, within a second."""
        if self._tasks:
            self._group.on_role_change.remove(self._wake.set)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []
            with contextlib.suppress(EngineError, TimeoutError):
                async with asyncio.timeout(PARTING):
                    await self.engine.leave()
        await self.engine.close()

    # Questions.

    def holds(self) -> bool:
        """Whether this seat holds the key, now."""
        return self.candidacy.holds(self.now())

    def may_stand_by_itself(self) -> bool:
        """Whether the voter may stand for election without having been nominated."""
        return self.candidacy.may_stand_by_itself(self.now())

    async def members(self) -> list[Registered]:
        """Who is registered. Raises EngineError."""
        return await self.engine.members()

    def fields(self) -> Iterator[tuple[str, Any]]:
        """What INFO says."""
        yield "coordinator_kind", self.engine.kind
        if not self.is_driven:
            group = self._group
            yield "coordinator_state", "holding" if group.leads else "waiting"
            yield "coordinator_token", self.engine.token
            yield "coordinator_holder", group.leader_seat or ""
            yield "coordinator_last_error", ""
            return
        candidacy = self.candidacy
        yield "coordinator_state", candidacy.state(self.now())
        yield "coordinator_token", self.engine.token
        yield "coordinator_holder", candidacy.seen.holder or ""
        yield "coordinator_last_error", candidacy.last_error

    # The tasks.

    async def _drive(self) -> None:
        while True:
            try:
                self._wake.clear()
                self.candidacy.tick(self.now())
                await self._act()
            except Exception as error:  # it is in the log and in INFO, and the next tick comes
                self._report("coordinating with an engine", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._wake.wait()

    async def _act(self) -> None:
        while actions := self.candidacy.take_actions():
            for action in actions:
                if isinstance(action, Say):
                    self._tell(action.level, action.text)
                else:
                    await self._ask(action)

    async def _ask(self, action: Renew | Acquire | Release) -> None:
        candidacy, sent = self.candidacy, self.now()
        try:
            async with asyncio.timeout(self.engine.every / 500):
                await self._do(action, sent)
        except EngineError as error:
            candidacy.failed(action, error, self.now())
        except TimeoutError:
            candidacy.failed(action, Unreachable("no answer in time"), self.now())

    async def _do(self, action: Renew | Acquire | Release, sent: float) -> None:
        engine, candidacy = self.engine, self.candidacy
        if isinstance(action, Renew):
            await engine.renew(action.claim)
            candidacy.renewed(sent, engine.ttl, self.now())
        elif isinstance(action, Acquire):
            seen = await engine.acquire(action.claim)
            candidacy.acquired(seen, self.now())
        else:
            await engine.release()
            candidacy.released()

    async def _watch(self) -> None:
        while True:
            try:
                await self._follow_key()
            except EngineError as error:
                self._tell("verbose", f"Coordinator {self.engine.kind}: the watch is opened again: {error}")
            except Exception as error:  # it is in the log and in INFO, and the watch is opened again
                self._report("watching the key of a coordinator", error)
            await asyncio.sleep(WATCH_RETRY)

    async def _follow_key(self) -> None:
        async with contextlib.aclosing(self.engine.watch()) as watch:
            async for seen in watch:
                self.candidacy.changed(seen, self.now())
                self._wake.set()
                await asyncio.sleep(WATCH_PAUSE)

    def _check(self) -> None:
        self.candidacy._check()
