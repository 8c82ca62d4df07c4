"""What of a group's data outlives a restart: the append-only file, and what a clean end leaves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from pycache_server.repl.entries import Entry, beat, mark, voters, write
from pycache_server.resp.encode import encode_texts
from pycache_server.server.app import App
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.embed import Server
from pycache_server.server.loads import CannotLoad
from tests.server.group_voter import SEAT, VOTERS, VoterApp, kill, open_voter

ALWAYS: dict[str, Any] = {"appendonly": "yes", "appendfsync": "always"}
EVERYSEC: dict[str, Any] = {"appendonly": "yes", "appendfsync": "everysec"}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def commands(epoch: int, *lines: str) -> Entry:
    return write(epoch, b"".join(encode_texts([word.encode() for word in line.split()]) for line in lines))


def get(app: App, key: str, database: int = 0) -> Any:
    return app.core.keyspace.databases[database].find(key.encode())


async def again(app: VoterApp, clean: bool = False, options: tuple[str, ...] = (), **settings: object) -> VoterApp:
    """The voter after a restart: a kill, or a clean end."""
    directory = Path(str(app.settings["dir"]))
    if clean:
        assert app.shut_down(options)
        await app.stop()
    else:
        await kill(app)
    return await open_voter(directory, **settings)


async def led(directory: Path, **settings: object) -> VoterApp:
    """A voter of a group that has written something, and holds something that it has not executed."""
    app = await open_voter(directory, **settings)
    voter = app.voter
    voter.lead()
    voter.keep(commands(1, "SELECT 0", "SET a 1", "SET b 2"), beat(1))
    voter.keep(commands(1, "SELECT 3", "SET c 3"))
    voter.execute()
    voter.keep(commands(1, "SET d 4"), beat(1))
    return app


def is_whole(app: VoterApp, like: VoterApp) -> bool:
    """Whether all that the one held has been found by the other."""
    log, saved = like.voter.log, app.voter.saved
    if saved is None:
        return False
    end = saved.base + sum(len(entry.data) for entry in saved.entries)
    assert saved.table == log.epochs.table
    assert end == log.end == app.core.replication.history.offset == app.voter.journal.end
    assert list(saved.entries) == [*(log.since(log.base) or [])][-len(saved.entries) or len(log.since(0) or ()) :]
    return [get(app, "a"), get(app, "c", 3), get(app, "d", 3)] == [b"1", b"3", b"4"]


async def settled(app: VoterApp) -> None:
    """Wait for the end of a rewrite."""
    while app.aof.rewrites.begun is not None:
        await asyncio.sleep(0.005)


def aof_files(app: VoterApp) -> list[Path]:
    return [app.aof.directory.file(part.name) for part in app.aof.manifest.parts()]


# With appendfsync always


def test_entries_outlive_a_kill(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        assert old.voter.saved == ((), 0, VOTERS, ())
        app = await again(old, **ALWAYS)
        assert is_whole(app, old)
        assert app.voter.journal.database == 3
        await kill(app)

    run(test())


def test_a_voter_goes_on_after_several_kills(tmp_path: Path) -> None:
    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        for number in range(4):
            app = await again(app, **ALWAYS)
            epoch = app.voter.epoch
            assert epoch == number + 2
            app.voter.keep(mark(epoch, SEAT, "0" * 40), commands(epoch, f"SET n {number}"))
        old, app = app, await again(app, **ALWAYS)
        assert is_whole(app, old)
        assert [epoch for epoch, _ in app.voter.log.epochs.table] == [1, 2, 3, 4, 5]
        assert get(app, "n", 3) == b"3"
        await kill(app)

    run(test())


def test_what_was_cut_is_gone_and_what_follows_is_there(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        voter = old.voter
        end = voter.log.end
        voter.keep(commands(1, "SET d wrong"), commands(1, "SET e wrong"), beat(1))
        voter.cut(end)
        voter.journal.file._check()
        voter.keep(mark(2, SEAT, "0" * 40), commands(2, "SET f right"))
        app = await again(old, **ALWAYS)
        assert is_whole(app, old)
        assert get(app, "e", 3) is None and get(app, "f", 3) == b"right"
        await kill(app)

    run(test())


def test_a_cut_behind_forgotten_marks_is_found_in_the_file(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        voter = old.voter
        end = voter.log.end
        voter.keep(commands(1, "SET e wrong"))
        voter.journal.trim(voter.log.end)
        voter.cut(end)
        app = await again(old, **ALWAYS)
        assert is_whole(app, old) and get(app, "e", 3) is None
        await kill(app)

    run(test())


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_rewrite_keeps_what_is_not_executed_and_that_can_be_cut(tmp_path: Path, preamble: str) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS, aof_use_rdb_preamble=preamble)
        voter = old.voter
        old.aof.rewrite()
        end = voter.log.end
        voter.keep(commands(1, "SET e wrong"))
        await settled(old)
        assert len(old.aof.manifest.parts()) == 2
        voter.cut(end)
        voter.keep(beat(1))
        voter.journal.file._check()
        app = await again(old, **ALWAYS)
        assert is_whole(app, old) and get(app, "e", 3) is None
        assert app.voter.saved is not None and app.voter.saved.base == voter.log.applied
        await kill(app)

    run(test())


def test_what_is_not_executed_can_be_cut_after_a_rewrite(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.aof.rewrite()
        old.voter.cut(old.voter.log.applied)
        await settled(old)
        old.voter.keep(mark(2, SEAT, "0" * 40))
        app = await again(old, **ALWAYS)
        assert app.voter.saved is not None and app.voter.saved.table == old.voter.log.epochs.table
        assert get(app, "c", 3) == b"3" and get(app, "d", 3) is None
        await kill(app)

    run(test())


def test_a_kill_during_a_rewrite_finds_everything_once(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.voter.keep(commands(1, "RPUSH list x"))
        old.aof.rewrite()
        old.voter.keep(commands(1, "RPUSH list y"))
        app = await again(old, **ALWAYS)
        assert len(app.aof.manifest.parts()) == 3
        assert is_whole(app, old)
        assert list(get(app, "list", 3)) == [b"x", b"y"]
        await kill(app)

    run(test())


def test_a_kill_before_the_old_increment_is_shortened_executes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: AppendFile, size: int) -> None:
        raise OSError(5, "Input/output error")

    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.voter.keep(commands(1, "RPUSH list x"))
        with monkeypatch.context() as patch:
            patch.setattr(AppendFile, "end_at", fail)
            old.aof.rewrite()
        old.voter.keep(commands(1, "RPUSH list y"))
        app = await again(old, **ALWAYS)
        assert is_whole(app, old)
        assert list(get(app, "list", 3)) == [b"x", b"y"]
        await kill(app)

    run(test())


def test_a_rewrite_of_the_leader_begins_with_what_it_has_executed_in_this_round(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.voter.execute()
        session = old.core.make_session()
        old.core.tables.normal[b"set"].resolve([b"SET", b"k", b"v"]).run(session, [b"SET", b"k", b"v"])
        assert old.voter.fresh
        old.aof.rewrite()
        assert not old.voter.fresh
        await settled(old)
        app = await again(old, **ALWAYS)
        assert is_whole(app, old) and get(app, "k") == b"v"
        await kill(app)

    run(test())


def test_few_entries_are_returned_and_all_are_executed(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        seats = ("x:1", "y:1")
        old.voter.keep(voters(1, seats))
        for number in range(300):
            old.voter.keep(commands(1, f"SET key{number} {'x' * 100}"))
        app = await again(old, **ALWAYS, repl_backlog_size=16384)
        assert is_whole(app, old)
        saved = app.voter.saved
        assert saved is not None and 0 < old.voter.log.end - saved.base <= 16384
        assert saved.voters == seats and app.voter.log.voters == seats
        assert get(app, "key0", 3) == b"x" * 100
        app.voter.keep(beat(1))
        app.aof.rewrite()
        await settled(app)
        app.voter.execute()
        later = await again(app, **ALWAYS)
        assert later.voter.log.voters == seats and get(later, "a") == b"1"
        await kill(later)

    run(test())


@pytest.mark.parametrize("lost", range(1, 120, 7))
def test_an_end_that_is_missing_is_cut_off_at_an_entry(tmp_path: Path, lost: int) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.voter.keep(commands(1, "MULTI", "SET d wrong", "SET e wrong", "EXEC"))
        size = aof_files(old)[-1].stat().st_size
        path = aof_files(old)[-1]
        await kill(old)
        with path.open("rb+") as stream:
            stream.truncate(size - lost)
        app = await open_voter(tmp_path, **ALWAYS)
        assert is_whole_without_last(app, old)
        app.voter.keep(beat(1))
        last = await again(app, **ALWAYS)
        assert last.voter.saved is not None and last.voter.log.end == app.voter.log.end
        await kill(last)

    def is_whole_without_last(app: VoterApp, old: VoterApp) -> bool:
        *rest, _ = old.voter.log.since(0) or []
        saved = app.voter.saved
        return saved is not None and list(saved.entries) == rest and get(app, "d", 3) == b"4"

    run(test())


def test_an_end_that_is_missing_is_refused_without_aof_load_truncated(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        path = aof_files(old)[-1]
        await kill(old)
        with path.open("rb+") as stream:
            stream.truncate(path.stat().st_size - 3)
        with pytest.raises(CannotLoad):
            await open_voter(tmp_path, **ALWAYS, aof_load_truncated="no")

    run(test())


@pytest.mark.parametrize("place", range(0, 400, 13))
def test_a_byte_that_has_changed_is_never_taken_for_the_truth(tmp_path: Path, place: int) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        path = aof_files(old)[-1]
        await kill(old)
        data = bytearray(path.read_bytes())
        place_in_file = place % len(data)
        data[place_in_file] ^= 0x15
        path.write_bytes(data)
        try:
            app = await open_voter(tmp_path, **ALWAYS)
        except CannotLoad:
            return
        saved = app.voter.saved
        kept = tuple(old.voter.log.since(0) or ())
        if saved is not None:
            assert saved.entries == kept[: len(saved.entries)]  # a line of a mode, or a length beyond the end
        await kill(app)

    run(test())


# Otherwise


def test_a_kill_loses_the_memory_without_appendfsync_always_and_a_clean_end_does_not(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **EVERYSEC)
        app = await again(old, clean=True, **EVERYSEC)
        assert is_whole(app, old)
        app.voter.keep(beat(1))
        killed = await again(app, **EVERYSEC)
        assert killed.voter.saved is None
        assert "appendfsync always" in killed.voter.journal.why
        remains = killed.voter.journal.remains
        assert remains is not None and remains.table == old.voter.log.epochs.table
        assert get(killed, "a") == b"1"
        again_killed = await again(killed, **ALWAYS)
        assert again_killed.voter.saved is None
        await kill(again_killed)

    run(test())


def test_a_clean_end_counts_once(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **EVERYSEC)
        app = await again(old, clean=True, **EVERYSEC)
        assert app.voter.saved is not None
        app = await again(app, **EVERYSEC)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_a_change_of_appendfsync_is_in_the_file(tmp_path: Path) -> None:
    async def change(app: VoterApp, value: str) -> None:
        app.settings.values["appendfsync"] = value
        app.aof.appending.configure()

    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        await change(app, "everysec")
        app.voter.keep(beat(1))
        await change(app, "always")
        app.voter.keep(beat(1))
        app.voter.journal.file._check()
        app = await again(app, **ALWAYS)
        assert app.voter.saved is not None
        await change(app, "everysec")
        app = await again(app, **ALWAYS)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_the_history_begins_anew_after_a_loss(tmp_path: Path) -> None:
    async def test() -> None:
        app = await again(await led(tmp_path, **EVERYSEC), **ALWAYS)
        assert app.voter.saved is None and get(app, "a") == b"1"
        app.voter.keep(mark(5, SEAT, "0" * 40), commands(5, "SELECT 0", "SET z 1"))
        assert get(app, "a") is None
        app.voter.execute()
        old, app = app, await again(app, **ALWAYS)
        assert app.voter.saved is not None and app.voter.saved.table == ((5, 0),)
        assert get(app, "a") is None and get(app, "z") == b"1"
        assert app.voter.log.end == old.voter.log.end
        await kill(app)

    run(test())


def test_an_operators_word_makes_what_remains_the_groups(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **EVERYSEC)
        app = await again(old, **ALWAYS)
        remains = app.voter.journal.remains
        assert remains is not None
        app.voter.begin(remains)
        app.voter.journal.adopt(remains)
        app.voter.keep(mark(9, SEAT, "0" * 40))
        app.voter.promise(True)
        last = await again(app, **ALWAYS)
        assert last.voter.saved is not None and last.voter.log.end == app.voter.log.end
        assert get(last, "d", 3) == b"4"
        await kill(last)

    run(test())


def test_a_voter_that_is_not_whole_is_not_made_whole_by_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        app.voter.promise(False)
        app = await again(app, **ALWAYS)
        assert app.voter.saved is None and app.voter.journal.remains is not None
        await kill(app)

    run(test())


def test_files_that_are_older_than_the_state_file_are_not_believed(tmp_path: Path) -> None:
    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        shutil.copytree(tmp_path / "appendonlydir", tmp_path / "backup")
        app.voter.keep(commands(1, "SET e 1"))
        app.voter.keep(mark(2, SEAT, "0" * 40))
        app.voter.promise(True)
        await kill(app)
        shutil.rmtree(tmp_path / "appendonlydir")
        (tmp_path / "backup").rename(tmp_path / "appendonlydir")
        app = await open_voter(tmp_path, **ALWAYS)
        assert app.voter.saved is None and "older" in app.voter.journal.why
        await kill(app)

    run(test())


def test_files_that_are_gone_are_a_loss(tmp_path: Path) -> None:
    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        await kill(app)
        shutil.rmtree(tmp_path / "appendonlydir")
        app = await open_voter(tmp_path, **ALWAYS)
        assert app.voter.saved is None
        app = await again(app, **ALWAYS)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_files_that_somebody_else_has_written_to_are_a_loss(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        await kill(old)
        async with Server(dir=tmp_path, **ALWAYS) as plain:
            assert get(plain.app, "a") == b"1"
            session = plain.app.core.make_session()
            row = plain.app.core.tables.normal[b"set"]
            row.resolve([b"SET", b"k", b"v"]).run(session, [b"SET", b"k", b"v"])
        app = await open_voter(tmp_path, **ALWAYS)
        assert app.voter.saved is None and "others" in app.voter.journal.why
        assert get(app, "k") == b"v"
        await kill(app)

    run(test())


def test_data_of_no_group_are_kept_for_the_operator_when_one_forms_without_them(tmp_path: Path) -> None:
    async def test() -> None:
        async with Server(dir=tmp_path, **ALWAYS) as plain:
            row = plain.app.core.tables.normal[b"set"]
            row.resolve([b"SET", b"k", b"v"]).run(plain.app.core.make_session(), [b"SET", b"k", b"v"])
        app = await open_voter(tmp_path, **ALWAYS)
        assert app.voter.saved is None and get(app, "k") == b"v"
        app.voter.lead()
        assert get(app, "k") is None
        async with Server(dir=tmp_path, dbfilename="group-test-dropped.rdb") as plain:
            assert get(plain.app, "k") == b"v"
        old, app = app, await again(app, **ALWAYS)
        assert app.voter.saved is not None and app.voter.log.end == old.voter.log.end
        await kill(app)

    run(test())


def test_appending_that_was_off_for_a_while_is_a_loss(tmp_path: Path) -> None:
    async def test() -> None:
        app = await led(tmp_path, **ALWAYS)
        app.aof.switch(False)
        app.voter.keep(beat(1))
        app = await again(app, **ALWAYS)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_a_start_without_appending_is_a_loss_for_the_next_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        app = await again(await led(tmp_path, **ALWAYS))
        assert app.voter.saved is None
        app = await again(app, **ALWAYS)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_a_start_without_appending_after_a_torn_write_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        path = aof_files(old)[-1]
        await kill(old)
        with path.open("rb+") as stream:
            stream.truncate(path.stat().st_size - 5)
        app = await again(await open_voter(tmp_path), **ALWAYS)
        assert app.voter.saved is None and get(app, "a") == b"1"
        await kill(app)

    run(test())


def test_appending_that_is_switched_on_holds_everything(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, appendfsync="always")
        old.aof.enable()
        old.voter.keep(commands(1, "SET e 1"))
        await settled(old)
        assert old.aof.state == "on"
        app = await again(old, **ALWAYS)
        assert is_whole(app, old) and get(app, "e", 3) == b"1"
        await kill(app)

    run(test())
