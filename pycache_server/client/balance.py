"""The four ways to spread load over nodes, as HAProxy has them: round robin, weighted, random, least connections.

A balancer is a class with one method, ``choose(nodes)``, which gets the nodes that can be had, one at least, and is
asked once for each request. It keeps what it must remember by the nodes' addresses, so nodes may come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Node:
    """A node that can be asked: where it is, the share of the load that it is to have, and how busy it is."""

    __slots__ = ("address", "in_flight", "weight")

    def __init__(self, address: tuple[str, int], weight: int = 1) -> None:
        self.address = address
        self.weight = weight
        self.in_flight = 0
        """How many requests it is working on."""

    def __repr__(self) -> str:
        return f"Node({self.address[0]}:{self.address[1]}, weight {self.weight}, {self.in_flight} in flight)"


class Balancer(Protocol):
    """Chooses among nodes."""

    def choose(self, nodes: Sequence[Node]) -> Node:
        """The node for the next request; ``nodes`` is not empty."""


class RoundRobin:
    """One after the other."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._turn = -1

    def choose(self, nodes: Sequence[Node]) -> Node:
        """See Balancer."""
        self._turn += 1
        return nodes[self._turn % len(nodes)]


class Weighted:
    """One after the other, each as often as its weight says, and spread out: of weights 2 and 1 comes ABA, not AAB.

    Everyone gains its weight at each turn, the richest one pays the sum of all: nginx's smooth weighted round robin.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._credit: dict[tuple[str, int], int] = {}

    def choose(self, nodes: Sequence[Node]) -> Node:
        """See Balancer."""
        credit = self._credit = {node.address: self._credit.get(node.address, 0) + node.weight for node in nodes}
        chosen = max(nodes, key=lambda node: credit[node.address])
        credit[chosen.address] -= sum(node.weight for node in nodes)
        return chosen


class Random:
    """By chance, in proportion to weights, of two draws the one that is less busy: Mitzenmacher, "The Power of Two
    Choices in Randomized Load Balancing" (2001); HAProxy's ``random(2)``."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance

    def choose(self, nodes: Sequence[Node]) -> Node:
        """See Balancer."""
        return min(self._draw(nodes), self._draw(nodes), key=_load)

    def _draw(self, nodes: Sequence[Node]) -> Node:
        place = self._chance() * sum(node.weight for node in nodes)
        for node in nodes:
            place -= node.weight
            if place < 0:
                return node
        return nodes[-1]


class LeastConnections:
    """The one that works on the fewest requests for its weight; among equals one after the other."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._turn = -1

    def choose(self, nodes: Sequence[Node]) -> Node:
        """See Balancer."""
        self._turn += 1
        start = self._turn % len(nodes)
        return min((*nodes[start:], *nodes[:start]), key=_load)


def _load(node: Node) -> float:
    return node.in_flight / node.weight


BALANCERS: dict[str, Callable[[Callable[[], float]], Balancer]] = {
    "roundrobin": RoundRobin,
    "weighted": Weighted,
    "random": Random,
    "leastconn": LeastConnections,
}
"""By name. Each is made with a source of chance: a function that returns a number from 0 up to 1."""
