"""How much memory the process and the data take.

``used_memory`` is what the data take: the account of the keyspace where one is kept, which is while maxmemory is set.
The interpreter itself is not in it, so that a maxmemory means data.

Without a maxmemory writes keep no account, because that would be a tenth of a SET. The growth of the process since its
start tells at once what has come, but not what has gone: CPython gives an arena back when the last object in it is
freed, so that after half of the keys are deleted nearly all of the memory is still resident, and is used by the next
ones. A census (store/census.py) tells what is there: exactly, as long as nothing changes. So the figure is that of the
census where it is fresh. Where it is not, it is the bytes a key of the last one for as many keys as there are, if these
are about as many and nothing was flushed; else those of a sample of SAMPLE keys; and never much more than the growth of
the process as a whole. A keyspace of SMALL or fewer keys is counted on the spot, a bigger one in slices of upkeep,
which take a hundredth of the time.

Everything that only an allocator like jemalloc could tell is 0 in INFO.
"""

from __future__ import annotations

import os
import sys
import time

from pycache_server.store.census import Census, measure
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.shape import Shape

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_FRESH = 0.1
EMPTY = 1024
"""What a server without keys tells that it uses, in bytes, and what of maxmemory is not for keys: with 0, who divides
by it or looks for twice as much would fall over."""
SAMPLE = 2000
"""So many keys are measured, in half a millisecond, where no count is of use."""
_ROOM = 16 << 20
"""What a young process has room for without growing, in bytes."""
SMALL = 2000
"""Most keys that are counted on the spot."""
STEP = 1000
"""Keys that are counted in one step of upkeep: some 0.2 ms."""


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

    def __init__(self, keyspace: Keyspace, shape: Shape) -> None:
        self._keyspace = keyspace
        self._shape = shape
        self.startup = resident_bytes()
        self.system = system_bytes()
        """The memory of the machine."""
        self._resident = self.startup
        self._read_at = 0.0
        self.census = Census(keyspace)
        self._grown_at_census = 0
        self._next_census = 0.0
        self._spent = 0.0

    def resident(self) -> int:
        """The resident size, at most a tenth of a second old."""
        now = time.monotonic()
        if now - self._read_at > _FRESH:
            self._resident, self._read_at = resident_bytes(), now
        return self._resident

    def grown(self) -> int:
        """How much the process has grown since its start."""
        return max(0, self.resident() - self.startup)

    def peak(self) -> int:
        """What may be in use at most; cheap."""
        return self._keyspace.used() if self._shape.counting else self.grown()

    def used(self, buffers: int = 0) -> int:
        """The memory in use, as INFO used_memory gives it. ``buffers`` is what clients' buffers take."""
        return EMPTY + self._used(buffers)

    def _used(self, buffers: int) -> int:
        if self._shape.counting:
            return self._keyspace.used()
        keys = sum(database.size for database in self._keyspace.databases)
        census = self.census
        if not keys:
            return 0
        if not census.fresh:
            self._order_census(keys)
        if census.fresh:
            return census.bytes
        grown = max(0, resident_bytes() - self.startup)
        if census.likens(keys):
            since = max(0, grown - self._grown_at_census) if keys == census.keys else 0
            found = census.bytes * keys // census.keys + since
        else:
            found = self._sampled()
        return min(found, max(0, grown - buffers) + _ROOM)

    def _sampled(self) -> int:
        """What the keys take, by the first SAMPLE of each database: those come in the order of their hashes, so they
        are any."""
        total = 0
        for database in self._keyspace.databases:
            found = keys = 0
            for bucket in database.buckets if database.size else ():
                if bucket:
                    found += measure(bucket)
                    keys += len(bucket)
                    if keys >= SAMPLE:
                        break
            total += found * database.size // max(keys, 1)
        return total

    def _order_census(self, keys: int) -> None:
        """Begin a count where the last one is not too recent for what it took, and take it where that is quickly
        done."""
        if time.monotonic() >= self._next_census:
            self.census.begin()
            if keys <= SMALL:
                self.step(sys.maxsize)
            else:
                self._keyspace.wake()

    def step(self, budget: int = STEP) -> bool:
        """Go on with a census. Whether there is more to do."""
        if not self.census.running:
            return False
        begin = time.monotonic()
        more = self.census.step(budget)
        self._spent += time.monotonic() - begin
        if not more:
            self._next_census = time.monotonic() + 100 * self._spent if self.census.keys > SMALL else 0.0
            self._spent = 0.0
            self._grown_at_census = max(0, resident_bytes() - self.startup)
        return more
