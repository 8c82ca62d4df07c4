"""What a node is in its replication: its role, its history, and what follows from that for commands.

There is one of these in each Core, whatever the role. ``history`` (repl/history.py) says which data the node holds;
``backlog`` keeps the end of the stream, once somebody has asked for it or the node follows. While the node leads, what
changes comes from the feed; while it follows, from its leader, byte for byte (``forward``). Either way it goes on to
the followers of this node.

``following`` is what is known of the leader while the node follows one, and None while it leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from pycache_server.repl.backlog import Backlog
from pycache_server.repl.history import History

if TYPE_CHECKING:
    from pycache_server.session.core import Core


class Following(Protocol):
    """A node's link to its leader, as ROLE and INFO show it."""

    def role(self) -> list[Any]:
        """The reply to ROLE."""

    def info(self) -> Iterator[tuple[str, Any]]:
        """The fields of INFO replication that only a follower has, in their order."""


class Replication:
    """The replication of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.history = History(core.host.token(40))
        self.backlog: Backlog | None = None
        self.backlog_size = 1 << 20
        """repl-backlog-size in bytes."""
        self.following: Following | None = None

    @property
    def leads(self) -> bool:
        """Whether the node is a leader: a master, in Redis's words."""
        return self.following is None

    def keep_backlog(self) -> Backlog:
        """Keep the end of the stream from now on. A leader that has kept none takes a new id, so that nobody comes
        with an offset that it has not counted."""
        if self.backlog is None:
            if self.leads:
                self.history.renew(self._core.host.token(40))
            self.backlog = Backlog(self.history, self.backlog_size)
        return self.backlog

    def forward(self, data: bytes) -> None:
        """The stream goes on with these bytes, which the data set contains."""
        assert self.backlog is not None
        self.backlog.append(data)

    def role(self) -> list[Any]:
        """The reply to ROLE."""
        if self.following is not None:
            return self.following.role()
        return [b"master", self.history.offset, []]
