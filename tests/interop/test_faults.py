"""Every fault of bench/failover.py, once: over our own nodes with sentinels of ours and of Redis in one quorum, and
over groups of ours.

What is acknowledged asynchronously may be lost, as with Redis; there it is held that there is a leader again, that all
have the same data in the end, and that nothing was done twice or although it was refused. A group loses nothing at all,
and nobody ever sees what is older than an acknowledgement.
"""

from __future__ import annotations

import pytest

from bench.failover import told
from bench.ha.faults import FAULTS
from bench.ha.proxies import Proxies
from bench.ha.trial import Verdict, run_trial
from tests.conftest import require_program

pytestmark = [pytest.mark.interop, pytest.mark.slow]
HOLD = 6.0
GROUPS = ("group", "group-aof", "group-sentinels", "group-watched-by-redis")
FORGETFUL = ("group", "group-sentinels", "group-watched-by-redis")
"""Groups that live in memory alone: where a majority dies, an operator has to say who is right."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """There is no server that tests share."""


def play(deployment: str, fault: str) -> tuple[Verdict, str]:
    """A trial, and what it says."""
    require_program("redis-server")
    network = Proxies()
    try:
        verdict = run_trial(network, deployment, fault, HOLD, 100.0, keep=False)
    finally:
        network.close()
    said = f"{told(verdict)} {verdict.notes}"
    assert verdict.equal, said
    assert not verdict.doubled and not verdict.refused_kept, said
    return verdict, said


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deployment", ["plain-mixed", "plain-watched-by-redis", "redis-watched-by-ours"])
def test_sentinels_of_two_makes_bring_nodes_through_every_fault(deployment: str, fault: str) -> None:
    verdict, said = play(deployment, fault)
    assert verdict.whole is not None and verdict.leads_again, said
    if fault == "manual" and deployment != "plain-watched-by-redis":  # it is one of ours that is asked
        assert not verdict.lost, said


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deployment", GROUPS)
def test_a_group_loses_nothing_and_shows_nothing_old_in_any_fault(deployment: str, fault: str) -> None:
    verdict, said = play(deployment, fault)
    assert not verdict.lost and not verdict.stale, said
    assert verdict.acknowledged and not verdict.two_leaders, said
    assert verdict.leads_again, said
    assert verdict.whole is not None or (fault == "kill-two" and deployment in FORGETFUL), said
