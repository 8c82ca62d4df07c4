"""The collector looks at what is young where that is quickly done, and freezes it in any case."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pycache_server.server.cron import Cron
from pycache_server.server.gc import YOUNG_FROM, YOUNG_LIMIT, Collector
from pycache_server.testing.inprocess import World


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    collector.start()
    yield collector
    collector.stop()


def young() -> int:
    return len(gc.get_objects(generation=0))


def test_little_is_left_for_the_next_step(collector: Collector) -> None:
    kept = [[number] for number in range(YOUNG_FROM // 2)]
    collector.step()
    assert collector.steps == collector.skipped == 0
    assert young() >= len(kept)


def test_cycles_among_what_is_young_are_found(collector: Collector) -> None:
    for _ in range(YOUNG_FROM + 100):
        loop: list[object] = []
        loop.append(loop)
    collector.step()
    assert (collector.steps, collector.skipped) == (1, 0)
    assert collector.collected >= YOUNG_FROM


def test_much_is_frozen_without_a_look(collector: Collector) -> None:
    kept = [[number] for number in range(YOUNG_LIMIT + 100)]
    collector.step()
    assert (collector.steps, collector.skipped) == (0, 1)
    assert kept and young() < YOUNG_FROM


def test_much_is_much_even_where_as_many_have_gone(collector: Collector) -> None:
    count = 2 * YOUNG_LIMIT
    kept = [[number] for number in range(count)]
    collector.step()  # these are frozen
    for number in range(count):
        kept[number] = [number]
    assert gc.get_count()[0] < YOUNG_LIMIT
    collector.step()
    assert (collector.steps, collector.skipped) == (0, 2)
    assert young() < YOUNG_FROM


def test_a_flood_is_frozen_without_being_counted(collector: Collector) -> None:
    kept = [[number] for number in range(YOUNG_FROM // 2)]
    collector.step(flooded=True)
    assert (collector.steps, collector.skipped) == (0, 1)
    assert kept and young() < len(kept)


def test_steady_eviction_is_a_flood() -> None:
    core, told = World().core, []
    app: Any = SimpleNamespace(collector=SimpleNamespace(step=told.append))
    loop = asyncio.new_event_loop()
    cron = Cron(app, core, loop)
    loop.close()
    for evicted in (YOUNG_LIMIT, 2 * YOUNG_LIMIT + 1, 2 * YOUNG_LIMIT + 2, 0):  # CONFIG RESETSTAT comes between
        core.keyspace.evicted = evicted
        cron._collect()
    assert told == [False, True, False, False]
