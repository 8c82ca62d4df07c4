"""The order of a big sorted set: many (score, member) pairs, in order, with ranks.

The pairs lie in runs of up to LONGEST: a list of members and, parallel to it, an array of scores. Between two runs
stands an edge, the first pair that belongs to the right one; edges need not be among the pairs, so only splitting and
joining runs changes them. A pair is found by bisecting the edges, then its run, by scores alone and by members only
where scores are equal.

Why not a list of tuples in a SortedList: a tuple costs 72 bytes, and comparing two of them follows pointers to cold
memory. With 1,000,000 random scores adding a pair takes 1.8 us here and 5 us there, and 17 bytes instead of 80.

Ranks need the number of pairs in the runs to the left. It is summed up by blocks of runs, which are counted when
somebody asks and kept up to date from then on, until runs are split or joined: a set that nobody asks pays for nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import TypeVar

LONGEST = 512
"""Most pairs of a run. Longer ones make insertion move more memory, shorter ones make the edges more."""
_SHORTEST = 32
"""A run that gets shorter is joined with a neighbour."""
_FULL = 384
"""Pairs of a run that is made of pairs in order: some may be added before it is split."""
_BLOCK_BITS = 5
_BLOCK = 1 << _BLOCK_BITS
"""Runs of a block."""
_RUN_BYTES = 56 + 80 + 8 + 8 + 16 + 48
"""Bytes of a run's list and array, and of its edge."""
_PAIR_BYTES = 17
"""Bytes of a pair in a run: a pointer, a double, and some room to grow."""

Bound = tuple[float, bool]
"""An end of a range: a score, and whether that is excluded."""
Run = TypeVar("Run", "list[bytes]", "array[float]")


class Runs:
    """Pairs of a score and a member. All pairs are different, and at least one of any that is asked for is there."""

    __slots__ = ("_blocks", "_edge_members", "_edge_scores", "_members", "_scores", "size")

    def __init__(self, members: Sequence[bytes], scores: Sequence[float]) -> None:
        """Runs of pairs that are in order; there must be one at least."""
        self.size = len(members)
        starts = range(0, self.size, _FULL)
        self._members = [list(members[start : start + _FULL]) for start in starts]
        self._scores = [array("d", scores[start : start + _FULL]) for start in starts]
        self._edge_members = [members[start] for start in starts[1:]]
        self._edge_scores = array("d", [scores[start] for start in starts[1:]])
        self._blocks: list[int] = []

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self._members)

    def scores(self) -> Iterator[float]:
        """All scores, in order."""
        return chain.from_iterable(self._scores)

    # Single pairs

    def add(self, score: float, member: bytes) -> None:
        """Add a pair that is not there."""
        edges = self._edge_scores
        run = bisect_right(edges, score)
        if run and edges[run - 1] == score:
            run = self._run_among_equals(run, score, member)
        scores = self._scores[run]
        members = self._members[run]
        place = len(scores) if scores[-1] <= score else bisect_right(scores, score)
        if place and scores[place - 1] == score:
            first = 0 if scores[0] == score else bisect_left(scores, score, 0, place)
            place = bisect_left(members, member, first, place)
        scores.insert(place, score)
        members.insert(place, member)
        self.size += 1
        if self._blocks:
            self._blocks[run >> _BLOCK_BITS] += 1
        if len(members) > LONGEST:
            self._split(run)

    def remove(self, score: float, member: bytes) -> None:
        """Remove a pair that is there."""
        self._take(*self._find(score, member))

    def move(self, old: float, score: float, member: bytes) -> None:
        """Give another score to the member of a pair that is there; it remains the very object."""
        run, place = self._find(old, member)
        scores = self._scores[run]
        if 0 < place < len(scores) - 1 and scores[place - 1] < score < scores[place + 1]:
            scores[place] = score
        else:
            member, _ = self._take(run, place)
            self.add(score, member)

    def pop(self, last: bool) -> tuple[bytes, float]:
        """Remove the first pair, or the last one."""
        return self._take(len(self._members) - 1, -1) if last else self._take(0, 0)

    def rank(self, score: float, member: bytes) -> int:
        """How many pairs are before one that is there."""
        run, place = self._find(score, member)
        return self._before(run) + place

    def _find(self, score: float, member: bytes) -> tuple[int, int]:
        """The run of a pair that is there, and its place in that."""
        edges = self._edge_scores
        run = bisect_right(edges, score)
        if run and edges[run - 1] == score:
            run = self._run_among_equals(run, score, member)
        scores = self._scores[run]
        members = self._members[run]
        place = bisect_left(scores, score)
        if members[place] != member:
            place = bisect_left(members, member, place, bisect_right(scores, score, place))
        return run, place

    def _run_among_equals(self, run: int, score: float, member: bytes) -> int:
        """The run in which a pair is, or would be, where the edge before ``run``, the last one it could be, has the
        same score."""
        edges = self._edge_scores
        first = 0 if edges[0] == score else bisect_left(edges, score, 0, run)
        return bisect_right(self._edge_members, member, first, run)

    def _take(self, run: int, place: int) -> tuple[bytes, float]:
        """Remove the pair at a place of a run."""
        members = self._members[run]
        pair = members.pop(place), self._scores[run].pop(place)
        self.size -= 1
        if self._blocks:
            self._blocks[run >> _BLOCK_BITS] -= 1
        if len(members) < _SHORTEST:
            self._join(run)
        return pair

    # Runs

    def _split(self, run: int) -> None:
        """Make two runs of one: of equal length, but where pairs come in order the left one stays almost full."""
        members, scores = self._members[run], self._scores[run]
        half = len(members) // 2 if run + 1 < len(self._members) else len(members) * 7 // 8
        self._members.insert(run + 1, members[half:])
        self._scores.insert(run + 1, scores[half:])
        self._edge_members.insert(run, members[half])
        self._edge_scores.insert(run, scores[half])
        del members[half:]
        del scores[half:]
        self._blocks = []

    def _join(self, run: int) -> None:
        """Put a short run and a neighbour together, if that does not get too long."""
        members = self._members
        for left in (run - 1, run):
            if 0 <= left < len(members) - 1 and len(members[left]) + len(members[left + 1]) <= LONGEST:
                members[left] += members.pop(left + 1)
                self._scores[left] += self._scores.pop(left + 1)
                del self._edge_members[left]
                del self._edge_scores[left]
                self._blocks = []
                return
        if not members[run]:
            self._drop(run, run + 1)

    # Ranks

    def _before(self, run: int) -> int:
        """How many pairs are in the runs before one."""
        block = run >> _BLOCK_BITS
        blocks = self._blocks or self._count()
        return sum(blocks[:block]) + sum(map(len, self._members[block << _BLOCK_BITS : run]))

    def _count(self) -> list[int]:
        """How many pairs are in each block of runs."""
        sizes = list(map(len, self._members))
        self._blocks = [sum(sizes[start : start + _BLOCK]) for start in range(0, len(sizes), _BLOCK)]
        return self._blocks

    def _locate(self, rank: int) -> tuple[int, int]:
        """The run and the place in it of the pair of a rank."""
        run = len(self._members) - 1
        place = rank - self.size + len(self._members[run])
        if place >= 0:
            return run, place
        if rank < len(self._members[0]):
            return 0, rank
        block, place = _find_part(self._blocks or self._count(), rank)
        first = block << _BLOCK_BITS
        run, place = _find_part(map(len, self._members[first : first + _BLOCK]), place)
        return first + run, place

    def below(self, score: float, or_equal: bool) -> int:
        """How many pairs have a lower score, or one that is not higher."""
        run, place = self._position(score, or_equal)
        return self._before(run) + place

    def _position(self, score: float, or_equal: bool) -> tuple[int, int]:
        """The run, and the place in it, behind all pairs that have a lower score, or one that is not higher."""
        bisect = bisect_right if or_equal else bisect_left
        run = bisect(self._edge_scores, score)
        return run, bisect(self._scores[run], score)

    def before(self, member: bytes, or_equal: bool) -> int:
        """How many pairs have a member that is less, or not greater, where all scores are equal."""
        bisect = bisect_right if or_equal else bisect_left
        run = bisect(self._edge_members, member)
        return self._before(run) + bisect(self._members[run], member)

    def has_one_score(self) -> bool:
        """Whether all scores are equal."""
        return self._scores[0][0] == self._scores[-1][-1]

    # Ranges

    def between(self, start: int, stop: int) -> tuple[list[bytes], array[float]]:
        """Members and scores of the pairs from a rank up to another one, which is greater and within the runs."""
        run, place = self._locate(start)
        count = stop - start
        return _gather(self._members, run, place, count), _gather(self._scores, run, place, count)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members alone."""
        return _gather(self._members, *self._locate(start), stop - start)

    def within(self, low: Bound, high: Bound, limit: int) -> tuple[list[bytes], array[float]]:
        """Members and scores of the first ``limit`` pairs between two bounds; all where that is below 0. No rank is
        needed for that."""
        run, place = self._position(*low)
        if limit < 0:
            limit = self.size
        elif limit:
            scores = self._scores[run][place : place + limit]
            if len(scores) == limit and scores[-1] < high[0]:  # a page: where the range ends does not matter
                return self._members[run][place : place + limit], scores
        last, end = self._position(high[0], not high[1])
        members: list[bytes] = []
        scores = array("d")
        while run <= last and len(members) < limit:
            stop = min(place + limit - len(members), end if run == last else LONGEST)
            members += self._members[run][place:stop]
            scores += self._scores[run][place:stop]
            run += 1
            place = 0
        return members, scores

    def gather(self, ranges: Iterable[tuple[float, float]]) -> tuple[list[bytes], array[float]]:
        """Members and scores of the pairs with scores from one up to below another, range by range."""
        edges, all_members, all_scores = self._edge_scores, self._members, self._scores
        members: list[bytes] = []
        scores = array("d")
        for low, high in ranges:
            run = bisect_left(edges, low)
            found = all_scores[run]
            place = bisect_left(found, low)
            if run < len(edges) and edges[run] < high:
                last = bisect_left(edges, high, run)
                while run < last:
                    members += all_members[run][place:]
                    scores += found[place:]
                    run += 1
                    place = 0
                    found = all_scores[run]
            end = bisect_left(found, high, place)
            if place < end:
                members += all_members[run][place:end]
                scores += found[place:end]
        return members, scores

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Remove the pairs from a rank up to another one, which is greater, but not all pairs. Returns the members."""
        run, place = self._locate(start)
        removed: list[bytes] = []
        left = stop - start
        empty = run + 1 if place else run
        while left:
            members = self._members[run]
            gone = members[place : place + left]
            del members[place : place + left]
            del self._scores[run][place : place + left]
            removed += gone
            left -= len(gone)
            run += 1
            place = 0
        self._drop(empty, run if not self._members[run - 1] else run - 1)
        self.size -= len(removed)
        return removed

    def _drop(self, first: int, end: int) -> None:
        """Take out runs that are empty, from one up to another."""
        self._blocks = []
        if first < end:
            edge = max(first - 1, 0)
            del self._members[first:end]
            del self._scores[first:end]
            del self._edge_members[edge : edge + end - first]
            del self._edge_scores[edge : edge + end - first]

    # As a part of a value

    def copy(self) -> Runs:
        """The same pairs, in containers of their own."""
        return Runs(list(self), array("d", self.scores()))

    def memory(self) -> int:
        """Bytes of everything but the members."""
        return 96 + _RUN_BYTES * len(self._members) + _PAIR_BYTES * self.size

    def free(self, budget: int) -> None:
        """Drop about ``budget`` pairs; nothing but this may be called any more."""
        while self._members and budget > 0:
            budget -= len(self._members.pop())
            self._scores.pop()

    def _check(self) -> None:
        """Assert that pairs are in order, in their runs, and counted."""
        assert self.size == sum(map(len, self._members)) == sum(map(len, self._scores))
        assert all(one < other for one, other in pairwise(zip(self.scores(), self, strict=True)))
        assert len(self._members) == len(self._scores) == len(self._edge_members) + 1 == len(self._edge_scores) + 1
        edges = list(zip(self._edge_scores, self._edge_members, strict=True))
        for number, (members, scores) in enumerate(zip(self._members, self._scores, strict=True)):
            assert 0 < len(members) == len(scores) <= LONGEST
            assert not number or edges[number - 1] <= (scores[0], members[0])
            assert number == len(edges) or (scores[-1], members[-1]) < edges[number]
        assert not self._blocks or self._blocks == self._count()


def _gather(runs: list[Run], run: int, place: int, count: int) -> Run:
    """``count`` elements from a place in a run on; there must be as many."""
    found = runs[run][place : place + count]
    while (left := count - len(found)) > 0:
        run += 1
        found += runs[run][:left]
    return found


def _find_part(sizes: Iterable[int], place: int) -> tuple[int, int]:
    """In which of the parts of these sizes a place is, and its place in that."""
    ends = list(accumulate(sizes))
    part = bisect_right(ends, place)
    return part, place - ends[part - 1] if part else place
