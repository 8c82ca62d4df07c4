"""A group that Redis's own sentinels watch: they name whom it has elected, although they had chosen another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.interop.following import wait_for
from tests.interop.groups import Group, Voter, Writer
from tests.interop.sentinels import NAME, GroupDeployment, ask, until
from tests.server.running import Wire

pytestmark = pytest.mark.interop
PATIENCE = 120.0
ELSEWHERE = "192.0.2.77,6379"


@pytest.fixture(autouse=True)
def _empty() -> None:
    """There is no server that tests share."""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[GroupDeployment]:
    require_program("redis-server")
    deployment = GroupDeployment(tmp_path, ["ours"] * 3, ["redis"] * 3)
    yield deployment
    deployment.stop()


def prefer(deployment: GroupDeployment, number: int) -> None:
    """Let sentinels choose this voter rather than any other, when they have heard of it."""
    ask(deployment.nodes[number].port, "CONFIG", "SET", "replica-priority", "1")


def test_they_name_whom_the_group_has_elected_although_they_prefer_another(watched: GroupDeployment) -> None:
    leader = watched.leader()
    assert leader is not None
    for sentinel in watched.sentinels:  # the group is to be sooner
        sentinel.ask("SENTINEL", "SET", NAME, "down-after-milliseconds", "4000")
    watched.nodes[leader].process.kill()
    rest = [number for number in range(3) if number != leader]

    def elected() -> int | None:
        return next((number for number in rest if ask(watched.nodes[number].port, "ROLE")[0] == "master"), None)

    until(lambda: elected() is not None, PATIENCE)
    prefer(watched, next(number for number in rest if number != elected()))
    until(lambda: elected() is not None and watched.agree_on(watched.nodes[elected() or 0].port), PATIENCE)


def test_they_hear_of_a_handover(watched: GroupDeployment) -> None:
    leader = watched.leader()
    assert leader is not None
    target, third = (number for number in range(3) if number != leader)
    assert ask(watched.nodes[leader].port, "GROUP", "HANDOVER", watched.voters.seat(target)) == "OK"
    until(lambda: ask(watched.nodes[target].port, "ROLE")[0] == "master", PATIENCE)
    prefer(watched, third)

    def agreed() -> bool:
        return any(watched.agree_on(node.port) for number, node in enumerate(watched.nodes) if number != leader)

    until(agreed, PATIENCE)
    until(watched.is_whole, PATIENCE)


def test_a_failover_by_hand_is_a_handover(watched: GroupDeployment) -> None:
    leader = watched.leader()
    assert leader is not None
    assert watched.sentinels[0].ask("SENTINEL", "FAILOVER", NAME) == "OK"

    def agreed() -> bool:
        return any(watched.agree_on(node.port) for number, node in enumerate(watched.nodes) if number != leader)

    until(agreed, PATIENCE)
    until(watched.is_whole, PATIENCE)


def say_hello(wire: Wire, master: str) -> None:
    """What a sentinel publishes at a node every two seconds."""
    wire.call("PUBLISH", "__sentinel__:hello", f"127.0.0.1,26379,{'a' * 40},1,crm,{master},0")


def test_a_voter_that_sentinels_have_chosen_gets_the_lead_and_nothing_is_lost(tmp_path: Path) -> None:
    with Group(tmp_path, 3) as group:
        first = group.leader()
        group.wait_whole()
        chosen = group.others(first)[0]
        writer = Writer(group)
        writer.start()
        try:
            writer.wait_more()
            with chosen.connect() as sentinel:
                assert sentinel.call("SLAVEOF", "NO", "ONE") == "OK"

                def leads() -> bool:
                    say_hello(sentinel, ELSEWHERE)
                    return chosen.info().get("role") == "master"

                wait_for(leads, "the lead")
            writer.wait_more()
        finally:
            writer.stop()
        group.wait_same()
        assert f"sentinels have chosen {chosen.seat}: handing over" in first.log()
        with group.leader().connect() as wire:
            assert writer.lost(wire.call) == []


def test_a_follower_that_is_taken_for_the_leader_says_no_pong_to_who_thinks_so(tmp_path: Path) -> None:
    def named(voter: Voter) -> str:
        return f"127.0.0.1,{voter.port}"

    with Group(tmp_path, 3) as group:
        leader = group.leader()
        group.wait_whole()
        follower = group.others(leader)[0]
        with follower.connect() as misled, follower.connect() as other:
            say_hello(misled, named(follower))
            wait_for(lambda: str(misled.call("PING")).startswith("FOLLOWER "), "an error")
            assert other.call("PING") == "PONG"
            say_hello(misled, named(leader))
            wait_for(lambda: misled.call("PING") == "PONG", "an answer")
