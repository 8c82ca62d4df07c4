"""What a leader decides: who may go on, who needs everything, who shares a snapshot, who is late."""

from __future__ import annotations

import pytest

from pycache_server.repl.backlog import Backlog
from pycache_server.repl.history import History
from pycache_server.repl.leader import Leader
from pycache_server.repl.replica import Replica, State, version_of

OLD, NEW, OTHER = b"a" * 40, b"b" * 40, b"c" * 40


class Stage:
    """A leader at offset 100 of a history that goes back to another id until 50; the backlog begins at 30."""

    def __init__(self) -> None:
        self.history = History(OLD, 30)
        self.backlog = Backlog(self.history, 1 << 20)
        self.backlog.append(bytes(20))
        self.history.rotate(NEW)
        self.backlog.append(bytes(50))
        self.backlog.seal()
        self.leader = Leader(self.history)

    def replica(self, now: float = 0.0, *capabilities: str) -> Replica:
        found = Replica("127.0.0.1", 1)
        found.capabilities = set(capabilities)
        self.leader.add(found, now, None)
        return found


@pytest.mark.parametrize(
    ("wanted", "asked", "offset", "note"),
    [
        (b"?", -1, None, "Full resync requested by replica"),
        (NEW, 101, 100, "Sending 0 bytes of backlog starting from offset 101"),
        (NEW, 31, 30, "Sending 70 bytes"),
        (NEW.upper(), 51, 50, "accepted"),
        (OLD, 51, 50, "accepted"),
        (OLD, 52, None, "Requested offset for second ID was 52, but I can reply up to 51"),
        (NEW, 30, None, "for lack of backlog (Replica request was: 30)"),
        (NEW, 102, None, "greater than the master replication offset"),
        (NEW, -(2**63), None, "for lack of backlog"),
        (NEW, 2**63 - 1, None, "greater than the master replication offset"),
        (OTHER, 51, None, "Replication ID mismatch"),
        (b"", 51, None, "Replication ID mismatch"),
        (b"0" * 40, 1, None, "Replication ID mismatch"),
    ],
)
def test_a_replica_goes_on_where_it_was_if_the_history_and_the_bytes_are_there(
    wanted: bytes, asked: int, offset: int | None, note: str
) -> None:
    stage = Stage()
    decision = stage.leader.decide(Replica("127.0.0.1"), wanted, asked, stage.backlog)
    assert decision.offset == offset
    assert any(note in text for _, text in decision.notes)
    assert stage.leader.partial == (offset is not None)
    assert stage.leader.refused == (offset is None and wanted != b"?")


def test_a_strange_id_does_not_fill_the_log() -> None:
    stage = Stage()
    decision = stage.leader.decide(stage.replica(), b"x" * 1_000_000, 1, stage.backlog)
    assert decision.offset is None
    assert sum(len(text) for _, text in decision.notes) < 400


def test_without_a_second_id_zeros_are_nobodys_history() -> None:
    history = History(NEW, 10)
    backlog = Backlog(history, 100)
    assert Leader(history).decide(Replica("h"), b"0" * 40, 11, backlog).offset is None
    assert Leader(history).decide(Replica("h"), NEW, 11, None).offset is None


def test_a_streamed_snapshot_waits_for_others_and_serves_all_that_want_the_same() -> None:
    stage = Stage()
    first, second = stage.replica(0.0, "eof"), stage.replica(3.0, "eof")
    other = stage.replica(3.0, "eof")
    other.only_snapshot = True
    assert stage.leader.order(4.9) is None
    order = stage.leader.order(5.0)
    assert order is not None
    assert order.streamed
    assert order.replicas == [first, second]


def test_enough_replicas_need_not_wait() -> None:
    stage = Stage()
    stage.leader.limits.most_waiting = 2
    stage.replica(0.0, "eof")
    assert stage.leader.order(1.0) is None
    stage.replica(1.0, "eof")
    assert stage.leader.order(1.0) is not None


def test_a_replica_that_cannot_take_a_stream_gets_a_file_at_once() -> None:
    stage = Stage()
    stage.replica(0.0)
    order = stage.leader.order(0.0)
    assert order is not None
    assert not order.streamed


def test_one_that_has_not_been_heard_for_too_long_is_late_unless_it_is_too_old_to_speak() -> None:
    stage = Stage()
    new, old = stage.replica(), stage.replica()
    old.old = True
    for each in (new, old):
        each.go_online(0.0)
    assert list(stage.leader.late(60.0)) == []
    assert list(stage.leader.late(60.5)) == [new]


def test_acknowledged_offsets_only_rise() -> None:
    stage = Stage()
    replica = stage.replica()
    replica.acknowledge(50, 20, 0.0)
    replica.acknowledge(40, 10, 1.0)
    assert (replica.acknowledged, replica.durable) == (50, 20)
    assert stage.leader.acknowledged_by(50) == 0  # it is not online
    replica.state, replica.position = State.ONLINE, 50
    assert stage.leader.acknowledged_by(50) == 1
    assert stage.leader.acknowledged_by(51) == 0
    assert stage.leader.durable_at(20) == 1
    stage.leader._check()


def test_voters_count_as_replicas() -> None:
    stage = Stage()
    voter = Replica("127.0.0.1", 2)
    voter.state, voter.acknowledged, voter.durable = State.ONLINE, 60, 40
    stage.leader.voters = lambda: [voter]
    assert (stage.leader.acknowledged_by(60), stage.leader.acknowledged_by(61)) == (1, 0)
    assert (stage.leader.durable_at(40), stage.leader.durable_at(41)) == (1, 0)


def test_the_backlog_is_outlived_when_nobody_has_come_for_its_ttl() -> None:
    stage = Stage()
    replica = stage.replica()
    assert not stage.leader.outlived(10_000.0)
    stage.leader.remove(replica, 10_000.0)
    assert not stage.leader.outlived(13_600.0)
    assert stage.leader.outlived(13_601.0)
    stage.leader.limits.backlog_ttl = 0
    assert not stage.leader.outlived(99_999.0)


@pytest.mark.parametrize(
    ("text", "version"), [("7.4.0", (7, 4, 0)), ("7", (7,)), ("7.x", None), ("", None), ("1.2.3.4", None)]
)
def test_versions_are_numbers(text: str, version: tuple[int, ...] | None) -> None:
    assert version_of(text) == version
