"""What voters say to each other outside of streams: signed envelopes (election/wire.py), which may be lost.

To each seat one connection is kept, made when there is something to say, over which an envelope travels as the command
``GROUP TELL``; nothing is answered. A message that cannot be sent now is dropped: whoever has said it says it again. So
a peer that is dead, slow, or whose name does not resolve, costs the others nothing and holds nothing up.

What comes in is believed by its signature alone, before any password: a stranger's is counted, logged, and its
connection closed.

What has nothing to do with the election (messages.Aside) travels on the same connections as ``GROUP ASIDE``. It never
takes the place of a message: it is said only where a connection is there, or nothing else waits for one. A voter of a
version that does not know the command answers with an error; then this connection is used for messages alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from pycache_server.election.messages import Aside, Message
from pycache_server.election.wire import Refused, Wire
from pycache_server.resp.encode import HALT, NO_REPLY
from pycache_server.server.group.dialing import Dialer, notice_silence
from pycache_server.session.stream import encode_command

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

REST: Final = (0.1, 1.0)
"""Seconds between two tries, from the first to any later one."""
UNANSWERED: Final = 2000
"""Milliseconds after which a connection is made anew whose other end does not acknowledge what was sent."""
MOST_FIRST: Final = 8
"""Messages that are kept while a connection is being made, the newest ones."""
MOST_UNSENT: Final = 64 * 1024
"""Bytes that may wait for a peer that does not read."""
LONGEST: Final = 64 * 1024
"""Bytes of an envelope."""
QUIET: Final = 1.0
"""Seconds between two lines of the log about the same address."""
MOST_NOTED: Final = 1000
"""Addresses of which that is remembered."""


_ASIDE: Final = b"ASIDE"
_UNKNOWN: Final = (b"-ERR unknown subcommand", b"-NOAUTH")
"""How the answer of a voter begins that does not know asides, with and without a password."""


class _Way(asyncio.Protocol):
    """The connection to one seat."""

    def __init__(self, post: Post, seat: str) -> None:
        self._post = post
        self._seat = seat
        self._transport: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._failures = 0
        self._first: list[bytes] = []  # what was said while it is being made
        self._is_closed = False
        self._takes_asides = True
        self._has_said_aside = False

    def send_aside(self, data: bytes) -> None:
        if self._takes_asides and not self._first:
            self._has_said_aside = True
            self.send(data)

    def send(self, data: bytes) -> None:
        transport = self._transport
        if self._is_closed:
            return
        if transport is not None:
            if not transport.is_closing() and transport.get_write_buffer_size() <= MOST_UNSENT:
                transport.write(data)
        elif self._dialling is not None:
            self._first = [*self._first, data][-MOST_FIRST:]
        elif self._post.ticks() >= self._not_before:
            self._first = [data]
            self._dialling = self._post.loop.create_task(self._dial())

    async def _dial(self) -> None:
        """Connect. Time may be over when the connection has just been made: uvloop closes it then without a word."""
        try:
            await self._post.dialer.dial(self._seat, lambda: self)
        except OSError as problem:
            self._post.note(self._seat, f"The voter {self._seat} cannot be reached: {problem}", "verbose")
            self._transport = None
            self._rest()
        except Exception as error:
            self._post.app.core.report_failure("connecting to a voter", error)
            self._transport = None
            self._rest()
        else:
            self._failures = 0
        finally:
            self._dialling = None
            self._first = []

    def _rest(self) -> None:
        self._failures += 1
        longest = min(REST[0] * 2.0**self._failures, REST[1])
        self._not_before = self._post.ticks() + longest * (0.5 + self._post.app.host.choose(500) / 1000)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._is_closed:
            cast("asyncio.Transport", transport).abort()
            return
        self._transport = cast("asyncio.Transport", transport)
        self._takes_asides = True
        notice_silence(transport.get_extra_info("socket"), UNANSWERED)
        for data in self._first:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Nothing is answered but errors: the other side is no voter, or not yet one, or of an older version."""
        if self._has_said_aside and data.startswith(_UNKNOWN):
            self._takes_asides = False
            return
        self._post.note(self._seat, f"The voter {self._seat} answers {data[:120].decode('utf-8', 'replace').strip()!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._rest()

    def close(self) -> None:
        self._is_closed = True
        if self._dialling is not None:
            self._dialling.cancel()
        if self._transport is not None:
            self._transport.abort()


class Post:
    """The post of one seat. ``on_message`` gets who has sent a message, and the message; ``on_aside`` an aside."""

    def __init__(
        self,
        app: App,
        wire: Wire,
        on_message: Callable[[str, Message], None],
        on_aside: Callable[[str, Aside], None],
    ) -> None:
        self.app = app
        self.loop = app.loop
        self.ticks = app.host.ticks
        self.dialer = Dialer(app)
        self._wire = wire
        self._on_message = on_message
        self._on_aside = on_aside
        self._ways: dict[str, _Way] = {}
        self._noted: dict[tuple[str, str], float] = {}
        self.refused = 0
        """How many envelopes were none for this voter."""
        self.senders: set[int] = set()
        """The ids of sessions that are voters."""

    def send(self, seat: str, message: Message) -> None:
        """Say something to a seat, which may not arrive."""
        self._way_to(seat).send(encode_command([b"GROUP", b"TELL", self._wire.encode(seat, message)]))

    def send_aside(self, seat: str, message: Aside) -> None:
        """The same beside the election."""
        self._way_to(seat).send_aside(encode_command([b"GROUP", _ASIDE, self._wire.encode(seat, message)]))

    def _way_to(self, seat: str) -> _Way:
        way = self._ways.get(seat)
        if way is None:
            way = self._ways[seat] = _Way(self, seat)
        return way

    def receive(self, session: Session, envelope: bytes) -> Any:
        """GROUP TELL: what somebody has said."""
        return self._take(session, envelope, self._wire.decode_message, self._on_message)

    def receive_aside(self, session: Session, envelope: bytes) -> Any:
        """GROUP ASIDE: the same beside the election."""
        return self._take(session, envelope, self._wire.decode_aside, self._on_aside)

    def _take(
        self,
        session: Session,
        envelope: bytes,
        decode: Callable[[bytes], tuple[str, Any]],
        hear: Callable[[str, Any], None],
    ) -> Any:
        try:
            if len(envelope) > LONGEST:
                raise Refused("it is too long")
            sender, said = decode(envelope)
        except Refused as problem:
            self.refuse(session, f"A message to this voter from {session.address} is refused: {problem}")
            return HALT
        if session.id not in self.senders:
            self.senders = {number for number in self.senders if number in self.app.core.sessions}
            self.senders.add(session.id)
            self.app.reserve.prove(session, sender)
        hear(sender, said)
        return NO_REPLY

    def refuse(self, session: Session, why: str) -> None:
        """Somebody is no voter of this group: say so, and be done with it."""
        self.refused += 1
        self.note(session.address.rpartition(":")[0], why)
        session.abort()

    def note(self, about: str, text: str, level: str = "warning") -> None:
        """Tell the log, but not too often."""
        now, key = self.ticks(), (about, level)
        if now - self._noted.get(key, -QUIET) >= QUIET:
            if len(self._noted) >= MOST_NOTED:
                self._noted.clear()
            self._noted[key] = now
            self.app.log.write(level, text)

    def close(self) -> None:
        """The server ends."""
        for way in self._ways.values():
            way.close()
