"""Adaptive: learns while it runs which keys are worth their place, and gives up the one that is worth least.

What is learned and why is told in hit_density.py. Here is the rest: what each entry remembers, where the clock comes
from, and how a victim is found.

**The clock** counts and knows no seconds: a server that is asked ten times as often is not a different cache. A tick is
a new key, or a read of a key that was read a moment ago. To count every read would cost each an addition and bring
nothing; to count none, time would stand still while nothing is missing. The clock goes on in steps of a small part of
the entries, so that entries share the integers that they hold.

**Bursts.** Reads of a key within a 32nd of the cache's turn are taken for one read: they tell little about what comes
after, no key is given up so early, and they are the most frequent and here the cheapest.

**Pages.** Entries stand in lists of PAGE, in no order, and each knows its page and its place: two integers that are
shared, where an index of its own would cost each entry 32 bytes. The last entry takes the place of one that goes.

**Victims.** A structure that held all entries in the order of their worth would have to be put right as time goes by.
Where there are few entries we look at SAMPLES of them on two pages chosen by chance, and at the POOL that were nearly
bad enough the last time, and the worst goes. The second worst is a bad second victim: better one is looked for among
others, and it, if there is nothing worse.

Of many entries each that is looked at is a miss of the processor's cache. So from LARGE on it is decided beforehand
what is bad enough: worth no more than one in RATIO of the entries, as of the last step of learning. PART entries, of
one page, are looked at together, and at most MOST of them go, so that a large crowd of the same worth is not given up
at one place. Which ones is left to chance: places are filled where victims were, so that a hand that went over the
pages would meet the young at one age only, that of its turn, and never those that are behind it. For the same reason
what is counted is a little of each page and not all of one.

**Learning** goes on in steps that count entries and one part of the history and rebuild the tables of one group, in a
third to half of a millisecond of CPU. From LARGE on each group takes two steps, one to count and take in, and one to
rank: the groups of a large cache have enough to be learned from, and steps in which all is a miss are the longest.

``maxmemory-samples`` has no effect. OBJECT IDLETIME is known as exactly as the steps of learning are dense; OBJECT FREQ
tells reads apart up to eight.

Source of the idea: Beckmann, Chen, Cidon, "LHD: improving cache hit rate by maximizing hit density", NSDI 2018.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any

from pycache_server.entry import SizedEntry
from pycache_server.evict.base import Engine, Surroundings
from pycache_server.evict.hit_density import BINS, NEAR, NEXT, RANK_STEP, ROWS, HitDensity, bins_from, frequency_of
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

PAGE = 256
SAMPLES, POOL = 36, 16
LARGE, RATIO, PART, MOST, TRIES = 8192, 3, 64, 20, 4
REMEMBERED, LEAST_REMEMBERED = 3, 4096
"""Slots of the history: for each entry, and at least."""
LEAST_STEP, STEPS_A_TURN, STEPS_WHERE_LARGE = 50, 80, 20
"""Ticks from one step of learning to the next: at least, and how many steps while the cache turns over, of few entries
and from LARGE on."""
_FIRST_STEPS, _HASTE = 20, 60  # a cache that has just begun learns faster: after so many ticks, and a 60th of its age
_GRAINS = 1024  # the clock goes on by this part of the entries
_BURST = 32  # reads within this part of the entries are one
_NEWEST = 100  # the newest hundredth of the entries is never given up
_EXACT_BITS = 10  # with less entries than this power of two ages are exact
_STRIDE = 2 * PAGE // SAMPLES
_MOMENTS = 512
_STATE_MASK = NUMBERS - 1


class AdaptiveEntry(SizedEntry):
    """``page`` and ``place`` tell where the entry stands, ``mark`` is the tick of the last access, ``cells`` where the
    tables of its state begin: what is known of the accesses before."""

    __slots__ = ("cells", "page", "place")

    mark: int
    cells: int
    page: int
    place: int


class Adaptive(Engine):
    """Entries in pages, and what has been learned of them. The entries come as Any: to assert their type would cost a
    quarter of a read."""

    entry_type = AdaptiveEntry
    aside = 8 * (1 + REMEMBERED)  # a place in a page, and in the history

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._pages: list[list[AdaptiveEntry]] = []
        self._numbers: list[int] = []  # of the pages: the integers that entries share
        self._entries = 0
        self._doomed: list[AdaptiveEntry] = []  # the next victims, the first at the end
        self._pool: list[AdaptiveEntry] = []  # those that were nearly chosen
        self._sampled_at = 0
        self._bound = 0  # the rank that is bad enough
        self._history = MappedHistory("Q")
        self._rows, self._mask = self._history.rows, self._history.mask
        self._learned: HitDensity | None = None  # most of a megabyte: made with the first entry
        self._hits: list[float] = []  # those of _learned
        self._tick = self._grain = self._left = 1
        self._burst = 0
        self._shift, self._far, self._bins = 0, NEAR, bins_from(0)
        self._learn_at = self._counted_at = 1
        self._page_turn = self._part_turn = 0
        self._moments = array("Q")  # ticks
        self._times = array("d")  # and when they began

    # What the keyspace tells

    def admit(self, entry: Any) -> None:
        self._left -= 1
        if not self._left:
            self._go_on()
        entry.mark = tick = self._tick
        spot = hash(entry.key) % SPOTS
        row = self._rows[spot & self._mask]
        place = spot >> PLACE_SHIFT
        held = row[place]
        if not held or (spot >> TAG_SHIFT ^ held) & TAG:
            entry.cells = 0
        else:
            row[place] = 0  # or it would be counted among those that are gone
            age = tick - (held >> TIME_SHIFT)
            cell = ROWS[held >> NUMBER_SHIFT & _STATE_MASK] + self._bins[age >> self._shift if age < self._far else -1]
            self._hits[cell] += 1.0
            entry.cells = NEXT[cell]
        entries = self._entries  # behind the last
        place = entries % PAGE
        if not place:
            self._pages.append([])
            self._numbers.append(entries // PAGE)
        self._pages[-1].append(entry)
        entry.page = self._numbers[-1]
        entry.place = place
        self._entries = entries + 1

    def access(self, entry: Any) -> None:
        tick = self._tick
        age = tick - entry.mark
        if age <= self._burst:
            self._left -= 1
            if not self._left:
                self._go_on()
            return
        cell = entry.cells + self._bins[age >> self._shift if age < self._far else -1]
        self._hits[cell] += 1.0
        entry.cells = NEXT[cell]
        entry.mark = tick

    def discard(self, entry: Any) -> None:
        for chosen in (self._doomed, self._pool):
            if entry in chosen:
                chosen.remove(entry)
        self._displace(entry)

    def exchange(self, old: Any, new: Any) -> None:
        new.mark, new.cells, new.page, new.place = old.mark, old.cells, old.page, old.place
        self._pages[new.page][new.place] = new
        for chosen in (self._doomed, self._pool):
            if old in chosen:
                chosen[chosen.index(old)] = new

    def remains(self) -> list[Any]:
        return [self._history] if self._history.size > 1 else []

    def evicted(self, entry: Any) -> None:
        self._history.remember(entry.key, entry.mark, entry.cells // BINS)
        self.discard(entry)

    # Victims

    def victim(self) -> SizedEntry | None:
        doomed = self._doomed
        while doomed:
            if doomed[-1].mark < self._sampled_at:
                return doomed[-1]
            doomed.pop()
        if not self._entries:
            return None
        if self._entries < LARGE:
            self._sample()
        else:
            self._sweep()
        return self._doomed[-1]

    def take_victims(self, most: int, size: int) -> list[SizedEntry]:
        taken: list[SizedEntry] = []
        rows, mask, pages, doomed = self._rows, self._mask, self._pages, self._doomed
        for _ in range(most):
            if size <= 0:
                break
            if not doomed or doomed[-1].mark >= self._sampled_at:
                if self.victim() is None:
                    break
                doomed = self._doomed
            entry: Any = doomed.pop()  # and it is not in the pool
            mark, cells, number, place = entry.mark, entry.cells, entry.page, entry.place
            spot = hash(entry.key) % SPOTS
            word = mark << TIME_SHIFT | cells // BINS << NUMBER_SHIFT | spot >> TAG_SHIFT & TAG
            rows[spot & mask][spot >> PLACE_SHIFT] = word
            page = pages[-1]  # _displace
            last = page.pop()
            if last is not entry:
                pages[number][place] = last
                last.page = number
                last.place = place
            if not page:
                pages.pop()
                self._numbers.pop()
            self._entries -= 1
            taken.append(entry)
            size -= entry.size
        return taken

    def _sample(self) -> None:
        """Choose the next victims. Takes about 10 us."""
        tick = self._sampled_at = self._tick
        entries, pages = self._entries, self._pages
        index = self.surroundings.choose(entries)
        page, other = pages[index // PAGE], pages[(index + entries // 2) % entries // PAGE]
        first = index % _STRIDE
        among = self._pool + page[first::_STRIDE] + other[(first + _STRIDE // 2) % _STRIDE :: _STRIDE]
        newest = entries // _NEWEST
        assert self._learned is not None
        ranks, bins, shift, far = self._learned.ranks, self._bins, self._shift, self._far
        order = [
            ranks[entry.cells + bins[age >> shift if age < far else -1]] + number
            for number, entry in enumerate(among)
            if (age := tick - entry.mark) > newest
        ]
        order.sort()
        chosen = list(dict.fromkeys([among[rank % RANK_STEP] for rank in order[: 1 + POOL]]))
        self._doomed = chosen[:1] or [page[index % PAGE]]
        self._pool = chosen[1:]

    def _sweep(self) -> None:
        """Look for victims at up to TRIES places; where there are none, sample."""
        assert self._learned is not None
        tick = self._sampled_at = self._tick
        ranks, bins, shift, far = self._learned.ranks, self._bins, self._shift, self._far
        entries, bound, choose = self._entries, self._bound, self.surroundings.choose
        oldest = tick - entries // _NEWEST  # of those that are never given up
        for _ in range(TRIES):
            index = choose(entries)
            place = index % PAGE // PART * PART
            bad = [
                entry
                for entry in self._pages[index // PAGE][place : place + PART]
                if ranks[entry.cells + bins[age >> shift if (age := tick - entry.mark) < far else -1]] <= bound
            ]
            doomed = [entry for entry in bad if entry.mark < oldest]
            if doomed:
                self._doomed = doomed[:MOST]
                self._pool.clear()  # of which some may be among them
                return
        self._sample()

    def _spread(self) -> list[AdaptiveEntry]:
        """About PAGE entries of all pages, or of PAGE of them: those of one page have often come together, and are
        alike."""
        pages = self._pages
        self._page_turn = turn = self._page_turn + 1
        count = len(pages) - 1  # without the last, which is not full
        if count < PAGE:
            stride = max(count, 1)
            return [
                entry for number, page in enumerate(pages) for entry in page[turn * (number + 1) % stride :: stride]
            ]
        return [pages[(turn + number * count // PAGE) % count][turn * (number + 1) % PAGE] for number in range(PAGE)]

    # Pages

    def _displace(self, entry: AdaptiveEntry) -> None:
        """Put the last entry in the place of one that goes."""
        pages = self._pages
        page = pages[-1]
        last = page.pop()
        if last is not entry:
            number, place = entry.page, entry.place
            pages[number][place] = last
            last.page = number
            last.place = place
        if not page:
            pages.pop()
            self._numbers.pop()
        self._entries -= 1

    # Time and learning

    def _go_on(self) -> None:
        """The clock goes on."""
        self._tick += self._grain
        if len(self._history) < REMEMBERED * self._entries:
            self._remember(len(self._history) + 1)  # a row: new pages of memory cost more than all else here
        self._left = self._grain = max(1, self._entries // _GRAINS)
        self._burst = self._entries // _BURST
        shift = max(0, self._entries.bit_length() - _EXACT_BITS)
        if shift != self._shift:
            self._shift, self._far, self._bins = shift, NEAR << shift, bins_from(shift)
        if self._tick >= self._learn_at:
            self._learn()

    def _learn(self) -> None:
        """One step of learning."""
        tick, entries = self._tick, self._entries
        learned = self._learned
        if learned is None:
            learned = self._learned = HitDensity()
            self._hits = learned.hits
            self._remember(LEAST_REMEMBERED)
        step = max(LEAST_STEP, entries // (STEPS_A_TURN if entries < LARGE else STEPS_WHERE_LARGE))
        self._learn_at = tick + min(step, max(_FIRST_STEPS, tick // _HASTE))
        self._moments.append(tick)
        self._times.append(self.now())
        if len(self._moments) > _MOMENTS:
            self._moments, self._times = self._moments[1::2], self._times[1::2]
        large = entries >= LARGE
        if large and learned.unranked is not None:
            learned.learn(tick, entries, halves=True)
            return
        if entries:
            cells = self._look_around(tick - self._counted_at)
            learned.learn(tick, entries, large)
            if large:
                ranks = learned.ranks
                self._bound = sorted([ranks[cell] for cell in cells])[len(cells) // RATIO]
        self._counted_at = tick

    def _look_around(self, elapsed: int) -> list[int]:
        """Count some entries and a part of the history, for the ticks that have elapsed since the last time. Returns
        the cells of the entries."""
        learned, entries, history = self._learned, self._entries, self._history
        assert learned is not None
        tick, bins, shift, far = self._tick, self._bins, self._shift, self._far
        if entries >= LARGE:
            page = self._spread()
        else:
            self._page_turn = (self._page_turn + 1) % len(self._pages)
            page = self._pages[self._page_turn]
        cells = [entry.cells + bins[age >> shift if (age := tick - entry.mark) < far else -1] for entry in page]
        learned.see(cells, elapsed * entries / len(page))
        self._part_turn = (self._part_turn + 1) % history.parts
        part = history.part(self._part_turn)
        gone = [ROWS[state] + bins[age >> shift if (age := tick - mark) < far else -1] for state, mark in part]
        learned.see(gone, elapsed * history.parts)
        return cells

    def _remember(self, keys: int) -> None:
        """Make room for the memory of so many keys that are gone."""
        while len(self._history) < keys:
            self._history.grow()
        self._mask = self._history.mask

    # What an operator may ask

    def idle_seconds(self, entry: Any) -> int | None:
        # At least so long: what was read within a burst, which may have been longer then, has kept its tick, and a tick
        # lasts for a while.
        index = bisect_right(self._moments, entry.mark + 2 * (self._burst + self._grain))
        return max(0, int(self.now() - self._times[index])) if index < len(self._moments) else 0

    def frequency(self, entry: Any) -> int | None:
        return 1 + frequency_of(entry.cells // BINS)

    def report(self) -> dict[str, int | float | str]:
        """``adaptive_ticks``: new keys and repeated reads so far. ``adaptive_remembered``: how many gone keys can be
        remembered. ``adaptive_ages``: within how many ticks a tenth, a half and nine tenths of the entries were read.
        The others tell for kinds of keys, present or remembered, their share and their share of the hits: new ones,
        those read about once or more in a turn of the cache, and those read less often."""
        told: dict[str, int | float | str] = {
            "adaptive_ticks": self._tick,
            "adaptive_remembered": len(self._history),
            "adaptive_ages": self._ages(),
        }
        if self._learned is not None:
            for kind, keys, hits in self._learned.shares(self._entries):
                told[f"adaptive_{kind}"] = f"keys={keys:.1%},hits={hits:.1%}"
        return told

    def _ages(self) -> str:
        pages = self._pages[:: len(self._pages) // 8 + 1]
        ages = sorted(self._tick - entry.mark for page in pages for entry in page)
        return ",".join(f"p{part}={ages[len(ages) * part // 100]}" for part in (10, 50, 90)) if ages else ""

    def _check(self) -> None:
        entries = [entry for page in self._pages for entry in page]
        assert len(entries) == self._entries
        assert all(len(page) == PAGE for page in self._pages[:-1])
        assert self._numbers == list(range(len(self._pages)))
        for number, page in enumerate(self._pages):
            assert page
            for place, entry in enumerate(page):
                assert (entry.page, entry.place) == (number, place)
                assert entry.page is self._numbers[number] and entry.cells in ROWS
                assert entry.mark <= self._tick
        chosen = [*self._doomed, *self._pool]
        assert len(chosen) <= MOST + POOL and len({id(entry) for entry in chosen}) == len(chosen)
        assert {id(entry) for entry in chosen} <= {id(entry) for entry in entries}
        assert self._left > 0 and self._counted_at <= self._tick
        self._history._check()
        if self._learned is not None:
            assert self._hits is self._learned.hits
            self._learned._check()
