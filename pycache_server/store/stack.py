"""How far back the last access of a key lies, in bytes, and what caches of all sizes would hit under LRU by that.

Under LRU a key is in the cache just if what has been accessed since, each key counted once, fits in together with it.
So one pass over the accesses tells the hits of every size at once: for each access, how many bytes lie above the key in
the stack of all keys by their last access. Keys take increasing positions as they are accessed, and a Fenwick tree over
the positions sums the bytes above one in O(log n).

Sources: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal 1970;
Fenwick, "A new data structure for cumulative frequency tables", Software: Practice and Experience 1994.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import accumulate
from math import ceil, log2
from operator import sub

_FEWEST = 64
"""Positions that there are at least. Half of them, or more, are free when they are given anew: 0.5 us a key."""
_STEPS = 32
"""Distances are told apart in so many steps for each factor of two."""


class Stack:
    """Names with sizes in the order of their last access."""

    __slots__ = ("_below", "_next", "_order", "_tree", "total")

    def __init__(self) -> None:
        self._order: OrderedDict[bytes, tuple[int, int]] = OrderedDict()  # name -> position and size, oldest first
        self._below = _below(_FEWEST)
        self._tree = [0] * (_FEWEST + 1)
        self._next = 1
        self.total = 0
        """Bytes of all."""

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, name: bytes) -> bool:
        return name in self._order

    def touch(self, name: bytes, size: int) -> int | None:
        """Put a name on top. Returns what it took, and lay above it, or None where it was not in. O(log n)."""
        known = self._order.pop(name, None)
        distance = None
        if known is not None:
            position, old = known
            distance = self.total - self._sum(position) + old
            self._add(position, -old)
        if self._next == len(self._tree):
            self._renumber()
        self._order[name] = self._next, size
        self._add(self._next, size)
        self._next += 1
        return distance

    def resize(self, name: bytes, size: int) -> None:
        """Let a name take another size where it is. O(log n)."""
        position, old = self._order[name]
        self._order[name] = position, size
        self._add(position, size - old)

    def remove(self, name: bytes) -> None:
        """Take a name out. O(log n)."""
        position, size = self._order.pop(name)
        self._add(position, -size)

    def oldest(self) -> bytes:
        """The name whose last access lies farthest back. There must be one."""
        return next(iter(self._order))

    def _add(self, position: int, size: int) -> None:
        tree, end = self._tree, len(self._tree)
        self.total += size
        while position < end:
            tree[position] += size
            position += position & -position

    def _sum(self, position: int) -> int:
        """Bytes at a position and below."""
        tree, found = self._tree, 0
        while position:
            found += tree[position]
            position &= position - 1
        return found

    def _renumber(self) -> None:
        """Give the names the lowest positions in their order."""
        sizes = [size for _, size in self._order.values()]
        self._order = OrderedDict(zip(self._order, zip(range(1, len(sizes) + 1), sizes, strict=True), strict=True))
        self._next = len(sizes) + 1
        count = len(self._below)
        if 2 * len(sizes) > count or max(_FEWEST, 8 * len(sizes)) < count:
            self._below = _below(max(_FEWEST, 4 * len(sizes)))
        sums = list(accumulate(sizes, initial=0))
        sums += [sums[-1]] * (len(self._below) - len(sizes))
        self._tree = [0, *map(sub, sums[1:], map(sums.__getitem__, self._below))]

    def _check(self) -> None:
        positions = [position for position, _ in self._order.values()]
        assert positions == sorted(positions) and all(0 < position < self._next for position in positions)
        assert self.total == sum(size for _, size in self._order.values())
        for name, (position, _) in self._order.items():
            below = sum(size for other, size in self._order.values() if other <= position)
            assert self._sum(position) == below, name


def _below(count: int) -> list[int]:
    """For each position from 1 on the one below all that its place in the tree sums up."""
    return [position - (position & -position) for position in range(1, count + 1)]


class Curve:
    """Hits by the size of the cache from which on they are hits: a histogram of distances, exact to 2 %."""

    __slots__ = ("_weights",)

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}

    def add(self, distance: float, weight: float) -> None:
        """A cache of that many bytes, or of more, would have hit."""
        step = ceil(_STEPS * log2(distance)) if distance > 1 else 0
        self._weights[step] = self._weights.get(step, 0.0) + weight

    def hits(self, size: float) -> float:
        """How many hits a cache of that many bytes would have had."""
        last = int(_STEPS * log2(size)) if size >= 1 else -1
        return sum(weight for step, weight in self._weights.items() if step <= last)
