"""What goes wrong. Each fault is a function that does all of it: it strikes, holds for a while, and mends; ``begin``
marks the moment that times are counted from. Whether things are well again afterwards is not its business.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.ha.disorder import disorder
from bench.ha.network import part
from bench.ha.scene import Scene

LAG = 2.0
"""Seconds for which a follower lags behind."""


def kill(scene: Scene) -> None:
    """kill -9 of the leader, which returns after a while."""
    scene.begin()
    scene.leader.kill()
    scene.last()
    scene.leader.start()


def back_empty(scene: Scene) -> None:
    """kill -9 of the leader, which is back 0.2 s later: without data, unless they are on its disk."""
    scene.begin()
    scene.leader.kill()
    time.sleep(0.2)
    scene.leader.start(wait=False)
    scene.last()


def pause(scene: Scene) -> None:
    """SIGSTOP of the leader, and SIGCONT."""
    scene.begin()
    scene.leader.pause()
    scene.last()
    scene.leader.go_on()


def shutdown(scene: Scene) -> None:
    """A clean shutdown of the leader, which returns after a while."""
    scene.begin()
    scene.leader.terminate()
    scene.last()
    scene.leader.start()


def rolling(scene: Scene) -> None:
    """A restart of all, one after another: the leader last, and for as long as it takes to replace it."""
    deployment = scene.deployment
    for node in (*scene.followers, scene.leader):
        if node is scene.leader:
            scene.begin()
        node.terminate()
        if node is scene.leader:
            scene.mostly(lambda: deployment.leader() is not None, "another leader", 10)
        node.start()
        if node is not scene.leader:
            scene.mostly(deployment.is_whole, "a whole deployment after a restart")


def partition(scene: Scene) -> None:
    """The leader is cut off, and some clients are on its side."""
    scene.begin()
    scene.cut_off([scene.leader.place, scene.near])
    _healed(scene)


def deaf(scene: Scene) -> None:
    """The leader hears nobody but the clients on its side; all hear it."""
    scene.begin()
    scene.deployment.network.cut(*((each, scene.leader.place) for each in scene.others))
    _healed(scene)


def mute(scene: Scene) -> None:
    """The leader hears everybody, and only the clients on its side hear it."""
    scene.begin()
    scene.deployment.network.cut(*((scene.leader.place, each) for each in scene.others))
    _healed(scene)


def cut_pair(scene: Scene) -> None:
    """The leader and one follower are cut off together, and some clients are on their side."""
    scene.begin()
    scene.cut_off([scene.leader.place, scene.followers[0].place, scene.near])
    _healed(scene)


def _healed(scene: Scene) -> None:
    scene.last()
    scene.deployment.network.heal()


def kill_two(scene: Scene) -> None:
    """kill -9 of the leader and one follower at once; both return after a while."""
    scene.begin()
    killed = [scene.leader, scene.followers[0]]
    for each in killed:
        each.kill()
    scene.last()
    for each in killed:
        each.start(wait=False)


def lagging(scene: Scene) -> None:
    """The follower that priorities prefer does not hear the leader for a while, and the leader dies."""
    preferred = min(scene.followers, key=lambda each: int(each.replication()["slave_priority"]))
    part(scene.deployment.network, [preferred.place], [scene.leader.place])
    time.sleep(LAG)
    scene.begin()
    scene.leader.kill()
    _healed(scene)
    scene.leader.start()


def manual(scene: Scene) -> None:
    """Nothing is wrong, and an operator wants another leader."""
    scene.begin()
    scene.hand_over(scene.followers[0])
    scene.last()


def failback(scene: Scene) -> None:
    """kill -9 of the preferred leader; when it has returned and follows, it is to lead again."""
    deployment, first = scene.deployment, scene.leader
    scene.begin()
    first.kill()
    scene.last()
    first.start()
    if not deployment.kind.group:
        scene.mostly(deployment.is_whole, "a whole deployment before the failback")
        scene.hand_over(first)
    scene.mostly(lambda: first.leads, "the lead of who is preferred")


FAULTS: dict[str, tuple[str, Callable[[Scene], None]]] = {
    "kill": ("kill -9 leader", kill),
    "back-empty": ("kill, back EMPTY in 0.2 s", back_empty),
    "pause": ("pause leader", pause),
    "shutdown": ("clean shutdown of the leader", shutdown),
    "rolling": ("rolling restart of all", rolling),
    "partition": ("partition the leader, clients on its side", partition),
    "deaf": ("one-way partition: the leader hears nobody", deaf),
    "mute": ("one-way partition: nobody hears the leader", mute),
    "cut-pair": ("leader + one follower cut off together", cut_pair),
    "kill-two": ("kill two of three", kill_two),
    "lagging": ("a lagging follower is preferred", lagging),
    "manual": ("manual failover", manual),
    "failback": ("failback", failback),
    "random": ("random faults, one upon another", disorder),
}
