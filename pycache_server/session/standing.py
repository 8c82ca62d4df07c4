"""What kind of client a session is: one that asks and is answered, one that listens, or a replica.

It decides how much is kept for the client, whether it may be silent for long, and what happens when it does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pycache_server.session.host import Link
from pycache_server.session.identity import Identity

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.leading import ReplicaLink


class Standing(Identity):
    """The part of a session that knows its kind."""

    __slots__ = (
        *("ack_level", "flags", "on_trial", "patterns", "replica", "shard_subscriptions", "subscriptions", "waiter"),
    )

    def __init__(self, core: Core, link: Link) -> None:
        super().__init__(core, link)
        self.flags: set[str] = set()
        """States that only change what CLIENT LIST shows or what happens outside of commands: monitor, no-evict,
        no-touch."""
        self.ack_level: int | None = None
        """At which level of acknowledgement replies leave (repl/commit.py); None: as configured."""
        self.subscriptions: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_subscriptions: dict[bytes, None] = {}
        self.waiter: Waiter | None = None
        self.replica: ReplicaLink | None = None
        """What the client has said of itself as a replica."""

        self.on_trial: Callable[[], None] | None = None
        """What sends away who is in only because it may be a voter (server/reserve.py); None for clients."""

    def put_on_trial(self, send_away: Callable[[], None]) -> None:
        """Let it say what voters say, within the limits of those who have not logged in, and nothing else."""
        self.on_trial = send_away
        self.distrust()
        self.choose_table()

    def turn_away(self) -> None:
        """Send away who is on trial."""
        if self.on_trial is not None:
            self.on_trial()

    @property
    def is_replica(self) -> bool:
        """Whether the client has become a replica."""
        return self.replica is not None and self.replica.replica.active

    def listens(self) -> bool:
        """Whether the client has subscribed to anything."""
        return bool(self.subscriptions or self.patterns or self.shard_subscriptions)

    def is_restricted(self) -> bool:
        """Whether the client listens in RESP2, where messages look like replies, so that it can do little else."""
        return self.resp == 2 and self.listens()

    def waits(self) -> bool:
        """Whether the client may be silent for long: it is blocked, listens, monitors or is a replica."""
        return self.waiter is not None or self.listens() or "monitor" in self.flags or self.is_replica

    def kind(self) -> str:
        """The class of the client for limits and CLIENT KILL TYPE: normal, slave or pubsub."""
        return "slave" if self.is_replica else "pubsub" if self.listens() else "normal"

    def unread(self) -> int:
        """How many bytes are kept for the client because it has not read them."""
        return self.link.buffered() if self.replica is None else self.replica.unread()

    def on_congestion(self) -> None:
        """See outlet.py. What a replica says is heard all the same: how far it is."""
        super().on_congestion()
        if self.is_replica:
            self.link.resume_reading()

    def on_relief(self) -> None:
        """See outlet.py."""
        super().on_relief()
        if self.replica is not None and self.is_replica:
            self.core.replication.leading.resume(self.replica)
