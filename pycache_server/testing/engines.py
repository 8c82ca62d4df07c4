"""The contract of an eviction engine as a test, for those who write one.

    from pycache_server.testing import check_engine

    def test_my_engine() -> None:
        check_engine(MyEngine)

It drives an engine as a database does, by a random program, and asserts what evict/base.py demands: victims are
admitted entries, all entries are given up in the end, nothing is kept of an entry that went, neither itself nor its
key, what is remembered of keys that went is bounded, the fields that belong to the database are left alone, the clock
and the source of chance are the ones that were given. How good an engine is it cannot tell: that takes traces
(docs/design/eviction.md).
"""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from sys import getrefcount
from unittest.mock import patch

from pycache_server.entry import NEVER, SizedEntry, make_entry
from pycache_server.evict.base import Engine, Surroundings

MOST_BYTES = 200
"""What an engine may hold for each entry besides the entry."""
MOST_FIXED_BYTES = 256 << 10
"""What it may hold besides, however many entries there are: what has been learned, say."""
_PASSING = 40
"""So many times the entries of a small cache pass through it."""
_CLOCKS = ["time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"]
_CHANCES = ["random", "randrange", "randint", "choice", "choices", "sample", "shuffle", "uniform", "getrandbits"]
_OWNED = ("key", "value", "expires", "size", "prev", "next")
"""Fields of an entry that belong to the database."""


def check_engine(engine_class: type[Engine], seed: int = 1, steps: int = 3000) -> None:
    """Assert that an engine keeps the contract.

    Raises AssertionError, which tells what is wrong, when in the program, and with which seed.
    """
    _check_entry_type(engine_class)
    with _no_other_sources():
        first = _Program(engine_class, seed).run(steps)
        assert first == _Program(engine_class, seed).run(steps), (
            f"{engine_class.__name__} chose other victims when the same was done again (seed {seed}): it must take "
            "chance from surroundings.choose and time from surroundings.now alone"
        )
    _check_bounds(engine_class, seed)


def _check_entry_type(engine_class: type[Engine]) -> None:
    name = engine_class.__name__
    assert issubclass(engine_class, Engine), f"{name} is not an Engine"
    entry_type = engine_class.entry_type
    assert issubclass(entry_type, SizedEntry), f"{name}.entry_type is not a SizedEntry"
    for expires in (NEVER, 5):
        entry = make_entry(entry_type, b"key", b"value", expires)
        assert not hasattr(entry, "__dict__"), f"{name}.entry_type has a __dict__: give it __slots__, for memory"
        for field, value in zip(_OWNED, (b"key", b"value", expires, 0, None, None), strict=True):
            assert getattr(entry, field) == value, (
                f"{name}.entry_type(key, value, expires) sets {field} to something else"
            )


@contextmanager
def _no_other_sources() -> Iterator[None]:
    """Let the functions of ``time`` and ``random`` fail."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an engine must take time from surroundings.now and chance from surroundings.choose alone")

    with ExitStack() as stack:
        for module, names in ((time, _CLOCKS), (random, _CHANCES)):
            for name in names:
                stack.enter_context(patch.object(module, name, refuse))
        yield


class _Program:
    """An engine, what it should hold, and a random program."""

    def __init__(self, engine_class: type[Engine], seed: int) -> None:
        self.name = engine_class.__name__
        self.seed = seed
        self.chance = random.Random(seed)
        self.now = 1_700_000_000.0
        self.engine = engine_class(Surroundings(lambda: self.now, random.Random(seed).randrange))
        self.entries: dict[int, SizedEntry] = {}  # by number: nobody but the entry holds its key
        self.owned: dict[int, tuple[object, ...]] = {}
        self.victims: list[int] = []
        self.step = 0

    def expect(self, condition: bool, complaint: str) -> None:
        """Assert, and tell where the program was."""
        assert condition, f"{self.name}: {complaint} (step {self.step}, seed {self.seed})"

    def run(self, steps: int) -> list[int]:
        """Do so many random things, then give up everything. Returns the numbers of all victims in their order."""
        self.expect(self.engine.victim() is None, "there is a victim though nothing has been admitted")
        actions = (self.admit, self.access, self.retime, self.discard, self.evict, self.pass_time)
        phases = ((40, 30, 5, 5, 5, 3), (20, 60, 5, 2, 20, 3), (5, 20, 5, 10, 40, 3))
        for self.step in range(steps):
            weights = phases[self.step * 2 * len(phases) // steps % len(phases)]
            self.chance.choices(actions, weights)[0]()
            if not self.step % 97:
                self.look()
        self.drain()
        return self.victims

    # Actions

    def admit(self) -> None:
        number = self.chance.randrange(1000)
        if number in self.entries:
            return
        entry = make_entry(self.engine.entry_type, b"key:%d" % number, b"value", self.some_time())
        entry.size = 100 + self.chance.randrange(1000)
        self.entries[number] = entry
        self.owned[number] = _fields(entry)
        self.engine.admit(entry)

    def access(self) -> None:
        if not self.entries:
            return
        entry = self.entries[self.some_number()]
        self.engine.access(entry)
        idle = self.engine.idle_seconds(entry)
        self.expect(idle in (None, 0), f"idle_seconds is {idle} after an access")

    def retime(self) -> None:
        if not self.entries:
            return
        number = self.some_number()
        entry, expires = self.entries[number], self.some_time()
        if entry.may_expire:
            entry.expires = expires
            self.owned[number] = _fields(entry)
            self.engine.retime(entry)
        elif expires != NEVER:
            new = self.entries[number] = make_entry(self.engine.entry_type, entry.key, entry.value, expires)
            new.size = entry.size
            self.owned[number] = _fields(new)
            self.engine.exchange(entry, new)
            probe = object()
            if getrefcount(entry) > getrefcount(probe):
                self.expect(False, f"{entry.key!r} is still held after exchange, by {_holders(entry)}")

    def discard(self) -> None:
        if self.entries:
            number = self.some_number()
            self.engine.discard(self.entries[number])
            self.forget(number, "discard")

    def evict(self) -> None:
        entry = self.engine.victim()
        if not self.entries:
            self.expect(entry is None, "there is a victim though nothing is admitted")
            return
        self.expect(entry is not None, f"there is no victim though {len(self.entries)} entries are admitted")
        assert entry is not None
        number = _number(entry)
        self.expect(self.entries.get(number) is entry, f"the victim {entry.key!r} is not admitted")
        if self.chance.random() < 0.5:
            del entry
            self.take()
            return
        again = self.engine.victim()
        self.expect(again is not None and self.entries.get(_number(again)) is again, "asked twice, it has no victim")
        self.victims.append(number)
        self.engine.evicted(entry)
        del entry, again
        self.forget(number, "evicted")

    def take(self) -> None:
        """Let the engine choose and give up at once."""
        most, size = self.chance.randint(1, 5), self.chance.choice([1, 300, 10**9])
        taken = list(self.engine.take_victims(most, size))
        self.expect(bool(taken), "it has a victim and does not give it up")
        self.expect(len(taken) <= most, f"asked for {most} victims it gives up {len(taken)}")
        self.expect(
            sum(entry.size for entry in taken[:-1]) < size, f"asked for {size} bytes it gives up {len(taken)} victims"
        )
        numbers = []
        for entry in taken:
            numbers.append(number := _number(entry))
            self.expect(self.entries.get(number) is entry, f"the victim {entry.key!r} is not admitted")
        self.expect(len({*numbers}) == len(numbers), "it gives up the same victim twice")
        self.victims += numbers
        del entry
        for number in numbers:
            taken.pop(0)
            self.forget(number, "take_victims")

    def pass_time(self) -> None:
        """Mostly a little, sometimes much, and sometimes back, as a wall clock may."""
        self.now += self.chance.choice([0.001, 0.1, 1, 60, 3600, -5])

    # Checks

    def forget(self, number: int, reason: str) -> None:
        """Drop an entry that went, and expect that nobody has it or its key."""
        entry = self.entries.pop(number)
        owned = self.owned.pop(number)
        self.expect(_fields(entry) == owned, f"fields of the database have changed in {entry.key!r}: {owned}")
        del owned
        probe = object()
        alone = getrefcount(probe)
        if getrefcount(entry) > alone:
            self.expect(False, f"{entry.key!r} is still held after {reason}, by {_holders(entry)}")
        key = entry.key
        del entry
        if getrefcount(key) > alone:
            self.expect(False, f"the key {key!r} is still held after {reason}, by {_holders(key)}")

    def look(self) -> None:
        """Check the engine's own structures and what it tells."""
        self.engine._check()
        for field, value in self.engine.report().items():
            self.expect(isinstance(value, (int, float, str)), f"report()[{field!r}] is {value!r}")
        for entry in self.entries.values():
            idle = self.engine.idle_seconds(entry)
            self.expect(idle is None or (type(idle) is int and idle >= 0), f"idle_seconds is {idle!r}")
            frequency = self.engine.frequency(entry)
            self.expect(
                frequency is None or (type(frequency) is int and 0 <= frequency <= 255), f"frequency is {frequency!r}"
            )

    def drain(self) -> None:
        """Give up everything."""
        self.look()
        while self.entries:
            self.evict()
        self.look()
        self.expect(self.engine.victim() is None, "there is a victim though everything has gone")

    def some_number(self) -> int:
        """One of the numbers that are there."""
        numbers = list(self.entries)
        return numbers[self.chance.randrange(len(numbers))]

    def some_time(self) -> int:
        """When a key might expire."""
        if self.chance.random() < 0.3:
            return NEVER
        return int(self.now * 1000) + self.chance.choice([1, 1000, 60_000, 3_600_000, 86_400_000])


def _fields(entry: SizedEntry) -> tuple[object, ...]:
    return tuple(getattr(entry, field) for field in _OWNED)


def _number(entry: SizedEntry) -> int:
    """The number in an entry's key, or -1 where the key is a stranger's."""
    digits = entry.key.removeprefix(b"key:")
    return int(digits) if digits.isdigit() else -1


def _holders(thing: object) -> list[str]:
    """The kinds of the objects that hold something."""
    return sorted(type(holder).__name__ for holder in gc.get_referrers(thing) if not hasattr(holder, "f_code"))


def _check_bounds(engine_class: type[Engine], seed: int) -> None:
    """Let many keys pass through a small cache: what the engine holds must not grow with them."""
    room = 256
    passed = _PASSING * room
    engine = engine_class(Surroundings(lambda: 1_700_000_000.0, random.Random(seed).randrange))
    entries: dict[int, SizedEntry] = {}

    def pass_through(first: int, count: int) -> None:
        for number in range(first, first + count):
            entries[number] = entry = engine.entry_type(b"key:%d" % number, None)
            engine.admit(entry)
            if len(entries) > room:
                victim = engine.victim()
                assert victim is not None
                del entries[_number(victim)]
                engine.evicted(victim)

    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        pass_through(0, 4 * room)
        before = tracemalloc.get_traced_memory()[0]
        pass_through(4 * room, passed)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        if not traced:
            tracemalloc.stop()
    engine._check()
    assert grown <= MOST_FIXED_BYTES + MOST_BYTES * room, (
        f"{engine_class.__name__} has grown by {grown} bytes while {passed} keys passed through a cache of {room}: "
        "what is remembered of keys that went must be bounded by the number of those that are there"
    )
