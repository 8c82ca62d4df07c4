"""A deployment without processes: nodes that answer like servers, and real sentinels, on a network that loses messages.

Everything happens in virtual time and by one random source, so a seed is a run. What must never be is looked at while
it happens: two sentinels elected in one epoch, two votes of one sentinel in one epoch, an epoch that goes back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from pycache_server.sentinel.actions import Action, Connect, Disconnect, Event, Forget, Persist, Send
from pycache_server.sentinel.hello import format_hello
from pycache_server.sentinel.instance import Instance, Master, Peer, Replica
from pycache_server.sentinel.machine import Sentinel
from pycache_server.sentinel.timing import TICK

NAME = "crm"
Address = tuple[str, int]


class Server:
    """What a sentinel sees of a server."""

    def __init__(self, port: int, leader: Address | None) -> None:
        self.address = ("node", port)
        self.leader = leader
        self.offset = 0
        self.priority = 100
        self.run_id = f"{port:040d}"
        self.alive = True
        self.hands_over = True
        """Whether it knows FAILOVER."""
        self.group_epoch = 0
        """Of a group that it belongs to: what it has promised."""
        self.told: list[tuple[str, ...]] = []
        """What it was told to follow."""
        self.listeners: list[tuple[Watch, Instance]] = []

    def info(self, town: Town) -> bytes:
        """Its INFO."""
        seats = ",".join(f"{host}:{port}" for host, port in town.servers)
        group = f"\r\ngroup_epoch:{self.group_epoch}\r\ngroup_voters:{seats}" if self.group_epoch else ""
        return self._role(town) + group.encode()

    def _role(self, town: Town) -> bytes:
        if self.leader is None:
            replicas = [each for each in town.servers.values() if each.leader == self.address and each.alive]
            lines = [f"slave{n}:ip={r.address[0]},port={r.address[1]},state=online" for n, r in enumerate(replicas)]
            return "\r\n".join([f"run_id:{self.run_id}", "role:master", *lines]).encode()
        up = town.servers[self.leader].alive and town.reaches(self.address, self.leader)
        return "\r\n".join(
            [
                *(f"run_id:{self.run_id}", "role:slave"),
                *(f"master_host:{self.leader[0]}", f"master_port:{self.leader[1]}"),
                *(f"master_link_status:{'up' if up else 'down'}", "" if up else "master_link_down_since_seconds:1"),
                *(f"slave_priority:{self.priority}", f"slave_repl_offset:{self.offset}"),
            ]
        ).encode()


class Watch:
    """A sentinel and what is around it."""

    def __init__(self, town: Town, port: int) -> None:
        self.address = ("sentinel", port)
        self.alive = True
        self.made(town)
        self.saved: dict[str, Any] = {}

    def made(self, town: Town) -> None:
        """Begin without any memory."""
        self.sentinel = Sentinel(f"{self.address[1]:040d}", town.random.randrange, self.address[1])
        self.sentinel.can_resolve = lambda host: True  # type: ignore[method-assign]
        self.links: set[tuple[Instance, bool]] = set()


class Town:
    """Servers, of which the first one leads, and sentinels."""

    def __init__(self, seed: int, servers: int = 3, sentinels: int = 3, down_after: int = 1000) -> None:
        self.random = Random(seed)
        self.now = 10_000
        self.down_after = down_after
        self.servers = {("node", 1 + n): Server(1 + n, ("node", 1) if n else None) for n in range(servers)}
        self.watches = {("sentinel", 101 + n): Watch(self, 101 + n) for n in range(sentinels)}
        self.cut: set[frozenset[Address]] = set()
        self.events: list[tuple[Address, str, str]] = []
        self.leaders: dict[int, str] = {}
        """Who was elected in which epoch."""
        self.votes: dict[tuple[Address, int], str] = {}
        self.handovers: list[Address] = []
        """Leaders that have handed over."""
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()
        for watch in self.watches.values():
            self.boot(watch)

    # Time

    def later(self, delay: int, call: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._number), call))

    def run(self, milliseconds: int) -> None:
        """Let time pass."""
        end = self.now + milliseconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, call = heapq.heappop(self._queue)
            call()
        self.now = end

    def until(self, condition: Callable[[], bool], milliseconds: int) -> int:
        """Let time pass until something is so; how long that was."""
        start = self.now
        while not condition():
            assert self.now - start < milliseconds, f"not within {milliseconds} ms: {self.events[-20:]}"
            self.run(TICK)
        return self.now - start

    # The network

    def reaches(self, one: Address, other: Address) -> bool:
        return frozenset((one, other)) not in self.cut

    def part(self, side: list[Address]) -> None:
        """Cut some off from all others."""
        everyone = [*self.servers, *self.watches]
        self.cut |= {frozenset((one, other)) for one in side for other in everyone if other not in side}

    def delay(self) -> int:
        return 1 + self.random.randrange(20)

    def _target(self, instance: Instance) -> Server | Watch | None:
        return self.servers.get(instance.address) or self.watches.get(instance.address)

    # Sentinels

    def boot(self, watch: Watch) -> None:
        """Start a sentinel with what it had saved."""
        watch.made(self)
        saved, sentinel = watch.saved, watch.sentinel
        host, port = saved.get("leader", ("node", 1))
        master = Master(NAME, host, port, len(self.watches) // 2 + 1, self.now)
        master.down_after, master.failover_timeout = self.down_after, 6000
        sentinel.monitor(master)
        sentinel.epoch = saved.get("epoch", 0)
        master.config_epoch, master.leader_epoch = saved.get("config_epoch", 0), saved.get("leader_epoch", 0)
        for address in saved.get("replicas", ()):
            sentinel.find_replica(master, *address, self.now)
        for run_id, address in saved.get("peers", ()):
            master.peers[run_id] = Peer(master, run_id, *address, self.now)
        sentinel.take_actions()
        watch.alive = True
        self._tick(watch, sentinel)

    def _tick(self, watch: Watch, sentinel: Sentinel) -> None:
        if watch.alive and watch.sentinel is sentinel:
            sentinel.tick(self.now)
            self.perform(watch)
            self.later(TICK - 10 + self.random.randrange(20), lambda: self._tick(watch, sentinel))

    def crash(self, watch: Watch) -> None:
        """Stop a sentinel at once."""
        watch.alive = False
        for server in self.servers.values():
            server.listeners = [each for each in server.listeners if each[0] is not watch]

    def perform(self, watch: Watch) -> None:
        for action in watch.sentinel.take_actions():
            self._perform(watch, action)

    def _perform(self, watch: Watch, action: Action) -> None:
        match action:
            case Connect():
                self.later(self.delay(), lambda: self._connected(watch, action.to, action.listening))
            case Disconnect():
                self._unlink(watch, action.to, action.listening)
            case Forget():
                self._unlink(watch, action.to, False)
                self._unlink(watch, action.to, True)
            case Send():
                if (action.to, False) in watch.links:
                    self.later(self.delay(), lambda: self._arrived(watch, watch.sentinel, action))
            case Persist():
                self._save(watch)
            case Event():
                self._note(watch, action)

    def _connected(self, watch: Watch, instance: Instance, listening: bool) -> None:
        target = self._target(instance)
        if target is None or not target.alive or not self.reaches(watch.address, target.address):
            watch.sentinel.unlinked(instance, listening, self.now)
            return
        watch.links.add((instance, listening))
        if listening and isinstance(target, Server):
            target.listeners.append((watch, instance))
        watch.sentinel.linked(instance, listening, self.now)
        self.perform(watch)

    def _unlink(self, watch: Watch, instance: Instance, listening: bool) -> None:
        watch.links.discard((instance, listening))
        target = self._target(instance)
        if listening and isinstance(target, Server):
            target.listeners = [each for each in target.listeners if each != (watch, instance)]
        watch.sentinel.unlinked(instance, listening, self.now)

    def _arrived(self, watch: Watch, sentinel: Sentinel, action: Send) -> None:
        target = self._target(action.to)
        if target is None or not target.alive or not self.reaches(watch.address, target.address):
            if target is not None and not target.alive and (action.to, False) in watch.links:
                self._unlink(watch, action.to, False)
            return
        if isinstance(target, Server):
            reply = self._served(watch, target, action)
        else:
            reply = self._asked(watch, target, action)
        self.later(self.delay(), lambda: self._replied(watch, sentinel, action, reply))

    def _replied(self, watch: Watch, sentinel: Sentinel, action: Send, reply: Any) -> None:
        if watch.alive and watch.sentinel is sentinel and (action.to, False) in watch.links:
            sentinel.replied(action.to, action.tag, reply, self.now)
            self.perform(watch)

    def _served(self, watch: Watch, server: Server, action: Send) -> Any:
        name = action.argv[0]
        if name == "INFO":
            return server.info(self)
        if name == "PUBLISH":
            self._publish(watch, server, action.to)
            return 1
        if name in ("SLAVEOF", "REPLICAOF"):
            assert (name == "REPLICAOF") == bool(server.group_epoch), "a voter has been taken for none, or the reverse"
            server.told.append(action.argv[1:])
        if name == "SLAVEOF" and not server.group_epoch:
            leader = None if action.argv[1] == "NO" else (action.argv[1], int(action.argv[2]))
            server.leader = None if leader == server.address else leader
        if name == "FAILOVER":
            return self._hand_over(server, (action.argv[2], int(action.argv[3])))
        return "PONG" if name == "PING" else "OK"

    def _hand_over(self, server: Server, target: Address) -> Any:
        if not server.hands_over or server.leader is not None:
            return RuntimeError("ERR")
        self.handovers.append(server.address)
        server.leader, self.servers[target].leader = target, None
        return "OK"

    def _publish(self, watch: Watch, server: Server, instance: Instance) -> None:
        text = self._hello(watch, instance)
        for listener, through in list(server.listeners):
            if listener.alive and self.reaches(listener.address, server.address):
                listener.sentinel.heard(through, text, self.now)
                self.perform(listener)

    @staticmethod
    def _hello(watch: Watch, instance: Instance) -> str:
        master = instance.master if isinstance(instance, Replica | Peer) else instance
        assert isinstance(master, Master)
        return format_hello(watch.sentinel, master, watch.address[0])

    def _asked(self, watch: Watch, other: Watch, action: Send) -> Any:
        if action.argv[0] == "SENTINEL":
            host, port, epoch, candidate = action.argv[2:]
            reply = list(other.sentinel.asked(host, int(port), int(epoch), candidate, self.now))
            self.perform(other)
            return reply
        if action.argv[0] == "PUBLISH":
            other.sentinel.heard_directly(self._hello(watch, action.to), self.now)
            self.perform(other)
            return 1
        return "PONG"

    # What must never be

    def _save(self, watch: Watch) -> None:
        sentinel = watch.sentinel
        master = sentinel.masters[NAME]
        assert sentinel.epoch >= watch.saved.get("epoch", 0), "an epoch went back"
        vote = self.votes.setdefault((watch.address, master.leader_epoch), master.leader)
        assert vote == master.leader or not master.leader, "two votes in one epoch"
        watch.saved = {
            "epoch": sentinel.epoch,
            "leader": master.current_address(),
            "config_epoch": master.config_epoch,
            "leader_epoch": master.leader_epoch,
            "replicas": [each.address for each in master.replicas.values()],
            "peers": [(run_id, peer.address) for run_id, peer in master.peers.items()],
        }

    def _note(self, watch: Watch, event: Event) -> None:
        self.events.append((watch.address, event.name, event.text))
        if event.name == "+elected-leader" and not watch.sentinel.masters[NAME].forced:
            epoch = watch.sentinel.masters[NAME].failover_epoch
            assert self.leaders.setdefault(epoch, watch.sentinel.my_id) == watch.sentinel.my_id, "two were elected"

    # What is so

    def names(self) -> set[Address]:
        """The leaders that living sentinels name."""
        return {watch.sentinel.masters[NAME].current_address() for watch in self.watches.values() if watch.alive}

    def settled(self) -> bool:
        """Whether all name one leader that lives and leads, and all others that live follow it."""
        names = self.names()
        if len(names) != 1:
            return False
        leader = self.servers[next(iter(names))]
        others = [each for each in self.servers.values() if each.alive and each is not leader]
        return leader.alive and leader.leader is None and all(each.leader == leader.address for each in others)

    def met(self) -> bool:
        """Whether all sentinels know all others and all followers."""
        masters = [watch.sentinel.masters[NAME] for watch in self.watches.values()]
        return all(
            len(each.peers) == len(self.watches) - 1
            and len(each.replicas) == len(self.servers) - 1
            and all(replica.info_at for replica in each.replicas.values())
            for each in masters
        )
