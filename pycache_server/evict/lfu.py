"""Least frequently used, with ageing, a trial for newcomers and a memory for those who were given up.

Counting hits alone is a disaster on real traffic: what was hot yesterday is never given up, and what is new never gets
a chance. So:

*Frequencies decay.* Each hit adds up to one, and all halve while the cache is filled anew HALF_LIFE times (LRFU). That
is the same as if those stayed as they are and a hit weighed the more the later it comes, twice as much after a
half-life: then nothing has to be aged, and an entry's frequency can only rise. What is kept of it is the logarithm, its
level, in steps of a 64th of a power of two; where it stands still that of a new key comes up to it and goes past.

*Hits in a row count as less than one*, the less the closer they are (correlated references): a burst is one visit.
Time advances in ticks, eight to a turnover of the cache, and a hit in the tick of the last one is not counted at all,
so most accesses of a hot key cost one comparison.

*Newcomers are on trial*, in a queue of a tenth of the entries or more, in which a hit that counts puts them back to
the start. Who comes to its end stands against the entry of lowest level, and has to be better, by ADVANTAGE, or goes.
That is when a victim is asked for. A database asks for some at once and then for none while as many keys come: the
queue may grow by so many meanwhile, or nobody would ever be tried.
The trial gets longer when those come back that have just failed it, and shorter when those do that were given up for
them, as ARC does it.

*Keys that were given up are remembered* for a turnover of the cache, with their levels: who comes back goes on from
there. What is written down of one is when it was (a time in parts of a tick), its level, in steps, and whether it was
through.

The entries that are through lie in rings by level, eight to a factor of two. An access changes the level alone; the
search for a victim moves those on that have risen since.

*An access is a look into a table.* What an entry remembers is its mark, the tick of its last hit that counted and its
level then, in one integer. What becomes of it by a hit depends on the mark and the present tick and on nothing else. So
it is worked out for each mark once in a tick (Steps), and entries of the same mark share an integer.

Time is measured in turnovers, not by a clock: a cache that is not used does not age. ``lfu-decay-time``, in Redis
minutes for each decrement, is a factor for the half-life, and 0 stops ageing in both. ``lfu-log-factor`` is the scale
of OBJECT FREQ, which answers what Redis's counter would be expected to show after as many hits; the order does not
depend on it.
``maxmemory-samples`` has nothing to do here.

Sources: Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
policies", IEEE Transactions on Computers 2001; Robinson, Devarakonda, "Data cache management using frequency-based
replacement", SIGMETRICS 1990; Megiddo, Modha, "ARC", FAST 2003; Einziger, Friedman, Manes, "TinyLFU", ToS 2017.
"""

from __future__ import annotations

from math import exp2, log2, sqrt
from typing import Any

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import AHEAD, AT_ONCE, Engine, Surroundings
from pycache_server.evict.mapped_history import (
    NUMBER_SHIFT,
    NUMBERS,
    PLACE_SHIFT,
    SPOTS,
    TAG,
    TAG_SHIFT,
    TIME_SHIFT,
    MappedHistory,
)
from pycache_server.evict.ring import LONGEST_WALK

HALF_LIFE = 8
"""Turnovers of the cache, with lfu-decay-time 1."""
TICKS = 8
"""Steps of time in a turnover."""
_PARTS = 8
"""Steps of a tick: in each the history may grow, and it is the unit of the time when a key was given up."""
SCALE = 64
"""Levels are in this part of a power of two."""
ADVANTAGE = 0.5
"""A newcomer has to be better by so many powers of two."""
MANY = 16
BURST = 0.25
"""Where there are more than MANY accesses, whether they counted or not, each doubling adds this many powers of two: who
is asked for a thousand times in one burst is not like one who is asked for once."""
SHORTEST_TRIAL, LONGEST_TRIAL = 0.1, 0.5
"""Shares of all entries."""
_FEWEST_AT_ONCE = 2
"""Victims that may be asked for together at least, however few entries there are."""
BLAME = 0.2
"""One who fails the trial and is back before the cache has turned over by this share should have had longer."""
_STEP_BITS = 3
"""Levels of one ring, and of one step of what is remembered, as a power of two."""
_STEPS_BACK, _STEPS_UP = NUMBERS // 2, 32
"""Steps that are remembered, of which so many may be above that of a newcomer."""
_STEP_MASK, _THROUGH = _STEPS_BACK - 1, _STEPS_BACK
_NOTE_MASK = NUMBERS - 1
"""What is remembered is the step, and whether the key was through."""
_REMEMBERED = 3
"""Places of the history for each entry."""
_THROUGH_HELD = _THROUGH << NUMBER_SHIFT
_SHORTER, _SHORTER_FOR_OLD = 2, 3
"""What is taken off the trial when one is back who was through, lately or in the older half of what is remembered.
The older a note, the more likely another has taken its place in the history: those who are recognized stand for those
who are not, or trials would get ever longer."""
_TIME_MASK = (1 << 14) - 1  # of a word of the history, which has 30 bits
_MOST_MOVES = LONGEST_WALK // 2
_ADVANTAGE, _BURST = round(ADVANTAGE * SCALE), BURST * SCALE
_TICK_SHIFT = 40  # in a mark
_LEVEL_MASK = (1 << _TICK_SHIFT) - 1
_FIRST_LEVEL = SCALE << 8  # no level is negative
_CREDIT = [1 - exp2(-ticks / TICKS) for ticks in range(64)]
"""What a hit counts so many ticks after the last one; later ones count 1."""
_LAST = len(_CREDIT)
_MOST_STEPS = 8192
_INITIAL = 5
"""What OBJECT FREQ answers for a new key."""


def _gain(lag: int) -> int:
    """How far an access brings a mark above that of a newcomer, for what the mark is less than that."""
    passed = -(lag >> _TICK_SHIFT)
    level = lag & _LEVEL_MASK
    if level > _LEVEL_MASK >> 1:  # below the newcomer's, which has borrowed
        passed -= 1
        level -= _LEVEL_MASK + 1
    credit = _CREDIT[passed] if passed < _LAST else 1.0
    return max(0, round(SCALE * log2(exp2(max(level / SCALE, -60.0)) + credit)))


class Steps(dict[int, int]):
    """What a mark becomes by an access in the present tick. Marks are shared that way, and worked out once: many
    entries have the same. ``now`` is the mark of a newcomer."""

    __slots__ = ("_gains", "now")

    def __init__(self, now: int, gains: dict[int, int]) -> None:
        self.now = now
        self._gains = gains

    def __missing__(self, mark: int) -> int:
        lag = mark - self.now
        gain = self._gains.get(lag)
        if gain is None:
            if len(self._gains) >= _MOST_STEPS:
                self._gains.clear()
            gain = self._gains[lag] = _gain(lag)
        if len(self) >= _MOST_STEPS:
            self.clear()
        self[mark] = risen = self.now + gain
        return risen


class Returns(dict[int, int]):
    """The mark in the present tick of a key that is back, by what was remembered. It is as if it had been there, not
    accessed for a long time."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __missing__(self, note: int) -> int:
        now = self._steps.now
        step = (now & _LEVEL_MASK) >> _STEP_BITS
        lost = (step - note + _STEPS_UP & _STEP_MASK) - _STEPS_UP
        mark = self[note] = self._steps[now - (_LAST << _TICK_SHIFT) - (lost << _STEP_BITS)]
        return mark


class LfuEntry(SizedEntry):
    """``mark`` is the tick of the last access that counted, and below it, in _TICK_SHIFT bits, the level then. ``hits``
    is the number of all accesses, decayed until then, for OBJECT FREQ and bursts. ``ring`` is where it is, between
    ``newer`` and ``older``."""

    __slots__ = ("hits", "newer", "older", "ring")

    mark: int
    hits: int
    newer: Any
    older: Any
    ring: LevelRing


class LevelRing:
    """The head of a ring of entries whose level, in steps, was ``number`` when they came in: the newest and the oldest
    entry's neighbour."""

    __slots__ = ("newer", "number", "older")

    def __init__(self, number: int) -> None:
        self.newer: Any = self
        self.older: Any = self
        self.number = number


class Lfu(Engine):
    """The trial queue, rings by level, and the history of those who were given up. The entries come as Any: to assert
    their type would cost a part of an access."""

    entry_type = LfuEntry
    aside = 4 * _REMEMBERED

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._trial = LevelRing(0)
        self._tried = 0  # entries on trial
        self._longest = self._least = self._most = 1  # how many may be on trial, and what that may be
        self._waiting = _FEWEST_AT_ONCE  # how many more may be until a victim is asked for
        self._levels: dict[int, LevelRing] = {}
        self._lowest: LevelRing | None = None  # the ring of the lowest level, None where there is none
        self._history = MappedHistory("I")
        self._rows, self._mask = self._history.rows, self._history.mask
        self._count = 0
        self._part = self._stamp = 0  # parts of ticks that have passed, and that as it is remembered
        self._void = self._blamed = 0  # differences of those
        self._tick = 0
        self._until = self._left = 0  # admissions until the next part of a tick, and from there to the next tick
        self._level = float(_FIRST_LEVEL)  # of an entry with one hit just now
        self._ageing = 0.0  # half-lives of a tick
        self._fading = [1.0] * _LAST  # what is left of a number after so many ticks
        self._since = 0  # marks of this tick begin here
        self._now = int(self._level)  # the mark of an entry with one hit just now
        self._gains: dict[int, int] = {}
        self._steps = Steps(self._now, self._gains)
        self._returns = Returns(self._steps)

    def admit(self, entry: Any) -> None:
        self._count += 1
        self._until -= 1
        if self._until <= 0:
            self._go_on()
        entry.hits = 0
        spot = hash(entry.key) % SPOTS
        held = self._rows[spot & self._mask][spot >> PLACE_SHIFT]
        if (
            held
            and not (spot >> TAG_SHIFT ^ held) & TAG  # see MappedHistory
            and (age := self._part - (held >> TIME_SHIFT) & _TIME_MASK) <= self._void
        ):
            # A key is back that was given up: it goes on with the frequency that it had, and the trial was too short,
            # or too long.
            if held & _THROUGH_HELD:
                longest = self._longest - (_SHORTER if 2 * age < self._void else _SHORTER_FOR_OLD)
                self._longest = longest if longest > self._least else self._least  # noqa: FURB136  (a call is as much)
            elif age <= self._blamed and self._longest < self._most:
                self._longest += 1
            entry.mark = self._returns[held >> NUMBER_SHIFT & _NOTE_MASK]
        else:
            entry.mark = self._now
        entry.ring = trial = self._trial
        newest = trial.older
        entry.older = newest
        entry.newer = trial
        newest.newer = trial.older = entry
        self._tried = tried = self._tried + 1
        if tried > self._longest + self._waiting:
            self._pass_oldest()

    def access(self, entry: Any) -> None:
        entry.hits = hits = entry.hits + 1
        mark = entry.mark
        if mark >= self._since:
            return
        if hits > MANY:
            entry.hits = self._faded(entry) + 1  # which is rounded down, by more than this hit that is in already
        entry.mark = self._steps[mark]
        trial = self._trial
        if entry.ring is trial:  # back to the start
            newer, older = entry.newer, entry.older
            newer.older = older
            older.newer = newer
            entry.older = newest = trial.older
            entry.newer = trial
            newest.newer = trial.older = entry

    def discard(self, entry: Any) -> None:
        self._count -= 1
        self._take_out(entry)

    def exchange(self, old: Any, new: Any) -> None:
        new.mark, new.hits, new.ring = old.mark, old.hits, old.ring
        new.newer, new.older = old.newer, old.older
        new.newer.older = new.older.newer = new
        del old.newer, old.older, old.ring

    def remains(self) -> list[Any]:
        return [self._history] if self._history.size > 1 else []

    def evicted(self, entry: Any) -> None:
        self._give_up(entry)

    def victim(self) -> LfuEntry | None:
        """The next victim. What has risen since it was put into the lowest ring moves on, up to _MOST_MOVES of them."""
        trial, ring = self._trial, self._lowest
        if ring is None:
            return trial.newer if self._tried else None
        levels = self._levels
        for _ in range(_MOST_MOVES):
            lowest: Any = ring.newer
            level = lowest.mark & _LEVEL_MASK if lowest.hits <= MANY else self._level_of(lowest)
            number = level >> _STEP_BITS
            if number <= ring.number:
                break
            ring.newer = newer = lowest.newer  # _take_out and _rank, which cost as much again to call
            newer.older = ring
            lowest.ring = higher = levels.get(number) or self._open(number)
            lowest.older = newest = higher.older
            lowest.newer = higher
            newest.newer = higher.older = lowest
            if newer is ring:
                self._close(ring)
                ring = self._lowest
                assert ring is not None
        if self._tried > self._longest:
            candidate: Any = trial.newer
            level += _ADVANTAGE
            if (candidate.mark & _LEVEL_MASK if candidate.hits <= MANY else self._level_of(candidate)) < level:
                return candidate  # type: ignore[no-any-return]
        return lowest  # type: ignore[no-any-return]

    def take_victim(self) -> LfuEntry | None:
        entry: Any = self.victim()
        if entry is None:
            return None
        # _give_up, _take_out
        self._count -= 1
        ring = entry.ring
        newer, older = entry.newer, entry.older
        newer.older = older
        older.newer = newer
        del entry.newer, entry.older, entry.ring
        spot = hash(entry.key) % SPOTS
        word = entry.mark >> _STEP_BITS & _STEP_MASK
        if ring is self._trial:
            self._tried -= 1
        else:
            word |= _THROUGH
            if newer is older:
                self._close(ring)
            if self._tried > self._longest:  # who stood against it was better
                self._pass_oldest()
        word = word << NUMBER_SHIFT | self._stamp | spot >> TAG_SHIFT & TAG
        self._rows[spot & self._mask][spot >> PLACE_SHIFT] = word
        return entry  # type: ignore[no-any-return]

    def _give_up(self, entry: Any) -> None:
        """Let an entry go and remember its level, without what was added for bursts."""
        through = entry.ring is not self._trial
        self._count -= 1
        self._take_out(entry)
        if through and self._tried > self._longest:
            self._pass_oldest()
        note = entry.mark >> _STEP_BITS & _STEP_MASK | (_THROUGH if through else 0)
        self._history.remember(entry.key, self._part & _TIME_MASK, note)

    def frequency(self, entry: Any) -> int | None:
        """What Redis's counter is expected to be: it starts at 5, and a hit adds to c with a chance of
        1 / ((c - 5) * lfu-log-factor + 1)."""
        hits = self._faded(entry)
        factor = self.surroundings.log_factor
        steps = (sqrt(1 + 2 * factor * hits) - 1) / factor if factor > 0 else hits
        return min(255, _INITIAL + int(steps))

    def was_accessed(self, entry: Any, idle: int | None, frequency: int | None) -> None:
        if frequency is not None and frequency > _INITIAL:
            factor = self.surroundings.log_factor
            steps = frequency - _INITIAL + 0.5  # what is in the middle reads back as it was
            hits = ((steps * factor + 1) ** 2 - 1) / (2 * factor) if factor > 0 else steps
            entry.hits = round(hits)
            entry.mark = self._now + round(SCALE * log2(1 + hits))

    def report(self) -> dict[str, int | float | str]:
        return {
            "on_trial": self._tried,
            "trial_share": round(self._longest / self._count, 3) if self._count else 0.0,
            "levels": len(self._levels),
            "turnovers": self._tick // TICKS,
        }

    def _go_on(self) -> None:
        """A part of a tick has passed."""
        count, history = self._count, self._history
        while len(history) < _REMEMBERED * count:
            history.grow()
        self._mask = history.mask
        self._part += 1
        self._stamp = (self._part & _TIME_MASK) << TIME_SHIFT
        if self._left <= 0:
            self._advance()
            self._left = max(1, count // TICKS)
        self._until = max(1, count // (TICKS * _PARTS))
        self._left -= self._until

    def _advance(self) -> None:
        """A tick has passed."""
        self._tick += 1
        count = self._count
        self._least, self._most = max(1, int(SHORTEST_TRIAL * count)), max(1, int(LONGEST_TRIAL * count))
        self._longest = min(max(self._longest, self._least), self._most)
        self._waiting = min(_FEWEST_AT_ONCE + (count >> AHEAD), AT_ONCE)
        self._void = void = count // max(1, count // (TICKS * _PARTS))
        self._blamed = int(BLAME * void)
        decay_time = self.surroundings.decay_time
        ageing = 1 / (HALF_LIFE * TICKS * decay_time) if decay_time > 0 else 0.0
        if ageing != self._ageing:
            self._ageing = ageing
            self._fading = [exp2(-ticks * ageing) for ticks in range(_LAST)]
        self._level += SCALE * ageing
        self._since = self._tick << _TICK_SHIFT
        self._now = self._since + int(self._level)
        self._steps = Steps(self._now, self._gains)
        self._returns = Returns(self._steps)

    def _faded(self, entry: Any) -> int:
        """What is left of an entry's hits since the last access that counted."""
        passed = self._tick - (entry.mark >> _TICK_SHIFT)
        return int(entry.hits * (self._fading[passed] if passed < _LAST else exp2(-passed * self._ageing)))

    def _level_of(self, entry: Any) -> int:
        """The logarithm of an entry's frequency and more for bursts. It depends on what was at the last access, so it
        is the same until the next."""
        level: int = entry.mark & _LEVEL_MASK
        return level if entry.hits <= MANY else level + int(_BURST * log2(entry.hits / MANY))

    def _pass_oldest(self) -> None:
        """Let the first of the trial through, and one more where it has become shorter."""
        trial = self._trial
        for _ in range(2):
            oldest = trial.newer
            trial.newer = newer = oldest.newer
            newer.older = trial
            self._tried = tried = self._tried - 1
            level = oldest.mark & _LEVEL_MASK if oldest.hits <= MANY else self._level_of(oldest)
            number = level >> _STEP_BITS
            oldest.ring = ring = self._levels.get(number) or self._open(number)
            oldest.older = newest = ring.older
            oldest.newer = ring
            newest.newer = ring.older = oldest
            if tried <= self._longest + self._waiting:
                return

    def _open(self, number: int) -> LevelRing:
        """Make the ring of a level."""
        ring = self._levels[number] = LevelRing(number)
        if self._lowest is None or number < self._lowest.number:
            self._lowest = ring
        return ring

    def _take_out(self, entry: Any) -> None:
        ring = entry.ring
        newer, older = entry.newer, entry.older
        newer.older = older
        older.newer = newer
        del entry.newer, entry.older, entry.ring
        if ring is self._trial:
            self._tried -= 1
        elif newer is older:
            self._close(ring)

    def _close(self, ring: LevelRing) -> None:
        """A ring has become empty: its head forgets itself."""
        del self._levels[ring.number], ring.newer, ring.older
        if ring is self._lowest:
            self._lowest = self._levels[min(self._levels)] if self._levels else None

    def _check(self) -> None:
        self._history._check()
        assert (self._lowest is None) == (not self._levels)
        assert self._lowest is None or self._lowest.number == min(self._levels)
        assert all(ring.number == number and ring.newer is not ring for number, ring in self._levels.items())
        assert self._tried == self._check_ring(self._trial)
        assert self._count == self._tried + sum(map(self._check_ring, self._levels.values()))
        assert all(risen >= self._now for risen in self._steps.values())

    def _check_ring(self, ring: LevelRing) -> int:
        """Assert that the links of a ring agree. Returns how many entries are in."""
        count, entry = 0, ring.newer
        while entry is not ring:
            assert entry.newer.older is entry and entry.older.newer is entry and entry.ring is ring
            count, entry = count + 1, entry.newer
        assert ring.newer.older is ring and ring.older.newer is ring
        return count
