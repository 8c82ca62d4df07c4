"""A server in process with a client that speaks in bytes."""

from __future__ import annotations

import pytest

from pycache_server.testing.inprocess import Client, World


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


@pytest.fixture
def other(world: World) -> Client:
    return world.connect()
