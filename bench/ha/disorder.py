"""Faults at random, one upon another, drawn from a seed: what nobody has thought of.

A deployment that lives in memory alone is promised to survive the loss of one memory at a time, so nodes are killed
there only while all are whole. Where data are on disk, anything may happen to anybody.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from bench.ha.deployments import ALWAYS
from bench.ha.network import Place, part
from bench.ha.processes import Node
from bench.ha.scene import Scene

DAYS = 6
"""So many times the faults' hold does the disorder last."""
BIG = 8_000_000
"""Bytes of a big value."""
PEACE = 12.0
"""Seconds after which all is mended at the latest, and a whole deployment waited for."""


class Disorder:
    """Strikes, and what is to be mended later."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._draw = random.Random(seed)
        self._later: list[tuple[float, Callable[[], Any]]] = []
        self._durable = set(ALWAYS) <= set(scene.deployment.kind.lines)
        self.story: list[str] = []

    def rage(self, seconds: float) -> None:
        """Strike for so long, and mend everything."""
        end = time.monotonic() + seconds
        peace = time.monotonic() + PEACE
        while (now := time.monotonic()) < end:
            if now > peace:
                self.mend()
                self._scene.mostly(self._scene.deployment.is_whole, "a whole deployment between random faults", 20)
                peace = time.monotonic() + PEACE
            strike = self._draw.choice(self.strikes)
            told = strike(self)
            if told:
                self.story.append(f"{time.monotonic() - self._scene.begun:.1f} {told}")
            self._rest(self._draw.choice((0.05, 0.3, 1.0, 2.5)))
        self.mend()

    def mend(self) -> None:
        """Let all be as it should."""
        self._scene.deployment.network.heal()
        for _, mending in self._later:
            mending()
        self._later.clear()
        for node in self._nodes:
            if node.paused:
                node.go_on()

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for each in [each for each in self._later if each[0] <= now]:
                self._later.remove(each)
                each[1]()
            time.sleep(0.02)

    @property
    def _nodes(self) -> list[Node]:
        return self._scene.deployment.nodes

    @property
    def _places(self) -> list[Place]:
        scene = self._scene
        found = [each.place for each in scene.deployment.processes]
        return [*found, scene.near, scene.far]

    def _somebody(self) -> Node | None:
        """A node that runs: as often as not the one that leads."""
        leader = self._scene.deployment.leader()
        if leader is not None and self._draw.random() < 0.5:
            return leader
        running = [each for each in self._nodes if each.runs]
        return self._draw.choice(running) if running else None

    def _in(self, least: float, most: float, mending: Callable[[], Any]) -> None:
        self._later.append((time.monotonic() + self._draw.uniform(least, most), mending))

    def _ask(self, node: Node | None, *words: str | int) -> str:
        if node is None:
            return ""
        try:
            answer = node.call(*words, patience=3.0)
        except OSError as error:
            answer = error
        return f"{node.place.name} {' '.join(str(word)[:40] for word in words)}: {str(answer)[:80]}"

    # Strikes: each does one thing, and tells what; nothing where it cannot be now

    def _kill(self) -> str:
        node = self._somebody()
        if node is None or (self._loses_much() and not self._durable):
            return ""
        node.kill()
        self._in(0.1, 4.0, lambda: node.start(wait=False))
        return f"kill {node.place.name}"

    def _loses_much(self) -> bool:
        """Whether a memory that is lost now may be one too many."""
        try:
            return bool(self._later) or not self._scene.deployment.is_whole()
        except (OSError, KeyError, ValueError, IndexError, AttributeError, TypeError):
            return True

    def _terminate(self) -> str:
        node = self._somebody()
        if node is None or (self._loses_much() and not self._durable):
            return ""
        node.terminate()
        self._in(0.1, 3.0, lambda: node.start(wait=False))
        return f"terminate {node.place.name}"

    def _pause(self) -> str:
        node = self._somebody()
        if node is None:
            return ""
        node.pause()
        self._in(0.2, 4.0, node.go_on)
        return f"pause {node.place.name}"

    def _cut(self) -> str:
        places = self._places
        self._draw.shuffle(places)
        some, rest = places[: (size := self._draw.randint(1, len(places) - 1))], places[size:]
        part(self._scene.deployment.network, some, rest)
        self._in(0.5, 5.0, self._scene.deployment.network.heal)
        return f"cut {[each.name for each in some]}"

    def _cut_one_way(self) -> str:
        one, other = self._draw.sample(self._places, 2)
        self._scene.deployment.network.cut((one, other))
        self._in(0.5, 5.0, self._scene.deployment.network.heal)
        return f"cut {one.name} to {other.name}"

    def _hand_over(self) -> str:
        target = self._draw.choice(self._nodes)
        try:
            answer = self._scene.deployment.hand_over(target)
        except OSError as error:
            answer = error
        return f"hand over to {target.place.name}: {str(answer)[:80]}"

    def _nominate(self) -> str:
        group = self._scene.deployment.kind.group
        return self._ask(self._draw.choice(self._nodes), "REPLICAOF", "NO", "ONE") if group else ""

    def _sleep(self) -> str:
        return self._ask(self._somebody(), "DEBUG", "SLEEP", str(self._draw.choice((0.5, 1.4, 2.2))))

    def _big(self) -> str:
        return self._ask(self._scene.deployment.leader(), "SET", f"big:{self._draw.randint(0, 3)}", "x" * BIG)

    def _hang_up(self) -> str:
        kind = self._draw.choice(("normal", "replica", "master"))
        return self._ask(self._somebody(), "CLIENT", "KILL", "TYPE", kind)

    def _script(self) -> str:
        script = "for i = 1, 200 do redis.call('RPUSH', KEYS[1], i) end return redis.call('LTRIM', KEYS[1], -50, -1)"
        return self._ask(self._scene.deployment.leader(), "EVAL", script, 1, "scripted")

    def _save(self) -> str:
        return self._ask(self._somebody(), self._draw.choice(("BGSAVE", "BGREWRITEAOF")))

    strikes: tuple[Callable[[Disorder], str], ...] = (
        _kill,
        _kill,
        _terminate,
        _pause,
        _pause,
        _cut,
        _cut,
        _cut_one_way,
        _hand_over,
        _nominate,
        _sleep,
        _big,
        _hang_up,
        _script,
        _save,
    )


def disorder(scene: Scene) -> None:
    """Faults of all kinds at random, one upon another, for six times as long as others last."""
    scene.begin()
    raging = Disorder(scene, scene.seed)
    try:
        raging.rage(DAYS * scene.hold)
    finally:
        raging.mend()
        scene.notes.append(f"seed {scene.seed}: " + "; ".join(raging.story))
