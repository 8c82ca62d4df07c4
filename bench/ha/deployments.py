"""What is compared: a leader, two followers, and who watches them: sentinels, or the nodes
themselves where they are a group. What each deployment is made of is one line in ``DEPLOYMENTS``.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.common import free_port
from bench.ha.network import Network, Place
from bench.ha.processes import OURS, Node, Process, Watcher, until
from bench.ha.wire import Wire, pairs

NAME = "crm"
DOWN_AFTER = 1500
"""Milliseconds of silence after which a node is down."""
FAILOVER_TIMEOUT = 6000
SECRET = "a secret that all voters of this bench share"
ASK = 0.3
"""Seconds that a client waits for the answer to who leads."""


@dataclass(frozen=True)
class Kind:
    """What a deployment is made of."""

    ours: bool
    """Whether the nodes are ours."""
    group: bool = False
    sentinels: str = ""
    """The sentinels, a letter each: ``o`` for ours, ``r`` for Redis's."""
    ack: str = "reply"
    """What a client takes for an acknowledgement: the ``reply``, or a WAIT behind it (``wait``)."""
    lines: tuple[str, ...] = ()
    """More lines for the configuration of its nodes."""


ALWAYS = ("appendonly yes", "appendfsync always", "no-appendfsync-on-rewrite no")
_MIN = ("min-replicas-to-write 1", "min-replicas-max-lag 1")
DEPLOYMENTS = {
    "redis": Kind(ours=False, sentinels="rrr"),
    "redis-wait": Kind(ours=False, sentinels="rrr", ack="wait"),
    "redis-min": Kind(ours=False, sentinels="rrr", lines=_MIN),
    "plain": Kind(ours=True, sentinels="ooo"),
    "plain-wait": Kind(ours=True, sentinels="ooo", ack="wait"),
    "plain-min": Kind(ours=True, sentinels="ooo", lines=_MIN),
    "group": Kind(ours=True, group=True),
    "group-aof": Kind(ours=True, group=True, lines=ALWAYS),
    "group-sentinels": Kind(ours=True, group=True, sentinels="ooo"),
    "plain-mixed": Kind(ours=True, sentinels="oor"),
    "plain-watched-by-redis": Kind(ours=True, sentinels="rro"),
    "redis-watched-by-ours": Kind(ours=False, sentinels="ooo"),
    "group-watched-by-redis": Kind(ours=True, group=True, sentinels="rrr"),
}
USUAL = list(DEPLOYMENTS)[:9]
"""Those that are compared where none is named."""


@dataclass
class Deployment:
    """Nodes of which the first one leads at the beginning, and sentinels where the kind has them."""

    name: str
    network: Network
    kind: Kind
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="failover-")))
    nodes: list[Node] = field(default_factory=list)
    watchers: list[Watcher] = field(default_factory=list)

    def start(self) -> None:
        """Start all, and wait until they know each other. Raises Never."""
        try:
            self._start_nodes()
            if self.kind.sentinels:
                self._start_watchers()
            until(self.is_whole, 60, f"a whole deployment {self.name}")
        except BaseException:
            self.stop()
            raise

    def stop(self, keep: bool = False) -> None:
        """End all; ``keep`` their directories, with logs."""
        for each in self.processes:
            each.kill()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def processes(self) -> list[Process]:
        """All of them."""
        return [*self.watchers, *self.nodes]

    def node_at(self, address: tuple[str, int]) -> Node | None:
        """The node at an address."""
        return next((each for each in self.nodes if each.address == address), None)

    # Nodes

    def _start_nodes(self) -> None:
        program = _programs()["o" if self.kind.ours else "r"]
        for number in range(3):
            place = self.network.place(f"node{number + 1}")
            self.nodes.append(Node(self.network, place, free_port(), self.directory / place.name, program))
        for number, node in enumerate(self.nodes):
            node.config.write_text("\n".join(self._lines(number, node)) + "\n")
            node.start(wait=not self.kind.group)

    def _lines(self, number: int, node: Node) -> list[str]:
        lines = [
            f"bind {node.place.bind}",
            f"port {node.port}",
            "protected-mode no",
            'save ""',
            "enable-debug-command yes",
            "repl-diskless-sync-delay 0",
            f"replica-priority {10 * (number + 1)}",
            *(f"{name} {value}" for name, value in _reached(node).items()),
            *self.kind.lines,
        ]
        if self.kind.group:
            seats = " ".join(_seat(each) for each in self.nodes)
            lines += [
                f'group-voters "{seats}"',
                f"group-seat {_seat(node)}",
                f'group-secret "{SECRET}"',
                f"group-down-after {DOWN_AFTER}",
                "repl-ack quorum",
            ]
        elif number:
            lines.append("replicaof {} {}".format(*self.nodes[0].address))
        return lines

    # Sentinels

    def _start_watchers(self) -> None:
        programs = _programs()
        first = self.nodes[0]
        if self.kind.group:
            until(lambda: self.leader() is not None, 20, "a group")
            first = self.leader() or first
        for number, letter in enumerate(self.kind.sentinels):
            place = self.network.place(f"sentinel{number + 1}")
            watcher = Watcher(self.network, place, free_port(), self.directory / place.name, programs[letter])
            self.watchers.append(watcher)
            lines = [
                f"bind {place.bind}",
                f"port {watcher.port}",
                "protected-mode no",
                *(f"{name} {value}" for name, value in _reached(watcher).items()),
                "sentinel monitor {} {} {} 2".format(NAME, *first.address),
                f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
                f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT}",
            ]
            watcher.config.write_text("\n".join(lines) + "\n")
            watcher.start()

    # What it knows of itself

    def leader(self) -> Node | None:
        """The only node that says that it leads; None where there is none, or more than one."""
        found = [each for each in self.nodes if each.runs and _leads(each)]
        return found[0] if len(found) == 1 else None

    def is_whole(self) -> bool:
        """Whether one leads, all others follow it, and all sentinels know everybody. Raises OSError."""
        leader = self.leader()
        if leader is None or not all(each.follows(leader) for each in self.nodes if each is not leader):
            return False
        return all(self._knows(each, leader) for each in self.watchers)

    def _knows(self, watcher: Watcher, leader: Node) -> bool:
        known = pairs(watcher.call("SENTINEL", "MASTER", NAME))
        return (
            (known["ip"], int(known["port"])) == leader.address
            and int(known["num-slaves"]) == len(self.nodes) - 1
            and int(known["num-other-sentinels"]) == len(self.watchers) - 1
            and known["flags"] == "master"
            and self._reaches_followers(watcher)
        )

    def _reaches_followers(self, watcher: Watcher) -> bool:
        """Whether a sentinel has heard from all followers that they follow: only then it may promote one."""
        known = [pairs(each) for each in watcher.call("SENTINEL", "REPLICAS", NAME)]
        return all(each["flags"] == "slave" and each["master-link-status"] == "ok" for each in known)

    def find(self, place: Place) -> tuple[str, int] | None:
        """Where a client at a place is told that the leader is: by sentinels, or else by the nodes."""
        asked: list[Process] = list(self.watchers or self.nodes)
        random.shuffle(asked)
        for each in asked:
            try:
                with Wire(place, each.address, ASK) as wire:
                    found = _told(wire) if self.watchers else _asked(wire, each.address)
            except (OSError, KeyError, ValueError, TypeError, IndexError):
                continue
            if found is not None:
                return found
        return None

    # What operators do

    def hand_over(self, target: Node) -> Any:
        """Move the lead in an orderly way, to a node where that can be said; the answer. Raises OSError."""
        if self.watchers:
            return self.watchers[0].call("SENTINEL", "FAILOVER", NAME)
        leader = self.leader()
        if leader is None:
            raise OSError("nobody leads")
        return leader.call("GROUP", "HANDOVER", _seat(target))

    def force(self) -> str:
        """The operator's word, where a group does not come back by itself because a majority has lost its memory: the
        node that holds most leads. What has been done. Raises OSError."""
        held = {int(each.replication()["master_repl_offset"]): each for each in self.nodes if each.runs}
        survivor = held[max(held)]
        return f"GROUP FORCE at {survivor.place.name}: {survivor.call('GROUP', 'FORCE')}"


def _reached(process: Process) -> dict[str, object]:
    """How a process tells others where it is, if that is not where it listens; and from where it comes to them."""
    if process.address == process.home:
        return {}
    host, port = process.address
    if isinstance(process, Watcher):
        named: dict[str, object] = {"sentinel announce-ip": host, "sentinel announce-port": port}
    else:
        named = {"replica-announce-ip": host, "replica-announce-port": port}
    return {**named, "bind-source-addr": process.place.bind}


def _seat(node: Node) -> str:
    host, port = node.address
    return f"{host}:{port}"


def _leads(node: Node) -> bool:
    try:
        return node.leads
    except (OSError, KeyError, AttributeError, ValueError):
        return False


def _told(wire: Wire) -> tuple[str, int] | None:
    """What a sentinel tells of the leader; nothing where it takes it for down, as redis-py does."""
    known = pairs(wire.call("SENTINEL", "MASTER", NAME))
    flags = set(known["flags"].split(","))
    if "master" not in flags or flags & {"s_down", "o_down"}:
        return None
    return known["ip"], int(known["port"])


def _asked(wire: Wire, address: tuple[str, int]) -> tuple[str, int] | None:
    """Its own address where a node says that it leads."""
    return address if wire.call("ROLE")[0] == "master" else None


def _programs() -> dict[str, list[str]]:
    """What starts a server, by the letters that stand for whose it is."""
    path = shutil.which("redis-server")
    if path is None:
        sys.exit("redis-server is not installed: there is nothing to compare with")
    return {"o": OURS, "r": [path]}
