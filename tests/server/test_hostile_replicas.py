"""Replicas that never read what they have asked for: they are dropped, others are served, and memory stays."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest

from tests.server.running import Running
from tests.server.test_hostile import resident, until

pytestmark = pytest.mark.process
MEGABYTE = 1 << 20


class Deaf:
    """A replica with small buffers, that reads when it is told to."""

    def __init__(self, server: Running) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.settimeout(20)

    def say(self, *words: str) -> None:
        self.socket.sendall(hiredis.pack_command(words))

    def ask(self, old: bool = False) -> None:
        """Ask for everything."""
        if old:
            self.say("SYNC")
            return
        self.say("REPLCONF", "capa", "eof", "capa", "psync2")
        assert self.socket.recv(5) == b"+OK\r\n"
        self.say("PSYNC", "?", "-1")

    def follow(self) -> None:
        """Read the snapshot, and acknowledge it."""
        self.ask()
        data = b""
        while data.count(b"\r\n") < 2 or data.count(data.split(b"$EOF:")[1][:40]) < 2:
            data += self.socket.recv(1 << 16)
        self.say("REPLCONF", "ACK", data.split()[2].decode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    options = ("--save", "", "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0")
    with Running(tmp_path, *options) as server:
        yield server


@pytest.fixture
def deaf(server: Running) -> Iterator[Callable[[], Deaf]]:
    with contextlib.ExitStack() as stack:

        def make() -> Deaf:
            found = Deaf(server)
            stack.callback(found.socket.close)
            return found

        yield make


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_who_takes_nothing_of_its_snapshot_is_dropped(
    server: Running, deaf: Callable[[], Deaf], tmp_path: Path, diskless: str
) -> None:
    server.call("CONFIG", "SET", "repl-timeout", "2", "repl-diskless-sync", diskless, "rdbcompression", "no")
    server.call("DEBUG", "POPULATE", "40000", "key", "1000")
    before = resident(server)
    for _ in range(5):
        deaf().ask()
    until(lambda: server.info("replication")["connected_slaves"] == "5")
    until(lambda: server.info("replication")["connected_slaves"] == "0")
    assert "Disconnecting timedout replica (full sync)" in server.log()
    assert resident(server) < before + 48 * MEGABYTE
    assert server.call("SET", "k", "v") == "OK"
    until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert not list(tmp_path.glob("temp-*"))


@pytest.mark.parametrize("kind", ["online", "within its snapshot", "of old"])
def test_who_takes_nothing_of_the_stream_is_dropped_at_its_limit(
    server: Running, deaf: Callable[[], Deaf], kind: str
) -> None:
    server.call("CONFIG", "SET", "client-output-buffer-limit", "replica 8mb 0 0")
    if kind != "online":
        server.call("CONFIG", "SET", "rdbcompression", "no")
        server.call("DEBUG", "POPULATE", "20000", "key", "1000")
    replica = deaf()
    replica.follow() if kind == "online" else replica.ask(old=kind == "of old")
    until(lambda: "state=" in server.info("replication").get("slave0", ""))
    before = resident(server)
    with server.connect() as wire:
        for number in range(100):
            wire.send(b"".join(hiredis.pack_command(("SET", f"k{each % 10}", "x" * 50_000)) for each in range(10)))
            assert [wire.read() for _ in range(10)] == ["OK"] * 10
            assert resident(server) < before + 64 * MEGABYTE, number
    until(lambda: server.info("replication")["connected_slaves"] == "0")
    assert "for overcoming of output buffer limits" in server.log()
    assert int(server.info("stats")["client_output_buffer_limit_disconnections"]) >= 1


def test_a_flood_of_acknowledgements_stops_nobody(server: Running, deaf: Callable[[], Deaf]) -> None:
    replica = deaf()
    replica.follow()
    before = resident(server)
    flood = hiredis.pack_command(("REPLCONF", "ACK", "0")) * 20_000
    with server.connect() as wire:
        for _ in range(10):
            replica.socket.sendall(flood)
            assert wire.call("INCR", "n") > 0
        assert wire.call("DBSIZE") == 1
    assert resident(server) < before + 32 * MEGABYTE
    assert server.info("replication")["connected_slaves"] == "1"
