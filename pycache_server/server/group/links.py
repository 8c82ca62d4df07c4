"""Links between voters: ordered streams of messages (repl/link_wire.py), each on a connection of its own.

The voter that opens a link dials the other's port for clients and says ``GROUP LINK version from to nonce``; the answer
is another nonce and a proof, and the opener's first word is a proof, too: HMAC-SHA256 by the group's secret over the
direction, the version, both seats and both nonces. So each end knows that the other has the secret and means this link
now. From then on the connection is no client's any more.

Four rules.

1. *What is said arrives in order, or the link is lost.* An image is said in the middle of other things and takes long:
   what is said behind it waits for its end.
2. *Who is silent because it is busy says so*: the sender of an image while it is being made, the receiver while it
   comes and is loaded.
3. *What piles up for a peer that does not read is bounded* (client-output-buffer-limit replica); what a stranger sends
   before its proof, too.
4. *A link that was closed from here tells nothing more; one that is lost says so once.*
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from pycache_server.repl.link_wire import BadLink, Here, LinkReader, Piece, There, Told, Whole, encode
from pycache_server.repl.links import Image, Link
from pycache_server.resp.encode import HALT
from pycache_server.server.group.pictures import PictureFile
from pycache_server.server.group.post import DIAL, address_of
from pycache_server.server.intake import Intake
from pycache_server.server.listener import Connection, keep_alive
from pycache_server.session.stream import encode_command

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.session.session import Session

VERSION: Final = b"1"
"""Of what is said on a link: voters of other versions refuse each other, and say so."""
PROOF_TIME: Final = 1.0
"""Seconds until a link must have proved itself."""
MOST_UNPROVED: Final = 64
"""How many links may wait for that."""
MOST_BEFORE_PROOF: Final = 4096
"""Bytes that are read until then."""
CHUNK: Final = 256 * 1024
"""Bytes of an image that are sent at a time."""
SIGN_OF_LIFE: Final = 0.2
"""Seconds between two of them."""


class _End(asyncio.Protocol):
    """One end of a link."""

    def __init__(self, links: Links, link: Link, nonce: bytes) -> None:
        self.links = links
        self.link = link
        self.nonce = nonce
        self.transport: asyncio.Transport | None = None
        self.is_open = False
        """Whether both ends have proved themselves."""
        self.is_closed = False
        self.dialling: asyncio.Task[None] | None = None
        self._expected = b""
        self._before = b""
        self._waiting: deque[Told] = deque()  # what is said while that cannot be sent
        self._reader = LinkReader()
        self._image: BinaryIO | None = None
        self._picture: PictureFile | None = None
        self._is_stuck = False
        self._head: Image | None = None  # of the image that comes
        self._intake: Intake | None = None
        self._held: list[Told] = []  # what came while an image was being loaded
        self._loads = False
        self._life: asyncio.TimerHandle | None = None
        self._soft_since = 0.0
        self._limit_timer = links.loop.call_later(PROOF_TIME, self._too_late)

    # The beginning

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        keep_alive(self.transport.get_extra_info("socket"), self.links.app.settings["tcp-keepalive"])
        if self.link.outgoing:
            mine, theirs = self.links.seat.encode(), self.link.peer.encode()
            self.transport.write(encode_command([b"GROUP", b"LINK", VERSION, mine, theirs, self.nonce]))

    def answer(self, transport: asyncio.Transport, their_nonce: bytes) -> None:
        """Somebody wants a link: prove oneself, and wait for its proof."""
        self.transport = transport
        proof = self.links.proof(b"answer", self.link.peer, self.links.seat, their_nonce, self.nonce)
        self._expected = self.links.proof(b"opener", self.link.peer, self.links.seat, their_nonce, self.nonce)
        transport.write(b"+LINK " + self.nonce + b" " + proof + b"\r\n")
        transport.set_protocol(self)

    def _too_late(self) -> None:
        self._fail(f"The link with {self.link.peer} was not made in time")

    def _prove(self, data: bytes) -> None:
        """What comes before the link is open."""
        self._before += data
        line, end, rest = self._before.partition(b"\r\n")
        if not end:
            if len(self._before) > MOST_BEFORE_PROOF:
                self._fail(f"{self.link.peer} sends too much before its proof")
            return
        self._before = b""
        words = line.split(b" ")
        if self.link.outgoing:
            if len(words) != 3 or words[0] != b"+LINK":
                self._fail(f"The voter {self.link.peer} refuses a link: {line[:120].decode('utf-8', 'replace')}")
                return
            seats = self.links.seat, self.link.peer
            expected, proof = self.links.proof(b"answer", *seats, self.nonce, words[1]), words[2]
            mine = self.links.proof(b"opener", *seats, self.nonce, words[1])
        else:
            expected, proof, mine = self._expected, words[-1], b""
        if not hmac.compare_digest(expected, proof):
            self._fail(f"{self.link.peer} has another group-secret: the link is refused", stranger=True)
            return
        if mine and self.transport is not None:
            self.transport.write(b"PROOF " + mine + b"\r\n")
        self._open()
        if rest:
            self.data_received(rest)

    def _open(self) -> None:
        self.is_open = True
        self._limit_timer.cancel()
        self.links.unproved.discard(self)
        self._drain()

    # Sending

    def say(self, message: Told) -> None:
        """Send a message, or keep it until it can be sent."""
        if self.is_closed:
            return
        if not self.is_open or self._picture is not None:
            self._waiting.append(message)
            if self._picture is not None and len(self._waiting) % 64 == 0:
                self._check_limit()
        elif type(message) is Image:
            self._begin_image(message)
        else:
            assert self.transport is not None
            self.transport.write(self.links.bytes_of(message))
            if self._is_stuck:
                self._check_limit()

    def _drain(self) -> None:
        while self._waiting and self.is_open and self._picture is None and not self.is_closed:
            self.say(self._waiting.popleft())

    def _check_limit(self) -> None:
        """Whether too much waits for the peer."""
        assert self.transport is not None
        size = self.transport.get_write_buffer_size() + sum(_size(message) for message in self._waiting)
        limit, now = self.links.app.core.output_limits["slave"], self.links.app.host.ticks()
        if not limit.soft or size < limit.soft:
            self._soft_since = 0.0
        elif not self._soft_since:
            self._soft_since = now
        late = self._soft_since and now - self._soft_since > limit.seconds
        if (limit.hard and size > limit.hard) or late:
            self._fail(f"The voter {self.link.peer} does not read: {size} bytes wait for it", lost=True)

    def pause_writing(self) -> None:
        self._is_stuck = True

    def resume_writing(self) -> None:
        self._is_stuck = False
        self._soft_since = 0.0
        self._go_on()

    def _begin_image(self, image: Image) -> None:
        picture: PictureFile = image.data
        if picture.problem:
            self._fail(f"There is no image for {self.link.peer}: {picture.problem}", lost=True)
            return
        assert self.transport is not None
        self._picture = picture
        picture.hold()
        self.transport.write(encode(replace(image, data=None)))
        if picture.is_complete:
            self._send_image()
        else:
            picture.when_made(self._send_image)
            self._live(There())

    def _send_image(self) -> None:
        picture = self._picture
        if picture is None or self.is_closed:
            return
        self._stop_living()
        if picture.problem:
            self._fail(f"There is no image for {self.link.peer}: {picture.problem}", lost=True)
            return
        try:
            self._image = picture.path.open("rb")
        except OSError as error:
            self._fail(f"The image for {self.link.peer} cannot be read: {error.strerror}", lost=True)
            return
        self._go_on()

    def _go_on(self) -> None:
        """Send the next parts of an image, as far as the peer reads."""
        while self._image is not None and not self._is_stuck and not self.is_closed:
            assert self.transport is not None
            data = self._image.read(CHUNK)
            if data:
                self.transport.write(encode(Piece(data)))
                continue
            self.transport.write(encode(Whole()))
            self._end_image()
            self._drain()

    def _end_image(self) -> None:
        if self._image is not None:
            self._image.close()
            self._image = None
        if self._picture is not None:
            picture, self._picture = self._picture, None
            picture.release()

    # Signs of life

    def _live(self, sign: Told) -> None:
        """Say again and again that one is alive."""

        def tell() -> None:
            if not self.is_closed and self.transport is not None:
                self.transport.write(encode(sign))
                self._life = self.links.loop.call_later(SIGN_OF_LIFE, tell)

        if self._life is None:
            tell()

    def _stop_living(self) -> None:
        if self._life is not None:
            self._life.cancel()
            self._life = None

    # Receiving

    def data_received(self, data: bytes) -> None:
        if self.is_closed:
            return
        if not self.is_open:
            self._prove(data)
            return
        self.links.received(len(data))
        try:
            for message in self._reader.feed(data):
                if self.is_closed:
                    return
                self._take(message)
        except BadLink as problem:
            self._fail(f"The voter {self.link.peer} says what is none of the protocol: {problem}", lost=True)
        except OSError as error:
            self._fail(f"An image cannot be kept: {error.strerror or error}", lost=True)

    def _take(self, message: Told) -> None:
        if self._loads:
            self._held.append(message)
        elif type(message) is Piece:
            if self._intake is None:
                raise BadLink("a piece of no image")
            self._intake.take(message.data)
            self.links.on_progress(self.link)
        elif type(message) is Image:
            self._receive_image(message)
        elif type(message) is Whole:
            self._has_image()
        elif self._intake is not None and type(message) is not There:
            raise BadLink("something within an image")
        else:
            self.links.on_message(self.link, message)

    def _receive_image(self, head: Image) -> None:
        if self._intake is not None or not self.link.outgoing:
            raise BadLink("an image that nobody has asked for")
        self._head = head
        self._intake = Intake(self.links.app, None, self.links.takes_images_in_memory())
        self._live(Here())
        self.links.on_progress(self.link)

    def _has_image(self) -> None:
        if self._intake is None or self._head is None:
            raise BadLink("the end of no image")
        image = replace(self._head, data=self._intake)
        self._intake = self._head = None
        self._loads = True
        if self.transport is not None:
            self.transport.pause_reading()
        self.links.on_message(self.link, image)

    def go_on(self) -> None:
        """The image is loaded: what came behind it is taken now."""
        self._loads = False
        self._stop_living()
        held, self._held = self._held, []
        try:
            for message in held:
                if not self.is_closed:
                    self._take(message)
        except BadLink as problem:
            self._fail(f"The voter {self.link.peer} says what is none of the protocol: {problem}", lost=True)
        if self.transport is not None and not self.is_closed and not self._loads:
            self.transport.resume_reading()

    # The end

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._fail("", lost=True)

    def _fail(self, why: str, lost: bool = False, stranger: bool = False) -> None:
        if self.is_closed:
            return
        if why:
            self.links.tell(self.link.peer, why)
        if stranger:
            self.links.strangers += 1
        self.close(at_once=True)
        self.links.loop.call_soon(self.links.forget, self)

    def close(self, at_once: bool = False) -> None:
        """End it, from here."""
        if self.is_closed:
            return
        self.is_closed = True
        unfinished = self._picture is not None
        self._limit_timer.cancel()
        self._stop_living()
        self._end_image()
        if self._intake is not None:
            self._intake.close()
            self._intake = None
        self.links.unproved.discard(self)
        if self.dialling is not None:
            self.dialling.cancel()
        if self.transport is not None:
            if at_once or unfinished:
                self.transport.abort()
            else:
                self.transport.close()


def _size(message: Told) -> int:
    return sum(len(entry.data) for entry in getattr(message, "entries", ()))


class Links:
    """The links of one voter. ``on_message`` gets what is said on them, ``on_lost`` each that ends otherwise than from
    here, ``on_progress`` hears of an image that comes."""

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
        self.loop = app.loop
        self.seat = seat
        self._secret = secret
        self.on_message = on_message
        self.on_progress = on_progress
        self._on_lost = on_lost
        self.tell = tell
        self.strangers = 0
        """How many links had no proof."""
        self.unproved: set[_End] = set()
        self._ends: dict[Link, _End] = {}
        self._number = 0
        self._last: tuple[Any, bytes] = (None, b"")

    def proof(self, direction: bytes, opener: str, other: str, nonce: bytes, answer: bytes) -> bytes:
        """What only who has the secret can say."""
        said = b" ".join((b"pycache link", VERSION, direction, opener.encode(), other.encode(), nonce, answer))
        return hmac.new(self._secret, said, "sha256").hexdigest().encode()

    def bytes_of(self, message: Told) -> bytes:
        """The bytes of a message, which is often said to several."""
        last, data = self._last
        if last is not message:
            data = encode(message)
            self._last = message, data
        return data

    def takes_images_in_memory(self) -> bool:
        """Whether an image is not written to a file while it comes."""
        settings = self.app.settings
        return not settings["save"] and not settings["appendonly"]

    def received(self, size: int) -> None:
        """So many bytes have come."""
        self.app.core.stats.input_bytes += size
        self.app.core.stats.repl_input_bytes += size

    # What a member wants

    def connect(self, link: Link) -> None:
        """Open a link."""
        end = _End(self, link, self.app.host.token(32))
        self._ends[link] = end
        end.dialling = self.loop.create_task(self._dial(end))

    async def _dial(self, end: _End) -> None:
        host, source = "", self.app.settings["bind-source-addr"]
        try:
            host, port = address_of(end.link.peer)
            made = self.loop.create_connection(lambda: end, host, port, local_addr=(source, 0) if source else None)
            await asyncio.wait_for(made, DIAL)
        except (TimeoutError, OSError, UnicodeError) as error:
            end._fail(f"The voter {end.link.peer} cannot be reached: {error or 'no answer in time'}")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.app.core.report_failure("opening a link to a voter", error)
            end._fail("")
        finally:
            end.dialling = None

    def say(self, link: Link, message: Told) -> None:
        """Send a message on a link, if there is one still."""
        end = self._ends.get(link)
        if end is not None:
            end.say(message)

    def close(self, link: Link) -> None:
        """Hang up."""
        end = self._ends.pop(link, None)
        if end is not None:
            end.close()

    def go_on(self, link: Link) -> None:
        """The image that has come on a link is loaded."""
        end = self._ends.get(link)
        if end is not None:
            end.go_on()

    def forget(self, end: _End) -> None:
        """A link was lost."""
        if self._ends.get(end.link) is end:
            del self._ends[end.link]
            self._on_lost(end.link)

    def unread(self, link: Link) -> int:
        """How many bytes wait for the peer of a link."""
        end = self._ends.get(link)
        return end.transport.get_write_buffer_size() if end is not None and end.transport is not None else 0

    def address(self, link: Link) -> str:
        """Where the peer of a link comes from."""
        end = self._ends.get(link)
        name = end.transport.get_extra_info("peername") if end is not None and end.transport is not None else None
        return f"{name[0]}:{name[1]}" if name else "?:0"

    # Who comes

    def accept(self, session: Session, argv: list[bytes]) -> Any:
        """GROUP LINK: somebody opens a link."""
        version, opener, meant, nonce = argv[2:6]
        refusal = self._refusal(session, version, meant, nonce)
        if refusal:
            self.tell(session.address.rpartition(":")[0], f"A link from {session.address} is refused: {refusal}")
            session.link.write(b"-ERR " + refusal.encode() + b"\r\n")
            session.close()
            return HALT
        connection = cast("Connection", session.link)
        self._number += 1
        end = _End(self, Link(opener.decode("utf-8", "replace"), self._number, False), self.app.host.token(32))
        self._ends[end.link] = end
        self.unproved.add(end)
        transport = connection.release()
        end.answer(transport, nonce)
        return HALT

    def _refusal(self, session: Session, version: bytes, meant: bytes, nonce: bytes) -> str:
        if version != VERSION:
            return f"it is of version {version[:16].decode('utf-8', 'replace')} of the protocol, not {VERSION.decode()}"
        if meant != self.seat.encode():
            return f"this is {self.seat}, and not {meant[:80].decode('utf-8', 'replace')}"
        if not 16 <= len(nonce) <= 64 or not nonce.isalnum():
            return "its nonce is none"
        if len(self.unproved) >= MOST_UNPROVED:
            return "too many links wait for a proof"
        if not isinstance(session.link, Connection):
            return "this is no connection"
        return ""

    def close_all(self) -> None:
        """The server ends: what was said still arrives."""
        for link in list(self._ends):
            self.close(link)

    def _check(self) -> None:
        for link, end in self._ends.items():
            assert end.link == link and not end.is_closed
        with contextlib.suppress(KeyError):
            assert self.unproved <= set(self._ends.values())
