"""The task that drives a candidacy, with engines that fail in ways that nobody expects; and the builtin one, which has
no task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from pycache_server.coordinator.engine import Claim, Denied, Engine, Registered, Seen, Setup, Unreachable
from pycache_server.server.coordinator.builtin import Builtin
from pycache_server.server.coordinator.coordinate import Coordinator
from tests.coordinator.group import SEATS, FakeGroup
from tests.coordinator.stages import until

A, B, C = SEATS
SETUP = Setup(A, "cache", ttl=400.0)


class Odd:
    """An engine that does what the test says."""

    kind, nominates, ttl, every, token = "odd", True, 400.0, 100.0, 0

    def __init__(self) -> None:
        self.problem: BaseException | None = None
        self.hangs = False
        self.renewals = 0
        self.watches = 0
        self.ended: list[str] = []

    async def renew(self, claim: Claim) -> None:
        self.renewals += 1
        if self.hangs:
            await asyncio.sleep(1000)
        if self.problem is not None:
            raise self.problem

    async def acquire(self, claim: Claim) -> Seen:
        return Seen(A, 1, claim.epoch, True)

    async def release(self) -> None:
        pass

    async def leave(self) -> None:
        self.ended.append("left")
        if self.hangs:
            await asyncio.sleep(1000)
        if self.problem is not None:
            raise self.problem

    async def members(self) -> list[Registered]:
        return []

    async def watch(self) -> AsyncGenerator[Seen]:
        self.watches += 1
        yield Seen(None)
        raise self.problem or Unreachable("the end")

    async def close(self) -> None:
        self.ended.append("closed")


class Bench:
    """A coordinator whose log is kept."""

    def __init__(self, engine: Engine, group: FakeGroup | None = None) -> None:
        self.group = group or FakeGroup()
        self.said: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self.coordinator = Coordinator(engine, self.group, 0, self._tell, self._report, time.monotonic)

    def _tell(self, level: str, text: str) -> None:
        self.said.append((level, text))

    def _report(self, what: str, error: BaseException) -> None:
        self.failures.append(f"{what}: {error}")

    @property
    def info(self) -> dict[str, Any]:
        return dict(self.coordinator.fields())


def run(part: Callable[[Odd, Bench], Coroutine[Any, Any, None]]) -> tuple[Odd, Bench]:
    async def whole() -> tuple[Odd, Bench]:
        engine = Odd()
        bench = Bench(engine)  # type: ignore[arg-type]
        bench.coordinator.start()
        try:
            await part(engine, bench)
        finally:
            await bench.coordinator.stop()
        return engine, bench

    return asyncio.run(whole())


def test_a_failure_that_nobody_expects_is_reported_and_the_task_goes_on() -> None:
    async def part(engine: Odd, bench: Bench) -> None:
        engine.problem = RuntimeError("a fault in an engine")
        await until(lambda: "coordinating with an engine: a fault in an engine" in bench.failures)
        await until(lambda: "watching the key of a coordinator: a fault in an engine" in bench.failures)
        engine.problem = None
        await until(bench.coordinator.holds)

    run(part)


def test_a_refusal_is_told_and_shown() -> None:
    async def part(engine: Odd, bench: Bench) -> None:
        engine.problem = Denied("no such user")
        await until(lambda: bench.info["coordinator_last_error"] == "no such user")
        assert ("warning", "Coordinator odd: no such user") in bench.said
        assert bench.info["coordinator_state"] == "unreachable"

    _, bench = run(part)
    assert not bench.failures


def test_an_engine_that_does_not_come_back_is_not_waited_for() -> None:
    async def part(engine: Odd, bench: Bench) -> None:
        engine.hangs = True
        await until(lambda: bench.info["coordinator_last_error"] == "no answer in time")

    engine, _ = run(part)
    assert engine.ended == ["left", "closed"]


def test_a_watch_that_ends_is_opened_again() -> None:
    async def part(engine: Odd, bench: Bench) -> None:
        await until(lambda: engine.watches > 1)
        assert ("verbose", "Coordinator odd: the watch is opened again: the end") in bench.said

    run(part)


def test_a_change_of_role_is_told_at_once() -> None:
    async def part(engine: Odd, bench: Bench) -> None:
        await until(bench.coordinator.holds)
        bench.group.change(A, 2)
        assert bench.coordinator.candidacy.claim() == Claim(A, 2, True)
        before = engine.renewals
        await until(lambda: engine.renewals > before)

    _, bench = run(part)
    assert not bench.group.on_role_change


# The builtin one.


def builtin() -> Bench:
    group = FakeGroup()
    return Bench(Builtin(SETUP, group), group)


def test_the_builtin_coordinator_runs_no_task_and_says_what_the_group_says() -> None:
    async def part() -> None:
        bench = builtin()
        bench.coordinator.start()
        assert len(asyncio.all_tasks()) == 1
        bench.group.change(A, 5)
        assert bench.info == {
            "coordinator_kind": "builtin",
            "coordinator_state": "holding",
            "coordinator_token": 5,
            "coordinator_holder": A,
            "coordinator_last_error": "",
        }
        bench.group.change(B, 6)
        assert (bench.info["coordinator_state"], bench.info["coordinator_holder"]) == ("waiting", B)
        assert bench.coordinator.may_stand_by_itself()
        await bench.coordinator.stop()

    asyncio.run(part())


def test_the_members_of_the_builtin_coordinator_are_the_voters() -> None:
    async def part() -> None:
        bench = builtin()
        bench.group.change(B, 5)
        assert await bench.coordinator.members() == [
            Registered(A, 5, False, True),
            Registered(B, 5, True, True),
            Registered(C, 5, False, False),
        ]

    asyncio.run(part())
