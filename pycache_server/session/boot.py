"""The guard of an empty start: a leader that has lost its data set shall not make its replicas lose theirs.

A leader that begins with nothing, because it has no persistence or its disk is new, looks like any other to replicas
that come back to it: they would empty themselves, and the last copies would be gone. A replica of ours that has data
and has followed this very address says so (``RETURNS``, a word of REPLCONF capa, which a real server takes and does not
know). If it asks for a history longer than the leader's own, the leader closes: it takes no replica, and answers
everybody, PING included, with an error, so that sentinels take it for down and promote a replica. Whoever makes it
follow another, or sets ``min-boot-history no``, opens it again.

It looks for ``repl-timeout`` seconds after the start, in which replicas come back. One that has come into step with it
since then has given up what it had before: what it has more than the leader, when it is promoted, written to and made
to follow again, is its own. It does not know of real replicas, which do not say whom they have followed: with them it
is as it is in Redis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycache_server.errors import NoHistory, RedisError
from pycache_server.session.gates import refusing, wants_fresh

if TYPE_CHECKING:
    from pycache_server.repl.replica import Replica
    from pycache_server.session.core import Core

RETURNS: Final = "pycache-returns"
"""What a replica says that has data of this leader's."""
GATE: Final = "nohistory"


class EmptyStart:
    """The guard of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._until = 0.0
        self._in_step: set[str] = set()  # names of replicas that have what this server has
        self.closed = False
        """Whether the server serves nobody, since a replica has shown that its data set is lost."""

    def watch(self, seconds: float) -> None:
        """The server begins to lead without any data. Watch for so many seconds who comes back."""
        self._until = self._core.host.ticks() + seconds

    def note_in_step(self, replica: Replica) -> None:
        """A replica has all that this server has, and nothing else."""
        if self._core.host.ticks() < self._until:
            self._in_step.add(replica.name)

    def check(self, replica: Replica, asked: int) -> None:
        """A replica asks for the stream from behind an offset. Raises RedisError where it knows better than we what our
        data set was."""
        if not self.closed and not self._shows_loss(replica, asked):
            return
        if not self.closed:
            self._close(replica, asked)
        raise RedisError(b"NOMASTERLINK The data set of this server is lost, yours is not")

    def _shows_loss(self, replica: Replica, asked: int) -> bool:
        replication = self._core.replication
        return (
            RETURNS in replica.capabilities
            and replica.name not in self._in_step
            and replication.leads
            and asked > replication.history.offset
            and self._core.host.ticks() < self._until
        )

    def _close(self, replica: Replica, asked: int) -> None:
        self.closed = True
        self._core.host.log(
            "warning",
            f"This server has started without data, and its replica {replica.name} has its history up to offset "
            f"{asked}. It serves nobody, so that what is left of the data set is not lost. Promote a replica and let "
            "this server follow it, or give the data up: CONFIG SET min-boot-history no",
        )
        self._core.gates.set(GATE, _gate)

    def open(self) -> None:
        """Watch no more, and serve."""
        self._until = 0.0
        self._in_step.clear()
        if self.closed:
            self.closed = False
            self._core.gates.set(GATE, None)


_gate = refusing(wants_fresh, NoHistory)
