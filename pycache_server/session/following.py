"""What a follower refuses its clients: writes, everything while its leader is out of reach, everything while it loads.

These are gates (gates.py), which stand before commands only while there is a reason. The leader's own commands, and
those of scripts, do not pass them: what a script may write is asked where it is run (scripting/calls.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.commands.registry import Flag
from pycache_server.errors import Loading, MasterDown, ReadOnlyReplica
from pycache_server.session.gates import is_write, refusing, wants_fresh

if TYPE_CHECKING:
    from pycache_server.session.core import Core

READ_ONLY, MASTER_DOWN, LOADING = "readonly", "masterdown", "loading"


def refuse(core: Core, read_only: bool, master_down: bool, loading: str) -> None:
    """Let clients be refused what they are in a state: writes (``replica-read-only``), what asks for fresh data
    (``replica-serve-stale-data``), and what does not go together with loading, ``"all"`` or ``"async"``."""
    core.replication.refuses_writes = read_only
    core.replication.is_stale = master_down
    core.gates.set(READ_ONLY, _read_only if read_only else None)
    core.gates.set(MASTER_DOWN, _master_down if master_down else None)
    core.gates.set(LOADING, {"": None, "all": _loading, "async": _async_loading}[loading])


_read_only = refusing(is_write, ReadOnlyReplica)
_master_down = refusing(wants_fresh, MasterDown)
_loading = refusing(lambda command: Flag.LOADING not in command.flags, Loading)
_async_loading = refusing(lambda command: Flag.NO_ASYNC_LOADING in command.flags, Loading)
