"""Groups of voters, each in a process of its own on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.conftest import free_port
from tests.server.running import Running

SECRET = "what all voters know"
PATIENCE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what must come to be."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{what} has not come to be"
        time.sleep(0.02)


class Voters:
    """So many voters; ``nodes`` are their processes, in the order of their seats."""

    def __init__(self, directory: Path, *options: str, count: int = 3) -> None:
        self.directory = directory
        self.ports: list[int] = []
        while len(self.ports) < count:
            self.ports = list({*self.ports, free_port()})
        self._options = options
        self.nodes: list[Running] = []
        for number in range(count):
            (directory / f"voter{number}").mkdir()
            self.nodes.append(self.begin(number))

    def seat(self, number: int) -> str:
        """The seat of a voter."""
        return f"127.0.0.1:{self.ports[number]}"

    def begin(self, number: int) -> Running:
        """Start a voter, with what its directory has."""
        node = Running(
            self.directory / f"voter{number}",
            *("--port", str(self.ports[number])),
            *("--group-voters", " ".join(self.seat(each) for each in range(len(self.ports)))),
            *("--group-secret", SECRET),
            *("--group-seat", self.seat(number)),
            *("--save", ""),
            *self._options,
            wait=False,
        )
        node.port = self.ports[number]
        node.wait_ready()
        return node

    def restart(self, number: int) -> None:
        """Start a voter anew that has ended."""
        self.nodes[number] = self.begin(number)

    def role(self, number: int) -> Any:
        """What ROLE says at a voter."""
        return self.nodes[number].call("ROLE")[0]

    def leader(self) -> int | None:
        """The number of the voter that leads; None where none does, or more than one says so."""
        running = [number for number, node in enumerate(self.nodes) if node.process.poll() is None]
        found = [number for number in running if self.role(number) == "master"]
        return found[0] if len(found) == 1 else None

    def is_whole(self) -> bool:
        """Whether one leads, and all others follow it."""
        leader = self.leader()
        followers = [node for number, node in enumerate(self.nodes) if number != leader]
        return leader is not None and all(each.info("replication")["sync_state"] == "in-sync" for each in followers)

    def wait_whole(self) -> int:
        """Wait for that; the number of the leader."""
        until(self.is_whole, "a whole group")
        found = self.leader()
        assert found is not None
        return found

    def stop(self) -> None:
        """End all."""
        for each in self.nodes:
            each.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()
