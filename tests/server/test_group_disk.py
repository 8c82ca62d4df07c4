"""A voter whose disk is in the test's hands: it fails, fills, or blocks while entries come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pycache_server.repl.entries import beat, mark
from pycache_server.server import aof
from pycache_server.server.app import Doomed
from pycache_server.server.group import appended
from tests.server.group_voter import SEAT, VoterApp, kill, open_voter
from tests.server.test_appending import Disk, Talk
from tests.server.test_group_journal import commands, get, settled

Scene = Callable[[VoterApp, Disk], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., VoterApp]:
    """Runs a scene in a voter that leads, then kills it. What is found by the next start."""

    async def run(scene: Scene, options: dict[str, Any]) -> VoterApp:
        disk = Disk()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aof, "AppendFile", disk.open)
            app = await open_voter(tmp_path, appendonly="yes", **options)
        app.aof.open_file = disk.open
        app.voter.lead()
        try:
            await scene(app, disk)
        finally:
            disk.may_sync.set()
            disk.room, disk.broken_sync, disk.broken_cut = None, False, False
            await kill(app)
        found = await open_voter(tmp_path, appendonly="yes", **options)
        await kill(found)
        return found

    return lambda scene, **options: asyncio.run(run(scene, options))


async def connect(app: VoterApp, disk: Disk) -> Talk:
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    return Talk(reader, writer, disk)


async def until(true: Callable[[], Any]) -> None:
    deadline = asyncio.get_running_loop().time() + 20
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it has not become true"
        await asyncio.sleep(0.005)


def test_an_entry_is_on_the_disk_when_keep_returns(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        disk.events.clear()
        app.voter.keep(commands(1, "SET k v"))
        assert disk.names() == ["write", "sync"]

    assert get(play(scene, appendfsync="always"), "k") == b"v"


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_the_entries_of_a_round_are_one_write_before_their_replies(play: Callable[..., VoterApp], policy: str) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        client = await connect(app, disk)
        assert await client.call("SET", "k", "1") == "OK"
        disk.events.clear()
        client.send_all([["RPUSH", "l", number] for number in range(20)])
        assert [await client.read() for _ in range(20)] == list(range(1, 21))
        names = [name for name in disk.names() if name != "sync" or policy == "always"]
        assert names == (["write", "sync", "reply"] if policy == "always" else ["write", "reply"])
        assert disk.written().count(b"#PG:WRITE") == 1
        client.close()

    found = play(scene, appendfsync=policy)
    assert len(get(found, "l")) == 20
    assert (found.voter.saved is not None) == (policy == "always")


@pytest.mark.parametrize("what", ["write", "sync"])
def test_with_always_a_disk_that_fails_ends_the_server_before_anything_is_acknowledged(
    play: Callable[..., VoterApp], what: str
) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        app.voter.keep(commands(1, "SET k 1"))
        if what == "write":
            disk.room = 30
        else:
            disk.broken_sync = True
        with pytest.raises(Doomed):
            app.voter.keep(commands(1, "SET k 2"))

    found = play(scene, appendfsync="always")
    assert found.voter.saved is not None
    assert get(found, "k") == (b"1" if what == "write" else b"2")  # which nobody was told


def test_a_full_disk_holds_replies_and_refuses_writes_until_there_is_room(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        client, other = await connect(app, disk), await connect(app, disk)
        assert await client.call("SET", "k", "0") == "OK"
        disk.room = 10
        client.send("SET", "k", "1")
        await until(lambda: app.aof.appending.error is not None)
        assert await client.is_silent()
        assert "MISCONF" in str(await other.call("SET", "j", "1"))
        app.voter.keep(beat(1))
        app.voter.execute()
        disk.room = None
        assert await client.read() == "OK"
        assert await other.call("SET", "j", "1") == "OK"
        app.voter.journal.file._check()
        client.close()
        other.close()

    found = play(scene, appendfsync="everysec")
    assert get(found, "k") == b"1" and get(found, "j") == b"1"
    assert found.voter.journal.remains is not None


def test_what_waits_for_a_full_disk_is_bounded(play: Callable[..., VoterApp], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appended, "MOST_WAITING", 5000)

    async def scene(app: VoterApp, disk: Disk) -> None:
        disk.room = 0
        with pytest.raises(Doomed):
            app.voter.keep(*[beat(1)] * 100)

    play(scene, appendfsync="everysec")


def test_what_a_busy_disk_has_not_taken_can_be_cut(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter = app.voter
        voter.keep(commands(1, "SET k 1"))
        await until(lambda: not app.aof.appending._syncer.pending)
        end = voter.log.end
        disk.may_sync.clear()
        app.aof.appending._sync_begun -= 10
        voter.keep(commands(1, "SET k 2"))
        assert app.aof.appending._syncer.pending
        voter.keep(commands(1, "SET k 3"))
        voter.keep(commands(1, "SET k 4"))
        disk.may_sync.set()
        voter.cut(end)
        voter.keep(mark(2, SEAT, "0" * 40), commands(2, "SET j 1"))
        await until(lambda: not app.aof.appending._writer.pending)
        voter.journal.file._check()

    found = play(scene, appendfsync="everysec")
    assert get(found, "k") == b"1" and get(found, "j") == b"1"


def test_after_a_cut_the_file_says_at_once_that_not_all_of_it_is_synced(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter = app.voter
        end = voter.log.end
        app.settings.values["appendfsync"] = "everysec"
        app.aof.appending.configure()
        voter.keep(commands(1, "SET k 1"))
        voter.cut(end)
        disk.room = 0
        voter.keep(mark(2, SEAT, "0" * 40))  # which is acknowledged, as everysec wants it, and lost by a kill

    assert play(scene, appendfsync="always").voter.saved is None


def test_a_rewrite_that_finds_no_room_leaves_the_file_as_it_was(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        app.voter.keep(commands(1, "SET k 1"))
        disk.room = 5
        with pytest.raises(OSError, match="Can't execute"):
            app.aof.rewrite()
        disk.room = None
        app.voter.keep(commands(1, "SET j 1"))
        app.voter.journal.file._check()
        app.aof.rewrite()
        await settled(app)
        app.voter.keep(commands(1, "SET i 1"))

    found = play(scene, appendfsync="always")
    assert found.voter.saved is not None
    assert [get(found, key) for key in "kji"] == [b"1"] * 3


def test_a_file_that_cannot_be_cut_ends_the_server(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        end = app.voter.log.end
        app.voter.keep(commands(1, "SET k 1"))

        def fail(size: int) -> None:
            raise OSError(5, "Input/output error")

        file = app.aof.appending.file
        assert file is not None
        file.end_at = fail  # type: ignore[method-assign]
        with pytest.raises(Doomed):
            app.voter.cut(end)

    assert get(play(scene, appendfsync="always"), "k") == b"1"  # as if it had not been told of the cut


# What is on the disk


def test_with_always_all_that_is_kept_is_on_the_disk(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        for number in range(5):
            voter.keep(commands(1, f"SET k {number}"))
            assert file.durable() == voter.log.end == file.end

    play(scene, appendfsync="always")


def test_with_everysec_what_an_fsync_has_reached_is_on_the_disk(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        await until(lambda: not file._syncer.pending)
        before = file.durable()
        disk.may_sync.clear()
        file._sync_begun -= 10
        voter.keep(commands(1, "SET k 1"))
        assert file._syncer.pending
        covered = voter.log.end
        voter.keep(commands(1, "SET k 2"))  # another thread writes it
        voter.keep(commands(1, "SET k 3"))
        assert file.durable() == before < covered
        disk.may_sync.set()
        await until(lambda: not file._syncer.pending and not file._writer.pending)
        assert before < file.durable() == covered < voter.log.end
        file._sync_begun -= 10
        file.tick()
        await until(lambda: file.durable() == voter.log.end)

    play(scene, appendfsync="everysec")


def test_what_waits_to_be_written_is_not_on_the_disk(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        voter.keep(commands(1, "SET k 1"))
        file._sync_begun -= 10
        file.tick()
        await until(lambda: file.durable() == voter.log.end)
        end = voter.log.end
        disk.room = 0
        voter.keep(commands(1, "SET k 2"))
        file._unsynced, file._sync_begun = True, file._sync_begun - 10
        file.tick()
        await until(lambda: not file._syncer.pending)
        assert file.durable() == end < voter.log.end
        disk.room = None
        await until(lambda: file.error is None)
        file._sync_begun -= 10
        file.tick()
        await until(lambda: file.durable() == voter.log.end)

    play(scene, appendfsync="everysec")


def test_behind_a_cut_nothing_is_on_the_disk_that_was_there_before(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        await until(lambda: not file._syncer.pending)
        end = voter.log.end
        disk.may_sync.clear()
        file._sync_begun -= 10
        voter.keep(commands(1, "SET k " + "1" * 500))
        assert file._syncer.pending
        disk.may_sync.set()
        voter.cut(end)
        assert file.durable() <= end
        voter.keep(mark(2, SEAT, "0" * 40), commands(2, "SET j 1"))
        await until(lambda: not file._syncer.pending)
        assert file.durable() <= end < voter.log.end
        file._sync_begun -= 10
        file.tick()
        await until(lambda: file.durable() == voter.log.end)

    play(scene, appendfsync="everysec")


def test_after_an_fsync_that_failed_nothing_is_on_the_disk_before_a_rewrite(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        await until(lambda: not file._syncer.pending)
        disk.broken_sync = True
        file._sync_begun -= 10
        voter.keep(commands(1, "SET k 1"))
        await until(lambda: file.sync_error is not None)
        assert file.durable() == 0
        disk.broken_sync = False
        file._sync_begun -= 10
        file.tick()
        await until(lambda: file.sync_error is None)
        assert file.durable() == 0
        app.aof.tick()
        await settled(app)
        file._sync_begun -= 10
        voter.keep(commands(1, "SET k 2"))
        await until(lambda: file.durable() == voter.log.end)

    play(scene, appendfsync="everysec")


def test_with_no_fsync_nothing_more_is_known_to_be_on_the_disk(play: Callable[..., VoterApp]) -> None:
    async def scene(app: VoterApp, disk: Disk) -> None:
        voter, file = app.voter, app.voter.journal.file
        voter.keep(commands(1, "SET k 1"))
        file._sync_begun -= 10
        file.tick()
        assert not file._syncer.pending and file.durable() < voter.log.end

    play(scene, appendfsync="no")
