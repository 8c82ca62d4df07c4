"""Sorted sets: members, scores and ranks.

Contents: ZADD ZCARD ZINCRBY ZMSCORE ZRANDMEMBER ZRANK ZREM ZREVRANK ZSCAN ZSCORE. Ranges are in zset_ranges.py, what
takes from an end in zset_pops.py, unions and their like in zset_algebra.py. The value itself is store/zset.py.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from pycache_server.commands.args import draws, integer_in, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.generic import scan_cursor, scan_options
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.errors import BadSyntax, NotAFloat, RedisError, WrongType, wrong_arity
from pycache_server.resp.encode import NULL_ARRAY, Scored, format_double
from pycache_server.store.database import Database
from pycache_server.store.events import DEL, ZSET, Event
from pycache_server.store.glob import compile_glob
from pycache_server.store.numbers import INT_MAX, parse_float
from pycache_server.store.zset import SortedSet

T = TypeVar("T")

family = Family("sorted-set")
command = family.command

ADDED = Event(ZSET, b"zadd")
INCREMENTED = Event(ZSET, b"zincr")
REMOVED = Event(ZSET, b"zrem")


# What all sorted set commands share


def read_zset(session: Context, key: bytes) -> SortedSet | None:
    """The sorted set at a key, or None. Counts as a read.

    Raises WrongType.
    """
    value = session.db.read(key)
    return value if isinstance(value, SortedSet) else in_place_of_zset(value, None)


def find_zset(session: Context, key: bytes) -> SortedSet | None:
    """The same for a write: counts as no read."""
    value = session.db.find(key)
    return value if isinstance(value, SortedSet) else in_place_of_zset(value, None)


def in_place_of_zset(value: Any, reply: T) -> T:
    """``reply`` where there is no value; for commands that look for a sorted set themselves, to spare a call.

    Raises WrongType.
    """
    if value is None:
        return reply
    raise WrongType


def has_shrunk(db: Database, key: bytes, zset: SortedSet, event: Event, count: int) -> None:
    """Tell that ``count`` members have been removed, and remove a set that is empty."""
    if zset.is_empty():
        db.touched(key, event, count - 1)
        db.delete(key, DEL)
    else:
        db.touched(key, event, count)


def remove_ranks(db: Database, key: bytes, zset: SortedSet, start: int, stop: int, event: Event) -> None:
    """Remove the members of ranks ``start`` up to ``stop``, which is greater, tell it, and remove a set that is
    empty then."""
    if stop - start < len(zset):
        zset.cut(start, stop)
        db.touched(key, event, stop - start)
    else:
        db.touched(key, event, stop - start - 1)
        db.delete(key, DEL)  # whole, so that a big one is freed in slices


# ZADD


@command(
    "ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="1.2.0",
    complexity="O(log(N)) for each member, N = members of the set",
    keys="RW UPDATE",
)
def zadd(session: Context, argv: list[bytes]) -> Any:
    """Give members a score, new ones, too; the options make it conditional or an increment."""
    if len(argv) == 4 and (score := parse_float(argv[2])) is not None:
        _, key, _, member = argv
        db = session.db
        zset = db.find(key)
        if isinstance(zset, SortedSet):
            old = zset.put(member, score, session.keyspace.encodings)
            if old == score:
                return 0
            db.touched(key, ADDED)
            return 1 if old is None else 0
        zset = in_place_of_zset(zset, SortedSet())
        zset.put(member, score, session.keyspace.encodings)
        db.put(key, zset, ADDED)
        return 1
    return _add(session, argv, set())


@command(
    "ZINCRBY key increment member",
    WRITE,
    DENYOOM,
    FAST,
    since="1.2.0",
    complexity="O(log(N)), N = members of the set",
    keys="RW ACCESS UPDATE",
)
def zincrby(session: Context, argv: list[bytes]) -> Any:
    """Add to the score of a member; one that is not there has 0."""
    delta = parse_float(argv[2])
    if delta is None:
        return _add(session, argv, {b"INCR"})
    return _increment(session, argv[1], argv[3], delta, _NO_OPTIONS)


_OPTIONS = frozenset((b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"))
_CONDITIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))
_NO_OPTIONS: frozenset[bytes] = frozenset()


def _add(session: Context, argv: list[bytes], options: set[bytes]) -> Any:
    position = 2
    while position < len(argv) and (option := option_of(argv[position])) in _OPTIONS:
        options.add(option)
        position += 1
    members = argv[position + 1 :: 2]
    if not members or (len(argv) - position) % 2:
        raise BadSyntax
    _check_options(options, len(members))
    scores: list[Any] = list(map(parse_float, argv[position::2]))
    if None in scores:
        raise NotAFloat
    if b"INCR" in options:
        return _increment(session, argv[1], members[0], scores[0], options)
    return add_all(session, argv[1], members, scores, options)


def _check_options(options: set[bytes], pairs: int) -> None:
    if options >= {b"NX", b"XX"}:
        raise RedisError(b"ERR XX and NX options at the same time are not compatible")
    if len(options & {b"NX", b"GT", b"LT"}) > 1:
        raise RedisError(b"ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in options and pairs > 1:
        raise RedisError(b"ERR INCR option supports a single increment-element pair")


def add_all(session: Context, key: bytes, members: list[bytes], scores: list[float], options: set[bytes]) -> int:
    """Give members their scores under the options of ZADD. How many are new, or with CH are new or have another score.

    Raises WrongType.
    """
    zset = found = find_zset(session, key)
    limits = session.keyspace.encodings
    if zset is None:
        if b"XX" in options:
            return 0
        zset = SortedSet()
    if len(members) > limits.zset_max_listpack_entries:
        zset.compact = False  # even if they are all there already
    conditions = options & _CONDITIONS
    added = updated = 0
    for member, score in zip(members, scores, strict=True):
        if conditions and not _allowed(conditions, zset.score(member), score):
            continue
        old = zset.put(member, score, limits)
        if old is None:
            added += 1
        elif old != score:
            updated += 1
    changed = added + updated
    if found is None:
        session.db.put(key, zset, ADDED)
        session.db.dirty += changed - 1
    elif changed:
        session.db.touched(key, ADDED, changed)
    return changed if b"CH" in options else added


def _allowed(conditions: AbstractSet[bytes], old: float | None, score: float) -> bool:
    """Whether conditions allow a member to get this score."""
    if old is None:
        return b"XX" not in conditions
    if b"NX" in conditions or (b"GT" in conditions and score <= old):
        return False
    return not (b"LT" in conditions and score >= old)


def _increment(session: Context, key: bytes, member: bytes, delta: float, options: AbstractSet[bytes]) -> float | None:
    db = session.db
    zset = found = db.find(key)
    if not isinstance(zset, SortedSet):
        zset = in_place_of_zset(found, SortedSet())
    old = zset.score(member)
    score = delta if old is None else old + delta
    if options and not _allowed(options, old, score):
        return None
    if score != score:
        raise RedisError(b"ERR resulting score is not a number (NaN)")
    if score != old:
        zset.put(member, score, session.keyspace.encodings)
        if found is None:
            db.put(key, zset, INCREMENTED)
        else:
            db.touched(key, INCREMENTED)
    return score


@command(
    "ZREM key member [member ...]",
    WRITE,
    FAST,
    since="1.2.0",
    complexity="O(M*log(N)), N = members of the set, M = members to remove",
    keys="RW DELETE",
)
def zrem(session: Context, argv: list[bytes]) -> int:
    """Remove members."""
    zset = find_zset(session, argv[1])
    if zset is None:
        return 0
    removed = 0
    for member in argv[2:]:
        removed += zset.remove(member)
    if removed:
        has_shrunk(session.db, argv[1], zset, REMOVED, removed)
    return removed


# Scores and ranks


@command("ZCARD key", READONLY, FAST, since="1.2.0", keys="RO")
def zcard(session: Context, argv: list[bytes]) -> int:
    """Count the members."""
    zset = read_zset(session, argv[1])
    return 0 if zset is None else len(zset)


@command("ZSCORE key member", READONLY, FAST, since="1.2.0", keys="RO ACCESS")
def zscore(session: Context, argv: list[bytes]) -> float | None:
    """Return the score of a member."""
    zset = session.db.read(argv[1])
    return zset.score(argv[2]) if isinstance(zset, SortedSet) else in_place_of_zset(zset, None)


@command(
    "ZMSCORE key member [member ...]",
    READONLY,
    FAST,
    since="6.2.0",
    complexity="O(M), M = members asked for",
    keys="RO ACCESS",
)
def zmscore(session: Context, argv: list[bytes]) -> list[float | None]:
    """Return the scores of members."""
    zset = read_zset(session, argv[1])
    return [None] * (len(argv) - 2) if zset is None else list(map(zset.score, argv[2:]))


@command(
    "ZRANK key member [WITHSCORE]",
    READONLY,
    FAST,
    since="2.0.0",
    complexity="O(log(N)), N = members of the set",
    keys="RO ACCESS",
)
def zrank(session: Context, argv: list[bytes]) -> Any:
    """Return how many members have a lower score, or the same and come before."""
    return _rank(session, argv, b"zrank", False)


@command(
    "ZREVRANK key member [WITHSCORE]",
    READONLY,
    FAST,
    since="2.0.0",
    complexity="O(log(N)), N = members of the set",
    keys="RO ACCESS",
)
def zrevrank(session: Context, argv: list[bytes]) -> Any:
    """Return how many members have a higher score, or the same and come behind."""
    return _rank(session, argv, b"zrevrank", True)


def _rank(session: Context, argv: list[bytes], name: bytes, reverse: bool) -> Any:
    with_score = len(argv) > 3
    if len(argv) > 4:
        raise wrong_arity(name)
    if with_score and option_of(argv[3]) != b"WITHSCORE":
        raise BadSyntax
    zset = read_zset(session, argv[1])
    rank = None if zset is None else zset.rank(argv[2])
    if zset is None or rank is None:
        return NULL_ARRAY if with_score else None
    if reverse:
        rank = len(zset) - 1 - rank
    return [rank, zset.score(argv[2])] if with_score else rank


# Walks and samples


@command(
    "ZSCAN key cursor [MATCH pattern] [COUNT count]",
    READONLY,
    since="2.8.0",
    complexity="O(1) for every call, O(N) for all of them, N = members of the set",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def zscan(session: Context, argv: list[bytes]) -> list[Any]:
    """Go through all members with their scores, some at a time."""
    cursor = scan_cursor(argv[2])
    zset = read_zset(session, argv[1])
    if zset is None:
        return [b"0", []]
    pattern, count, _ = scan_options(argv, 3)
    cursor, pairs = zset.scan(cursor, count)
    if pattern is not None:
        matches = compile_glob(pattern)
        pairs = [pair for pair in pairs if matches(pair[0])]
    flat: list[bytes] = []
    for member, score in pairs:
        flat += (member, format_double(score) if zset.compact else b"%.17g" % score)
    return [b"%d" % cursor, flat]


@command(
    "ZRANDMEMBER key [count [WITHSCORES]]",
    READONLY,
    since="6.2.0",
    complexity="O(M*log(N)), N = members of the set, M = members returned",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def zrandmember(session: Context, argv: list[bytes]) -> Any:
    """Return random members: different ones, or as many as are asked for where that is a negative number."""
    choose = session.keyspace.choose
    if len(argv) == 2:
        zset = read_zset(session, argv[1])
        return None if zset is None else _pick(zset, choose(len(zset)))[0]
    count = integer_in(argv[2], -INT_MAX, INT_MAX)
    with_scores = len(argv) == 4
    if len(argv) > 4 or (with_scores and option_of(argv[3]) != b"WITHSCORES"):
        raise BadSyntax
    if with_scores and not -(INT_MAX // 2) <= count <= INT_MAX // 2:
        raise RedisError(b"ERR value is out of range")
    zset = read_zset(session, argv[1])
    if zset is None or not count:
        return []
    if count >= len(zset):
        members, scores = zset.between(0, len(zset))
        return Scored(members, scores) if with_scores else members
    ranks = _different(len(zset), count, choose) if count > 0 else [choose(len(zset)) for _ in range(draws(count))]
    if len(ranks) > len(zset):
        picked = list(map(list(zip(*zset.between(0, len(zset)), strict=True)).__getitem__, ranks))
    else:
        picked = [_pick(zset, rank) for rank in ranks]
    members = [member for member, _ in picked]
    return Scored(members, [score for _, score in picked]) if with_scores else members


def _pick(zset: SortedSet, rank: int) -> tuple[bytes, float]:
    members, scores = zset.between(rank, rank + 1)
    return members[0], scores[0]


def _different(limit: int, count: int, choose: Callable[[int], int]) -> list[int]:
    """``count`` different integers below ``limit``; every choice of them is equally likely."""
    found: set[int] = set()
    for bound in range(limit - count, limit):  # Floyd's sampling
        drawn = choose(bound + 1)
        found.add(bound if drawn in found else drawn)
    return list(found)
