"""WAIT: clients that wait until replicas have what they have written. What is on disks is told in syncs.py.

What a client waits for is an offset of the stream: that behind its last write. Whenever replicas have acknowledged, all
that wait are looked at, once a round; who waits in vain is answered when its time is over, with what there is then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycache_server.commands.context import NOT_READY
from pycache_server.resp.encode import HALT

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.core import Core
    from pycache_server.session.replication import Replication
    from pycache_server.session.session import Session


@dataclass(frozen=True)
class Wait:
    """What a client waits for: so many replicas that are at an offset."""

    offset: int
    replicas: int


class Waits:
    """Who waits for replicas."""

    def __init__(self, core: Core, replication: Replication) -> None:
        self._core = core
        self._replication = replication
        self._waiting: list[tuple[Wait, Waiter]] = []
        self._planned = False

    def begin(self, session: Session, wait: Wait, timeout: float) -> Any:
        """Halt a session until it has what it waits for, or ``timeout`` seconds have passed, 0 for ever. The reply,
        where it has that already or may not wait."""
        ready, answer = self._state(wait)
        if ready or session.deny_blocking:
            return answer
        value = session.block([], lambda key: NOT_READY, timeout, answer)
        if value is HALT and session.waiter is not None:
            self._waiting.append((wait, session.waiter))
        self._replication.leading.ask()
        return value

    def _state(self, wait: Wait) -> tuple[bool, int]:
        """Whether what is waited for is there, and the reply that tells how much is."""
        count = self._replication.leading.leader.acknowledged_by(wait.offset)
        return count >= wait.replicas, count

    def look_soon(self) -> None:
        """Something has been acknowledged."""
        if self._waiting and not self._planned:
            self._planned = True
            self._core.host.defer(self._look)

    def _look(self) -> None:
        self._planned = False
        still = []
        for wait, waiter in self._waiting:
            if waiter.session.waiter is not waiter:
                continue  # it has been answered already, or has gone
            ready, answer = self._state(wait)
            if ready:
                self._core.blocking.release(waiter)
                waiter.session.reply(answer)
            else:
                waiter.on_timeout = answer
                still.append((wait, waiter))
        self._waiting = still

    @property
    def count(self) -> int:
        """How many clients wait."""
        return sum(waiter.session.waiter is waiter for _, waiter in self._waiting)
