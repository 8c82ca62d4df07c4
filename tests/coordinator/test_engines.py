"""What all engines do, through their one interface: builtin, a real etcd, FakeConsul, and a real Consul where
CONSUL_HTTP_ADDR names one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from pycache_server.coordinator.engine import Seen
from tests.coordinator.group import SEATS
from tests.coordinator.stages import PATIENCE, Stage

A, B, C = SEATS


def play(stage: Stage, part: Callable[[Stage], Awaitable[None]]) -> None:
    """Run a test on a loop of its own."""

    async def whole() -> None:
        try:
            await part(stage)
        finally:
            await stage.close()

    asyncio.run(whole())


async def heard(watch: AsyncGenerator[Seen], holder: str | None) -> Seen:
    """The watch tells of this holder."""
    async with asyncio.timeout(PATIENCE):
        while (seen := await anext(watch)).holder != holder:
            pass
    return seen


def test_one_seat_holds_the_key(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        own = await stage.take(first, A)
        assert own.holder == A and own.is_own
        other = await second.acquire(stage.claim(B))
        assert other.holder == A and not other.is_own and other.token == own.token

    play(stage, part)


def test_who_holds_the_key_gets_it_again(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        engine = await stage.join(A)
        first = await stage.take(engine, A)
        assert await engine.acquire(stage.claim(A)) == first

    play(stage, part)


def test_a_released_key_goes_to_the_next_with_a_greater_token(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        before = await stage.take(first, A)
        await stage.give_up(first)
        after = await stage.take(second, B)
        assert after.is_own and after.token > before.token
        assert second.token == after.token

    play(stage, part)


def test_releasing_what_another_holds_does_nothing(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        await stage.take(first, A)
        await second.release()
        assert (await second.acquire(stage.claim(B))).holder == A

    play(stage, part)


def test_all_who_register_are_members(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        engine = await stage.join(A)
        await stage.join(B)
        await stage.take(engine, A)
        stage.groups[A].change(A, 7)
        await engine.renew(stage.claim(A))
        members = {member.seat: member for member in await engine.members()}
        assert {A, B} <= members.keys()
        assert members[A].leads and members[A].alive and members[A].epoch == 7
        assert not members[B].leads

    play(stage, part)


def test_a_watch_tells_of_each_holder(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        watch = (await stage.join(C)).watch()
        await heard(watch, None)
        before = await stage.take(first, A)
        assert (await heard(watch, A)).token == before.token
        await stage.give_up(first)
        await heard(watch, None)
        after = await stage.take(second, B)
        assert (await heard(watch, B)).token == after.token
        await watch.aclose()

    play(stage, part)


def test_a_holder_that_has_led_on_tells_its_epoch(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        own = await stage.take(first, A)
        stage.groups[A].change(A, 9)
        await first.renew(stage.claim(A))
        stage.groups[B].change(A, 9)
        seen = await second.acquire(stage.claim(B))
        assert seen.holder == A and seen.epoch == 9
        if stage.kind != "builtin":
            assert seen.token == own.token

    play(stage, part)


def test_who_leaves_gives_everything_up(stage: Stage) -> None:
    async def part(stage: Stage) -> None:
        first, second = await stage.join(A), await stage.join(B)
        await stage.take(first, A)
        stage.elect(None)
        await first.leave()
        assert (await stage.take(second, B)).is_own
        if stage.kind != "builtin":
            assert [member.seat for member in await second.members()] == [B]

    play(stage, part)
