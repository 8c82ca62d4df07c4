"""Hellos: how sentinels find each other, and tell of the newest configuration. One is published every two seconds on a
channel of every instance: who speaks, and which master it knows under a name, by which epoch.

``host,port,run id,epoch,master's name,master's host,master's port,master's epoch``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pycache_server.sentinel import failover
from pycache_server.sentinel.actions import Forget, Persist
from pycache_server.sentinel.instance import Master, Peer

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel

CHANNEL = "__sentinel__:hello"


class Hello(NamedTuple):
    """A hello in its parts."""

    host: str
    port: int
    run_id: str
    epoch: int
    master: str
    master_host: str
    master_port: int
    master_epoch: int


def parse_hello(text: str) -> Hello | None:
    """The parts of a hello, None where it is none."""
    parts = text.split(",")
    if len(parts) != 8:
        return None
    host, port, run_id, epoch, name, master_host, master_port, master_epoch = parts
    numbers = (port, epoch, master_port, master_epoch)
    if not all(number.isdigit() and len(number) < 20 for number in numbers) or len(run_id) != 40:
        return None
    if not (0 < int(port) < 65536 and 0 < int(master_port) < 65536 and host and master_host):
        return None
    return Hello(host, int(port), run_id, int(epoch), name, master_host, int(master_port), int(master_epoch))


def format_hello(sentinel: Sentinel, master: Master, host: str) -> str:
    """The hello about a master; ``host`` is where this sentinel is reached, unless it announces something else."""
    leader = master.current_address()
    return (
        f"{sentinel.announce_ip or host},{sentinel.announce_port or sentinel.port},{sentinel.my_id},{sentinel.epoch},"
        f"{master.name},{sentinel.announced(leader[0])},{leader[1]},{master.config_epoch}"
    )


def heard(sentinel: Sentinel, text: str, now: int) -> None:
    """Take in a hello of whichever sentinel."""
    hello = parse_hello(text)
    if hello is None or hello.run_id == sentinel.my_id:
        return
    master = sentinel.masters.get(hello.master)
    if master is None:
        return
    peer = _know(sentinel, master, hello, now)
    if hello.epoch > sentinel.epoch:
        sentinel.epoch = hello.epoch
        sentinel.act(Persist())
        sentinel.event("warning", "+new-epoch", None, str(sentinel.epoch))
    if hello.master_epoch > master.config_epoch:
        _follow_configuration(sentinel, master, peer, hello, now)
    peer.last_hello_at = now


def _know(sentinel: Sentinel, master: Master, hello: Hello, now: int) -> Peer:
    """The sentinel that has spoken, which may be new, or have moved, or have taken the address of another."""
    peer = master.peers.get(hello.run_id)
    address = (hello.host, hello.port)
    if peer is not None and peer.address == address:
        return peer
    for other in list(master.peers.values()):
        if other.address == address and other.run_id != hello.run_id:
            sentinel.event("notice", "+sentinel-invalid-addr", other)
            other.port = 0  # until it speaks from another place
            other.unlink(now)
            sentinel.act(Forget(other))
    if peer is not None:
        sentinel.event(
            "notice", "+sentinel-address-switch", master, f" ip {hello.host} port {hello.port} for {hello.run_id}"
        )
        del master.peers[hello.run_id]
        sentinel.act(Forget(peer))
    known = Peer(master, hello.run_id, hello.host, hello.port, now)
    master.peers[hello.run_id] = known
    sentinel.act(Persist())
    if peer is None:
        sentinel.event("notice", "+sentinel", known)
    return known


def _follow_configuration(sentinel: Sentinel, master: Master, peer: Peer, hello: Hello, now: int) -> None:
    """Another sentinel has a newer configuration."""
    master.config_epoch = hello.master_epoch
    sentinel.act(Persist())
    new, old = (hello.master_host, hello.master_port), master.current_address()
    if sentinel.same_address(new, master.address) and not master.failing_over:
        return  # a failover of our own is over, even if the old leader is the new one again
    sentinel.event("warning", "+config-update-from", peer)
    switched = f"{master.name} {old[0]} {old[1]} {new[0]} {new[1]}"
    sentinel.event("warning", "+switch-master", None, switched, about=master)
    sentinel.move(master, *new, now)
    failover.run_reconfig(sentinel, master, "observer", "start", old, new)


def heard_from_most(sentinel: Sentinel, master: Master, now: int) -> bool:
    """Whether a majority of the sentinels has said lately which configuration it has: then this one is not out of
    date."""
    lately = now - 2 * sentinel.timing.publish_period
    heard = 1 + sum(peer.last_hello_at > lately for peer in master.peers.values())
    return heard >= (len(master.peers) + 1) // 2 + 1
