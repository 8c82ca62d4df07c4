"""A failover, step by step. One function for each state; ``step`` calls that of the present one.

wait_start -> select_slave -> send_slaveof_noone -> wait_promotion -> reconf_slaves -> update_config

The step behind ``wait_promotion`` is made when the follower says that it leads (roles.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.sentinel import groups, voting
from pycache_server.sentinel.actions import Persist, Run, Send
from pycache_server.sentinel.instance import Master, Replica
from pycache_server.sentinel.timing import MAX_DESYNC

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel

HANDOVER_TIME = 5000
"""Milliseconds for which a leader may hold writes until the follower that is to lead has everything."""


def start(sentinel: Sentinel, master: Master, now: int) -> None:
    """Begin a failover: in a new epoch, for which votes are to be got."""
    master.failover_state = "wait_start"
    sentinel.epoch += 1
    master.failover_epoch = sentinel.epoch
    sentinel.event("warning", "+new-epoch", None, str(sentinel.epoch))
    sentinel.event("warning", "+try-failover", master)
    master.failover_started_at = now + sentinel.chance(MAX_DESYNC)
    master.failover_changed_at = now


def start_if_needed(sentinel: Sentinel, master: Master, now: int) -> bool:
    """Begin one where the master is objectively down and none has been tried lately, or where its group has another
    leader already. Whether it has begun."""
    if master.failing_over or not sentinel.may_nominate(master):
        return False
    if groups.has_moved(sentinel, master, now):
        start(sentinel, master, now)
        return True
    if not master.o_down:
        return False
    if now - master.failover_started_at < 2 * master.failover_timeout:
        if master.failover_delay_logged != master.failover_started_at:
            master.failover_delay_logged = master.failover_started_at
            wait = 2 * master.failover_timeout - (now - master.failover_started_at)
            sentinel.log("notice", f"Next failover delay: I will not start a failover of {master.name} for {wait} ms")
        return False
    start(sentinel, master, now)
    return True


def candidates(sentinel: Sentinel, master: Master, now: int) -> list[Replica]:
    """The followers that may be promoted, the best one first: by priority, then by how much of the stream they have,
    then by run id."""
    most_down = master.down_after * 10 + (now - master.down_since if master.s_down else 0)
    valid = sentinel.timing.ping_period * 5 if master.s_down else sentinel.timing.info_period * 3
    found = [
        replica
        for replica in master.replicas.values()
        if not replica.s_down
        and replica.connected
        and now - replica.available_at <= sentinel.timing.ping_period * 5
        and replica.priority
        and replica.info_at
        and now - replica.info_at <= valid
        and replica.link_down_ms <= most_down
    ]
    return sorted(found, key=lambda each: (each.priority, -each.offset, not each.run_id, each.run_id.lower()))


def step(sentinel: Sentinel, master: Master, now: int) -> None:
    """Go on with a failover."""
    if master.failing_over:
        _STEPS[master.failover_state](sentinel, master, now)


def become(sentinel: Sentinel, master: Master, state: str, now: int) -> None:
    """Enter a state."""
    master.failover_state = state
    master.failover_changed_at = now


def abort(sentinel: Sentinel, master: Master, now: int) -> None:
    """Give a failover up."""
    master.forced = False
    master.handover_at = 0
    become(sentinel, master, "none", now)
    if master.promoted is not None:
        master.promoted.promoted = False
        master.promoted = None


def _wait_start(sentinel: Sentinel, master: Master, now: int) -> None:
    leader = voting.winner(sentinel, master, master.failover_epoch, now)
    if leader != sentinel.my_id and not master.forced:
        if now - master.failover_started_at > min(sentinel.timing.election_timeout, master.failover_timeout):
            sentinel.event("warning", "-failover-abort-not-elected", master)
            abort(sentinel, master, now)
        return
    sentinel.event("warning", "+elected-leader", master)
    become(sentinel, master, "select_slave", now)
    sentinel.event("warning", "+failover-state-select-slave", master)


def _select(sentinel: Sentinel, master: Master, now: int) -> None:
    if adopt(sentinel, master, now):
        return
    found = candidates(sentinel, master, now)
    if not found:
        sentinel.event("warning", "-failover-abort-no-good-slave", master)
        abort(sentinel, master, now)
        return
    chosen = found[0]
    sentinel.event("warning", "+selected-slave", chosen)
    chosen.promoted = True
    master.promoted = chosen
    become(sentinel, master, "send_slaveof_noone", now)
    sentinel.event("notice", "+failover-state-send-slaveof-noone", chosen)


def adopt(sentinel: Sentinel, master: Master, now: int) -> bool:
    """Let the leader that a group has elected be the promoted follower, whoever was chosen. Whether there is one."""
    leader = groups.leader_of(master, now)
    if leader is None:
        return False
    if master.promoted is not leader:
        if master.promoted is not None:
            master.promoted.promoted = False
        sentinel.event("warning", "+selected-slave", leader)
        leader.promoted = True
        master.promoted = leader
    promoted(sentinel, master, leader, now)
    return True


def _send_noone(sentinel: Sentinel, master: Master, now: int) -> None:
    assert master.promoted is not None
    if adopt(sentinel, master, now):
        return
    if not master.promoted.connected:
        _abort_if_late(sentinel, master, now)
        return
    if master.forced and master.connected and not master.s_down:
        _ask_to_hand_over(sentinel, master, master.promoted, now)
    else:
        order_to_follow(sentinel, master.promoted, None)
    sentinel.event("notice", "+failover-state-wait-promotion", master.promoted)
    become(sentinel, master, "wait_promotion", now)


def _ask_to_hand_over(sentinel: Sentinel, master: Master, chosen: Replica, now: int) -> None:
    """Nothing is wrong with the leader, so that it can hold writes until the follower has everything, and nothing is
    lost. It is done all the same where that takes too long. A leader that cannot do that says so."""
    master.handover_at = now
    host, port = sentinel.announced(chosen.host), str(chosen.port)
    words = ("FAILOVER", "TO", host, port, "FORCE", "TIMEOUT", str(_handover_time(master)))
    sentinel.send(master, words, "handover")


def _handover_time(master: Master) -> int:
    """A leader that holds writes holds our hellos, too: nobody shall take it for down."""
    return max(1, min(HANDOVER_TIME, master.failover_timeout // 4, master.down_after // 2))


def handover_refused(sentinel: Sentinel, master: Master, now: int) -> None:
    """The leader does not hand over, or nobody knows: let the follower lead without it."""
    if master.handover_at and master.failover_state == "wait_promotion" and master.promoted is not None:
        order_to_follow(sentinel, master.promoted, None)
    master.handover_at = 0


def _wait_promotion(sentinel: Sentinel, master: Master, now: int) -> None:
    if adopt(sentinel, master, now):
        return
    if master.handover_at and now - master.handover_at > 2 * _handover_time(master):
        handover_refused(sentinel, master, now)
    _abort_if_late(sentinel, master, now)


def _abort_if_late(sentinel: Sentinel, master: Master, now: int) -> None:
    if now - master.failover_changed_at > master.failover_timeout:
        sentinel.event("warning", "-failover-abort-slave-timeout", master)
        abort(sentinel, master, now)


def promoted(sentinel: Sentinel, master: Master, replica: Replica, now: int) -> None:
    """The chosen follower has said that it leads: from here on there is no way back."""
    master.config_epoch = master.failover_epoch
    become(sentinel, master, "reconf_slaves", now)
    sentinel.act(Persist())
    sentinel.event("warning", "+promoted-slave", replica)
    sentinel.event("warning", "+failover-state-reconf-slaves", master)
    run_reconfig(sentinel, master, "leader", "start", master.address, replica.address)
    sentinel.hello_soon(master)
    if master.connected and not replica.in_group:  # at once: what it acknowledges from here on is lost
        order_to_follow(sentinel, master, replica.address)


def _reconf(sentinel: Sentinel, master: Master, now: int) -> None:
    assert master.promoted is not None
    busy = sum(replica.reconf in ("sent", "inprog") for replica in master.replicas.values())
    for replica in master.replicas.values():
        if replica.in_group and not replica.promoted:
            replica.reconf = "done"  # it follows whom it has elected
        if replica.reconf == "sent" and now - replica.reconf_at > sentinel.timing.slave_reconf_timeout:
            sentinel.event("notice", "-slave-reconf-sent-timeout", replica)
            replica.reconf = "done"
            busy -= 1
        if busy < master.parallel_syncs and not replica.promoted and not replica.reconf and replica.connected:
            order_to_follow(sentinel, replica, master.promoted.address)
            replica.reconf = "sent"
            replica.reconf_at = now
            sentinel.event("notice", "+slave-reconf-sent", replica)
            busy += 1
    _end_if_done(sentinel, master, now)


def _end_if_done(sentinel: Sentinel, master: Master, now: int) -> None:
    assert master.promoted is not None
    if master.promoted.s_down:  # it is to be replaced itself, as the leader that it is
        sentinel.event("warning", "+failover-end-for-timeout", master)
        become(sentinel, master, "update_config", now)
        return
    left = [each for each in master.replicas.values() if not (each.promoted or each.reconf == "done" or each.s_down)]
    late = now - master.failover_changed_at > master.failover_timeout
    if late and left:
        sentinel.event("warning", "+failover-end-for-timeout", master)
    if left and not late:
        return
    sentinel.event("warning", "+failover-end", master)
    become(sentinel, master, "update_config", now)
    for replica in left:
        if replica.connected and replica.reconf != "sent":
            order_to_follow(sentinel, replica, master.promoted.address)
            sentinel.event("notice", "+slave-reconf-sent-be", replica)
            replica.reconf = "sent"


def _update(sentinel: Sentinel, master: Master, now: int) -> None:
    assert master.promoted is not None
    old, new = master.address, master.promoted.address
    switched = f"{master.name} {old[0]} {old[1]} {new[0]} {new[1]}"
    sentinel.event("warning", "+switch-master", None, switched, about=master)
    sentinel.move(master, *new, now)


def order_to_follow(sentinel: Sentinel, instance: Replica | Master, leader: tuple[str, int] | None) -> None:
    """Tell an instance whom to follow, nobody where ``leader`` is None. It is told in one transaction to write that
    into its configuration and to drop its clients, who shall ask where the leader is.

    A voter of a group is nominated by REPLICAOF: what it does besides for Redis's sentinels, which say SLAVEOF, is not
    needed here (server/group/watched.py)."""
    name = instance.master.renamed if isinstance(instance, Replica) else instance.renamed
    verb = name.get("slaveof") or ("REPLICAOF" if instance.in_group and leader is None else "SLAVEOF")
    target = ("NO", "ONE") if leader is None else (sentinel.announced(leader[0]), str(leader[1]))
    for argv in (
        ("MULTI",),
        (verb, *target),
        (name.get("config", "CONFIG"), "REWRITE"),
        (name.get("client", "CLIENT"), "KILL", "TYPE", "normal"),
        (name.get("client", "CLIENT"), "KILL", "TYPE", "pubsub"),
        ("EXEC",),
    ):
        sentinel.act(Send(instance, argv))
        instance.pending += 1


def run_reconfig(
    sentinel: Sentinel, master: Master, role: str, state: str, old: tuple[str, int], new: tuple[str, int]
) -> None:
    """Call client-reconfig-script."""
    if master.client_reconfig_script:
        words = (master.name, role, state, old[0], str(old[1]), new[0], str(new[1]))
        sentinel.act(Run(master.client_reconfig_script, words))


_STEPS = {
    "wait_start": _wait_start,
    "select_slave": _select,
    "send_slaveof_noone": _send_noone,
    "wait_promotion": _wait_promotion,
    "reconf_slaves": _reconf,
    "update_config": _update,
}
