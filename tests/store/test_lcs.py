"""The longest common subsequence agrees with the classical table, the choice among several included."""

from __future__ import annotations

import random

import pytest

from pycache_server.store.lcs import lcs_length, lcs_matches


def by_the_table(a: bytes, b: bytes) -> tuple[int, list[tuple[int, int, int]]]:
    """Length and matches, as Redis walks back through its table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a, 1):
        for j, other in enumerate(b, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if one == other else max(table[i - 1][j], table[i][j - 1])
    matches: list[tuple[int, int, int]] = []
    i, j = len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            longer = matches and matches[-1][:2] == (i + 1, j + 1)
            matches[-1:] = [(i, j, matches[-1][2] + 1)] if longer else [*matches[-1:], (i, j, 1)]
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return table[-1][-1], matches


@pytest.mark.parametrize("seed", range(20))
def test_random_texts(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        letters = b"abcdefghij"[: chance.choice([1, 2, 3, 5, 10])]
        a, b = (bytes(chance.choices(letters, k=chance.randrange(25))) for _ in range(2))
        length, matches = by_the_table(a, b)
        assert lcs_length(a, b) == length, (a, b)
        assert lcs_matches(a, b) == matches, (a, b)


def test_long_texts_of_which_one_is_much_longer() -> None:
    chance = random.Random(1)
    a, b = chance.randbytes(40), chance.randbytes(2000)
    for one, other in ((a, b), (b, a)):
        assert (lcs_length(one, other), lcs_matches(one, other)) == by_the_table(one, other)


def test_the_matches_are_as_long_as_the_length_says() -> None:
    chance = random.Random(2)
    a, b = bytes(chance.choices(b"abcd", k=3000)), bytes(chance.choices(b"abcd", k=2500))
    matches = lcs_matches(a, b)
    assert sum(match.length for match in matches) == lcs_length(a, b)
    assert all(a[i : i + size] == b[j : j + size] for i, j, size in matches)
