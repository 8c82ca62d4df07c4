"""When the preferred voter is offered the lead: in step for a while, and seldom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pycache_server.election.machine import Refusal
from pycache_server.repl.failback import Failback

DELAY, INTERVAL = 300.0, 1000.0


class Leading:
    """A leader that notes what it is asked for."""

    def __init__(self) -> None:
        self.stream_end = 0
        self.preferred = SimpleNamespace(acknowledged=0)
        self.followers = {"p": self.preferred}
        self.offers: list[float] = []
        self.refuses = False

    def hand_over(self, target: str, now: float) -> None:
        assert target == "p"
        if self.refuses:
            raise Refusal("not now")
        self.offers.append(now)

    def beat(self, failback: Failback, now: float, acknowledges: bool = True) -> None:
        if acknowledges:
            self.preferred.acknowledged = self.stream_end
        self.stream_end += 10
        leading: Any = self
        failback.look(leading, "x", now)

    def pass_time(self, failback: Failback, start: float, end: float) -> None:
        now = start
        while now < end:
            self.beat(failback, now)
            now += 100


@pytest.fixture
def failback() -> Failback:
    return Failback("p", DELAY, INTERVAL)


def test_it_comes_when_the_preferred_voter_has_been_in_step_for_the_delay(failback: Failback) -> None:
    leading = Leading()
    leading.pass_time(failback, 0, 1000)
    assert leading.offers == [DELAY]


def test_it_does_not_come_to_who_is_behind(failback: Failback) -> None:
    leading = Leading()
    for beat in range(30):
        leading.beat(failback, beat * 100.0, acknowledges=beat % 3 == 0)
    assert leading.offers == []


def test_what_a_leader_that_was_stopped_has_not_seen_does_not_count(failback: Failback) -> None:
    leading = Leading()
    leading.pass_time(failback, 1000, 1200)
    leading.pass_time(failback, 2000, 2300)
    assert leading.offers == []
    leading.pass_time(failback, 2300, 2700)
    assert leading.offers == [2400]


def test_it_does_not_come_to_who_does_not_follow_or_where_none_is_preferred(failback: Failback) -> None:
    leading = Leading()
    leading.followers.clear()
    leading.pass_time(failback, 0, 1000)
    nobody = Failback("", DELAY, INTERVAL)
    Leading().pass_time(nobody, 0, 1000)
    assert leading.offers == []


def test_an_offer_that_comes_to_nothing_makes_it_rarer(failback: Failback) -> None:
    leading = Leading()
    leading.pass_time(failback, 0, 8000)
    assert leading.offers == [300, 1300, 3300, 7300]


def test_what_is_refused_does_not_count(failback: Failback) -> None:
    leading = Leading()
    leading.refuses = True
    leading.pass_time(failback, 0, 1000)
    leading.refuses = False
    leading.pass_time(failback, 1000, 1500)
    assert len(leading.offers) == 1
    assert failback.attempts == 1


def test_a_follower_knows_since_when_the_preferred_voter_led(failback: Failback) -> None:
    failback.note_leader("p", 0.0)
    failback.note_leader(None, 500.0)
    failback.note_leader("x", 700.0)
    leading = Leading()
    leading.pass_time(failback, 600, 2000)
    assert leading.offers == [INTERVAL]


def test_who_loses_the_lead_again_and_again_gets_it_ever_more_seldom(failback: Failback) -> None:
    for now in (0.0, 1000.0, 3000.0):
        failback.note_leader("p", now)
        failback.note_leader("x", now + 500)
    assert not failback.may_offer(3000 + 4 * INTERVAL - 1)
    assert failback.may_offer(3000 + 4 * INTERVAL)


def test_who_has_kept_the_lead_begins_anew(failback: Failback) -> None:
    for now in (0.0, 1000.0):
        failback.note_leader("p", now)
        failback.note_leader("x", now + 500)
    failback.note_leader("p", 5000.0)
    failback.note_leader("p", 5000.0 + INTERVAL)
    assert failback.attempts == 0


def test_an_offer_that_comes_about_counts_once(failback: Failback) -> None:
    leading = Leading()
    leading.pass_time(failback, 0, 400)
    failback.note_leader("p", 400.0)
    assert failback.attempts == 1
    assert failback.may_offer(400.0 + INTERVAL)
