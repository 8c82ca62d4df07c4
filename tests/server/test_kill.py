"""kill -9 at random moments, under load: what was acknowledged is there after the restart, in every mode.

Each client appends the numbers from 0 on to a list of its own, in pipelines, and counts the replies. What it finds
after the restart must be the numbers from 0 to some end, and that end not before the last reply. Rewrites begin
meanwhile. The moments are chosen by counting replies, so no test waits for time to pass.
"""

from __future__ import annotations

import random
import selectors
import signal
import socket
from pathlib import Path

import hiredis
import pytest

from tests.conftest import more_in_ci, some_slow
from tests.server.running import Running

pytestmark = pytest.mark.process

CLIENTS = 6
KILLS = 4
"""Of one test."""
_NOTHING = object()


class Appender:
    """A client that appends numbers to its list."""

    def __init__(self, port: int, key: str) -> None:
        self.key = key
        self.sent = 0
        self.acknowledged = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)

    def send(self, count: int) -> None:
        numbers = range(self.sent, self.sent + count)
        self.sent += count
        self.socket.sendall(b"".join(hiredis.pack_command(("RPUSH", self.key, number)) for number in numbers))

    def take(self) -> bool:
        """Read what has come. Whether the connection is still there."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        self._reader.feed(data)
        while (value := self._reader.gets()) is not _NOTHING:
            self.acknowledged += 1
            assert value == self.acknowledged, f"{self.key} has {value} elements, and not {self.acknowledged}"
        return bool(data)


def load(server: Running, name: str, chance: random.Random) -> list[Appender]:
    """Let clients write, and kill the server at a moment of chance. The clients, with all replies that had left."""
    clients = [Appender(server.port, f"{name}:{number}") for number in range(CLIENTS)]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(chance.randrange(1, 60))
    end = chance.randrange(1, 4000)
    rewrites = sorted(chance.randrange(end) for _ in range(chance.randrange(3)))
    with server.connect() as other:
        while (count := sum(client.acknowledged for client in clients)) < end:
            while rewrites and count >= rewrites[0]:
                rewrites.pop(0)
                other.send(hiredis.pack_command(("BGREWRITEAOF",)))
            for key, _ in selector.select(20):
                client = key.data
                assert client.take(), server.log()
                if client.acknowledged == client.sent or chance.random() < 0.3:
                    client.send(chance.randrange(1, 60))
        server.terminate(signal.SIGKILL)
    for client in clients:
        while client.take():
            pass
        client.socket.close()
    return clients


def check(server: Running, clients: list[Appender]) -> None:
    """Every acknowledged write is there, and nothing that was never sent."""
    for client in clients:
        found = server.call("LRANGE", client.key, "0", "-1")
        assert found == list(map(str, range(len(found)))), client.key
        assert client.acknowledged <= len(found) <= client.sent, (client.key, client.acknowledged, len(found))


@pytest.mark.parametrize("seed", some_slow(range(84), more_in_ci(1, 2)))
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_no_acknowledged_write_is_lost(tmp_path: Path, policy: str, seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    options = ("--appendonly", "yes", "--appendfsync", policy, "--save", "", "--dir", str(tmp_path))
    options += ("--aof-use-rdb-preamble", chance.choice(("yes", "no")))
    before: list[Appender] = []
    for number in range(KILLS):
        with Running(tmp_path, *options) as server:
            server.wait_loaded()
            check(server, before)
            before = load(server, f"list{number}", chance)
    with Running(tmp_path, *options) as server:
        server.wait_loaded()
        check(server, before)
