"""The nodes of a radix tree are counted as if the tree were there."""

from __future__ import annotations

import random
from bisect import insort

import pytest

from pycache_server.store.radix import KEY_BYTES, nodes_added, nodes_of
from tests.conftest import some_slow


def counted(keys: list[int]) -> int:
    """The nodes of the tree, counted from every prefix of every key."""
    texts = [key.to_bytes(KEY_BYTES) for key in keys]
    following: dict[bytes, set[int]] = {}
    for text in texts:
        for depth in range(KEY_BYTES):
            following.setdefault(text[:depth], set()).add(text[depth])
    begins = {b"", *texts}
    for prefix, bytes_behind in following.items():
        if len(bytes_behind) > 1:
            begins.add(prefix)
            begins.update(prefix + bytes([byte]) for byte in bytes_behind)
    return len(begins)


@pytest.mark.parametrize("seed", some_slow(range(4), 2))
def test_keys_that_come_and_go_add_and_take_the_right_number_of_nodes(seed: int) -> None:
    chance = random.Random(seed)
    keys: list[int] = []
    count = 1
    for _ in range(400):
        if keys and chance.random() < 0.4:
            key = keys.pop(chance.randrange(len(keys)))
            count -= nodes_added(keys, key)
        else:
            bits = chance.choice([8, 12, 40, 66, 100, 128])
            key = chance.getrandbits(bits) << chance.choice([0, 128 - bits])
            if key in keys:
                continue
            count += nodes_added(keys, key)
            insort(keys, key)
        assert count == counted(keys) == nodes_of(keys), f"seed {seed}"


def test_the_first_keys_can_be_taken_away_before_they_are_removed() -> None:
    keys = sorted(random.Random(5).sample(range(2**20), 50))
    count = counted(keys)
    for place, key in enumerate(keys, 1):
        count -= nodes_added(keys, key, place)
        assert count == counted(keys[place:])
