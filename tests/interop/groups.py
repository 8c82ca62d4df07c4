"""A group of voters in processes of their own, with what happens to it: ends, pauses, returns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.conftest import free_port
from tests.interop.following import wait_for
from tests.server.running import ROOT, Wire

SECRET = "of the tests"


class Voter:
    """One voter, stopped by its process id."""

    def __init__(self, directory: Path, port: int, options: tuple[str, ...], host: str = "127.0.0.1") -> None:
        self.port = port
        self.seat = f"{host}:{port}"
        self._addresses = list(dict.fromkeys(("127.0.0.1", host)))
        self.directory = directory / str(port)
        self.directory.mkdir()
        self.output = directory / f"voter-{port}.log"
        self._options = options
        self.sentinel_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "pycache_server", "--port", str(self.port), "--bind", *self._addresses]
        with self.output.open("ab") as stream:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.directory), "--sentinel-port", str(self.sentinel_port), *self._options],
                cwd=self.directory,
                stdout=stream,
                stderr=stream,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> int:
        """Let it end; the exit code."""
        assert self.process is not None
        if self.runs:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def connect(self) -> Wire:
        return Wire(("127.0.0.1", self.port))

    def call(self, *words: Any) -> Any:
        with self.connect() as wire:
            return wire.call(*words)

    def info(self) -> dict[str, str]:
        """INFO replication; nothing while it does not answer."""
        try:
            lines = str(self.call("INFO", "replication")).splitlines()
        except OSError:
            return {}
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def log(self) -> str:
        return self.output.read_text(errors="replace")


def _words(seats: list[str], options: tuple[str, ...]) -> tuple[str, ...]:
    usual = ("--group-secret", SECRET, "--save", "", "--enable-debug-command", "yes")
    return ("--group-voters", *seats, *usual, *options)


class Group:
    """So many voters."""

    def __init__(
        self,
        directory: Path,
        count: int = 3,
        *options: str,
        start: bool = True,
        preferred: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._directory, self._options = directory, options
        ports = [free_port() for _ in range(count)]
        if preferred is not None:
            options = (*options, "--preferred-leader", f"127.0.0.1:{ports[preferred]}")
        common = _words([f"{host}:{port}" for port in ports], options)
        self.voters = [Voter(directory, port, common, host) for port in ports]
        if start:
            for voter in self.voters:
                voter.start()

    def start_another(self) -> Voter:
        """Start an empty node that knows the voters, and is none yet."""
        port = free_port()
        seats = [*(voter.seat for voter in self.voters), f"127.0.0.1:{port}"]
        another = Voter(self._directory, port, _words(seats, self._options))
        self.voters.append(another)
        another.start()
        return another

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        for voter in self.voters:
            if voter.runs:
                voter.end()

    def leader(self, but: Voter | None = None) -> Voter:
        """Who leads, when somebody does, other than one."""

        def found() -> Voter | None:
            for voter in self.voters:
                if voter is not but and voter.runs and voter.info().get("role") == "master":
                    return voter
            return None

        voter: Voter = wait_for(found, f"a leader: {[each.info() for each in self.voters if each.runs]}")
        return voter

    def followers(self) -> list[Voter]:
        leader = self.leader()
        return [voter for voter in self.voters if voter is not leader]

    def others(self, voter: Voter) -> list[Voter]:
        return [each for each in self.voters if each is not voter]

    def wait_whole(self) -> None:
        """Wait until all follow, or lead, with everything."""
        wait_for(lambda: sorted(self.states()) == sorted(["leader", *["in-sync"] * (len(self.voters) - 1)]), "whole")

    def states(self) -> list[str]:
        return [voter.info().get("sync_state", "down") for voter in self.voters]

    def wait_same(self) -> None:
        """Wait until all hold the same."""
        self.wait_whole()
        wait_for(lambda: len({voter.call("DEBUG", "DIGEST") for voter in self.voters}) == 1, "the same digest")


class Writer(threading.Thread):
    """A client that writes one number after the other to whoever leads, and remembers which were acknowledged."""

    def __init__(self, group: Group) -> None:
        super().__init__(daemon=True)
        self._group = group
        self._ends = threading.Event()
        self.acknowledged: list[int] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        number = 0
        while not self._ends.is_set():
            number += 1
            for voter in self._group.voters:
                if self._try(voter, number):
                    break

    def _try(self, voter: Voter, number: int) -> bool:
        """Write to one voter as long as it takes writes."""
        try:
            with voter.connect() as wire:
                wire.socket.settimeout(3)
                while wire.call("SET", f"n{number}", number) == "OK" and not self._ends.is_set():
                    self.acknowledged.append(number)
                    number += 1
        except OSError:
            pass
        return bool(self.acknowledged) and self.acknowledged[-1] >= number

    def stop(self) -> None:
        self._ends.set()
        self.join(timeout=20)

    def lost(self, call: Callable[..., Any]) -> list[int]:
        """Those that were acknowledged and are not there."""
        found = set(self.acknowledged)
        return sorted(number for number in found if call("GET", f"n{number}") != str(number))

    def wait_more(self, count: int = 20) -> None:
        """Wait until more is acknowledged."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) >= before + count, "acknowledgements")


def soon(seconds: float) -> float:
    """A time on the monotonic clock."""
    return time.monotonic() + seconds
