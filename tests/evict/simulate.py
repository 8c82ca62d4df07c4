"""A cache in front of something slow, in process: what an engine hits of a trace. And traces, generated.

    python -m tests.evict.simulate         # the table of docs/design/eviction.md, takes a minute

The cache calls an engine as a database does: the key that is new is in before room is made for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from pycache_server.entry import NEVER, SizedEntry, make_entry
from pycache_server.evict.base import BUILTIN, VOLATILE_ONLY, Engine, Surroundings, load_policy


class Cache:
    """``room`` entries at most. Time stands still unless a test moves ``now``."""

    def __init__(self, engine_class: type[Engine], room: int, seed: int = 1) -> None:
        self.now = 1_000_000.0
        self.surroundings = Surroundings(lambda: self.now, random.Random(seed).randrange)
        self.engine = engine_class(self.surroundings)
        self.room = room
        self.entries: dict[int, SizedEntry] = {}
        self.hits = 0
        self.requests = 0

    def ask(self, key: int, lives: float = 0) -> bool:
        """Get a key, and put it in if it was not there, to live so many seconds, or for ever. Whether it was there."""
        self.requests += 1
        entry = self.entries.get(key)
        if entry is not None and entry.expires > self.now * 1000:
            self.engine.access(entry)
            self.hits += 1
            return True
        if entry is not None:
            self.drop(key)
        expires = int((self.now + lives) * 1000) if lives else NEVER
        self.entries[key] = entry = make_entry(self.engine.entry_type, b"%d" % key, None, expires)
        entry.size = 100
        self.engine.admit(entry)
        while len(self.entries) > self.room:
            self.evict()
        return False

    def evict(self) -> int:
        """Give up a key, and return it."""
        victim = self.engine.victim()
        assert victim is not None
        key = int(victim.key)
        assert self.entries.pop(key) is victim
        self.engine.evicted(victim)
        return key

    def drop(self, key: int) -> None:
        """Delete a key."""
        self.engine.discard(self.entries.pop(key))

    def drain(self) -> list[int]:
        """Give up everything; the keys in the order in which they went."""
        return [self.evict() for _ in range(len(self.entries))]


def hit_ratio(engine_class: type[Engine], trace: Iterable[int], room: int) -> float:
    """Hits of requests, in percent."""
    cache = Cache(engine_class, room)
    for key in trace:
        cache.ask(key)
    cache.engine._check()
    return 100 * cache.hits / cache.requests


# Traces


def zipf(count: int, keys: int, skew: float, seed: int = 1) -> list[int]:
    """Keys of which the n-th is asked for in proportion to 1 / n ** skew."""
    weights = [(number + 1) ** -skew for number in range(keys)]
    return random.Random(seed).choices(range(keys), weights, k=count)


def with_scans(trace: list[int], every: int, length: int) -> Iterator[int]:
    """A trace with a run of new keys, each asked for once, after every so many requests."""
    fresh = 10**6
    for number, key in enumerate(trace):
        yield key
        if number % every == every - 1:
            yield from range(fresh, fresh + length)
            fresh += length


def drifting(trace: list[int], every: int, step: int) -> Iterator[int]:
    """A trace whose keys are others, all of them, after every so many requests, but those next to them in rank."""
    for number, key in enumerate(trace):
        yield key + number // every * step


def loop(keys: int, rounds: int) -> Iterator[int]:
    """All keys in turn, again and again."""
    for _ in range(rounds):
        yield from range(keys)


def bursts(count: int, visits: int, wide: int, seed: int = 1) -> Iterator[int]:
    """Keys that are asked for a few times, not far apart, and never again; ``wide`` of them at a time."""
    chance = random.Random(seed)
    live = [(number, visits) for number in range(wide)]
    fresh = wide
    for _ in range(count):
        place = chance.randrange(wide)
        key, left = live[place]
        yield key
        if left > 1:
            live[place] = key, left - 1
        else:
            live[place] = fresh, visits
            fresh += 1


def main() -> None:
    """Print what each engine hits of each trace."""
    traces = {
        "zipf 0.9": (zipf(100_000, 10_000, 0.9), 500),
        "with scans": (list(with_scans(zipf(100_000, 10_000, 0.9), 2000, 1000)), 500),
        "drifting": (list(drifting(zipf(100_000, 10_000, 1.0), 10_000, 200)), 500),
        "bursts": (list(bursts(100_000, 8, 400)), 500),
        "loop": (list(loop(1000, 100)), 500),
    }
    print("| engine |", " | ".join(traces), "|")
    print("|---|" + "---|" * len(traces))
    for name in BUILTIN:
        if name not in VOLATILE_ONLY:
            engine = load_policy("allkeys-" + name).engine
            ratios = [f"{hit_ratio(engine, trace, room):.1f}" for trace, room in traces.values()]
            print(f"| {name} |", " | ".join(ratios), "|")


if __name__ == "__main__":
    main()
