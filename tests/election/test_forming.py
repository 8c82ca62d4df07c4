"""Voters that are in no group, and what becomes of them: founders, voters whose file is lost, or neither."""

from __future__ import annotations

import itertools

import pytest

from pycache_server.election.forming import Forming
from pycache_server.election.messages import Iam, Who
from pycache_server.election.state import Durable
from pycache_server.election.timing import Timing

SEATS = ("a", "b", "c")


class Rooms:
    """Some voters, all of them new; ``holders`` have found data."""

    def __init__(self, seats: tuple[str, ...] = SEATS, holders: str = "") -> None:
        self.seats = seats
        self.formings: dict[str, Forming] = {}
        self.states: dict[str, Durable] = {}
        self.births = itertools.count(1)
        for seat in seats:
            self.begin(seat, seat in holders)

    def begin(self, seat: str, holds_data: bool, birth: str = "") -> Forming:
        """A start of a voter, with another birth id unless one is given."""
        state = Durable(seat, birth or f"birth {next(self.births)}")
        self.states[seat] = state
        self.formings[seat] = forming = Forming(state, self.seats, Timing(), 0.0, holds_data)
        return forming

    def ask(self, asker: str, other: str) -> None:
        """One question and its answer."""
        forming = self.formings[asker]
        if self.states[asker].epoch is not None:
            return
        who = forming.question(0.0)
        found = forming.answered(other, self.answer(asker, other, who))
        if found is not None:
            self.states[asker] = found
        forming._check()

    def answer(self, asker: str, other: str, who: Who) -> Iam:
        state = self.states[other]
        if state.epoch is None:
            return self.formings[other].asked_by(asker, who)
        return Iam(who.birth, who.round, state.birth, state.epoch, state.founders, ())

    def talk(self, rounds: int = 4) -> None:
        """All ask all, a few times."""
        for _ in range(rounds):
            for asker, other in itertools.permutations(self.seats, 2):
                self.ask(asker, other)

    def formed(self) -> list[str]:
        return [seat for seat, state in self.states.items() if state.epoch is not None]


def test_voters_that_hold_nothing_are_founders_of_a_group() -> None:
    rooms = Rooms()
    rooms.talk()
    assert rooms.formed() == list(SEATS)
    assert len({state.founders for state in rooms.states.values()}) == 1


@pytest.mark.parametrize("holders", ["a", "b", "c", "ab", "abc"])
def test_no_group_forms_without_the_data_that_somebody_has_found(holders: str) -> None:
    rooms = Rooms(holders=holders)
    rooms.talk(20)
    assert rooms.formed() == []
    for seat, forming in rooms.formings.items():
        assert forming.withholding == set(holders) - {seat}
        assert forming.may_found() == (seat not in holders)


def test_a_group_of_one_does_not_form_beside_its_data_either() -> None:
    assert Rooms(("a",)).formings["a"].alone() is not None
    forming = Rooms(("a",), holders="a").formings["a"]
    assert forming.alone() is None
    assert forming.why_not_begin() == ""


def test_when_the_data_are_taken_away_the_group_forms() -> None:
    rooms = Rooms(holders="b")
    rooms.talk()
    rooms.begin("b", holds_data=False, birth=rooms.states["b"].birth)
    rooms.talk()
    assert rooms.formed() == list(SEATS)


def test_data_that_were_put_there_after_the_first_start_are_waited_for_too() -> None:
    rooms = Rooms()
    rooms.ask("a", "b")
    rooms.ask("b", "a")
    rooms.ask("a", "c")
    rooms.ask("c", "a")
    rooms.ask("a", "b")  # which has confirmed all that a knows
    rooms.begin("b", holds_data=True, birth=rooms.states["b"].birth)
    rooms.ask("a", "b")
    rooms.talk()
    assert rooms.formed() == []


def test_who_holds_data_belongs_to_a_group_that_there_is_when_all_others_have_answered() -> None:
    rooms = Rooms(holders="a")
    rooms.states["b"] = Durable("b", "another", 7, None, True)
    rooms.ask("a", "b")
    assert rooms.states["a"].epoch is None
    assert rooms.formings["a"].why_not_begin().startswith("b is in a group already")
    rooms.ask("a", "c")
    assert (rooms.states["a"].epoch, rooms.states["a"].whole) == (7, False)


def test_an_operator_s_word_needs_the_answers_of_all_others() -> None:
    rooms = Rooms(holders="a")
    forming = rooms.formings["a"]
    assert forming.why_not_begin() == "b, c has not said yet whether there is a group: start all voters"
    rooms.ask("a", "b")
    assert forming.why_not_begin() == "c has not said yet whether there is a group: start all voters"
    rooms.ask("a", "c")
    assert forming.why_not_begin() == ""


def test_after_the_word_the_others_are_like_voters_whose_file_is_lost() -> None:
    """Not founders: two that hold nothing would be a majority that knows nothing of the data."""
    rooms = Rooms(holders="a")
    rooms.talk()
    rooms.states["a"] = Durable("a", rooms.states["a"].birth, 8, "a", True)
    rooms.talk()
    assert [(state.epoch, state.whole) for state in rooms.states.values()] == [(8, True), (8, False), (8, False)]
