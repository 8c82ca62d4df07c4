"""What has changed, as commands: units, transactions, keys that go by themselves, and nothing while nobody listens."""

from __future__ import annotations

import pytest

from pycache_server.session.feed import ALL, Told
from pycache_server.testing.inprocess import World


class Listener:
    """A sink that keeps everything."""

    kind = ALL

    def __init__(self, world: World) -> None:
        self.units: list[list[Told]] = []
        world.core.feed.open(self)

    def take(self, unit: list[Told]) -> None:
        self.units.append(unit)

    def heard(self) -> list[list[str]]:
        """Every unit since the last time: its commands in words, the database in front where it is not 0."""
        units, self.units = self.units, []
        return [[(f"{index}: " if index else "") + b" ".join(argv).decode() for index, argv in unit] for unit in units]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def listener(world: World) -> Listener:
    return Listener(world)


def test_what_changes_is_told_and_what_does_not_is_not(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SET", "a", "1")
    client.call("GET", "a")
    client.call("DEL", "nothing")
    client.call("SETNX", "a", "2")
    client.call("LPUSH", "a", "x")
    assert listener.heard() == [["SET a 1"]]


def test_a_command_is_told_with_its_database(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SELECT", "3")
    client.call("SADD", "s", "m")
    assert listener.heard() == [["3: SADD s m"]]


def test_exec_and_scripts_are_one_unit(world: World, listener: Listener) -> None:
    client = world.connect()
    for words in (["MULTI"], ["SET", "a", "1"], ["GET", "a"], ["INCR", "a"], ["EXEC"]):
        client.call(*words)
    client.call("EVAL", "redis.call('SET', KEYS[1], 'x') redis.call('APPEND', KEYS[1], 'y')", "1", "a")
    assert listener.heard() == [["SET a 1", "INCR a"], ["SET a x", "APPEND a y"]]


def test_a_key_that_expires_is_told_before_what_has_found_it(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("PSETEX", "a", "100", "1")
    listener.heard()
    world.advance(0.2)
    client.call("LPUSH", "a", "x")
    assert listener.heard() == [["DEL a", "LPUSH a x"]]


def test_a_key_that_expires_without_anybody_is_a_unit_of_its_own(world: World, listener: Listener) -> None:
    client = world.connect()
    client.call("SET", "a", "1", "PX", "100")
    listener.heard()
    world.advance(0.2)
    client.call("GET", "a")
    assert listener.heard() == [["DEL a"]]


def test_nothing_is_told_to_a_sink_that_was_closed(world: World, listener: Listener) -> None:
    client = world.connect()
    world.core.feed.close(listener)
    client.call("SET", "a", "1")
    assert listener.heard() == []
    assert not world.core.feed.active
