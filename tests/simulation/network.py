"""The network: datagrams that are delayed, dropped, doubled and overtaken, and links that keep their order until they
break, seen or unseen. Any direction between two nodes can be cut."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pycache_server.election.wire import Wire
from pycache_server.repl.links import Append, Continue, Link
from tests.simulation.schemes import STALL

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

SECRET = b"a secret"
CLOSED = object()
"""The last thing on a link: the other end has hung up."""


class Connection:
    """A link from a follower to a leader."""

    def __init__(self, world: World, opener: Host, acceptor: Host, link: Link) -> None:
        self.ends = (opener, acceptor)
        self.opened_by = opener.start_id
        self.accepted_by: str | None = None
        """Which run of the process has accepted it, when something has arrived."""
        self.links = (link, Link(opener.seat, next(world.numbers), False))
        self.queues: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self.last = [0.0, 0.0]
        self.closed = [False, False]
        """Which end has hung up: it hears nothing more, what it has said before still arrives."""
        self.broken = False
        self.waits_when_cut = world.random.random() < 0.5
        """Whether it outlives a partition, as TCP may."""


class Network:
    """All that is on its way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.blocked: set[tuple[int, int]] = set()
        self.lossy = world.config.net

    def delay(self) -> float:
        if self.world.config.skewed:
            return self.random.uniform(0.1, 1)
        draw = self.random.random()
        slow = draw >= 0.96 and self.lossy
        return self.random.uniform(12, 400) if slow else self.random.uniform(1, 12)

    # Datagrams.

    def send(self, source: Host, to: str, message: Any) -> None:
        draw, lossy = self.random.random, self.lossy
        for _ in range(2 if lossy and draw() < 0.03 else 1):
            if lossy and draw() < 0.03:
                continue
            delay = self.random.uniform(200, 4000) if lossy and draw() < 0.02 else self.delay()
            if draw() < 0.05:
                message = through_bytes(source.seat, to, message)
            self.world.after(delay, self.arrive, source, self.world.by_seat[to], message)

    def arrive(self, source: Host, target: Host, message: Any) -> None:
        if (source.index, target.index) in self.blocked or not target.up:
            return
        if target.is_paused():
            self.world.after(target.until_awake(), self.arrive, source, target, message)
            return
        self.world.say(source.seat, "->", target.seat, message)
        target.member.step(source.seat, message, target.clock())
        target.settle()

    # Links.

    def connect(self, opener: Host, link: Link) -> None:
        opener.connections[link] = Connection(self.world, opener, self.world.by_seat[link.peer], link)

    def say(self, host: Host, link: Link, message: Any) -> None:
        connection = host.connections.get(link)
        if connection is None:
            return
        side = connection.ends.index(host)
        if connection.closed[side] or connection.broken:
            return
        if self.lossy and self.random.random() < 0.002:
            self.break_link(connection)
            return
        for piece, extra in self.pieces(host, message):
            self._queue(connection, side, piece, extra)

    def pieces(self, source: Host, message: Any) -> list[tuple[Any, float]]:
        """Entries may arrive in pieces, so that a part of them is acknowledged; an image takes its time."""
        if isinstance(message, (Continue, Append)) and len(message.entries) > 1:
            at = self.world.schemes.splits(source, message)
            return self._split(message) if at is None else self._cut(message, at)
        is_image = type(message).__name__ == "Image"
        return [(message, self.random.uniform(30, 500) if is_image else 0.0)]

    def _split(self, message: Any) -> list[tuple[Any, float]]:
        entries, first = message.entries, self.random.randint(1, 30)
        found = [(replace(message, entries=entries[:first]), self._stall())]
        at = message.cut if isinstance(message, Continue) else message.first
        at += sum(len(entry.data) for entry in entries[:first])
        while first < len(entries):
            some = entries[first : first + self.random.randint(1, 30)]
            found.append((Append(message.epoch, at, some, message.commit), self._stall()))
            first += len(some)
            at += sum(len(entry.data) for entry in some)
        return found

    def _cut(self, message: Any, at: int) -> list[tuple[Any, float]]:
        """In two, of which the second is long on its way."""
        first = message.entries[:at]
        end = message.cut + sum(len(entry.data) for entry in first)
        rest = Append(message.epoch, end, message.entries[at:], message.commit)
        return [(replace(message, entries=first), 0.0), (rest, STALL)]

    def _stall(self) -> float:
        return self.random.uniform(0, 150) if self.lossy and self.random.random() < 0.3 else 0.0

    def close(self, host: Host, link: Link) -> None:
        connection = host.connections.pop(link, None)
        if connection is not None:
            side = connection.ends.index(host)
            if not connection.closed[side]:
                connection.closed[side] = True
                self._queue(connection, side, CLOSED, 0.0)

    def _queue(self, connection: Connection, side: int, message: Any, extra: float) -> None:
        now = self.world.time
        at = max(connection.last[side] + 0.01, now + self.delay() + extra)
        connection.last[side] = at
        connection.queues[side].append(message)
        self.world.after(at - now, self.pump, connection, side)

    def pump(self, connection: Connection, side: int) -> None:
        source, target = connection.ends[side], connection.ends[1 - side]
        if connection.broken or connection.closed[1 - side] or not target.up:
            return
        run = connection.accepted_by if side == 0 else connection.opened_by
        if run is not None and run != target.start_id:
            return
        if target.is_paused():
            self.world.after(target.until_awake(), self.pump, connection, side)
            return
        if (source.index, target.index) in self.blocked:
            if connection.waits_when_cut:
                self.world.after(120, self.pump, connection, side)
            else:
                self.break_link(connection)
            return
        self._deliver(connection, side, target, connection.queues[side].popleft())

    def _deliver(self, connection: Connection, side: int, target: Host, message: Any) -> None:
        link = connection.links[1 - side]
        if side == 0 and connection.accepted_by is None:
            connection.accepted_by = target.start_id
            target.connections[link] = connection
        if message is CLOSED:
            target.connections.pop(link, None)
            connection.closed[1 - side] = True
            target.member.lose_link(link, target.clock())
        else:
            self.world.say(connection.ends[side].seat, "=>", target.seat, message)
            target.member.step_link(link, message, target.clock())
        target.settle()

    def break_link(self, connection: Connection) -> None:
        """Broken in the middle; both ends find out some time, or by silence."""
        connection.broken = True
        for side in (0, 1):
            self.world.after(self.random.uniform(5, 400), self._found_broken, connection, side)

    def _found_broken(self, connection: Connection, side: int) -> None:
        host, link = connection.ends[side], connection.links[side]
        if host.connections.pop(link, None) is not None and host.up and not host.is_paused():
            host.member.lose_link(link, host.clock())
            host.settle()


def through_bytes(source: str, to: str, message: Any) -> Any:
    """A message as it comes out of its bytes."""
    sender, found = Wire(to, SECRET).decode(Wire(source, SECRET).encode(to, message))
    assert (sender, found) == (source, message)
    return found
