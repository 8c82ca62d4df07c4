"""The time of the batch that is being executed.

The clock is read once per batch of commands and kept here, so that all commands of a batch see one time and a read of
a key that does not expire pays nothing. Who reads the real clock is the server's business; tests set ``time``.
"""

from __future__ import annotations


class Clock:
    """``time`` is in seconds since 1970, as a float."""

    __slots__ = ("time",)

    def __init__(self, time: float = 0.0) -> None:
        self.time = time

    def now(self) -> int:
        """The time in whole ms since 1970."""
        return int(self.time * 1000)

    def seconds(self) -> float:
        """The time in seconds since 1970: the same object for all who ask while a batch is executed."""
        return self.time
