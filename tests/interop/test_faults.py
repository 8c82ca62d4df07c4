"""Every fault of bench/failover.py, once, over our own nodes, with sentinels of ours and of Redis in one quorum.

What is acknowledged asynchronously may be lost, as with Redis; here it is held that there is a leader again, that all
have the same data in the end, and that nothing was done twice or although it was refused.
"""

from __future__ import annotations

import pytest

from bench.failover import told
from bench.ha.faults import FAULTS
from bench.ha.proxies import Proxies
from bench.ha.trial import run_trial
from tests.conftest import require_program

pytestmark = [pytest.mark.interop, pytest.mark.slow]
HOLD = 6.0
LOSSLESS = {
    "plain-mixed": ("manual",),
    "plain-watched-by-redis": (),
}
"""Where nothing is lost, whichever sentinel it is that is asked: the first one is ours."""


@pytest.fixture(autouse=True)
def _empty() -> None:
    """There is no server that tests share."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deployment", LOSSLESS)
def test_sentinels_of_two_makes_bring_our_nodes_through_every_fault(deployment: str, fault: str) -> None:
    require_program("redis-server")
    network = Proxies()
    try:
        verdict = run_trial(network, deployment, fault, HOLD, 100.0, keep=False)
    finally:
        network.close()
    said = (told(verdict), verdict.notes)
    assert verdict.leads_again and verdict.whole is not None and verdict.equal, said
    assert not verdict.doubled and not verdict.refused_kept, said
    if fault in LOSSLESS[deployment]:
        assert not verdict.lost, said
