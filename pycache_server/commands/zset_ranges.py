"""Ranges of sorted sets: by rank, by score, by member.

Contents: ZCOUNT ZLEXCOUNT ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE
ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE.

Every range becomes one of ranks, ``start`` to ``stop`` as in a slice, in the order of the set; what is reversed is
reversed at the end. A range has a kind: how its two bounds are read, and how they are found in a set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pycache_server.commands.args import index_range, integer, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE
from pycache_server.commands.zsets import command, find_zset, in_place_of_zset, read_zset, remove_ranks
from pycache_server.errors import BadSyntax, RedisError
from pycache_server.resp.encode import EMPTY_ARRAY, Scored
from pycache_server.store.events import DEL, ZSET, Event
from pycache_server.store.numbers import parse_float_leniently
from pycache_server.store.runs import Bound
from pycache_server.store.zset import SortedSet

STORED = Event(ZSET, b"zrangestore")
Ranks = tuple[int, int]


class Kind(NamedTuple):
    """``parse`` reads a bound, ``find`` gives the ranks between two of them."""

    parse: Callable[[bytes], Any]
    find: Callable[[SortedSet, Any, Any], Ranks]


# By rank: a bound is an index, negative ones count from the end


def _find_ranks(zset: SortedSet, start: int, stop: int) -> Ranks:
    return index_range(start, stop, len(zset))


# By score: a bound is a number, and whether it is excluded


_UNBOUNDED: dict[bytes, Bound] = {b"-inf": (float("-inf"), False), b"+inf": (float("inf"), False)}
"""The usual spellings: a look-up takes a tenth of the time that parsing does."""


def _parse_score(text: bytes) -> Bound:
    if text in _UNBOUNDED:
        return _UNBOUNDED[text]
    excluded = text[:1] == b"("
    value = parse_float_leniently(text[1:] if excluded else text)
    if value is None:
        raise RedisError(b"ERR min or max is not a float")
    return value, excluded


def _find_scores(zset: SortedSet, low: Bound, high: Bound) -> Ranks:
    return zset.below(*low), zset.below(high[0], not high[1])


# By member: a bound is a side, a text, and whether it is excluded; a side but 0 is before or behind everything

Lex = tuple[int, bytes, bool]


def _parse_lex(text: bytes) -> Lex:
    first = text[:1]
    if first in (b"[", b"("):
        return 0, text[1:], first == b"("
    if first in (b"-", b"+") and text[1:2] in (b"", b"\0"):
        return (1 if first == b"+" else -1), b"", True
    raise RedisError(b"ERR min or max not valid string range item")


def _find_lex(zset: SortedSet, low: Lex, high: Lex) -> Ranks:
    if _is_out_of_order(zset):
        return _find_lex_as_listpack(zset, low, high, 0, False)
    return _lex_rank(zset, low, low[2]), _lex_rank(zset, high, not high[2])


def _is_out_of_order(zset: SortedSet) -> bool:
    """Whether a listpack's members are not ordered by themselves."""
    return zset.compact and not zset.has_one_score()


def _lex_rank(zset: SortedSet, bound: Lex, or_equal: bool) -> int:
    side, text, _ = bound
    if side:
        return 0 if side < 0 else len(zset)
    return zset.before(text, or_equal)


def _find_lex_as_listpack(zset: SortedSet, low: Lex, high: Lex, offset: int, reverse: bool) -> Ranks:
    """A range by member means nothing where scores differ. Redis's way through a listpack gives it a meaning all the
    same, which depends on the direction: from the first member within the bound that is met first, or ``offset``
    members behind it, to the first one beyond the other bound."""

    def is_from_low(member: bytes) -> bool:
        return (member > low[1] if low[2] else member >= low[1]) if not low[0] else low[0] < 0

    def is_up_to_high(member: bytes) -> bool:
        return (member < high[1] if high[2] else member <= high[1]) if not high[0] else high[0] > 0

    members = list(zset)
    count = len(members)
    enters, goes_on = is_from_low, is_up_to_high
    if reverse:
        members.reverse()
        enters, goes_on = goes_on, enters
    is_empty = low[:2] > high[:2] or (low[:2] == high[:2] and (low[2] or high[2]))
    if is_empty or not enters(members[-1]) or not goes_on(members[0]):
        return 0, 0
    start = next(place for place, member in enumerate(members) if enters(member))
    if not goes_on(members[start]):
        return 0, 0
    start = stop = start + offset if 0 <= offset < count - start else count
    while stop < count and goes_on(members[stop]):
        stop += 1
    return (count - stop, count - start) if reverse else (start, stop)


RANK = Kind(integer, _find_ranks)
SCORE = Kind(_parse_score, _find_scores)
LEX = Kind(_parse_lex, _find_lex)


# Reading


Query = tuple[Kind, bool, int, int, bool]
"""What the options of a range ask for: of which kind it is, whether it is reversed, the offset and the limit, which is
none where it is below 0, and whether scores are wanted."""
_WORDS = frozenset((b"BYLEX", b"BYSCORE", b"LIMIT", b"REV", b"WITHSCORES"))


def _parse_options(
    argv: list[bytes], position: int, kind: Kind | None, reverse: bool | None, store: bool = False
) -> Query:
    """The options from a position on. ``kind`` and ``reverse`` are None where they may be decided once."""
    offset, limit, with_scores = 0, -1, False
    end = len(argv)
    while position < end:
        option = argv[position]
        if option not in _WORDS:
            option = option_of(option)
        position += 1
        if option == b"WITHSCORES" and not store:
            with_scores = True
        elif option == b"LIMIT" and position + 2 <= end:
            offset, limit = integer(argv[position]), integer(argv[position + 1])
            position += 2
        elif option == b"REV" and reverse is None:
            reverse = True
        elif option == b"BYLEX" and kind is None:
            kind = LEX
        elif option == b"BYSCORE" and kind is None:
            kind = SCORE
        else:
            raise BadSyntax
    if limit != -1 and kind in (None, RANK):
        raise RedisError(b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if with_scores and kind is LEX:
        raise RedisError(b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    return kind or RANK, bool(reverse), offset, limit, with_scores


def _fetch(session: Context, argv: list[bytes], position: int, query: Query) -> tuple[list[bytes], Any]:
    """Members and scores that ``key min max`` at a position and a query select, in the order of the query."""
    kind, reverse, offset, limit, _ = query
    key, first, second = argv[position : position + 3]
    if reverse and kind is not RANK:
        first, second = second, first
    parse = kind.parse
    low, high = parse(first), parse(second)
    zset = session.db.read(key)
    if not isinstance(zset, SortedSet):
        return in_place_of_zset(zset, ([], ()))
    if kind is SCORE and not reverse and not offset:
        return zset.within(low, high, limit)
    start, stop = _select(zset, query, low, high)
    if start >= stop:
        return [], ()
    members, scores = zset.between(start, stop)
    if reverse:
        members.reverse()
        scores.reverse()
    return members, scores


def _select(zset: SortedSet, query: Query, low: Any, high: Any) -> Ranks:
    kind, reverse, offset, limit, _ = query
    if kind is RANK:
        return _find_ranks(zset, -1 - high, -1 - low) if reverse else _find_ranks(zset, low, high)
    if kind is LEX and _is_out_of_order(zset):
        start, stop = _find_lex_as_listpack(zset, low, high, offset, reverse)
        offset = 0
    else:
        start, stop = kind.find(zset, low, high)
    size = stop - start
    if offset < 0:  # a listpack is walked to its end, a skiplist counts from there
        offset = size if zset.compact else size + offset
    if not 0 <= offset < size:
        return 0, 0
    count = size - offset if limit < 0 else min(limit, size - offset)
    if reverse:
        return stop - offset - count, stop - offset
    return start + offset, start + offset + count


def _reply(session: Context, argv: list[bytes], kind: Kind | None = None, reverse: bool | None = None) -> Any:
    query = _parse_options(argv, 4, kind, reverse)
    members, scores = _fetch(session, argv, 1, query)
    with_scores = query[-1]
    return Scored(members, scores) if with_scores else members


_RANGE = "O(log(N)+M), N = members of the set, M = members returned"


@command(
    "ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    READONLY,
    since="1.2.0",
    complexity=_RANGE,
    keys="RO ACCESS",
)
def zrange(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of ranks, scores or members, in either direction."""
    if len(argv) == 4:
        low, high = integer(argv[2]), integer(argv[3])
        zset = session.db.read(argv[1])
        if isinstance(zset, SortedSet):
            start, stop = index_range(low, high, len(zset))
            return zset.members(start, stop) if start < stop else EMPTY_ARRAY
        return in_place_of_zset(zset, EMPTY_ARRAY)
    return _reply(session, argv)


@command("ZREVRANGE key start stop [WITHSCORES]", READONLY, since="1.2.0", complexity=_RANGE, keys="RO ACCESS")
def zrevrange(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of ranks, counted from the highest score."""
    return _reply(session, argv, RANK, True)


@command(
    "ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]",
    READONLY,
    since="1.0.5",
    complexity=_RANGE,
    keys="RO ACCESS",
)
def zrangebyscore(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of scores."""
    return _reply(session, argv, SCORE, False)


@command(
    "ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]",
    READONLY,
    since="2.2.0",
    complexity=_RANGE,
    keys="RO ACCESS",
)
def zrevrangebyscore(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of scores, the highest first."""
    return _reply(session, argv, SCORE, True)


@command("ZRANGEBYLEX key min max [LIMIT offset count]", READONLY, since="2.8.9", complexity=_RANGE, keys="RO ACCESS")
def zrangebylex(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of members, of a set in which all have the same score."""
    return _reply(session, argv, LEX, False)


@command(
    "ZREVRANGEBYLEX key max min [LIMIT offset count]", READONLY, since="2.8.9", complexity=_RANGE, keys="RO ACCESS"
)
def zrevrangebylex(session: Context, argv: list[bytes]) -> Any:
    """Return the members in a range of members, the greatest first, of a set in which all have the same score."""
    return _reply(session, argv, LEX, True)


@command(
    "ZRANGESTORE destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    WRITE,
    DENYOOM,
    since="6.2.0",
    complexity="O(log(N)+M), N = members of the source, M = members stored",
    keys="OW UPDATE;RO ACCESS",
)
def zrangestore(session: Context, argv: list[bytes]) -> int:
    """Store the members in a range, as ZRANGE takes it, under another key."""
    _, reverse, _, _, _ = query = _parse_options(argv, 5, None, None, store=True)
    members, scores = _fetch(session, argv, 2, query)
    if not members:
        session.db.delete(argv[1], DEL)
        return 0
    if reverse:
        members.reverse()
        scores.reverse()
    count = len(members)
    session.db.put(argv[1], SortedSet.of_ordered(members, scores, session.keyspace.encodings), STORED)
    return count


@command(
    "ZCOUNT key min max",
    READONLY,
    FAST,
    since="2.0.0",
    complexity="O(log(N)), N = members of the set",
    keys="RO ACCESS",
)
def zcount(session: Context, argv: list[bytes]) -> int:
    """Count the members in a range of scores."""
    return _count(session, argv, SCORE)


@command(
    "ZLEXCOUNT key min max",
    READONLY,
    FAST,
    since="2.8.9",
    complexity="O(log(N)), N = members of the set",
    keys="RO ACCESS",
)
def zlexcount(session: Context, argv: list[bytes]) -> int:
    """Count the members in a range of members, of a set in which all have the same score."""
    return _count(session, argv, LEX)


def _count(session: Context, argv: list[bytes], kind: Kind) -> int:
    low, high = kind.parse(argv[2]), kind.parse(argv[3])
    zset = read_zset(session, argv[1])
    if zset is None:
        return 0
    start, stop = kind.find(zset, low, high)
    return max(stop - start, 0)


# Removing

_REMOVE = "O(log(N)+M), N = members of the set, M = members removed"
RANKS_REMOVED = Event(ZSET, b"zremrangebyrank")
SCORES_REMOVED = Event(ZSET, b"zremrangebyscore")
LEX_REMOVED = Event(ZSET, b"zremrangebylex")


@command("ZREMRANGEBYRANK key start stop", WRITE, since="2.0.0", complexity=_REMOVE, keys="RW DELETE")
def zremrangebyrank(session: Context, argv: list[bytes]) -> int:
    """Remove the members in a range of ranks."""
    return _remove(session, argv, RANK, RANKS_REMOVED)


@command("ZREMRANGEBYSCORE key min max", WRITE, since="1.2.0", complexity=_REMOVE, keys="RW DELETE")
def zremrangebyscore(session: Context, argv: list[bytes]) -> int:
    """Remove the members in a range of scores."""
    return _remove(session, argv, SCORE, SCORES_REMOVED)


@command("ZREMRANGEBYLEX key min max", WRITE, since="2.8.9", complexity=_REMOVE, keys="RW DELETE")
def zremrangebylex(session: Context, argv: list[bytes]) -> int:
    """Remove the members in a range of members, of a set in which all have the same score."""
    return _remove(session, argv, LEX, LEX_REMOVED)


def _remove(session: Context, argv: list[bytes], kind: Kind, event: Event) -> int:
    key = argv[1]
    low, high = kind.parse(argv[2]), kind.parse(argv[3])
    zset = find_zset(session, key)
    if zset is None:
        return 0
    start, stop = kind.find(zset, low, high)
    if start >= stop:
        return 0
    remove_ranks(session.db, key, zset, start, stop, event)
    return stop - start
