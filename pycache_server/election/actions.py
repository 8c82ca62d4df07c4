"""What a machine wants done. They are to be done one after the other: what is persisted is on disk (fsync) before the
next action begins, so no message leaves that says more than a crash would leave behind."""

from __future__ import annotations

from dataclasses import dataclass

from pycache_server.election.messages import Message
from pycache_server.election.state import Durable


@dataclass(frozen=True, slots=True)
class Persist:
    """Write this state to the file, and to the disk beneath it."""

    state: Durable


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a seat; it may be lost."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class Log:
    """Tell the operator; ``level`` is that of the log."""

    text: str
    level: str = "notice"
