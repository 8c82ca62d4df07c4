"""What all tests share: the marks, and a real redis-server to compare with."""

from __future__ import annotations

import gc
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bench.common import free_port
from pycache_server.testing.inprocess import World
from tests.peers import client, our_client, ours, peer  # noqa: F401  (fixtures)

pytest_plugins = ["tests.compared"]
_OBJECTS_OF_A_WORLD = 50_000
"""About as many containers as a server in process makes; the suite makes some thousand servers."""
_with_slow = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take long, too")


def pytest_configure(config: pytest.Config) -> None:
    global _with_slow
    _with_slow = config.getoption("--slow")
    settings.register_profile("here", max_examples=more_in_ci(30, 100))
    settings.load_profile("here")
    _may_keep_compiled(config)


def _may_keep_compiled(config: pytest.Config) -> None:
    """Where Python may not keep compiled code beside the source, it is kept with what pytest keeps: to rewrite the
    assertions of all files takes 7 s in each worker, and to compile a server half of its start."""
    cache = getattr(config, "cache", None)  # there is none with -p no:cacheprovider
    if sys.dont_write_bytecode and cache is not None:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(cache.mkdir("compiled"))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # of workers, and of servers under test
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of nothing but tests that are not wanted are not even read: most of them import much."""
    wanted = config.option.markexpr
    unwanted = wanted.replace("not ", "").split(" and ") if re.fullmatch(r"not \w+( and not \w+)*", wanted) else []
    return any(_is_all(collection_path, mark) for mark in unwanted) or None


def _is_all(path: Path, mark: str) -> bool:
    """Whether all tests of a file have a mark."""
    return path.suffix == ".py" and b"\npytestmark = pytest.mark.%b\n" % mark.encode() in path.read_bytes()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --slow the slow ones are not even skipped: there are thousands, and to skip and report each costs more
    than to run a fast one."""
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]  # its keywords hold names of folders, too
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let workers take tests from each other in the end: some last a hundred times as long as others. Nothing happens
    where another way has been asked for."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler.worksteal import WorkStealingScheduling  # which need not be installed

    return WorkStealingScheduling(config, log)


def pytest_collection_finish() -> None:
    """Let the garbage collector look at what tests make, now and then: it took half of the suite's time."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_OF_A_WORLD)


def some_slow(values: Iterable[Any], quick: int) -> list[Any]:
    """Parameters of a test, all of which but the first few are run with --slow alone: without it they are not even
    made, since there are thousands."""
    found = list(values) if _with_slow else list(islice(values, quick))
    sets = (value if isinstance(value, tuple) else (value,) for value in found[quick:])
    return [*found[:quick], *(pytest.param(*each, marks=pytest.mark.slow) for each in sets)]


def more_in_ci(quick: int, thorough: int) -> int:
    """How many random examples of one kind are run: fewer by who waits for the fast suite than in CI."""
    return thorough if os.environ.get("PYCACHE_CI") else quick


def require_program(name: str) -> str:
    """The path of a program. Without it the test is skipped, or fails where CI says that everything is installed."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("PYCACHE_CI"):
            pytest.fail(f"{name} is not installed, and in CI that is a failure")
        pytest.skip(f"{name} is not installed")
    return path


class RealRedis:
    """A redis-server of its own, stopped by its process id."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self._log = (directory / "redis.log").open("wb")
        self.process = subprocess.Popen(
            [
                require_program("redis-server"),
                *("--port", str(self.port)),
                *("--bind", "127.0.0.1"),
                *("--dir", str(directory)),
                *("--save", ""),
                *("--appendonly", "no"),
                *("--enable-debug-command", "yes"),
                *options,
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("redis-server does not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture(scope="session")
def real_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedis]:
    """A redis-server for comparison, shared by all tests of the run; they begin with FLUSHALL."""
    server = RealRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def world() -> Iterator[World]:
    """A server in process, whose structures are looked at in the end."""
    world = World(databases=4)
    yield world
    world.check()
