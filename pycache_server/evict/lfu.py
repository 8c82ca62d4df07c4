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
from pycache_server.evict.history import NOTE_BITS, History
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
_NOTE_MASK = (1 << NOTE_BITS) - 2
_HALF = 1 << NOTE_BITS - 1
_NOTE_STEP = -0.5 / _SCALE
_MOST_HIGHER = 64 / _NOTE_STEP
"""Nobody can have been hit so often that a level is so much higher than that of a newcomer: such a note is so old that
it has come round."""
_CREDIT = [1 - exp2(-ticks / TICKS) for ticks in range(64)]
"""What a hit counts so many ticks after the last one; later ones count 1."""
_LAST = len(_CREDIT)
_LONGEST_TIME = 512.0
"""Half-lives until the weights of hits begin anew."""
_INITIAL = 5
"""What OBJECT FREQ answers for a new key."""


class LfuEntry(LinkedEntry):
    """``worth`` is the sum of the weights of the accesses that counted, of which the last was in the tick ``mark``;
    ``hits`` the number of all accesses, decayed until then, for OBJECT FREQ and bursts. ``ring`` is where it is."""

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
    aside = 24  # in the history, between 16 and 32

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._trial = LevelRing(0)
        self._longest = self._least = self._most = 1.0  # how many may be on trial, and what that may be
        self._levels: dict[int, LevelRing] = {}
        self._lowest: LevelRing | None = None  # the ring of the lowest level, None where there is none
        self._history = History()
        self._recall, self._remember = self._history.take, self._history.add
        self._count = 0
        self._tick = 0
        self._until = 0  # admissions until the next tick
        self._weight = 1.0  # of a hit
        self._time = 0.0  # its logarithm: in half-lives, since weights began anew
        self._ageing = 0.0  # half-lives of a tick
        self._fading = [1.0] * _LAST  # what is left of a number after so many ticks
        self._newest_level = 0  # of an entry with one hit just now, as in a note
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
        returned = self._recall(hash(entry.key), count)
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
        tick = self._tick
        passed = tick - entry.mark
        if not passed:
            entry.hits += 1.0
            return
        weight = self._weight
        if passed < _LAST:
            entry.hits = entry.hits * self._fading[passed] + 1.0
            gained = weight * _CREDIT[passed]
        else:
            entry.hits = entry.hits * exp2(-passed * self._ageing) + 1.0
            gained = weight
        worth = entry.worth + gained if entry.mark >= self._renewed_at else weight
        entry.mark = tick
        entry.worth = worth if worth > weight else weight  # noqa: FURB136  (a call is half of the rest)
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
        self._give_up(entry)

    def victim(self) -> LfuEntry | None:
        """The next victim. What has risen since it was put into the lowest ring moves on, up to _MOST_MOVES of them."""
        trial = self._trial
        if self._lowest is None:
            return trial.oldest()
        base, renewed_at = self._base, self._renewed_at
        for _ in range(_MOST_MOVES):
            ring = self._lowest
            lowest: LfuEntry = ring.head.newer
            if lowest.mark < renewed_at:
                level = self._level_of(lowest)
            else:
                level = base + log2(lowest.worth)  # _level_of
                if lowest.hits > MANY:
                    level += BURST * log2(lowest.hits / MANY)
            number = int(level * _LEVELS)
            if number <= ring.number:
                break
            self._take_out(lowest)
            self._rank(lowest, number)
        if trial.size > self._longest:
            candidate: LfuEntry = trial.head.newer
            if self._level_of(candidate) < level + ADVANTAGE:
                return candidate
        return lowest

    def take_victim(self) -> LfuEntry | None:
        entry = self.victim()
        if entry is not None:
            self._give_up(entry)
        return entry

    def _give_up(self, entry: LfuEntry) -> None:
        """Let an entry go and remember its level, without what was added for bursts."""
        base = self._base if entry.mark >= self._renewed_at else self._base_before
        note = int((base + log2(entry.worth)) * _SCALE) << 1 & _NOTE_MASK
        ring, trial = entry.ring, self._trial
        self._remember(hash(entry.key), note if ring is trial else note | 1)
        self._count -= 1
        newer, older = entry.newer, entry.older  # _take_out
        newer.older = older
        older.newer = newer
        del entry.newer, entry.older, entry.ring
        ring.size -= 1
        if newer is older and ring is not trial:
            self._close(ring)
        if trial.size > self._longest:
            self._pass_oldest()

    def frequency(self, entry: LfuEntry) -> int | None:
        """What Redis's counter is expected to be: it starts at 5, and a hit adds to c with a chance of
        1 / ((c - 5) * lfu-log-factor + 1)."""
        hits = entry.hits * exp2((entry.mark - self._tick) * self._ageing)
        factor = self.surroundings.log_factor
        steps = (sqrt(1 + 2 * factor * hits) - 1) / factor if factor > 0 else hits
        return min(255, _INITIAL + int(steps))

    def was_accessed(self, entry: LfuEntry, idle: int | None, frequency: int | None) -> None:
        if frequency is not None and frequency > _INITIAL:
            factor = self.surroundings.log_factor
            steps = frequency - _INITIAL + 0.5  # what is in the middle reads back as it was
            hits = ((steps * factor + 1) ** 2 - 1) / (2 * factor) if factor > 0 else steps
            entry.hits = hits
            entry.worth += hits * self._weight

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
        count = self._count
        self._least, self._most = max(1.0, SHORTEST_TRIAL * count), max(1.0, LONGEST_TRIAL * count)
        self._longest = min(max(self._longest, self._least), self._most)
        if self._count > self._history.capacity:
            self._history.grow()
        decay_time = self.surroundings.decay_time
        ageing = 1 / (HALF_LIFE * TICKS * decay_time) if decay_time > 0 else 0.0
        if ageing != self._ageing:
            self._ageing = ageing
            self._fading = [exp2(-ticks * ageing) for ticks in range(_LAST)]
        self._time += ageing
        if self._time > _LONGEST_TIME:
            self._renewed_at = self._tick
            self._base_before, self._base = self._base, self._base + self._time
            self._time = 0.0
        self._weight = exp2(self._time)
        self._newest_level = round((self._base + self._time) * _SCALE) << 1

    def _level_of(self, entry: LfuEntry) -> float:
        """The logarithm of an entry's frequency and more for bursts. It depends on what was at the last access, so it
        is the same until the next."""
        if entry.mark < self._renewed_at:
            return self._base_before + log2(entry.worth)
        level = self._base + log2(entry.worth)
        return level if entry.hits <= MANY else level + BURST * log2(entry.hits / MANY)

    def _welcome(self, entry: LfuEntry, note: int, age: int) -> None:
        """A key is back that was given up ``age`` victims ago: it goes on with the frequency that it had, and the trial
        was too short, or too long."""
        lost = (self._newest_level - note + _HALF & _NOTE_MASK) - _HALF
        if lost > _MOST_HIGHER:
            entry.worth *= 1.0 + exp2(lost * _NOTE_STEP)
        if note & 1:
            self._longest = max(self._least, self._longest - 2)
        elif age <= BLAME * self._count:
            self._longest = min(self._longest + 1, self._most)

    def _pass_oldest(self) -> None:
        """Let the first of the trial through, and one more where it has become shorter."""
        trial = self._trial
        head = trial.head
        for _ in range(2):
            oldest = head.newer
            head.newer = newer = oldest.newer  # Ring.remove
            newer.older = head
            trial.size = size = trial.size - 1
            self._rank(oldest, int(self._level_of(oldest) * _LEVELS))
            if size <= self._longest:
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
        if newer is older and ring is not self._trial:
            self._close(ring)

    def _close(self, ring: LevelRing) -> None:
        """A ring has become empty."""
        del self._levels[ring.number]
        ring.dissolve()
        if ring is self._lowest:
            self._lowest = self._levels[min(self._levels)] if self._levels else None

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
