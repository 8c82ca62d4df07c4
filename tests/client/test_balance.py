"""The four ways to choose a node."""

from __future__ import annotations

from collections import Counter
from random import Random as Chance

import pytest

from pycache_server.client.balance import BALANCERS, Balancer, LeastConnections, Node, Random, RoundRobin, Weighted


def nodes_of(*weights: int) -> list[Node]:
    return [Node((chr(97 + number), 6379), weight) for number, weight in enumerate(weights)]


def names(balancer: Balancer, nodes: list[Node], times: int) -> str:
    return "".join(balancer.choose(nodes).address[0] for _ in range(times))


def test_round_robin_takes_one_after_the_other() -> None:
    assert names(RoundRobin(Chance(1).random), nodes_of(1, 5, 1), 7) == "abcabca"


def test_round_robin_goes_on_when_a_node_has_gone() -> None:
    balancer, nodes = RoundRobin(Chance(1).random), nodes_of(1, 1, 1)
    names(balancer, nodes, 2)
    assert Counter(names(balancer, nodes[:2], 10)) == {"a": 5, "b": 5}


def test_weights_are_kept_exactly_and_spread_out() -> None:
    assert names(Weighted(Chance(1).random), nodes_of(5, 1, 1), 7) == "aabacaa"


def test_a_node_that_has_gone_leaves_no_credit_behind() -> None:
    balancer, nodes = Weighted(Chance(1).random), nodes_of(3, 1)
    names(balancer, nodes, 3)
    assert names(balancer, nodes[1:], 3) == "bbb"
    assert Counter(names(balancer, nodes, 400)) == {"a": 300, "b": 100}


def test_chance_follows_weights_and_avoids_the_busy() -> None:
    balancer, nodes = Random(Chance(7).random), nodes_of(1, 3)
    nodes[0].in_flight = nodes[1].in_flight = 0
    found = Counter(names(balancer, nodes, 4000))
    assert found["b"] > 2 * found["a"] > 0
    nodes[1].in_flight = 100
    assert Counter(names(balancer, nodes, 4000))["a"] > found["a"]


def test_the_least_busy_for_its_weight_is_taken() -> None:
    balancer, nodes = LeastConnections(Chance(1).random), nodes_of(1, 4, 1)
    nodes[0].in_flight, nodes[1].in_flight, nodes[2].in_flight = 1, 3, 2
    assert names(balancer, nodes, 3) == "bbb"
    nodes[1].in_flight = 5
    assert names(balancer, nodes, 3) == "aaa"


@pytest.mark.parametrize("name", sorted(BALANCERS))
def test_every_balancer_takes_the_only_node(name: str) -> None:
    assert names(BALANCERS[name](Chance(3).random), nodes_of(2), 3) == "aaa"
