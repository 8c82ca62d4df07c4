"""WAITAOF: whose changes are on which disks, and who waits for that.

``local`` is the append-only file of this server, while there is one: how far it is on the disk, in positions of the
feed (feed.py). How many replicas have it on theirs, ``replicas`` tells of a client; without replication that is none.
Whoever moves either calls ``moved``.

A client waits for its own last change (``wrote``), not for what others have done since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pycache_server.commands.context import NOT_READY
from pycache_server.errors import RedisError

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session


class NotAppending(RedisError):
    text = b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."


class Local(Protocol):
    """The append-only file of this server."""

    synced: int
    """Up to which position of the feed everything is on the disk."""
    is_whole: bool
    """Whether what was there before is on the disk, too: not while the first base is being written, nor when an fsync
    has failed, behind which the next one proves nothing, before the next base is there."""


class _Wait:
    """A client that waits, for so many disks. ``answer`` is what it gets if its time is over now."""

    __slots__ = ("answer", "local", "replicas", "waiter")

    def __init__(self, waiter: Waiter, local: int, replicas: int, answer: list[int]) -> None:
        self.waiter = waiter
        self.local = local
        self.replicas = replicas
        self.answer = answer


class Syncs:
    """What is on disks, for one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.local: Local | None = None
        self.replicas: Callable[[Session], int] = _none
        self.on_moved: Callable[[], None] = lambda: None
        """Called when more is on a disk, before those who wait are looked at."""
        self._waiting: list[_Wait] = []

    def reached(self, session: Session) -> list[int]:
        """On how many local disks, 1 or none, and on those of how many replicas a client's changes are."""
        local = self.local
        is_there = local is not None and local.is_whole and local.synced >= session.wrote
        return [int(is_there), self.replicas(session)]

    def wait(self, session: Session, local: int, replicas: int, timeout: float) -> Any:
        """WAITAOF, with a timeout in seconds, 0 for ever.

        Raises RedisError.
        """
        if local and self.local is None:
            raise NotAppending
        answer = self.reached(session)
        if answer[0] >= local and answer[1] >= replicas:
            return answer
        value = session.block([], _never, timeout, answer)
        if session.waiter is not None:
            self._waiting.append(_Wait(session.waiter, local, replicas, answer))
        return value

    def moved(self) -> None:
        """Something more is on a disk, or there is no append-only file any more: answer those who have waited for
        that."""
        self.on_moved()
        waiting, self._waiting = self._waiting, []
        for wait in waiting:
            session = wait.waiter.session
            if session.waiter is not wait.waiter:
                continue  # its time was over
            wait.answer[:] = self.reached(session)
            gone = wait.local and self.local is None
            if gone or (wait.answer[0] >= wait.local and wait.answer[1] >= wait.replicas):
                self._core.blocking.release(wait.waiter)
                session.reply(NotAppending() if gone else wait.answer)
            else:
                self._waiting.append(wait)


def _none(session: Session) -> int:
    return 0


def _never(key: bytes) -> Any:
    return NOT_READY
