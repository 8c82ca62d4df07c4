"""Sorting a part against sorting everything."""

from __future__ import annotations

from random import Random

import pytest

from pycache_server.store.partial_sort import partial_sort


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("descending", [False, True])
def test_the_first_are_those_that_would_be_first(seed: int, descending: bool) -> None:
    random = Random(seed)
    for size in (0, 1, 2, 6, 7, 8, 30, 41, 400):
        weights = [float(random.randrange(size // 3 + 1)) for _ in range(size)]
        everything = sorted(range(size), key=weights.__getitem__, reverse=descending)
        for count in {1, size // 2, size - 1, size, size + 5}:
            places = partial_sort(weights, count, descending)
            assert len(set(places)) == len(places) == max(0, min(count, size))
            assert [weights[place] for place in places] == [weights[place] for place in everything[: len(places)]]
            if count >= size:
                assert places == everything  # equal ones as they were
