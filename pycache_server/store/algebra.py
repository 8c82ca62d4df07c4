"""Union, intersection and difference of sets of any size: plain sets, and Bags, which are taken bucket by bucket.

Intersection and difference give their result in pieces, so that whoever has seen enough can stop. No piece shares
memory with what it was made from, unless that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pycache_server.store.scan import SLOT_MASK
from pycache_server.store.table import SMALL, Bag

Elements = set[bytes] | Bag


def union(sets: Sequence[Elements]) -> Elements:
    """What is in any of the sets, none of which is changed."""
    largest = max(sets, key=len, default=set[bytes]())
    if type(largest) is set and sum(map(len, sets)) <= SMALL:
        return set[bytes]().union(*sets)
    bag = largest.copy() if isinstance(largest, Bag) else Bag(largest)
    for each in sets:
        if each is not largest:
            bag.update(each)
    return bag


def intersection(sets: Sequence[Elements]) -> Iterator[set[bytes]]:
    """What is in each of the sets, of which there must be one. A piece may be a bucket of one of them."""
    smallest, *others = sorted(sets, key=len)
    for part in _parts(smallest):
        for other in others:
            if not isinstance(other, Bag):
                part = part & other
            elif other is not smallest:
                buckets, shift = other.buckets, other.shift
                part = {element for element in part if element in buckets[(hash(element) & SLOT_MASK) >> shift]}
            if not part:
                break
        else:
            yield part


def difference(first: Elements, others: Sequence[Elements]) -> Iterator[set[bytes]]:
    """What is in the first set and in none of the others. A piece may be a bucket of the first."""
    bags = [other for other in others if isinstance(other, Bag)]
    small = set[bytes]().union(*(other for other in others if not isinstance(other, Bag)))
    for part in _parts(first):
        if small:
            part = part - small
        for bag in bags:
            if not part:
                break
            buckets, shift = bag.buckets, bag.shift
            part = {element for element in part if element not in buckets[(hash(element) & SLOT_MASK) >> shift]}
        if part:
            yield part


def _parts(elements: Elements) -> Iterable[set[bytes]]:
    return elements.parts() if isinstance(elements, Bag) else (elements,)
