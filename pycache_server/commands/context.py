"""What a command may use of whoever runs it.

Commands know neither sockets nor protocol versions: the session (session/session.py) is one Context, a test's stand-in
is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pycache_server.store.database import Database
from pycache_server.store.keyspace import Keyspace


class _NotReady:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_READY"


NOT_READY: Final = _NotReady()
"""What a blocked command's ``serve`` returns where the key holds nothing for it yet."""


class Context:
    """Who runs a command: its database, all databases, and how to wait."""

    __slots__ = ("db", "deny_blocking", "effects", "halted_by", "is_script", "keyspace", "obeys", "resp", "wrote")

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.db: Database = keyspace.databases[0]
        self.resp = 2
        """The version of the protocol."""
        self.deny_blocking = False
        """Whether a blocking command must answer at once, as within MULTI."""
        self.is_script = False
        """Whether it is a script that calls, whose outcome shall not depend on how a value is kept."""
        self.effects: list[list[bytes]] | None = None
        """Where a command puts what replicas are to be told in place of its own words; None while nobody listens. For
        commands whose effect cannot be told from words and value alone (``effect`` of registry.py)."""
        self.halted_by: list[bytes] = []
        """The command that has halted the session last: for whom the client waits, if it does."""
        self.wrote = 0
        """The position of the feed at the last change that it has told of (session/feed.py)."""
        self.obeys = False
        """Whether what comes has been done elsewhere already, on a leader or before a restart, and must be done as it
        is told: a time that has passed removes nothing, and one that is ahead is right."""

    def may_read_all(self, argv: list[bytes]) -> bool:
        """Whether a command may read keys that its arguments do not name."""
        return True

    def block(
        self,
        keys: Sequence[bytes],
        serve: Callable[[bytes], Any],
        timeout: float,
        on_timeout: Any,
        wants: type | tuple[type, ...] | None = None,
        grows: bool = False,
    ) -> Any:
        """Wait until one of ``keys`` of the current database is ready, and return what the loop understands as that.

        ``serve(key)`` is called when ``key`` has changed; it does the command's work and returns its value, or
        NOT_READY where there is nothing to take yet. ``timeout`` is in seconds, 0 for ever; ``on_timeout`` is the
        value then. ``wants`` is the type of value that the key must hold; where it is None, ``serve`` is also called
        when the key holds something else or is gone. ``grows`` asks to hear of every change of a list that is there,
        as who needs more elements than it has.
        """
        raise NotImplementedError
