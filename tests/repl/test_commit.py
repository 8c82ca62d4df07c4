"""What is committed, and when replies may leave."""

from __future__ import annotations

import pytest

from pycache_server.repl.commit import ALL, ASYNC, QUORUM, count_acks, parse_level
from pycache_server.repl.held import HeldReplies

FIVE = ("a", "b", "c", "d", "e")


def test_a_majority_commits_with_the_leader_as_one_of_it() -> None:
    acks = count_acks(FIVE, "a", 100, {"b": 90, "c": 70, "d": 20})
    assert acks.on_majority() == 70


def test_learners_never_count() -> None:
    acks = count_acks(("a", "b", "c"), "a", 100, {"b": 10, "learner": 100, "other": 100})
    assert acks.on_majority() == 10
    assert acks.reached(1, 10) == 10
    assert acks.reached(2, 10) == 0


def test_a_leader_that_is_no_voter_needs_a_majority_of_others() -> None:
    assert count_acks(("b", "c", "d"), "a", 100, {"b": 90, "c": 70}).on_majority() == 70


def test_a_single_voter_commits_alone() -> None:
    assert count_acks(("a",), "a", 100, {}).on_majority() == 100


@pytest.mark.parametrize(
    ("level", "offset"), [(ASYNC, 100), (1, 90), (2, 80), (3, 70), (4, 60), (5, 0), (QUORUM, 75), (ALL, 60)]
)
def test_each_level_waits_for_so_many(level: int, offset: int) -> None:
    acks = count_acks(FIVE, "a", 100, {"b": 90, "c": 80, "d": 70, "e": 60})
    assert acks.reached(level, 75) == offset


@pytest.mark.parametrize(("word", "level"), [("async", 0), ("one", 1), ("3", 3), ("quorum", QUORUM), ("all", ALL)])
def test_levels_have_names(word: str, level: int) -> None:
    assert parse_level(word) == level


@pytest.mark.parametrize("word", ["", "0", "-1", "two", "QUORUM "])
def test_other_words_are_no_levels(word: str) -> None:
    with pytest.raises(ValueError, match="repl-ack must be"):
        parse_level(word)


def test_replies_of_a_level_leave_in_the_order_of_the_stream() -> None:
    held = HeldReplies()
    for offset in (10, 20, 30):
        held.hold(offset, QUORUM, f"client {offset}", offset, 1000)
    assert [reply.token for reply in held.take_reached(lambda level: 20)] == [10, 20]
    assert len(held) == 1
    held._check()


def test_what_follows_a_stricter_reply_of_the_same_client_waits_with_it() -> None:
    held = HeldReplies()
    held.hold(10, ALL, "client", "strict", 1000)
    held.hold(20, 1, "client", "after", 1000)
    held.hold(20, 1, "other", "free", 1000)
    reached = {ALL: 5, 1: 50}
    assert [reply.token for reply in held.take_reached(reached.__getitem__)] == ["free"]
    reached[ALL] = 20
    assert [reply.token for reply in held.take_reached(reached.__getitem__)] == ["strict", "after"]
    assert not held.waits("client")


def test_a_reply_whose_time_is_up_is_none() -> None:
    held = HeldReplies()
    held.hold(10, QUORUM, "client", "late", 100)
    assert held.take_late(99) == []
    assert [reply.token for reply in held.take_late(100)] == ["late"]
    assert len(held) == 0
