"""Learning which keys are worth their place, from what happens to keys that look alike.

**Worth.** A place in the cache is paid for in time: a key that will be read in a tick earns its hit cheaply, a key that
will be read in a million ticks takes the place of many others. So the worth of a key is the hits to expect of it for
each tick that it stays (Beckmann, Chen, Cidon, "LHD: improving cache hit rate by maximizing hit density", NSDI 2018).

**Likeness.** Keys are put together by what is known of them: how far apart their last reads were (an octave, smoothed)
and how often they have been read again (1 to FREQUENCIES and more). That is a key's state. A read at a certain age, the
ticks since the read before, changes it as NEXT tells. States that differ little share a class, which is what is learned
about, for each age by itself.

**Rates.** For each class and age two sums are kept: reads that came at that age, and how many keys were seen to be of
that age, in keys times ticks, by counting a page of the cache and a part of the history now and then. Their quotient is
the rate at which such keys are read. Keys that have been evicted and not forgotten count like those that are there:
otherwise nothing would ever be learned of the ages that no key lives to see, a loop longer than the cache would never
be noticed, and what is given up early would look worthless because it was given up. Here we leave LHD, whose tables end
with the eviction.

**Little evidence.** A class of which little is known is taken for its group (all frequencies of the same interval), the
group for all keys, all keys for what is usual: a rate of _PRIOR / age. Each gives the next as much weight as some keys
that pass that age would. Old evidence fades.

Most of all keys were never read again, so that they tell too little good of those that were: a group of such keys is
believed to be read _KNOWN times as often as all of the same age, until it is known better, and its classes less or more
often than the group, as _OFTEN has it. It is what lets a short loop be kept the first time that it comes round.

**How long to wait.** LHD counts all that a key will do until it is read or evicted. But a key may be dropped at the
moment when waiting no longer pays, and the worth of having it is the best quotient of hits and ticks over all times to
stop: the index of Gittins ("Bandit processes and dynamic allocation indices", J. Royal Statistical Society 1979), which
is the optimum where keys are independent. It takes one pass from the oldest age down: an age is joined with the ages
that follow for as long as they are worth more than itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import repeat
from math import ceil, exp, log
from operator import add, mul

# Ages, in ticks, fall into bins: PER_OCTAVE of them while the age doubles.

PER_OCTAVE = 4
BINS = 32 * PER_OCTAVE
_NEAR_BITS = 14
NEAR = 1 << _NEAR_BITS


def _edge(index: int) -> int:
    """The lowest age that is in a bin, or beyond it where the bin is empty."""
    return ceil(2 ** (index / PER_OCTAVE))


BIN = b"\0" + b"".join(bytes([index]) * (_edge(index + 1) - _edge(index)) for index in range(_NEAR_BITS * PER_OCTAVE))
"""The bins of ages below NEAR."""
_WIDTHS = [max(0.5, _edge(index + 1) - _edge(index)) for index in range(BINS)]


@cache  # all databases begin with the same
def bins_from(shift: int) -> bytes:
    """The bins of ages below NEAR << shift, by ``age >> shift``; the last one is for all that are older. Such a table
    is small, so that it stays in the fastest of the processor's caches, and exact enough for ages that are much greater
    than 1 << shift."""
    return BIN.translate(bytes(min(index + shift * PER_OCTAVE, BINS - 1) for index in range(256)))


# States: 0 for a key of which nothing is known, else an octave and a frequency. The tables of a state begin at its row,
# ``state * BINS``, and have a cell for each bin.

OCTAVES = 28
FREQUENCIES = 8
STATES = 1 + OCTAVES * FREQUENCIES
ROWS = [state * BINS for state in range(STATES)]
"""The rows by state, and the very integers that entries share."""


def state_of(octave: int, frequency: int) -> int:
    """The state of a key that was read again ``frequency`` times, about 2**octave ticks apart."""
    return 1 + octave * FREQUENCIES + min(frequency, FREQUENCIES) - 1


def octave_of(state: int) -> int | None:
    """The octave of the interval between reads, None where it is not known."""
    return (state - 1) // FREQUENCIES if state else None


def frequency_of(state: int) -> int:
    """How often a key was read again: FREQUENCIES stands for more, too."""
    return (state - 1) % FREQUENCIES + 1 if state else 0


def _followers(state: int) -> Iterable[int]:
    """The rows that follow a read, by the octave of the age: the interval goes half of the way, at least an octave."""
    octave, frequency = octave_of(state), frequency_of(state) + 1
    for age in range(BINS // PER_OCTAVE):
        now = min(age, OCTAVES - 1)
        way = 0 if octave is None else now - octave
        yield ROWS[state_of(now - (way // 2 if way > 0 else -(-way // 2)), frequency)]


NEXT = [row for state in range(STATES) for row in _followers(state) for _ in range(PER_OCTAVE)]
"""The row that follows a read, by cell."""

# Classes of states, and groups of classes: the first group is state 0, the others are two octaves each.

_CLASSES = ((1,), (2,), (3, 4), (5, 6, 7), (8,))  # frequencies that share a class
_GROUPS = [  # of classes of rows
    [[0]],
    *(
        [[ROWS[state_of(octave, often)] for octave in (even, even + 1) for often in same] for same in _CLASSES]
        for even in range(0, OCTAVES, 2)
    ),
]
_GROUP = 2 * FREQUENCIES * BINS
"""Cells of a group, but for the first, which has BINS."""

# What is believed where little is known.

_PRIOR = 0.5
_USUAL = [_PRIOR / 2 ** ((index + 0.5) / PER_OCTAVE) for index in range(BINS)]
_TRUST_USUAL, _TRUST_ALL, _TRUST_GROUP = ([keys * width for width in _WIDTHS] for keys in (8.0, 64.0, 16.0))
"""How many keys times ticks must be seen before they weigh as much as what is usual, all keys, or the group tell."""
_KNOWN = 3.0
"""How much likelier a read is of keys that were read again than of any keys of their age."""
_OFTEN = (0.6, 1.0, 1.0, 2.0, 3.0)
"""And how much likelier than of their group, by class."""
MEMORY = 10
"""After how many ticks for each entry evidence has lost two thirds of its weight."""

RANK_STEP = 128
"""Ranks are multiples of this, so that a place in a short list can be added."""
_RANKS_A_UNIT, _LOWEST = 1 << 17, -40.0
"""A rank is the logarithm of a density above the lowest, as an integer below 2**30, which CPython compares fastest."""


class _Evidence:
    """Hits and keys times ticks by age, of a class, a group or all keys."""

    __slots__ = ("hits", "seen")

    def __init__(self) -> None:
        self.hits = [0.0] * BINS
        self.seen = [0.0] * BINS

    def rates(self, usual: list[float], trust: list[float], bins: int) -> list[float]:
        """Hits for each key and tick in the first bins, if ``usual`` is what is believed without evidence."""
        return [
            (count + rate * weight) / (amount + weight)
            for count, amount, rate, weight, _ in zip(self.hits, self.seen, usual, trust, range(bins), strict=False)
        ]


class HitDensity:
    """The tables, by cell. ``hits`` is for the engine to add to, one for each read of a key that is there or was
    remembered; ``seen`` to add keys times ticks to; ``ranks`` tells the worth of a key, the higher the better.

    What was added is moved to the evidence of the classes, which fades, whenever their group is learned.
    """

    __slots__ = ("_all", "_classes", "_groups", "_learned_at", "_touched", "_turn", "hits", "ranks", "seen", "unranked")

    def __init__(self) -> None:
        self.hits = [0.0] * (STATES * BINS)
        self.seen = [0.0] * (STATES * BINS)
        self.ranks = _ranks(_USUAL) * STATES
        self._all = _Evidence()
        self._groups = [_Evidence() for _ in _GROUPS]
        self._classes = [[_Evidence() for _ in group] for group in _GROUPS]
        self._learned_at = [0] * len(_GROUPS)
        self._touched: set[int] = set()  # groups in which keys were seen that no step has taken in
        self._turn = 0
        self.unranked: int | None = None
        """The group that has evidence which its ranks do not know of yet, None where there is none."""

    def see(self, cells: list[int], weight: float) -> None:
        """Keys were found in these cells, each of which stands for so many keys times ticks."""
        seen = self.seen
        for cell in cells:
            seen[cell] += weight
        self._touched.update([(cell - BINS) // _GROUP + 1 for cell in cells])

    def learn(self, tick: int, entries: int, halves: bool = False) -> None:
        """Rebuild the tables of one group: the next that has been seen. Takes about half a millisecond. With
        ``halves`` one call takes in what was added, and the next one makes the ranks of it."""
        if self.unranked is not None:
            self._rank_group(self.unranked)
            self.unranked = None
            if halves:
                return
        if not self._touched:
            return
        self._turn = turn = min(self._touched, key=lambda group: (group - self._turn - 1) % len(_GROUPS))
        self._touched.discard(turn)
        factor = exp((self._learned_at[turn] - tick) / (MEMORY * (entries + 1)))
        self._learned_at[turn] = tick
        self._take_in(turn, factor, min(BINS, PER_OCTAVE * (tick.bit_length() + 1)))
        if halves:
            self.unranked = turn
        else:
            self._rank_group(turn)

    def _take_in(self, turn: int, factor: float, bins: int) -> None:
        """Move what was added to the evidence of the classes, let the old fade by a factor, and add all up. Nothing
        was ever as old as the bins from ``bins`` on."""
        group, whole = self._groups[turn], self._all
        for name in _Evidence.__slots__:
            table = getattr(self, name)
            sums = []
            for rows, evidence in zip(_GROUPS[turn], self._classes[turn], strict=True):
                known = getattr(evidence, name)
                kept: Iterable[float] = map(mul, known[:bins], repeat(factor))
                for row in rows:
                    added = table[row : row + bins]
                    if any(added):
                        kept = map(add, kept, added)
                        table[row : row + bins] = _NOTHING[:bins]
                known[:bins] = kept
                sums.append(known[:bins])
            total = sums[0]
            for more in sums[1:]:
                total = list(map(add, total, more))
            of_all, of_group = getattr(whole, name), getattr(group, name)
            changes = zip(of_all[:bins], of_group[:bins], total, strict=True)
            of_all[:bins] = [left if (left := old - gone + come) > 0.0 else 0.0 for old, gone, come in changes]
            of_group[:bins] = total

    def _rank_group(self, turn: int) -> None:
        bins = BINS - PER_OCTAVE
        while bins > 1 and not self._all.hits[bins - 1] + self._all.seen[bins - 1]:
            bins -= 1  # no key was ever so old
        bins += PER_OCTAVE  # what is usual comes after, so that the oldest are not taken for hopeless
        of_all = self._all.rates(_USUAL, _TRUST_USUAL, bins)
        if turn:
            of_all = [rate * _KNOWN for rate in of_all]
        of_group = self._groups[turn].rates(of_all, _TRUST_ALL, bins)
        for rows, evidence, often in zip(_GROUPS[turn], self._classes[turn], _OFTEN if turn else (1.0,), strict=True):
            ranks = _ranks(evidence.rates([rate * often for rate in of_group], _TRUST_GROUP, bins))
            for row in rows:
                self.ranks[row : row + bins] = ranks

    def shares(self, entries: int) -> Iterable[tuple[str, float, float]]:
        """The shares in the keys and in the hits of what kinds of keys there are in a cache of so many entries."""
        turn = entries.bit_length() // 2 + 1  # the first group of those that are read less than once in a turn
        keys, hits = sum(self._all.seen) or 1.0, sum(self._all.hits) or 1.0
        for kind, groups in (
            ("new", self._groups[:1]),
            ("frequent", self._groups[1:turn]),
            ("rare", self._groups[turn:]),
        ):
            yield kind, sum(sum(group.seen) for group in groups) / keys, sum(sum(group.hits) for group in groups) / hits

    def _check(self) -> None:
        assert len(self.hits) == len(self.seen) == len(self.ranks) == STATES * BINS
        assert all(0 <= rank < 1 << 30 and rank % RANK_STEP == 0 for rank in self.ranks)
        assert min(self.hits) >= 0 <= min(self.seen)
        groups = enumerate([(group[0][0], group[-1][-1] + BINS) for group in _GROUPS])
        assert self._touched >= {turn for turn, (first, last) in groups if any(self.seen[first:last])}


_NOTHING = [0.0] * BINS


def _ranks(rates: list[float]) -> list[int]:
    """The worth of a key at each age: the best hits for each tick of all times to stop.

    A stretch of ages is the hits to expect in it, the ticks, and the chance to come out at its end without a read. The
    stack holds the stretches that begin at later ages and may not be joined, the nearest on top.
    """
    later: list[tuple[float, float, float]] = []
    ranks = []
    for index in range(len(rates) - 1, -1, -1):
        width = _WIDTHS[index]
        rate = rates[index]
        through = 1.0 / (1.0 + rate * width)
        ticks = width * through
        hits = rate * ticks
        while later:
            more_hits, more_ticks, more_through = later[-1]
            if more_hits * ticks <= hits * more_ticks:
                break
            hits += through * more_hits
            ticks += through * more_ticks
            through *= more_through
            later.pop()
        later.append((hits, ticks, through))
        ranks.append(int((log(hits / ticks) - _LOWEST) * _RANKS_A_UNIT) * RANK_STEP)
    ranks.reverse()
    return ranks
