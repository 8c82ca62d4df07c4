"""What a seat does about the key: a candidacy by itself, with a group and an engine that do what the test says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from pycache_server.coordinator.candidacy import (
    ACQUIRE_EVERY,
    LONGEST_REST,
    LOSS_PATIENCE,
    MARGIN,
    NOMINATE_EVERY,
    PATIENCE,
    REST,
    Acquire,
    Action,
    Candidacy,
    Release,
    Renew,
    Say,
)
from pycache_server.coordinator.engine import Claim, Engine, Lost, Seen, Taken, Unreachable, breaks
from tests.coordinator.group import SEATS, FakeGroup

A, B, C = SEATS
TTL = 2000.0
NOBODY = Seen(None)


class Plan:
    """What of an engine a candidacy looks at."""

    ttl, every = TTL, TTL / 4

    def __init__(self, nominates: bool) -> None:
        self.kind, self.nominates = "etcd" if nominates else "consul", nominates


@dataclass
class Table:
    """A candidacy whose engine answers as the test says, unless it is away."""

    nominates: bool = True
    fallback: float = 10_000.0
    group: FakeGroup = field(default_factory=FakeGroup)
    now: float = 1000.0
    said: list[str] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)
    away: bool = False
    key: Seen = NOBODY

    def __post_init__(self) -> None:
        engine: Engine = Plan(self.nominates)  # type: ignore[assignment]
        self.candidacy = Candidacy(self.group, engine, self.fallback, random.Random(1), self.now)

    def pass_time(self, duration: float) -> list[Action]:
        """Time goes by, with ticks; what was asked of the engine."""
        self.done = []
        end = self.now + duration
        while self.now < end:
            self.now += 100
            self.tick()
        return self.done

    def tick(self) -> list[Action]:
        self.candidacy.tick(self.now)
        self.settle()
        self.candidacy._check()
        return self.done

    def settle(self) -> None:
        while actions := self.candidacy.take_actions():
            for action in actions:
                if isinstance(action, Say):
                    self.said.append(action.text)
                else:
                    self.done.append(action)
                    self.answer(action)

    def answer(self, action: Action) -> None:
        candidacy = self.candidacy
        if self.away:
            candidacy.failed(action, Unreachable("gone"), self.now)
        elif isinstance(action, Renew):
            candidacy.renewed(self.now, TTL, self.now)
        elif isinstance(action, Acquire):
            if self.key.holder is None:
                self.key = Seen(self.group.seat, self.key.token + 1, action.claim.epoch, True)
            candidacy.acquired(self.key, self.now)
        else:
            if self.key.is_own:
                self.key = Seen(None, self.key.token)
            candidacy.released()

    def holds(self) -> bool:
        return self.candidacy.holds(self.now)

    def kinds(self) -> set[type]:
        return {type(action) for action in self.done}


def holder(**options: object) -> Table:
    """One that has got the key, of a group without a leader."""
    table = Table(**options)  # type: ignore[arg-type]
    table.pass_time(300)
    assert table.holds()
    return table


# Who asks for the key.


def test_it_registers_before_anything_else() -> None:
    table = Table()
    assert table.tick() == [Renew(Claim(A, 1, False))]


def test_a_voter_that_hears_no_leader_asks_for_the_key_and_nominates_itself() -> None:
    table = holder()
    assert Acquire(Claim(A, 1, False)) in table.done
    assert table.group.nominations == 1
    assert table.candidacy.token == 1


def test_a_voter_that_hears_a_leader_does_not_ask() -> None:
    table = Table()
    table.group.change(B)
    table.pass_time(5000)
    assert table.kinds() == {Renew} and table.group.nominations == 0


def test_a_voter_that_cannot_be_elected_does_not_ask() -> None:
    table = Table()
    table.group.may_stand = False
    table.pass_time(5000)
    assert table.kinds() == {Renew}


def test_a_leader_asks_for_the_key_until_it_has_it() -> None:
    table = Table(key=Seen(B, 4, 1))
    table.group.change(A, 2)
    table.pass_time(3000)
    assert sum(isinstance(action, Acquire) for action in table.done) == 3000 // ACQUIRE_EVERY
    table.key = Seen(None, 4)
    table.pass_time(ACQUIRE_EVERY)
    assert table.holds() and table.candidacy.token == 5
    assert table.group.nominations == 0


def test_a_key_that_becomes_free_is_asked_for_at_once() -> None:
    table = Table(key=Seen(B, 4, 1))
    table.pass_time(300)
    table.done, table.key = [], Seen(None, 4)
    table.candidacy.changed(table.key, table.now)
    table.tick()
    assert table.holds()


def test_an_engine_that_does_not_nominate_is_asked_by_leaders_alone() -> None:
    table = Table(nominates=False)
    table.pass_time(3000)
    assert table.kinds() == {Renew}
    table.group.change(A, 2)
    table.pass_time(200)
    assert table.holds()
    table.group.change(None)
    table.tick()
    assert not table.holds() and Release() in table.done


# What a holder does.


def test_a_lease_is_renewed_four_times_while_it_lasts() -> None:
    table = holder()
    table.group.change(A, 2)
    done = table.pass_time(TTL * 2)
    assert 8 <= sum(isinstance(action, Renew) for action in done) <= 10
    assert table.holds()


def test_what_has_changed_is_told_at_once() -> None:
    table = holder()
    table.done = []
    table.group.change(A, 2)
    table.tick()
    assert table.done == [Renew(Claim(A, 2, True))]


def test_a_holder_that_is_not_elected_lets_others_try() -> None:
    table = holder()
    table.pass_time(PATIENCE + 200)
    assert table.group.nominations == PATIENCE // NOMINATE_EVERY + 1
    assert not table.holds() and table.key.holder is None
    assert "was not elected" in table.said[-1]
    table.pass_time(REST - 300)
    assert Acquire not in table.kinds()
    while not table.holds():
        table.pass_time(100)
        assert table.key.token < 3


def test_who_is_not_elected_again_and_again_rests_longer_until_a_leader_is_heard() -> None:
    table = holder()
    rests = []
    for _ in range(6):
        table.pass_time(PATIENCE + 200)
        began = table.now
        while not table.holds():
            table.pass_time(100)
        rests.append(table.now - began)
    assert REST - 300 < rests[0] < 2 * REST < rests[2]
    assert LONGEST_REST - 300 < rests[5] < 2 * LONGEST_REST + 300
    table.group.change(B)
    table.pass_time(100)
    table.group.change(None)
    table.pass_time(300)
    table.pass_time(PATIENCE + 200)
    began = table.now
    while not table.holds():
        table.pass_time(100)
    assert table.now - began < 2 * REST


def test_a_leader_that_has_lost_the_lease_of_the_group_lets_others_try_soon() -> None:
    table = holder()
    table.group.change(A, 2)
    table.pass_time(2000)
    table.group.change(None)
    table.pass_time(LOSS_PATIENCE - 200)
    assert table.holds()
    table.pass_time(400)
    assert not table.holds() and table.group.nominations == 1


def test_a_holder_that_hears_another_leader_gives_the_key_back() -> None:
    table = holder()
    table.group.change(B, 2)
    table.tick()
    assert Release() in table.done and table.key.holder is None
    assert f"{B} leads the group" in "".join(table.said)


def test_a_holder_that_has_lost_its_memory_gives_the_key_back() -> None:
    table = holder()
    table.group.may_stand = False
    table.tick()
    assert not table.holds() and table.key.holder is None


def test_a_refused_nomination_is_told_and_tried_again() -> None:
    table = Table()
    table.group.refuses = True
    table.pass_time(300)
    assert "cannot stand: not now" in table.said[-1]
    table.group.refuses = False
    table.pass_time(NOMINATE_EVERY)
    assert table.group.nominations == 1


# What a lost lease means.


def test_a_holder_that_was_stopped_does_not_believe_that_it_holds() -> None:
    table = holder()
    table.group.change(A, 2)
    table.tick()
    table.now += TTL * MARGIN + 1
    assert not table.holds()
    assert not table.candidacy.may_stand_by_itself(table.now)


def test_an_answer_that_came_late_renews_from_when_it_was_asked_for() -> None:
    table = holder()
    sent = table.now
    table.candidacy.renewed(sent, TTL, sent + 5000)
    assert table.candidacy.holds(sent + TTL * MARGIN - 1)
    assert not table.candidacy.holds(sent + TTL * MARGIN)


def test_a_leader_whose_lease_is_over_asks_again_under_a_new_one() -> None:
    table = holder()
    table.group.change(A, 2)
    table.tick()
    table.candidacy.failed(Renew(table.candidacy.claim()), Lost("expired"), table.now)
    assert not table.holds()
    table.key = Seen(None, table.key.token)
    table.pass_time(600)
    assert table.holds() and table.candidacy.token == 2


def test_a_key_that_somebody_has_deleted_is_not_held_any_more_and_asked_for_again() -> None:
    table = holder()
    table.group.change(A, 2)
    table.tick()
    table.candidacy.failed(Renew(table.candidacy.claim()), Taken("nobody has it now"), table.now)
    assert not table.holds() and table.candidacy.is_leased(table.now)
    assert table.candidacy.last_error == ""
    table.key = Seen(None, table.key.token)
    table.pass_time(300)
    assert table.holds() and table.candidacy.token == 2


def test_a_leader_goes_on_without_the_engine() -> None:
    table = holder()
    table.group.change(A, 2)
    table.tick()
    table.away = True
    table.pass_time(20_000)
    assert not table.holds() and table.group.leads
    assert table.candidacy.state(table.now) == "fallback"
    table.key = Seen(None, 1)
    table.away = False
    table.pass_time(1000)
    assert table.holds()


@pytest.mark.parametrize("asked", [Acquire, Release])
def test_a_key_of_which_nobody_knows_whose_it_is_is_given_up_where_it_is_not_wanted(asked: type) -> None:
    table = holder() if asked is Release else Table()
    if asked is Acquire:
        table.tick()
    table.away = True
    if asked is Release:
        table.group.change(B, 2)
    else:
        table.key = Seen(A, 1, 1, True)  # it was done, and the answer was lost
    table.now += 100
    table.tick()
    assert asked in table.kinds()
    table.away = False
    table.group.change(B, 2)
    table.pass_time(ACQUIRE_EVERY * 2)
    assert table.key.holder is None


# Without the engine.


def test_a_voter_stands_by_itself_only_with_the_key() -> None:
    table = Table(key=Seen(B, 4, 1))
    table.pass_time(1000)
    assert not table.candidacy.may_stand_by_itself(table.now)
    table.key = Seen(None)
    table.pass_time(1000)
    assert table.candidacy.may_stand_by_itself(table.now)


def test_after_some_time_without_the_engine_the_group_elects_without_it() -> None:
    table = Table(away=True)
    table.pass_time(9_900)
    assert not table.candidacy.may_stand_by_itself(table.now)
    table.pass_time(200)
    assert table.candidacy.may_stand_by_itself(table.now)
    assert "elects without it" in "".join(table.said)
    table.away, table.key = False, Seen(B, 4, 1)
    table.pass_time(500)
    assert not table.candidacy.may_stand_by_itself(table.now)


def test_it_may_be_asked_never_to_elect_without_the_engine() -> None:
    table = Table(away=True, fallback=0)
    table.pass_time(1_000_000)
    assert not table.candidacy.may_stand_by_itself(table.now)
    assert table.candidacy.state(table.now) == "unreachable"


def test_an_engine_that_does_not_nominate_hinders_nobody() -> None:
    table = Table(nominates=False, away=True)
    assert table.candidacy.may_stand_by_itself(table.now)


# What is told.


def test_a_failure_is_told_once_and_kept_for_info_until_it_is_over() -> None:
    table = Table(away=True)
    table.pass_time(3000)
    assert [text for text in table.said if "gone" in text] == ["Coordinator etcd: gone"]
    assert table.candidacy.last_error == "gone"
    table.away = False
    table.pass_time(1000)
    assert table.candidacy.last_error == ""


def test_states_have_names() -> None:
    table = Table(key=Seen(B, 4, 1))
    assert table.candidacy.state(table.now) == "unreachable"
    table.pass_time(500)
    assert table.candidacy.state(table.now) == "waiting"
    table.key = Seen(None)
    table.pass_time(1000)
    assert table.candidacy.state(table.now) == "holding"


# Whose key may be taken.


@pytest.mark.parametrize(
    ("seen", "claim", "may"),
    [
        (Seen(None), Claim(A, 5, True), False),
        (Seen(A, 1, 5, True), Claim(A, 6, True), False),
        (Seen(A, 1, 5), Claim(A, 5, False), True),
        (Seen(B, 1, 5), Claim(A, 6, True), True),
        (Seen(B, 1, 5), Claim(A, 6, False), False),
        (Seen(B, 1, 5), Claim(A, 5, True), False),
    ],
    ids=["free", "own", "former life", "deposed", "does not lead", "same epoch"],
)
def test_the_key_of_a_former_life_or_of_an_earlier_epoch_may_be_taken(seen: Seen, claim: Claim, may: bool) -> None:
    assert breaks(seen, claim) is may
