"""No eviction: nothing goes when memory is full, and commands that need more are refused.

The engine only lets the keyspace keep its account.
"""

from __future__ import annotations

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine


class NoEviction(Engine):
    """Never has a victim."""

    def admit(self, entry: SizedEntry) -> None:
        """Nothing to remember."""

    def access(self, entry: SizedEntry) -> None:
        """Nothing to remember."""

    def discard(self, entry: SizedEntry) -> None:
        """Nothing to forget."""

    def victim(self) -> SizedEntry | None:
        return None
