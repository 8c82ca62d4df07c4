"""The first elements of what would be sorted, where equal ones come as they do in Redis.

Without ties there is one answer only, and Python sorts. With ties Redis's depends on its algorithm: a merge sort where
everything is wanted, which keeps their order, and where a part is, a quicksort that only goes on in the partitions that
reach into it.

Source: J. L. Bentley and M. D. McIlroy, "Engineering a sort function" (1993).
"""

from __future__ import annotations

from collections.abc import Sequence

_INSERTION = 7
_NINTHER = 40


def partial_sort(weights: Sequence[float], count: int, descending: bool) -> list[int]:
    """The places of the ``count`` least weights, or of the greatest, in order."""
    places = range(len(weights))
    if count >= len(weights) or len(set(weights)) == len(weights):
        return sorted(places, key=weights.__getitem__, reverse=descending)[:count]
    pairs = [(-weight if descending else weight, place) for place, weight in enumerate(weights)]
    _sort(pairs, 0, len(pairs), count - 1)
    return [place for _, place in pairs[:count]]


Pairs = list[tuple[float, int]]


def _sort(pairs: Pairs, start: int, size: int, last: int) -> None:
    """Sort ``size`` pairs from ``start`` on by their weights, as far as any place up to ``last`` is concerned."""
    while size >= _INSERTION:
        below, above = _partition(pairs, start, size)
        if below > 1 and start <= last:
            _sort(pairs, start, below, last)
        start, size = start + size - above, above
        if size <= 1 or start > last:
            return
    for place in range(start + 1, start + size):
        while place > start and pairs[place - 1][0] > pairs[place][0]:
            _swap(pairs, place, place - 1, 1)
            place -= 1


def _partition(pairs: Pairs, start: int, size: int) -> tuple[int, int]:
    """Bring what is less than a pivot to the front, what is greater to the end. How many either are."""
    _swap(pairs, start, _pivot(pairs, start, size), 1)
    pivot = pairs[start][0]
    end = start + size
    first = left = start + 1  # what is equal to the pivot gathers before ``first`` and behind ``last``
    last = right = end - 1
    while True:
        while left <= right and pairs[left][0] <= pivot:
            if pairs[left][0] == pivot:
                _swap(pairs, first, left, 1)
                first += 1
            left += 1
        while left <= right and pairs[right][0] >= pivot:
            if pairs[right][0] == pivot:
                _swap(pairs, right, last, 1)
                last -= 1
            right -= 1
        if left > right:
            break
        _swap(pairs, left, right, 1)
        left += 1
        right -= 1
    equal = min(first - start, left - first)
    _swap(pairs, start, left - equal, equal)
    equal = min(last - right, end - last - 1)
    _swap(pairs, left, end - equal, equal)
    return left - first, last - right


def _pivot(pairs: Pairs, start: int, size: int) -> int:
    middle = start + size // 2
    if size <= _INSERTION:
        return middle
    low, high = start, start + size - 1
    if size > _NINTHER:
        step = size // 8
        low = _median(pairs, low, low + step, low + 2 * step)
        middle = _median(pairs, middle - step, middle, middle + step)
        high = _median(pairs, high - 2 * step, high - step, high)
    return _median(pairs, low, middle, high)


def _median(pairs: Pairs, one: int, two: int, three: int) -> int:
    a, b, c = pairs[one][0], pairs[two][0], pairs[three][0]
    if a < b:
        return two if b < c else three if a < c else one
    return two if b > c else one if a < c else three


def _swap(pairs: Pairs, one: int, other: int, count: int) -> None:
    """Exchange ``count`` pairs from one place on with those from another, one after the other."""
    for offset in range(count):
        pairs[one + offset], pairs[other + offset] = pairs[other + offset], pairs[one + offset]
