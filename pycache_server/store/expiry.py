"""The time wheel: every entry that expires, by when.

Redis finds expired keys by sampling; dead keys wait for luck or a read. Here each entry that expires hangs in a ring
of entries that are due in the same span of time, so that what is due is found without looking at anything else, in
as small steps as the caller likes. It is the hierarchical timing wheel of Varghese and Lauck ("Hashed and hierarchical
timing wheels", SOSP 1987), with absolute slots: a span of 16 ms, of 16 s, of 4.7 hours or of 199 days, whichever is the
smallest that lies in the future as a whole. When a coarse span begins, its entries are dealt out to finer ones; an
entry is moved at most three times in its life.

The rings are intrusive: adding and removing costs a few pointers and no memory beyond two slots of the entry, and
there is nothing to rebuild when a ring holds millions. Removal needs no search, so nothing stale is left behind,
however often a time to live is changed.

The wheel does not make reads exact, it brings memory back; whether an entry has expired is asked of the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from pycache_server.entry import Entry, TimedEntry

TICK_BITS = 4
"""The finest span is 2**4 = 16 ms."""
LEVEL_BITS = 10
"""Each level's span is 2**10 times the span of the level below."""
_LEVELS = 4
_LEVEL_1, _LEVEL_2, _LEVEL_3 = (1 << LEVEL_BITS * level for level in range(1, _LEVELS))


def _no_one() -> None:
    pass


class Wheel:
    """Entries by the time they are due. ``size`` counts them; ``on_earlier`` is called when something becomes due
    before everything else that is known."""

    __slots__ = ("_heads", "_spans", "_tick", "on_earlier", "size")

    def __init__(self, on_earlier: Callable[[], None] = _no_one) -> None:
        self.size = 0
        self.on_earlier = on_earlier
        self._tick = 0  # spans before this tick have been dealt with
        self._heads: dict[int, Entry] = {}  # span -> the head of its ring
        self._spans: list[tuple[int, int]] = []  # heap of (time in ms at which the span is to be dealt with, span)

    def add(self, entry: Entry) -> None:
        """Put in an entry whose ``expires`` is set and will not change while it is in."""
        tick = entry.expires >> TICK_BITS
        if tick < self._tick:
            tick = self._tick
        distance = tick ^ self._tick
        if distance < _LEVEL_1:
            span = tick * _LEVELS
        elif distance < _LEVEL_2:
            span = (tick >> LEVEL_BITS) * _LEVELS + 1
        elif distance < _LEVEL_3:
            span = (tick >> 2 * LEVEL_BITS) * _LEVELS + 2
        else:
            span = (tick >> 3 * LEVEL_BITS) * _LEVELS + 3
        head = self._heads.get(span)
        if head is None:
            head = self._open(span)
        last = head.prev
        assert last is not None
        entry.prev = last
        entry.next = head
        last.next = head.prev = entry
        self.size += 1

    def remove(self, entry: Entry) -> None:
        """Take out an entry that is in."""
        before, after = entry.prev, entry.next
        assert before is not None and after is not None
        before.next = after
        after.prev = before
        entry.prev = entry.next = None
        self.size -= 1

    def next_due(self) -> int | None:
        """When to call ``expire`` next, in ms since 1970; None while nothing is in."""
        spans = self._spans
        while spans:
            due, span = spans[0]
            head = self._heads[span]
            if head.next is not head:
                return due
            self._close(head, span)
        return None

    def expire(self, now: int, limit: int) -> tuple[list[Entry], bool]:
        """Take out entries that are due at ``now`` (ms), looking at about ``limit`` of them at most.

        Returns them, and whether there is more to do at once.
        """
        due: list[Entry] = []
        budget = limit
        while (start := self.next_due()) is not None and start <= now:
            if budget <= 0:
                return due, True
            span = self._spans[0][1]
            head = self._heads[span]
            if span % _LEVELS:
                budget -= self._deal_out(head, start, budget)
            else:
                self._tick = max(self._tick, span // _LEVELS)
                while budget > 0 and (entry := head.next) is not head:
                    assert entry is not None
                    self.remove(entry)
                    due.append(entry)
                    budget -= 1
        self._tick = max(self._tick, now >> TICK_BITS)
        return due, False

    def first_due(self, now: int, limit: int) -> Entry | None:
        """An entry that is due at ``now`` (ms), which stays in. None where nothing is, or where ``limit`` entries had
        to be dealt out without finding any; ``next_due`` tells which."""
        budget = limit
        while (start := self.next_due()) is not None and start <= now:
            if budget <= 0:
                return None
            span = self._spans[0][1]
            head = self._heads[span]
            if not span % _LEVELS:
                self._tick = max(self._tick, span // _LEVELS)
                return head.next
            budget -= self._deal_out(head, start, budget)
        self._tick = max(self._tick, now >> TICK_BITS)
        return None

    def overdue(self, now: int) -> int:
        """How many entries have expired at ``now`` (ms) and are still in. O(1) unless some are due."""
        return sum(1 for _ in self.late(now))

    def late(self, now: int) -> Iterator[Entry]:
        """The entries that have expired at ``now`` (ms) and are still in."""
        if not self._spans or self._spans[0][0] - (1 << TICK_BITS) > now:
            return
        for span, head in self._heads.items():
            start = (span // _LEVELS) << (TICK_BITS + span % _LEVELS * LEVEL_BITS)
            if start <= now:
                entry = head.next
                while entry is not head:
                    assert entry is not None
                    if entry.expires <= now:
                        yield entry
                    entry = entry.next

    def sample(self, count: int) -> list[Entry]:
        """Up to ``count`` entries, one of each of some spans."""
        found = []
        for head in self._heads.values():
            entry = head.next
            if entry is not None and entry is not head:
                found.append(entry)
                if len(found) == count:
                    break
        return found

    def _open(self, span: int) -> Entry:
        """Make the ring of a span that has none yet."""
        level, position = span % _LEVELS, span // _LEVELS
        if level:
            due = position << (TICK_BITS + level * LEVEL_BITS)
        else:
            due = (position + 1) << TICK_BITS
        head = TimedEntry(b"", None)
        head.prev = head.next = head
        self._heads[span] = head
        heappush(self._spans, (due, span))
        if self._spans[0][1] == span:
            self.on_earlier()
        return head

    def _close(self, head: Entry, span: int) -> None:
        heappop(self._spans)
        del self._heads[span]
        head.prev = head.next = None

    def _deal_out(self, head: Entry, start: int, budget: int) -> int:
        """Move up to ``budget`` entries of a coarse span that has begun to finer ones. Returns how many."""
        self._tick = max(self._tick, start >> TICK_BITS)
        moved = 0
        while moved < budget and (entry := head.next) is not head:
            assert entry is not None
            self.remove(entry)
            self.add(entry)
            moved += 1
        return max(moved, 1)

    def _check(self) -> None:
        """Assert that every ring is whole and every entry hangs where it will be found in time."""
        count = 0
        assert {span for _, span in self._spans} == self._heads.keys()
        for due, span in self._spans:
            head = self._heads[span]
            entry = head.next
            assert entry is not None and entry.prev is head
            while entry is not head:
                assert entry.next is not None and entry.next.prev is entry
                level = span % _LEVELS
                late = 1 << TICK_BITS if level == 0 else 0
                assert due <= max(entry.expires, self._tick << TICK_BITS) + late, (due, entry.expires, span)
                count += 1
                entry = entry.next
        assert count == self.size, (count, self.size)


def mean_time_left(wheel: Wheel, now: int) -> int:
    """The mean time, in ms, that a sample of what hangs in a wheel has left."""
    times = [entry.expires - now for entry in wheel.sample(16) if entry.expires > now]
    return sum(times) // len(times) if times else 0
