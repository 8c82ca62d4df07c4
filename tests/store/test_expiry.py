"""The time wheel gives what is due, in slices, and nothing else."""

from __future__ import annotations

import random

import pytest

from pycache_server.entry import Entry, TimedEntry
from pycache_server.store.expiry import Wheel


@pytest.mark.parametrize("seed", range(5))
def test_random_entries_come_out_when_they_are_due(seed: int) -> None:
    chance = random.Random(seed)
    wheel = Wheel()
    now = 1_700_000_000_000
    entries: set[Entry] = set()
    for number in range(5000):
        action = chance.random()
        if action < 0.5:
            entry = TimedEntry(b"%d" % number, None, now + chance.randrange(10 ** chance.randrange(1, 14)))
            wheel.add(entry)
            entries.add(entry)
        elif action < 0.7 and entries:
            entry = chance.choice(list(entries))
            wheel.remove(entry)
            entries.remove(entry)
        elif action < 0.9:
            now += chance.randrange(10 ** chance.randrange(1, 10))
        else:
            more = True
            while more:
                due, more = wheel.expire(now, chance.randrange(1, 50))
                assert all(entry.expires <= now for entry in due)
                entries -= set(due)
            late = [entry for entry in entries if entry.expires <= now - 16]
            assert not late
        if number % 200 == 0:
            wheel._check()
            assert wheel.size == len(entries)
            assert wheel.overdue(now) == sum(entry.expires <= now for entry in entries)


def test_it_tells_when_to_come_back() -> None:
    calls: list[int] = []
    wheel = Wheel(lambda: calls.append(1))
    assert wheel.next_due() is None
    wheel.add(TimedEntry(b"far", None, 10**13))
    wheel.add(TimedEntry(b"near", None, 5000))
    wheel.add(TimedEntry(b"middle", None, 9000))
    assert len(calls) == 2
    due = wheel.next_due()
    assert due is not None
    assert 5000 <= due <= 5016


def test_a_storm_is_worked_off_in_slices() -> None:
    wheel = Wheel()
    for number in range(10000):
        wheel.add(TimedEntry(b"%d" % number, None, 50_000))
    total = slices = 0
    more = True
    while more:
        due, more = wheel.expire(60_000, 100)
        assert len(due) <= 100
        total += len(due)
        slices += 1
    assert total == 10000
    assert slices >= 100


def test_entries_beyond_any_year_are_fine() -> None:
    wheel = Wheel()
    entry = TimedEntry(b"k", None, 2**63 - 1)
    wheel.add(entry)
    wheel._check()
    assert wheel.expire(2**53, 10) == ([], False)
    wheel.remove(entry)
    assert wheel.next_due() is None


def test_what_is_due_can_be_looked_at_and_stays_in() -> None:
    wheel = Wheel()
    entries = [TimedEntry(b"%d" % number, None, 50_000 + number) for number in range(100)]
    for entry in entries:
        wheel.add(entry)
    assert wheel.first_due(49_000, 10) is None
    seen = set()
    for _ in range(1000):
        due = wheel.first_due(60_000, 10)
        if due is not None:
            assert due in entries
            seen.add(due)
            wheel.remove(due)
        wheel._check()
    assert seen == set(entries)
    assert wheel.next_due() is None
