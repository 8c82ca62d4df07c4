"""Processes of a deployment with sentinels: nodes and sentinels, ours and Redis's in any mixture."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import RealRedis, free_port, require_program
from tests.server.running import ROOT, Running, Wire

NAME = "crm"


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what must come to be."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (OSError, ConnectionError):
            pass
        assert time.monotonic() < deadline, f"it has not come to be in {seconds} seconds"
        time.sleep(0.05)


def ask(port: int, *words: str) -> Any:
    """The reply of whoever listens to a port."""
    with Wire(("127.0.0.1", port)) as wire:
        return wire.call(*words)


class SentinelProcess:
    """A sentinel, ours or Redis's, stopped by its process id."""

    def __init__(self, directory: Path, kind: str, leader: int, quorum: int = 2, more: str = "") -> None:
        self.kind = kind
        self.port = free_port()
        self.config = directory / f"sentinel-{self.port}.conf"
        self.output = directory / f"sentinel-{self.port}.log"
        self.config.write_text(
            f"port {self.port}\ndir {directory}\nbind 127.0.0.1\n"
            f"sentinel monitor {NAME} 127.0.0.1 {leader} {quorum}\n"
            f"sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 6000\n{more}"
        )
        self.start()

    def start(self) -> None:
        """Start it, as it stands in its file."""
        command = [sys.executable, "-m", "pycache_server"]
        if self.kind == "redis":
            command = [require_program("redis-server")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.output.open("ab") as stream:
            self.process = subprocess.Popen(
                [*command, str(self.config), "--sentinel"], stdout=stream, stderr=stream, env=environment
            )
        until(lambda: ask(self.port, "PING") == "PONG")

    def ask(self, *words: str) -> Any:
        """Its reply to a command."""
        return ask(self.port, *words)

    def leader(self) -> int:
        """The port of the leader that it names."""
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def log(self) -> str:
        """What it has logged."""
        return self.output.read_text(errors="replace")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Deployment:
    """Nodes, of which the first one leads, and sentinels that watch them."""

    def __init__(self, directory: Path, nodes: list[str], sentinels: list[str], quorum: int = 2) -> None:
        self.nodes: list[Running | RealRedis] = []
        for number, kind in enumerate(nodes):
            place = directory / f"node{number}"
            place.mkdir()
            options = self.options(number)
            self.nodes.append(Running(place, *options) if kind == "ours" else RealRedis(place, *options))
        self.sentinels = [SentinelProcess(directory, kind, self.nodes[0].port, quorum) for kind in sentinels]
        until(self.is_whole)

    def is_whole(self) -> bool:
        """Whether all sentinels know everybody, and every follower follows."""
        for sentinel in self.sentinels:
            known = sentinel.ask("SENTINEL", "MASTER", NAME)
            fields = dict(zip(known[::2], known[1::2], strict=True))
            if int(fields["num-slaves"]) != len(self.nodes) - 1:
                return False
            if int(fields["num-other-sentinels"]) != len(self.sentinels) - 1:
                return False
        leader = self.leader()
        return leader is not None and all(self.follows(number) for number in range(len(self.nodes)) if number != leader)

    def follows(self, number: int) -> bool:
        """Whether a node follows, and its link is up."""
        role = ask(self.nodes[number].port, "ROLE")
        return bool(role[0] == "slave" and role[3] == "connected")

    def agree_on(self, port: int) -> bool:
        """Whether all sentinels that run name this leader, and it leads."""
        running = [each for each in self.sentinels if each.process.poll() is None]
        return all(each.leader() == port for each in running) and ask(port, "ROLE")[0] == "master"

    def leader(self) -> int | None:
        """The number of the node that all sentinels name, where it leads."""
        found = [number for number, each in enumerate(self.nodes) if self.agree_on(each.port)]
        return found[0] if found else None

    def restart(self, number: int) -> None:
        """Start a node of ours that has ended, at its old port and with nothing but its old options."""
        old = self.nodes[number]
        assert isinstance(old, Running)
        self.nodes[number] = again = Running(old.directory, *self.options(number), "--port", str(old.port), wait=False)
        again.port = old.port
        again.wait_ready()

    def options(self, number: int) -> list[str]:
        """How a node was started."""
        options = ["--repl-diskless-sync-delay", "0", "--replica-priority", str(100 - number)]
        return [*options, "--replicaof", f"127.0.0.1 {self.nodes[0].port}"] if number else options

    def stop(self) -> None:
        for each in (*self.sentinels, *self.nodes):
            each.stop()
