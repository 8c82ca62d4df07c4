"""What a member of a group wants done, besides what its machine wants (election/actions.py): in the order of the list.

Entries are kept (Keep, Cut, Install) before a message that acknowledges them; the state is persisted before entries of
an epoch that is new to it are kept, and after a cut, so that a crash in between leaves a table that is right up to
where the file ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pycache_server.repl.entries import Entry
from pycache_server.repl.links import Image, Link, Spoken


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a link to its peer."""

    link: Link


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message on a link."""

    link: Link
    message: Spoken


@dataclass(frozen=True, slots=True)
class Close:
    """Hang up."""

    link: Link


@dataclass(frozen=True, slots=True)
class Keep:
    """Write entries to the file that outlives a restart, if there is one, before what follows."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """End that file at this offset."""

    end: int


@dataclass(frozen=True, slots=True)
class Execute:
    """Apply committed entries to the keyspace."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Install:
    """Exchange the keyspace, and what outlives a restart, for an image. ``dropped`` are entries of this node
    that no leader has: kept in a file for the operator."""

    image: Image
    dropped: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Let a reply that was held leave."""

    client: Any
    token: Any


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection of a client whose reply will never leave."""

    client: Any
    token: Any
