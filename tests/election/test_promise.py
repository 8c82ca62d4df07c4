"""What a voter owes its leader, and how long a leader may answer for it."""

from __future__ import annotations

import pytest

from pycache_server.election.lease import Lease
from pycache_server.election.promise import Promise
from pycache_server.election.timing import Timing

TIMING = Timing()
LONG_AGO = -10000.0


def promise_to(leader: str, epoch: int, now: float) -> Promise:
    promise = Promise(TIMING, LONG_AGO)
    promise.renew(leader, epoch, now)
    return promise


def test_a_promise_binds_against_others_and_the_voter_itself_until_it_is_over() -> None:
    promise = promise_to("a", 3, 0.0)
    for candidate in ("b", "me"):
        assert promise.forbids(candidate, 4, 0, True, TIMING.promise - 1)
        assert not promise.forbids(candidate, 4, 0, True, TIMING.promise)


def test_it_does_not_bind_against_the_same_leader() -> None:
    assert not promise_to("a", 3, 0.0).forbids("a", 4, 0, True, 1.0)


@pytest.mark.parametrize(("epoch", "transfer", "free"), [(4, 3, True), (5, 3, False), (4, 2, False), (4, 0, False)])
def test_it_does_not_bind_against_the_handover_of_that_very_epoch(epoch: int, transfer: int, free: bool) -> None:
    assert promise_to("a", 3, 0.0).forbids("b", epoch, transfer, True, 1.0) is not free


def test_who_has_just_started_keeps_still_for_everybody_unless_it_has_no_history() -> None:
    promise = Promise(TIMING, 0.0)
    assert promise.forbids("a", 1, 0, True, TIMING.promise - 1)
    assert not promise.forbids("a", 1, 0, False, 1.0)
    assert not promise.forbids("a", 1, 0, True, TIMING.promise)


def test_a_promise_outlasts_the_lease_by_the_drift_of_both_clocks() -> None:
    slow, fast = 1 - TIMING.drift, 1 + TIMING.drift
    assert TIMING.promise / fast >= TIMING.lease / slow
    TIMING._check()


def test_a_lease_runs_from_when_the_heartbeat_was_sent() -> None:
    lease = Lease(TIMING)
    lease.sent(10, 0.0)
    lease.acknowledged(10, 900.0)
    assert lease.holds(999.0)
    assert not lease.holds(1000.0)


def test_a_heartbeat_that_is_not_acknowledged_renews_nothing() -> None:
    lease = Lease(TIMING)
    lease.sent(10, 0.0)
    lease.acknowledged(9, 1.0)
    assert not lease.holds(1.0)
