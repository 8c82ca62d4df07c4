"""How often commands were called, by name and all together."""

from __future__ import annotations

import random

from pycache_server.testing.inprocess import World

LINES = [
    ("SET", "k", "v"), ("GET", "k"), ("get", "k"), ("gEt", "k"), ("GET",), ("LPUSH", "k", "v"), ("CLIENT",),
    ("CLIENT", "ID"), ("CLIENT", "NONE"), ("OBJECT", "HELP"), ("COMMAND",), ("COMMAND", "COUNT"), ("NONE",), ("PING",),
    ("MULTI",), ("EXEC",), ("DISCARD",), ("CLIENT", "REPLY", "ON"), ("RESET",), ("AUTH", "x"),
    ("EVAL", "return redis.call('get', 'k')", "0"), ("WATCH", "k"), ("UNWATCH",),
]  # fmt: skip


def test_the_sum_is_that_of_all_names() -> None:
    world = World()
    tables = world.core.tables
    chance = random.Random(7)
    clients = [world.connect() for _ in range(3)]
    for _ in range(600):
        if chance.random() < 0.05:
            tables.refresh()
        chance.choice(clients).call(*chance.choice(LINES))
        assert tables.total_calls() == sum(map(tables.calls, tables.rows))
    assert tables.total_calls() > 300
    tables.reset("ping")
    assert tables.total_calls() == sum(map(tables.calls, tables.rows)) == 1
