"""Replies that wait: until what they tell of is in the append-only file, or with as many followers as was promised.

While a gate is open, whatever goes out to a client is queued with the position of the feed at which that happened
(session/feed.py), and leaves when every gate has let that position pass. Once in each round of the event loop the gates
are asked, which is when they do their work: one write(2) for all that the round has changed, then all replies. So a
reply tells of nothing that could still be lost, in the order of its connection, and the cost of the file is shared by
all clients of the round.

Three rules.

1. *What nothing precedes does not wait.* A reply that is behind no change which is still held goes out at once, as
   without an outbox: reads pay one comparison.
2. *A connection's bytes keep their order*, whatever the gates say: a Line is a queue.
3. *What is held counts as not read by the client*: for client-output-buffer-limit, and for the congestion that stops
   its commands (session/outlet.py). Who is to be closed gets what is held before; who is aborted does not.

While no gate is open nothing here is called: the ``write`` of a connection is its transport's own (listener.py). It
knows neither files nor sockets: gates, and what a line writes to, come from outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

HIGH_WATER: Final = 256 * 1024
"""Bytes from which on a client whose replies are held executes nothing more; as with asyncio's own buffers there is a
mark, but a higher one: one round of a deep pipeline shall not touch it."""
ANY_POSITION: Final = float("inf")

Gate = Callable[[], int]
"""Does what must be done before replies may leave, as far as that can be done now. The position of the feed up to which
it is done."""


class Positioned(Protocol):
    """What tells how much has been changed (session/feed.py)."""

    position: int


class Owner(Protocol):
    """The connection of a line."""

    def on_full(self) -> None:
        """More is held than should be: the client may execute nothing more for now."""

    def on_room(self) -> None:
        """It is not any more."""

    def on_end(self) -> None:
        """Everything has been sent that was held when the line was to end: end the connection."""


class Line:
    """What is held of one connection. ``write`` takes the place of the transport's."""

    __slots__ = ("_outbox", "ending", "full", "held", "owner", "send", "size")

    def __init__(self, outbox: Outbox, owner: Owner, send: Callable[[bytes], object]) -> None:
        self._outbox = outbox
        self.owner = owner
        self.send = send
        self.held: deque[tuple[int, bytes]] = deque()
        self.size = 0
        """Bytes that are held."""
        self.full = False
        self.ending = False
        """Whether the connection ends when nothing is held any more."""

    def write(self, data: bytes) -> None:
        """Send, or hold until everything has passed that was changed before."""
        outbox, held = self._outbox, self.held
        position = outbox.feed.position
        if position <= outbox.passing and not held:
            self.send(data)
            return
        if not held:
            outbox.lines.append(self)
            if not outbox.planned:
                outbox.plan()
        held.append((position, data))
        self.size += len(data)
        if self.size > HIGH_WATER and not self.full:
            self.full = True
            self.owner.on_full()

    def release(self, position: float) -> None:
        """Send what was held up to a position."""
        held = self.held
        if len(held) == 1 and held[0][0] <= position:  # nearly always
            data = held.popleft()[1]
            self.size = 0
        else:
            parts: list[bytes] = []
            while held and held[0][0] <= position:
                parts.append(held.popleft()[1])
            if not parts:
                return
            data = b"".join(parts)
            self.size -= len(data)
        self.send(data)
        if not held and self.ending:
            self.owner.on_end()

    def drop(self) -> None:
        """Forget what is held: the connection has ended."""
        self.held.clear()
        self.size = 0


class Outbox:
    """The outbox of one server; ``defer`` calls something in the next round of the event loop, ``on_change`` hears when
    the first gate opens and when the last one closes."""

    def __init__(
        self, feed: Positioned, defer: Callable[[Callable[[], None]], None], on_change: Callable[[], None]
    ) -> None:
        self.feed = feed
        self._defer = defer
        self._on_change = on_change
        self._gates: list[Gate] = []
        self._lenient = False
        self.passing: float = 0
        """What is sent at this position or an earlier one does not wait."""
        self.released: float = 0
        """Up to which position the gates have let pass."""
        self.lines: list[Line] = []
        """Those that hold something, in the order of its coming."""
        self.planned = False
        """Whether the gates will be asked in this round."""

    @property
    def active(self) -> bool:
        """Whether a gate is open."""
        return bool(self._gates)

    def open(self, gate: Gate) -> None:
        """Ask this gate, too, from now on: what has been changed until now has passed it."""
        self._gates.append(gate)
        if len(self._gates) == 1:
            self.passing = self.released = self.feed.position
            self._on_change()

    def close(self, gate: Gate) -> None:
        """Ask a gate no more: nothing waits for it any longer."""
        self._gates.remove(gate)
        if self._gates:
            self.flush()
        else:
            self.pass_unheld(False)
            self._let_pass(self.feed.position)
            self._on_change()

    def line(self, owner: Owner, send: Callable[[bytes], object]) -> Line:
        """A line for a connection that writes by ``send``."""
        return Line(self, owner, send)

    def plan(self) -> None:
        """Ask the gates in the next round of the event loop."""
        if not self.planned:
            self.planned = True
            self._defer(self._run)

    def _run(self) -> None:
        if self.planned:
            self.flush()

    def flush(self) -> None:
        """Ask the gates now, and send what they let pass. Gates call it, too, when something has passed later."""
        self.planned = False
        if self._gates:
            self._let_pass(min([gate() for gate in self._gates]))

    def _let_pass(self, position: float) -> None:
        self.released = position
        if not self._lenient:
            self.passing = position
        lines, self.lines = self.lines, []
        relieved = []
        for line in lines:
            line.release(position)
            if line.held:
                self.lines.append(line)
            if line.full and line.size <= HIGH_WATER:
                line.full = False
                relieved.append(line)
        for line in relieved:  # who goes on executing does so when everybody has got what is his
            line.owner.on_room()

    def pass_unheld(self, wanted: bool) -> None:
        """Let those pass of whom nothing is held, whatever the position: nothing can be changed any more by clients,
        as while the disk is full, so that what they are told are errors, and what they read."""
        self._lenient = wanted
        self.passing = ANY_POSITION if wanted else self.released

    def waiting(self) -> list[Line]:
        """The lines that hold something."""
        return [line for line in self.lines if line.held]

    def held(self) -> int:
        """How many bytes are held."""
        return sum(line.size for line in self.lines)

    def _check(self) -> None:
        """Assert that lines and sizes agree, and that what is held is in order."""
        for line in self.lines:
            positions = [position for position, _ in line.held]
            assert positions == sorted(positions)
            assert line.size == sum(len(data) for _, data in line.held)
        assert len(set(map(id, self.lines))) == len(self.lines)
