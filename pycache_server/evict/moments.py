"""When ticks were: what an engine needs that counts in ticks, and is asked for seconds.

A tick is noted where at least a tenth of a second has passed since the last that was. What is old is known less
exactly: there are never more than _MOST notes, and when there are, every other one of the older half goes. What was
before the first note is reckoned at a second for each tick.

Between two ticks there is room for the times of keys that come from elsewhere (RESTORE with IDLETIME): the fraction of
a tick is in millions of seconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

_MOST = 4096
_STEP = 0.1
_MILLION = 1_000_000.0


class Moments:
    """Ticks and the seconds at which they began, both rising."""

    __slots__ = ("_ticks", "_times", "last")

    def __init__(self, now: float) -> None:
        self.last = now
        """The second of the last note."""
        self._ticks = array("d", [0.0])
        self._times = array("d", [now])

    def note(self, tick: int, now: float) -> None:
        """A tick begins. Where the clock was put back, time goes on when it has caught up."""
        if now - self.last < _STEP:
            if now < self.last - _STEP:
                self._set_back(now)
            return
        self.last = now
        self._ticks.append(tick)
        self._times.append(now)
        if len(self._ticks) > _MOST:
            half = _MOST // 2
            self._ticks = self._ticks[:half:2] + self._ticks[half:]
            self._times = self._times[:half:2] + self._times[half:]

    def _set_back(self, now: float) -> None:
        """The clock was put back: all that was before was so much earlier."""
        shift = self.last - now
        self.last = now
        self._times = array("d", [time - shift for time in self._times])

    def time_of(self, tick: float) -> float:
        """The second in which a tick began."""
        index = bisect_right(self._ticks, tick) - 1
        if index < 0:
            return self._times[0] + tick - self._ticks[0]
        return self._times[index] + (tick % 1.0) * _MILLION

    def tick_at(self, time: float) -> float:
        """The tick that was then."""
        index = bisect_right(self._times, time) - 1
        if index < 0:
            return self._ticks[0] + time - self._times[0]
        return self._ticks[index] + min((time - self._times[index]) / _MILLION, 0.5)

    def _check(self) -> None:
        """Assert that both rise."""
        assert len(self._ticks) == len(self._times) <= _MOST + 1
        assert list(self._ticks) == sorted(self._ticks) and list(self._times) == sorted(self._times)
