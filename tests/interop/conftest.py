"""A running server for clients and programs that are not ours, and a real one beside it.

A test that asks for ``redis_port`` runs once with each, so that what it does is proved of Redis, too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import RealRedis, require_program
from tests.interop.following import QUICK
from tests.server.running import Running, Wire

NODE = Path(__file__).parent / "node"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands here is about the programs of others, whichever server they run against."""
    for item in items:
        if item.path.parent == NODE.parent:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server in a process of its own, shared by the tests of a module."""
    with Running(tmp_path_factory.mktemp("server"), "--notify-keyspace-events", "KEA") as running:
        yield running


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[Running]:
    """A server of ours that others follow, with a backlog that nobody falls out of."""
    place = tmp_path / "leader"
    place.mkdir()
    with Running(place, *QUICK, "--enable-debug-command", "yes", "--repl-backlog-size", "16mb") as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "redis_port" not in request.fixturenames:
        request.getfixturevalue("server").call("FLUSHALL")


@pytest.fixture(scope="module", params=["ours", pytest.param("redis", marks=pytest.mark.interop)])
def redis_kind(request: pytest.FixtureRequest) -> str:
    """Whether the server is ours, or a real one."""
    return str(request.param)


@pytest.fixture
def redis_port(redis_kind: str, request: pytest.FixtureRequest) -> int:
    """The port of a server that is empty, ours and then a real one."""
    server: Running | RealRedis = request.getfixturevalue("server" if redis_kind == "ours" else "real_redis")
    with Wire(("127.0.0.1", server.port)) as wire:
        wire.call("FLUSHALL")
    return server.port


@pytest.fixture(scope="session")
def django_settings() -> None:
    """Django as a test needs it; the caches are the test's own."""
    from django import setup
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SESSION_ENGINE="django.contrib.sessions.backends.cache", SECRET_KEY="not a secret", USE_TZ=True
        )
        setup()


def require_command(port: int, *names: str) -> None:
    """Skip a test of a client that sends commands which the server does not have."""
    with Wire(("127.0.0.1", port)) as wire:
        missing = [name for name in names if wire.call("COMMAND", "INFO", name) == [None]]
    if missing:
        pytest.skip(f"the server has no {' '.join(missing)}")


@pytest.fixture
def run_node() -> Callable[[str, str, int], None]:
    """Runs a script of tests/interop/node that needs a package, with a port; it must end with "all well"."""
    node = require_program("node")

    def run(script: str, package: str, port: int) -> None:
        if not (NODE / "node_modules" / package).is_dir():
            reason = f"{package} is not installed: npm install --prefix {NODE} --no-package-lock"
            if os.environ.get("PYCACHE_CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        found = subprocess.run([node, str(NODE / script), str(port)], capture_output=True, text=True, timeout=60)
        assert found.returncode == 0, found.stderr
        assert found.stdout.splitlines()[-1] == "all well"

    return run
