"""The table of keys that were read and the index of prefixes, against plain Python."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pycache_server.session.interests import Prefixes, ReadKeys, overlap


@pytest.mark.parametrize("seed", range(5))
def test_the_table_is_a_set_of_pairs(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    table, model = ReadKeys(), dict[bytes, set[int]]()
    for step in range(4000):
        key = b"%d" % chance.randrange(300)
        action = chance.random()
        if action < 0.7:
            client = chance.randrange(1, 6)
            table.remember(key, client)
            model.setdefault(key, set()).add(client)
        elif action < 0.95:
            assert table.take(key) == sorted(model.pop(key, ()))
        elif model:
            assert table.choose(chance.randrange) in model
        assert len(table) == len(model)
        assert table.items == sum(map(len, model.values()))
        if step % 500 == 0:
            table._check()


@pytest.mark.parametrize("seed", range(3))
def test_a_sweep_takes_out_every_client_that_has_gone(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    table = ReadKeys()
    for _ in range(5000):
        table.remember(b"%d" % chance.randrange(2000), chance.randrange(1, 8))
    cursor, rounds = table.sweep(0, 100, {1, 2}.__contains__), 1
    while cursor:
        cursor, rounds = table.sweep(cursor, 100, {1, 2}.__contains__), rounds + 1
    table._check()
    assert rounds > 10
    assert 0 < table.items <= 4000
    cursor = table.sweep(0, 10_000, lambda client: False)
    assert (cursor, len(table), table.items) == (0, 0, 0)


def test_a_table_is_freed_in_slices() -> None:
    table = ReadKeys()
    for number in range(10_000):
        table.remember(b"%d" % number, 1)
    slices = 0
    while len(table):
        assert table.free(100) >= 1
        slices += 1
    assert slices > 20


@pytest.mark.parametrize("seed", range(5))
def test_the_index_finds_every_prefix_of_a_key(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    index, model = Prefixes(), set[tuple[bytes, str]]()
    changed: dict[bytes, dict[bytes, Any]] = {}

    def word(longest: int) -> bytes:
        return bytes(chance.choices(b"ab", k=chance.randrange(longest + 1)))

    for step in range(3000):
        action, prefix, who = chance.random(), word(4), chance.choice("xyz")
        if action < 0.3:
            index.add(prefix, who)
            model.add((prefix, who))
        elif action < 0.4 and model:
            prefix, who = chance.choice(sorted(model))
            index.remove(prefix, who)
            model.discard((prefix, who))
            if prefix not in {each for each, _ in model}:
                changed.pop(prefix, None)
        elif action < 0.9:
            key = word(6)
            before = bool(changed)
            for each in {each for each, _ in model if key.startswith(each)}:
                changed.setdefault(each, {})[key] = who
            assert index.changed(key, who) == (not before and bool(changed))
        else:
            found = [(keys, sorted(listeners)) for keys, listeners in index.take_changes()]
            assert found == [
                (sorted(keys.items()), sorted(who for each, who in model if each == prefix))
                for prefix, keys in sorted(changed.items())
            ]
            changed.clear()
        if step % 100 == 0:
            index._check()
            assert len(index) == len({each for each, _ in model})


def test_prefixes_overlap_where_one_begins_with_the_other() -> None:
    assert overlap(b"a", b"ab")
    assert overlap(b"ab", b"a")
    assert overlap(b"", b"x")
    assert overlap(b"a", b"a")
    assert not overlap(b"ab", b"ac")
