"""The bench of hit ratios measures what it says."""

from __future__ import annotations

import lzma
import random
from array import array
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from bench.caches import REFERENCES, hits_of, lru, opt
from bench.hitratio import Case, cases_of, summarise
from bench.replay import Client, Load, calibrate, load_for, replay
from bench.traces import GENERATORS, Trace, generate, read_folder
from pycache_server import ThreadedServer
from pycache_server.evict.base import load_policy


def best_possible(keys: tuple[int, ...], room: int) -> int:
    """By trying everything that could be kept."""

    @cache
    def from_here(place: int, kept: frozenset[int]) -> int:
        if place == len(keys):
            return 0
        key = keys[place]
        there = kept | {key}
        choices = [there] if len(there) <= room else [there - {gone} for gone in there]
        return (key in kept) + max(from_here(place + 1, choice) for choice in choices)

    return from_here(0, frozenset())


@pytest.mark.parametrize("seed", range(5))
def test_opt_is_the_best_there_is(seed: int) -> None:
    chance = random.Random(seed)
    keys = tuple(chance.randrange(6) for _ in range(14))
    for room in (1, 2, 3):
        assert opt(keys, room) == best_possible(keys, room)


@pytest.mark.parametrize("name", GENERATORS)
def test_generated_traces_are_the_same_for_one_seed(name: str) -> None:
    trace = generate(name, 4000)
    assert trace == generate(name, 4000)
    assert len(trace.keys) == 4000
    assert set(trace.keys) == set(range(trace.unique))
    if name != "loop":  # which has no chance in it
        assert trace.keys != generate(name, 4000, seed=2).keys


def test_nothing_is_better_than_opt_and_an_engine_is_what_its_reference_is() -> None:
    trace = generate("crm", 5000)
    for room in (20, 200):
        bound = opt(trace.keys, room)
        assert all(reference(trace.keys, room) <= bound for reference in REFERENCES.values())
        assert hits_of(load_policy("allkeys-lru").engine, trace.keys, room) == lru(trace.keys, room)


def test_traces_are_read_in_all_their_forms(tmp_path: Path) -> None:
    numbers = array("I", [7, 7, 900, 7, 3])
    (tmp_path / "a.u32").write_bytes(numbers.tobytes())
    (tmp_path / "a.size.u32").write_bytes(numbers.tobytes())
    (tmp_path / "b.u32.xz").write_bytes(lzma.compress(numbers.tobytes()))
    (tmp_path / "c.txt").write_bytes(b"/home\n/home\n/about\n/home\n/news\n")
    assert [trace.name for trace in read_folder(tmp_path)] == ["a", "b", "c"]
    assert all((trace.keys, trace.unique) == ([0, 0, 1, 0, 2], 3) for trace in read_folder(tmp_path))


def test_a_folder_without_traces_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no trace in"):
        read_folder(tmp_path)


def test_a_replay_hits_what_the_engine_hits_in_process() -> None:
    trace = generate("zipf", 4000)
    room = 150
    with ThreadedServer() as server, Client("127.0.0.1", server.port) as client:
        load = load_for(room, "allkeys-lru", batch=1)
        calibrate(client, "allkeys-lru", room, load)
        found = replay(client, trace, room, load)
    assert abs(found.entries - room) <= 2
    assert abs(found.hits - lru(trace.keys, room)) < 0.01 * len(trace.keys)


def test_a_batch_counts_a_key_that_it_has_set_itself() -> None:
    trace = Trace("twice", [0, 0, 1, 0, 1], 2)
    with ThreadedServer() as server, Client("127.0.0.1", server.port) as client:
        assert replay(client, trace, 10, Load(10, 5)).hits == 3


def test_cases_that_are_too_small_are_left_out_and_the_rest_is_in_order() -> None:
    trace = generate("zipf", 4000)
    cases = cases_of([trace], [1, 10, 50], smallest=30)
    assert [case.percent for case in cases] == [10, 50]
    assert all(first.room < second.room for first, second in pairwise(cases))
    assert isinstance(cases[0], Case)


def test_the_summary_tells_who_is_behind_the_best_but_for_the_bound() -> None:
    summary = summarise([[50.0, 40.0, 30.0], [60.0, 20.0, 35.0]], ["opt", "a", "b"])
    assert [(row["mean_behind"], row["most_behind"]) for row in summary] == [(0.0, 0.0), (7.5, 15.0), (5.0, 10.0)]
