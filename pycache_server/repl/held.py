"""Replies that wait: a write's until enough followers have it, a read's until the newest write that it may have seen
has.

Each waits for one offset of the stream at one level (commit.py). The order of the stream is kept within a level, and
the replies of one client keep theirs: what follows a reply that waits for more waits for as much.
A reply that cannot leave any more, because the leader leads no more or time is up, is none: the connection is closed.
Whether the write has happened is then open.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from pycache_server.repl.commit import ALL, QUORUM


class Held(NamedTuple):
    """One reply; ``token`` is the owner's."""

    offset: int
    client: Any
    token: Any
    until: float


class HeldReplies:
    """All replies that wait at one leader."""

    def __init__(self) -> None:
        self._levels: dict[int, deque[Held]] = {}
        self._waiting: dict[int, Counter[Any]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))

    def hold(self, offset: int, level: int, client: Any, token: Any, until: float) -> None:
        """Let a reply wait for an offset at a level, or at the strictest at which its client waits already."""
        level = max((level, *self._levels_of(client)), key=strictness)
        self._levels.setdefault(level, deque()).append(Held(offset, client, token, until))
        self._waiting.setdefault(level, Counter())[client] += 1

    def waits(self, client: Any) -> bool:
        """Whether a reply of a client is held: those that follow it must wait, too."""
        return any(self._levels_of(client))

    def take_reached(self, reached: Callable[[int], int]) -> list[Held]:
        """The replies that may leave, in order; ``reached`` tells the offset of a level."""
        found = []
        for level, queue in self._levels.items():
            offset = reached(level) if queue else 0
            while queue and queue[0].offset <= offset:
                found.append(self._take(level, queue))
        return sorted(found, key=lambda held: held.offset) if len(self._levels) > 1 else found

    def take_late(self, now: float) -> list[Held]:
        """The replies whose time is up (repl-ack-timeout)."""
        found = []
        for level, queue in self._levels.items():
            while queue and queue[0].until <= now:
                found.append(self._take(level, queue))
        return found

    def take_all(self) -> list[Held]:
        """All of them: none will ever leave."""
        found = [held for queue in self._levels.values() for held in queue]
        self._levels.clear()
        self._waiting.clear()
        return found

    def _take(self, level: int, queue: deque[Held]) -> Held:
        held = queue.popleft()
        waiting = self._waiting[level]
        waiting[held.client] -= 1
        if not waiting[held.client]:
            del waiting[held.client]
        return held

    def _levels_of(self, client: Any) -> list[int]:
        return [level for level, waiting in self._waiting.items() if client in waiting]

    def _check(self) -> None:
        for level, queue in self._levels.items():
            offsets = [held.offset for held in queue]
            assert offsets == sorted(offsets)
            assert Counter(held.client for held in queue) == self._waiting[level]


def strictness(level: int) -> int:
    """Orders levels: of two replies of a client the later must not leave first."""
    return {QUORUM: 1_000_000, ALL: 1_000_001}.get(level, level)
