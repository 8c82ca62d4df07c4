"""State files that are lost while the data stay: of one node, or of all at once, some of which may be empty then.

And the operator for whom the group waits after that: who looks which disk reaches furthest, and says GROUP BOOTSTRAP
there; and GROUP FORCE, where that node starts again before others have its data. The voter that reaches furthest of all
holds all that was committed, so nothing that was acknowledged may be lost by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.election.machine import Memory, Refusal
from pycache_server.election.position import NOWHERE, Position
from pycache_server.election.state import Durable
from pycache_server.repl.member import Picture, Saved
from tests.simulation.host import table_of

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

LOOKS_EVERY = 700.0


class Forgotten:
    """The faults, and the operator of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.happens = "forget" in world.config.faults
        if self.happens:
            world.after(LOOKS_EVERY, self._look)

    # Faults.

    def strike(self, host: Host) -> None:
        world = self._world
        if world.random.random() < 0.6:
            self._all()
        elif host.up and (world.weak() < world.adversary.limit or not host.whole):
            self._forget(host)

    def _all(self) -> None:
        """Everything is lost but the data, and of those some; what reaches furthest stays."""
        hosts = self._world.hosts
        furthest = max(hosts, key=held)
        if held(furthest) == NOWHERE:
            self._world.checks.forget_epochs(1)
        for host in hosts:
            self._forget(host, empty=host is not furthest and self._world.random.random() < 0.3)

    def _forget(self, host: Host, empty: bool = False) -> None:
        world, disk = self._world, host.disk
        host.crash()
        world.say(host.seat, "loses its disk" if empty else "loses its state file")
        world.checks.forget_candidacies(host.seat)
        if empty or disk is None:
            host.disk = None
        else:
            disk.state, disk.before = Durable(host.seat, f"birth{next(world.numbers)}"), None
            disk.foreign = held(host) != NOWHERE
        world.after(world.adversary.downtime(), host.start)

    # The operator.

    def _look(self) -> None:
        world = self._world
        world.after(LOOKS_EVERY, self._look)
        if world.leader() is not None:
            return
        whole = [host for host in world.hosts if host.disk and host.disk.state.whole]
        chosen = max(whole or world.hosts, key=held)
        if not chosen.up or chosen.is_paused() or held(chosen) == NOWHERE:
            return
        if not whole:
            self._begin(chosen)
        elif len(whole) <= world.config.voters // 2 and chosen.whole:
            self._force(chosen)

    def _force(self, host: Host) -> None:
        self._world.say("GROUP FORCE", host.seat)
        host.member.machine.force(host.clock())
        host.settle()

    def _begin(self, host: Host) -> None:
        """What the server does (server/group/orders.py)."""
        world, member, disk = self._world, host.member, host.disk
        machine = member.machine
        assert disk is not None
        assert machine.memory is not Memory.WHOLE
        try:
            machine.check_bootstrap(host.clock())
        except Refusal as refusal:
            world.say("refused:", refusal)
            return
        old, keyspace = held(host), world.checks.digest(disk.base.data, disk.entries)
        epoch = machine.draw_epoch(old.epoch)
        table = ((epoch, 0),)
        world.say("GROUP BOOTSTRAP", host.seat, old, "epoch", epoch)
        world.checks.begin_anew(epoch, old, keyspace)
        member.unfollow()
        host.keyspace = keyspace
        disk.base, disk.entries, disk.foreign = Picture(table, old.offset, world.base, keyspace), [], False
        member.begin_anew(Saved(table, old.offset, world.base, ()))
        machine.bootstrap(host.clock())
        host.settle()


def held(host: Host) -> Position:
    """How far the data on a disk reach, whatever the state file says of them."""
    disk = host.disk
    if disk is None:
        return NOWHERE
    table = table_of(disk.base.table, disk.base.end, disk.entries)
    return Position(table[-1][0] if table else 0, disk.base.end + sum(len(entry.data) for entry in disk.entries))
