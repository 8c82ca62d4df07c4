"""What a run has planted: one rule of the protocol taken away, so that the simulation can show that it would be missed.

The product has no switches for that: what is taken away is a method, overridden in faults.py; or it is something that a
host does with its disk or clock, asked for here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pycache_server.election.machine import Machine
from pycache_server.election.timing import Timing
from pycache_server.repl.failback import Failback
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.leading import Leading
from pycache_server.repl.member import Member, Saved

if TYPE_CHECKING:
    from tests.simulation.host import Host


@dataclass(frozen=True)
class Planted:
    """The classes that stand for the product's, and what hosts do otherwise."""

    rule: str = ""
    """The rule that is missing, in the words of docs/design/election.md."""
    machine: type[Machine] = Machine
    member: type[Member] = Member
    leading: type[Leading] = Leading
    log: type[GroupLog] = GroupLog
    failback: type[Failback] = Failback
    configs: str = "mem3,aof3,over5,disk5,lease3,churn5,diskaof5,steady3"
    """Where it is looked for."""
    rebirth = False
    """Whether a birth id is of one start only."""
    keeps_clean = False
    """Whether what a clean shutdown has saved is found by more than one start."""

    def timing(self, timing: Timing) -> Timing:
        """The times of the product, or others."""
        return timing

    def at_crash(self, host: Host) -> None:
        """What a disk that does not sync, or is not waited for, loses in a crash."""

    def shutdown(self, host: Host) -> Saved | None:
        """What a clean shutdown saves."""
        return host.member.shutdown()

    def request_clock(self, host: Host) -> float:
        """The time by which a lease is tested for a request."""
        return host.clock()

    def serves_read(self, host: Host, kind: str) -> bool:
        """Whether a node answers though its member does not admit it."""
        return False


NOTHING = Planted()
