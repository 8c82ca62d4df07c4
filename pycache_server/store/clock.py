"""The time of the batch that is being executed.

The clock is read once per batch of commands and kept here, so that all commands of a batch see one time and a read of
a key that does not expire pays nothing. Who reads the real clock is the server's business; tests set ``time``.

``time`` decides what has expired. For a while it may stand ``aside``, so long ago that nothing has: a follower repeats
what its leader has done to keys that the leader did not find expired, and only the leader says when they go. What time
of the day it is, ``today`` and ``seconds`` tell at all times.
"""

from __future__ import annotations

LONG_AGO = -(2.0**62)
"""A time before everything that can expire, in seconds."""


class Clock:
    """``time`` is in seconds since 1970, as a float."""

    __slots__ = ("_aside", "time")

    def __init__(self, time: float = 0.0) -> None:
        self.time = time
        self._aside: float | None = None  # what the time really is while it stands aside

    def now(self) -> int:
        """The time in whole ms since 1970, by which keys expire."""
        return int(self.time * 1000)

    def today(self) -> int:
        """The time in whole ms since 1970, whether anything expires or not."""
        return int((self.time if self._aside is None else self._aside) * 1000)

    def seconds(self) -> float:
        """The same in seconds: the same object for all who ask while a batch is executed."""
        return self.time if self._aside is None else self._aside

    def go_on(self, time: float) -> None:
        """It has become later, in the middle of a batch."""
        if self._aside is None:
            self.time = time
        else:
            self._aside = time

    @property
    def stands_aside(self) -> bool:
        """Whether nothing expires now, because a leader has decided already."""
        return self._aside is not None

    def stand_aside(self) -> None:
        """Let nothing have expired, until ``come_back``."""
        self._aside, self.time = self.time, LONG_AGO

    def come_back(self) -> None:
        """Let expire again what does."""
        if self._aside is not None:
            self.time, self._aside = self._aside, None
