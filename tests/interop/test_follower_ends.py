"""When a follower ends by itself: a command of its master fails where that is to be a panic, or its disk does not take
what comes. A real server and ours do the same; the master is a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest

from tests.conftest import RealRedis
from tests.interop.following import ScriptedConnection, ScriptedMaster, info, wait_for
from tests.interop.test_bad_masters import GOOD
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop


class Follower:
    """A server that follows; ``log`` is what it has said."""

    def __init__(self, name: str, directory: Path, *options: str) -> None:
        self.disk = directory / "data"
        self.disk.mkdir()
        options = ("--repl-diskless-load", "swapdb", *options, "--dir", str(self.disk))
        self.server = Running(directory, *options) if name == "ours" else RealRedis(directory, *options)
        self.process = self.server.process
        self._output = directory / "redis.log" if name == "redis" else directory / f"output-{self.server.port}.log"
        self.wire = Wire(("127.0.0.1", self.server.port))

    def log(self) -> str:
        return self._output.read_text(errors="replace")

    def follow(self, master: ScriptedMaster) -> None:
        self.wire.call("REPLICAOF", "127.0.0.1", master.port)
        wait_for(lambda: info(self.wire).get("master_link_status") == "up", "the link is up")

    def lose_the_disk(self) -> None:
        """From now on nothing can be saved."""
        self.wire.call("CONFIG", "SET", "save", "3600 1")
        self.disk.rmdir()
        self.wire.call("BGSAVE")
        wait_for(lambda: info(self.wire, "persistence")["rdb_last_bgsave_status"] == "err", "the save fails")

    def stop(self) -> None:
        self.wire.close()
        self.server.stop()


Starting = Callable[..., Follower]


@pytest.fixture(params=["ours", "redis"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Starting]:
    started: list[Follower] = []

    def start(*options: str) -> Follower:
        started.append(Follower(request.param, tmp_path, *options))
        return started[-1]

    yield start
    for follower in started:
        follower.stop()


class Master(ScriptedMaster):
    """A master that says what it is told to, once it is followed."""

    def __init__(self) -> None:
        self.connections: list[ScriptedConnection] = []
        super().__init__(lambda connection, words: self._give(connection))

    def _give(self, connection: ScriptedConnection) -> None:
        connection.give(GOOD)
        self.connections.append(connection)
        connection.wait_end()

    def say(self, *words: str) -> None:
        wait_for(lambda: self.connections, "it is followed")
        self.connections[-1].say(*words)


@pytest.mark.parametrize("behavior", ["panic", "panic-on-replicas"])
def test_a_command_that_fails_is_a_panic_where_that_is_wanted(start: Starting, behavior: str) -> None:
    follower = start("--propagation-error-behavior", behavior)
    with Master() as master:
        follower.follow(master)
        master.say("LPUSH", "hash", "x")
        assert follower.process.wait(30) != 0
    assert "This replica panicked sending an error to its master after processing the command 'lpush'" in follower.log()


@pytest.mark.parametrize("options", [["--propagation-error-behavior", "panic", "--replica-read-only", "no"], []])
def test_it_is_none_on_a_replica_that_clients_may_write_to_nor_by_default(start: Starting, options: list[str]) -> None:
    follower = start(*options)
    with Master() as master:
        follower.follow(master)
        both = (("LPUSH", "hash", "x"), ("SET", "behind", "1"))  # at once: the first one may end the connection
        master.connections[-1].send(b"".join(map(hiredis.pack_command, both)))
        wait_for(lambda: "lpush" in follower.log().lower(), "the log tells of it")
        assert follower.wire.call("PING") == "PONG"


def test_a_follower_ends_when_its_disk_does_not_take_a_write(start: Starting) -> None:
    follower = start()
    with Master() as master:
        follower.follow(master)
        follower.lose_the_disk()
        master.say("PUBLISH", "channel", "x")  # is no write
        follower.wire.call("ECHO", "still here")
        master.say("SET", "behind", "1")
        assert follower.process.wait(30) != 0
    assert "Replica was unable to write command to disk." in follower.log()


def test_it_goes_on_where_it_is_to_ignore_that(start: Starting) -> None:
    follower = start("--replica-ignore-disk-write-errors", "yes")
    with Master() as master:
        follower.follow(master)
        follower.lose_the_disk()
        for number in range(5):
            master.say("SET", "behind", str(number))
        wait_for(lambda: follower.wire.call("GET", "behind") == "4", "it applies")
        assert str(follower.wire.call("SET", "mine", "1")).startswith("MISCONF")
        assert str(follower.wire.call("PING")).startswith("MISCONF")
    text = "Replica is applying a command even though it is unable to write to disk."
    assert follower.log().count(text) == 1
