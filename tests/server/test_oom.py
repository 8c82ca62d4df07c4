"""oom-score-adj: the figure by which Linux chooses whom it ends first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pycache_server import Server
from pycache_server.server.app import App
from pycache_server.server.apply import CannotApply
from pycache_server.server.oom import FILE, MOST, SAVES, OomScore
from tests.server.group_voters import Lines, quiet_app
from tests.server.running import Running


def app_with(text: str) -> App:
    app = quiet_app(text)
    app.core.replication.on_role.remove(app.oom.follow)  # which would be about the process of the tests
    return app


def in_loop(check: Callable[[], None]) -> None:
    async def main() -> None:
        check()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("mode", "leading", "following", "saving"),
    [("no", 100, 100, 100), ("yes", 110, 120, 1000), ("relative", 110, 120, 1000), ("absolute", 10, 20, 1000)],
)
def test_the_figure_is_that_of_the_role(tmp_path: Path, mode: str, leading: int, following: int, saving: int) -> None:
    file = tmp_path / "oom_score_adj"
    file.write_text("100\n")

    def check() -> None:
        app = app_with(f"oom-score-adj {mode}\noom-score-adj-values 10 20 1500")
        score = OomScore(app, file)
        assert score.set() == ""
        assert int(file.read_text()) == leading
        app.follow.follow("127.0.0.1", 1)
        assert int(file.read_text()) == following
        score.set(SAVES)
        assert int(file.read_text()) == saving
        app.follow.lead()
        assert int(file.read_text()) == leading
        app.settings.values["oom-score-adj"] = "no"
        assert score.set() == ""
        assert int(file.read_text()) == 100
        app.follow.stop()

    in_loop(check)


def test_what_cannot_be_set_is_told(tmp_path: Path) -> None:
    def check() -> None:
        app = app_with("oom-score-adj yes")
        score = OomScore(app, tmp_path / "missing" / "file")
        assert score.set() == "Unable to set oom_score_adj: No such file or directory"
        score.follow()
        assert isinstance(app.log, Lines) and app.log.have("Unable to set oom_score_adj: No such file")

    in_loop(check)


@pytest.mark.process
@pytest.mark.skipif(not FILE.exists(), reason="this system has no such figures")
def test_a_server_sets_it_and_gives_it_back(tmp_path: Path) -> None:
    with Running(tmp_path, "--rdb-key-save-delay", "20000", "--save", "") as server:
        process = Path(f"/proc/{server.process.pid}")

        def figure() -> int:
            return int((process / "oom_score_adj").read_text())

        before = figure()
        assert server.call("CONFIG", "SET", "oom-score-adj-values", "5 10 800") == "OK"
        assert figure() == before
        assert server.call("CONFIG", "SET", "oom-score-adj", "relative") == "OK"
        assert figure() == min(before + 5, MOST)
        server.call("REPLICAOF", "127.0.0.1", "1")
        assert figure() == min(before + 10, MOST)
        server.call("REPLICAOF", "NO", "ONE")
        for number in range(50):
            server.call("SET", f"k{number}", "v")
        server.call("BGSAVE")
        children = process / "task" / process.name / "children"
        deadline = time.monotonic() + 10
        found = -MOST
        while found != min(before + 800, MOST):
            assert time.monotonic() < deadline, found
            for child in children.read_text().split():
                found = int(Path(f"/proc/{child}/oom_score_adj").read_text())
        assert server.call("CONFIG", "SET", "oom-score-adj", "no") == "OK"
        assert figure() == before
        problem = "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
        for values in ("-2001 0 0", "0 0 2001", "0 x 0"):
            assert problem in str(server.call("CONFIG", "SET", "oom-score-adj-values", values))
        assert server.call("CONFIG", "SET", "oom-score-adj-values", "9 8 7") == "OK"
        assert "may not work for non-privileged processes" in server.log()
        assert server.call("CONFIG", "SET", "activedefrag", "yes") == "OK"
        assert "The directive 'activedefrag' is known but has no effect here" in server.log()


def test_a_server_in_another_program_leaves_the_process_alone() -> None:
    async def main() -> None:
        with pytest.raises(CannotApply, match="the program that the server is embedded in"):
            async with Server(oom_score_adj="yes"):
                pass

    asyncio.run(main())
