"""Which sentinel fails a master over: whoever gets the votes of a majority of all that are known, and of as many as the
quorum says, in one epoch. Raft's election of a leader, without its log: each votes once in an epoch, for whoever asks
first, and the vote is on the disk before it is told."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pycache_server.sentinel.actions import Persist
from pycache_server.sentinel.instance import Master
from pycache_server.sentinel.timing import MAX_DESYNC

if TYPE_CHECKING:
    from pycache_server.sentinel.machine import Sentinel


def vote(sentinel: Sentinel, master: Master, epoch: int, candidate: str, now: int) -> tuple[str, int]:
    """Vote for a candidate in an epoch, if no vote has been given in it; whom the vote is for, and its epoch."""
    if epoch > sentinel.epoch:
        sentinel.epoch = epoch
        sentinel.act(Persist())
        sentinel.event("warning", "+new-epoch", None, str(epoch))
    if master.leader_epoch < epoch and sentinel.epoch <= epoch:
        master.leader = candidate
        master.leader_epoch = sentinel.epoch
        sentinel.act(Persist())
        sentinel.event("warning", "+vote-for-leader", None, f"{candidate} {master.leader_epoch}")
        if candidate != sentinel.my_id:  # let it try before this one does
            master.failover_started_at = now + sentinel.chance(MAX_DESYNC)
    return master.leader, master.leader_epoch


def winner(sentinel: Sentinel, master: Master, epoch: int, now: int) -> str:
    """Who has won the election of an epoch; nobody where it is not decided."""
    votes = Counter(
        peer.leader
        for peer in master.peers.values()
        if peer.leader and peer.leader != "*" and peer.leader_epoch == sentinel.epoch
    )
    first = votes.most_common(1)[0][0] if votes else sentinel.my_id
    mine, mine_epoch = vote(sentinel, master, epoch, first, now)
    if mine and mine_epoch == epoch:
        votes[mine] += 1
    if not votes:
        return ""
    leader, count = votes.most_common(1)[0]
    majority = (len(master.peers) + 1) // 2 + 1
    return leader if count >= max(majority, master.quorum) else ""
