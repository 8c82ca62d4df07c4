"""Coordinators with a real etcd whose servers are killed and stopped, and with users and passwords."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from pycache_server.coordinator.engine import Denied, Setup, Unreachable
from pycache_server.coordinator.etcd import base64_of
from pycache_server.server.coordinator.etcd import Etcd
from tests.coordinator.etcd_cluster import EtcdCluster
from tests.coordinator.group import SEATS, FakeGroup
from tests.coordinator.seats import Seat, play
from tests.coordinator.stages import EtcdStage, until
from tests.server.running import ROOT

pytestmark = pytest.mark.interop
A, B, C = SEATS
Make = Callable[..., Seat]


@pytest.fixture
def stage(etcd: EtcdCluster) -> EtcdStage:
    return EtcdStage(etcd)


async def elected(*seats: Seat) -> Seat:
    """One of them gets the key, is nominated, and leads; the others hear it."""
    await until(lambda: any(seat.group.nominations for seat in seats), "a nomination")
    winner = next(seat for seat in seats if seat.group.nominations)
    epoch = max(seat.group.epoch for seat in seats) + 1
    for seat in seats:
        seat.group.change(winner.name, epoch)
    await until(winner.holds)
    return winner


def test_one_of_three_is_nominated_and_the_others_know_it(stage: EtcdStage) -> None:
    async def part(make: Make) -> None:
        seats = [make(name) for name in SEATS]
        winner = await elected(*seats)
        await until(lambda: all(seat.info["coordinator_holder"] == winner.name for seat in seats))
        assert [seat for seat in seats if seat.holds()] == [winner]
        assert winner.info == {
            "coordinator_kind": "etcd",
            "coordinator_state": "holding",
            "coordinator_token": winner.token,
            "coordinator_holder": winner.name,
            "coordinator_last_error": "",
        }
        others = [seat for seat in seats if seat is not winner]
        assert all(seat.group.nominations == 0 for seat in others)
        assert {seat.info["coordinator_state"] for seat in others} == {"waiting"}
        assert not any(seat.coordinator.may_stand_by_itself() for seat in others)
        assert {member.seat for member in await others[0].coordinator.members()} == set(SEATS)

    play(stage, part)


def test_a_holder_that_is_gone_is_followed_by_another(stage: EtcdStage) -> None:
    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        winner = await elected(first, second)
        other = second if winner is first else first
        await winner.vanish()
        other.group.change(None)
        await until(other.holds)
        assert other.group.nominations and other.token > winner.token

    play(stage, part)


def test_a_holder_that_ends_leaves_the_key_at_once(stage: EtcdStage) -> None:
    stage.ttl = 60_000.0

    async def part(make: Make) -> None:
        first, second = make(A), make(B)
        winner = await elected(first, second)
        other = second if winner is first else first
        await winner.coordinator.stop()
        other.group.change(None)
        await until(other.holds)

    play(stage, part)


def test_a_seat_that_has_started_anew_does_not_wait_for_the_lease_of_its_former_life(stage: EtcdStage) -> None:
    stage.ttl = 60_000.0

    async def part(make: Make) -> None:
        former = make(A)
        await elected(former)
        await former.vanish()
        former.group.change(None)
        again = make(A)
        await until(again.holds)
        assert again.token > former.token

    play(stage, part)


def test_the_leader_of_a_later_epoch_takes_the_key_from_one_that_is_deposed(stage: EtcdStage) -> None:
    stage.ttl = 60_000.0

    async def part(make: Make) -> None:
        deposed = make(A)
        await elected(deposed)
        await deposed.vanish()
        stage.groups[B].change(B, deposed.group.epoch + 1)
        leader = make(B)
        await until(leader.holds)

    play(stage, part)


def test_a_key_that_an_operator_deletes_is_taken_anew_under_a_greater_token(
    stage: EtcdStage, etcd: EtcdCluster
) -> None:
    async def part(make: Make) -> None:
        seat = make(A)
        await elected(seat)
        before = seat.token
        etcd.servers[0].ask("/v3/kv/deleterange", {"key": base64_of(f"{stage.prefix}/leader")})
        await until(lambda: seat.holds() and seat.token > before)
        assert "Coordinator etcd: lost the key: nobody has it now" in seat.said

    play(stage, part)


@pytest.mark.parametrize("which", ["the one that is asked", "the leader"])
def test_a_server_of_etcd_that_is_killed_costs_the_holder_nothing(
    stage: EtcdStage, etcd: EtcdCluster, which: str
) -> None:
    stage.ttl = 6000.0

    async def part(make: Make) -> None:
        seat, other = make(A), make(B)
        holder = await elected(seat, other)
        token, first = holder.token, stage.endpoint_of(holder.coordinator.engine)
        victim = etcd.leader() if which == "the leader" else next(s for s in etcd.servers if s.endpoint == first)
        victim.kill()
        renewed = holder.coordinator.candidacy._renewed or 0.0
        await until(lambda: (holder.coordinator.candidacy._renewed or 0.0) > renewed + 3000)
        assert holder.holds() and holder.token == token == other.info["coordinator_token"]
        assert not any("lost the key" in text for text in holder.said)

    play(stage, part)


def test_a_server_of_etcd_that_is_stopped_is_given_up_for_the_next(stage: EtcdStage, etcd: EtcdCluster) -> None:
    stage.ttl = 3000.0

    async def part(make: Make) -> None:
        holder = make(A)
        await elected(holder)
        asked = stage.endpoint_of(holder.coordinator.engine)
        next(server for server in etcd.servers if server.endpoint == asked).send(signal.SIGSTOP)
        await until(lambda: stage.endpoint_of(holder.coordinator.engine) != asked)
        await until(holder.holds)

    play(stage, part)


def test_without_etcd_nobody_holds_and_the_leader_leads_on(stage: EtcdStage, etcd: EtcdCluster) -> None:
    async def part(make: Make) -> None:
        holder, other = make(A, 1500.0), make(B)
        if await elected(holder, other) is other:
            holder, other = other, holder
        for server in etcd.servers:
            server.send(signal.SIGSTOP)
        await until(lambda: not holder.holds())
        assert holder.group.leads
        await until(lambda: "no answer in time" in str(holder.info["coordinator_last_error"]))
        for seat in (holder, other):  # each when its own request has had no answer
            await until(lambda seat=seat: seat.info["coordinator_state"] in ("unreachable", "fallback"))
        for server in etcd.servers:
            server.send(signal.SIGCONT)
        await until(holder.holds)
        assert holder.info["coordinator_last_error"] == ""

    play(stage, part)


def test_after_a_while_without_etcd_voters_stand_by_themselves(stage: EtcdStage, etcd: EtcdCluster) -> None:
    async def part(make: Make) -> None:
        for server in etcd.servers:
            server.send(signal.SIGSTOP)
        patient, other = make(A, 1500.0), make(B, 0.0)
        assert not patient.coordinator.may_stand_by_itself()
        await until(patient.coordinator.may_stand_by_itself)
        assert patient.info["coordinator_state"] == "fallback"
        assert not other.coordinator.may_stand_by_itself()
        for server in etcd.servers:
            server.send(signal.SIGCONT)
        await until(lambda: other.coordinator.may_stand_by_itself() != patient.coordinator.may_stand_by_itself())

    play(stage, part)


def test_a_watch_outlives_the_server_that_it_was_opened_at(stage: EtcdStage, etcd: EtcdCluster) -> None:
    async def part(make: Make) -> None:
        watching = make(B)
        watching.group.change(C)
        await until(lambda: watching.info["coordinator_state"] == "waiting")
        asked = stage.endpoint_of(watching.coordinator.engine)
        next(server for server in etcd.servers if server.endpoint == asked).kill()
        holder = make(A)
        await elected(holder)
        await until(lambda: watching.info["coordinator_holder"] == A)

    play(stage, part)


# A process that is stopped.


@pytest.fixture
def holder(stage: EtcdStage, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which wants the key."""
    words = [sys.executable, "-m", "tests.coordinator.holder", A, stage.prefix, "1000", *stage.cluster.endpoints]
    with (tmp_path / "holder.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def next_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def words_after(process: subprocess.Popen[str]) -> list[str]:
    """What it says after what it had said before it was stopped."""
    while next_word(process) != "no":
        pass
    return ["no", *(next_word(process) for _ in range(199))]


def test_a_process_that_was_stopped_does_not_believe_for_a_moment_that_it_still_holds(
    stage: EtcdStage, holder: subprocess.Popen[str]
) -> None:
    while next_word(holder) != "holds":
        assert holder.poll() is None
    holder.send_signal(signal.SIGSTOP)

    async def part(make: Make) -> None:
        other = make(B)
        await until(other.holds)
        other.group.change(B, 2)
        holder.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(words_after, holder) == ["no"] * 200
        assert other.holds()

    play(stage, part)


# Users.


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[EtcdCluster]:
    """An etcd that asks for names and passwords: cache/secret may do what it likes under ``cache/``."""
    cluster = EtcdCluster(tmp_path, ("one",))
    try:
        ask = cluster.servers[0].ask
        for name, password in (("root", "top"), ("cache", "secret")):
            ask("/v3/auth/user/add", {"name": name, "password": password})
        ask("/v3/auth/role/add", {"name": "cache"})
        rights = {"permType": 2, "key": base64_of("cache/"), "range_end": base64_of("cache0")}
        ask("/v3/auth/role/grant", {"name": "cache", "perm": rights})
        ask("/v3/auth/user/grant", {"user": "root", "role": "root"})
        ask("/v3/auth/user/grant", {"user": "cache", "role": "cache"})
        ask("/v3/auth/enable", {})
        yield cluster
    finally:
        cluster.stop()


def guarded_play(cluster: EtcdCluster, part: Callable[[Etcd], Awaitable[None]], **options: str) -> None:
    async def whole() -> None:
        setup = Setup(A, options.pop("prefix", "cache"), cluster.endpoints, 4000.0, **options)
        engine = Etcd(setup, FakeGroup())
        try:
            await part(engine)
        finally:
            await engine.close()

    asyncio.run(whole())


def claim(engine: Etcd) -> Awaitable[None]:
    from pycache_server.coordinator.engine import Claim

    return engine.renew(Claim(A, 1, False))


def test_a_user_is_known_by_its_password_also_after_etcd_has_started_anew(guarded: EtcdCluster) -> None:
    async def part(engine: Etcd) -> None:
        await claim(engine)
        server = guarded.servers[0]
        server.kill()
        server.start()
        await until(server.leads_quietly)
        await claim(engine)
        assert [member.seat for member in await engine.members()] == [A]

    guarded_play(guarded, part, username="cache", password="secret")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"username": "cache", "password": "wrong"}, "authentication failed"),
        ({}, "user name is empty|user name not found|invalid auth token"),
        ({"username": "cache", "password": "secret", "prefix": "others"}, "permission denied"),
    ],
    ids=["wrong password", "no user", "no right"],
)
def test_who_may_not_is_told_so(guarded: EtcdCluster, options: dict[str, str], why: str) -> None:
    async def part(engine: Etcd) -> None:
        with pytest.raises(Denied, match=why):
            await claim(engine)

    guarded_play(guarded, part, **options)


def test_an_etcd_that_is_not_there_is_unreachable() -> None:
    async def part() -> None:
        engine = Etcd(Setup(A, str(uuid.uuid4()), ("127.0.0.1:1",)), FakeGroup())
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1: "):
            await claim(engine)
        await engine.close()

    asyncio.run(part())
