"""Cursors that need no memory and a guarantee: what is there from start to end is returned at least once.

The elements of a keyspace, and of a big set, hash or sorted set, lie in buckets by their hash. A scan walks through
them in the order of their hash: first the 12 low bits, which choose the bucket, then 40 of the others. The cursor is
the position in that order, so it stays right whatever is added or removed meanwhile, and however many buckets the
elements are spread over by then. One call looks at the buckets that it takes elements from, and at no more.

Hashes differ from process to process, so a cursor means nothing to another server; nor does Redis's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

SLOT_BITS = 12
SLOTS = 1 << SLOT_BITS
SLOT_MASK = SLOTS - 1
_FINE_BITS = 40
_FINE_MASK = (1 << _FINE_BITS) - 1
END = SLOTS << _FINE_BITS
"""Cursors at or above this are past the end: 2**52, so that clients that keep cursors as doubles are safe."""


def position_of(element: bytes) -> int:
    """Where an element stands in the order of a scan."""
    code = hash(element)
    return (code & SLOT_MASK) << _FINE_BITS | code >> SLOT_BITS & _FINE_MASK


def scan(buckets: Sequence[Collection[bytes]], shift: int, cursor: int, count: int) -> tuple[int, list[bytes]]:
    """The next elements from ``cursor`` on, about ``count`` of them, and the cursor to go on with, 0 at the end.

    An element is in the bucket ``(hash & SLOT_MASK) >> shift``. Elements of one position are returned together.
    """
    found: list[bytes] = []
    index = cursor >> _FINE_BITS + shift
    while index < len(buckets):
        bucket = buckets[index]
        begins = index << _FINE_BITS + shift
        room = count - len(found)
        if cursor <= begins and len(bucket) <= room:
            found.extend(bucket)
        else:
            rest = sorted((place, element) for element in bucket if (place := position_of(element)) >= cursor)
            if len(rest) > room:
                last = rest[room - 1][0]
                found.extend(element for place, element in rest if place <= last)
                return last + 1, found
            found.extend(element for _, element in rest)
        index += 1
        if len(found) >= count:
            break
    return (index << _FINE_BITS + shift if index < len(buckets) else 0), found
