"""Learning which keys are worth their place, from what happens to keys that look alike.

**Worth.** A place in the cache is paid for in time: a key that will be read in a tick earns its hit cheaply, a key that
will be read in a million ticks takes the place of many others. So the worth of a key is the hits to expect of it for
each tick that it stays (Beckmann, Chen, Cidon, "LHD: improving cache hit rate by maximizing hit density", NSDI 2018).

**Likeness.** Keys are put together by what is known of them: how far apart their last reads were (an octave, smoothed)
and how often they have been read (1 to FREQUENCIES and more). That is a key's state, a number below 256. A read at a
certain age, the ticks since the read before, changes the state, as NEXT tells. States that differ little share a class,
which has its own table by age.

**Rates.** For each class and age two sums are kept: reads that came at that age, and how many keys were seen to be of
that age, in keys times ticks, by counting a page of the cache and a row of the history now and then. Their quotient is
the rate at which such keys are read. Keys that have been evicted and not forgotten count like those that are there:
otherwise nothing would ever be learned of the ages that no key lives to see, a loop longer than the cache would never be
noticed, and what is given up early would look worthless because it was given up. This is where we leave LHD, whose
tables end with the eviction.

**Little evidence.** A class of which little is known is taken for its group (all frequencies of the same interval), the
group for all keys, all keys for what is usual: a rate of PRIOR / age. Each gives the next as much weight as PRIOR_KEYS
keys would that pass that age. Old evidence fades.

**How long to wait.** LHD counts all that a key will do until it is read or evicted. But a key may be dropped at the
moment when waiting no longer pays, and the worth of having it is the best quotient of hits and ticks over all times to
stop: the index of Gittins ("Bandit processes and dynamic allocation indices", J. Royal Statistical Society 1979), which
is the optimum where keys are independent. From the oldest age down it takes one pass: an age is joined with the ages
that follow for as long as they are worth more than itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, exp, log
from operator import add

# Ages, in ticks, fall into bins: PER_OCTAVE of them while the age doubles.

PER_OCTAVE = 2
OCTAVES = 28
SHIFT = 6
"""A cell of the tables, a class at an age, is ``class << SHIFT | bin``."""
BINS = 1 << SHIFT
NEAR = 1 << 16
"""Ages below this are looked up in BIN directly."""


def _edge(index: int) -> int:
    """The lowest age that is in a bin, or beyond it where the bin is empty."""
    return ceil(2 ** (index / PER_OCTAVE))


BIN = b"\0" + b"".join(bytes([index]) * (_edge(index + 1) - _edge(index)) for index in range(16 * PER_OCTAVE))
_WIDTHS = [float(max(_edge(index + 1) - _edge(index), 0.5)) for index in range(BINS)]


def far_bin(age: int) -> int:
    """The bin of an age that is not below NEAR."""
    return BIN[min(age >> 16, NEAR - 1)] + 16 * PER_OCTAVE


# States: 0 for a key of which nothing is known, else an octave and a frequency.

FREQUENCIES = 9
_BUCKETS = 5
_GROUP_OCTAVES = 2
_GROUPS = OCTAVES // _GROUP_OCTAVES + 1


def state_of(octave: int, frequency: int) -> int:
    """The state of a key that was read again ``frequency`` times, about 2**octave ticks apart."""
    return 1 + octave * FREQUENCIES + min(frequency, FREQUENCIES) - 1


def octave_of(state: int) -> int | None:
    """The octave of the interval between reads, None where it is not known."""
    return (state - 1) // FREQUENCIES if state else None


def frequency_of(state: int) -> int:
    """How often a key was read again: FREQUENCIES stands for more, too."""
    return (state - 1) % FREQUENCIES + 1 if state else 0


def _transitions(state: int) -> Iterable[int]:
    """The states that follow a read, by the bin of the age: the interval goes half of the way, and at least an octave."""
    octave, frequency = octave_of(state), frequency_of(state) + 1
    for index in range(BINS):
        now = min(index // PER_OCTAVE, OCTAVES - 1)
        way = now - (now if octave is None else octave)
        yield state_of(now - way // 2 if way > 0 else now + -way // 2, frequency)


STATES = 1 + OCTAVES * FREQUENCIES
NEXT = b"".join(bytes(_transitions(state)) for state in range(STATES))
"""The state that follows a read, at ``state << SHIFT | bin``."""


def _class_of(state: int) -> int:
    octave = octave_of(state)
    if octave is None:
        return 0
    return 1 + octave // _GROUP_OCTAVES * _BUCKETS + min((frequency_of(state) - 1).bit_length(), _BUCKETS - 1)


FIRST_CELL = tuple(_class_of(state) << SHIFT for state in range(STATES))
"""Where the table of a state's class begins."""
CELLS = (1 + (_GROUPS - 1) * _BUCKETS) << SHIFT

# What is believed where little is known.

_PRIOR = 0.5
_TO_ALL, _TO_GROUP, _TO_CLASS = 4.0, 8.0, 4.0
_TRUST_ALL = [width * _TO_ALL for width in _WIDTHS]
_TRUST_GROUP = [width * _TO_GROUP for width in _WIDTHS]
_TRUST_CLASS = [width * _TO_CLASS for width in _WIDTHS]
_USUAL_RATES = [_PRIOR / 2 ** ((index + 0.5) / PER_OCTAVE) for index in range(BINS)]
MEMORY = 20
"""Evidence loses two thirds of its weight in so many turns of the cache: accesses, by the number of entries."""

RANK_STEP = 1 << 7
"""Ranks are multiples of this, so that a place in a short list can be added."""
_RANKS_A_UNIT, _LOWEST = 1 << 17, -40.0


def _rank(density: float) -> int:
    """A density as an integer below 2**30, which CPython compares fastest."""
    return int((log(density) - _LOWEST) * _RANKS_A_UNIT) * RANK_STEP


class HitDensity:
    """The tables. ``hits`` is for the engine to add to, one for each read of a key that is there or was remembered, at
    FIRST_CELL[state] | bin; ``seen`` to add keys times ticks to; ``ranks`` tells the worth of a key, the higher the
    better."""

    __slots__ = ("_all_hits", "_all_seen", "_group_hits", "_group_seen", "_learned_at", "_turn", "hits", "ranks", "seen")

    def __init__(self) -> None:
        self.hits = [0.0] * CELLS
        self.seen = [0.0] * CELLS
        self.ranks = [0] * CELLS
        self._all_hits = [0.0] * BINS
        self._all_seen = [0.0] * BINS
        self._group_hits = [[0.0] * BINS for _ in range(_GROUPS)]
        self._group_seen = [[0.0] * BINS for _ in range(_GROUPS)]
        self._learned_at = [0] * _GROUPS
        self._turn = 0
        usual = _ranks(_USUAL_RATES)
        for first in range(0, CELLS, BINS):
            self.ranks[first : first + BINS] = usual

    def learn(self, tick: int, entries: int) -> None:
        """Rebuild the tables of one group, the next of which something is known. Takes about 0.1 ms."""
        for _ in range(_GROUPS):
            self._turn = (self._turn + 1) % _GROUPS
            cells = _cells_of(self._turn)
            if any(self.seen[cells.start : cells.stop]):
                self._rebuild(self._turn)
                self._fade(self._turn, exp((self._learned_at[self._turn] - tick) / (MEMORY * (entries + 1))))
                self._learned_at[self._turn] = tick
                return

    def _rebuild(self, group: int) -> None:
        cells = _cells_of(group)
        hits = _sums(self.hits, cells)
        seen = _sums(self.seen, cells)
        self._all_hits = _exchanged(self._all_hits, self._group_hits[group], hits)
        self._all_seen = _exchanged(self._all_seen, self._group_seen[group], seen)
        self._group_hits[group], self._group_seen[group] = hits, seen
        of_all = _rates(self._all_hits, self._all_seen, _USUAL_RATES, _TRUST_ALL)
        of_group = _rates(hits, seen, of_all, _TRUST_GROUP)
        for first in cells:
            last = first + BINS
            self.ranks[first:last] = _ranks(_rates(self.hits[first:last], self.seen[first:last], of_group, _TRUST_CLASS))

    def _fade(self, group: int, factor: float) -> None:
        cells = _cells_of(group)
        first, last = cells.start, cells.stop
        self.hits[first:last] = [amount * factor for amount in self.hits[first:last]]
        self.seen[first:last] = [amount * factor for amount in self.seen[first:last]]

    def _check(self) -> None:
        assert len(self.hits) == len(self.seen) == len(self.ranks) == CELLS
        assert all(0 <= rank < 1 << 30 and rank % RANK_STEP == 0 for rank in self.ranks)
        assert min(self.hits) >= 0 <= min(self.seen)


def _cells_of(group: int) -> range:
    """The first cells of the classes of a group; group 0 is the state without a history."""
    if not group:
        return range(0, BINS, BINS)
    return range((1 + (group - 1) * _BUCKETS) << SHIFT, (1 + group * _BUCKETS) << SHIFT, BINS)


def _sums(table: list[float], cells: range) -> list[float]:
    total = table[cells.start : cells.start + BINS]
    for first in cells[1:]:
        total = list(map(add, total, table[first : first + BINS]))
    return total


def _exchanged(total: list[float], old: list[float], new: list[float]) -> list[float]:
    """The total with new parts in place of old ones."""
    return [max(0.0, amount - gone + come) for amount, gone, come in zip(total, old, new, strict=True)]


def _rates(hits: list[float], seen: list[float], usual: list[float], trust: list[float]) -> list[float]:
    """Hits for each key and tick, by age; what is usual weighs as much as ``trust`` keys times ticks."""
    return [
        (count + rate * weight) / (amount + weight)
        for count, amount, rate, weight in zip(hits, seen, usual, trust, strict=True)
    ]


def _ranks(rates: list[float]) -> list[int]:
    """The worth of a key at each age: the best hits for each tick of all times to stop.

    A stretch of ages is the hits to expect in it, the ticks, and the chance to come out at its end without a read. Of
    the stretches that begin at later ages the stack holds those that a stop may divide, the nearest on top.
    """
    later: list[tuple[float, float, float]] = []
    ranks = []
    for rate, width in zip(reversed(rates), reversed(_WIDTHS), strict=True):
        through = 1.0 / (1.0 + rate * width)
        ticks = width * through
        hits = rate * ticks
        while later and later[-1][0] * ticks > hits * later[-1][1]:
            more_hits, more_ticks, more_through = later.pop()
            hits += through * more_hits
            ticks += through * more_ticks
            through *= more_through
        later.append((hits, ticks, through))
        ranks.append(_rank(hits / ticks))
    ranks.reverse()
    return ranks
