"""Voters of which each stands by itself only if a coordinator says so."""

from __future__ import annotations

import pytest

from pycache_server.coordinator.voter import Voter
from pycache_server.election.machine import Refusal, Role
from pycache_server.repl.member import Member
from tests.repl.trio import Trio


def waiting(trio: Trio) -> None:
    for member in trio.members.values():
        member.machine.may_stand_by_itself = lambda now: False


def view(trio: Trio, member: Member) -> Voter:
    return Voter(member.seat, lambda: member.voters, lambda: member.machine, member.holds_lease, lambda: trio.now)


def test_nobody_stands_until_one_is_nominated() -> None:
    trio = Trio()
    waiting(trio)
    trio.pass_time(20_000)
    assert not any(member.machine.role is Role.LEADER for member in trio.members.values())
    chosen = trio.members["b"]
    voter = view(trio, chosen)
    assert voter.is_leaderless and voter.leader_seat is None and voter.may_stand
    voter.nominate()
    trio.pass_time(500)
    assert trio.leader() is chosen
    assert voter.leads and voter.leader_seat == "b" and not voter.is_leaderless


def test_a_leader_leads_on_whatever_the_coordinator_says() -> None:
    trio = Trio()
    leader = trio.elect()
    waiting(trio)
    epoch = leader.machine.epoch
    trio.pass_time(20_000)
    assert trio.leader() is leader and leader.machine.epoch == epoch


def test_a_leader_stands_above_a_promise_without_being_asked() -> None:
    trio = Trio()
    leader = trio.elect()
    waiting(trio)
    follower = trio.follower()
    follower.machine.reach(leader.machine.epoch + 3)
    trio.settle(follower.seat)
    trio.pass_time(4000)
    assert trio.leader() is leader and leader.machine.epoch > follower.machine.state.epoch - 1  # type: ignore[operator]
    assert follower.machine.leader == leader.seat


def test_a_voter_that_is_nominated_and_behind_catches_up_first() -> None:
    trio = Trio()
    leader = trio.elect()
    behind = next(member for member in trio.members.values() if member is not leader)
    trio.cut.add(behind.seat)
    trio.write(b"acknowledged")
    waiting(trio)
    trio.cut = {leader.seat}
    trio.pass_time(3000)
    view(trio, behind).nominate()
    trio.pass_time(2000)
    assert trio.leader() is behind
    assert b"acknowledged" in trio.executed[behind.seat]


def test_a_voter_that_has_just_given_its_vote_is_not_leaderless() -> None:
    trio = Trio()
    waiting(trio)
    trio.pass_time(5000)
    voter = view(trio, trio.members["a"])
    assert voter.is_leaderless
    trio.members["b"].machine.nominate(trio.now)
    trio.pass_time(200)
    assert not voter.is_leaderless and voter.leader_seat == "b" and not voter.leads
    assert voter.voters == ("a", "b", "c") and voter.seat == "a" and voter.epoch == trio.leader().machine.epoch


def test_a_leader_without_its_lease_is_leaderless() -> None:
    trio = Trio()
    leader = trio.elect()
    voter = view(trio, leader)
    trio.cut.add(leader.seat)
    trio.pass_time(1100)
    assert leader.machine.role is Role.LEADER
    assert voter.is_leaderless and not voter.leads and voter.leader_seat is None


def test_who_cannot_stand_refuses() -> None:
    trio = Trio()
    trio.members["a"].machine.priority = 0
    with pytest.raises(Refusal, match="priority 0"):
        view(trio, trio.members["a"]).nominate()
