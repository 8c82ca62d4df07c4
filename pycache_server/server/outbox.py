"""Replies that wait: until what they tell of is in the append-only file, or with as many followers as was promised.

While a gate is open, whatever goes out to a client is queued with the position of the feed at which that happened
(session/feed.py), and leaves when every gate has let that position pass. Once in each round of the event loop the gates
are asked, which is when they do their work: one write(2) for all that the round has changed, then all replies. So a
reply tells of nothing that could still be lost, in the order of its connection, and the cost of the file is shared by
all clients of the round.

In a group (server/group/) it also depends on the client how far a change must have come: each Line passes by a
``Passing``, and those of a group have a limit beside the gates: up to where enough voters hold what was changed.

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


class Passing:
    """Up to which position of the feed replies may leave that wait for the same."""

    __slots__ = ("limit", "position", "released")

    def __init__(self, limit: float = ANY_POSITION) -> None:
        self.limit = limit
        """Up to which they might, if the gates let them."""
        self.position: float = 0
        """What is sent at this position or an earlier one does not wait."""
        self.released: float = 0
        """What is held up to this position leaves."""


class Line:
    """What is held of one connection. ``write`` takes the place of the transport's, ``write_late`` of the burst's."""

    __slots__ = ("_outbox", "_send_late", "_wanted", "ending", "full", "held", "owner", "passing", "send", "size")

    def __init__(
        self, outbox: Outbox, owner: Owner, send: Callable[[bytes], object], send_late: Callable[[bytes], object]
    ) -> None:
        self._outbox = outbox
        self.passing = self._wanted = outbox.usual
        self.owner = owner
        self.send = send
        self._send_late = send_late
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
        if position <= self.passing.position and not held:
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

    def write_late(self, data: bytes) -> None:
        """The same where what may be sent may as well be sent at the end of the round (bursts.py)."""
        if self._outbox.feed.position <= self.passing.position and not self.held:
            self._send_late(data)
        else:
            self.write(data)

    def pass_by(self, passing: Passing) -> None:
        """Let replies wait for something else from now on: behind those that wait already, for what they wait for."""
        self._wanted = passing
        if not self.held:
            self.passing = passing

    def release(self) -> None:
        """Send what may leave."""
        held, position = self.held, self.passing.released
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
        if not held:
            self.passing = self._wanted
            if self.ending:
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
        self.common = Passing()
        """By what lines pass that nobody has told otherwise."""
        self.usual = self.common
        """By what new lines pass."""
        self.passings = [self.common]
        self.lines: list[Line] = []
        """Those that hold something, in the order of its coming."""
        self.planned = False
        """Whether the gates will be asked in this round."""

    @property
    def active(self) -> bool:
        """Whether a gate is open."""
        return bool(self._gates)

    def open(self, gate: Gate, first: bool = False) -> None:
        """Ask this gate, too, from now on: what has been changed until now has passed it. ``first``: before those that
        are there, because what it does makes work for them."""
        self._gates.insert(0 if first else len(self._gates), gate)
        if len(self._gates) == 1:
            for passing in self.passings:
                passing.position = passing.released = min(self.feed.position, passing.limit)
            self._on_change()

    def add(self, passing: Passing) -> None:
        """Let lines pass by this, too."""
        self.passings.append(passing)
        passing.position = passing.released = min(self.common.released, passing.limit)

    def close(self, gate: Gate) -> None:
        """Ask a gate no more: nothing waits for it any longer."""
        self._gates.remove(gate)
        if self._gates:
            self.flush()
        else:
            self.pass_unheld(False)
            self._let_pass(self.feed.position)
            self._on_change()

    def line(self, owner: Owner, send: Callable[[bytes], object], send_late: Callable[[bytes], object]) -> Line:
        """A line for a connection that writes by ``send``, and by ``send_late`` what can wait for the round's end."""
        return Line(self, owner, send, send_late)

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
        for passing in self.passings:
            passing.released = released = min(position, passing.limit)
            if not self._lenient or passing.limit != ANY_POSITION:
                passing.position = released
        lines, self.lines = self.lines, []
        relieved = []
        for line in lines:
            line.release()
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
        for passing in self.passings:
            if passing.limit == ANY_POSITION:
                passing.position = ANY_POSITION if wanted else passing.released

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
