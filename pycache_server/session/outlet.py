"""What goes out to a client: replies in their batches, what is pushed in between, and what happens if it does not read.

While a batch of commands runs, replies and pushed messages are collected in ``_out``, which the session's loop joins
and writes once. At other times what is pushed is kept until the present batch of another session is done.

asyncio buffers whatever a connection cannot take, without a bound; so nothing more is read from a client, and nothing
more executed for it, while the link says that it is congested, and ``check_output`` holds client-output-buffer-limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pycache_server.commands.context import Context
from pycache_server.resp.encode import HALT, NO_REPLY, Wire, encode2
from pycache_server.session.host import Link

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

UNCOUNTED_OUTPUT = 16 * 1024
"""So many bytes of replies Redis does not count: its buffers that are no list."""
UNAUTHENTICATED_OUTPUT = UNCOUNTED_OUTPUT + 1024
"""Most bytes that are kept for a client that has not authenticated and does not read (CVE-2025-21605)."""


class Outlet(Context):
    """The outgoing half of a session."""

    __slots__ = (
        "_out",
        "_pushed",
        "_stats",
        "answering",
        "authenticated",
        "closing",
        "congested",
        "congested_since",
        "core",
        "encode",
        "late",
        "link",
        "null",
    )

    def __init__(self, core: Core, link: Link) -> None:
        super().__init__(core.keyspace)
        self.core = core
        self.link = link
        self.encode = encode2
        self.null = encode2(None)
        self.authenticated = core.access.users.default.is_open
        self.closing = False
        """Whether nothing more will be executed."""
        self.congested = False
        """Whether the client does not read as fast as it is written to."""
        self.congested_since = 0.0
        """Since when, in ticks, the soft limit has been exceeded."""
        self.answering = False
        """Whether the reply is being made for which the session has waited."""
        self.late: list[bytes] = []
        """Messages that the command which is running has caused for this session."""
        self._stats = core.stats
        self._out: list[bytes] | None = None
        self._pushed: list[bytes] = []

    def kind(self) -> str:
        """The class of the client, by which it is limited."""
        raise NotImplementedError

    def unread(self) -> int:
        """How many bytes are kept for the client because it has not read them."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on with what could not be executed when it came."""
        raise NotImplementedError

    def on_overflow(self) -> None:
        """The client has exceeded its limit: end the connection."""
        raise NotImplementedError

    def push(self, value: Any) -> None:
        """Send something that is no reply to a command: behind the replies of the batch that is running, or when
        the present batch of another session is done."""
        self.push_wire(self.encode(value))

    def push_wire(self, data: bytes) -> None:
        """The same with something that is encoded already."""
        if self._out is not None:
            self._out.append(data)
            return
        if not self._pushed:
            self.core.flush_soon(self)
        self._pushed.append(data)

    def push_message(self, data: bytes) -> None:
        """Send a message, encoded already: behind the reply to the command that causes it, where that is this
        session's own."""
        if self._out is not None or self.answering:
            self.late.append(data)
        else:
            self.push_wire(data)

    def with_late(self, value: Any) -> Any:
        """The value of a command with the messages behind it that it has caused."""
        if value is NO_REPLY or value is HALT:
            self.push_late()
            return value
        late = b"".join(self.late)
        self.late.clear()
        return Wire(self.encode(value) + late)

    def push_late(self) -> None:
        """Send the messages that have been kept for behind a reply."""
        if self.late:
            late = b"".join(self.late)
            self.late.clear()
            self.push_wire(late)

    def flush(self) -> None:
        """Send what has been pushed."""
        pushed, self._pushed = self._pushed, []
        if pushed and not self.closing:
            self._write(b"".join(pushed))

    def take_back(self, mark: int) -> list[bytes]:
        """Remove what the running batch has sent since ``mark``, a value of ``written``."""
        assert self._out is not None
        taken = self._out[mark:]
        del self._out[mark:]
        return taken

    def written(self) -> int:
        """How many replies the running batch has collected."""
        return len(self._out) if self._out is not None else 0

    def _write(self, data: bytes) -> None:
        if len(data) > UNCOUNTED_OUTPUT and self._is_too_much(len(data)):
            self.on_overflow()
            return
        self._stats.output_bytes += len(data)
        self._stats.writes += 1
        self.link.write(data)
        if self.congested:
            self.check_output(self.core.host.ticks())

    def _is_too_much(self, size: int) -> bool:
        """Whether so many bytes at once are more than the class of the client may be kept, however fast it reads: they
        are all kept before the first one leaves."""
        kind = self.kind()
        hard = self.core.output_limits[kind].hard if kind in ("normal", "pubsub") else 0
        return bool(hard) and size - UNCOUNTED_OUTPUT + self.unread() >= hard

    def make_way(self) -> bool:
        """Send what the batch has collected, so that it does not pile up. False where the client does not read:
        then nothing more may be executed for now."""
        out = self._out
        if out:
            data = b"".join(out)
            out.clear()
            self._write(data)
        return not self.congested and not self.closing

    def on_congestion(self) -> None:
        """The link keeps more than it likes: the client does not read."""
        self.congested = True
        self.congested_since = 0.0
        self.link.pause_reading()
        self._count_memory()

    def _count_memory(self) -> None:
        memory = self.core.client_memory
        if memory.share:
            memory.look((cast("Session", self),))

    def on_relief(self) -> None:
        """The client has read."""
        self.congested = False
        self.congested_since = 0.0
        self.link.resume_reading()
        self.resume()

    def check_output(self, now: float) -> None:
        """Close the connection where client-output-buffer-limit is exceeded; ``now`` is in ticks."""
        self._count_memory()
        kind = self.kind()
        limit = self.core.output_limits[kind]
        kept = self.unread()
        if self.authenticated and not limit.hard and not limit.soft:
            return
        hard = limit.hard if self.authenticated else UNAUTHENTICATED_OUTPUT
        if hard and kind == "slave":  # the backlog is kept whoever reads it
            hard = max(hard, self.core.replication.backlog_size)
        if limit.soft and kept >= limit.soft:
            self.congested_since = self.congested_since or now
        else:
            self.congested_since = 0.0
        overdue = self.congested_since and now - self.congested_since >= limit.seconds
        if (hard and kept >= hard) or overdue:
            self.on_overflow()
