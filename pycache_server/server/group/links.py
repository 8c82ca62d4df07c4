"""Links between voters: ordered streams of messages (repl/link_wire.py), each on a connection of its own.

The voter that opens a link dials the other's port for clients and says ``GROUP LINK``; both prove that they know the
group's secret (repl/link_proof.py), and from then on the connection is no client's any more: it is in no list of
clients, and counts for none of their limits. What one link is, and its rules, stands in wire.py; here are all of them,
who comes, and who is told.

An end that has dialled and not proved itself within PROOF_TIME is hung up on. At most MOST_UNPROVED of them exist: the
oldest makes way for the next, so that a stranger who opens many keeps no voter out, who needs one round trip.

A second link of the same peer is one beside the first: which of them goes on is for the member to say (``close``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from pycache_server.errors import RedisError
from pycache_server.repl.link_proof import VERSION, VERSIONS, Proofs, hello, is_nonce, refusal, seat_of
from pycache_server.repl.link_wire import Told, encode, encode_ack
from pycache_server.repl.links import Ack, Image, Link
from pycache_server.resp.encode import HALT
from pycache_server.server.group.dialing import Dialer
from pycache_server.server.group.wire import Wire
from pycache_server.server.listener import Connection

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

PROOF_TIME: Final = 1.0
"""Seconds until a link must have proved itself, and then until it must have said something."""
MOST_UNPROVED: Final = 64
"""How many links may wait for that."""
_NO_MESSAGE: Final = object()


class Links:
    """The links of one voter. ``on_message`` gets what is said on them, ``on_lost`` each that ends otherwise than from
    here, once; ``on_progress`` hears of a link on which something long is coming, or the other end is alive but has
    nothing to say. ``tell`` gets whom a line of the log is about, and the line."""

    def __init__(
        self,
        app: App,
        seat: str,
        secret: bytes,
        on_message: Callable[[Link, Any], None],
        on_lost: Callable[[Link], None],
        on_progress: Callable[[Link], None],
        tell: Callable[[str, str], None],
    ) -> None:
        self.app = app
        self.seat = seat
        self.on_message = on_message
        self.on_progress = on_progress
        self.tell = tell
        self.version = VERSION
        """The newest version of the protocol that is spoken."""
        self.durable: Callable[[], int] = lambda: 0
        """Up to which offset of the history the file of this voter is on the disk: what its acknowledgements tell."""
        self.strangers = 0
        """How many have come that could not prove themselves."""
        self._secret = secret
        self._on_lost = on_lost
        self._dialer = Dialer(app)
        self._dials: dict[Link, asyncio.Task[None]] = {}
        self._wires: dict[Link, Wire] = {}
        self._unproved: dict[Wire, None] = {}
        self._number = 0
        self._last: Any = _NO_MESSAGE
        self._last_bytes = b""

    # What a member wants

    def connect(self, link: Link) -> None:
        """Open a link."""
        self._open(Wire(self, link, link.peer, self.version), link)

    def open_anew(self, wire: Wire, version: bytes) -> None:
        """See wire.py."""
        link = cast("Link", wire.link)
        again = Wire(self, link, link.peer, version)
        again.inherit(wire)
        wire.leave()
        self._open(again, link)

    def _open(self, wire: Wire, link: Link) -> None:
        nonce, version = self.app.host.token(32), wire.version
        proofs = partial(Proofs, self._secret, self.seat, link.peer, nonce, version=version)
        wire.greet(hello(self.seat, link.peer, nonce, version), proofs)
        wire.give_time(PROOF_TIME, "it has not proved itself in time")
        self._wires[link] = wire
        self._dials[link] = self.app.loop.create_task(self._dial(link, wire))

    async def _dial(self, link: Link, wire: Wire) -> None:
        try:
            await self._dialer.dial(link.peer, lambda: wire)
        except OSError as problem:
            wire.give_up(str(problem))
        except Exception as error:
            self.app.core.report_failure("opening a link to a voter", error)
            wire.give_up(str(error))
        finally:
            if self._dials.get(link) is asyncio.current_task():
                del self._dials[link]

    def say(self, link: Link, message: Told) -> None:
        """Send a message on a link, if there is one still."""
        wire = self._wires.get(link)
        if wire is None:
            return
        if type(message) is Ack:
            durable = self.durable() if wire.version != VERSIONS[0] else 0
            wire.say(message, encode_ack(message.offset, min(durable, message.offset)))
            return
        if message is not self._last:  # what is said to several is encoded once
            if type(message) is Image:
                wire.say_image(message)
                return
            self._last_bytes = encode(message)
            self._last = message
        wire.say(message, self._last_bytes)

    def close(self, link: Link) -> None:
        """Hang up, after what was said."""
        wire = self._wires.pop(link, None)
        if wire is not None:
            wire.leave()
        dial = self._dials.pop(link, None)
        if dial is not None:
            dial.cancel()

    def go_on(self, link: Link) -> None:
        """The image that has come on a link is loaded: what follows it may come."""
        wire = self._wires.get(link)
        if wire is not None:
            wire.go_on()

    def close_all(self) -> None:
        """The server ends: what was said still arrives."""
        for link in list(self._wires):
            self.close(link)
        for wire in list(self._unproved):
            self._drop(wire)

    # What there is to tell

    def unread(self, link: Link) -> int:
        """How many bytes wait for the peer of a link."""
        wire = self._wires.get(link)
        return wire.unsent() if wire is not None else 0

    def address(self, link: Link) -> str:
        """Where the peer of a link is connected from."""
        wire = self._wires.get(link)
        return wire.address() if wire is not None else "?:0"

    def takes_images_in_memory(self) -> bool:
        """Whether an image is not written to a file while it comes."""
        settings = self.app.settings
        return not settings["save"] and not settings["appendonly"]

    @property
    def unproved(self) -> int:
        """How many links have come that have not proved themselves yet."""
        return len(self._unproved)

    # Who comes

    def accept(self, session: Session, argv: list[bytes]) -> Any:
        """``GROUP LINK version from to nonce``: somebody opens a link.

        Raises RedisError.
        """
        version, opener, meant, nonce = argv[2:6]
        try:
            peer = self._look_at(session, version, opener, meant, nonce)
        except RedisError as problem:
            host = session.address.rpartition(":")[0]
            text = problem.text.decode("utf-8", "backslashreplace").removeprefix("ERR ")
            self.tell(host, f"A link from {session.address} is refused: {text}")
            session.closing = True
            raise
        # Not before this command has ended: until then the session writes, and looks at its state.
        self.app.host.defer(partial(self._take_over, session, peer, nonce, version))
        return HALT

    def _look_at(self, session: Session, version: bytes, opener: bytes, meant: bytes, nonce: bytes) -> str:
        if version not in VERSIONS[: VERSIONS.index(self.version) + 1]:
            raise RedisError(refusal(self.version, version))
        if meant != self.seat.encode():
            raise RedisError(b"ERR this is the voter %b, not %b" % (self.seat.encode(), meant[:300]))
        peer = seat_of(opener)
        if peer is None or peer == self.seat:
            raise RedisError(b"ERR who opens a link must tell which other voter it is")
        if not is_nonce(nonce):
            raise RedisError(b"ERR the nonce of a link is 32 hex digits")
        if not isinstance(session.link, Connection):
            raise RedisError(b"ERR a link needs a connection of its own")
        if session.written() or session.link.buffered():
            raise RedisError(b"ERR a link cannot begin with pending output")
        return peer

    def _take_over(self, session: Session, peer: str, nonce: bytes, version: bytes) -> None:
        """The connection of a client becomes a link."""
        connection = session.link
        if not isinstance(connection, Connection) or session.closing:
            return
        if len(self._unproved) >= MOST_UNPROVED:
            self._drop(next(iter(self._unproved)))
        wire = Wire(self, None, peer, version)
        self._unproved[wire] = None
        proofs = Proofs(self._secret, peer, self.seat, nonce, self.app.host.token(32), version)
        wire.adopt(connection.release(), proofs)
        wire.give_time(PROOF_TIME, "it has not proved itself in time")

    def _drop(self, wire: Wire) -> None:
        self._unproved.pop(wire, None)
        self.strangers += 1
        wire.leave()

    # What the links tell: wire.Owner

    def opened(self, wire: Wire) -> None:
        """See wire.py."""
        if wire.link is None:
            del self._unproved[wire]
            self._number += 1
            wire.link = Link(wire.peer, self._number, False)
            self._wires[wire.link] = wire
            wire.give_time(PROOF_TIME, "it has proved itself, and then said nothing")

    def heard(self, link: Link, message: Told) -> None:
        """See wire.py."""
        try:
            self.on_message(link, message)
        except Exception as error:
            self.app.core.report_failure("a message of a link", error)
            wire = self._wires.get(link)
            if wire is not None:
                wire.fail("what it says cannot be followed, because of a mistake of this server")

    def progressed(self, link: Link) -> None:
        """See wire.py."""
        self.on_progress(link)

    def ended(self, wire: Wire, why: str) -> None:
        """See wire.py."""
        link = wire.link
        if link is None:
            self._unproved.pop(wire, None)
            self.strangers += 1
            self.tell(wire.host, f"A link from {wire.host} that calls itself {wire.peer} is refused: {why}")
            return
        if self._wires.get(link) is not wire:
            return
        del self._wires[link]
        dial = self._dials.pop(link, None)
        if dial is not None:
            dial.cancel()
        if why:
            self.tell(link.peer, f"The link {'to' if link.outgoing else 'of'} the voter {link.peer} has ended: {why}")
        self._on_lost(link)

    def _check(self) -> None:
        assert len(self._unproved) <= MOST_UNPROVED
        assert all(wire.link is None for wire in self._unproved)
        assert all(wire.link == link for link, wire in self._wires.items())
        assert self._dials.keys() <= self._wires.keys()
        for wire in (*self._wires.values(), *self._unproved):
            wire._check()
