"""Three members that hear each other at once, and a clock that moves when the test moves it."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from pycache_server.election.actions import Log, Persist, Send
from pycache_server.election.machine import Role
from pycache_server.election.state import Durable
from pycache_server.repl.actions import Close, Execute, Hangup, Install, Reply, Say
from pycache_server.repl.commit import QUORUM
from pycache_server.repl.links import Link
from pycache_server.repl.member import Member, Picture, Saved, Settings

SEATS = ("a", "b", "c")


class Trio:
    """The cluster; ``cut`` seats hear nothing and are not heard, ``holders`` have found data and no state file."""

    def __init__(self, seats: tuple[str, ...] = SEATS, formed: bool = True, holders: Collection[str] = ()) -> None:
        self.seats = seats
        self.now = 0.0
        self.cut: set[str] = set()
        self.states: dict[str, Durable] = {}
        self.members: dict[str, Member] = {}
        self.replies: list[Any] = []
        self.hangups: list[Any] = []
        self.executed: dict[str, list[bytes]] = {seat: [] for seat in seats}
        self.dropped: list[bytes] = []
        self.logged: list[str] = []
        self.starts = 0
        for seat in seats:
            self.states[seat] = Durable(seat, f"birth {seat}", 0 if formed else None, None, formed)
            self.start(seat, Saved((), 0, seats, ()) if formed else None, seat in holders)

    def start(self, seat: str, saved: Saved | None, holds_data: bool = False) -> Member:
        self.starts += 1
        chance = random.Random(self.starts)
        settings = Settings(self.seats)
        pictures = _Pictures(self, seat)
        state, name = self.states[seat], f"start {self.starts}"
        member = Member(state, settings, saved, pictures, chance, name, self.now, holds_data)
        self.members[seat] = member
        self.settle(seat)
        return member

    def join(self, seat: str) -> Member:
        """Start a node that has nothing on its disk, and is not configured as a voter."""
        self.starts += 1
        self.states[seat] = Durable(seat, f"birth {seat} {self.starts}")
        self.executed[seat] = []
        return self.start(seat, None)

    def leader(self) -> Member:
        """The one that leads the highest epoch."""
        leads = [member for member in self.members.values() if member.machine.role is Role.LEADER]
        return max(leads, key=lambda member: member.machine.epoch)

    def follower(self) -> Member:
        return next(member for member in self.members.values() if member is not self.leader())

    def pass_time(self, duration: float) -> None:
        """Let time pass, a heartbeat at a time."""
        end = self.now + duration
        while self.now < end:
            self.now += 100
            for seat, member in list(self.members.items()):
                member.tick(self.now)
                self.settle(seat)

    def elect(self) -> Member:
        self.pass_time(4000)
        return self.leader()

    def write(self, data: bytes, level: int = QUORUM) -> None:
        leader = self.leader()
        assert leader.leading
        leader.leading.write(data, level, "client", data, self.now)
        self.settle(leader.seat)

    def settle(self, seat: str) -> None:
        """Do what a member wants done, and what others want then."""
        for action in self.members[seat].take_actions():
            if isinstance(action, Persist):
                self.states[seat] = action.state
            elif isinstance(action, Send) and self._talk(seat, action.to):
                self.members[action.to].step(seat, action.message, self.now)
                self.settle(action.to)
            elif isinstance(action, (Say, Close)):
                self._on_link(seat, action)
            elif isinstance(action, Reply):
                self.replies.append(action.token)
            elif isinstance(action, Hangup):
                self.hangups.append(action.token)
            elif isinstance(action, Log):
                self.logged.append(action.text)
            elif isinstance(action, Execute):
                self.executed[seat] += [entry.data for entry in action.entries if entry.kind.value == "write"]
            elif isinstance(action, Install):
                self.dropped += [entry.data for entry in action.dropped]

    def _talk(self, one: str, other: str) -> bool:
        return other in self.members and not self.cut & {one, other}

    def _on_link(self, seat: str, action: Say | Close) -> None:
        link = action.link
        if not self._talk(seat, link.peer):
            return
        there = Link(seat, link.number, not link.outgoing)
        member = self.members[link.peer]
        if isinstance(action, Say):
            member.step_link(there, action.message, self.now)
        else:
            member.lose_link(there, self.now)
        self.settle(link.peer)


class _Pictures:
    """Pictures of a keyspace that is not there."""

    def __init__(self, trio: Trio, seat: str) -> None:
        self._trio = trio
        self._seat = seat

    def take(self, epoch: int, least: int) -> Picture:
        log = self._trio.members[self._seat].log
        return Picture(log.epochs.table, log.end, log.voters, None)
