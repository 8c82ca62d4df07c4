"""The history remembers almost all that are not too old, and nothing else."""

from __future__ import annotations

import random
from collections import OrderedDict

import pytest

from pycache_server.evict.history import _END, NOTE_BITS, History
from tests.conftest import some_slow


@pytest.mark.parametrize("seed", some_slow(range(4), 2))
def test_notes_are_found_until_they_are_too_old(seed: int) -> None:
    chance = random.Random(seed)
    history = History()
    model: OrderedDict[int, tuple[int, int]] = OrderedDict()  # hash -> note, number
    hashes = [chance.getrandbits(64) - (1 << 63) for _ in range(12_000)]
    most, found, lost = 3000, 0, 0
    while history.capacity < most:
        history.grow()
    for added in range(40_000):
        hash_ = chance.choice(hashes)
        note, number = model.pop(hash_, (0, -most))
        taken = history.take(hash_, most)
        if taken is not None:
            assert taken == (note, added - 1 - number), seed
            assert taken[1] < most
            found += 1
        elif added - 1 - number < most:
            lost += 1
        note = chance.getrandbits(NOTE_BITS)
        history.add(hash_, note)
        model[hash_] = note, added
    assert lost < 0.2 * found
    history._check()


def test_growing_forgets_nothing() -> None:
    history = History()
    chance = random.Random(1)
    hashes = [chance.getrandbits(64) - (1 << 63) for _ in range(200)]
    for number, hash_ in enumerate(hashes):
        history.add(hash_, number)
    for _ in range(6):
        history.grow()
    found = [history.take(hash_, 1000) for hash_ in hashes]
    assert sum(taken is not None for taken in found) > 190
    assert all(taken is None or taken == (number, 199 - number) for number, taken in enumerate(found))


def test_a_note_is_taken_once() -> None:
    history = History()
    history.add(12345, 7)
    assert history.take(12345, 10) == (7, 0)
    assert history.take(12345, 10) is None
    assert history.take(0, 10) is None


def test_all_is_forgotten_when_numbers_end() -> None:
    history = History()
    history.grow()
    history.add(1, 1)
    history._next = _END - 2
    history.add(2 << 10, 2)
    assert history.take(2 << 10, 10) == (2, 0)
    history.add(3, 3)
    history.add(4 << 10, 4)
    assert history.take(3, 10) is None
    assert history.take(4 << 10, 10) == (4, 0)
    history._check()
