"""What tests of commands share: a server in process, a client, and somebody who listens to keyspace events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pycache_server.store.events import parse_flags
from pycache_server.testing.inprocess import Client, World

Heard = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


@pytest.fixture
def heard(world: World) -> Heard:
    """A function that returns the events since it was called last, as pairs of key and name."""
    world.core.observers.notify(parse_flags("KAmn") or 0)
    listener = world.connect()
    listener.call("PSUBSCRIBE", "__keyspace@*__:*")

    def new() -> list[tuple[str, str]]:
        return [(message[2].partition(":")[2], message[3]) for message in listener.read_all()]

    return new


def outcome(reply: Any) -> Any:
    """A reply that can be compared: an error as its text."""
    return str(reply) if isinstance(reply, Exception) else reply
