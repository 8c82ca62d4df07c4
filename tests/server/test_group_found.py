"""What a voter finds at its start though it has no state file: its group's data, or those of no group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycache_server.election.state import Durable
from pycache_server.repl.member import Saved
from pycache_server.server.embed import Server
from tests.server.group_voter import VOTERS, VoterApp, kill, open_voter
from tests.server.test_group_journal import ALWAYS, again, get, led, run

WAYS: dict[str, dict[str, Any]] = {"always": ALWAYS, "off": {}}


async def stopped(directory: Path, clean: bool, **settings: object) -> None:
    """A voter of a group has been there, and its state file is lost."""
    app = await led(directory, **settings)
    if clean:
        assert app.shut_down(("save",))
        await app.stop()
    else:
        await kill(app)
    (directory / "group-test.state").unlink()


def found(app: VoterApp) -> list[Any]:
    assert app.voter.saved is None and app.voter.journal.holds_found
    return [get(app, "a"), get(app, "c", 3), get(app, "d", 3)]


@pytest.mark.parametrize("now", WAYS)
def test_an_append_only_file_is_found_whether_one_is_configured_or_not(tmp_path: Path, now: str) -> None:
    async def test() -> None:
        await stopped(tmp_path, clean=False, **ALWAYS)
        app = await open_voter(tmp_path, **WAYS[now])
        assert found(app) == [b"1", b"3", b"4"]
        assert app.voter.journal.remains is not None and app.voter.journal.remains.table == ((1, 0),)
        app = await again(app, **WAYS[now])
        assert found(app) == [b"1", b"3", b"4"]
        await kill(app)

    run(test())


@pytest.mark.parametrize("now", WAYS)
def test_a_snapshot_is_found_with_what_a_clean_end_has_left_beside_it_at_each_start(tmp_path: Path, now: str) -> None:
    async def test() -> None:
        await stopped(tmp_path, clean=True)
        assert (tmp_path / "group-test.saved").exists()
        for _ in range(3):
            app = await open_voter(tmp_path, **WAYS[now])
            assert found(app) == [b"1", b"3", b"4"]
            await kill(app)

    run(test())


def test_what_is_adopted_is_in_the_file_and_no_longer_found(tmp_path: Path) -> None:
    async def test() -> None:
        await stopped(tmp_path, clean=True)
        app = await open_voter(tmp_path, **ALWAYS)
        app.voter.journal.adopt(Saved(((5, 0),), 100, VOTERS, ()))
        assert not app.voter.journal.holds_found and not (tmp_path / "group-test.saved").exists()
        app.voter.state_file.write(Durable(VOTERS[0], "birth", 5, None, True, table=((5, 0),)))
        app = await again(app, **ALWAYS)
        assert app.voter.saved is not None and app.voter.saved.base == 100
        assert [get(app, "a"), get(app, "d", 3)] == [b"1", b"4"]
        await kill(app)

    run(test())


def test_what_was_put_aside_before_stays(tmp_path: Path) -> None:
    async def test() -> None:
        first = tmp_path / "group-test-dropped.rdb"
        first.write_bytes(b"of the last time")
        await stopped(tmp_path, clean=False, **ALWAYS)
        app = await open_voter(tmp_path, **ALWAYS)
        app.voter.journal.put_aside()
        app.voter.journal.put_aside()  # nothing is found any more
        await kill(app)
        assert first.read_bytes() == b"of the last time"
        assert sorted(tmp_path.glob("group-test-dropped*")) == [tmp_path / "group-test-dropped-2.rdb", first]
        async with Server(dir=tmp_path, dbfilename="group-test-dropped-2.rdb") as plain:
            assert get(plain.app, "a") == b"1"

    run(test())


def test_libraries_of_functions_are_data(tmp_path: Path) -> None:
    pytest.importorskip("lupa")

    async def test() -> None:
        async with Server(dir=tmp_path) as plain:
            session = plain.app.core.make_session()
            code = b"#!lua name=l\nredis.register_function('f', function() return 1 end)"
            for words in ([b"FUNCTION", b"LOAD", code], [b"SAVE"]):
                plain.app.core.tables.normal[words[0].lower()].resolve(words).run(session, words)
        app = await open_voter(tmp_path)
        assert app.voter.saved is None and app.voter.journal.holds_found
        await kill(app)

    run(test())


def test_files_without_anything_in_them_are_no_data(tmp_path: Path) -> None:
    async def test() -> None:
        async with Server(dir=tmp_path, **ALWAYS) as plain:
            assert plain.app.core.keyspace.databases[0].size == 0
        for settings in (ALWAYS, {}):
            app = await open_voter(tmp_path, **settings)
            assert not app.voter.journal.holds_found
            await kill(app)

    run(test())
