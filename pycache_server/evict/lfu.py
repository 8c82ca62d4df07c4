"""Least frequently used, with ageing, a trial for newcomers and a memory for those who were given up.

Counting hits alone is a disaster on real traffic: what was hot yesterday is never given up, and what is new never gets
a chance. So:

*Frequencies decay.* Each hit adds up to one, and all halve while the cache is filled anew HALF_LIFE times (LRFU). That
is the same as if those stayed as they are and a hit weighed the more the later it comes, twice as much after a
half-life: then nothing has to be aged, an entry's frequency can only rise, and a hit is one addition. The weight gets
too great for a float after some thousand turnovers; then all begins anew at 1, and who has not been accessed since has
nothing left.

*Hits in a row count as less than one*, the less the closer they are (correlated references): a burst is one visit.
Time advances in ticks, eight to a turnover of the cache, and a hit in the tick of the last one is not counted at all,
so most accesses of a hot key cost one comparison.

*Newcomers are on trial*, in a queue of a tenth of the entries or more, in which a hit that counts puts them back to
the start. Who comes to its end stands against the entry of lowest level, and has to be better, by ADVANTAGE, or goes.
The trial gets longer when those come back that have just failed it, and shorter when those do that were given up for
them, as ARC does it.

*Keys that were given up are remembered*, as many as there are entries, with their levels: who comes back goes on from
there.

The entries that are through lie in rings by level, the logarithm of the frequency, eight to a factor of two. An access
changes the frequency alone; the search for a victim moves those on that have risen since. Time is measured in
turnovers, not by a clock: a cache that is not used does not age. ``lfu-decay-time``, in Redis minutes for each
decrement, is a factor for the half-life, and 0 stops ageing in both. ``lfu-log-factor`` is the scale of OBJECT FREQ,
which answers what Redis's counter would be expected to show after as many hits; the order does not depend on it.
``maxmemory-samples`` has nothing to do here.

Sources: Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
policies", IEEE Transactions on Computers 2001; Robinson, Devarakonda, "Data cache management using frequency-based
replacement", SIGMETRICS 1990; Megiddo, Modha, "ARC", FAST 2003; Einziger, Friedman, Manes, "TinyLFU", ToS 2017.
"""

from __future__ import annotations

from math import exp2, log2, sqrt

from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.history import History
from pycache_server.evict.ring import LONGEST_WALK, LinkedEntry, Ring

HALF_LIFE = 8
"""Turnovers of the cache, with lfu-decay-time 1."""
TICKS = 8
"""Steps of time in a turnover."""
ADVANTAGE = 0.5
"""A newcomer has to be better by so many powers of two."""
MANY = 16
BURST = 0.25
"""Where there are more than MANY accesses, whether they counted or not, each doubling adds this many powers of two: who
is asked for a thousand times in one burst is not like one who is asked for once."""
SHORTEST_TRIAL, LONGEST_TRIAL = 0.1, 0.5
"""Shares of all entries."""
BLAME = 0.2
"""One who fails the trial and is back before this share of the entries has been given up should have had longer."""
_LEVELS = 8
"""Rings for each power of two."""
_MOST_MOVES = LONGEST_WALK // 2
_SCALE = 64
"""Steps of a level in a ghost's note."""
_NOTE_BITS = 31
_NOTE_MASK = (1 << _NOTE_BITS) - 1
_HALF = 1 << _NOTE_BITS - 1
_CREDIT = [1 - exp2(-ticks / TICKS) for ticks in range(64)]
"""What a hit counts so many ticks after the last one; later ones count 1."""
_LAST = len(_CREDIT)
_LONGEST_TIME = 512.0
"""Half-lives until the weights of hits begin anew."""
_ROUNDING = 1e-9
_INITIAL = 5
"""What OBJECT FREQ answers for a new key."""


class LfuEntry(LinkedEntry):
    """``worth`` is the sum of the weights of the accesses that counted, of which the last was in the tick ``mark``;
    ``hits`` that of all accesses, for OBJECT FREQ and bursts. ``ring`` is where it is."""

    __slots__ = ("hits", "ring", "worth")

    mark: int
    hits: float
    ring: LevelRing
    worth: float


class LevelRing(Ring[LfuEntry]):
    """Entries whose level, times _LEVELS, was ``number`` when they came in."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Lfu(Engine):
    """The trial queue, rings by level, and the history of those who were given up."""

    entry_type = LfuEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._trial = LevelRing(0)
        self._longest = 0.0  # how many may be on trial
        self._levels: dict[int, LevelRing] = {}
        self._lowest: LevelRing | None = None  # the ring of the lowest level, None where there is none
        self._history = History()
        self._count = 0
        self._tick = 0
        self._until = 0  # admissions until the next tick
        self._weight = 1.0  # of a hit
        self._time = 0.0  # its logarithm: in half-lives, since weights began anew
        self._ageing = 0.0  # half-lives of a tick
        self._base = self._base_before = 0.0  # the half-lives before that, and before the time before
        self._renewed_at = 0  # the tick in which weights began anew

    def admit(self, entry: LfuEntry) -> None:
        self._count = count = self._count + 1
        self._until -= 1
        if self._until <= 0:
            self._advance()
        entry.mark = self._tick
        entry.hits = 0.0
        entry.worth = self._weight
        returned = self._history.take(hash(entry.key), count)
        if returned is not None:
            self._welcome(entry, *returned)
        entry.ring = trial = self._trial
        head = trial.head  # Ring.push
        newest = head.older
        entry.older = newest
        entry.newer = head
        newest.newer = head.older = entry
        trial.size += 1
        if trial.size > self._longest + 1:
            self._pass_oldest()

    def access(self, entry: LfuEntry) -> None:
        tick, weight = self._tick, self._weight
        passed = tick - entry.mark
        if not passed:
            entry.hits += weight
            return
        if entry.mark < self._renewed_at:
            entry.hits = entry.worth = 0.0
        entry.hits += weight
        entry.mark = tick
        worth = entry.worth + (weight * _CREDIT[passed] if passed < _LAST else weight)
        entry.worth = max(weight, worth)
        ring = entry.ring
        if ring is self._trial:
            ring.remove(entry)
            ring.push(entry)

    def discard(self, entry: LfuEntry) -> None:
        self._count -= 1
        self._take_out(entry)

    def exchange(self, old: LfuEntry, new: LfuEntry) -> None:
        old.ring.replace(old, new)
        del old.ring

    def evicted(self, entry: LfuEntry) -> None:
        self._give_up(entry, self._level_of(entry))

    def victim(self) -> LfuEntry | None:
        found = self._choose()
        return found[0] if found is not None else None

    def take_victim(self) -> LfuEntry | None:
        found = self._choose()
        if found is None:
            return None
        self._give_up(*found)
        return found[0]

    def _choose(self) -> tuple[LfuEntry, float] | None:
        """The next victim and its level."""
        trial = self._trial
        candidate = trial.oldest()
        lowest = self._find_lowest()
        if candidate is None:
            return lowest
        if lowest is None:
            return candidate, self._level_of(candidate)
        if trial.size > self._longest:
            level = self._level_of(candidate)
            if level < lowest[1] + ADVANTAGE:
                return candidate, level
        return lowest

    def _give_up(self, entry: LfuEntry, level: float) -> None:
        """Let an entry go and remember its level, without what was added for bursts."""
        if entry.hits > MANY:
            level = self._level_of(entry, True)
        passed = entry.ring is not self._trial
        self._history.add(hash(entry.key), (round(level * _SCALE) & _NOTE_MASK) << 1 | passed)
        self._count -= 1
        self._take_out(entry)
        if self._trial.size > self._longest:
            self._pass_oldest()

    def frequency(self, entry: LfuEntry) -> int | None:
        """What Redis's counter is expected to be: it starts at 5, and a hit adds to c with a chance of
        1 / ((c - 5) * lfu-log-factor + 1)."""
        hits = entry.hits / self._weight + _ROUNDING if entry.mark >= self._renewed_at else 0.0
        factor = self.surroundings.log_factor
        steps = (sqrt(1 + 2 * factor * hits) - 1) / factor if factor > 0 else hits
        return min(255, _INITIAL + int(steps))

    def was_accessed(self, entry: LfuEntry, idle: int | None, frequency: int | None) -> None:
        if frequency is not None and frequency > _INITIAL:
            factor = self.surroundings.log_factor
            steps = frequency - _INITIAL + 0.5  # what is in the middle reads back as it was
            hits = ((steps * factor + 1) ** 2 - 1) / (2 * factor) if factor > 0 else steps
            entry.hits = hits * self._weight
            entry.worth += entry.hits

    def report(self) -> dict[str, int | float | str]:
        return {
            "on_trial": self._trial.size,
            "trial_share": round(self._longest / self._count, 3) if self._count else 0.0,
            "levels": len(self._levels),
            "turnovers": self._tick // TICKS,
        }

    def _advance(self) -> None:
        """A tick has passed."""
        self._tick += 1
        self._until = max(1, self._count // TICKS)
        self._limit_trial()
        if self._count > self._history.capacity:
            self._history.grow()
        decay_time = self.surroundings.decay_time
        self._ageing = 1 / (HALF_LIFE * TICKS * decay_time) if decay_time > 0 else 0.0
        self._time += self._ageing
        if self._time > _LONGEST_TIME:
            self._renewed_at = self._tick
            self._base_before, self._base = self._base, self._base + self._time
            self._time = 0.0
        self._weight = exp2(self._time)

    def _level_of(self, entry: LfuEntry, plain: bool = False) -> float:
        """The logarithm of an entry's frequency and more for bursts, unless it is to be ``plain``. It depends on what
        was at the last access, so it is the same until the next."""
        if entry.mark < self._renewed_at:
            return self._base_before + log2(entry.worth)
        level = self._base + log2(entry.worth)
        if plain or entry.hits <= MANY:  # a hit weighs at least 1
            return level
        hits = entry.hits * exp2((self._tick - entry.mark) * self._ageing - self._time)
        return level if hits <= MANY else level + BURST * log2(hits / MANY)

    def _welcome(self, entry: LfuEntry, note: int, age: int) -> None:
        """A key is back that was given up ``age`` victims ago: it goes on with the frequency that it had, and the trial
        was too short, or too long."""
        lost = (round((self._base + self._time) * _SCALE) - (note >> 1) + _HALF & _NOTE_MASK) - _HALF
        entry.worth = self._weight * (1.0 + exp2(min(-lost / _SCALE, _LONGEST_TIME)))
        if note & 1:
            self._longest -= 2
        elif age <= BLAME * self._count:
            self._longest += 1
        self._limit_trial()

    def _limit_trial(self) -> None:
        count = self._count
        self._longest = max(1.0, min(max(self._longest, SHORTEST_TRIAL * count), LONGEST_TRIAL * count))

    def _pass_oldest(self) -> None:
        """Let the first of the trial through, and one more where it has become shorter."""
        trial = self._trial
        for _ in range(2):
            oldest = trial.head.newer
            level = self._level_of(oldest)
            trial.remove(oldest)
            self._rank(oldest, int(level * _LEVELS))
            if trial.size <= self._longest:
                return

    def _rank(self, entry: LfuEntry, number: int) -> None:
        """Put an entry into the ring of its level."""
        ring = self._levels.get(number)
        if ring is None:
            ring = self._levels[number] = LevelRing(number)
            if self._lowest is None or number < self._lowest.number:
                self._lowest = ring
        entry.ring = ring
        head = ring.head  # Ring.push
        newest = head.older
        entry.older = newest
        entry.newer = head
        newest.newer = head.older = entry
        ring.size += 1

    def _take_out(self, entry: LfuEntry) -> None:
        ring = entry.ring
        newer, older = entry.newer, entry.older  # Ring.remove
        newer.older = older
        older.newer = newer
        del entry.newer, entry.older, entry.ring
        ring.size -= 1
        if not ring.size and ring is not self._trial:
            del self._levels[ring.number]
            if ring is self._lowest:
                self._lowest = self._levels[min(self._levels)] if self._levels else None

    def _find_lowest(self) -> tuple[LfuEntry, float] | None:
        """The first entry of the lowest level among those that are through, and that level. What has risen since it was
        put where it is moves on, up to _MOST_MOVES of them."""
        if self._lowest is None:
            return None
        level_of = self._level_of
        for _ in range(_MOST_MOVES):
            ring = self._lowest
            entry: LfuEntry = ring.head.newer
            level = level_of(entry)
            number = int(level * _LEVELS)
            if number <= ring.number:
                break
            self._take_out(entry)
            self._rank(entry, number)
        return entry, level

    def _check(self) -> None:
        self._trial._check()
        self._history._check()
        assert (self._lowest is None) == (not self._levels)
        assert self._lowest is None or self._lowest.number == min(self._levels)
        assert self._trial.size + sum(ring.size for ring in self._levels.values()) == self._count
        assert all(entry.ring is self._trial for entry in self._trial)
        for number, ring in self._levels.items():
            ring._check()
            assert ring.size and ring.number == number
            assert all(entry.ring is ring for entry in ring)
