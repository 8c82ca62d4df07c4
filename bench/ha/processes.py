"""Servers and sentinels, each in its place, started from a configuration file that they may rewrite."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.common import ROOT
from bench.ha.network import Home, Network, Place
from bench.ha.wire import Wire, fields_of

OURS = [sys.executable, "-m", "pycache_server"]
BOOT = 60.0
"""Seconds that a process may take to answer."""


class Never(Exception):
    """What was waited for has not come to be."""


def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for what must come to be; how many seconds that took. Raises Never."""
    begun = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - begun
        except (OSError, KeyError, ValueError, IndexError, AttributeError, TypeError):
            pass  # it does not answer, or not with what is asked for
        if time.monotonic() - begun > seconds:
            raise Never(f"{what} has not come to be in {seconds:g} seconds")
        time.sleep(0.02)


class Process:
    """One of them. ``address`` is where others reach it, ``home`` where this process does, whatever is cut."""

    def __init__(self, network: Network, place: Place, port: int, directory: Path, program: Sequence[str]) -> None:
        self.place = place
        self.port = port
        self.address = (place.host, network.announce(place, port))
        self.home = (place.bind, port)
        self.directory = directory
        directory.mkdir()
        self.config = directory / "server.conf"
        self._program = list(program)
        self._process: subprocess.Popen[bytes] | None = None
        self.paused = False

    def start(self, wait: bool = True) -> None:
        """Start it, with what its file says now."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.place.command([self._program[0], *self._arguments()]),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        if wait:
            until(lambda: self.call("PING"), BOOT, f"an answer of {self.place.name}")

    def _arguments(self) -> list[str]:
        return [*self._program[1:], str(self.config)]

    @property
    def runs(self) -> bool:
        """Whether there is a process that is not stopped."""
        return self._process is not None and self._process.poll() is None and not self.paused

    def call(self, *words: str | int, patience: float = 1.0) -> Any:
        """Its reply to a command. Raises OSError."""
        with Wire(Home(), self.home, patience) as wire:
            return wire.call(*words)

    def log(self) -> str:
        """What it has logged."""
        return (self.directory / "log").read_text(errors="replace")

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self.paused = False

    def terminate(self) -> None:
        """Ask it to end, and wait until it has."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(BOOT)
            except subprocess.TimeoutExpired:
                self.kill()

    def pause(self) -> None:
        """Stop it where it is."""
        self._signal(signal.SIGSTOP)
        self.paused = True

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.paused = False


class Node(Process):
    """A server."""

    def replication(self) -> dict[str, str]:
        """Its INFO replication. Raises OSError."""
        return fields_of(self.call("INFO", "replication"))

    @property
    def leads(self) -> bool:
        """Whether it says that it leads. Raises OSError."""
        return self.replication()["role"] == "master"

    def follows(self, leader: Node) -> bool:
        """Whether it follows another and has all of its stream. Raises OSError."""
        mine, its = self.replication(), leader.replication()
        return (
            mine["role"] == "slave"
            and (mine["master_host"], int(mine["master_port"])) == leader.address
            and mine["master_link_status"] == "up"
        ) and int(mine["slave_repl_offset"]) <= int(its["master_repl_offset"])

    def digest(self) -> str:
        """A digest of all its data. Raises OSError."""
        return str(self.call("DEBUG", "DIGEST", patience=10.0))


class Watcher(Process):
    """A sentinel."""

    def _arguments(self) -> list[str]:
        return [*super()._arguments(), "--sentinel"]
