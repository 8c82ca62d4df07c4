"""When the append-only file is written anew, and what has come of it: the book-keeping of BGREWRITEAOF.

The file grows with every change; a rewrite puts what the data set is in place of how it became that. One is begun when
somebody asks, when the file has grown by auto-aof-rewrite-percentage, or when appending is switched on; never two at a
time, nor beside another child: then it is scheduled. After REPEATED failures in a row those that nobody asked for wait,
twice as long each time.
"""

from __future__ import annotations

from typing import Final

REPEATED: Final = 3
LONGEST_DELAY: Final = 60
"""Minutes that the next try waits at most."""
MINUTE: Final = 60.0


class Rewrites:
    """The rewrites of one server; times are in seconds, of a clock that never goes back."""

    def __init__(self) -> None:
        self.scheduled = False
        self.begun: float | None = None
        """When the one that runs has begun; None where none does."""
        self.count = 0
        """How many have been begun."""
        self.failures = 0
        """How many have failed since the last that has not."""
        self.ok = True
        """Whether the last one has succeeded."""
        self.seconds = -1
        """How long the last one took, -1 where there has been none."""
        self._delay = 0  # minutes
        self._next: float | None = None

    def begin(self, now: float) -> None:
        """One begins."""
        self.begun = now
        self.scheduled = False
        self.count += 1

    def end(self, now: float, ok: bool | None) -> None:
        """The one that runs has ended; ``ok`` is None where it was given up, which is neither."""
        assert self.begun is not None
        self.seconds = int(now - self.begun)
        self.begun = None
        if ok is not None:
            self.ok = ok
            self.failures = 0 if ok else self.failures + 1

    def delay(self, now: float) -> int | None:
        """Whether none may be begun now by itself, because several have failed: None where one may, otherwise the
        minutes of a delay that begins now, 0 where it has begun before."""
        if self.failures < REPEATED:
            self._delay, self._next = 0, None
            return None
        if self._next is not None:
            if now < self._next:
                return 0
            self._next = None
            return None
        self._delay = min(self._delay * 2 or 1, LONGEST_DELAY)
        self._next = now + self._delay * MINUTE
        return self._delay


def growth(size: int, base: int) -> int:
    """By how many percent a file has grown that had ``base`` bytes after its last rewrite."""
    return size * 100 // (base or 1) - 100
