"""The protocol of groups on simulated clusters: random seeds, and faults that are planted and must be found."""

from __future__ import annotations

import pytest

from tests.conftest import more_in_ci, some_slow
from tests.simulation.configurations import CONFIGURATIONS, LONG
from tests.simulation.faults import FAULTS
from tests.simulation.planted import NOTHING
from tests.simulation.run import find, repeat, run_seed, seed_of
from tests.simulation.tally import Tally, percentile
from tests.simulation.world import World

QUICK = 6
FEW = 2
"""Seeds of each configuration, and of those whose runs take long: 228 in all, and 88 more for how long it takes."""
SLOW = 270
"""12,672 in all."""
SOON = 60
"""Runs within which most planted faults are found, all but a few within ten."""
SEARCHED = 1000
"""Runs within which the others are."""
RARE = {
    *("allothers", "cfgtwo", "need", "pullrec", "remadd", "samevote", "stepup", "syncany", "twovotes", "wholeflag"),
}
"""Faults that need a chain of events that tens of runs do not have: searched for with --slow."""
BOUND = 2600.0
"""Milliseconds from the end of a leader to the first write that is acknowledged by another, in 99 of 100 runs."""


def check_seeds(name: str, numbers: range) -> None:
    for number in numbers:
        seed = seed_of(name, number)
        violation = run_seed(name, seed, Tally())
        assert violation is None, f"{violation}: {repeat(name, seed)}"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_nothing_is_lost_and_the_group_leads_again(name: str) -> None:
    seeds = FEW if name in LONG else QUICK
    check_seeds(name, range(more_in_ci(seeds // 6 or 1, seeds)))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_nothing_is_lost_in_thousands_of_runs(name: str) -> None:
    check_seeds(name, range(QUICK, SLOW))


ORDERED = sorted(FAULTS, key=lambda fault: (fault in RARE, fault))


@pytest.mark.parametrize("fault", some_slow(ORDERED, more_in_ci(6, len(ORDERED) - len(RARE))))
def test_a_rule_that_is_taken_away_is_missed(fault: str) -> None:
    names = FAULTS[fault].configs.split(",")
    runs = SEARCHED if fault in RARE else SOON
    assert find(fault, runs // len(names), names), f"nothing misses the rule: {FAULTS[fault].rule}"


def test_another_leads_soon_after_a_leader_is_gone() -> None:
    tally, runs = Tally(), more_in_ci(12, 44)
    for name in ("lead3", "lead5"):
        for number in range(runs):
            assert run_seed(name, seed_of(name, number), tally) is None
    most = percentile(tally.leads_of_new, 0.99)
    assert len(tally.leads_of_new) > 3 * runs // 2
    assert most is not None
    assert most < BOUND


def test_a_seed_is_one_run() -> None:
    first, second = (World(seed_of("disk5", 3), CONFIGURATIONS["disk5"], NOTHING) for _ in range(2))
    assert first.run() == second.run()
    assert first.checks.known.keys() == second.checks.known.keys()
    assert first.checks.acknowledged == second.checks.acknowledged > 0
