"""A server without IO: sessions in this process, with a clock that moves because the test moves it. ::

world = World()
client = world.connect()
assert client.call("SET", "k", "v", "PX", 100) == "OK"
world.advance(0.1)
assert client.call("GET", "k") is None
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import hiredis

import pycache_server.scripting.setup  # noqa: F401
from pycache_server.commands.extensions import load_commands
from pycache_server.session.core import Core
from pycache_server.session.session import Session
from pycache_server.session.setup import make_core

START = 1_700_000_000.0
_NOTHING = object()


class PlannedCall:
    """A Timer of the virtual clock."""

    def __init__(self, due: float, number: int, call: Callable[[], None]) -> None:
        self.due = due
        self.number = number
        self.call = call
        self.cancelled = False

    def __lt__(self, other: PlannedCall) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        """It shall not happen any more."""
        self.cancelled = True


class VirtualHost:
    """A Host whose time stands still unless ``advance`` moves it, and whose random source has a seed."""

    def __init__(self, seed: int = 1) -> None:
        self.now = START
        self.random = Random(seed)
        self.messages: list[tuple[str, str]] = []
        self.meanwhile: list[Callable[[], None]] = []
        """What happens while a script runs for long: one of them whenever it looks."""
        self._deferred: deque[Callable[[], None]] = deque()
        self._planned: list[PlannedCall] = []
        self._number = 0

    def time(self) -> float:
        return self.now

    def ticks(self) -> float:
        return self.now

    def choose(self, limit: int) -> int:
        return self.random.randrange(limit)

    def token(self, size: int) -> bytes:
        return b"%0*x" % (size, self.random.getrandbits(4 * size))

    def defer(self, call: Callable[[], None]) -> None:
        self._deferred.append(call)

    def call_later(self, delay: float, call: Callable[[], None]) -> PlannedCall:
        self._number += 1
        planned = PlannedCall(self.now + delay, self._number, call)
        heapq.heappush(self._planned, planned)
        return planned

    def attend(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def attend_no_more(self) -> None:
        pass

    def log(self, level: str, message: str) -> None:
        self.messages.append((level, message))

    def settle(self) -> None:
        """Do everything that has been deferred."""
        while self._deferred:
            self._deferred.popleft()()

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is planned until then."""
        end = self.now + seconds
        self.settle()
        while self._planned and self._planned[0].due <= end:
            planned = heapq.heappop(self._planned)
            if not planned.cancelled:
                self.now = max(self.now, planned.due)
                planned.call()
                self.settle()
        self.now = end


class Client:
    """One session and what it has been sent. Replies come as Python values, text where it is UTF-8."""

    def __init__(self, world: World, decode: bool = True) -> None:
        self._world = world
        self.reader = hiredis.Reader(
            notEnoughData=_NOTHING, encoding="utf-8" if decode else None, errors="surrogateescape" if decode else None
        )
        self.raw = b""
        """Everything that was sent since the last look."""
        self.closed = False
        self.reading = True
        self.stuck = False
        """Set it to let the client not read what it is sent."""
        self.kept = 0
        self.session = Session(world.core, self, f"127.0.0.1:{5000 + len(world.clients)}", "127.0.0.1:6379")

    # Link

    def write(self, data: bytes) -> None:
        self.raw += data
        self.reader.feed(data)
        if self.stuck:
            self.kept += len(data)
            if self.kept > 65536 and not self.session.congested:
                self.session.on_congestion()

    def write_late(self, data: bytes) -> None:
        self.write(data)

    def buffered(self) -> int:
        return self.kept

    def descriptor(self) -> int:
        return -1

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.session.on_lost()

    abort = close

    # What a test does

    def send(self, data: bytes) -> None:
        """Let the session receive bytes."""
        self.session.receive(data)
        self._world.host.settle()

    def drain(self) -> None:
        """Read again, and everything that was kept."""
        self.stuck = False
        self.kept = 0
        self.session.on_relief()
        self._world.host.settle()

    def read(self) -> Any:
        """The next reply or message; raises EOFError where there is none."""
        value = self.reader.gets()
        if value is _NOTHING:
            raise EOFError("no reply")
        return value

    def read_all(self) -> list[Any]:
        """All replies and messages that have come."""
        found = []
        while (value := self.reader.gets()) is not _NOTHING:
            found.append(value)
        return found

    def start(self, *words: Any) -> None:
        """Send a command without reading its reply."""
        self.send(hiredis.pack_command(words))

    def call(self, *words: Any) -> Any:
        """Send a command and return its reply; an error reply is returned as an exception."""
        self.start(*words)
        return self.read()


class World:
    """A Core with its clients, in a time of its own. ``commands`` are modules whose commands it has, too, as
    ``load-commands`` names them."""

    def __init__(
        self,
        seed: int = 1,
        databases: int = 16,
        renamed: Mapping[str, str] | None = None,
        commands: Sequence[str] = (),
    ) -> None:
        self.host = VirtualHost(seed)
        self.core: Core = make_core(self.host, databases, renamed, load_commands(commands))
        self.clients: list[Client] = []

    def connect(self, decode: bool = True) -> Client:
        """A new client."""
        client = Client(self, decode)
        self.clients.append(client)
        return client

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.host.advance(seconds)
        self.core.clock.time = self.host.now

    def expire(self) -> None:
        """Remove every key whose time has come, as maintenance does."""
        for database in self.core.keyspace.databases:
            while database.expire_due(1000):
                pass

    def check(self) -> None:
        """Assert the invariants of all structures."""
        for database in self.core.keyspace.databases:
            database._check()
        self.core.blocking._check()
        self.core.tracking._check()
