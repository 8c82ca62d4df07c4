"""A running server for clients and programs that are not ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server in a process of its own, shared by the tests of a module."""
    with Running(tmp_path_factory.mktemp("server"), "--notify-keyspace-events", "KEA") as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(server: Running) -> None:
    server.call("FLUSHALL")
