"""The engine that learns keeps its books right, and keeps what is worth keeping."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterable

import pytest

from pycache_server.evict import adaptive as adaptive_module
from pycache_server.evict.adaptive import LEAST_REMEMBERED, PAGE, Adaptive, AdaptiveEntry
from pycache_server.evict.base import Surroundings
from pycache_server.evict.hit_density import (
    BIN,
    BINS,
    NEAR,
    NEXT,
    ROWS,
    STATES,
    HitDensity,
    bins_from,
    frequency_of,
    octave_of,
    state_of,
)
from pycache_server.evict.mapped_history import (
    NUMBER_SHIFT,
    NUMBERS,
    PART,
    PLACE_SHIFT,
    ROW,
    SPOTS,
    TAG,
    TAG_SHIFT,
    TIME_SHIFT,
    MappedHistory,
)
from tests.conftest import some_slow


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def engine(seed: int = 1, clock: Clock | None = None) -> Adaptive:
    chance = random.Random(seed)
    return Adaptive(Surroundings(clock or Clock(), chance.randrange))


def replay(adaptive: Adaptive, keys: Iterable[int], size: int) -> tuple[float, list[int]]:
    """Read each key, and write it when it is missing; the hit ratio, and the keys that were given up."""
    there: dict[int, AdaptiveEntry] = {}
    hits, reads, gone = 0, 0, []
    for key in keys:
        reads += 1
        entry = there.get(key)
        if entry is not None:
            hits += 1
            adaptive.access(entry)
            continue
        entry = there[key] = AdaptiveEntry(b"key:%d" % key, key)
        adaptive.admit(entry)
        if len(there) > size:
            victim = adaptive.victim()
            assert victim is not None
            del there[victim.value]
            adaptive.evicted(victim)
            gone.append(victim.value)
    adaptive._check()
    return hits / reads, gone


def lru(keys: Iterable[int], size: int) -> float:
    order: OrderedDict[int, None] = OrderedDict()
    hits, reads = 0, 0
    for key in keys:
        reads += 1
        if key in order:
            hits += 1
            order.move_to_end(key)
        else:
            order[key] = None
            if len(order) > size:
                order.popitem(last=False)
    return hits / reads


def zipf(chance: random.Random, keys: int, count: int) -> list[int]:
    return chance.choices(range(keys), [1 / (rank + 1) for rank in range(keys)], k=count)


@pytest.mark.parametrize("large", [adaptive_module.LARGE, 200])
@pytest.mark.parametrize("seed", some_slow(range(10), 3))
def test_random_programs_keep_the_books_right(seed: int, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive_module, "LARGE", large)
    chance = random.Random(seed)
    adaptive = engine(seed)
    there: list[AdaptiveEntry] = []
    for number in range(3000):
        what = chance.random()
        if what < 0.4 or not there:
            there.append(AdaptiveEntry(b"%d" % chance.randrange(2000), number))
            adaptive.admit(there[-1])
        elif what < 0.75:
            adaptive.access(chance.choice(there))
        elif what < 0.85:
            adaptive.discard(there.pop(chance.randrange(len(there))))
        else:
            victim = adaptive.victim()
            assert isinstance(victim, AdaptiveEntry) and victim in there, seed
            if chance.random() < 0.9:
                there.remove(victim)
                adaptive.evicted(victim)
        if number % 300 == 0:
            adaptive._check()
    for entry in there:
        adaptive.discard(entry)
    adaptive._check()
    assert adaptive.victim() is None


def test_nothing_is_given_up_where_nothing_is() -> None:
    assert engine().victim() is None


def test_a_victim_stays_until_it_is_evicted() -> None:
    adaptive = engine()
    entries = [AdaptiveEntry(b"%d" % number, number) for number in range(3 * PAGE)]
    for entry in entries:
        adaptive.admit(entry)
    victim = adaptive.victim()
    assert victim is adaptive.victim()
    assert victim is not None
    adaptive.discard(victim)
    assert adaptive.victim() is not victim
    adaptive._check()


def test_the_only_key_is_a_victim_even_if_it_is_new() -> None:
    adaptive = engine()
    entry = AdaptiveEntry(b"key", 0)
    adaptive.admit(entry)
    assert adaptive.victim() is entry


def test_a_loop_longer_than_the_cache_is_noticed() -> None:
    loop = list(range(600)) * 60
    assert lru(loop, 400) == 0
    assert replay(engine(), loop, 400)[0] > 0.5


def test_a_scan_does_not_flush_what_is_popular() -> None:
    chance = random.Random(2)
    keys = [
        key
        for part in range(8)
        for key in [*zipf(chance, 3000, 3000), *range(10000 + part * 2000, 12000 + part * 2000)]
    ]
    assert replay(engine(), keys, 400)[0] > lru(keys, 400)


@pytest.mark.slow
def test_yesterdays_favourites_are_let_go() -> None:
    chance = random.Random(3)
    keys = [part * 1000 + key for part in range(8) for key in zipf(chance, 3000, 5000)]
    assert replay(engine(), keys, 300)[0] > lru(keys, 300)


@pytest.mark.slow
def test_many_entries_are_given_up_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(8)
    keys = [key for part in range(8) for key in [*zipf(chance, 4000, 4000), *range(10000, 11000)]]
    sampled = replay(engine(), keys, 600)[0]
    monkeypatch.setattr(adaptive_module, "LARGE", 500)
    assert replay(engine(), keys, 600)[0] > max(sampled - 0.02, lru(keys, 600))


def test_victims_are_found_at_once_while_nothing_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive_module, "LARGE", 2000)
    adaptive = engine()
    dearly = [0]
    sample = adaptive._sample

    def count_sample() -> None:
        dearly[0] += 1
        sample()

    monkeypatch.setattr(adaptive, "_sample", count_sample)
    size = 32 * PAGE
    for number in range(4 * size):
        adaptive.admit(AdaptiveEntry(b"%d" % number, 0))
        if number >= size:
            adaptive.take_victims(1, 1)
        if number == 3 * size:
            dearly[0] = 0
    assert dearly[0] < size // 50  # each finds two victims
    adaptive._check()


def test_the_same_chance_brings_the_same_victims() -> None:
    keys = zipf(random.Random(4), 3000, 15000)
    assert replay(engine(7), keys, 300) == replay(engine(7), keys, 300)


def test_time_alone_changes_no_decision() -> None:
    keys = zipf(random.Random(5), 3000, 15000)
    clock = Clock()

    def passing() -> Iterable[int]:
        for key in keys:
            clock.time += 17.0
            yield key

    assert replay(engine(7, clock), passing(), 300) == replay(engine(7), keys, 300)


def test_a_key_that_comes_back_is_remembered() -> None:
    adaptive = engine()
    entry = AdaptiveEntry(b"key", 0)
    adaptive.admit(entry)
    assert adaptive.frequency(entry) == 1
    adaptive.evicted(entry)
    again, other = AdaptiveEntry(b"key", 0), AdaptiveEntry(b"other", 0)
    adaptive.admit(again)
    adaptive.admit(other)
    assert adaptive.frequency(again) == 2
    assert adaptive.frequency(other) == 1


def test_idle_time_is_told_in_seconds() -> None:
    clock = Clock()
    adaptive = engine(1, clock)
    old = AdaptiveEntry(b"old", 0)
    adaptive.admit(old)
    for number in range(1000):
        clock.time += 1.0
        entry = AdaptiveEntry(b"%d" % number, 0)
        adaptive.admit(entry)
    idle = adaptive.idle_seconds(old)
    assert idle is not None and 900 <= idle <= 1000
    assert adaptive.idle_seconds(entry) == 0


def test_the_report_adds_up() -> None:
    adaptive = engine()
    assert adaptive.report()["adaptive_ages"] == ""
    replay(adaptive, zipf(random.Random(6), 3000, 15000), 300)
    told = adaptive.report()
    shares = [str(told[f"adaptive_{kind}"]).split(",") for kind in ("new", "frequent", "rare")]
    for place in (0, 1):
        assert sum(float(share[place].split("=")[1].rstrip("%")) for share in shares) == pytest.approx(100, abs=0.2)
    assert int(told["adaptive_remembered"]) >= LEAST_REMEMBERED


def test_bins_divide_each_octave_in_order() -> None:
    assert bins_from(0) == BIN and len(BIN) == NEAR
    assert list(BIN) == sorted(BIN)
    for octave in range(3, 14):
        assert BIN[1 << octave] == 4 * octave
    for shift in range(20):
        bins = bins_from(shift)
        assert len(bins) == NEAR
        for octave in range(3, 14):
            assert bins[1 << octave] == min(4 * (octave + shift), BINS - 1)


def test_a_state_follows_the_interval_half_of_the_way() -> None:
    assert len(NEXT) == STATES * BINS
    state = NEXT[4 * 10] // BINS
    assert (octave_of(state), frequency_of(state)) == (10, 1)
    state = NEXT[ROWS[state] + 4 * 16] // BINS
    assert (octave_of(state), frequency_of(state)) == (13, 2)
    state = NEXT[ROWS[state] + 4 * 12] // BINS
    assert (octave_of(state), frequency_of(state)) == (12, 3)
    assert octave_of(0) is None and frequency_of(0) == 0


def word_of(history: MappedHistory, key: bytes) -> int:
    """What the history holds of a key, without the fingerprint; 0 where that is of another."""
    spot = hash(key) % SPOTS
    word: int = history.rows[spot & history.mask][spot >> PLACE_SHIFT]
    return 0 if (spot >> TAG_SHIFT ^ word) & TAG else word & ~TAG


def test_history_forgets_nothing_when_it_grows() -> None:
    history = MappedHistory("Q")
    known = {}
    for number in range(300):
        key = b"key:%d" % number
        known[key] = (1000 + number) << TIME_SHIFT | number % NUMBERS << NUMBER_SHIFT
        history.remember(key, 1000 + number, number % NUMBERS)
    kept = [key for key, word in known.items() if word_of(history, key) == word]
    assert len(kept) > 270  # the last of those that share a place
    for _ in range(13):
        history.grow()
        history._check()
    assert len(history) == 14 * ROW
    assert all(word_of(history, key) == known[key] for key in kept)


def test_history_is_looked_at_in_parts() -> None:
    history = MappedHistory("Q")
    history.grow()
    for number in range(3000):
        history.remember(b"key:%d" % number, 1 + number, number % NUMBERS)
    assert history.parts * PART == len(history) == 2 * ROW
    found = [pair for index in range(history.parts) for pair in history.part(index)]
    assert {tick for _, tick in found} <= set(range(1, 3001))
    assert all(number == (tick - 1) % NUMBERS for number, tick in found)
    assert len(found) > 2000


def test_words_of_four_bytes_take_half_of_the_room() -> None:
    assert len(MappedHistory("I")) == len(MappedHistory("Q")) == ROW
    assert 2 * MappedHistory("I").rows[0].itemsize == MappedHistory("Q").rows[0].itemsize == 8


def test_history_is_freed_in_parts() -> None:
    history = MappedHistory("Q")
    for _ in range(20):
        history.grow()
    sizes = [len(history)]
    while len(history):
        assert 0 < history.free(32) <= 32
        sizes.append(len(history))
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 4
    assert history.free(32) == 0


def test_taking_in_and_ranking_are_two_steps_where_asked() -> None:
    one, two = HitDensity(), HitDensity()
    cells = [ROWS[3] + index for index in range(20)]
    for density in (one, two):
        density.see(cells, 100.0)
        for cell in cells[:5]:
            density.hits[cell] += 1.0
    before = list(one.ranks)
    one.learn(1000, 100)
    two.learn(1000, 100, halves=True)
    assert two.ranks == before != one.ranks
    two.learn(1000, 100, halves=True)
    assert two.ranks == one.ranks
    for density in (one, two):
        density._check()
        assert not any(density.seen)
        assert not any(density.hits)


def test_without_evidence_who_was_read_again_is_worth_more() -> None:
    density = HitDensity()
    once, often = ROWS[state_of(6, 1)], ROWS[state_of(6, 8)]
    for index in range(40):
        density.see([ROWS[0] + index], 10_000.0)
        density.hits[ROWS[0] + index] += 10.0
    density.learn(1000, 100)  # of all keys
    density.see([once], 0.01)
    density.learn(1000, 100)
    ages = range(4, 40)
    assert all(density.ranks[ROWS[0] + age] < density.ranks[once + age] < density.ranks[often + age] for age in ages)


def test_evidence_outweighs_what_is_believed_of_those_read_again() -> None:
    density = HitDensity()
    once = ROWS[state_of(6, 1)]
    for index in range(40):
        density.see([ROWS[0] + index, once + index], 1_000_000.0)
        density.hits[ROWS[0] + index] += 1_000.0
        density.hits[once + index] += 100.0
    density.learn(1000, 100)  # of the one
    density.learn(1000, 100)  # and the other
    assert all(density.ranks[ROWS[0] + age] > density.ranks[once + age] for age in range(4, 30))
