"""Dicts and sets that grow without stopping the world.

Growing one dict rebuilds it whole: 30 ms at 0.7 million keys, 635 ms at 5.6 million. A big hash, set or sorted set
therefore spreads its elements over small dicts or sets, by the low bits of their hash. That also gives scans a place to
stand (scan.py), random elements in O(1), and freeing in slices. Up to SMALL elements a plain dict or set is smaller and
faster, so the values start with one and change over.

It is extendible hashing (Fagin, Nievergelt, Pippenger and Strong, ACM TODS 1979). ``buckets`` is a directory of a
power of two of places; an element belongs to the bucket at place ``(hash & SLOT_MASK) >> shift``. A bucket may stand at
several places, side by side. One that gets FULL is divided in two, and the directory doubles where its halves need more
places, so growing costs a few microseconds at a time, and a bucket's share of the memory is the same whatever the size
of the whole. With SLOTS places the directory is complete, and from half a million elements on the buckets grow instead.
When most elements have gone, the directory is halved again, and a bucket that needs little of its room is copied.

Every change keeps the account of the bytes that directory and buckets take (``held``); what the elements take is their
owner's account.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from math import isqrt
from sys import getsizeof
from typing import Any, Generic, TypeVar, final

from pycache_server.store.scan import SLOT_BITS, SLOT_MASK, extent_of

SMALL = 1024
"""Most elements of a plain dict or set before it becomes a Table or a Bag."""
FULL = 76
"""A bucket of as many elements is divided, where the directory is not complete: before CPython gives a set of 77 four
times the room, or a dict of 86 twice. Drawing a random element walks over half of a bucket, 30 ns a cold element."""
SPARSE = 8
"""The directory is halved where there are fewer elements than this for each of its places."""
_LISTED = 128
"""Listing this many elements takes as long as drawing one from its bucket."""
_OWN = 176
"""Bytes of a Table or Bag, its account, and the head of its list."""
_PLACE = 8
"""Bytes of a place of the directory."""
_SPARE = 300
"""Bytes that an empty dict or set may have."""
_FEWEST_BITS = 2

T = TypeVar("T", dict[bytes, Any], set[bytes])
Choose = Callable[[int], int]
"""``choose(n)`` gives a random integer from 0 to n-1."""


class _Buckets(Generic[T]):
    """The directory, and what does not depend on whether the buckets are dicts or sets."""

    __slots__ = ("buckets", "held", "shift", "size")

    def __init__(self, make: Callable[[], T], expected: int) -> None:
        wanted = max(_FEWEST_BITS, (expected * 4 // (FULL * 3)).bit_length())
        bits = min(SLOT_BITS, wanted)
        self.shift = SLOT_BITS - bits
        self.buckets: list[T] = [make() for _ in range(1 << bits)]
        self.size = 0
        self.held = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.parts())

    def __contains__(self, element: object) -> bool:
        return element in self.buckets[(hash(element) & SLOT_MASK) >> self.shift]

    def bucket(self, element: bytes) -> T:
        """The bucket in which the element is, or would be."""
        return self.buckets[(hash(element) & SLOT_MASK) >> self.shift]

    def parts(self) -> Iterator[T]:
        """The buckets, each once."""
        last = None
        for bucket in self.buckets:
            if bucket is not last:
                last = bucket
                yield bucket

    def _count(self) -> None:
        """Measure directory and buckets anew."""
        self.held = sum(map(getsizeof, self.parts())) + len(self.buckets) * _PLACE

    def _put(self, index: int, bucket: T) -> None:
        """Let ``bucket`` stand where the one at ``index`` does."""
        first, end = extent_of(self.buckets, index)
        self.held += getsizeof(bucket) - getsizeof(self.buckets[index])
        self.buckets[first:end] = [bucket] * (end - first)

    def _divide(self, index: int) -> None:
        """Divide the bucket at ``index``, if the directory has places for the halves, or can get them."""
        first, end = extent_of(self.buckets, index)
        if end - first == 1:
            if not self.shift:
                return
            self.held += len(self.buckets) * _PLACE
            self.buckets = [bucket for bucket in self.buckets for _ in (0, 1)]
            self.shift -= 1
            first, end = 2 * first, 2 * end
        middle = (first + end) // 2
        bucket = self.buckets[first]
        lower, upper = self._halves(bucket, middle)
        self.buckets[first:middle] = [lower] * (middle - first)
        self.buckets[middle:end] = [upper] * (end - middle)
        self.held += getsizeof(lower) + getsizeof(upper) - getsizeof(bucket)

    def _halves(self, bucket: T, middle: int) -> tuple[T, T]:
        """The elements of a bucket that belong below the place ``middle``, and the others."""
        raise NotImplementedError

    def _has_shrunk(self, index: int) -> None:
        """The bucket at ``index`` has lost elements, and now has 0, or a power of two."""
        bucket = self.buckets[index]
        self._put(index, trimmed(bucket, 128))
        if self.size < SPARSE * len(self.buckets) and len(self.buckets) > 1 << _FEWEST_BITS:
            self._halve()

    def _halve(self) -> None:
        """Give each two places of the directory one."""
        united: list[T] = []
        for even, odd in zip(self.buckets[::2], self.buckets[1::2], strict=True):
            united.append(even if even is odd else even | odd)
        self.buckets = united
        self.shift += 1
        self._count()

    def _check(self) -> None:
        """Assert that every element is in its bucket and counted, and that the account is right."""
        assert len(self.buckets) == 1 << (SLOT_BITS - self.shift)
        assert self.size == sum(map(len, self.parts()))
        for index, bucket in enumerate(self.buckets):
            first, end = extent_of(self.buckets, index)
            assert first <= index < end and all(first <= self._place(element) < end for element in bucket)
        held = self.held
        self._count()
        assert held == self.held

    def _place(self, element: bytes) -> int:
        return (hash(element) & SLOT_MASK) >> self.shift


def trimmed(bucket: T, most: int) -> T:
    """A dict or set, or a copy where it takes much more than ``most`` bytes for each element: room for elements that
    have gone, or for four times those that have come. A copy of a set takes 32 to 64."""
    return bucket.copy() if bucket.__sizeof__() > _SPARE + most * len(bucket) else bucket


@final
class Table(_Buckets[dict[bytes, Any]]):
    """A mapping of bytes to anything but None."""

    __slots__ = ()

    def __init__(self, items: dict[bytes, Any]) -> None:
        super().__init__(dict, len(items))
        buckets, shift = self.buckets, self.shift
        for key, value in items.items():
            buckets[(hash(key) & SLOT_MASK) >> shift][key] = value
        self.size = len(items)
        self._count()

    def __getitem__(self, key: bytes) -> Any:
        return self.buckets[(hash(key) & SLOT_MASK) >> self.shift][key]

    def get(self, key: bytes, default: Any = None) -> Any:
        """The value of ``key``, or ``default``."""
        return self.buckets[(hash(key) & SLOT_MASK) >> self.shift].get(key, default)

    def put(self, key: bytes, value: Any) -> Any:
        """Set the value of ``key``. What it was before, or None."""
        index = (hash(key) & SLOT_MASK) >> self.shift
        bucket = self.buckets[index]
        old = bucket.get(key)
        if old is not None:
            bucket[key] = value
            return old
        before = bucket.__sizeof__()
        bucket[key] = value
        self.size += 1
        self.held += bucket.__sizeof__() - before
        if not len(bucket) % FULL:
            self._divide(index)
        return None

    __setitem__ = put

    def pop(self, key: bytes, default: Any = None) -> Any:
        """Remove ``key``. Its value, or ``default`` where it was not there."""
        index = (hash(key) & SLOT_MASK) >> self.shift
        bucket = self.buckets[index]
        value = bucket.pop(key, None)
        if value is None:
            return default
        self.size -= 1
        count = len(bucket)
        if not count & (count - 1):
            self._has_shrunk(index)
        return value

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """All keys with their values."""
        return chain.from_iterable(map(dict.items, self.parts()))

    def values(self) -> Iterator[Any]:
        """All values."""
        return chain.from_iterable(map(dict.values, self.parts()))

    def copy(self) -> Table:
        """A table that shares no bucket with this one."""
        twin = Table({})
        _copy(self, twin)
        return twin

    def _halves(self, bucket: dict[bytes, Any], middle: int) -> tuple[dict[bytes, Any], dict[bytes, Any]]:
        border = middle << self.shift
        upper = {key: value for key, value in bucket.items() if hash(key) & SLOT_MASK >= border}
        return {key: value for key, value in bucket.items() if key not in upper}, upper


@final
class Bag(_Buckets[set[bytes]]):
    """A set of bytes."""

    __slots__ = ()

    def __init__(self, elements: Collection[bytes]) -> None:
        super().__init__(set, len(elements))
        buckets, shift = self.buckets, self.shift
        for element in elements:
            buckets[(hash(element) & SLOT_MASK) >> shift].add(element)
        self.buckets = [trimmed(bucket, 64) for bucket in buckets]
        self.size = sum(map(len, buckets))
        self._count()

    def add(self, element: bytes) -> bool:
        """Put in an element. Whether it is new."""
        index = (hash(element) & SLOT_MASK) >> self.shift
        bucket = self.buckets[index]
        if element in bucket:
            return False
        count, before = len(bucket), bucket.__sizeof__()
        bucket.add(element)
        self.size += 1
        if bucket.__sizeof__() != before:
            self.held += bucket.__sizeof__() - before
            self._put(index, bucket.copy())  # a set grows to four times its elements, a copy is half of that
        if not (count + 1) % FULL:
            self._divide(index)
        return True

    def without(self, elements: Iterable[bytes]) -> list[bytes]:
        """Those of some elements that are not in."""
        buckets, shift = self.buckets, self.shift
        return [element for element in elements if element not in buckets[(hash(element) & SLOT_MASK) >> shift]]

    def update(self, elements: Iterable[bytes]) -> None:
        """Put in some elements."""
        add = self.add
        for element in elements:
            add(element)

    def discard(self, element: bytes) -> bool:
        """Take out an element. Whether it was in."""
        index = (hash(element) & SLOT_MASK) >> self.shift
        bucket = self.buckets[index]
        if element not in bucket:
            return False
        bucket.remove(element)
        self.size -= 1
        count = len(bucket)
        if not count & (count - 1):
            self._has_shrunk(index)
        return True

    def copy(self) -> Bag:
        """A bag that shares no bucket with this one."""
        twin = Bag(())
        _copy(self, twin)
        return twin

    def _halves(self, bucket: set[bytes], middle: int) -> tuple[set[bytes], set[bytes]]:
        border = middle << self.shift
        upper = {element for element in bucket if hash(element) & SLOT_MASK >= border}
        return bucket - upper, upper


def _copy(source: _Buckets[T], target: _Buckets[T]) -> None:
    copies: list[T] = []
    last = None
    for bucket in source.buckets:
        copies.append(copies[-1] if bucket is last else bucket.copy())
        last = bucket
    target.buckets, target.shift, target.size = copies, source.shift, source.size
    target._count()


def buckets_of(elements: Any) -> tuple[Sequence[Collection[bytes]], int]:
    """The buckets and the shift of a dict, set, Table or Bag, as ``scan`` wants them."""
    if isinstance(elements, _Buckets):
        return elements.buckets, elements.shift
    return (elements,), SLOT_BITS


def choose_bucket(buckets: Sequence[Collection[bytes]], total: int, choose: Choose) -> tuple[Collection[bytes], int]:
    """A bucket and an index in it, such that each of ``total`` elements is equally likely.

    Draws a place of the directory and a number, and draws again where the place has no element of that number; the
    elements of a bucket that stands at several places are dealt to them in turn. The number is below what hashing makes
    all but impossible to exceed: eight, and six standard deviations, above the mean.
    """
    places = len(buckets)
    mean = total // places
    draws = places * (mean + 6 * isqrt(mean + 1) + 8)
    for _ in range(1000 if total * 8 > places else 0):
        drawn = choose(draws)
        index = drawn & places - 1
        number = drawn // places
        bucket = buckets[index]
        if number >= len(bucket):
            continue
        if bucket is not buckets[index ^ 1]:  # it stands at one place
            return bucket, number
        first, end = extent_of(buckets, index)
        number = number * (end - first) + index - first
        if number < len(bucket):
            return bucket, number
    return _walk(buckets, choose(total))


def _walk(buckets: Iterable[Collection[bytes]], number: int) -> tuple[Collection[bytes], int]:
    """The bucket of the element of a number, counted from the first, and its index in it."""
    last = None
    for bucket in buckets:
        if bucket is not last:
            if number < len(bucket):
                return bucket, number
            number -= len(bucket)
            last = bucket
    raise LookupError("more elements were promised than there are")


def random_element(elements: Any, choose: Choose) -> bytes:
    """A random element of a dict, set, Table or Bag that is not empty; all are equally likely."""
    kind = type(elements)
    if kind is Bag or kind is Table:
        elements, place = choose_bucket(elements.buckets, elements.size, choose)
    else:
        place = choose(len(elements))
    element: bytes = next(islice(elements, place, None))
    return element


def random_elements(elements: Any, count: int, choose: Choose) -> list[bytes]:
    """``count`` random elements of a dict, set, Table or Bag that is not empty; one may come several times."""
    total = len(elements)
    if total > _LISTED * count:
        return [random_element(elements, choose) for _ in range(count)]
    pool = list(elements)
    return [pool[choose(total)] for _ in range(count)]


def random_sample(elements: Any, count: int, choose: Choose) -> list[bytes]:
    """``count`` different random elements of a dict, set, Table or Bag, all of them where it has no more."""
    if len(elements) <= _LISTED * count:
        return deal(elements, count, choose)[0]
    found: dict[bytes, None] = {}
    while len(found) < count:
        found[random_element(elements, choose)] = None
    return list(found)


def deal(elements: Any, count: int, choose: Choose) -> tuple[list[bytes], list[bytes]]:
    """``count`` different random elements of a dict, set, Table or Bag, or all, and the others. All choices are equally
    likely. Takes time for listing all and for drawing the fewer of both."""
    total = len(elements)
    pool = list(elements)
    drawn = min(count, max(total - count, 0))
    for index in range(drawn):
        other = index + choose(total - index)
        pool[index], pool[other] = pool[other], pool[index]
    return (pool[:drawn], pool[drawn:]) if drawn == count else (pool[drawn:], pool[:drawn])


def size_of_buckets(elements: Any) -> int:
    """Bytes of a dict, set, Table or Bag without its elements."""
    return _OWN + elements.held if isinstance(elements, _Buckets) else (getsizeof(elements) + 15) & ~15


def free_buckets(elements: Any, budget: int) -> int:
    """Drop about ``budget`` elements of a dict, set, Table or Bag that is of no other use any more. Returns how
    many."""
    done = 0
    if not isinstance(elements, _Buckets):
        done = len(elements)
        elements.clear()
        return done
    buckets = elements.buckets
    while buckets and done < budget:
        bucket = buckets.pop()
        if not buckets or buckets[-1] is not bucket:
            done += len(bucket)
    elements.size -= done
    return done
