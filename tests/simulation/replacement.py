"""A voter dies for good, and an operator replaces it by an empty node: GROUP REPLACE, said again until it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

BOUND = 8000.0
"""Milliseconds within which the new node votes."""


def replace_dead(world: World) -> int:
    """Play it, and then let as many of the old voters die as the group survives, with the new one. The epoch that ends
    by that is the answer, 0 if none does."""
    leader = world.leader()
    if leader is None or not all(world.by_seat[seat].whole for seat in leader.member.voters):
        return 0
    dead = world.by_seat[world.random.choice(leader.member.voters)]
    new = next(host for host in world.hosts if host.seat not in leader.member.voters)
    new.crash(lost=True)
    dead.crash(lost=True)
    world.say("replaced", dead.seat, new.seat)
    world.after(world.random.uniform(0, 1000), new.start)
    voters = _replace(world, dead, new)
    world.run_until(world.time + world.random.uniform(0, 300))
    return _kill_old(world, voters, new)


def _replace(world: World, dead: Host, new: Host) -> tuple[str, ...]:
    end = world.time + BOUND
    while world.time < end:
        world.run_until(world.time + 200)
        leader = world.leader()
        leading = leader.member.leading if leader else None
        if leader is None or leading is None or leading.changes.pending:
            continue
        voters = leader.member.voters
        if new.seat in voters and dead.seat not in voters:
            return voters
        now, epoch = leader.clock(), leading.epoch
        if dead.seat in voters:
            world.adversary.attempt(leading.changes.replace, dead.seat, new.seat, epoch, now)
        else:  # an earlier leader came no further
            world.adversary.attempt(leading.changes.add, new.seat, epoch, now)
        leader.settle()
    world.checks.bad("a dead voter is not replaced", dead.seat, new.seat)
    return ()


def _kill_old(world: World, voters: tuple[str, ...], new: Host) -> int:
    leader = world.leader()
    old = [world.by_seat[seat] for seat in voters if seat != new.seat]
    gone = world.random.sample(old, (len(voters) - 1) // 2)
    for host in gone:
        host.crash()
    return leader.epoch if leader in gone else 0
