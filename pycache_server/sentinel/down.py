"""Who is down. Subjectively: it has not answered well for its ``down-after-milliseconds``, or a master says for long
that it is a follower. Objectively: so many sentinels say so of a master as its quorum asks for.

Besides, a master may be in doubt (``doubt``): that is for clients alone, and decides nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.sentinel.actions import Disconnect, Send
from pycache_server.sentinel.instance import MASTER, SENTINEL, SLAVE, Instance, Master, Replica

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel


def look(sentinel: Sentinel, instance: Instance, now: int) -> None:
    """Find out whether an instance is subjectively down; renew links that seem to be broken."""
    _renew_links(sentinel, instance, now)
    if instance.ping_sent_at:
        silent = now - instance.ping_sent_at
    elif not instance.connected:
        silent = now - instance.available_at
    else:
        silent = 0
    down = silent > instance.down_after or (
        instance.kind == MASTER
        and instance.role_reported == SLAVE
        and now - instance.role_reported_at > instance.down_after + 2 * sentinel.timing.info_period
    )
    if isinstance(instance, Master) and instance.rebooting_since:
        down = down or now - instance.rebooting_since > instance.down_after + instance.reboot_down_after
    if down and not instance.down_since:
        instance.down_since = now
        sentinel.event("warning", "+sdown", instance)
    elif not down and instance.down_since:
        instance.down_since = 0
        sentinel.event("warning", "-sdown", instance)


def _renew_links(sentinel: Sentinel, instance: Instance, now: int) -> None:
    half = instance.down_after // 2
    if (
        instance.connected
        and now - instance.connected_at > sentinel.timing.min_link_reconnect_period
        and instance.ping_sent_at
        and now - instance.ping_sent_at > half
        and now - instance.last_pong_at > half
    ):
        instance.unlink(now)
        sentinel.act(Disconnect(instance, listening=False))
    if (
        instance.listening
        and now - instance.listening_at > sentinel.timing.min_link_reconnect_period
        and now - instance.heard_at > 3 * sentinel.timing.publish_period
    ):
        instance.listening = False
        sentinel.act(Disconnect(instance, listening=True))


def agree(sentinel: Sentinel, master: Master, now: int) -> None:
    """Find out whether a master is objectively down."""
    votes = 1 + sum(peer.says_down for peer in master.peers.values()) if master.s_down else 0
    down = master.s_down and votes >= master.quorum
    if down and not master.odown_since:
        master.odown_since = now
        sentinel.event("warning", "+odown", master, f" #quorum {votes}/{master.quorum}")
    elif not down and master.odown_since:
        master.odown_since = 0
        sentinel.event("warning", "-odown", master)


def doubt(sentinel: Sentinel, master: Master, now: int) -> None:
    """Find out whether others may have promoted a follower: most sentinels are out of sight, and some follower is not
    seen to follow. Redis names such a leader as if it were well, and clients on the small side of a cut network write
    what is lost. Where all followers follow, nobody has been promoted, however few sentinels are left; and whoever says
    that it leads its group does."""
    usable = 1 + sum(not peer.s_down for peer in master.peers.values())
    doubtful = (
        usable < (len(master.peers) + 1) // 2 + 1
        and not (master.in_group and master.role_reported == MASTER)
        and any(each.priority and not _follows(sentinel, each) for each in master.replicas.values())
    )
    if doubtful and not master.doubtful_since:
        master.doubtful_since = now
        sentinel.log("warning", f"Most sentinels are out of sight: another may have been promoted for {master.name}")
    elif not doubtful and master.doubtful_since:
        master.doubtful_since = 0
        sentinel.log("warning", f"{master.name} is in no doubt any more")


def _follows(sentinel: Sentinel, replica: Replica) -> bool:
    """Whether a follower is seen to follow its master, as of its last INFO."""
    is_seen = replica.connected and not replica.s_down and replica.role_reported == SLAVE
    return is_seen and sentinel.same_address((replica.master_host, replica.master_port), replica.master.address)


def ask_others(sentinel: Sentinel, master: Master, now: int, forced: bool = False) -> None:
    """Ask the other sentinels whether a master is down, and for their votes while this one tries to fail it over."""
    for peer in master.peers.values():
        age = now - peer.down_reply_at
        if age > 5 * sentinel.timing.ask_period:
            peer.says_down = False
            peer.leader = ""
        asks = master.s_down or (master.failing_over and not master.forced)
        if not asks or not peer.connected or (age < sentinel.timing.ask_period and not forced):
            continue
        candidate = sentinel.my_id if master.failing_over else "*"
        argv = ("SENTINEL", "is-master-down-by-addr", master.host, str(master.port), str(sentinel.epoch), candidate)
        sentinel.act(Send(peer, argv, "ask"))
        peer.pending += 1


def answered(sentinel: Sentinel, peer: Instance, reply: object, now: int) -> None:
    """Another sentinel has said whether it takes the master for down, and for whom it has voted."""
    if peer.kind != SENTINEL or not isinstance(reply, list) or len(reply) < 3:
        return
    down, leader, epoch = reply[:3]
    if not isinstance(down, int) or not isinstance(leader, str) or not isinstance(epoch, int):
        return
    peer.down_reply_at = now  # type: ignore[attr-defined]
    peer.says_down = bool(down & 1)  # type: ignore[attr-defined]
    if leader != "*":
        if peer.leader_epoch != epoch:  # type: ignore[attr-defined]
            sentinel.log("notice", f"{peer.name} voted for {leader} {epoch}")
        peer.leader = leader  # type: ignore[attr-defined]
        peer.leader_epoch = epoch  # type: ignore[attr-defined]
