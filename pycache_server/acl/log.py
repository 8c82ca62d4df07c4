"""What was refused: ACL LOG.

The newest entry is the first. What happens again within a minute is counted in its entry, if that is one of the first
ten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from pycache_server.acl.selector import DENIED_AUTH, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY

GROUPED = 60_000
"""Milliseconds within which the same is no new entry."""
SEARCHED = 10
"""So many entries are looked at for the same."""
REASONS = {DENIED_COMMAND: "command", DENIED_KEY: "key", DENIED_AUTH: "auth", DENIED_CHANNEL: "channel"}


@dataclass(slots=True)
class Entry:
    """Something refused, once or several times. Times are in ms since 1970."""

    kind: int
    context: str
    """toplevel, multi, lua or module."""
    object: bytes
    """The command, key or channel."""
    username: bytes
    client: str
    """The client, as CLIENT LIST shows it, at the last time."""
    updated: int
    created: int = 0
    number: int = 0
    count: int = 1

    def is_like(self, other: Entry) -> bool:
        """Whether another one is the same, and not long ago."""
        return (
            self.kind == other.kind
            and self.context == other.context
            and abs(self.updated - other.updated) <= GROUPED
            and self.object == other.object
            and self.username == other.username
        )


class AclLog:
    """The entries, and how many refusals of each kind there were."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.longest = 128
        """acllog-max-len."""
        self.refused = dict.fromkeys(REASONS, 0)
        self._created = 0

    def add(self, entry: Entry) -> None:
        """Something was refused."""
        self.refused[entry.kind] += 1
        for place, known in enumerate(islice(self.entries, SEARCHED)):
            if known.is_like(entry):
                known.client, known.updated = entry.client, entry.updated
                known.count += 1
                del self.entries[place]
                self.entries.appendleft(known)
                return
        entry.created, entry.number = entry.updated, self._created
        self._created += 1
        self.entries.appendleft(entry)
        self.shorten()

    def newest(self, count: int) -> list[Entry]:
        """So many entries, or all."""
        return list(islice(self.entries, count))

    def shorten(self) -> None:
        """Keep no more than ``longest``."""
        while len(self.entries) > self.longest:
            self.entries.pop()

    def clear(self) -> None:
        """Forget the entries."""
        self.entries.clear()
