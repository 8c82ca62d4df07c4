"""One link at one end: the asyncio.Protocol between a transport and the links of this voter (links.py).

A link is made in two ways. The *opener* connects, says who it is, hears the other's proof and gives its own
(repl/link_proof.py); the other end begins as a client's connection, whose transport is taken over when it says ``GROUP
LINK`` (links.py). What is said before a link is open waits.

Four rules.

1. *Nothing is believed before it is proved*: of an end that has not, no more is kept than the size of a proof.
2. *Messages keep their order.* While an image is being sent, what is said behind it waits.
3. *Nothing grows without bound*: what waits, here and in the transport, has the limits of
   ``client-output-buffer-limit replica``; beyond them the link ends.
4. *Its end is told once, and not to who has ended it*: ``close`` sends what was said before, and is silent then.

While something is on its way that takes long (an image, or one large message), a follower says ``Here`` and tells its
owner of the progress: silence would look like death at both ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from pycache_server.repl.link_proof import LONGEST_ANSWER, PROOF_SIZE, Proofs, nonce_of, older_version
from pycache_server.repl.link_wire import (
    MOST_OF_FOLLOWERS,
    MOST_OF_LEADERS,
    BadLink,
    Here,
    LinkReader,
    Piece,
    There,
    Whole,
    encode,
)
from pycache_server.repl.links import Ack, Image, Link
from pycache_server.server.group.dialing import notice_silence
from pycache_server.server.group.queued import Queued
from pycache_server.server.group.received import Received
from pycache_server.server.group.sending import ImageOut, NoImage
from pycache_server.server.listener import keep_alive

if TYPE_CHECKING:
    from pycache_server.server.app import App

LINGER: Final = 1.0
"""Seconds that the last words may take."""
KEEP_ALIVE: Final = 10
UNANSWERED: Final = 10_000
"""Milliseconds after which the system gives up a connection whose other end takes nothing."""
HERE_EVERY: Final = 0.1
"""Seconds between two signs of life of a follower that receives something long."""
HERE: Final = Here()
_HERE: Final = encode(HERE)


class Owner(Protocol):
    """Whose links these are."""

    app: App

    def opened(self, wire: Wire) -> None:
        """Both ends have proved themselves."""

    def heard(self, link: Link, message: Any) -> None:
        """The other end has said something."""

    def progressed(self, link: Link) -> None:
        """Something long is on its way, or the other end has said that it is alive."""

    def open_anew(self, wire: Wire, version: bytes) -> None:
        """The other end is older: open the link in another version of the protocol."""

    def takes_images_in_memory(self) -> bool:
        """Whether an image is not written to a file while it comes."""

    def ended(self, wire: Wire, why: str) -> None:
        """It has ended, not because of us; ``why`` is for the operator, empty for a plain end."""


class Wire(asyncio.Protocol):
    """One link. ``link`` is None until the opener of an incoming one has proved itself; ``version`` is that of the
    protocol."""

    def __init__(self, owner: Owner, link: Link | None, peer: str, version: bytes) -> None:
        self._owner = owner
        self._core = owner.app.core
        self.link = link
        self.peer = peer
        self.version = version
        self.host = ""
        """The address of the other end, without its port."""
        self.is_open = False
        self.has_spoken = False
        """Whether the other end has said anything behind its proof."""
        self._transport: asyncio.Transport | None = None
        self._why = ""
        self._done = False  # whether nobody wants to hear of it any more
        self._congested = False
        self._over_since = 0.0  # ticks
        self._largest = 0  # bytes of the largest message since the other end was up to date
        self._proofs: Callable[[bytes], Proofs] | Proofs | None = None
        self._early = b""
        self._queue: Queued | None = Queued()
        self._pump_planned = False
        self._reader = LinkReader(MOST_OF_LEADERS if link is not None and link.outgoing else MOST_OF_FOLLOWERS)
        self._take: Callable[[bytes], None] = self._take_answer
        self._image: Image | None = None
        self._intake: Received | None = None
        self._is_loading = False
        self._held: list[Any] = []  # what has come behind an image that is being loaded
        self._here_at = 0.0
        self._special: dict[type, Callable[[Any], None]] = {
            Image: self._on_image,
            Piece: self._on_piece,
            Whole: self._on_whole,
            There: self._on_there,
        }
        self._timer: asyncio.TimerHandle | None = None

    # The beginning

    def greet(self, hello: bytes, proofs: Callable[[bytes], Proofs]) -> None:
        """This end has opened it: what to say, and the proofs for the nonce that will be answered."""
        self._proofs = proofs
        self._early = hello

    def inherit(self, older: Wire) -> None:
        """What waits for another wire, which is given up before it was open, waits for this one."""
        self._queue, older._queue = older._queue, Queued()

    def adopt(self, transport: asyncio.Transport, proofs: Proofs) -> None:
        """The other end has opened it, and asks for our proof on this transport."""
        self._proofs = proofs
        self._take = self._take_proof
        self._set_up(transport)
        transport.set_protocol(self)
        transport.set_write_buffer_limits()
        transport.write(proofs.answer())

    def give_time(self, seconds: float, why: str) -> None:
        """So long may it take until what is asked of the other end has come."""
        self._forget_timer()
        self._timer = self._owner.app.loop.call_later(seconds, self.fail, why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = cast("asyncio.Transport", transport)
        if self._done:
            connected.abort()
            return
        self._set_up(connected)
        hello, self._early = self._early, b""
        connected.write(hello)

    def _set_up(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.host = self.address().rpartition(":")[0]
        connection = transport.get_extra_info("socket")
        keep_alive(connection, KEEP_ALIVE)
        notice_silence(connection, UNANSWERED)

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def _take_answer(self, data: bytes) -> None:
        self._early += data
        line, end, rest = self._early.partition(b"\r\n")
        if not end:
            if len(self._early) > LONGEST_ANSWER:
                self.fail("it answers something else than a voter would")
            return
        try:
            assert callable(self._proofs)
            proofs = self._proofs(nonce_of(line))
        except BadLink as problem:
            older = older_version(line, self.version)
            if older is not None:
                self._owner.open_anew(self, older)
            else:
                self.fail(str(problem))
            return
        if not proofs.is_answer(line + end):
            self.fail("its proof is wrong: it has another group-secret")
            return
        self._write(proofs.proof())
        self._open(rest)

    def _take_proof(self, data: bytes) -> None:
        self._early += data
        if len(self._early) < PROOF_SIZE:
            return
        assert isinstance(self._proofs, Proofs)
        if not self._proofs.is_proof(self._early[:PROOF_SIZE]):
            self.fail("its proof is wrong: it has another group-secret, or is no voter")
            return
        self._open(self._early[PROOF_SIZE:])

    def _open(self, rest: bytes) -> None:
        self._forget_timer()
        self.is_open = True
        self._early = b""
        self._proofs = None
        self._take = self._take_messages
        self._owner.opened(self)
        self._pump()
        if rest and not self._done:
            self._take_messages(rest)

    # What is said

    def say(self, message: Any, data: bytes) -> None:
        """Say a message; ``data`` is what ``encode`` makes of it, and empty for an image."""
        queue = self._queue
        if queue is None:
            self._transport.write(data)  # type: ignore[union-attr]  # while nothing waits there is one
            if self._congested:
                self._check_limits(len(data))
        elif not self._done:
            queue.add(message, data)
            self._check_limits(len(data))

    def say_image(self, image: Image) -> None:
        """Send an image, and what is said after it behind it."""
        if self._done or self._why:
            return
        if self._queue is None:
            self._queue = Queued()
        self._queue.add(ImageOut(image, self._core.host, self._write, self._plan_pump), b"")
        self._plan_pump()

    def _plan_pump(self) -> None:
        if not self._pump_planned:
            self._pump_planned = True
            self._owner.app.loop.call_soon(self._run_pump)

    def _run_pump(self) -> None:
        self._pump_planned = False
        self._pump()

    def _pump(self) -> None:
        """Send what waits, as far as the other end reads."""
        queue = self._queue
        while queue is not None and not self._done and self.is_open and not self._congested:
            if not queue:
                self._queue = None
                return
            first = queue.first()
            if type(first) is ImageOut:
                if not self._pump_image(queue, first):
                    return
            else:
                data = queue.pop()
                if data:
                    self._write(data)

    def _pump_image(self, queue: Queued, out: ImageOut) -> bool:
        """Whether the image that is next has been sent."""
        try:
            sent = out.advance()
        except (NoImage, OSError) as problem:
            self.fail(f"no image can be sent: {problem}")
            return False
        if sent:
            queue.skip_to(out.end)
            queue.pop()
        elif not out.is_waiting:
            self._plan_pump()
        return sent

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def unsent(self) -> int:
        """Bytes that wait for the other end."""
        waits = self._queue.size if self._queue is not None else 0
        return waits + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def _check_limits(self, size: int) -> None:
        """A message of this size has been added. See outlet.check_output: the same limits, for the same reason; but one
        message may be as large as it is, for it would be so the next time, too."""
        self._largest = max(self._largest, size)
        limit, kept = self._core.output_limits["slave"], self.unsent()
        now = self._core.host.ticks()
        if limit.soft and kept >= limit.soft:
            self._over_since = self._over_since or now
        else:
            self._over_since = 0.0
        overdue = self._over_since and now - self._over_since >= limit.seconds
        hard = max(limit.hard, self._core.replication.backlog_size) if limit.hard else 0
        if overdue or (hard and kept >= hard + self._largest):
            self._core.stats.output_overflows += 1
            self.fail("it does not read: scheduled to be closed ASAP for overcoming of output buffer limits")

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._over_since, self._largest = 0.0, 0
        if self._queue is not None:
            self._plan_pump()

    # What is heard

    def _take_messages(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except BadLink as problem:
            self.fail(f"what it says cannot be understood: {problem}")
            return
        if not messages:
            self._progress()
            return
        if not self.has_spoken:
            self.has_spoken = True
            self._forget_timer()
        if len(messages) > 1:
            messages = without_older_acks(messages)
        if self._is_loading:
            self._held += messages
        else:
            self._deliver(messages)

    def _deliver(self, messages: list[Any]) -> None:
        special, heard, link = self._special, self._owner.heard, cast("Link", self.link)
        for place, message in enumerate(messages):
            act = special.get(type(message))
            if act is not None:
                act(message)
            elif self._image is None:
                heard(link, message)
            else:
                self.fail("something else stands among the pieces of an image")
            if self._done or self._why:
                return
            if self._is_loading:
                self._held = messages[place + 1 :]
                return

    def _on_image(self, image: Image) -> None:
        if not cast("Link", self.link).outgoing:
            self.fail("an image comes from who has asked for the stream")
            return
        if self._image is not None:
            self.fail("an image begins within another one")
            return
        self._image = image
        try:
            self._intake = Received(self._owner.app, image.data, self._owner.takes_images_in_memory())
        except OSError as error:
            self.fail(f"Opening the temp file needed for an image: {error.strerror or error}")
            return
        self._progress()

    def _on_piece(self, piece: Piece) -> None:
        if self._intake is None:
            self.fail("a piece of no image has come")
            return
        try:
            self._intake.take(piece.data)
        except OSError as error:
            self.fail(f"Write error or short write writing to the file of an image: {error.strerror or error}")
            return
        if self._intake.received > (self._intake.size or 0):
            self.fail("an image is longer than it should be")
            return
        self._progress()

    def _on_whole(self, whole: Whole) -> None:
        image, intake = self._image, self._intake
        if image is None or intake is None or intake.received != intake.size:
            self.fail("an image has ended that is not whole")
            return
        self._image = self._intake = None
        whole_image = Image(
            image.epoch, image.table, image.end, image.voters, image.need, image.cut, image.commit, intake
        )
        self._load(whole_image)

    def _on_there(self, there: There) -> None:
        self._progress()

    def _progress(self) -> None:
        """Something long is on its way to this follower."""
        link = self.link
        if link is None or not link.outgoing:
            return
        now = self._core.host.ticks()
        if now - self._here_at >= HERE_EVERY:
            self._here_at = now
            self.say(HERE, _HERE)
        self._owner.progressed(link)

    # An image that is being loaded

    def _load(self, image: Image) -> None:
        """Let the owner load an image: until that is done nothing more is read, and the other end hears that this one
        is alive."""
        self._is_loading = True
        self._pause_reading()
        self._tell_alive()
        self._owner.heard(cast("Link", self.link), image)

    def _tell_alive(self) -> None:
        self.say(HERE, _HERE)
        self._timer = self._owner.app.loop.call_later(HERE_EVERY, self._tell_alive)

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """The image is loaded."""
        if not self._is_loading:
            return
        self._is_loading = False
        self._forget_timer()
        held, self._held = self._held, []
        self._deliver(held)
        if self._transport is not None and not self._transport.is_closing() and not self._is_loading:
            self._transport.resume_reading()

    # What there is to tell

    def address(self) -> str:
        """Where the other end is connected from."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return f"{name[0]}:{name[1]}" if name else "?:0"

    # The end

    def fail(self, why: str) -> None:
        """It cannot go on; its owner hears of it in the next round of the loop."""
        if self._done or self._why:
            return
        self._why = why
        self._take = _ignore
        self._release()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._owner.app.loop.call_soon(self.connection_lost, None)

    def give_up(self, why: str) -> None:
        """No connection has come about; or one has, but too late, and uvloop has closed it without a word."""
        self._transport = None
        self.fail(why)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._transport = None
        self._release()
        if not self._done:
            self._done = True
            before = "" if self.is_open else "it has hung up before it has proved itself"
            self._owner.ended(self, self._why or (str(exc) if exc is not None else before))

    def leave(self) -> None:
        """End it: what was said is sent, and nobody wants to hear of it."""
        self._done = True
        self._take = _ignore
        whole, paused = not self._queue, self._is_loading
        self._release()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not (self.is_open and whole):
            transport.abort()
            return
        # What the other end is still saying is read: or the system would throw away what we have said.
        with contextlib.suppress(OSError, RuntimeError):
            if paused:
                transport.resume_reading()
            transport.write_eof()
        self._timer = self._owner.app.loop.call_later(LINGER, transport.abort)

    def _release(self) -> None:
        """Hold nothing any more."""
        self._forget_timer()
        if self._queue is None:
            self._queue = Queued()  # where what is said from now on goes, and is not kept
        self._queue.clear()
        self._is_loading = False
        self._held = []
        if self._intake is not None:
            self._intake.close()
            self._image = self._intake = None

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._queue is not None:
            self._queue._check()
        else:
            assert self.is_open
        assert (self._intake is None) == (self._image is None)


def without_older_acks(messages: list[Any]) -> list[Any]:
    """The same messages but for acknowledgements that the next one says again: each would be counted for itself, and a
    follower that sends thousands at a time would hold up the leader until its lease is over."""
    return [
        message
        for message, following in pairwise([*messages, None])
        if type(message) is not Ack or type(following) is not Ack or following.offset < message.offset
    ]


def _ignore(data: bytes) -> None:
    """It is over: whatever comes is not looked at."""
