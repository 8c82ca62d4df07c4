"""Where a history ends: the epoch of its last entry, and the offset at which that ends.

The epoch is that of the last *entry*, never of a promise: a voter that has promised epoch 9 and holds entries up to
epoch 4 stands at 4. Who compares promises instead lets a voter win that has missed what was acknowledged.
Positions compare as tuples: the later epoch wins, then the longer history.
"""

from __future__ import annotations

from typing import NamedTuple

Table = tuple[tuple[int, int], ...]
"""(epoch, offset at which its first entry begins), rising: which leader has written which part of a history."""


class Position(NamedTuple):
    """How far a history reaches."""

    epoch: int
    offset: int


NOWHERE = Position(0, 0)
"""The position of a history without entries."""
