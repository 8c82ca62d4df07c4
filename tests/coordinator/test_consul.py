"""Coordinators with a Consul that is hostile: FakeConsul, which is not Consul (fake_consul.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing

import pytest

from pycache_server.coordinator.consul import SHORTEST_SESSION
from pycache_server.coordinator.engine import Claim, Denied, Lost, Setup, Unreachable
from pycache_server.server.coordinator import consul as module
from pycache_server.server.coordinator.consul import Consul
from tests.coordinator.fake_consul import FakeConsul
from tests.coordinator.group import SEATS, FakeGroup
from tests.coordinator.seats import Seat, play
from tests.coordinator.stages import ConsulStage, until

A, B, C = SEATS
Make = Callable[..., Seat]
LEADER = Claim(A, 2, True)

pytestmark = pytest.mark.process


@pytest.fixture
def stage() -> Iterator[ConsulStage]:
    made = ConsulStage()
    yield made
    made.end()


@pytest.fixture
def fake(stage: ConsulStage) -> FakeConsul:
    assert stage.fake is not None
    return stage.fake


def tags(fake: FakeConsul) -> dict[str, str]:
    """What the registered seats are."""
    return {each.body["meta"]["seat"]: " ".join(each.body["tags"]) for each in fake.state.services.values()}


async def leads(seat: Seat, *others: Seat) -> None:
    """The group has elected this seat."""
    epoch = max(each.group.epoch for each in (seat, *others)) + 1
    for each in (seat, *others):
        each.group.change(seat.name, epoch)
    await until(seat.holds)


# Who leads, and who is told.


def test_the_tags_and_the_lock_follow_the_leader_of_the_group(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        await until(lambda: tags(fake) == {A: "follower", B: "follower"})
        await leads(first, second)
        await until(lambda: tags(fake) == {A: "leader", B: "follower"})
        before = first.token
        await leads(second, first)
        await until(lambda: tags(fake) == {A: "follower", B: "leader"})
        assert second.token > before and not first.holds()
        assert first.group.nominations == second.group.nominations == 0
        await until(lambda: first.info["coordinator_holder"] == B)

    play(stage, part)


def test_voters_elect_by_themselves(stage: ConsulStage) -> None:
    async def part(make: Make) -> None:
        assert make(A).coordinator.may_stand_by_itself()

    play(stage, part)


def test_a_seat_is_registered_with_its_address_and_a_check(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        make(A)
        await until(lambda: tags(fake))
        (service,) = fake.state.services.values()
        assert (service.body["address"], service.body["port"]) == ("a.example", 7001)
        assert service.body["name"] == stage.prefix and service.status == "passing" and service.ttl == stage.ttl / 1000

    play(stage, part)


def test_a_seat_that_ends_is_registered_no_more(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        await seat.coordinator.stop()
        assert not fake.state.services and not fake.state.sessions

    play(stage, part)


def test_a_seat_that_vanishes_turns_critical(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat, other = make(A), make(B)
        await leads(seat, other)
        await seat.vanish()
        alive: dict[str, bool] = {}
        while alive != {A: False, B: True}:
            alive = {member.seat: member.alive for member in await other.coordinator.members()}

    play(stage, part)


def test_the_next_leader_does_not_wait_for_the_session_of_the_one_before(stage: ConsulStage, fake: FakeConsul) -> None:
    fake.late_expiry = 1000.0

    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        await leads(first, second)
        await first.vanish()
        await leads(second)
        assert second.token > first.token

    play(stage, part)


def test_who_does_not_lead_a_later_epoch_waits_until_the_session_is_over(stage: ConsulStage, fake: FakeConsul) -> None:
    fake.late_expiry = 2.0

    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        await leads(first)
        await first.vanish()
        second.group.change(B, first.group.epoch)
        await until(lambda: second.info["coordinator_holder"] == A)
        tried = len(fake.requests)
        await until(lambda: "PUT kv/" in "".join(fake.requests[tried:]))
        assert not second.holds()
        second.offset += 20.0
        fake.advance(20.0)
        await until(second.holds)

    play(stage, part)


# What goes wrong.


def test_a_session_that_has_ended_is_replaced_and_the_lock_taken_anew(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        before = seat.token
        fake.advance(SHORTEST_SESSION / 1000)
        await until(lambda: seat.holds() and seat.token > before)
        assert any("lost the key" in text for text in seat.said)

    play(stage, part)


def test_a_holder_that_was_stopped_does_not_believe_that_it_holds(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        seat.offset += SHORTEST_SESSION / 1000
        assert not seat.holds()
        await until(seat.holds)

    play(stage, part)


def test_a_lock_that_another_takes_is_not_held_any_more(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        fake.hand_over(f"{stage.prefix}/leader", "by hand", b"an operator")
        await until(lambda: not seat.holds())
        assert "Coordinator consul: lost the key: an operator has it now" in seat.said
        await until(lambda: seat.info["coordinator_holder"] == "an operator")

    play(stage, part)


def test_an_agent_that_has_started_anew_is_told_again(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        await until(lambda: tags(fake) == {A: "leader"})
        fake.forget_agent()
        await until(lambda: tags(fake) == {A: "leader"})
        assert seat.holds()

    play(stage, part)


def test_failures_are_told_and_what_is_held_stays_held(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await leads(seat)
        token = seat.token
        fake.fail_next(5)
        await until(lambda: seat.info["coordinator_last_error"] == "rpc error: No cluster leader")
        assert seat.holds()
        await until(lambda: seat.info["coordinator_last_error"] == "")
        assert seat.holds() and seat.token == token
        assert sum("No cluster leader" in text for text in seat.said) == 1

    play(stage, part)


@pytest.mark.parametrize("dropped", range(1, 8))
def test_a_write_whose_answer_is_lost_is_done_again_without_harm(
    stage: ConsulStage, fake: FakeConsul, dropped: int
) -> None:
    async def part(make: Make) -> None:
        fake.drop_next(dropped)
        seat = make(A)
        await leads(seat)
        assert seat.token == 1
        await until(lambda: tags(fake) == {A: "leader"})
        fake.drop_next(dropped)
        seat.group.change(None)
        await until(lambda: tags(fake) == {A: "follower"})
        pair = fake.state.pairs[f"{stage.prefix}/leader"]
        await until(lambda: not pair.session)

    play(stage, part)


def test_a_lock_whose_taking_is_not_known_is_given_up_where_it_is_not_wanted_any_more(
    stage: ConsulStage, fake: FakeConsul
) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await until(lambda: tags(fake))
        fake.stale_reads = "all"
        seat.group.change(A, 2)
        await until(lambda: "is read as another's" in str(seat.said))
        pair = fake.state.pairs[f"{stage.prefix}/leader"]
        assert pair.session and not seat.holds()
        seat.group.change(B, 3)
        await until(lambda: not pair.session)

    play(stage, part)


def test_old_reads_mislead_the_watch_and_not_the_holder(stage: ConsulStage, fake: FakeConsul) -> None:
    fake.stale_reads = "default"

    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        await leads(first, second)
        token = first.token
        await leads(second, first)
        assert second.token > token and not first.holds()

    play(stage, part)


def test_an_index_that_goes_back_begins_the_watch_anew(stage: ConsulStage, fake: FakeConsul) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        fake.state.index = 1000
        await leads(seat)
        with fake._changed:
            fake.state.index = 5
            for pair in fake.state.pairs.values():
                pair.modify = 5
        seat.group.change(None)
        await until(lambda: not seat.holds())
        await until(lambda: seat.info["coordinator_holder"] == "")

    play(stage, part)


# One request at a time.


def alone(fake: FakeConsul, token: str = "") -> Consul:
    return Consul(Setup(A, "cache/main", (fake.endpoint,), 10_000.0, token=token), FakeGroup())


def test_a_prefix_with_slashes_names_a_service_with_hyphens(fake: FakeConsul) -> None:
    async def part() -> None:
        engine = alone(fake)
        await engine.renew(LEADER)
        await engine.acquire(LEADER)
        await engine.close()

    asyncio.run(part())
    assert [each.body["name"] for each in fake.state.services.values()] == ["cache-main"]
    assert list(fake.state.pairs) == ["cache/main/leader"]


def test_without_a_session_nothing_can_be_held(fake: FakeConsul) -> None:
    async def part() -> None:
        engine = alone(fake)
        with pytest.raises(Lost):
            await engine.acquire(LEADER)
        await engine.renew(LEADER)
        fake.advance(10.0)
        with pytest.raises(Lost, match="invalid session"):
            await engine.acquire(LEADER)
        with pytest.raises(Lost):
            await engine.acquire(LEADER)
        await engine.renew(LEADER)
        assert (await engine.acquire(LEADER)).is_own
        await engine.close()

    asyncio.run(part())


def test_who_may_not_is_told_so() -> None:
    fake = FakeConsul(token="secret")

    async def part() -> None:
        stranger, friend = alone(fake, "wrong"), alone(fake, "secret")
        with pytest.raises(Denied, match="Permission denied"):
            await stranger.renew(LEADER)
        await friend.renew(LEADER)
        for engine in (stranger, friend):
            await engine.close()

    try:
        asyncio.run(part())
    finally:
        fake.close()


def test_two_agents_are_two_chances_and_registered_at_the_one_that_answers(fake: FakeConsul) -> None:
    async def part() -> None:
        setup = Setup(A, "cache", (fake.endpoint, "127.0.0.1:1"), 10_000.0)
        engine = Consul(setup, FakeGroup())
        await engine.renew(LEADER)
        gone = engine._http.endpoints
        gone.leave(gone.current)
        await engine.renew(LEADER)
        assert len(fake.state.services) == 1
        await engine.close()

    asyncio.run(part())


def test_a_watch_waits_as_long_at_each_of_several_agents(fake: FakeConsul, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 1.0)

    async def part() -> None:
        setup = Setup(A, "cache", (fake.endpoint, "127.0.0.1:1", "127.0.0.1:2"), 10_000.0)
        engine = Consul(setup, FakeGroup())
        async with aclosing(engine.watch()) as watch:
            for _ in range(2):
                assert (await anext(watch)).holder is None
        await engine.close()

    asyncio.run(part())
    assert fake.requests == ["GET kv/cache/leader"] * 2


def test_a_consul_that_is_not_there_is_unreachable() -> None:
    async def part() -> None:
        engine = Consul(Setup(A, "cache", ("127.0.0.1:1",)), FakeGroup())
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1: "):
            await engine.renew(LEADER)
        await engine.close()

    asyncio.run(part())
