"""What a voter that is in no group waits for: what INFO and the log say of it.

There are data in its files but no state file; or another voter says so; or not all others have answered yet. The first
two wait for an operator, and are worth a line in the log, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.election.machine import Memory
from pycache_server.server.group.recalling import count_keys

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group


class Waiting:
    """The waiting of one voter."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._told = ""

    def text(self) -> str:
        """What this voter waits for, in words; nothing, if it is in a group, or about to form one."""
        machine = self._group.member.machine
        if machine.memory is not Memory.NONE:
            return ""
        if why := self._operator():
            return why
        silent = sorted(machine.forming.others - machine.forming.heard.keys())
        return f"{', '.join(silent)} has not answered" if silent else ""

    def tell(self) -> None:
        """Let the log say that an operator is waited for, unless it has said that."""
        why = self._operator() if self._group.member.machine.memory is Memory.NONE else ""
        if why and why != self._told:
            hint = "GROUP BOOTSTRAP makes the data of the node to which it is said, once, those of the group"
            self._group.app.log.write("warning", f"Group: {why}, so no group forms. {hint}; or start without them")
        self._told = why or self._told

    def _operator(self) -> str:
        """What only an operator can decide."""
        group = self._group
        parts = []
        if group.journal.holds_found:
            parts.append(f"this node has found data ({count_keys(group.core)} keys) but no state")
        parts += [f"{seat} has found data but no state" for seat in sorted(group.member.machine.forming.withholding)]
        return "; ".join(parts)
