"""Faults that are planted: one rule of the protocol taken away each, so that the simulation can show that it finds them.

The product has no switches: what is taken away is a method, overridden here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pycache_server.election.forming import Forming
from pycache_server.election.lease import Lease
from pycache_server.election.machine import Machine, Memory, Role
from pycache_server.election.position import Position
from pycache_server.election.promise import Promise
from pycache_server.election.timing import Timing
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.leading import Leading
from pycache_server.repl.member import Member, Saved

if TYPE_CHECKING:
    from tests.simulation.host import Host


@dataclass(frozen=True)
class Planted:
    """One fault: the classes that stand for the product's, and what the host does otherwise."""

    rule: str = ""
    machine: type[Machine] = Machine
    member: type[Member] = Member
    leading: type[Leading] = Leading
    log: type[GroupLog] = GroupLog
    host: frozenset[str] = field(default_factory=frozenset)

    @property
    def rebirth(self) -> bool:
        return "rebirth" in self.host

    @property
    def keeps_clean(self) -> bool:
        return "keepclean" in self.host

    def timing(self, timing: Timing) -> Timing:
        return timing

    def at_crash(self, host: Host) -> None:
        """What a disk that does not sync, or is not waited for, loses in a crash."""

    def shutdown(self, host: Host) -> Saved | None:
        return host.member.shutdown()

    def request_clock(self, host: Host) -> float:
        return host.clock()

    def serves_read(self, host: Host, kind: str) -> bool:
        return False


NOTHING = Planted()
FAULTS: dict[str, Planted] = {}
__all__ = ["FAULTS", "NOTHING", "Any", "Forming", "Lease", "Memory", "Position", "Promise", "Role", "replace"]
