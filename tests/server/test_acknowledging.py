"""What a follower tells of its own disk: never more than an fsync has covered, and all of it in the end."""

from __future__ import annotations

import random
from typing import Any

import hiredis
import pytest

from pycache_server.server import acknowledging
from pycache_server.server.acknowledging import Acknowledging
from pycache_server.testing.inprocess import World


class File:
    """An append-only file; the test moves what is on the disk."""

    def __init__(self) -> None:
        self.synced = 0
        self.is_whole = True


class Follower:
    """A follower whose stream and file the test moves."""

    def __init__(self, world: World, file: File | None = None) -> None:
        self.core = world.core
        self.file = file
        self.core.syncs.local = file
        self.sent: list[list[bytes]] = []
        self.told = Acknowledging(world.core, self._take)
        self.told.begin()

    def _take(self, data: bytes) -> None:
        reader = hiredis.Reader()
        reader.feed(data)
        self.sent.append(reader.gets())

    def apply(self, size: int, changes: int = 1) -> None:
        self.core.replication.history.offset += size
        self.core.feed.position += changes
        self.told.note()

    def sync(self, position: int) -> None:
        assert self.file is not None
        self.file.synced = max(self.file.synced, position)
        self.core.syncs.moved()

    def say(self) -> list[Any]:
        self.told.tell()
        return self.sent[-1][1:]


@pytest.fixture
def follower(world: World) -> Follower:
    return Follower(world, File())


def test_without_a_file_nothing_is_said_of_disks(world: World) -> None:
    follower = Follower(world)
    follower.apply(10)
    assert follower.say() == [b"ACK", b"10"]


def test_what_is_on_the_disk_is_told_beside_what_is_applied(follower: Follower) -> None:
    follower.apply(10)
    follower.apply(20)
    assert follower.say() == [b"ACK", b"30", b"FACK", b"0"]
    follower.sync(1)
    assert follower.say() == [b"ACK", b"30", b"FACK", b"10"]
    follower.sync(2)
    assert follower.say() == [b"ACK", b"30", b"FACK", b"30"]


def test_what_changes_nothing_is_on_the_disk_with_what_was_before_it(follower: Follower) -> None:
    follower.apply(10)
    follower.sync(1)
    follower.apply(14, changes=0)
    assert follower.say() == [b"ACK", b"24", b"FACK", b"24"]


def test_the_master_hears_when_what_it_was_told_is_on_the_disk(follower: Follower) -> None:
    follower.apply(10)
    follower.say()
    follower.apply(10)
    follower.sync(1)
    assert follower.sent[-1][1:] == [b"ACK", b"20", b"FACK", b"10"]
    follower.sync(2)
    assert follower.sent[-1][1:] == [b"ACK", b"20", b"FACK", b"20"]
    count = len(follower.sent)
    follower.sync(2)
    assert len(follower.sent) == count


def test_nothing_is_said_on_a_link_that_is_gone(follower: Follower) -> None:
    follower.apply(10)
    follower.say()
    follower.told.end()
    follower.sync(1)
    assert len(follower.sent) == 1


def test_nothing_is_on_the_disk_before_the_base_is(follower: Follower) -> None:
    assert follower.file is not None
    follower.file.is_whole = False
    follower.apply(10)
    follower.sync(1)
    assert follower.say() == [b"ACK", b"10"]
    follower.file.is_whole = True
    assert follower.say() == [b"ACK", b"10", b"FACK", b"10"]


def test_another_stream_begins_with_nothing(follower: Follower) -> None:
    follower.apply(1000)
    follower.sync(1)
    assert follower.told.durable() == 1000
    follower.core.replication.history.offset = 5
    follower.core.feed.position += 1
    follower.told.begin()
    assert follower.say() == [b"ACK", b"5", b"FACK", b"0"]
    follower.sync(2)
    assert follower.say() == [b"ACK", b"5", b"FACK", b"5"]


@pytest.mark.parametrize("seed", range(10))
def test_never_too_much_is_told_and_no_notes_pile_up(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(acknowledging, "MOST_NOTES", 8)
    chance = random.Random(seed)
    follower = Follower(world, File())
    ends = [(0, 0)]
    for _ in range(500):
        follower.apply(chance.randrange(1, 50), changes=chance.choice((0, 1, 1, 3)))
        ends.append((follower.core.feed.position, follower.core.replication.history.offset))
        if chance.random() < 0.05:
            follower.sync(chance.choice(ends[-20:])[0] if chance.random() < 0.7 else follower.core.feed.position)
        durable = follower.told.durable()
        synced = follower.file.synced  # type: ignore[union-attr]
        assert durable is not None and durable <= max(end for position, end in ends if position <= synced), seed
        assert len(follower.told._notes) <= 8
    follower.sync(follower.core.feed.position)
    assert follower.told.durable() == follower.core.replication.history.offset
