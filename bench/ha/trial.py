"""One trial: a deployment, clients, a fault, and what has become of it all."""

from __future__ import annotations

import time
from bisect import bisect_right
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from bench.ha.deployments import DEPLOYMENTS, Deployment
from bench.ha.faults import FAULTS
from bench.ha.network import Home, Network
from bench.ha.processes import Never, Node, until
from bench.ha.roles import Roles
from bench.ha.scene import Scene
from bench.ha.traffic import Ack, Short, Traffic, Writer, traffic
from bench.ha.wire import Wire

WARM = 1.5
"""Seconds of traffic before a fault."""
SETTLE = 30.0
"""Seconds that a deployment may take to be whole after a fault has ended."""
AFTER = 1.0
"""Seconds of traffic after that."""


@dataclass
class Verdict:
    """What has become of a trial. Times in seconds, None where something has not happened."""

    acknowledged: int = 0
    lost: int = 0
    """Acknowledged writes that the leader does not have in the end."""
    lost_following: int = 0
    """Those of clients that follow who is said to lead."""
    doubled: int = 0
    """Numbers that stand in a list twice."""
    refused_kept: int = 0
    """Writes that were refused by a definite no, and are there."""
    lead: float | None = None
    """From the fault to the first acknowledgement by another leader."""
    gap: float = 0.0
    """The longest time around and after the fault without an acknowledgement to a client on the far side."""
    two_leaders: float = 0.0
    """For how long more than one node has said that it leads."""
    reads: int = 0
    stale: int = 0
    """Reads from who says that it leads which do not show what was acknowledged before them, and is not lost."""
    whole: float | None = None
    """From the end of the fault until one leads and all others follow it."""
    equal: bool = False
    """Whether all nodes have the same data in the end."""
    leads_again: bool = False
    """Whether writes are acknowledged in the end."""
    leaders: list[tuple[float, str]] = field(default_factory=list)
    """Who began to say that it leads, and when after the fault."""
    notes: list[str] = field(default_factory=list)
    logs: str = ""

    def row(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def run_trial(
    network: Network, deployment_name: str, fault_name: str, hold: float, rate: float, keep: bool, seed: int = 0
) -> Verdict:
    """One trial. Raises Never where the deployment does not even start."""
    deployment = _started(network, deployment_name, fault_name == "failback")
    verdict = Verdict()
    try:
        _play(deployment, fault_name, hold, rate, seed, verdict)
    finally:
        network.heal()
        deployment.stop(keep)
        if keep:
            verdict.logs = str(deployment.directory)
    return verdict


def _started(network: Network, name: str, preferred: bool) -> Deployment:
    """A deployment that is whole. A port that was free may be taken before it is used, so it is tried again."""
    for left in (2, 1, 0):
        deployment = Deployment(name, network, DEPLOYMENTS[name], preferred)
        try:
            deployment.start()
        except Never:
            if not left:
                raise
        else:
            return deployment
    raise AssertionError("the last try has returned or raised")


def _play(deployment: Deployment, fault_name: str, hold: float, rate: float, seed: int, verdict: Verdict) -> None:
    near, far = deployment.network.place("near"), deployment.network.place("far")
    until(deployment.leader, 20, "a leader")  # on a busy machine it may just be changing
    leader = deployment.leader()
    assert leader is not None
    followers = [each for each in deployment.nodes if each is not leader]
    scene = Scene(deployment, near, far, hold, leader, followers, seed)
    clients, roles = traffic(deployment, near, far, rate), Roles(deployment)
    roles.start()
    clients.start()
    try:
        time.sleep(WARM)
        FAULTS[fault_name][1](scene)
        ended = time.monotonic()
        with suppress(Never):
            verdict.whole = until(deployment.is_whole, SETTLE, "a whole deployment")
        if deployment.kind.group and verdict.whole is None:
            _take_word(deployment, verdict)
        whole_at = time.monotonic()
        time.sleep(AFTER)
        with suppress(Never):
            until(lambda: clients.last_ack("far") > whole_at, SETTLE, "an acknowledgement")
    finally:
        clients.stop()
        roles.stop()
    if verdict.whole is not None:
        verdict.whole = max(0.0, whole_at - ended)
    verdict.notes += scene.notes
    _judge_times(scene, clients, roles, whole_at, verdict)
    _judge_data(deployment, clients, verdict)


def _take_word(deployment: Deployment, verdict: Verdict) -> None:
    """Let an operator end what does not end by itself, so that it can be seen what is lost."""
    with suppress(OSError, KeyError, ValueError):
        verdict.notes.append(deployment.force())
    with suppress(Never):
        until(deployment.is_whole, SETTLE, "a whole deployment after the operator's word")


def _judge_times(scene: Scene, clients: Traffic, roles: Roles, whole_at: float, verdict: Verdict) -> None:
    begun = scene.begun

    def elsewhere(writer: Writer, ack: Ack) -> bool:
        return ack.by != scene.leader.address and ack.sent >= begun

    first = clients.first_ack(elsewhere)
    verdict.lead = first - begun if first is not None else None
    far = sorted(ack.at for each in clients.of("far") for ack in each.acks)
    after = [begun, *(at for at in far if at > begun)]
    verdict.gap = max((later - one for one, later in pairwise(after)), default=0.0)
    verdict.leads_again = clients.last_ack("far") > whole_at
    verdict.two_leaders = roles.shared()
    verdict.leaders = [(round(at - begun, 2), name) for at, name in roles.changes()]
    verdict.reads = sum(each.reads for each in clients.readers)


def _judge_data(deployment: Deployment, clients: Traffic, verdict: Verdict) -> None:
    verdict.acknowledged = sum(len(each.acks) for each in clients.writers)
    with suppress(Never):
        until(lambda: _all_equal(deployment.nodes), 5, "equal data")
        verdict.equal = True
    leader = deployment.leader()
    if leader is None:
        verdict.notes.append("no leader in the end")
        verdict.lost = verdict.acknowledged
        verdict.lost_following = sum(len(each.acks) for each in clients.writers if each.stuck is None)
        return
    kept = {writer: _judge_writer(leader, writer, verdict) for writer in clients.writers}
    for reader in clients.readers:
        stale = [each for each in reader.short if _is_stale(each, kept[each.writer])]
        verdict.stale += len(stale)
        for each in stale[:2]:
            by = "{}:{}".format(*each.by)
            verdict.notes.append(f"{by} showed {each.seen} of {each.writer.name}, {each.floor} was acknowledged")


def _is_stale(short: Short, kept: list[int]) -> bool:
    """Whether a read has not shown something that was acknowledged before, and is there in the end."""
    place = bisect_right(kept, short.floor)
    return place > 0 and kept[place - 1] > short.seen


def _judge_writer(leader: Node, writer: Writer, verdict: Verdict) -> list[int]:
    """Count what is lost of a writer. Its acknowledged numbers that are there, in order."""
    with Wire(Home(), leader.home, 10) as wire:
        found = [int(each) for each in wire.call("LRANGE", writer.list, 0, -1)]
    there = set(found)
    missing = [ack for ack in writer.acks if ack.number not in there]
    verdict.lost += len(missing)
    verdict.lost_following += len(missing) if writer.stuck is None else 0
    verdict.doubled += len(found) - len(there)
    verdict.refused_kept += len(there & writer.refusals)
    if missing:
        by = sorted({"{}:{}".format(*ack.by) for ack in missing})
        verdict.notes.append(f"{writer.name} lost {len(missing)}, acknowledged by {', '.join(by)}")
    return sorted(ack.number for ack in writer.acks if ack.number in there)


def _all_equal(nodes: list[Node]) -> bool:
    digests = {each.digest() for each in nodes}
    return len(digests) == 1 and not any("ERR" in each or "DENIED" in each for each in digests)
