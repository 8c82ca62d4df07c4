"""How many nodes Redis's radix tree has for the ids of a stream, without the tree: XINFO STREAM tells it.

In that tree a node begins at the root, behind every key, where keys part, and behind each byte by which they part;
what lies between two such places is one compressed node. So what one key adds follows from its neighbours in the
order of keys and from whether others part at the same place, which takes a few bisections.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

KEY_BYTES = 16


def nodes_added(keys: list[int], key: int, first: int = 0) -> int:
    """How many nodes ``key`` adds to the tree of ``keys[first:]``, which are sorted and do not hold it. Keys are
    numbers of 128 bits. The tree without keys has one node. O(log n)."""
    if first == len(keys):
        return 1
    place = bisect_left(keys, key, first)
    other = min(keys[max(place - 1, first) : place + 1], key=key.__xor__)
    depth = KEY_BYTES - ((key ^ other).bit_length() + 7) // 8
    inner = depth + 1 < KEY_BYTES
    added = 1 + inner
    if not _part(keys, key, depth, first):
        added += depth > 0 and not _part(keys, key, depth - 1, first)
        added += inner and not _part(keys, other, depth + 1, first)
    return added


def nodes_of(keys: list[int]) -> int:
    """How many nodes the tree of sorted keys has. O(n log n)."""
    return 1 + sum(nodes_added(keys, key, first) for first, key in enumerate(keys, 1))


def _part(keys: list[int], key: int, depth: int, first: int) -> bool:
    """Whether keys that share ``depth`` bytes with ``key`` differ in the byte behind them."""
    shift = 8 * (KEY_BYTES - depth)
    low = key >> shift << shift
    begin = bisect_left(keys, low, first)
    end = bisect_right(keys, low | (1 << shift) - 1, begin)
    return begin < end and keys[begin] >> shift - 8 != keys[end - 1] >> shift - 8
