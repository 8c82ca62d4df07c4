"""What of a group's data outlives a restart without an append-only file, and where an image takes the place of all."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pycache_server.election.state import Durable
from pycache_server.repl.entries import Entry, beat, voters
from pycache_server.repl.links import Image
from pycache_server.server.app import Doomed
from pycache_server.server.embed import Server
from tests.conftest import free_port, require_program
from tests.server.group_voter import SEAT, VOTERS, VoterApp, kill, open_voter
from tests.server.running import Wire
from tests.server.test_group_journal import ALWAYS, EVERYSEC, again, commands, get, is_whole, led, run, settled

# Images


async def image_of(directory: Path, end: int) -> tuple[Image, bytes]:
    directory.mkdir()
    async with Server(dir=directory) as other:
        row = other.app.core.tables.normal[b"set"]
        row.resolve([b"SET", b"i", b"1"]).run(other.app.core.make_session(), [b"SET", b"i", b"1"])
        assert other.app.saves.save()
    data = (directory / "dump.rdb").read_bytes()
    return Image(7, ((1, 0), (7, 50)), end, VOTERS, end, 40, end, None), data


async def install(app: VoterApp, image: Image, data: bytes, source: Any) -> tuple[Entry, ...]:
    voter = app.voter
    dropped = tuple(voter.log.since(image.cut) or ()) if voter.log.end > image.cut else ()
    app.loads.load_now(data)
    app.core.replication.history.offset = image.end
    voter.log.adopt(image.table, image.end, image.voters)
    voter.journal.install(image, dropped, source)
    return dropped


@pytest.mark.parametrize("source", ["path", "bytes", "keyspace", "prepared", "gone"])
@pytest.mark.parametrize("rewriting", [False, True])
def test_an_image_takes_the_place_of_the_files(tmp_path: Path, source: str, rewriting: bool) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        image, data = await image_of(tmp_path / "other", 5000)
        if rewriting:
            old.aof.rewrite()
        first = old.voter.log.end - len(beat(1).data) - len(commands(1, "SET d 4").data)
        image = Image(7, image.table, 5000, VOTERS, 5000, first, 5000, None)
        path = tmp_path / "other" / "dump.rdb"
        sources = {"path": path, "bytes": data, "keyspace": None}
        if source == "prepared":
            sources[source] = await old.voter.journal.prepare(path)
            assert sources[source] is not None
        elif source == "gone":
            sources[source] = await old.voter.journal.prepare(tmp_path / "nothing")
            assert sources[source] is None
        dropped = await install(old, image, data, sources[source])
        assert len(dropped) == 2
        text = (tmp_path / f"group-dropped-1-{first}.aof").read_bytes()
        assert b"SET" in text and dropped[1].data in text
        old.voter.keep(commands(7, "SELECT 0", "SET j 2"))
        await settled(old)
        app = await again(old, **ALWAYS)
        saved = app.voter.saved
        assert saved is not None and saved.base == 5000 and saved.table == image.table and len(saved.entries) == 1
        assert get(app, "i") == b"1" and get(app, "j") == b"2" and get(app, "a") is None
        left = [path.name for path in (tmp_path / "appendonlydir").iterdir()]
        assert set(left) == {left_file(left, ".base."), left_file(left, ".incr."), "appendonly.aof.manifest"}
        await kill(app)

    run(test())


def left_file(names: list[str], kind: str) -> str:
    (name,) = [name for name in names if kind in name]  # its number depends on whether the rewrite had ended
    return name


def test_a_file_that_cannot_take_an_image_ends_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        image, data = await image_of(tmp_path / "other", 5000)

        def fail(*words: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(old.aof.directory, "persist", fail)
            with pytest.raises(Doomed):
                await install(old, image, data, None)
        app = await again(old, **ALWAYS)
        assert app.voter.saved is not None and get(app, "a") == b"1"  # as if the image had not come
        await kill(app)

    run(test())


def test_what_a_dump_tells_of_its_place_remains_for_an_operator(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.saves.save()
        app = await again(old)
        assert app.voter.saved is None
        applied = old.voter.log.applied
        assert app.voter.journal.remains == (old.voter.log.epochs.table, applied, VOTERS, ())
        await kill(app)

    run(test())


# Without an append-only file


def test_a_clean_end_that_saves_keeps_everything_for_one_start(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        app = await again(old, clean=True, options=("save",))
        assert is_whole(app, old)
        assert app.voter.journal.database == 3
        assert not (tmp_path / "group-test.saved").exists()
        app = await again(app)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_what_is_kept_after_a_clean_end_takes_it_back(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.shut_down(("save",))
        assert (tmp_path / "group-test.saved").exists()
        old.voter.keep(beat(1))
        assert not (tmp_path / "group-test.saved").exists()
        app = await again(old)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_nothing_is_kept_behind_the_clean_end_of_a_file(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path, **EVERYSEC)
        assert old.shut_down()
        old.voter.keep(beat(1))
        await old.stop()
        with pytest.raises(OSError, match="clean end"):
            old.voter.journal.keep((beat(1),))
        with pytest.raises(OSError, match="clean end"):
            old.voter.journal.cut(0)
        app = await open_voter(tmp_path, **EVERYSEC)
        assert is_whole(app, old)
        await kill(app)

    run(test())


@pytest.mark.parametrize("options", [(), ("nosave",)])
def test_a_clean_end_that_does_not_save_is_a_loss(tmp_path: Path, options: tuple[str, ...]) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.saves.save()
        old.voter.execute()
        app = await again(old, clean=True, options=options)
        assert app.voter.saved is None and get(app, "a") == b"1"
        await kill(app)

    run(test())


def test_a_dump_of_before_an_image_is_not_taken_for_one_of_after_it(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.saves.save()
        image, data = await image_of(tmp_path / "other", old.core.replication.history.offset)
        await install(old, image, data, None)
        app = await again(old, clean=True, options=("nosave",))
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_another_dump_than_that_of_the_clean_end_is_a_loss(tmp_path: Path) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.saves.save()
        shutil.copy(tmp_path / "dump.rdb", tmp_path / "old.rdb")
        assert old.shut_down(("save",))
        await old.stop()
        shutil.copy(tmp_path / "old.rdb", tmp_path / "dump.rdb")
        app = await open_voter(tmp_path)
        assert app.voter.saved is None and "does not belong" in app.voter.journal.why
        await kill(app)

    run(test())


@pytest.mark.parametrize("kept", range(0, 400, 21))
def test_what_is_left_of_a_clean_end_is_whole_or_a_loss(tmp_path: Path, kept: int) -> None:
    async def test() -> None:
        old = await led(tmp_path)
        assert old.shut_down(("save",))
        await old.stop()
        path = tmp_path / "group-test.saved"
        path.write_bytes(path.read_bytes()[:kept])
        app = await open_voter(tmp_path)
        assert app.voter.saved is None
        await kill(app)

    run(test())


def test_a_voter_without_state_and_data_has_lost_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        app = await open_voter(tmp_path)
        assert app.voter.saved == ((), 0, VOTERS, ())
        app = await again(app)
        assert app.voter.saved == ((), 0, VOTERS, ())
        app.voter.state_file.write(Durable(SEAT, "b", 1, SEAT, True))
        app = await again(app)
        assert app.voter.saved is None
        await kill(app)

    run(test())


# Real Redis


def test_a_real_redis_reads_the_files_of_a_voter(tmp_path: Path) -> None:
    check, program = require_program("redis-check-aof"), require_program("redis-server")

    async def test() -> None:
        old = await led(tmp_path, **ALWAYS)
        old.aof.rewrite()
        old.voter.keep(commands(1, "SET e 5"), voters(1, VOTERS), beat(1))
        await settled(old)
        assert old.shut_down()
        await old.stop()

    run(test())
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    found = subprocess.run([check, str(manifest)], capture_output=True, text=True)
    assert found.returncode == 0 and "is valid" in found.stdout, found.stdout + found.stderr
    port = free_port()
    words = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--appendonly",
        "yes",
        "--save",
        "",
        "--dir",
        tmp_path,
    ]
    with (tmp_path / "redis.log").open("wb") as output:
        process = subprocess.Popen([str(word) for word in words], stdout=output, stderr=output)
    try:
        with connected(port) as wire:
            assert [wire.call("GET", "a"), wire.call("GET", "b")] == ["1", "2"]
            assert wire.call("SELECT", "3") == "OK"
            assert [wire.call("GET", key) for key in "cde"] == ["3", "4", "5"]
            assert wire.call("DBSIZE") == 3
    finally:
        process.kill()
        process.wait()


def connected(port: int) -> Wire:
    """A connection to a server that is about to be there, and has its data."""
    deadline = time.monotonic() + 20
    while True:
        try:
            wire = Wire(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
            continue
        if wire.call("PING") == "PONG":
            return wire
        wire.close()
        assert time.monotonic() < deadline
