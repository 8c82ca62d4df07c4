"""Who says that it leads, over time: every node is asked again and again from where nothing is cut."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise

from bench.ha.deployments import Deployment
from bench.ha.network import Home
from bench.ha.processes import Node
from bench.ha.wire import Wire, fields_of

EVERY = 0.05
"""Seconds between two questions."""
LASTS = 0.4
"""Seconds between two answers of a node that say the same, up to which it has done so in between."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A node has said whether it leads."""

    at: float
    node: str
    leads: bool


class Roles:
    """Asks all nodes, each in a thread of its own."""

    def __init__(self, deployment: Deployment) -> None:
        self.claims: list[Claim] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(node,), daemon=True) for node in deployment.nodes]

    def start(self) -> None:
        """Begin to ask."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ends.set()
        for each in self._threads:
            each.join(5)

    def _ask(self, node: Node) -> None:
        wire: Wire | None = None
        while not self._ends.wait(EVERY):
            try:
                wire = wire or Wire(Home(), node.home, LASTS)
                role = fields_of(wire.call("INFO", "replication"))["role"]
                self.claims.append(Claim(time.monotonic(), node.place.name, role == "master"))
            except (OSError, KeyError, AttributeError):
                self.claims.append(Claim(time.monotonic(), node.place.name, False))
                if wire is not None:
                    wire.close()
                wire = None
        if wire is not None:
            wire.close()

    def shared(self) -> float:
        """For how many seconds, at least, more than one node has said so: what counts is the time between two answers
        of a node, one after the other, that both say it."""
        edges: list[tuple[float, int]] = []
        last: dict[str, Claim] = {}
        for claim in sorted(self.claims, key=lambda each: each.at):
            before = last.get(claim.node)
            if before is not None and before.leads and claim.leads and claim.at - before.at < LASTS:
                edges += [(before.at, 1), (claim.at, -1)]
            last[claim.node] = claim
        total, leading = 0.0, 0
        edges.sort()
        for (at, change), (following, _) in pairwise(edges):
            leading += change
            total += following - at if leading > 1 else 0.0
        return total

    def changes(self) -> list[tuple[float, str]]:
        """When somebody else began to say so, and who."""
        found: list[tuple[float, str]] = []
        leads: dict[str, bool] = {}
        for claim in sorted(self.claims, key=lambda each: each.at):
            if claim.leads and not leads.get(claim.node):
                found.append((claim.at, claim.node))
            leads[claim.node] = claim.leads
        return found
