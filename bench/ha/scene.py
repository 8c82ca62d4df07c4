"""A deployment in which something goes wrong, and the clients that suffer from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.ha.deployments import Deployment
from bench.ha.network import Place, part
from bench.ha.processes import Never, Node, until


@dataclass
class Scene:
    """A deployment, clients, and what has happened so far."""

    deployment: Deployment
    near: Place
    """Where clients are that stay with the leader when it is cut off."""
    far: Place
    hold: float
    """Seconds for which a fault lasts."""
    leader: Node
    followers: list[Node]
    seed: int = 0
    """Where chance comes from, for faults that have some."""
    begun: float = 0.0
    notes: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """The fault strikes now."""
        self.begun = time.monotonic()

    def last(self) -> None:
        """Let it last."""
        time.sleep(self.hold)

    def mostly(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait for what would come to be in a good deployment, and note it where it does not."""
        try:
            until(condition, seconds, what)
        except Never as missing:
            self.notes.append(str(missing))

    def hand_over(self, target: Node) -> None:
        """Ask for another leader, and note it where that is not answered well."""
        try:
            answer = self.deployment.hand_over(target)
        except OSError as error:
            answer = error
        if answer != "OK":
            self.notes.append(f"a handover was answered {answer!r}")

    @property
    def others(self) -> list[Place]:
        """Everybody but the leader and its clients."""
        return [*(each.place for each in (*self.followers, *self.deployment.watchers)), self.far]

    def cut_off(self, some: list[Place]) -> None:
        """Let some reach only each other."""
        part(self.deployment.network, some, [each for each in self.others if each not in some])
