"""Who has said yes, and to whom a voter owes that it says no to others for a moment."""

from __future__ import annotations

from pycache_server.election.position import Position
from pycache_server.election.rounds import Courtesy

HERE = Position(3, 100)
AHEAD = Position(3, 110)
LASTS = 100.0


def courtesy_to(seat: str, is_firm: bool = True) -> Courtesy:
    courtesy = Courtesy(LASTS)
    courtesy.give(seat, HERE, 0.0, is_firm)
    return courtesy


def test_others_are_told_no_until_it_is_over() -> None:
    courtesy = courtesy_to("b")
    assert courtesy.forbids("c", HERE, LASTS - 1)
    assert not courtesy.forbids("c", HERE, LASTS)
    assert not courtesy.forbids("b", HERE, 1.0)


def test_who_is_further_gets_its_answer_all_the_same() -> None:
    assert not courtesy_to("b").forbids("c", AHEAD, 1.0)
    assert not courtesy_to("b", is_firm=False).forbids("a", AHEAD, 1.0)


def test_of_two_that_ask_at_the_same_time_the_lower_seat_gives_way() -> None:
    courtesy = courtesy_to("b", is_firm=False)
    assert courtesy.forbids("a", HERE, 1.0)
    assert not courtesy.forbids("c", HERE, 1.0)


def test_a_voter_does_not_ask_while_it_owes_another_its_vote() -> None:
    courtesy = courtesy_to("b")
    assert courtesy.is_owed("a", LASTS - 1)
    assert not courtesy.is_owed("a", LASTS)
    assert not courtesy.is_owed("b", 1.0)


def test_who_asks_again_and_again_has_it_once_in_an_epoch() -> None:
    courtesy = courtesy_to("b")
    courtesy.give("b", HERE, 200.0, True)
    assert not courtesy.forbids("c", HERE, 201.0)
    courtesy.begin_anew()
    courtesy.give("b", HERE, 300.0, True)
    assert courtesy.forbids("c", HERE, 301.0)
