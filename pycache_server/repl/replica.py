"""One replica, as its leader knows it: what it has said of itself, how far it is, and what it is waiting for.

The life of a replica: HANDSHAKE (it says what it can do), then, unless the stream can simply go on, WAIT_START (a
snapshot is to be made), WAIT_END (one is being made, and the stream is kept from there on), SEND_BULK (the file is
being sent), at last ONLINE. Where the snapshot was streamed, nobody but the replica knows when it has read its end: it
is ONLINE then, but gets the stream only after its first ACK (``awaits_ack``).

``position`` is where it goes on reading the stream; the backlog keeps what lies behind it (repl/backlog.py).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """How far a replica has come."""

    HANDSHAKE = 0
    WAIT_START = 1
    WAIT_END = 2
    SEND_BULK = 3
    ONLINE = 4


_SHOWN: Final = {
    State.HANDSHAKE: "handshake",
    State.WAIT_START: "wait_bgsave",
    State.WAIT_END: "wait_bgsave",
    State.SEND_BULK: "send_bulk",
    State.ONLINE: "online",
}
KEEPS_FIELD_TIMES: Final = (7, 4)
"""The first version of Redis in which fields of hashes expire."""


class Replica:
    """What a leader knows of one replica. ``host`` is where it comes from, ``number`` that of its connection. Times
    are in seconds of a clock that never goes back."""

    __slots__ = (
        "acknowledged",
        "address",
        "asked_at",
        "awaits_ack",
        "capabilities",
        "durable",
        "filtered",
        "heard_at",
        "host",
        "number",
        "old",
        "only_snapshot",
        "port",
        "position",
        "state",
        "version",
        "with_functions",
    )

    def __init__(self, host: str, number: int = 0) -> None:
        self.host = host
        self.number = number
        self.state = State.HANDSHAKE
        self.address = ""
        """Where it says that it can be reached, if not where it comes from."""
        self.port = 0
        """Its listening port, 0 where it has not told."""
        self.capabilities: set[str] = set()
        self.version: tuple[int, ...] = ()
        """Of what Redis it is, where it has told: real ones up to 7.4 do not."""
        self.old = False
        """Whether it has come with SYNC: it hears nothing but the payload and the stream, and never acknowledges."""
        self.only_snapshot = False
        self.filtered = False
        """Whether it wants a part of the snapshot only: functions where ``with_functions``, or nothing."""
        self.with_functions = False
        self.position = 0
        self.acknowledged = 0
        self.durable = 0
        """Up to where its own append-only file is on disk."""
        self.heard_at = 0.0
        self.asked_at = 0.0
        """When it has asked for a snapshot."""
        self.awaits_ack = False

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"{self.address or self.host}:{self.port or '<unknown-replica-port>'}"

    @property
    def active(self) -> bool:
        """Whether it has asked to be a replica."""
        return self.state is not State.HANDSHAKE

    @property
    def reads(self) -> bool:
        """Whether the stream has to be kept for it."""
        return self.state >= State.WAIT_END and not self.only_snapshot

    @property
    def streams(self) -> bool:
        """Whether it is to be sent the stream."""
        return self.state is State.ONLINE and not self.awaits_ack

    @property
    def takes_streams(self) -> bool:
        """Whether it can take a snapshot of which nobody knows the length."""
        return "eof" in self.capabilities

    @property
    def keeps_field_times(self) -> bool:
        """Whether it knows of fields of hashes that expire."""
        return self.version >= KEEPS_FIELD_TIMES

    def wants(self) -> tuple[bool, bool, bool, bool]:
        """What its snapshot must be like: replicas that agree can share one."""
        return self.filtered, self.with_functions, self.keeps_field_times, self.only_snapshot

    def lag(self, now: float) -> int:
        """How many seconds ago it has been heard, in whole seconds of the clock, as Redis counts: who tells once a
        second does not lag by one because it tells a little late."""
        return int(now) - int(self.heard_at) if self.state is State.ONLINE else 0

    def acknowledge(self, offset: int, durable: int, now: float) -> None:
        """It has told how far it is."""
        self.acknowledged = max(self.acknowledged, offset)
        self.durable = max(self.durable, durable)
        self.heard_at = now
        self.awaits_ack = False

    def begin_snapshot(self, replication_id: bytes, offset: int) -> bytes:
        """Its snapshot holds everything up to an offset of a history. What to tell it."""
        self.state = State.WAIT_END
        self.position = offset
        return b"" if self.old else b"+FULLRESYNC %b %d\r\n" % (replication_id, offset)

    def go_online(self, now: float) -> None:
        """It has got its snapshot, or needs none."""
        self.state = State.ONLINE
        self.heard_at = now  # no false timeout

    def described(self, now: float) -> str:
        """The value of its line in INFO."""
        return (
            f"ip={self.address or self.host},port={self.port},state={_SHOWN[self.state]},"
            f"offset={self.acknowledged},lag={self.lag(now)}"
        )

    @property
    def shown(self) -> str:
        """The name of its state."""
        return _SHOWN[self.state]

    def _check(self) -> None:
        """Assert that the fields agree."""
        assert not self.awaits_ack or self.state is State.ONLINE
        assert self.acknowledged >= 0 <= self.durable


def version_of(text: str) -> tuple[int, ...] | None:
    """The numbers of a version like 7.4.0, None where it is none."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 3 or not all(part.isdecimal() and len(part) < 10 for part in parts):
        return None
    return tuple(map(int, parts))
