"""No engine at all: the group elects, and whoever leads it holds the key. The same interface, so that whoever asks for
the holder, the token or the members asks in the same way; nothing is connected, and nothing is driven
(coordinate.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from pycache_server.coordinator.engine import Claim, Registered, Seen, Setup
from pycache_server.coordinator.group import Group


class Builtin:
    """The group's own election, seen as an engine. Its token is the epoch."""

    kind = "builtin"
    nominates = False

    def __init__(self, setup: Setup, group: Group) -> None:
        self.ttl, self.every = setup.ttl, setup.every
        self._group = group

    @property
    def token(self) -> int:
        """The epoch."""
        return self._group.epoch

    def look(self) -> Seen:
        """Who leads."""
        group = self._group
        leader = group.leader_seat
        return Seen(leader, group.epoch, group.epoch, group.leads and leader == group.seat)

    async def renew(self, claim: Claim) -> None:
        """There is nothing to keep."""

    async def acquire(self, claim: Claim) -> Seen:
        """Nobody gets it by asking."""
        return self.look()

    async def release(self) -> None:
        """It is the group's: it goes with the leadership."""

    async def leave(self) -> None:
        """There is nothing to leave."""

    async def members(self) -> list[Registered]:
        """The voters; who of them is alive is known of this one and its leader."""
        group, leader = self._group, self._group.leader_seat
        known = (leader, group.seat)
        return [Registered(seat, group.epoch, seat == leader, seat in known) for seat in group.voters]

    async def watch(self) -> AsyncGenerator[Seen]:
        """Who leads, and whenever that has changed."""
        changed = asyncio.Event()
        self._group.on_role_change.append(changed.set)
        try:
            while True:
                changed.clear()
                yield self.look()
                await changed.wait()
        finally:
            self._group.on_role_change.remove(changed.set)

    async def close(self) -> None:
        """There is nothing to close."""
