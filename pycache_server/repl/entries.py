"""The entries of a group's stream: writes, and what a leader says in between, as bytes that do no harm elsewhere.

What a leader says is a PUBLISH on a channel that clients may not publish to: a real redis-server that follows executes
it, and nobody has subscribed. It counts in offsets as all bytes do. A voter believes it only on a link whose handshake
has proved that the other end leads.

- ``mark`` opens an epoch: nothing is committed in it before this entry is. It also tells the replication id under which
  the stream goes on, so that real replicas of any voter may go on at another
- ``beat`` is a heartbeat: what the lease runs from
- ``voters`` changes who votes, from where it stands in the stream
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

CHANNEL: Final = b"__pycache_group__"


class Kind(Enum):
    """What an entry is."""

    WRITE = "write"
    MARK = "mark"
    BEAT = "beat"
    VOTERS = "voters"


class Entry(NamedTuple):
    """One entry: never split, whatever travels."""

    epoch: int
    """Of the leader that has appended it."""
    kind: Kind
    data: bytes
    voters: tuple[str, ...] = ()
    """Of a VOTERS entry: who votes from now on."""


def write(epoch: int, data: bytes) -> Entry:
    """Commands of clients; several that belong together are one entry."""
    return Entry(epoch, Kind.WRITE, data)


def mark(epoch: int, leader: str, replication_id: str) -> Entry:
    """The first entry of an epoch."""
    return Entry(epoch, Kind.MARK, _publish(f"mark {epoch} {leader} {replication_id}"))


def beat(epoch: int) -> Entry:
    """A heartbeat."""
    return Entry(epoch, Kind.BEAT, _publish(f"beat {epoch}"))


def voters(epoch: int, seats: tuple[str, ...]) -> Entry:
    """A change of the voters."""
    return Entry(epoch, Kind.VOTERS, _publish(f"voters {epoch} {','.join(seats)}"), seats)


def parse_published(payload: bytes) -> Entry:
    """The entry whose PUBLISH had this payload; ValueError if it is none."""
    kind, epoch, *rest = payload.decode().split(" ")
    if kind == "mark" and len(rest) == 2:
        return mark(int(epoch), rest[0], rest[1])
    if kind == "beat" and not rest:
        return beat(int(epoch))
    if kind == "voters" and len(rest) == 1:
        return voters(int(epoch), tuple(rest[0].split(",")))
    raise ValueError(f"not an entry of a group: {payload!r}")


def replication_id(entry: Entry) -> bytes:
    """The id that a MARK tells."""
    return entry.data.rpartition(b" ")[2].strip()


def _publish(payload: str) -> bytes:
    words = (b"PUBLISH", CHANNEL, payload.encode())
    return b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
