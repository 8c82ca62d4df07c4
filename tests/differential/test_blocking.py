"""Clients that wait for keys: the same script on a real redis-server and on ours, byte for byte.

Scripts are in the modules ``waiting_*.py`` beside this file, which are found by their names; each has ``SCENARIOS``,
may have ``SINCE_7_2`` with those that an older server plays differently, and ``random_line`` for random programs. A
script has a line for each step::

    A: BLPOP k 0              client A sends a command; clients connect when they appear first
    B: MULTI | RPUSH k x | EXEC        several in one piece
    B: CLIENT UNBLOCK {A}     the id of another client
    A: speak 3                another version of the protocol; the reply, in which ids are, is not compared
    A: close                  client A goes away
    wait 0.05                 time passes, in seconds
    notify KEA                from now on keyspace events are published

After each step, whatever any client has received is compared, nulls of RESP2 included.
"""

from __future__ import annotations

import random
import shlex
import socket
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import hiredis
import pytest

from pycache_server.store.events import parse_flags
from pycache_server.testing.inprocess import Client, World
from tests.conftest import RealRedis
from tests.differential.oracle import Real

pytestmark = pytest.mark.interop

MODULES = [
    import_module(f"tests.differential.{path.stem}") for path in sorted(Path(__file__).parent.glob("waiting_*.py"))
]
SCENARIOS: dict[str, str] = {name: script for module in MODULES for name, script in module.SCENARIOS.items()}
SINCE_7_2: dict[str, str] = {
    name: script for module in MODULES for name, script in getattr(module, "SINCE_7_2", {}).items()
}

Received = dict[str, bytes]
"""What clients have received in a step."""


class Stage(Protocol):
    """A server with clients that have names."""

    def send(self, name: str, data: bytes) -> None:
        """Let a client send something, and wait until the server has done it."""

    def client_id(self, name: str) -> int:
        """The id of a client."""

    def close(self, name: str) -> None:
        """Let a client go away."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def notify(self, letters: str) -> None:
        """Publish these keyspace events from now on."""

    def received(self) -> Received:
        """What clients have received since the last look."""

    def end(self) -> None:
        """Let everyone go away."""


class RealStage:
    """Clients of a real redis-server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: dict[str, socket.socket] = {}
        self._ids: dict[str, int] = {}
        self._control = Real(port, 2)
        self._control.call([b"FLUSHALL"])

    def _client(self, name: str) -> socket.socket:
        if name not in self._clients:
            client = self._clients[name] = socket.create_connection(("127.0.0.1", self._port))
            client.sendall(hiredis.pack_command(("CLIENT", "ID")))
            self._ids[name] = int(client.recv(100).strip(b":\r\n"))
        return self._clients[name]

    def _settle(self) -> None:
        """The server takes what came first first, and has sent the replies of one turn before it begins the next."""
        for _ in range(3):
            self._control.call([b"PING"])

    def send(self, name: str, data: bytes) -> None:
        self._client(name).sendall(data)
        self._settle()

    def client_id(self, name: str) -> int:
        self._client(name)
        return self._ids[name]

    def close(self, name: str) -> None:
        self._clients.pop(name).close()
        self._settle()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
        self._settle()

    def notify(self, letters: str) -> None:
        self._control.call([b"CONFIG", b"SET", b"notify-keyspace-events", letters.encode()])

    def received(self) -> Received:
        found = {}
        for name, client in self._clients.items():
            data = b""
            try:
                while piece := client.recv(1 << 16, socket.MSG_DONTWAIT):
                    data += piece
            except BlockingIOError:
                pass
            if data:
                found[name] = data
        return found

    def end(self) -> None:
        for client in self._clients.values():
            client.close()
        self.notify("")
        self._control.close()


class OurStage:
    """Clients of ours, in process."""

    def __init__(self) -> None:
        self.world = World()
        self._clients: dict[str, Client] = {}

    def _client(self, name: str) -> Client:
        if name not in self._clients:
            self._clients[name] = self.world.connect()
        return self._clients[name]

    def send(self, name: str, data: bytes) -> None:
        self._client(name).send(data)
        self.world.core.blocking._check()

    def client_id(self, name: str) -> int:
        return self._client(name).session.id

    def is_waiting(self, name: str) -> bool:
        return self._client(name).session.waiter is not None

    def close(self, name: str) -> None:
        self._clients.pop(name).close()
        self.world.host.settle()

    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    def notify(self, letters: str) -> None:
        flags = parse_flags(letters)
        assert flags is not None
        self.world.core.observers.notify(flags)

    def received(self) -> Received:
        found = {}
        for name, client in self._clients.items():
            if client.raw:
                found[name], client.raw = client.raw, b""
        return found

    def end(self) -> None:
        for client in self._clients.values():
            client.close()
        self.world.check()


def play(stage: Stage, line: str) -> Received:
    """Do one step of a script; what clients have received after it."""
    name, _, text = line.partition(": ")
    if line.startswith("wait "):
        stage.wait(float(line.removeprefix("wait ")))
    elif line.startswith("notify "):
        stage.notify(line.removeprefix("notify "))
    elif text == "close":
        stage.close(name)
    elif text.startswith("speak "):
        stage.send(name, hiredis.pack_command(("HELLO", text.removeprefix("speak "))))
        return {other: data for other, data in stage.received().items() if other != name}
    else:
        commands = [
            [str(stage.client_id(word[1:-1])) if word.startswith("{") else word for word in shlex.split(part)]
            for part in text.split(" | ")
        ]
        stage.send(name, b"".join(hiredis.pack_command(tuple(words)) for words in commands))
    return stage.received()


class Comparison:
    """Both stages, with clients that speak one version of the protocol."""

    def __init__(self, port: int, names: Iterable[str], resp: int = 2) -> None:
        self.ours = OurStage()
        self.stages: list[Stage] = [RealStage(port), self.ours]
        self.done: list[str] = []
        for name in names:
            for stage in self.stages:
                play(stage, f"{name}: speak {resp}")

    def step(self, line: str) -> None:
        """The same must be received after a step."""
        self.done.append(line)
        theirs, mine = (play(stage, line) for stage in self.stages)
        if theirs != mine:
            script = "\n".join(self.done)
            raise AssertionError(f"{script}\n  redis: {theirs}\n  ours:  {mine}")

    def end(self) -> None:
        for stage in self.stages:
            stage.end()


def compare(port: int, lines: list[str], resp: int = 2) -> None:
    """Play a script on both stages."""
    comparison = Comparison(port, sorted({line.partition(":")[0] for line in lines if ": " in line}), resp)
    try:
        for line in lines:
            comparison.step(line)
    finally:
        comparison.end()


def steps(script: str) -> list[str]:
    return [line.strip() for line in script.strip().splitlines()]


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("resp", [2, 3])
def test_waiting_clients_receive_what_redis_sends(real_redis: RealRedis, name: str, resp: int) -> None:
    compare(real_redis.port, steps(SCENARIOS[name]), resp)


@pytest.mark.parametrize("name", SINCE_7_2)
def test_waiting_clients_receive_what_redis_sends_since_7_2(real_redis: RealRedis, name: str) -> None:
    if version_of(real_redis) < (7, 2):
        pytest.skip("Redis serves waiting clients in this way since 7.2")
    compare(real_redis.port, steps(SINCE_7_2[name]))


@pytest.mark.parametrize("module", [module for module in MODULES if hasattr(module, "random_line")])
def test_random_programs_of_waiting_clients_run_as_on_redis(
    real_redis: RealRedis, module: Any, request: pytest.FixtureRequest
) -> None:
    several = version_of(real_redis) >= (7, 2)
    for seed in range(200 if request.config.getoption("--slow") else 8):
        chance = random.Random(seed)
        comparison = Comparison(real_redis.port, "ABCDE", resp=2 + seed % 2)
        try:
            for _ in range(60):
                ready = [name for name in "ABCDE" if not comparison.ours.is_waiting(name)]
                name = chance.choice(ready or ["F"])
                comparison.step(f"{name}: {module.random_line(chance, several)}")
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        finally:
            comparison.end()


def version_of(real_redis: RealRedis) -> tuple[int, ...]:
    """The real server's version."""
    real = Real(real_redis.port, 2)
    version = real.version()
    real.close()
    return version
