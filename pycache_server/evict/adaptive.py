"""Adaptive: learns while it runs which keys are worth their place, and gives up the one that is worth least.

What is learned and why is told in hit_density.py. Here is the rest: what each entry remembers (the tick of its last
access and its state), where the clock comes from, and how a victim is found.

**The clock** counts accesses and knows no seconds: a server that is asked ten times as often is not a different cache.
It goes on in steps of a 128th of the entries, so that entries share the integers that they hold.

**Pages.** Entries stand in lists of PAGE, in no order, and each knows its page and its place: two small integers that
are shared, too, where an index of its own would cost each entry 32 bytes. The last entry takes the place of one that
goes.

**Victims.** A structure that kept all entries in the order of their worth would have to be put right as time goes by. We
look at SAMPLES entries, on two pages chosen by chance, and at those that were nearly bad enough the last time; the worst
BATCH of them go, one by one, unless they are read in between.

**Learning** goes on in steps, each of which counts one page and one row of the history, and rebuilds the tables of one
group: about a fifth of a millisecond once in MIN_STEP accesses or a 40th of the entries.

Sources: Beckmann, Chen, Cidon, "LHD: improving cache hit rate by maximizing hit density", NSDI 2018, for the idea; see
hit_density.py for the differences.
"""

from __future__ import annotations

from bisect import bisect
from typing import Any

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.history import ROW, History
from pycache_server.evict.hit_density import BIN, FIRST_CELL, NEAR, NEXT, SHIFT, HitDensity, far_bin, frequency_of

PAGE = 256
SAMPLES = 64
BATCH = 4
POOL = 12
REMEMBERED = 3
"""Slots of the history for each entry."""
MIN_STEP = 100
_STEPS_A_TURN = 40
_STRIDE = 2 * PAGE // SAMPLES
_NEWEST = 100


class AdaptiveEntry(SizedEntry):
    """``page`` and ``place`` tell where the entry stands, ``accessed`` is the tick of the last access, ``state`` what is
    known of its accesses."""

    __slots__ = ("accessed", "page", "place", "state")

    accessed: int
    page: int
    place: int
    state: int


class Adaptive(Engine):
    """Entries in pages, and what has been learned of them."""

    entry_type = AdaptiveEntry

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._pages: list[list[AdaptiveEntry]] = []
        self._numbers: list[int] = []  # of the pages: the integers that entries share
        self._entries = 0
        self._doomed: list[AdaptiveEntry] = []  # the next victims, the first at the end
        self._pool: list[AdaptiveEntry] = []  # those that were nearly chosen
        self._sampled_at = 0
        self._history = History()
        self._learned = HitDensity()
        self._hits = self._learned.hits
        self._tick = self._grain = self._left = 1
        self._step_at = self._counted_at = 1
        self._page_turn = self._row_turn = 0

    # What the keyspace tells

    def admit(self, entry: Any) -> None:
        self._left -= 1
        if not self._left:
            self._go_on()
        entry.accessed = tick = self._tick
        remembered = self._history.recall(entry.key)
        if remembered is None:
            entry.state = 0
        else:
            state, accessed = remembered
            age = tick - accessed
            age_bin = BIN[age] if age < NEAR else far_bin(age)
            self._hits[FIRST_CELL[state] | age_bin] += 1
            entry.state = NEXT[state << SHIFT | age_bin]
        self._place(entry)

    def access(self, entry: Any) -> None:
        self._left -= 1
        if not self._left:
            self._go_on()
        tick = self._tick
        age = tick - entry.accessed
        age_bin = BIN[age] if age < NEAR else far_bin(age)
        state = entry.state
        self._hits[FIRST_CELL[state] | age_bin] += 1
        entry.state = NEXT[state << SHIFT | age_bin]
        entry.accessed = tick

    def discard(self, entry: Any) -> None:
        for chosen in (self._doomed, self._pool):
            if entry in chosen:
                chosen.remove(entry)
        self._displace(entry)

    def evicted(self, entry: Any) -> None:
        self._history.remember(entry.key, entry.state, entry.accessed)
        if self._doomed and self._doomed[-1] is entry:
            self._doomed.pop()
            self._displace(entry)
        else:
            self.discard(entry)

    # Victims

    def victim(self) -> SizedEntry | None:
        doomed = self._doomed
        while doomed:
            if doomed[-1].accessed < self._sampled_at:
                return doomed[-1]
            doomed.pop()
        if not self._entries:
            return None
        self._sample()
        return self._doomed[-1]

    def _sample(self) -> None:
        """Choose the next victims. Takes about 15 us."""
        tick = self._sampled_at = self._tick
        entries, pages = self._entries, self._pages
        index = self.surroundings.choose(entries)
        one, other = pages[index // PAGE], pages[(index + entries // 2) % entries // PAGE]
        shift = index % _STRIDE
        among = self._pool + one[shift::_STRIDE] + other[(shift + _STRIDE // 2) % _STRIDE :: _STRIDE]
        ranks, newest = self._learned.ranks, entries // _NEWEST
        order = sorted(
            [
                ranks[FIRST_CELL[entry.state] | (BIN[age] if age < NEAR else far_bin(age))] + number
                for number, entry in enumerate(among)
                if (age := tick - entry.accessed) > newest
            ]
        )
        chosen = list(dict.fromkeys([among[rank & 127] for rank in order[: BATCH + POOL]]))
        self._doomed = chosen[BATCH - 1 :: -1] or [one[index % len(one)]]
        self._pool = chosen[BATCH:]

    # Pages

    def _place(self, entry: AdaptiveEntry) -> None:
        """Put an entry behind the last."""
        number, place = divmod(self._entries, PAGE)
        if not place:
            self._pages.append([])
            self._numbers.append(number)
        self._pages[number].append(entry)
        entry.page = self._numbers[number]
        entry.place = place
        self._entries += 1

    def _displace(self, entry: AdaptiveEntry) -> None:
        """Put the last entry in the place of one that goes."""
        pages = self._pages
        last = pages[-1].pop()
        if last is not entry:
            pages[entry.page][entry.place] = last
            last.page = entry.page
            last.place = entry.place
        if not pages[-1]:
            pages.pop()
            self._numbers.pop()
        self._entries -= 1

    # Time and learning

    def _go_on(self) -> None:
        """The clock goes on."""
        self._tick += self._grain
        if self._tick >= self._step_at:
            self._learn()
        self._left = self._grain = max(1, self._entries // 128)

    def _learn(self) -> None:
        tick, entries, history = self._tick, self._entries, self._history
        step = max(MIN_STEP, entries // _STEPS_A_TURN)
        self._step_at = tick + min(step, max(20, tick // 30))
        if not entries:
            return
        elapsed, self._counted_at = tick - self._counted_at, tick
        self._page_turn = (self._page_turn + 1) % len(self._pages)
        page = self._pages[self._page_turn]
        self._count([(entry.state, entry.accessed) for entry in page], elapsed * entries / len(page))
        self._row_turn = (self._row_turn + 1) % len(history.rows)
        self._count(history.row_of(self._row_turn), elapsed * len(history.rows))
        while len(history) < REMEMBERED * entries:
            history.grow()
        self._learned.learn(tick, entries)

    def _count(self, found: list[tuple[int, int]], weight: float) -> None:
        """Keys have been found to be in a state since a tick; each stands for so many keys times ticks."""
        tick, seen = self._tick, self._learned.seen
        for state, accessed in found:
            age = tick - accessed
            seen[FIRST_CELL[state] | (BIN[age] if age < NEAR else far_bin(age))] += weight
