"""Dicts and sets that grow without stopping the world.

Growing one dict rebuilds it whole: 30 ms at 0.7 million keys, 635 ms at 5.6 million. A big hash, set or sorted set
therefore spreads its elements over 64, later 4096, small dicts or sets, by the low bits of their hash. That also gives
scans a place to stand (scan.py), random elements in O(1), and freeing in slices. Up to SMALL elements a plain dict or
set is smaller and faster, so the values start with one and change over once: ``widen``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from sys import getsizeof
from typing import Any, Generic, TypeVar

from pycache_server.store.scan import SLOT_BITS, SLOT_MASK

SMALL = 1024
"""Most elements of a plain dict or set before it becomes a Table or a Bag."""
_FEW_BITS = 6
_MANY_FROM = 32768
_MEASURED = 32

T = TypeVar("T", dict[bytes, Any], set[bytes])
Choose = Callable[[int], int]
"""``choose(n)`` gives a random integer from 0 to n-1."""


class _Buckets(Generic[T]):
    __slots__ = ("buckets", "shift", "size")

    def __init__(self, empty: Callable[[], T]) -> None:
        self.shift = SLOT_BITS - _FEW_BITS
        self.buckets: list[T] = [empty() for _ in range(1 << _FEW_BITS)]
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.buckets)

    def __contains__(self, element: object) -> bool:
        return element in self.buckets[(hash(element) & SLOT_MASK) >> self.shift]

    def bucket(self, element: bytes) -> T:
        """The bucket in which the element is, or would be."""
        return self.buckets[(hash(element) & SLOT_MASK) >> self.shift]

    def _check(self) -> None:
        """Assert that every element is in its bucket and counted."""
        assert self.size == sum(map(len, self.buckets))
        for index, bucket in enumerate(self.buckets):
            assert all((hash(element) & SLOT_MASK) >> self.shift == index for element in bucket)


class Table(_Buckets[dict[bytes, Any]]):
    """A mapping of bytes to anything."""

    __slots__ = ()

    def __init__(self, items: dict[bytes, Any]) -> None:
        super().__init__(dict)
        for key, value in items.items():
            self.bucket(key)[key] = value
        self.size = len(items)

    def __getitem__(self, key: bytes) -> Any:
        return self.buckets[(hash(key) & SLOT_MASK) >> self.shift][key]

    def get(self, key: bytes, default: Any = None) -> Any:
        return self.buckets[(hash(key) & SLOT_MASK) >> self.shift].get(key, default)

    def __setitem__(self, key: bytes, value: Any) -> None:
        bucket = self.buckets[(hash(key) & SLOT_MASK) >> self.shift]
        before = len(bucket)
        bucket[key] = value
        self.size += len(bucket) - before
        if self.size > _MANY_FROM and self.shift:
            self._spread()

    def pop(self, key: bytes, default: Any = None) -> Any:
        bucket = self.buckets[(hash(key) & SLOT_MASK) >> self.shift]
        before = len(bucket)
        value = bucket.pop(key, default)
        self.size -= before - len(bucket)
        return value

    def items(self) -> Iterator[tuple[bytes, Any]]:
        return chain.from_iterable(bucket.items() for bucket in self.buckets)

    def values(self) -> Iterator[Any]:
        return chain.from_iterable(bucket.values() for bucket in self.buckets)

    def copy(self) -> Table:
        twin = Table({})
        twin.shift = self.shift
        twin.buckets = [bucket.copy() for bucket in self.buckets]
        twin.size = self.size
        return twin

    def _spread(self) -> None:
        items = list(self.items())
        self.shift = 0
        self.buckets = [{} for _ in range(1 << SLOT_BITS)]
        for key, value in items:
            self.bucket(key)[key] = value


class Bag(_Buckets[set[bytes]]):
    """A set of bytes."""

    __slots__ = ()

    def __init__(self, elements: Collection[bytes]) -> None:
        super().__init__(set)
        for element in elements:
            self.bucket(element).add(element)
        self.size = sum(map(len, self.buckets))
        if self.size > _MANY_FROM:
            self._spread()

    def add(self, element: bytes) -> None:
        bucket = self.buckets[(hash(element) & SLOT_MASK) >> self.shift]
        before = len(bucket)
        bucket.add(element)
        self.size += len(bucket) - before
        if self.size > _MANY_FROM and self.shift:
            self._spread()

    def discard(self, element: bytes) -> None:
        bucket = self.buckets[(hash(element) & SLOT_MASK) >> self.shift]
        before = len(bucket)
        bucket.discard(element)
        self.size -= before - len(bucket)

    def copy(self) -> Bag:
        twin = Bag(())
        twin.shift = self.shift
        twin.buckets = [bucket.copy() for bucket in self.buckets]
        twin.size = self.size
        return twin

    def _spread(self) -> None:
        elements = list(self)
        self.shift = 0
        self.buckets = [set() for _ in range(1 << SLOT_BITS)]
        for element in elements:
            self.bucket(element).add(element)


def buckets_of(elements: Any) -> tuple[Sequence[Collection[bytes]], int]:
    """The buckets and the shift of a dict, set, Table or Bag, as ``scan`` wants them."""
    if isinstance(elements, _Buckets):
        return elements.buckets, elements.shift
    return (elements,), SLOT_BITS


def choose_bucket(buckets: Sequence[Collection[bytes]], total: int, choose: Choose) -> tuple[Collection[bytes], int]:
    """A bucket and an index in it, such that each of ``total`` elements is equally likely.

    Draws a bucket and a place in it, and draws again where the bucket is shorter than that. The number of places is
    that of a bucket which hashing makes all but impossible to exceed; one that exceeds it all the same is walked to.
    """
    if len(buckets) == 1:
        return buckets[0], choose(total)
    if total > len(buckets):
        places = 4 * total // len(buckets) + 16
        for _ in range(1000):
            bucket = buckets[choose(len(buckets))]
            place = choose(places)
            if place < len(bucket):
                return bucket, place
    place = choose(total)
    for bucket in buckets:
        if place < len(bucket):
            return bucket, place
        place -= len(bucket)
    raise LookupError("more elements were promised than there are")


def random_element(elements: Any, choose: Choose) -> bytes:
    """A random element of a dict, set, Table or Bag that is not empty; all are equally likely."""
    buckets, _ = buckets_of(elements)
    bucket, place = choose_bucket(buckets, len(elements), choose)
    return next(islice(bucket, place, None))


def size_of_buckets(elements: Any) -> int:
    """Bytes of a dict, set, Table or Bag without its elements. Of many buckets some stand for all, so that it takes the
    same time for any number."""
    if not isinstance(elements, _Buckets):
        return (getsizeof(elements) + 15) & ~15
    buckets = elements.buckets
    measured = sum([getsizeof(bucket) + 15 & ~15 for bucket in buckets[:_MEASURED]])
    return getsizeof(elements) + getsizeof(buckets) + measured * len(buckets) // _MEASURED


def free_buckets(elements: Any, budget: int) -> int:
    """Drop about ``budget`` elements of a dict, set, Table or Bag that is of no other use any more. Returns how
    many."""
    if not isinstance(elements, _Buckets):
        done = len(elements)
        elements.clear()
        return done
    done = 0
    while elements.buckets and done < budget:
        done += len(elements.buckets.pop())
    elements.size -= done
    return done
