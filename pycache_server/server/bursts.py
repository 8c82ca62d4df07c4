"""What pipelines are answered in a round of the event loop is sent together, at its end.

A loop's transports send at once what they are given: with many clients a round is then read, send, read, send. A send
to a program that sleeps wakes it, which is half of what the send costs where it runs on another processor, and one with
many connections is asleep again when the next comes. When all replies of a round leave one after the other it is awake
for most of them. What one connection is given several times in a round leaves as one.

The reply to a command that has come alone leaves at once: there the client is awake most of the time, and the call at
the end of a round and what it takes to hold something would be more than what is gained. It is so, too, in a round that
had next to nothing to send: while rounds are like that replies go out directly, and now and then it is tried again.

No reply may wait for long: a round that has held one for a while before the next command began sends what it has, and
so does a connection with much to be sent, whose transport has to say that the client does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio

LARGE: Final = 16 * 1024
"""Bytes that are not worth holding back."""
MANY: Final = 64
"""So many pieces of one connection, neither."""
FEW: Final = 2
"""Connections in a round for which the call at its end is not worth it."""
DIRECT: Final = 64
"""So many times it is written directly until another round is tried."""
_ROUNDS = 8
"""So many rounds with few connections one after the other make it direct."""
_HELD = 0.001
"""Seconds after which a round sends what it has."""


class Clock(Protocol):
    """What tells when the present command began, in seconds (store/clock.py)."""

    time: float


class Owner(Protocol):
    """The connection of a burst."""

    write: Callable[[bytes], object]
    """Where bytes go that are to leave now: to the transport, or while something is held, behind that."""


class Burst:
    """What one connection is sent in a round."""

    __slots__ = ("_bursts", "_owner", "abort", "held", "send")

    _owner: Owner | None
    send: Callable[[bytes], object]
    abort: Callable[[], object]

    def __init__(self, bursts: Bursts) -> None:
        self._bursts = bursts
        self.held: list[bytes] = []
        self.end()

    def begin(self, transport: asyncio.WriteTransport, owner: Owner | None) -> None:
        """Send by a transport from now on. ``owner`` is told where to write; None where the burst is all it knows."""
        self.send = transport.write
        self.abort = transport.abort
        self._owner = owner
        if owner is not None:
            owner.write = self.write if self.held else self.send

    def end(self) -> None:
        """The connection has ended: forget what is held, the transport and the owner."""
        self.held.clear()
        self.send = send_nowhere
        self.abort = _nothing
        self._owner = None

    def write(self, data: bytes) -> None:
        """Send now, behind what is held."""
        if self.held:
            self.held.append(data)
            self.flush()
        else:
            self.send(data)

    def write_late(self, data: bytes) -> None:
        """Send at the end of the round, or now."""
        held = self.held
        if held:
            held.append(data)
            if len(held) >= MANY or len(data) >= LARGE:
                self.flush()
            return
        bursts = self._bursts
        if bursts.direct > 0:
            bursts.direct -= 1
        elif len(data) < LARGE:
            if not bursts.waiting or bursts.clock.time > bursts.until:
                bursts.begin()
            held.append(data)
            bursts.waiting.append(self)
            if self._owner is not None:
                self._owner.write = self.write
            return
        send = self.send  # what lies in a slot is called by way of a local
        send(data)

    def flush(self) -> None:
        """Send what is held now."""
        held = self.held
        if held:
            data = held[0] if len(held) == 1 else b"".join(held)
            held.clear()
            if self._owner is not None:
                self._owner.write = self.send
            send = self.send
            send(data)

    def buffered(self) -> int:
        """How many bytes are held."""
        return sum(map(len, self.held))

    def drop(self) -> None:
        """Forget what is held."""
        self.held.clear()


class Bursts:
    """The bursts of one server. ``defer`` calls something when the present round of the event loop is over, ``report``
    is told what failed and how."""

    def __init__(
        self, clock: Clock, defer: Callable[[Callable[[], None]], None], report: Callable[[str, Exception], None]
    ) -> None:
        self.clock = clock
        self._defer = defer
        self._report = report
        self.waiting: list[Burst] = []
        """Those that hold something, and some that have sent it already."""
        self.until = 0.0
        """The time of the clock up to which the round may hold what it has."""
        self.direct = DIRECT
        """How often it is written directly before another round is tried."""
        self._planned = False
        self._sent = 0  # in this round, of how many connections
        self._rounds_of_few = 0

    def begin(self) -> None:
        """Begin to hold what is written, after what was held for long enough has gone."""
        self.flush()
        self.until = self.clock.time + _HELD
        if not self._planned:
            self._planned = True
            self._defer(self._end)

    def flush(self) -> None:
        """Send what is held now."""
        waiting, self.waiting = self.waiting, []
        self._sent += len(waiting)
        for burst in waiting:
            try:
                burst.flush()
            except Exception as error:  # a stream with a hole in it is of no use to anybody
                self._report("sending replies", error)
                burst.drop()
                burst.abort()

    def _end(self) -> None:
        """The round is over."""
        self._planned = False
        self.flush()
        sent, self._sent = self._sent, 0
        if sent > FEW:
            self._rounds_of_few = 0
            return
        self._rounds_of_few += 1
        if self._rounds_of_few >= _ROUNDS:
            self._rounds_of_few = _ROUNDS - 1  # the next round that is tried decides
            self.direct = DIRECT


def send_nowhere(data: bytes) -> None:
    """Where bytes go, in either direction, when the connection has ended. Its session and transport must not be
    referred to any more: that would be a cycle, and those are not looked for (gc.py)."""


def _nothing() -> None:
    """There is nothing to abort."""
