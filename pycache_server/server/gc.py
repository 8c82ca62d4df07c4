"""The server owns garbage collection.

CPython's collector walks every container object it knows, whenever enough new ones have been made: with half a million
entries in the keyspace one full collection stops the world for 160 to 270 ms, again and again. Almost everything a
cache allocates is freed by reference counts, and no code of ours leaves a reference cycle behind in normal service, so:

- automatic collection is off;
- what is young is collected in small steps from cron, while it is little (a millisecond at most), which catches the
  cycles that libraries leave;
- then everything is frozen: moved, in a microsecond, to a generation that is never walked. Frozen objects are still
  freed by their counts.

When much has been allocated since the last step, as while a data set is loaded, there is nothing to gain from walking
it: it is frozen right away. ``purge`` (MEMORY PURGE) walks everything for once, and takes as long as that takes.

An embedded server leaves the collector to its host program unless it is told otherwise.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

YOUNG_FROM = 1000
"""Fewer new objects than this are left for the next step."""
YOUNG_LIMIT = 2500
"""More new objects than this are frozen without a look: where each is a miss of the processor's cache, walking them
would take more than a millisecond. (A change of the eviction engine makes an entry for each key, 100,000 a second.)"""


class Collector:
    """The collector of this process, in our hands from ``start`` to ``stop``."""

    def __init__(self, after_full: Callable[[], None] = lambda: None) -> None:
        self._after_full = after_full
        """Called after a full collection, before what is there is frozen."""
        self.running = False
        self.steps = 0
        self.skipped = 0
        self.collected = 0
        self._was_enabled = False

    def start(self) -> None:
        """Turn automatic collection off; what is there already will never be walked."""
        self._was_enabled = gc.isenabled()
        gc.disable()
        gc.collect()
        self._after_full()
        gc.freeze()
        self.running = True

    def stop(self) -> None:
        """Leave everything as it was found."""
        if self.running:
            self.running = False
            gc.unfreeze()
            if self._was_enabled:
                gc.enable()

    def step(self, flooded: bool = False) -> None:
        """Collect what is young, if that is worth while and quickly done, and freeze. ``flooded`` says that more than
        YOUNG_LIMIT objects are new, though as many may have gone: then they are not even counted, which is a miss of
        the cache for each."""
        made = gc.get_count()[0]  # less those that went, be they young or old
        if flooded or made > YOUNG_LIMIT or (young := len(gc.get_objects(generation=0))) > YOUNG_LIMIT:
            self.skipped += 1
        elif young >= YOUNG_FROM:
            self.collected += gc.collect(0)
            self.steps += 1
        else:
            return
        gc.freeze()

    def drop_free_lists(self) -> None:
        """Let CPython give up the objects that it keeps for the next ones of their kind, as a full collection does: of
        what is not frozen, where that is little."""
        if self.running and gc.get_count()[0] <= YOUNG_LIMIT:
            gc.collect()
            gc.freeze()

    def purge(self) -> int:
        """Look for unreachable cycles among everything, once. Returns how many objects were freed."""
        if self.running:
            gc.unfreeze()
        found = gc.collect()
        self._after_full()
        if self.running:
            gc.freeze()
        return found
