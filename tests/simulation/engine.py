"""An engine that nominates, as etcd does, with what it does wrong; and the candidacy of each node, which is the
product's.

One key, held under a lease. Requests and answers take time, and are lost: then the request may have been done or not.
The engine is away for a while, for all or for one. Leases end later than they say. And it gives the key to another
while its holder believes, and may believe, that it holds it. None of that may ever be seen in what the group answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.coordinator.candidacy import Acquire, Candidacy, Release, Renew, Say
from pycache_server.coordinator.engine import EngineError, Lost, Seen, Taken, Unreachable, breaks
from pycache_server.coordinator.voter import Voter

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.world import World

TTL = 2000.0
FALLBACK = 3000.0
TIMEOUT = 500.0


class Engine:
    """The service."""

    kind = "simulated"
    nominates = True
    ttl = TTL
    every = TTL / 4

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._leases: dict[str, float] = {}
        self._granted: set[str] = set()
        self._told: set[str] = set()
        """Who has been told that it holds the key."""
        self._holder = ""
        """The start of the process whose lease the key hangs on."""
        self._key = Seen(None)
        self.away: set[int] = set()
        """The nodes that cannot reach it."""

    # Faults.

    def strike(self) -> None:
        draw, world = self._random, self._world
        kind = draw.randrange(3)
        if kind == 0:
            self._key, self._holder = Seen(None, self._key.token), ""
            world.say("the engine gives the key away")
            return
        nodes = range(len(world.hosts))
        gone = set(nodes) if kind == 1 else set(draw.sample(nodes, 1))
        self.away |= gone
        world.say("the engine is away from", sorted(gone))
        world.after(draw.uniform(300, 6000), self._return, gone)

    def _return(self, gone: set[int]) -> None:
        if self._world.chaos:
            self.away -= gone

    def fails(self) -> bool:
        """Whether a message is lost."""
        world = self._world
        return world.chaos and world.network.lossy and self._random.random() < 0.05

    # Requests.

    def do(self, start: str, action: Renew | Acquire | Release) -> Any:
        """What comes of a request of a process. Raises Lost and Taken."""
        self._expire()
        if isinstance(action, Renew):
            if start in self._granted and start not in self._leases:
                self._granted.discard(start)
                raise Lost("the lease is over")
            self._granted.add(start)
            if start in self._told and start != self._holder:
                self._told.discard(start)
                raise Taken("another has it now")
            late = self._random.uniform(1, 2) if self._world.chaos else 1.0
            self._leases[start] = self._world.time + TTL * late
            return None
        if start not in self._leases:
            raise Lost("the lease is over")
        if isinstance(action, Release):
            self._told.discard(start)
            if self._holder == start:
                self._free()
            return None
        return self._acquire(start, action)

    def _acquire(self, start: str, action: Acquire) -> Seen:
        if breaks(self._key._replace(is_own=self._holder == start), action.claim):
            self._free()
        if self._key.holder is None:
            self._holder = start
            self._key = Seen(action.claim.seat, self._key.token + 1, action.claim.epoch)
        if self._holder == start:
            self._told.add(start)
        return self._key._replace(is_own=self._holder == start)

    def look(self, start: str) -> Seen:
        """What a watch tells."""
        self._expire()
        return self._key._replace(is_own=self._holder == start)

    def _expire(self) -> None:
        now = self._world.time
        self._leases = {start: end for start, end in self._leases.items() if end > now}
        if self._holder and self._holder not in self._leases:
            self._free()

    def _free(self) -> None:
        self._key, self._holder = Seen(None, self._key.token), ""


class Candidate:
    """The candidacy of one start of a node."""

    def __init__(self, host: Host, engine: Engine) -> None:
        self._host = host
        self._world = host.world
        self._engine = engine
        self._start = host.start_id
        self._waiting = 0
        member = host.member
        voter = Voter(host.seat, lambda: member.voters, lambda: member.machine, member.holds_lease, host.clock)
        chance = self._world.random_for(host.index)
        self.candidacy = Candidacy(voter, engine, FALLBACK, chance, host.clock())  # type: ignore[arg-type]
        member.machine.may_stand_by_itself = self.candidacy.may_stand_by_itself

    def tick(self) -> None:
        """Once a heartbeat: a look at the key now and then, and what is to be done."""
        if self._waiting:
            return
        if self._host.index not in self._engine.away and self._world.random.random() < 0.3:
            self.candidacy.changed(self._engine.look(self._start), self._host.clock())
        self.candidacy.tick(self._host.clock())
        self._begin()

    def _begin(self) -> None:
        for action in self.candidacy.take_actions():
            if isinstance(action, Say):
                self._world.say(self._host.seat, action.text)
                continue
            self._waiting += 1
            self._world.after(self._world.random.uniform(0.5, 30), self._arrive, action, self._host.clock())
        self.candidacy._check()

    def _arrive(self, action: Any, sent: float) -> None:
        engine, host = self._engine, self._host
        if host.index in engine.away or engine.fails():
            self._world.after(TIMEOUT, self._back, action, sent, Unreachable("no answer"))
            return
        try:
            outcome = engine.do(self._start, action)
        except (Lost, Taken) as error:
            outcome = error
        if engine.fails():
            self._world.after(TIMEOUT, self._back, action, sent, Unreachable("no answer"))
        else:
            self._world.after(self._world.random.uniform(0.5, 30), self._back, action, sent, outcome)

    def _back(self, action: Any, sent: float, outcome: Any) -> None:
        host, candidacy = self._host, self.candidacy
        if not host.up or host.start_id != self._start:
            return
        if host.is_paused():
            self._world.after(host.until_awake(), self._back, action, sent, outcome)
            return
        self._waiting -= 1
        now = host.clock()
        if isinstance(outcome, EngineError):
            candidacy.failed(action, outcome, now)
        elif isinstance(action, Renew):
            candidacy.renewed(sent, TTL, now)
        elif isinstance(action, Acquire):
            candidacy.acquired(outcome, now)
        else:
            candidacy.released()
        self._begin()
        host.settle()
