"""For how long a leader may answer: since a majority has heard from it, none of which votes for another for a while.

The lease runs from when the newest heartbeat was *sent* that enough voters have acknowledged. When the acknowledgement
came says nothing: it may have been on its way for long, and the promise of who sent it has run from before it left.
It must be tested with a clock that was read after the request was: a process that was stopped in between has a request
and a lease, and another leader beside it.
"""

from __future__ import annotations

from collections import deque

from pycache_server.election.timing import Timing


class Lease:
    """The lease of one leader, by its own clock."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sent: deque[tuple[int, float]] = deque()
        self._from: float | None = None

    def sent(self, offset: int, now: float) -> None:
        """A heartbeat that ends at this offset goes out now."""
        self._sent.append((offset, now))

    def acknowledged(self, offset: int, now: float) -> None:
        """As many voters as make a majority with the leader hold the stream up to here."""
        while self._sent and self._sent[0][0] <= offset:
            self._from = self.starts(self._sent.popleft()[1], now)

    def starts(self, sent: float, now: float) -> float:
        """From when a heartbeat counts that was sent then and acknowledged now."""
        return sent

    @property
    def ends(self) -> float:
        """Until when the leader may answer, as far as is known."""
        return self._from + self._timing.lease if self._from is not None else 0.0

    def holds(self, now: float) -> bool:
        """Whether the leader may answer."""
        return self._from is not None and now < self._from + self._timing.lease

    def _check(self) -> None:
        offsets = [offset for offset, _ in self._sent]
        assert offsets == sorted(set(offsets))
