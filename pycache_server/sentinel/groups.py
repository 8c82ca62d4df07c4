"""Masters that are groups (docs/design/election.md): their voters elect the leader, and a sentinel finds out who it is.

A sentinel may nominate a voter (REPLICAOF NO ONE), and no more: nobody tells a leader to follow, and a node that says
in INFO that it leads an epoch of its group is the only one that can. So whoever is found to lead a later epoch than the
one that is known is *adopted*: by a failover of which only the ends are left, winning an epoch of the sentinels and
telling them, without which others would not believe it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.sentinel.instance import MASTER, Instance, Master, Replica

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel

INFO_PERIOD = 1000
"""Milliseconds between two INFOs of a voter, at most: leaders of groups change without any sentinel."""
RETRY = 1000
"""Milliseconds between two tries to adopt a leader, at least."""


def learn(instance: Instance, fields: dict[str, str]) -> None:
    """Take in what an INFO says of a group, before the role is taken in."""
    epoch = fields.get("group_epoch", "")
    instance.in_group = epoch.isdigit()
    if instance.in_group and fields.get("role") == MASTER:
        instance.led_epoch = max(instance.led_epoch, int(epoch))


def learn_voters(sentinel: Sentinel, master: Master, fields: dict[str, str], now: int) -> None:
    """What is known as the master follows, so it tells of no followers: all voters may be the leader."""
    if not master.in_group or fields.get("role") == MASTER:
        return
    for seat in fields.get("group_voters", "").split(","):
        host, _, port = seat.rpartition(":")
        address = (host.strip("[]"), int(port) if port.isdigit() else 0)
        if all(address) and not sentinel.same_address(address, master.address):
            sentinel.find_replica(master, *address, now)


def leader_of(master: Master, now: int) -> Replica | None:
    """The voter that leads a later epoch than any that the master is known to have led."""
    found = [
        each
        for each in master.replicas.values()
        if each.in_group
        and each.role_reported == MASTER
        and not each.s_down
        and now - each.info_at <= 2 * INFO_PERIOD
        and each.led_epoch > master.led_epoch
    ]
    return max(found, key=lambda each: each.led_epoch, default=None)


def has_moved(sentinel: Sentinel, master: Master, now: int) -> bool:
    """Whether the group has a leader that is to be adopted, and that has not just been tried."""
    return now - master.failover_started_at > RETRY and leader_of(master, now) is not None
