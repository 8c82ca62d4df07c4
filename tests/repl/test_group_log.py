"""The history of a voter: appended, committed, applied, cut."""

from __future__ import annotations

import random

import pytest

from pycache_server.election.position import Position
from pycache_server.repl import entries
from pycache_server.repl.epochs import common_end
from pycache_server.repl.group_log import GroupLog

VOTERS = ("a", "b", "c")


def log_of(*written: tuple[int, bytes]) -> GroupLog:
    log = GroupLog(VOTERS)
    for epoch, data in written:
        log.append(entries.write(epoch, data))
    return log


def test_a_position_is_the_epoch_of_the_last_entry_and_its_end() -> None:
    assert log_of((1, b"ab"), (3, b"c")).position == Position(3, 3)


def test_an_entry_is_executed_when_it_is_committed_and_only_once() -> None:
    log = log_of((1, b"ab"), (1, b"c"))
    assert [entry.data for entry in log.learn_commit(2)] == [b"ab"]
    assert [entry.data for entry in log.learn_commit(9)] == [b"c"]
    assert log.learn_commit(9) == ()
    assert log.commit == log.applied == 3


def test_what_was_not_committed_can_be_dropped() -> None:
    log = log_of((1, b"ab"), (2, b"cd"))
    log.learn_commit(2)
    log.cut(2)
    assert log.position == Position(1, 2)
    log.append(entries.write(3, b"x"))
    assert log.epochs.table == ((1, 0), (3, 2))


def test_what_was_committed_cannot() -> None:
    log = log_of((1, b"ab"), (1, b"cd"))
    log.learn_commit(4)
    with pytest.raises(AssertionError):
        log.cut(2)


def test_a_change_of_the_voters_holds_from_where_it_stands_and_goes_with_its_entry() -> None:
    log = log_of((1, b"ab"))
    log.append(entries.voters(1, ("a", "b")))
    assert log.voters == ("a", "b")
    log.cut(2)
    assert log.voters == VOTERS


def test_what_was_loaded_beyond_the_commit_may_not_be_read_until_the_commit_passes_it() -> None:
    log = GroupLog(VOTERS)
    log.adopt(((1, 0),), 10, VOTERS)
    assert not log.readable
    log.learn_commit(10)
    assert log.readable


def test_what_was_committed_is_so_in_another_history_as_far_as_both_agree() -> None:
    log = log_of((1, b"ab"), (1, b"cd"), (2, b"ef"))
    log.learn_commit(6)
    log.adopt(((1, 0), (3, 4)), 10, VOTERS)  # epoch 2 is gone, by an operator's word
    assert log.commit == 4
    assert not log.readable
    log.adopt(((1, 0), (3, 4), (4, 12)), 20, VOTERS)
    assert log.commit == 4
    log.learn_commit(12)
    log.adopt(((1, 0), (3, 4), (4, 12)), 20, VOTERS)
    assert log.commit == 12
    log._check()


def test_trimming_keeps_what_is_not_committed() -> None:
    log = log_of(*((1, b"xx") for _ in range(10)))
    log.learn_commit(8)
    log.trim(0)
    assert log.base == 8
    assert log.since(6) is None
    assert len(log.since(8) or []) == 6
    log._check()


@pytest.mark.parametrize(
    ("mine", "my_end", "theirs", "their_end", "cut"),
    [
        (((1, 0),), 10, ((1, 0),), 7, 7),
        (((1, 0), (2, 6)), 10, ((1, 0),), 9, 6),
        (((1, 0), (3, 6)), 10, ((1, 0), (2, 5)), 9, 5),
        (((1, 0), (3, 6)), 10, ((1, 0), (3, 6)), 8, 8),
        (((1, 0),), 10, (), 0, 0),
        ((), 0, ((2, 0),), 5, 0),
    ],
)
def test_two_histories_are_the_same_up_to_the_smaller_end_of_their_newest_common_epoch(
    mine: tuple[tuple[int, int], ...], my_end: int, theirs: tuple[tuple[int, int], ...], their_end: int, cut: int
) -> None:
    assert common_end(mine, my_end, theirs, their_end) == cut
    assert common_end(theirs, their_end, mine, my_end) == cut


@pytest.mark.parametrize("seed", range(30))
def test_a_log_agrees_with_a_plain_list(seed: int) -> None:
    chance = random.Random(seed)
    log, plain, epoch = GroupLog(VOTERS), [], 1
    for _ in range(200):
        epoch += chance.random() < 0.1
        draw = chance.random()
        if draw < 0.6:
            entry = entries.write(epoch, b"x" * chance.randint(1, 9))
            if chance.random() < 0.1:
                entry = entries.voters(epoch, tuple(chance.sample("abcdef", 3)))
            log.append(entry)
            plain.append(entry)
        elif draw < 0.75:
            log.learn_commit(sum(len(entry.data) for entry in plain[: chance.randint(0, len(plain))]))
        elif draw < 0.85:
            kept = chance.randint(0, len(plain))
            end = sum(len(entry.data) for entry in plain[:kept])
            if end >= log.commit:
                log.cut(end)
                del plain[kept:]
        else:
            log.trim(chance.randint(0, 50))
        log._check()
        assert log.since(log.base) == plain[len(plain) - len(log.since(log.base) or []) :]
        changes = [entry.voters for entry in plain if entry.voters]
        assert log.voters == (changes[-1] if changes else VOTERS)


@pytest.mark.parametrize(
    "entry", [entries.mark(4, "a:1", "0" * 40), entries.beat(4), entries.voters(4, ("a:1", "b:2"))]
)
def test_what_a_leader_says_in_the_stream_is_a_publish_that_can_be_read_back(entry: entries.Entry) -> None:
    words = entry.data.split(b"\r\n")
    assert words[2] == b"PUBLISH"
    assert words[4] == entries.CHANNEL
    assert entries.parse_published(words[6]) == entry


@pytest.mark.parametrize("payload", [b"", b"mark", b"mark x y", b"beat 1 2", b"other 1", b"\xff 1"])
def test_what_is_no_entry_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        entries.parse_published(payload)
