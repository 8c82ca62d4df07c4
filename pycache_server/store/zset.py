"""Sorted sets: members with scores, ordered by score and, where scores are equal, by the members' bytes.

A sorted set keeps two things: its members in order, and what knows the score of a member. Up to FEW members these are
a list and, parallel to it, an array of doubles; a member is searched for in the list, which takes 0.1 to 0.8 us instead
of 0.1 and saves half of the memory. With more members it turns into a LargeSortedSet: a dict
(table.py) from member to score, and Runs (runs.py) for the order. The change is one of class, in place, so that nothing
is tested for on the way.

Ranks count from 0. Scores are never NaN; 0.0 and -0.0 are equal. ``compact`` is whether Redis would keep the set as a
listpack: it does until an insertion finds the set too long or the member too long by the limits of that moment, and
takes it back only where *STORE makes a new set. Redis's listpack has no -0.0, so a compact set has 0.0 instead.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from pycache_server.store.runs import Bound, Runs
from pycache_server.store.scan import scan
from pycache_server.store.table import SMALL, Table, buckets_of, free_buckets, size_of_buckets
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

FEW = 64
"""Most members of a set without a dict."""
_FEW_AGAIN = 32
"""A set that has shrunk to this many members gives its dict up again."""
_NARROW = SMALL // 2
"""A set that has shrunk to this many members gives its Table up for a dict."""
_BORDERS = (_FEW_AGAIN, _NARROW)
"""A set that loses one member after the other comes past these."""
_OWN_BYTES = 64
_FLOAT_BYTES = 32


def in_order(scores: dict[bytes, float]) -> list[bytes]:
    """Members in the order of a sorted set."""
    members = sorted(scores)
    members.sort(key=scores.__getitem__)
    return members


def _by_member(members: Iterable[bytes], scores: Iterable[float]) -> dict[bytes, float] | Table:
    found = dict(zip(members, scores, strict=True))
    return found if len(found) <= SMALL else Table(found)


class SortedSet:
    """A sorted set of few members, or, as a LargeSortedSet, of many. Any change may exchange the class, so nobody may
    keep a bound method over one."""

    __slots__ = ("_order", "_scores", "_text", "compact")

    type_name = b"zset"

    def __init__(self) -> None:
        self._order: Any = []  # the members in order: a list, later Runs
        self._scores: Any = array("d")  # the score of each: parallel to them, later by member
        self._text = 0  # bytes of all members
        self.compact = True

    @classmethod
    def of(cls, scores: dict[bytes, float], limits: Encodings) -> SortedSet:
        """A set of these members, with the encoding that such a set has when it is made at once."""
        members = in_order(scores)
        return cls.of_ordered(members, list(map(scores.__getitem__, members)), limits)

    @classmethod
    def of_ordered(cls, members: list[bytes], scores: Iterable[float], limits: Encodings) -> SortedSet:
        """The same of members that are in order, and their scores."""
        made = SortedSet()
        made._order = members
        made._text = sum(map(bytes_of, members))
        made.compact = len(members) <= limits.zset_max_listpack_entries and (
            max(map(len, members), default=0) <= limits.zset_max_listpack_value
        )
        made._scores = array("d", [score + 0.0 for score in scores] if made.compact else scores)
        if len(members) > FEW:
            made._become_large()
        return made

    def _become_large(self) -> None:
        members, scores = self._order, self._scores
        self.__class__ = LargeSortedSet
        self._order, self._scores = Runs(members, scores), _by_member(members, scores)

    # What is there

    def __len__(self) -> int:
        return len(self._order)

    def is_empty(self) -> bool:
        """Whether there is no member; takes half of the time that ``len`` does."""
        return not self._order

    def __iter__(self) -> Iterator[bytes]:
        """The members in order."""
        return iter(self._order)

    def __contains__(self, member: object) -> bool:
        return member in self._order

    def items(self) -> Iterator[tuple[bytes, float]]:
        """Members and scores in order."""
        return zip(self._order, self._scores, strict=True)

    def score(self, member: bytes) -> float | None:
        """The score of a member; None where it is none."""
        members = self._order
        return self._scores[members.index(member)] if member in members else None

    def rank(self, member: bytes) -> int | None:
        """How many members are before this one; None where it is none."""
        members: list[bytes] = self._order
        return members.index(member) if member in members else None

    def below(self, score: float, or_equal: bool) -> int:
        """How many members have a lower score, or one that is not higher."""
        return (bisect_right if or_equal else bisect_left)(self._scores, score)

    def before(self, member: bytes, or_equal: bool) -> int:
        """How many members are less than this one, or not greater, where all scores are equal."""
        return (bisect_right if or_equal else bisect_left)(self._order, member)

    def has_one_score(self) -> bool:
        """Whether all scores are equal."""
        scores: array[float] = self._scores
        return scores[0] == scores[-1]

    def between(self, start: int, stop: int) -> tuple[list[bytes], array[float]]:
        """Members and scores from rank ``start`` up to ``stop``, which is greater and within the set."""
        return self._order[start:stop], self._scores[start:stop]

    def members(self, start: int, stop: int) -> list[bytes]:
        """The same without scores."""
        return self._order[start:stop]  # type: ignore[no-any-return]

    def within(self, low: Bound, high: Bound, limit: int) -> tuple[list[bytes], array[float]]:
        """The first ``limit`` members between two bounds, and their scores; all where that is below 0."""
        start, stop = self.below(*low), self.below(high[0], not high[1])
        if 0 <= limit < stop - start:
            stop = start + limit
        return self._order[start:stop], self._scores[start:stop]

    def gather(self, ranges: Iterable[tuple[float, float]]) -> tuple[list[bytes], array[float]]:
        """Members with scores from one up to below another, range by range, and their scores."""
        members: list[bytes] = []
        scores = array("d")
        for low, high in ranges:
            start = bisect_left(self._scores, low)
            stop = bisect_left(self._scores, high, start)
            members += self._order[start:stop]
            scores += self._scores[start:stop]
        return members, scores

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """The cursor to go on with, 0 at the end, and about ``count`` members from ``cursor`` on, with their scores;
        everything at once where the set is compact."""
        if self.compact:
            return 0, list(self.items())
        cursor, members = scan(*buckets_of(self._members()), cursor, count)
        return cursor, [(member, score) for member in members if (score := self.score(member)) is not None]

    def sort_elements(self) -> list[bytes]:
        """What SORT sorts: all members in their order. Redis takes a set out of its listpack for that, for good."""
        self.compact = False
        return list(self)

    def _members(self) -> Any:
        """A container of the members, in any order."""
        return self._order

    # Changes

    def put(self, member: bytes, score: float, limits: Encodings) -> float | None:
        """Give a member a score, a new one, too. Returns the score that it had, None where it is new."""
        members = self._order
        if member in members:
            index = members.index(member)
            old: float = self._scores[index]
            if old != score:
                self._change(index, score)
            return old
        self._text += len(member) + 48 & -16  # bytes_of, written out
        if self.compact:
            score = self._admit(len(members), member, score, limits)
        self._insert(member, score)
        if len(members) > FEW:
            self._become_large()
        return None

    def _admit(self, count: int, member: bytes, score: float, limits: Encodings) -> float:
        """A compact set of ``count`` members is about to get a new one: see whether it stays compact. Returns the score
        as the set will keep it."""
        if count < limits.zset_max_listpack_entries and len(member) <= limits.zset_max_listpack_value:
            return score + 0.0
        self.compact = False
        return score

    def _change(self, index: int, score: float) -> None:
        """Give another score to the member at a place."""
        scores = self._scores
        if self.compact:
            score += 0.0
        end = len(scores) - 1
        if (not index or scores[index - 1] < score) and (index == end or score < scores[index + 1]):
            scores[index] = score
        else:
            del scores[index]
            self._insert(self._order.pop(index), score)

    def _insert(self, member: bytes, score: float) -> None:
        members, scores = self._order, self._scores
        index = bisect_right(scores, score)
        if index and scores[index - 1] == score:
            index = bisect_left(members, member, bisect_left(scores, score, 0, index), index)
        members.insert(index, member)
        scores.insert(index, score)

    def remove(self, member: bytes) -> bool:
        """Remove a member. Whether it was there."""
        members = self._order
        if member not in members:
            return False
        index = members.index(member)
        del members[index]
        del self._scores[index]
        self._text -= bytes_of(member)
        return True

    def pop(self, last: bool) -> tuple[bytes, float]:
        """Remove the first member, or the last one, of a set that is not empty."""
        place = -1 if last else 0
        member: bytes = self._order.pop(place)
        self._text -= len(member) + 48 & -16
        return member, self._scores.pop(place)

    def cut(self, start: int, stop: int) -> None:
        """Remove the members from rank ``start`` up to ``stop``, which is greater, but not all."""
        self._text -= sum(map(bytes_of, self._order[start:stop]))
        del self._order[start:stop]
        del self._scores[start:stop]

    # What every value can do (value.py)

    def encoding(self, limits: Encodings) -> bytes:
        return b"listpack" if self.compact else b"skiplist"

    def memory(self) -> int:
        return _OWN_BYTES + self._text + getsizeof(self._order) + getsizeof(self._scores)

    def free(self, budget: int) -> int:
        count = len(self._order)
        self._order.clear()
        return count

    def copy(self) -> SortedSet:
        twin = SortedSet()
        twin._order, twin._scores = self._order.copy(), self._scores[:]
        twin._text, twin.compact = self._text, self.compact
        return twin

    def digest_parts(self) -> Iterable[tuple[bytes, bytes]]:
        return ((member, b"%.17g" % score) for member, score in self.items())

    def _check(self) -> None:
        members, scores = self._order, self._scores
        assert len(members) == len(scores) <= FEW and len(set(members)) == len(members)
        assert all(one < other for one, other in pairwise(zip(scores, members, strict=True)))
        assert self._text == sum(map(bytes_of, members))


class LargeSortedSet(SortedSet):
    """A sorted set of many members; it turns back when only few are left."""

    __slots__ = ()

    def _become_small(self) -> None:
        order = self._order
        self.__class__ = SortedSet  # type: ignore[assignment]
        self._order, self._scores = list(order), array("d", order.scores())

    def __len__(self) -> int:
        return self._order.size  # type: ignore[no-any-return]

    def is_empty(self) -> bool:
        return not self._order.size

    def __contains__(self, member: object) -> bool:
        return member in self._scores

    def items(self) -> Iterator[tuple[bytes, float]]:
        return zip(self._order, self._order.scores(), strict=True)

    def score(self, member: bytes) -> float | None:
        return self._scores.get(member)  # type: ignore[no-any-return]

    def rank(self, member: bytes) -> int | None:
        score = self._scores.get(member)
        return None if score is None else self._order.rank(score, member)

    def below(self, score: float, or_equal: bool) -> int:
        return self._order.below(score, or_equal)  # type: ignore[no-any-return]

    def before(self, member: bytes, or_equal: bool) -> int:
        return self._order.before(member, or_equal)  # type: ignore[no-any-return]

    def has_one_score(self) -> bool:
        return self._order.has_one_score()  # type: ignore[no-any-return]

    def between(self, start: int, stop: int) -> tuple[list[bytes], array[float]]:
        return self._order.between(start, stop)  # type: ignore[no-any-return]

    def members(self, start: int, stop: int) -> list[bytes]:
        return self._order.members(start, stop)  # type: ignore[no-any-return]

    def within(self, low: Bound, high: Bound, limit: int) -> tuple[list[bytes], array[float]]:
        return self._order.within(low, high, limit)  # type: ignore[no-any-return]

    def gather(self, ranges: Iterable[tuple[float, float]]) -> tuple[list[bytes], array[float]]:
        return self._order.gather(ranges)  # type: ignore[no-any-return]

    def _members(self) -> Any:
        return self._scores

    def put(self, member: bytes, score: float, limits: Encodings) -> float | None:
        known, order = self._scores, self._order
        bucket = known if type(known) is dict else known.bucket(member)
        old: float | None = bucket.get(member)
        if old is None:
            self._text += len(member) + 48 & -16
            if self.compact:
                score = self._admit(order.size, member, score, limits)
            if bucket is known and order.size == SMALL:
                known = self._scores = Table(known)
            known[member] = score
            order.add(score, member)
        elif old != score:
            if self.compact:
                score += 0.0
            bucket[member] = score
            order.move(old, score, member)
        return old

    def remove(self, member: bytes) -> bool:
        order = self._order
        score = self._scores.pop(member, None)
        if score is None:
            return False
        order.remove(score, member)
        self._text -= bytes_of(member)
        if order.size in _BORDERS:
            self._narrow()
        return True

    def pop(self, last: bool) -> tuple[bytes, float]:
        order = self._order
        pair: tuple[bytes, float] = order.pop(last)
        member = pair[0]
        self._scores.pop(member)
        self._text -= len(member) + 48 & -16
        if order.size in _BORDERS:
            self._narrow()
        return pair

    def cut(self, start: int, stop: int) -> None:
        order = self._order
        removed = order.cut(start, stop)
        self._text -= sum(map(bytes_of, removed))
        if 2 * len(removed) > order.size:  # then making a table takes less time than emptying one
            self._scores = _by_member(order, order.scores())
        else:
            forget = self._scores.pop
            for member in removed:
                forget(member)
        self._narrow()

    def _narrow(self) -> None:
        """Members have gone: give up room that is no longer needed."""
        size = self._order.size
        if size <= _FEW_AGAIN:
            self._become_small()
        elif size <= _NARROW and type(self._scores) is Table:
            self._scores = dict(self._scores.items())

    def memory(self) -> int:
        own = _OWN_BYTES + self._text + _FLOAT_BYTES * len(self)
        return own + size_of_buckets(self._scores) + self._order.memory()  # type: ignore[no-any-return]

    def free(self, budget: int) -> int:
        order = self._order
        order.free(budget)
        freed = free_buckets(self._scores, budget)
        order.size -= freed
        return freed

    def copy(self) -> SortedSet:
        twin = SortedSet()
        twin.__class__ = LargeSortedSet
        twin._order, twin._scores = self._order.copy(), self._scores.copy()
        twin._text, twin.compact = self._text, self.compact
        return twin

    def _check(self) -> None:
        self._order._check()
        assert dict(self.items()) == dict(self._scores.items()) and len(self) == len(self._scores)
        assert self._text == sum(map(bytes_of, self))
        if isinstance(self._scores, Table):
            self._scores._check()
        else:
            assert len(self) <= SMALL
