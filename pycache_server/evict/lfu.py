"""Least frequently used, with ageing, a trial for newcomers and a memory for those who were given up.

Counting hits alone is a disaster on real traffic: what was hot yesterday is never given up, and what is new never gets
a chance. So:

*Frequencies decay.* All halve while the cache is filled anew HALF_LIFE times (LRFU). That is the same as if those
stayed as they are and an access weighed the more the later it comes, twice as much after a half-life: then nothing has
to be aged, and an entry's frequency can only rise. What is kept of it is the logarithm, its level; where it stands
still, that of a new key comes up to it and goes past.

*An access is counted when somebody looks.* The database adds one to the entry's mark, and that is all an access costs.
An entry is looked at when its trial ends, and by a hand that goes round those who are through, in the ring in which
they lie: an entry for every four victims. A look finds how many accesses there were since the last one, and makes them
a rise of the level, by their fourth root: many at once are one visit, and say little about the next day (correlated
references).

*Newcomers are on trial*, in a queue of a twentieth of the entries or more. Who comes to its end must be better than
those of the lowest level, by ADVANTAGE, or goes. The trial gets longer when those come back that have just failed it,
and shorter when those do that were given up for them, as ARC does it. That is settled when a victim is asked for. A
database asks for some at once and then for none while as many keys come: the queue may grow by so many meanwhile, or
nobody would ever be tried.

*Who goes of those who are through* is the next that the hand finds at or below a bound, which follows the level of the
lowest fourth. To know the very lowest would take an order that each access changes.

*Keys that were given up are remembered* for a turnover of the cache, with their levels: who comes back goes on from
there. What is written down of one is when it was (a time in parts of a tick), its level, in steps, and whether it was
through.

Time is measured in turnovers, not by a clock: a cache that is not used does not age. ``lfu-decay-time``, in Redis
minutes for each decrement, is a factor for the half-life, and 0 stops ageing in both. ``lfu-log-factor`` is the scale
of OBJECT FREQ, which answers what Redis's counter would be expected to show after as many accesses, each counted for
one; the order does not depend on it. ``maxmemory-samples`` has nothing to do here.

Sources: Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
policies", IEEE Transactions on Computers 2001; Robinson, Devarakonda, "Data cache management using frequency-based
replacement", SIGMETRICS 1990; Megiddo, Modha, "ARC", FAST 2003; Einziger, Friedman, Manes, "TinyLFU", ToS 2017.
"""

from __future__ import annotations

from math import exp2, inf, log2, sqrt
from typing import Any

from pycache_server.evict.base import AHEAD, AT_ONCE, Engine, Marker, Surroundings
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
from pycache_server.evict.ring import LONGEST_WALK, LinkedEntry

HALF_LIFE = 5
"""Turnovers of the cache, with lfu-decay-time 1."""
TICKS = 8
"""Steps of time in a turnover."""
_PARTS = 8
"""Steps of a tick: in each the history may grow, and it is the unit of the time when a key was given up."""
SCALE = 32
"""Levels are in this part of a power of two."""
ADVANTAGE = 0.5
"""A newcomer has to be better by so many powers of two."""
VISIT = 0.25
"""Accesses between two looks count as this power of their number."""
SHORTEST_TRIAL, LONGEST_TRIAL = 0.05, 0.75
"""Shares of all entries."""
_FEWEST_AT_ONCE = 2
"""Victims that may be asked for together at least, however few entries there are."""
BLAME = 0.2
"""One who fails the trial and is back before the cache has turned over by this share should have had longer."""
VICTIMS = 4
"""For so many victims the hand looks at one who is through, beside those it looks at to find a victim."""
LOWEST = 4
"""The bound is kept where one of so many is at or below it."""
_FOLLOWED = 24 * LOWEST
"""Looks after which the bound may be moved, by _BOUND_STEP levels, where it is off by more than a quarter."""
_BOUND_STEP = SCALE // 8
_FAR_OFF, _BOUND_LEAP = 4, SCALE // 4
"""Where it is off by such a factor it is moved further: while it is too low each victim takes _MOST_LOOKS."""
_MOST_LOOKS = 32
"""Looks for one victim, after which the lowest of those is good enough."""
_STEP_BITS = 2
"""Levels of a step of what is remembered, as a power of two."""
_STEPS_BACK, _STEPS_UP = NUMBERS // 2, 32
"""Steps that are remembered, of which so many may be above that of a newcomer."""
_STEP_MASK, _THROUGH = _STEPS_BACK - 1, _STEPS_BACK
_NOTE_MASK = NUMBERS - 1
"""What is remembered is the step, and whether the key was through."""
_REMEMBERED = 3
"""Places of the history for each entry."""
_THROUGH_HELD = _THROUGH << NUMBER_SHIFT
_NOTE_SHIFT, _NOTE_HELD = NUMBER_SHIFT - _STEP_BITS, _STEP_MASK << NUMBER_SHIFT
_SHORTER, _SHORTER_FOR_OLD = 2, 3
"""What is taken off the trial when one is back who was through, lately or in the older half of what is remembered.
The older a note, the more likely another has taken its place in the history: those who are recognized stand for those
who are not, or trials would get ever longer."""
_TIME_MASK = (1 << 14) - 1  # of a word of the history, which has 30 bits
_ADVANTAGE = round(ADVANTAGE * SCALE)
_VISITS_SHIFT = 8
MANY = (1 << _VISITS_SHIFT) - 1
"""More accesses than so many between two looks are not looked up, and count no more."""
_FIRST_LEVEL = SCALE << 8  # no level is negative
_MOST_STEPS = 8192
_MOST_LEVELS = 4096
_INITIAL = 5
"""What OBJECT FREQ answers for a new key."""


def _risen(lag: float, accesses: float) -> int:
    """The level, above that of one access now, of an entry at ``lag`` after so many more accesses."""
    return round(SCALE * log2(exp2(lag / SCALE) + accesses))


class Rises(dict[int, int]):
    """The level after so many accesses, by the level before and, in the low bits, their number, up to MANY. What was
    worked out is known until ``now`` is another.

    ``now`` is the level of one access at present, ``power`` that of the number of accesses for which they count, and
    ``levels`` has the integers that entries share.
    """

    __slots__ = ("levels", "now", "power")

    def __init__(self, now: int, power: float, levels: dict[int, int]) -> None:
        self.now = now
        self.power = power
        self.levels = levels

    def __missing__(self, index: int) -> int:
        if len(self) >= _MOST_STEPS:
            self.clear()
        before, accesses = index >> _VISITS_SHIFT, index & MANY
        level = self.now + _risen(before - self.now, accesses**self.power)
        self[index] = level = self.levels.setdefault(level, level)
        return level


class Returns(dict[int, int]):
    """The level of a key that is back, by what was remembered of it. It is as if it had been there all the time."""

    __slots__ = ("levels", "now")

    def __init__(self, now: int, levels: dict[int, int]) -> None:
        self.now = now
        self.levels = levels

    def __missing__(self, note: int) -> int:
        now = self.now >> _STEP_BITS
        lost = (now - note + _STEPS_UP & _STEP_MASK) - _STEPS_UP
        level = self.now + _risen((now - lost << _STEP_BITS) - self.now, 1)
        self[note] = level = self.levels.setdefault(level, level)
        return level


class LfuEntry(LinkedEntry):
    """``mark`` is the number of accesses since the last look, ``level`` what those before have come to, and
    ``accesses`` the level at which each would have counted for one. It is None on trial, where there is no look before
    the end: there is nothing in which the two could differ."""

    __slots__ = ("accesses", "level")

    mark: int
    accesses: int | None
    level: int


class Lfu(Engine):
    """The trial queue, the ring of those who are through, and the history of those who were given up."""

    entry_type = LfuEntry
    aside = 4 * _REMEMBERED

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.marker = Marker(counted=LfuEntry)
        self._trial: Any = _head()
        self._tried = 0  # entries on trial
        self._longest = self._least = self._most = 1  # how many may be on trial, and what that may be
        self._waiting = _FEWEST_AT_ONCE  # how many more may be until a victim is asked for
        self._ring: Any = _head()
        self._hand: Any = self._ring  # who is looked at next, which may be the head
        self._bound = _FIRST_LEVEL
        self._looks = self._lows = 0  # since the bound was moved, and how many were at it or below
        self._owed = 0  # victims for which the hand has not gone on yet
        self._history = MappedHistory("I")
        self._rows, self._mask = self._history.rows, self._history.mask
        self._count = 0
        self._part = self._stamp = 0  # parts of ticks that have passed, and that as it is remembered
        self._void = self._blamed = 0  # differences of those
        self._tick = 0
        self._until = self._left = 0  # admissions until the next part of a tick, and from there to the next tick
        self._level = float(_FIRST_LEVEL)  # of an entry accessed once, now
        self._now = _FIRST_LEVEL  # the same in whole numbers
        self._levels: dict[int, int] = {}
        self._begin_level(self._now)

    def admit(self, entry: Any) -> None:
        self._count += 1
        self._until = until = self._until - 1
        if until <= 0:
            self._go_on()
        entry.mark = 0
        entry.accesses = None
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
            entry.level = self._returns[held >> NUMBER_SHIFT & _NOTE_MASK]
        else:
            entry.level = self._now
        trial = self._trial
        entry.older = newest = trial.older
        entry.newer = trial
        newest.newer = trial.older = entry
        self._tried = tried = self._tried + 1
        if tried > self._longest + self._waiting:
            self._pass_oldest()

    def access(self, entry: Any) -> None:
        entry.mark += 1

    def discard(self, entry: Any) -> None:
        self._count -= 1
        if entry.accesses is None:
            self._tried -= 1
        newer, older = entry.newer, entry.older
        if entry is self._hand:
            self._hand = newer
        newer.older = older
        older.newer = newer
        entry.newer = entry.older = None

    def exchange(self, old: Any, new: Any) -> None:
        new.mark, new.level, new.accesses = old.mark, old.level, old.accesses
        new.newer, new.older = old.newer, old.older
        new.newer.older = new.older.newer = new
        if old is self._hand:
            self._hand = new
        del old.newer, old.older

    def remains(self) -> list[Any]:
        return [self._history] if self._history.size > 1 else []

    def evicted(self, entry: Any) -> None:
        self._give_up(entry)
        self._look_round(1)

    def victim(self) -> LfuEntry | None:
        trial = self._trial
        for _ in range(LONGEST_WALK):
            if self._tried <= self._longest:
                break
            entry = trial.newer
            if self._level_of(entry) <= self._bound + _ADVANTAGE:
                return entry  # type: ignore[no-any-return]
            self._pass_first()
        lowest = self._find_low()
        return lowest if lowest is not None else trial.newer if self._tried else None

    def take_victims(self, most: int, size: int) -> list[LfuEntry]:
        if most <= 0 or size <= 0:
            return []
        taken = self._fail(most, size)
        for entry in taken:
            size -= entry.size
        while len(taken) < most and size > 0 and (victim := self.victim()) is not None:
            taken.append(victim)
            size -= victim.size
            self._give_up(victim)
        self._look_round(len(taken))
        return taken

    def _give_up(self, entry: Any) -> None:
        """Let an entry go and remember its level."""
        note = self._level_of(entry) >> _STEP_BITS & _STEP_MASK
        self._history.remember(entry.key, self._part & _TIME_MASK, note if entry.accesses is None else note | _THROUGH)
        self.discard(entry)

    def _fail(self, most: int, size: int) -> list[LfuEntry]:
        """Give up those who have come to the end of their trial and are not good enough, and let the others through:
        what ``victim`` and ``evicted`` do, without a call for each step."""
        taken: list[LfuEntry] = []
        trial, rises, enough = self._trial, self._rises, self._bound + _ADVANTAGE
        rows, mask, stamp = self._rows, self._mask, self._stamp
        entry: Any = trial.newer
        passed = 0
        for _ in range(min(self._tried - self._longest, LONGEST_WALK)):
            level = entry.level
            if visits := entry.mark:
                index = level << _VISITS_SHIFT
                level = rises[index | visits if visits < MANY else index | MANY]
            newer = entry.newer
            if level > enough:
                passed += 1
                self._let_through(entry)
            else:
                taken.append(entry)
                size -= entry.size
                entry.newer = entry.older = None
                spot = hash(entry.key) % SPOTS
                note = level << _NOTE_SHIFT & _NOTE_HELD
                rows[spot & mask][spot >> PLACE_SHIFT] = note | stamp | spot >> TAG_SHIFT & TAG
                if size <= 0 or len(taken) == most:
                    entry = newer
                    break
            entry = newer
        trial.newer = entry
        entry.older = trial
        self._tried -= len(taken) + passed
        self._count -= len(taken)
        return taken

    def frequency(self, entry: Any) -> int | None:
        """What Redis's counter is expected to be: it starts at 5, and a hit adds to c with a chance of
        1 / ((c - 5) * lfu-log-factor + 1)."""
        level = entry.level if entry.accesses is None else entry.accesses
        hits = max(0.0, exp2((level - self._now) / SCALE) - 1) + entry.mark
        factor = self.surroundings.log_factor
        steps = (sqrt(1 + 2 * factor * hits) - 1) / factor if factor > 0 else hits
        return min(255, _INITIAL + int(steps))

    def was_accessed(self, entry: Any, idle: int | None, frequency: int | None) -> None:
        if frequency is not None and frequency > _INITIAL:
            factor = self.surroundings.log_factor
            steps = frequency - _INITIAL + 0.5  # what is in the middle reads back as it was
            entry.mark = round(((steps * factor + 1) ** 2 - 1) / (2 * factor) if factor > 0 else steps)

    def report(self) -> dict[str, int | float | str]:
        return {
            "on_trial": self._tried,
            "trial_share": round(self._longest / self._count, 3) if self._count else 0.0,
            "bound": round((self._bound - self._now) / SCALE, 2),
            "turnovers": self._tick // TICKS,
        }

    # Time

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
        if decay_time > 0:
            self._level += SCALE / (HALF_LIFE * TICKS * decay_time)
        now = int(self._level)
        if now != self._now:
            self._begin_level(now)

    def _begin_level(self, now: int) -> None:
        """An access is worth another level from now on."""
        levels = self._levels
        if len(levels) > _MOST_LEVELS:
            levels.clear()  # most of them are long past
        self._now = now = levels.setdefault(now, now)
        self._rises, self._counts = Rises(now, VISIT, levels), Rises(now, 1, levels)
        self._returns = Returns(now, levels)

    # Looks

    def _level_of(self, entry: Any) -> int:
        """The level of an entry, with what it was accessed since the last look."""
        level: int = entry.level
        return self._rises[level << _VISITS_SHIFT | min(entry.mark, MANY)] if entry.mark else level

    def _look_at(self, entry: Any) -> int:
        """Look at one who is through and was accessed. Returns its level."""
        visits, accesses, now = entry.mark, entry.accesses, self._now
        entry.mark = 0
        if visits < MANY:
            entry.accesses = self._counts[accesses << _VISITS_SHIFT | visits]
        else:
            visits, entry.accesses = MANY, now + _risen(accesses - now, visits)
        entry.level = level = self._rises[entry.level << _VISITS_SHIFT | visits]
        return level

    def _pass_oldest(self) -> None:
        """Let the first of the trial through, and one more where it has become shorter."""
        for _ in range(2):
            self._pass_first()
            if self._tried <= self._longest + self._waiting:
                return

    def _pass_first(self) -> None:
        """Let the first of the trial through."""
        trial = self._trial
        entry = trial.newer
        trial.newer = newer = entry.newer
        newer.older = trial
        self._tried -= 1
        self._let_through(entry)

    def _let_through(self, entry: Any) -> None:
        """Look at one whose trial is over, and put it where the hand will come last."""
        entry.accesses = entry.level
        if entry.mark:
            self._look_at(entry)
        hand = self._hand
        entry.newer = hand
        entry.older = older = hand.older
        older.newer = hand.older = entry

    def _find_low(self) -> LfuEntry | None:
        """Move the hand to one who is through and at the bound or below, or take the lowest of _MOST_LOOKS. None where
        nobody is through."""
        entry, ring, bound = self._hand, self._ring, self._bound
        counts, rises = self._counts, self._rises
        lowest: Any = None
        least = inf
        for looks in range(1, _MOST_LOOKS + 1):  # noqa: B007  (it is read behind the loop)
            if entry is ring:
                entry = ring.newer
                if entry is ring:
                    return None
            visits, level = entry.mark, entry.level
            if visits >= MANY:
                level = self._look_at(entry)
            elif visits:  # the same: to call for it is half of it
                entry.mark = 0
                entry.accesses = counts[entry.accesses << _VISITS_SHIFT | visits]
                entry.level = level = rises[level << _VISITS_SHIFT | visits]
            if level < least:
                least, lowest = level, entry
                if level <= bound:
                    self._lows += 1
                    break
            entry = entry.newer
        self._hand = entry
        self._looks += looks
        if self._looks >= _FOLLOWED:
            self._follow()
        return lowest  # type: ignore[no-any-return]

    def _look_round(self, victims: int) -> None:
        """Let the hand go on, for so many victims."""
        looks, self._owed = divmod(self._owed + victims, VICTIMS)
        entry, ring, bound = self._hand, self._ring, self._bound
        lows = 0
        for _ in range(looks):
            if entry is ring:
                entry = ring.newer
                if entry is ring:
                    return
            if (self._look_at(entry) if entry.mark else entry.level) <= bound:
                lows += 1
            entry = entry.newer
        self._hand = entry
        self._looks += looks
        self._lows += lows
        if self._looks >= _FOLLOWED:
            self._follow()

    def _follow(self) -> None:
        """Move the bound to where it should be."""
        share = self._lows * LOWEST / self._looks
        if share > 1.25:
            self._bound -= _BOUND_STEP if share < _FAR_OFF else _BOUND_LEAP
        elif share < 0.8:
            self._bound += _BOUND_STEP if share > 1 / _FAR_OFF else _BOUND_LEAP
        self._looks = self._lows = 0

    def _check(self) -> None:
        self._history._check()
        assert self._tried == _check_ring(self._trial, False)
        assert self._count == self._tried + _check_ring(self._ring, True)
        assert self._hand is self._ring or self._hand.accesses is not None
        assert self._hand.newer.older is self._hand
        assert all(level >= self._now for level in self._rises.values())


def _head() -> LfuEntry:
    """The head of an empty ring."""
    head = LfuEntry(b"", None)
    head.newer = head.older = head
    return head


def _check_ring(head: Any, through: bool) -> int:
    """Assert that the links of a ring agree. Returns how many entries are in."""
    count, entry = 0, head.newer
    while entry is not head:
        assert entry.newer.older is entry and entry.older.newer is entry and (entry.accesses is not None) is through
        count, entry = count + 1, entry.newer
    assert head.newer.older is head and head.older.newer is head
    return count
