"""A follower's side of one connection to its master: bytes in, actions out.

What is said, in this order: PING, AUTH, what the master may want to know of us (REPLCONF, all in one go), PSYNC. The
answer to PSYNC decides. ``+CONTINUE``: the stream goes on where we stand. ``+FULLRESYNC``: a payload comes, an RDB file
framed by its length or by a mark at its end, and behind it the stream. A master that is not able right now says so and
is tried again later; one that does not know PSYNC is sent SYNC.

Three rules.

1. *A state is a method.* ``_step`` takes the next line while lines come, ``_take`` whatever comes: both are exchanged
   when the state changes, and nothing is tested for that has passed.
2. *Nothing is kept that the master can make large*: a line has LINE_LIMIT bytes at most, payload and stream are passed
   on as they come.
3. *Whatever is not understood ends the connection*, by an Ended that says what has come, in Redis's words.

It does not know sockets, time, files or the keyspace: server/follow.py does what the actions say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LINE_LIMIT = 1024
"""Longest line of a master, in bytes, without its end."""
MARK_SIZE = 40
"""Bytes of the mark behind a payload without a length."""
ID_SIZE = 40
"""Characters of a replication id."""
MOST_BYTES = 2**62
"""What no offset or length of a payload is above: behind an offset there must be room for a stream in 63 bits."""
CAPABILITIES = ("eof", "psync2")
_SHOWN = 256
"""So many bytes of what a master says are shown in the log."""


@dataclass(frozen=True)
class Wish:
    """What a follower tells its master, and asks of it. An empty ``replid`` asks for everything; ``offset`` is that of
    the first byte that is wanted. ``failover`` asks the other side to become a replica of ours."""

    port: int
    replid: str = ""
    offset: int = -1
    user: str = ""
    password: str = ""
    announced_ip: str = ""
    version: str = ""
    failover: bool = False
    capabilities: tuple[str, ...] = CAPABILITIES


@dataclass(frozen=True)
class Send:
    """These bytes go to the master."""

    data: bytes


@dataclass(frozen=True)
class Say:
    """A line for the log."""

    level: str
    text: str


@dataclass(frozen=True)
class Full:
    """The master is about to send everything, as it is at an offset of its history; -1 where it has none (SYNC)."""

    replid: str
    offset: int


@dataclass(frozen=True)
class Begin:
    """A payload begins: of so many bytes, or None where only its end will tell."""

    size: int | None


@dataclass(frozen=True)
class Piece:
    """A part of the payload."""

    data: bytes


@dataclass(frozen=True)
class Whole:
    """The payload has come to its end."""


@dataclass(frozen=True)
class Continue:
    """The stream goes on where it was; ``replid`` is the id that the history has from now on."""

    replid: str


@dataclass(frozen=True)
class Stream:
    """A part of the stream of commands."""

    data: bytes


@dataclass(frozen=True)
class Ended:
    """Nothing more can be had from this connection. ``later`` says that the master has only asked for patience."""

    level: str
    text: str
    later: bool = False


Action = Send | Say | Full | Begin | Piece | Whole | Continue | Stream | Ended


def shown(data: bytes) -> str:
    """What a master has said, for the log: printable and not too long."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data[:_SHOWN])
    return text + "..." if len(data) > _SHOWN else text


def packed(*words: str | bytes | int) -> bytes:
    """A command as it is sent."""
    parts = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


@dataclass
class _Question:
    """What has been asked, and what an answer means: ``fatal`` where an error ends the connection."""

    text: str
    fatal: bool = field(default=False)


class Follower:
    """One connection. ``begin`` when it is there, then ``receive`` whatever comes; each gives the actions to take in
    their order. After an Ended nothing more is to be received."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.state = "handshake"
        """``handshake``, ``payload``, ``stream`` or ``ended``."""
        self._actions: list[Action] = []
        self._line = b""  # the beginning of a line
        self._take: Callable[[bytes], bytes] = self._take_lines
        self._step: Callable[[bytes], None] = self._on_pong
        self._questions: list[_Question] = []
        self._missing = 0  # bytes of the payload that are still to come
        self._mark = b""
        self._tail = b""  # the last bytes of a payload with a mark, which may be the beginning of that

    def begin(self) -> list[Action]:
        """The connection has been made."""
        self._say("notice", "Non blocking connect for SYNC fired the event.")
        self._send(packed("PING"))
        return self._done()

    def receive(self, data: bytes) -> list[Action]:
        """Bytes have come."""
        while data and self.state != "ended":
            data = self._take(data)
        return self._done()

    def _done(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    # Lines

    def _take_lines(self, data: bytes) -> bytes:
        """One line; the rest of the data."""
        line, end, rest = data.partition(b"\n")
        line = self._line + line
        if len(line) > LINE_LIMIT:
            self._end("warning", f"Bad protocol from MASTER: a line without an end, beginning with '{shown(line)}'")
            return b""
        if not end:
            self._line = line
            return b""
        self._line = b""
        self._step(line.removesuffix(b"\r"))
        return rest

    def _on_pong(self, line: bytes) -> None:
        """The answer to PING: a master that wants a password first will do."""
        if not line.startswith((b"+", b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted")):
            self._end("warning", f"Error reply to PING from master: '{shown(line)}'")
            return
        self._say("notice", "Master replied to PING, replication can continue...")
        self._introduce()

    def _introduce(self) -> None:
        """Say everything of us at once; the answers come in the same order."""
        wish, words = self.wish, []
        if wish.password:
            credentials = (wish.user, wish.password) if wish.user else (wish.password,)
            words.append((_Question("AUTH", fatal=True), ("AUTH", *credentials)))
        words.append((_Question("listening-port"), ("REPLCONF", "listening-port", wish.port)))
        if wish.announced_ip:
            words.append((_Question("ip-address"), ("REPLCONF", "ip-address", wish.announced_ip)))
        capabilities = [word for each in wish.capabilities for word in ("capa", each)]
        words.append((_Question("capa"), ("REPLCONF", *capabilities)))
        if wish.version:
            words.append((_Question("version"), ("REPLCONF", "version", wish.version)))
        self._questions = [question for question, _ in words]
        self._step = self._on_answer
        self._send(b"".join(packed(*each) for _, each in words))

    def _on_answer(self, line: bytes) -> None:
        question = self._questions.pop(0)
        if line[:1] not in (b"+", b"-"):
            self._end("warning", f"Unexpected reply to {question.text} from master: '{shown(line)}'")
            return
        if line.startswith(b"-"):
            if question.fatal:
                self._end("warning", f"Unable to AUTH to MASTER: {shown(line)}")
                return
            self._say("notice", f"(Non critical) Master does not understand REPLCONF {question.text}: {shown(line)}")
        if not self._questions:
            self._ask()

    def _ask(self) -> None:
        """Ask for the stream, from where we stand or from the beginning."""
        wish = self.wish
        words: Iterable[str | int]
        if wish.failover:
            words = ("PSYNC", wish.replid, wish.offset, "FAILOVER")
        elif wish.replid:
            self._say("notice", f"Trying a partial resynchronization (request {wish.replid}:{wish.offset}).")
            words = ("PSYNC", wish.replid, wish.offset)
        else:
            self._say("notice", "Partial resynchronization not possible (no cached master)")
            words = ("PSYNC", "?", -1)
        self._step = self._on_psync
        self._send(packed(*words))

    def _on_psync(self, line: bytes) -> None:
        """The answer to PSYNC; empty lines only say that the master lives."""
        if not line:
            return
        word = line.split(b" ", 1)[0]
        if word == b"+FULLRESYNC":
            self._on_full_resync(line)
        elif word == b"+CONTINUE":
            self._on_continue(line)
        elif line.startswith((b"-NOMASTERLINK", b"-LOADING")):
            text = f"Master is currently unable to PSYNC but should be in the future: {shown(line)}"
            self._end("notice", text, later=True)
        elif self.wish.failover:
            self._end("warning", f"Who is to take over answers PSYNC with: {shown(line)}")
        else:
            self._fall_back(line)

    def _fall_back(self, line: bytes) -> None:
        """The master does not know PSYNC, or says something odd: ask in the old way."""
        if line.startswith(b"-ERR"):
            self._say("notice", f"Master does not support PSYNC or is in error state (reply: {shown(line)})")
        else:
            self._say("warning", f"Unexpected reply to PSYNC from master: {shown(line)}")
        self._say("notice", "Retrying with SYNC...")
        self._send(b"SYNC\r\n")
        self._await_payload("", -1)

    def _on_full_resync(self, line: bytes) -> None:
        words = line.split(b" ")
        if len(words) != 3 or not _is_id(words[1]) or (offset := _number(words[2])) is None:
            self._end("warning", f"Master replied with wrong +FULLRESYNC syntax: '{shown(line)}'")
            return
        replid = words[1].decode()
        self._say("notice", f"Full resync from master: {replid}:{offset}")
        self._await_payload(replid, offset)

    def _await_payload(self, replid: str, offset: int) -> None:
        self._actions.append(Full(replid, offset))
        self.state = "payload"
        self._step = self._on_header

    def _on_continue(self, line: bytes) -> None:
        if not self.wish.replid:
            self._end("warning", f"Unexpected reply to PSYNC from master: {shown(line)}")
            return
        _, _, replid = line.partition(b" ")
        if replid and not _is_id(replid):
            self._end("warning", f"Master replied with wrong +CONTINUE syntax: '{shown(line)}'")
            return
        self._say("notice", "Successful partial resynchronization with master.")
        self._actions.append(Continue(replid.decode() or self.wish.replid))
        self._begin_stream()

    # The payload

    def _on_header(self, line: bytes) -> None:
        """The line in front of the payload: ``$`` and its length, or the mark that will end it."""
        if not line:
            return
        if line.startswith(b"-"):
            self._end("warning", f"MASTER aborted replication with an error: {shown(line[1:])}")
        elif line.startswith(b"$EOF:") and len(line) == 5 + MARK_SIZE:
            self._mark = line[5:]
            self._actions.append(Begin(None))
            self._take = self._take_marked
        elif line.startswith(b"$") and (size := _number(line[1:])) is not None:
            self._missing = size
            self._actions.append(Begin(size))
            self._take = self._take_counted
            if not size:
                self._finish_payload()
        elif line.startswith(b"$"):
            self._end("warning", f"Bad protocol from MASTER, the length of the payload is '{shown(line[1:])}'")
        else:
            self._end(
                "warning",
                f"Bad protocol from MASTER, the first byte is not '$' (we received '{shown(line)}'), are you sure the "
                "host and port are right?",
            )

    def _take_counted(self, data: bytes) -> bytes:
        piece, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(piece)
        self._actions.append(Piece(piece))
        if not self._missing:
            self._finish_payload()
        return rest

    def _take_marked(self, data: bytes) -> bytes:
        data = self._tail + data
        end = data.find(self._mark)
        if end >= 0:
            self._pass_on(data[:end])
            self._tail = b""
            self._finish_payload()
            return data[end + MARK_SIZE :]
        keep = max(0, len(data) - MARK_SIZE + 1)
        self._pass_on(data[:keep])
        self._tail = data[keep:]
        return b""

    def _pass_on(self, piece: bytes) -> None:
        if piece:
            self._actions.append(Piece(piece))

    def _finish_payload(self) -> None:
        self._actions.append(Whole())
        self._begin_stream()

    # The stream

    def _begin_stream(self) -> None:
        self.state = "stream"
        self._take = self._take_stream

    def _take_stream(self, data: bytes) -> bytes:
        self._actions.append(Stream(data))
        return b""

    # Inside

    def _send(self, data: bytes) -> None:
        self._actions.append(Send(data))

    def _say(self, level: str, text: str) -> None:
        self._actions.append(Say(level, text))

    def _end(self, level: str, text: str, later: bool = False) -> None:
        self.state = "ended"
        self._questions.clear()
        self._actions.append(Ended(level, text, later))

    def _check(self) -> None:
        """Assert what is kept, and what the state says of it."""
        assert len(self._line) <= LINE_LIMIT and len(self._tail) < MARK_SIZE
        assert self._missing >= 0
        assert not self._questions or self._step == self._on_answer
        if self.state == "stream":
            assert not self._missing and not self._tail and not self._line


def _is_id(word: bytes) -> bool:
    return len(word) == ID_SIZE and word.isalnum() and word.isascii()


def _number(word: bytes) -> int | None:
    """A length or an offset: digits alone, and not absurdly many."""
    if not (word.isdigit() and word.isascii() and len(word) <= 19):
        return None
    value = int(word)
    return value if value <= MOST_BYTES else None
