"""What a voter does for sentinels that take another node for the leader: by hand, with a clock that is moved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pycache_server.election.machine import Refusal
from pycache_server.election.messages import Claim
from pycache_server.server.group.watched import FRESH, GRACE, LONGEST_ID, MOST_SENTINELS, REACHING, WANTED, Watched

OLD, LEADER, OWN = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"


class Voter:
    """A voter that follows, as far as Watched sees it."""

    def __init__(self) -> None:
        self.core: Any = SimpleNamespace(
            pubsub=SimpleNamespace(overheard={}),
            sessions={},
            gates=SimpleNamespace(set=lambda name, gate: setattr(self, "gate", gate)),
        )
        self.app: Any = SimpleNamespace(log=SimpleNamespace(write=lambda level, text: self.log.append(text)))
        self.links: Any = SimpleNamespace(address=lambda link: "127.0.0.1:40000")
        self.member: Any = SimpleNamespace(link="a link")
        self.post: Any = SimpleNamespace(send_aside=lambda seat, said: self.said.append((seat, said)))
        self.orders: Any = SimpleNamespace(hand_over=self.hand_over)
        self.seat, self.epoch = OWN, 7
        self.leader: str | None = LEADER
        self.is_linked, self.is_in_office, self.leads = True, False, False
        self.refusal: Refusal | None = None
        self.time = 1000.0
        self.gate: Any = None
        self.log: list[str] = []
        self.said: list[tuple[str, Any]] = []
        self.handed: list[str | None] = []
        self.watched = Watched(cast("Any", self))

    def now(self) -> float:
        return self.time

    def hand_over(self, target: str | None) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.handed.append(target)

    def hello(self, master: str, sentinel: str = "a", number: int = 1, obeys: bool = False) -> Any:
        host, _, port = master.rpartition(":")
        session = SimpleNamespace(id=number, obeys=obeys, local_address=OWN)
        self.core.sessions[number] = session
        message = f"127.0.0.1,26379,{sentinel},5,crm,{host},{port},4".encode()
        self.core.pubsub.overheard[b"__sentinel__:hello"](session, message)
        return session

    def pass_time(self, milliseconds: float) -> None:
        """Ticks, as a voter has them."""
        until = self.time + milliseconds
        while self.time < until:
            self.time += 100.0
            self.watched.tick(self.time)

    @property
    def claims(self) -> int:
        assert all(each == (LEADER, Claim(7, False)) for each in self.said)
        return len(self.said)


@pytest.fixture
def voter() -> Voter:
    voter = Voter()
    voter.pass_time(100.0)
    return voter


def test_a_nominated_voter_claims_the_lead_of_who_was_elected_in_its_place(voter: Voter) -> None:
    voter.hello(OLD)
    voter.watched.nominate(voter.now())
    voter.pass_time(GRACE)
    assert not voter.said  # sentinels of ours find out by themselves
    voter.pass_time(500.0)
    assert voter.claims == 1
    voter.hello(OLD)
    voter.pass_time(3000.0)  # a claim may be lost, or come to nothing
    assert voter.claims == 4
    voter.is_in_office = True
    voter.pass_time(100.0)
    voter.is_in_office = False
    voter.hello(OLD)
    voter.pass_time(5000.0)
    assert voter.claims == 4


def test_it_waits_until_it_has_followed_for_a_while(voter: Voter) -> None:
    voter.leader = None
    voter.watched.nominate(voter.now())
    voter.hello(OLD)
    voter.pass_time(5000.0)
    voter.leader = LEADER
    voter.hello(OLD)
    voter.pass_time(GRACE)
    assert not voter.said
    voter.pass_time(500.0)
    assert voter.claims == 1


def test_a_leader_that_as_many_sentinels_know_as_do_not_is_left_alone(voter: Voter) -> None:
    voter.watched.nominate(voter.now())
    for _ in range(10):
        voter.hello(LEADER, "a")
        voter.hello(OLD, "b")
        voter.pass_time(1000.0)
    assert not voter.said


def test_nobody_claims_what_no_sentinel_speaks_of(voter: Voter) -> None:
    voter.watched.nominate(voter.now())
    voter.pass_time(10_000.0)
    assert not voter.said
    voter.hello(OLD)
    voter.pass_time(100.0)
    assert voter.claims == 1
    voter.pass_time(FRESH + 100.0)
    count = voter.claims
    voter.pass_time(5000.0)
    assert voter.claims == count


def test_a_leader_is_known_by_its_address_where_seats_are_names(voter: Voter) -> None:
    voter.leader = "leader.example:2"
    voter.watched.nominate(voter.now())
    voter.pass_time(100.0)
    for _ in range(5):
        voter.hello("127.0.0.1:2")
        voter.pass_time(1000.0)
    assert not voter.said
    voter.hello("127.0.0.9:2")
    voter.pass_time(1000.0)
    assert voter.said == [("leader.example:2", Claim(7, False))]


def test_an_order_to_follow_takes_a_nomination_back_and_so_does_time(voter: Voter) -> None:
    voter.watched.nominate(voter.now())
    voter.watched.redirect()
    voter.hello(OLD)
    voter.pass_time(5000.0)
    voter.watched.nominate(voter.now())
    voter.time += WANTED
    voter.hello(OLD)
    voter.pass_time(5000.0)
    assert not voter.said


def test_a_leader_hands_over_to_who_claims_its_epoch(voter: Voter) -> None:
    voter.watched.hear_claim(LEADER, Claim(7, False))
    voter.leads = True
    voter.watched.hear_claim(LEADER, Claim(6, False))
    assert not voter.handed
    voter.refusal = Refusal("another change is going on")
    voter.watched.hear_claim(LEADER, Claim(7, False))
    assert not voter.handed and "does not get the lead: another change is going on" in voter.log[-1]
    voter.refusal = None
    voter.watched.hear_claim(LEADER, Claim(7, False))
    assert voter.handed == [LEADER] and "handing over" in voter.log[-1]


def test_a_failover_that_an_operator_wants_of_sentinels_that_know_the_leader_is_a_claim(voter: Voter) -> None:
    voter.hello(LEADER)
    voter.watched.nominate(voter.now())
    voter.pass_time(GRACE)
    voter.hello(LEADER)
    voter.pass_time(500.0)
    assert voter.said == [(LEADER, Claim(7, True))]
    for _ in range(20):
        voter.hello(LEADER)
        voter.pass_time(1000.0)
    assert 5 <= len(voter.said) <= 10  # nobody is surprised by it much later
    voter.said.clear()
    voter.leader = OLD  # of whom they do not know
    voter.hello(LEADER)
    voter.pass_time(GRACE + 200.0)
    assert voter.said == [(OLD, Claim(7, False))]


def test_sentinels_that_have_found_the_leader_by_themselves_want_nothing_more(voter: Voter) -> None:
    voter.hello(OLD)
    voter.watched.nominate(voter.now())
    voter.pass_time(1000.0)
    for _ in range(10):
        voter.hello(LEADER)
        voter.pass_time(1000.0)
    assert not voter.said


def test_a_leader_that_sentinels_know_hands_over_if_they_reach_it(voter: Voter) -> None:
    voter.leads, claim = True, Claim(7, True)
    voter.watched.hear_claim(LEADER, claim)
    assert not voter.handed  # no sentinel is known here
    for sentinel in "abc":
        voter.hello(OWN, sentinel)
    voter.time += REACHING + 100.0
    voter.watched.hear_claim(LEADER, claim)
    voter.hello(OWN, "a")
    voter.watched.hear_claim(LEADER, claim)
    assert not voter.handed  # most do not reach it: they may have nominated another because of that
    voter.hello(OWN, "b")
    voter.watched.hear_claim(LEADER, claim)
    assert voter.handed == [LEADER]


def test_only_who_names_this_follower_hears_an_error_in_place_of_pong(voter: Voter) -> None:
    misled = voter.hello(OWN, "a", 1)
    right = voter.hello(LEADER, "b", 2)
    stream = voter.hello(OWN, "c", 3, obeys=True)
    voter.pass_time(GRACE + 200.0)
    assert voter.gate is not None
    assert [voter.watched.is_misled(each) for each in (misled, right, stream)] == [True, False, False]
    voter.hello(LEADER, "a", 1)
    voter.pass_time(100.0)
    assert voter.gate is None


def test_pong_is_said_to_all_while_no_leader_is_followed_for_long_enough(voter: Voter) -> None:
    voter.leader = None
    voter.hello(OWN)
    voter.pass_time(5000.0)
    assert voter.gate is None
    voter.leader = LEADER
    voter.pass_time(GRACE)
    assert voter.gate is None
    voter.pass_time(200.0)
    assert voter.gate is not None
    voter.core.sessions.clear()
    voter.pass_time(100.0)
    assert voter.gate is None


@pytest.mark.parametrize(
    "message", [b"", b"1,2,3", b"h,1,id,1,crm,127.0.0.1,x,1", b"h,1,id,1,crm,127.0.0.1,\xb2,1", b"," * 7, b"," * 100]
)
def test_what_is_no_hello_tells_nothing(voter: Voter, message: bytes) -> None:
    session = SimpleNamespace(id=1, obeys=False, local_address=OWN)
    voter.watched.hear(cast("Any", session), message)
    voter.watched.nominate(voter.now())
    voter.pass_time(5000.0)
    assert not voter.said and not voter.watched.is_misled(session)


def test_many_sentinels_take_little(voter: Voter) -> None:
    for number in range(10 * MOST_SENTINELS):
        voter.hello(OLD, f"{number}" * 1000)
    assert len(voter.watched._named) <= MOST_SENTINELS
    assert all(len(each) <= LONGEST_ID for each in voter.watched._named)
