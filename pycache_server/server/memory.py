"""How much memory the process and the data take.

``used_memory`` is what the data take: the account of the keyspace where one is kept, which is while maxmemory is set;
else the growth of the process since its start. The interpreter itself is not in it, so that a maxmemory means data.
Everything that only an allocator like jemalloc could tell is 0 in INFO.
"""

from __future__ import annotations

import os
import sys
import time

from pycache_server.store.keyspace import Keyspace

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_FRESH = 0.1


def resident_bytes() -> int:
    """The resident size of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as status:
            return int(status.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def system_bytes() -> int:
    """The memory of the machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * _PAGE
    except (AttributeError, ValueError, OSError):
        return 0


class MemoryGauge:
    """The figures for one server. ``startup`` is what the process took before the server held anything, in bytes."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.startup = resident_bytes()
        self.system = system_bytes()
        """The memory of the machine."""
        self._resident = self.startup
        self._read_at = 0.0

    def resident(self) -> int:
        """The resident size, at most a tenth of a second old."""
        now = time.monotonic()
        if now - self._read_at > _FRESH:
            self._resident, self._read_at = resident_bytes(), now
        return self._resident

    def used(self) -> int:
        """The memory in use, as INFO used_memory gives it."""
        if any(database.engine is not None for database in self._keyspace.databases):
            return self._keyspace.used()
        return max(0, self.resident() - self.startup)
