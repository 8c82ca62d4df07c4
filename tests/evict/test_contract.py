"""Every engine keeps the contract, and a test of the contract that would not notice is no test."""

from __future__ import annotations

import random
import time

import pytest

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import (
    BUILTIN,
    VOLATILE_ONLY,
    Engine,
    Surroundings,
    UnknownPolicy,
    load_policy,
    policy_names,
)
from pycache_server.evict.lru import Lru, LruEntry
from pycache_server.evict.random import PlacedEntry, Random
from pycache_server.testing.engines import check_engine
from tests.conftest import more_in_ci, some_slow


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", some_slow(sorted(BUILTIN, key="adaptive".__eq__), more_in_ci(3, len(BUILTIN))))
def test_a_builtin_engine_keeps_the_contract(name: str, seed: int) -> None:
    check_engine(load_policy("volatile-" + name).engine, seed)


def test_all_names_can_be_loaded() -> None:
    names = policy_names()
    for name in names:
        policy = load_policy(name)
        assert policy.name == name
        assert policy.volatile == name.startswith("volatile-")
    assert {"allkeys-lru", "volatile-lru", "allkeys-lfu", "volatile-ttl", "noeviction"} <= set(names)


def test_an_engine_for_times_to_live_is_not_for_all_keys() -> None:
    for name in VOLATILE_ONLY:
        assert "allkeys-" + name not in policy_names()
        with pytest.raises(UnknownPolicy):
            load_policy("allkeys-" + name)


# Engines that break it


class KeepsEntries(Lru):
    """Holds what it has discarded."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.kept: list[SizedEntry] = []

    def discard(self, entry: LruEntry) -> None:
        self.kept.append(entry)
        super().discard(entry)


class KeepsKeys(Lru):
    """Holds the keys of what it has discarded."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.kept: set[bytes] = set()

    def discard(self, entry: LruEntry) -> None:
        self.kept.add(entry.key)
        super().discard(entry)


class Grows(Lru):
    """Remembers all hashes for ever."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.kept: set[int] = set()

    def discard(self, entry: LruEntry) -> None:
        self.kept.add(hash(entry.key))
        super().discard(entry)


class ReadsTheClock(Lru):
    """Does not use the time that it is given."""

    def access(self, entry: LruEntry) -> None:
        super().access(entry)
        entry.mark = time.time()


class DrawsItself(Random):
    """Does not use the chance that it is given."""

    def victim(self) -> PlacedEntry | None:
        return self._entries[random.randrange(len(self._entries))] if self._entries else None


class Forgets(Random):
    """Never gives up some of its entries."""

    def admit(self, entry: PlacedEntry) -> None:
        entry.place = -1
        if not entry.key.endswith(b"7"):
            super().admit(entry)

    def discard(self, entry: PlacedEntry) -> None:
        if entry.place >= 0:
            super().discard(entry)

    def exchange(self, old: PlacedEntry, new: PlacedEntry) -> None:
        new.place = old.place
        if old.place >= 0:
            super().exchange(old, new)


class GivesUpWhatWent(Lru):
    """Returns a victim that is not admitted."""

    def victim(self) -> LruEntry | None:
        return LruEntry(b"stranger", None) if self._count else None


class TakesSize(Lru):
    """Changes what belongs to the database."""

    def access(self, entry: LruEntry) -> None:
        super().access(entry)
        entry.size += 1


class Unslotted(LruEntry):
    """Has a dict."""


class Fat(Lru):
    """Has entries with a dict."""

    entry_type = Unslotted


@pytest.mark.parametrize(
    ("engine", "complaint"),
    [
        (KeepsEntries, "is still held after"),
        (KeepsKeys, "the key .* is still held after"),
        (Grows, "bounded"),
        (ReadsTheClock, "surroundings.now"),
        (DrawsItself, "surroundings.choose"),
        (Forgets, "there is no victim though"),
        (GivesUpWhatWent, "is not admitted"),
        (TakesSize, "fields of the database"),
        (Fat, "__slots__"),
    ],
)
def test_an_engine_that_breaks_the_contract_is_told_how(engine: type[Engine], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_engine(engine)
