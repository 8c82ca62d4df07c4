"""The rules of a group one by one, on three members that hear each other at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pycache_server.election.machine import Memory, Refusal, Role
from pycache_server.election.messages import Hello, Vote
from pycache_server.election.position import Position
from pycache_server.repl import entries
from pycache_server.repl.actions import Close, Say
from pycache_server.repl.commit import ALL, ASYNC, QUORUM
from pycache_server.repl.leading import Verdict
from pycache_server.repl.links import Ack, Append, Continue, Link, Pulled
from pycache_server.repl.links import Refusal as Refused
from pycache_server.repl.member import Saved
from tests.repl.trio import SEATS, Trio


def test_three_voters_elect_one_leader_and_the_others_follow() -> None:
    trio = Trio()
    leader = trio.elect()
    followers = [member for member in trio.members.values() if member is not leader]
    assert all(member.machine.leader == leader.seat for member in followers)
    assert trio.states[leader.seat].vote == leader.seat


def test_a_voter_writes_its_vote_down_before_it_tells_it() -> None:
    trio = Trio()
    trio.now = 2000
    member = trio.members["a"]
    member.step("b", Vote("start", 5, Position(0, 0), 0), trio.now)
    names = [type(action).__name__ for action in member.take_actions()]
    assert names.index("Persist") < names.index("Send")


def test_a_new_group_forms_by_itself_and_all_are_founders() -> None:
    trio = Trio(formed=False)
    trio.elect()
    assert {state.founders for state in trio.states.values()} == {tuple((seat, f"birth {seat}") for seat in SEATS)}


def test_a_new_group_does_not_form_while_one_is_missing() -> None:
    trio = Trio(formed=False)
    trio.cut = {"c"}
    trio.pass_time(5000)
    assert all(member.machine.memory is Memory.NONE for member in trio.members.values())


def test_a_write_is_answered_when_a_majority_has_it_and_executed_by_followers_later() -> None:
    trio = Trio()
    trio.elect()
    follower = trio.follower()
    trio.write(b"SET k v")
    assert trio.replies == [b"SET k v"]
    assert trio.executed[follower.seat] == []
    trio.pass_time(100)
    assert trio.executed[follower.seat] == [b"SET k v"]


def test_a_leader_that_is_cut_off_answers_nothing_once_its_lease_is_over() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {leader.seat}
    assert leader.admit(False, QUORUM, trio.now) is Verdict.SERVE
    trio.pass_time(1100)
    assert leader.admit(False, QUORUM, trio.now) is Verdict.ISOLATED
    assert leader.admit(True, ASYNC, trio.now) is Verdict.ISOLATED


def test_the_others_elect_another_and_what_was_not_answered_is_dropped() -> None:
    trio = Trio()
    old = trio.elect()
    trio.cut = {old.seat}
    trio.write(b"SET lost 1")
    trio.pass_time(5000)
    new = trio.leader()
    trio.cut = set()
    trio.pass_time(1000)
    assert new is not old
    assert old.machine.role is Role.FOLLOWER
    assert trio.hangups == [b"SET lost 1"]
    assert b"SET lost 1" in trio.dropped
    assert old.log.position == new.log.position


def test_who_was_cut_off_and_comes_back_deposes_nobody() -> None:
    trio = Trio()
    leader = trio.elect()
    epoch, away = leader.machine.epoch, trio.follower()
    trio.cut = {away.seat}
    trio.pass_time(10000)
    trio.cut = set()
    trio.pass_time(3000)
    assert trio.leader() is leader
    assert leader.machine.epoch == epoch


def test_a_read_waits_for_the_newest_write_that_was_executed_before_it() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {leader.seat}
    trio.write(b"SET k v")
    assert leader.leading
    leader.leading.read(QUORUM, "reader", "read", trio.now)
    trio.settle(leader.seat)
    assert trio.replies == []


def test_a_reply_that_waits_too_long_is_none_and_its_connection_is_closed() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {seat for seat in SEATS if seat != leader.seat}
    trio.write(b"SET k v")
    trio.pass_time(5100)
    assert trio.hangups == [b"SET k v"]


def test_all_needs_all_and_says_so_before_anything_is_executed() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {trio.follower().seat}
    trio.pass_time(1000)
    assert leader.admit(True, ALL, trio.now) is Verdict.TOO_FEW
    assert leader.admit(True, QUORUM, trio.now) is Verdict.SERVE
    assert leader.admit(False, ALL, trio.now) is Verdict.SERVE


def test_a_follower_that_has_lost_its_memory_acknowledges_nothing_until_it_is_whole() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.write(b"SET k v")
    seat = trio.follower().seat
    trio.cut = {seat}
    member = trio.start(seat, None)
    assert member.machine.memory is Memory.RECOVERING
    assert not trio.states[seat].whole
    trio.cut = set()
    trio.pass_time(1500)
    assert member.machine.memory is Memory.WHOLE
    assert trio.states[seat].whole
    assert member.log.position == leader.log.position


def test_a_voter_without_memory_votes_for_nobody() -> None:
    trio = Trio()
    trio.elect()
    seat = trio.follower().seat
    trio.cut = set(SEATS)
    member = trio.start(seat, None)
    member.step("x", Vote("start", 99, Position(9, 9999), 0), trio.now + 9000)
    assert member.take_actions() == []


def test_what_a_clean_shutdown_saves_reaches_as_far_as_what_was_acknowledged() -> None:
    trio = Trio()
    trio.elect()
    trio.write(b"SET k v")
    follower = trio.follower()
    position, saved = follower.log.position, follower.shutdown()
    assert follower.log.applied < follower.log.end
    assert trio.start(follower.seat, saved).log.position == position


def test_what_was_loaded_beyond_the_commit_is_not_read_before_the_commit_passes_it() -> None:
    trio = Trio()
    trio.elect()
    trio.write(b"SET k v")
    follower = trio.follower()
    trio.cut = {follower.seat}
    member = trio.start(follower.seat, follower.shutdown())
    assert not member.can_read()
    trio.cut = set()
    trio.pass_time(1500)
    assert member.can_read()


def test_a_sentinel_with_an_old_view_does_not_depose_a_leader() -> None:
    trio = Trio()
    leader = trio.elect()
    leader.machine.redirect(trio.follower().seat, trio.now)
    trio.settle(leader.seat)
    assert leader.machine.role is Role.LEADER


def test_a_proven_leader_of_a_higher_epoch_demotes() -> None:
    trio = Trio()
    leader = trio.elect()
    leader.step(trio.follower().seat, Hello(leader.machine.epoch + 1), trio.now)
    assert leader.machine.role is Role.FOLLOWER


def test_a_nomination_waits_for_the_promise_and_then_leads() -> None:
    trio = Trio()
    old = trio.elect()
    nominated = trio.follower()
    nominated.machine.nominate(trio.now)
    trio.pass_time(500)
    assert trio.leader() is old
    trio.cut = {old.seat}
    trio.pass_time(1400)
    assert trio.leader() is nominated


def test_a_later_replicaof_cancels_a_nomination() -> None:
    trio = Trio()
    old = trio.elect()
    nominated = trio.follower()
    nominated.machine.nominate(trio.now)
    nominated.machine.redirect(old.seat, trio.now)
    assert not nominated.machine.is_nominated(trio.now)


def test_a_handover_moves_the_lead_at_once_and_loses_nothing() -> None:
    trio = Trio()
    old = trio.elect()
    target = trio.follower()
    trio.write(b"SET k v")
    assert old.leading
    old.leading.hand_over(target.seat, trio.now)
    trio.settle(old.seat)
    assert trio.leader() is target
    assert trio.executed[target.seat] == [b"SET k v"]
    trio.pass_time(300)
    assert old.machine.leader == target.seat


def test_a_handover_whose_target_is_silent_is_called_off_in_the_same_epoch() -> None:
    trio = Trio()
    leader = trio.elect()
    epoch, target = leader.machine.epoch, trio.follower()
    trio.cut = {target.seat}
    trio.write(b"SET k v")
    assert leader.leading
    leader.leading.hand_over(target.seat, trio.now)
    assert leader.admit(True, QUORUM, trio.now) is Verdict.PAUSED
    trio.pass_time(700)
    assert trio.leader() is leader
    assert leader.machine.epoch == epoch
    assert leader.admit(True, QUORUM, trio.now) is Verdict.SERVE


def test_who_has_given_up_stands_anew_if_nobody_takes_over() -> None:
    trio = Trio()
    leader = trio.elect()
    epoch, target = leader.machine.epoch, trio.follower()
    assert leader.leading
    trio.cut = {target.seat}
    leader.machine.give_up(target.seat, trio.now)
    trio.settle(leader.seat)
    assert leader.admit(False, QUORUM, trio.now) is Verdict.ISOLATED
    trio.pass_time(1000)
    assert trio.leader() is leader
    assert leader.machine.epoch > epoch


def test_a_new_node_follows_with_an_empty_disk_and_is_no_voter_until_it_is_added() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.write(b"SET k v")
    new = trio.join("d")
    trio.pass_time(3000)
    assert new.machine.memory is Memory.WHOLE
    assert new.log.position == leader.log.position
    assert not new.machine.is_voter
    assert leader.voters == SEATS


def test_a_voter_is_replaced_by_a_new_node_by_two_changes_one_after_the_other() -> None:
    trio = Trio()
    leader = trio.elect()
    out = trio.follower().seat
    trio.join("d")
    trio.join("e")
    trio.pass_time(3000)
    assert leader.leading
    leader.leading.changes.replace(out, "d", leader.leading.epoch, trio.now)
    assert leader.voters == tuple(seat for seat in SEATS if seat != out)
    with pytest.raises(Refusal, match="another change"):
        leader.leading.changes.add("e", leader.leading.epoch, trio.now)
    trio.settle(leader.seat)
    trio.pass_time(100)
    expected = tuple(sorted({*SEATS, "d"} - {out}))
    assert leader.voters == trio.members["d"].voters == expected
    trio.cut = {out, leader.seat}
    trio.pass_time(4000)
    assert trio.leader() is not leader  # elected with the vote of the new one
    trio.write(b"SET k w")
    assert trio.replies == [b"SET k w"]


def test_who_does_not_follow_or_votes_already_is_not_added() -> None:
    trio = Trio()
    leader = trio.elect()
    assert leader.leading
    with pytest.raises(Refusal, match="d is not in step"):
        leader.leading.changes.add("d", leader.leading.epoch, trio.now)
    with pytest.raises(Refusal, match="d is not in step"):
        leader.leading.changes.replace(trio.follower().seat, "d", leader.leading.epoch, trio.now)
    with pytest.raises(Refusal, match="a votes already"):
        leader.leading.changes.add("a", leader.leading.epoch, trio.now)


def test_who_falls_behind_in_the_middle_of_a_replacement_is_not_added_and_the_operator_hears_of_it() -> None:
    trio = Trio()
    leader = trio.elect()
    out = trio.follower().seat
    trio.join("d")
    trio.pass_time(3000)
    trio.cut = {"d"}
    assert leader.leading
    leader.leading.changes.replace(out, "d", leader.leading.epoch, trio.now)
    leader.leading.hang_up("d")
    trio.settle(leader.seat)
    trio.pass_time(9000)
    assert leader.leading.changes.pending
    trio.pass_time(2000)
    assert not leader.leading.changes.pending
    assert leader.voters == tuple(seat for seat in SEATS if seat != out)
    assert any("GROUP ADD d" in text for text in trio.logged)


def test_a_voter_whose_file_is_lost_asks_those_that_vote_now() -> None:
    trio = Trio()
    leader = trio.elect()
    out = trio.follower().seat
    trio.join("d")
    trio.pass_time(3000)
    assert leader.leading
    leader.leading.changes.replace(out, "d", leader.leading.epoch, trio.now)
    trio.settle(leader.seat)
    trio.pass_time(500)
    trio.cut = {out}  # it is configured still, and gone for good
    again = trio.join("d")
    trio.pass_time(3000)
    assert again.machine.memory is Memory.WHOLE
    assert again.machine.epoch == leader.machine.epoch
    assert again.machine.is_voter


def test_a_leader_changes_no_voters_before_it_has_committed() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = set(SEATS)
    leader.machine.force(trio.now)
    assert leader.leading
    with pytest.raises(Refusal, match="nothing of this epoch"):
        leader.leading.changes.remove(trio.follower().seat, leader.leading.epoch, trio.now)


def test_an_operator_can_force_a_voter_to_lead_but_it_commits_by_majority_still() -> None:
    trio = Trio()
    old = trio.elect()
    survivor = trio.follower()
    trio.cut = set(SEATS) - {survivor.seat}
    survivor.machine.force(trio.now)
    trio.settle(survivor.seat)
    assert trio.leader() is survivor
    assert old is not survivor
    assert not survivor.holds_lease(trio.now)


def test_a_leader_by_force_stands_above_old_promises_but_not_above_those_to_who_may_have_been_elected() -> None:
    trio = Trio()
    trio.elect()
    survivor = trio.follower()
    one, other = sorted(set(SEATS) - {survivor.seat})
    trio.cut = {one, other}
    machine = survivor.machine
    machine.force(trio.now)
    machine.hear_of(one, machine.epoch + 5, trio.now)
    first = machine.epoch
    assert first > machine.highest
    machine.supply(one)
    machine.hear_of(one, first + 5, trio.now)
    assert machine.epoch == first
    machine.hear_of(other, first + 7, trio.now)
    second = machine.epoch
    assert second > first + 7
    machine.supply(other)
    assert not machine.forced
    machine.hear_of("d", second + 20, trio.now)
    assert machine.epoch == second and machine.role is Role.LEADER


def test_voters_forced_on_two_sides_lead_different_epochs_and_one_of_them_remains() -> None:
    trio = Trio()
    old = trio.elect()
    trio.cut = set(SEATS)
    forced = [member for member in trio.members.values() if member is not old]
    for member in forced:
        member.machine.force(trio.now)
        trio.settle(member.seat)
    first, second = (member.machine.epoch for member in forced)
    assert first != second
    assert min(first, second) > old.machine.epoch + 1
    trio.cut = set()
    trio.pass_time(3000)
    assert {member.machine.leader for member in trio.members.values()} == {trio.leader().seat}


def test_a_leader_that_hung_up_is_waited_for_until_the_promise_to_it_is_over() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.members.pop(leader.seat)
    for member in trio.members.values():
        assert member.link
        member.lose_link(member.link, trio.now)
    timing = leader.timing
    trio.pass_time(timing.promise + timing.spread + timing.heartbeat)
    assert trio.leader().machine.epoch > leader.machine.epoch


def test_a_link_that_broke_is_no_reason_for_an_election() -> None:
    trio = Trio()
    leader = trio.elect()
    for member in trio.members.values():
        if member.link:
            member.lose_link(member.link, trio.now)
    trio.pass_time(5000)
    assert trio.leader() is leader
    assert leader.machine.epoch == 1


def test_a_whole_group_without_memory_waits_for_an_operator() -> None:
    trio = Trio()
    trio.elect()
    trio.cut = set(SEATS)
    for seat in SEATS:
        trio.start(seat, None)
    trio.cut = set()
    trio.pass_time(5000)
    assert all(member.machine.role is Role.FOLLOWER for member in trio.members.values())
    trio.members["b"].machine.bootstrap(trio.now)
    trio.settle("b")
    trio.pass_time(2000)
    assert trio.leader().seat == "b"
    trio.write(b"SET k v")
    assert trio.replies == [b"SET k v"]


def test_a_group_whose_data_were_found_begins_with_them_at_an_operator_s_word() -> None:
    trio = Trio(formed=False, holders=("a", "c"))
    with pytest.raises(Refusal, match="b, c has not said yet"):
        trio.members["a"].machine.bootstrap(trio.now)
    trio.pass_time(5000)
    assert all(member.machine.memory is Memory.NONE for member in trio.members.values())
    member = trio.members["a"]
    member.machine.check_bootstrap(trio.now)
    member.begin_anew(Saved(((8, 0),), 500, SEATS, ()))
    member.machine.bootstrap(trio.now)
    trio.settle("a")
    trio.pass_time(3000)
    assert trio.leader() is member and member.machine.epoch > 8
    assert all(each.machine.memory is Memory.WHOLE for each in trio.members.values())
    trio.write(b"SET k v")
    assert trio.replies == [b"SET k v"]
    assert {each.log.position for each in trio.members.values()} == {member.log.position}


def test_the_word_is_refused_while_a_leader_makes_this_node_whole() -> None:
    trio = Trio()
    leader = trio.elect()
    follower = trio.follower()
    follower.machine.become_recovering()
    follower.machine.leader = leader.seat
    follower.machine.hear_stream(leader.seat, leader.machine.epoch, trio.now)
    with pytest.raises(Refusal, match=f"{leader.seat} leads, and makes this node whole"):
        follower.machine.bootstrap(trio.now)


def test_a_follower_that_acknowledges_the_future_is_dropped_and_has_committed_nothing() -> None:
    trio = Trio()
    leader = trio.elect()
    assert leader.leading
    trio.cut = set(leader.leading.followers)
    trio.write(b"SET k v")
    commit = leader.log.commit
    seat, follower = next(iter(leader.leading.followers.items()))
    leader.step_link(follower.link, Ack(10**15), trio.now)
    assert seat not in leader.leading.followers
    assert leader.log.commit == commit < leader.log.end
    closed, told = leader.take_actions()[-2:]
    assert closed == Close(follower.link)
    assert f"The link of {seat} is dropped: it has acknowledged {10**15}" in told.text and told.level == "warning"
    leader._check()


def test_of_a_voters_disk_its_newest_word_counts() -> None:
    trio = Trio()
    leader = trio.elect()
    assert leader.leading
    follower = next(iter(leader.leading.followers.values()))
    leader.step_link(follower.link, Ack(leader.log.end, 50), trio.now)
    assert follower.durable == 50
    leader.step_link(follower.link, Ack(leader.log.end), trio.now)  # it keeps no file any more
    assert follower.durable == 0 and follower.acknowledged == leader.log.end


def test_what_comes_on_a_link_that_is_not_the_leaders_is_not_believed() -> None:
    trio = Trio()
    leader = trio.elect()
    follower = trio.follower()
    position = follower.log.position
    forged = entries.write(leader.machine.epoch, b"FLUSHALL")
    follower.step_link(Link("x", 1, True), Append(99, position.offset, (forged,), position.offset), trio.now)
    assert follower.log.position == position
    closed, told = follower.take_actions()
    assert closed == Close(Link("x", 1, True))
    assert told.text == "The link to x is dropped: it speaks as a leader, and is not followed on this link"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (lambda epoch, end: Append(epoch, end + 3, (entries.write(epoch, b"SET k v"),), 0), "entries begin at"),
        (lambda epoch, end: Append(epoch, end - 3, (entries.write(epoch, b"SET k v"),), 0), "entries begin at"),
        (lambda epoch, end: Append(epoch, 0, (entries.write(epoch, b"SET k v"),), 0), "entries begin at 0"),
        (lambda epoch, end: Append(epoch, end, (entries.write(epoch + 1, b"SET k v"),), 0), "an entry of epoch"),
        (lambda epoch, end: Append(epoch, end, (entries.write(epoch - 1, b"SET k v"),), 0), "an entry of epoch"),
        (
            lambda epoch, end: Append(epoch, end, (entries.write(epoch, b"SET k v"), entries.write(0, b"SET k v")), 0),
            "an entry of epoch 0 should stand behind",
        ),
        (lambda epoch, end: Continue(epoch, end + 1, (), 0), "no entry ends there"),
        (lambda epoch, end: Continue(epoch, end - 1, (), 0), "no entry ends there"),
        (lambda epoch, end: Continue(epoch, 10**15, (), 0), "no entry ends there"),
        (lambda epoch, end: Continue(epoch, 0, (), 0), "is committed or executed"),
        (lambda epoch, end: Continue(epoch, end, (entries.write(epoch + 1, b"x"),), 0), "an entry of epoch"),
    ],
)
def test_what_does_not_fit_breaks_the_link_and_changes_nothing(
    message: Callable[[int, int], Append | Continue], problem: str
) -> None:
    trio = Trio()
    leader = trio.elect()
    follower = trio.follower()
    link = follower.link
    assert link
    before = follower.log.position, follower.log.commit, follower.log.applied, follower.log.epochs.table
    follower.step_link(link, message(leader.machine.epoch, follower.log.end), trio.now)
    assert follower.link is None
    assert before == (
        follower.log.position,
        follower.log.commit,
        follower.log.applied,
        follower.log.epochs.table,
    )
    closed, told = follower.take_actions()
    assert closed == Close(link)
    assert told.text.startswith(f"The link to {link.peer} is dropped: ") and problem in told.text
    follower._check()


def test_what_was_loaded_beyond_the_commit_is_not_dropped_from_under_the_keyspace() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.write(b"SET k v")
    follower = trio.follower()
    assert follower.link
    link, cut = follower.link, follower.log.end
    trio.cut = {follower.seat}
    follower.keep((entries.write(leader.machine.epoch, b"SET k w"),))
    follower.log.applied = follower.log.end
    follower.log.commit = 0
    follower.take_actions()
    follower.step_link(link, Continue(leader.machine.epoch, cut, (), 0), trio.now)
    assert follower.link is None and follower.log.end > cut
    assert "is committed or executed" in follower.take_actions()[-1].text


def test_a_leader_below_the_promise_is_refused_and_left() -> None:
    trio = Trio()
    leader = trio.elect()
    follower = trio.follower()
    link, position = follower.link, follower.log.position
    assert link
    follower.machine.reach(leader.machine.epoch + 5)
    follower.take_actions()
    entry = entries.write(leader.machine.epoch, b"SET k v")
    follower.step_link(link, Append(leader.machine.epoch, follower.log.end, (entry,), 0), trio.now)
    assert follower.link is None and follower.log.position == position
    assert follower.take_actions() == [Say(link, Refused(leader.machine.epoch + 5)), Close(link)]


def test_an_answer_that_nobody_has_asked_for_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    trio = Trio()
    epoch = trio.elect().machine.epoch
    follower = trio.follower()
    monkeypatch.setattr(follower.machine, "is_nominated", lambda now: True)
    position, link = follower.log.position, Link("x", 9, False)
    follower._pulled_at = position
    answer = Pulled(Position(epoch + 1, position.offset + 7), position.offset, (entries.write(epoch + 1, b"forged!"),))
    follower.step_link(link, answer, trio.now)
    assert follower.log.position == position
    closed, told = follower.take_actions()
    assert closed == Close(link) and told.text == "The link of x is dropped: it answers what it was not asked"


def test_an_acknowledgement_on_another_link_counts_for_nothing() -> None:
    trio = Trio()
    leader = trio.elect()
    assert leader.leading
    trio.cut = set(leader.leading.followers)
    trio.write(b"SET k v")
    seat, follower = next(iter(leader.leading.followers.items()))
    before = follower.acknowledged
    for peer in (seat, "a stranger"):
        other = Link(peer, 999, False)
        leader.step_link(other, Ack(leader.log.end), trio.now)
        assert leader.take_actions()[-1] == Close(other)
    assert follower.acknowledged == before and leader.log.commit < leader.log.end


def test_an_answer_of_one_that_was_ahead_that_does_not_fit_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trio = Trio()
    epoch = trio.elect().machine.epoch
    follower = trio.follower()
    monkeypatch.setattr(follower.machine, "is_nominated", lambda now: True)
    position, end = follower.log.position, follower.log.end
    for cut, entry in ((end + 50, entries.write(epoch + 1, b"x")), (end, entries.write(epoch + 9, b"x"))):
        link = follower.pulling = Link("x", 9, True)
        follower._pulled_at = position
        follower.step_link(link, Pulled(Position(epoch + 1, end + 100), cut, (entry,)), trio.now)
        assert follower.pulling is None and follower.log.position == position and follower.link is not None
        told = follower.take_actions()[-1].text
        assert told.startswith("The link to x is dropped: ")


def test_a_large_message_that_comes_in_parts_keeps_its_leader() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {leader.seat}
    followers = [member for member in trio.members.values() if member is not leader]
    for _ in range(50):
        for member in followers:
            member.hear_part(trio.now)
        trio.pass_time(100)
    assert all(member.machine.leader == leader.seat and member.link for member in followers)
    trio.pass_time(4000)
    assert trio.leader() is not leader


def test_a_part_of_a_message_of_somebody_who_was_not_followed_promises_nothing() -> None:
    trio = Trio()
    leader = trio.elect()
    follower = trio.follower()
    follower.machine.promise.release()
    follower.hear_part(trio.now)
    assert follower.machine.promise.leader is None
    follower.unfollow()
    follower.hear_part(trio.now)
    assert leader.leading


def test_a_reply_waits_for_the_lease_that_the_next_acknowledgement_renews() -> None:
    trio = Trio()
    leader = trio.elect()
    leading, link = leader.leading, next(iter(leader.leading.followers.values())).link  # type: ignore[union-attr]
    assert leading
    trio.cut = {seat for seat in SEATS if seat != leader.seat}
    trio.write(b"SET k v")
    end = leader.log.end
    late = trio.now + trio.leader().timing.lease + 1
    leading.followers[link.peer].heard = late
    leading.tick(late)
    leading.step(link, Ack(end), late)
    trio.settle(leader.seat)
    assert leader.log.commit == end and not leading.holds_lease(late)
    assert not trio.replies and not trio.hangups
    leading.step(link, Ack(leader.log.end), late)
    trio.settle(leader.seat)
    assert trio.replies == [b"SET k v"]


def test_a_reply_that_no_lease_lets_go_is_none_when_its_time_is_up() -> None:
    trio = Trio()
    leader = trio.elect()
    trio.cut = {seat for seat in SEATS if seat != leader.seat}
    trio.write(b"SET k v")
    trio.pass_time(leader.ack_timeout + 200)
    assert trio.hangups == [b"SET k v"] and not trio.replies
