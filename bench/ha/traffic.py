"""Clients that note what they were promised: writers, each with a list of its own to which it appends rising numbers,
and readers that compare what they see with what had been acknowledged when they asked.

A client *follows* who is said to lead, or is *stuck* on one address, whatever is said. It is on the far side of a cut,
or near the leader that is cut off. Whoever gets no answer goes on with the next number, and never sends one twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.ha.deployments import Deployment
from bench.ha.network import Place
from bench.ha.wire import Wire

WAIT_MS = 500
"""How long WAIT waits."""
REFUSED = 0.02
"""Seconds of rest after an answer that is no acknowledgement."""
LAST = 16
"""How many entries of a list a reader asks for: what comes late stands before what was sent later."""


@dataclass(frozen=True, slots=True)
class Ack:
    """A write that has been acknowledged: by whom, when it was sent, and when the reply had come (monotonic s)."""

    number: int
    sent: float
    at: float
    by: tuple[str, int]


class Client(threading.Thread):
    """One of them; ``stuck`` is its address where it has one."""

    def __init__(self, name: str, deployment: Deployment, place: Place, stuck: tuple[str, int] | None) -> None:
        super().__init__(daemon=True, name=name)
        self.deployment = deployment
        self.place = place
        self.stuck = stuck
        self._ends = threading.Event()
        self._wire: Wire | None = None

    def end(self) -> None:
        """Let it stop."""
        self._ends.set()

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                wire = self._wire or self._connect()
                well = wire is not None and self.go(wire)
            except OSError:
                self._drop()
                well = False
            self._ends.wait(self.rest if well else REFUSED)
        self._drop()

    rest = 0.005

    def go(self, wire: Wire) -> bool:
        """Do one thing; whether it was answered as it should be. Raises OSError."""
        raise NotImplementedError

    def _connect(self) -> Wire | None:
        address = self.stuck or self.deployment.find(self.place)
        self._wire = Wire(self.place, address) if address is not None else None
        return self._wire

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def refused(self) -> None:
        """The node does not do what a leader does: whoever follows asks again who leads."""
        if self.stuck is None:
            self._drop()


class Writer(Client):
    """Appends numbers to its list. ``highest`` is the last one that was acknowledged."""

    def __init__(self, *arguments: Any, waits: bool, rate: float) -> None:
        super().__init__(*arguments)
        self.list = f"list:{self.name}"
        self.acks: list[Ack] = []
        self.refusals: set[int] = set()
        """Numbers that were refused by a definite no."""
        self.highest = 0
        self._number = 0
        self._waits = waits
        self.rest = 1 / rate

    def go(self, wire: Wire) -> bool:
        """See Client."""
        self._number += 1
        commands: list[tuple[Any, ...]] = [("RPUSH", self.list, self._number)]
        if self._waits:
            commands.append(("WAIT", 1, WAIT_MS))
        sent = time.monotonic()
        reply, *waited = wire.batch(commands)
        if not isinstance(reply, int):
            self.refusals.add(self._number)
            self.refused()
            return False
        if waited and not (isinstance(waited[0], int) and waited[0] >= 1):
            return False
        self.acks.append(Ack(self._number, sent, time.monotonic(), wire.address))
        self.highest = self._number
        return True


@dataclass(frozen=True, slots=True)
class Short:
    """A read that has shown less than was acknowledged before it began: old, or of what is lost."""

    writer: Writer
    seen: int
    floor: int
    by: tuple[str, int]


class Reader(Client):
    """Reads the ends of all lists from whoever says that it leads, and notes what is less than was acknowledged."""

    def __init__(self, *arguments: Any, writers: list[Writer]) -> None:
        super().__init__(*arguments)
        self._writers = writers
        self.reads = 0
        self.short: list[Short] = []
        self.rest = 0.02

    def go(self, wire: Wire) -> bool:
        """See Client."""
        floors = [each.highest for each in self._writers]
        role, *ends = wire.batch([("ROLE",), *(("LRANGE", each.list, -LAST, -1) for each in self._writers)])
        if not isinstance(role, list) or role[0] != "master" or not all(isinstance(end, list) for end in ends):
            self.refused()
            return False
        for writer, floor, end in zip(self._writers, floors, ends, strict=True):
            self.reads += 1
            seen = max(map(int, end), default=0)
            if seen < floor:
                self.short.append(Short(writer, seen, floor, wire.address))
        return True


@dataclass
class Traffic:
    """All clients of a trial."""

    writers: list[Writer]
    readers: list[Reader]

    def start(self) -> None:
        """Let them begin."""
        for each in self.clients():
            each.start()

    def clients(self) -> Iterator[Client]:
        """All."""
        yield from self.writers
        yield from self.readers

    def stop(self) -> None:
        """Let them end, and wait for that."""
        for each in self.clients():
            each.end()
        for each in self.clients():
            if each.ident is not None:
                each.join(10)

    def first_ack(self, which: Callable[[Writer, Ack], bool]) -> float | None:
        """When the first write of a kind was acknowledged."""
        return min((ack.at for each in self.writers for ack in each.acks if which(each, ack)), default=None)


def traffic(deployment: Deployment, near: Place, far: Place, rate: float) -> Traffic:
    """Clients of all kinds, each writer with so many writes a second at most."""
    leader = deployment.leader()
    assert leader is not None
    old = leader.address
    sides = {"stuck": (near, old), "near": (near, None), "far": (far, None)}
    waits = deployment.kind.ack == "wait"
    writers = [
        Writer(f"{side}{number}", deployment, place, stuck, waits=waits, rate=rate)
        for side, (place, stuck) in sides.items()
        for number in (1, 2)
    ]
    readers = [
        Reader(f"{side} reader", deployment, place, stuck, writers=writers) for side, (place, stuck) in sides.items()
    ]
    return Traffic(writers, readers)
