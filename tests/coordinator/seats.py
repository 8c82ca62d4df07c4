"""Coordinators that run, each with a group that does what the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from pycache_server.server.coordinator.coordinate import Coordinator
from tests.coordinator.stages import Stage


class Seat:
    """One coordinator."""

    def __init__(self, stage: Stage, name: str, fallback: float = 0.0) -> None:
        self.name = name
        self.said: list[str] = []
        self.group = stage.groups[name]
        self.coordinator = Coordinator(stage.engine(name), self.group, fallback, self._tell, self._report, self.clock)
        self.offset = 0.0
        self.coordinator.start()

    def clock(self) -> float:
        return time.monotonic() + getattr(self, "offset", 0.0)

    def _tell(self, level: str, text: str) -> None:
        self.said.append(text)

    def _report(self, what: str, error: BaseException) -> None:
        self.said.append(f"FAILURE {what}: {error!r}")

    def holds(self) -> bool:
        return self.coordinator.holds()

    @property
    def info(self) -> dict[str, object]:
        return dict(self.coordinator.fields())

    @property
    def token(self) -> int:
        return self.coordinator.candidacy.token

    async def vanish(self) -> None:
        """End without a word to the engine, as a process does that is killed."""
        for task in self.coordinator._tasks:
            task.cancel()
        await asyncio.gather(*self.coordinator._tasks, return_exceptions=True)
        self.coordinator._tasks = []
        await self.coordinator.engine.close()


def play(stage: Stage, part: Callable[[Callable[..., Seat]], Awaitable[None]]) -> None:
    """Run a test that makes seats; they are stopped in the end, and none has failed in a way that nobody expects."""
    seats: list[Seat] = []

    def seat(name: str, fallback: float = 0.0) -> Seat:
        seats.append(Seat(stage, name, fallback))
        return seats[-1]

    async def whole() -> None:
        try:
            async with asyncio.timeout(60):
                await part(seat)
        finally:
            for each in seats:
                await each.coordinator.stop()
            await stage.close()

    asyncio.run(whole())
    for each in seats:
        each.coordinator._check()
        assert not [text for text in each.said if "FAILURE" in text], each.said
