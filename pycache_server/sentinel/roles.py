"""What instances say of themselves in INFO, and what follows: followers are found, roles are set right, a failover goes
on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.sentinel import failover, groups, hello
from pycache_server.sentinel.instance import MASTER, SLAVE, Instance, Master, Replica

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel


def fields_of(info: bytes) -> dict[str, str]:
    """The fields of an INFO."""
    found = {}
    for line in info.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and not name.startswith("#"):
            found[name] = value
    return found


def learn(sentinel: Sentinel, instance: Instance, info: bytes, now: int) -> None:
    """Take in an INFO of a master or of a follower."""
    fields = fields_of(info)
    instance.info_at = now
    instance.info = info
    _learn_run_id(sentinel, instance, fields, now)
    groups.learn(instance, fields)
    role = fields.get("role", instance.role_reported)
    if isinstance(instance, Master) and role == MASTER:
        _learn_replicas(sentinel, instance, fields, now)
    if isinstance(instance, Replica):
        _learn_position(instance, fields, now)
    if role != instance.role_reported:
        instance.role_reported_at = now
        instance.role_reported = role
        if isinstance(instance, Replica):
            instance.conf_changed_at = now
        sign = "+" if role == instance.kind else "-"
        sentinel.event("verbose", f"{sign}role-change", instance, f" new reported role is {role}")
    if sentinel.tilt_since or not isinstance(instance, Replica):
        return
    if role == MASTER:
        _leads(sentinel, instance, now)
    else:
        _follows(sentinel, instance, now)


def _learn_run_id(sentinel: Sentinel, instance: Instance, fields: dict[str, str], now: int) -> None:
    run_id = fields.get("run_id", "")
    if len(run_id) == 40 and run_id != instance.run_id:
        if instance.run_id:
            sentinel.event("notice", "+reboot", instance)
            if isinstance(instance, Master) and instance.reboot_down_after:
                instance.rebooting_since = now
        instance.run_id = run_id


def _learn_replicas(sentinel: Sentinel, master: Master, fields: dict[str, str], now: int) -> None:
    number = 0
    while (text := fields.get(f"slave{number}")) is not None:
        number += 1
        if "=" not in text:
            continue
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        if parts.get("ip") and parts.get("port", "").isdigit():
            sentinel.find_replica(master, parts["ip"], int(parts["port"]), now)


def _learn_position(replica: Replica, fields: dict[str, str], now: int) -> None:
    seconds = fields.get("master_link_down_since_seconds", "0")
    replica.link_down_ms = max(0, _integer(seconds)) * 1000
    host, port = fields.get("master_host", replica.master_host), fields.get("master_port", "")
    if host != replica.master_host or (port and int(port) != replica.master_port):
        replica.master_host, replica.master_port = host, _integer(port)
        replica.conf_changed_at = now
    if "master_link_status" in fields:
        replica.link_up = fields["master_link_status"] == "up"
    replica.priority = _integer(fields.get("slave_priority", str(replica.priority)))
    replica.offset = _integer(fields.get("slave_repl_offset", str(replica.offset)))
    replica.announced = fields.get("replica_announced", "1") == "1"


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _leads(sentinel: Sentinel, replica: Replica, now: int) -> None:
    """A follower says that it leads. Redis waits for eight seconds, because a failover of which it has not heard may
    have made it the leader. But of one that was deposed, and has not been seen to follow since, it is known what it
    leads: the old configuration, and whatever it acknowledges is lost. If most sentinels have just been heard of, and
    none has a newer configuration, it is told at once."""
    master = replica.master
    if replica.promoted and master.failover_state == "wait_promotion":
        failover.promoted(sentinel, master, replica, now)
        return
    if master.failover_state == "wait_promotion":
        failover.adopt(sentinel, master, now)  # its group may have elected another one than was chosen
    if replica.promoted or replica.in_group or not _looks_sane(sentinel, master, now):
        return
    patience = 4 * sentinel.timing.publish_period  # that others may tell of a failover
    patient = _up_for(replica, patience, now) and now - replica.role_reported_at > patience
    if patient or (replica.deposed and hello.heard_from_most(sentinel, master, now)):
        failover.order_to_follow(sentinel, replica, master.address)
        sentinel.event("notice", "+convert-to-slave", replica)


def _follows(sentinel: Sentinel, replica: Replica, now: int) -> None:
    """A follower says that it follows somebody."""
    replica.deposed = False
    master = replica.master
    if (
        not replica.reconf
        and not replica.in_group
        and not master.failing_over
        and replica.role_reported == SLAVE
        and (replica.master_host, replica.master_port) != master.address
        and _looks_sane(sentinel, master, now)
        and _up_for(replica, master.failover_timeout, now)
        and now - replica.conf_changed_at > master.failover_timeout
    ):
        failover.order_to_follow(sentinel, replica, master.address)
        sentinel.event("notice", "+fix-slave-config", replica)
    if master.promoted is None:
        return
    if replica.reconf == "sent" and (replica.master_host, replica.master_port) == master.promoted.address:
        replica.reconf = "inprog"
        sentinel.event("notice", "+slave-reconf-inprog", replica)
    if replica.reconf == "inprog" and replica.link_up:
        replica.reconf = "done"
        sentinel.event("notice", "+slave-reconf-done", replica)


def _looks_sane(sentinel: Sentinel, master: Master, now: int) -> bool:
    return (
        master.role_reported == MASTER
        and not master.s_down
        and not master.o_down
        and now - master.info_at < 2 * sentinel.timing.info_period
    )


def _up_for(replica: Replica, wanted: int, now: int) -> bool:
    """Whether it has not been down for so long."""
    return not replica.s_down and now - replica.available_at < wanted


__all__ = ["fields_of", "learn"]
