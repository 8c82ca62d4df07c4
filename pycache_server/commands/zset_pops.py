"""Taking members from an end of sorted sets, and waiting for some to come.

Contents: BZMPOP BZPOPMAX BZPOPMIN ZMPOP ZPOPMAX ZPOPMIN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pycache_server.commands.args import Options, integer_in, positive, timeout_seconds
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.effects import of_bzmpop, of_bzpopmax, of_bzpopmin, of_zmpop
from pycache_server.commands.registry import BLOCKING, FAST, NOSCRIPT, WRITE
from pycache_server.commands.zsets import command, find_zset, has_shrunk, in_place_of_zset, remove_ranks
from pycache_server.errors import BadSyntax
from pycache_server.resp.encode import EMPTY_ARRAY, NULL_ARRAY, Scored
from pycache_server.store.events import ZSET, Event
from pycache_server.store.numbers import INT_MAX
from pycache_server.store.zset import SortedSet

MIN_POPPED = Event(ZSET, b"zpopmin")
MAX_POPPED = Event(ZSET, b"zpopmax")


@command(
    "ZPOPMIN key [count]",
    WRITE,
    FAST,
    since="5.0.0",
    complexity="O(M*log(N)), N = members of the set, M = members removed",
    keys="RW ACCESS DELETE",
)
def zpopmin(session: Context, argv: list[bytes]) -> Any:
    """Remove and return the members with the lowest scores."""
    return _pop_one(session, argv[1], False) if len(argv) == 2 else _pop_some(session, argv, False)


@command(
    "ZPOPMAX key [count]",
    WRITE,
    FAST,
    since="5.0.0",
    complexity="O(M*log(N)), N = members of the set, M = members removed",
    keys="RW ACCESS DELETE",
)
def zpopmax(session: Context, argv: list[bytes]) -> Any:
    """Remove and return the members with the highest scores."""
    return _pop_one(session, argv[1], True) if len(argv) == 2 else _pop_some(session, argv, True)


def _pop_one(session: Context, key: bytes, last: bool) -> Any:
    """Remove the first or last member of the sorted set at a key: it and its score, or EMPTY_ARRAY."""
    db = session.db
    zset = db.find(key)
    if not isinstance(zset, SortedSet):
        return in_place_of_zset(zset, EMPTY_ARRAY)
    popped = zset.pop(last)
    event = MAX_POPPED if last else MIN_POPPED
    if zset.is_empty():
        has_shrunk(db, key, zset, event, 1)
    else:
        db.touched(key, event)
    return popped


def _pop_some(session: Context, argv: list[bytes], last: bool) -> Any:
    if len(argv) > 3:
        raise BadSyntax
    count = positive(argv[2])
    zset = find_zset(session, argv[1])
    if zset is None or not count:
        return EMPTY_ARRAY
    return Scored(*_pop(session, argv[1], zset, last, count))


def _pop(session: Context, key: bytes, zset: SortedSet, last: bool, count: int) -> tuple[list[bytes], Iterable[float]]:
    """Remove up to ``count`` members from an end: they and their scores, the outermost first."""
    count = min(count, len(zset))
    start = len(zset) - count if last else 0
    members, scores = zset.between(start, start + count)
    remove_ranks(session.db, key, zset, start, start + count, MAX_POPPED if last else MIN_POPPED)
    if last:
        members.reverse()
        scores.reverse()
    return members, scores


@command(
    "ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]",
    WRITE,
    since="7.0.0",
    complexity="O(K) + O(M*log(N)), K = keys, N = members of the set, M = members removed",
    keys="RW ACCESS DELETE",
    effect=of_zmpop,
)
def zmpop(session: Context, argv: list[bytes]) -> Any:
    """Remove and return members from an end of the first sorted set that there is."""
    keys, last, count = _parse_mpop(argv, 1)
    return _mpop(session, keys, last, count)


def _parse_mpop(argv: list[bytes], position: int) -> tuple[list[bytes], bool, int]:
    """The keys, whether the highest scores are meant, and how many members, from ``numkeys`` at a position on."""
    numkeys = integer_in(argv[position], 1, INT_MAX, b"ERR numkeys should be greater than 0")
    options = Options(argv, position + 1)
    keys = options.values(numkeys)
    where = options.take()
    if where not in (b"MIN", b"MAX"):
        options.fail()
    count = None
    while (option := options.take()) is not None:
        if option != b"COUNT" or count is not None or not options.left():
            options.fail()
        count = integer_in(options.value(), 1, INT_MAX, b"ERR count should be greater than 0")
    return keys, where == b"MAX", count or 1


def _mpop(session: Context, keys: list[bytes], last: bool, count: int) -> Any:
    for key in keys:
        zset = find_zset(session, key)
        if zset is not None:
            members, scores = _pop(session, key, zset, last, count)
            return [key, [list(pair) for pair in zip(members, scores, strict=True)]]
    return NULL_ARRAY


# Waiting


@command(
    "BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    WRITE,
    BLOCKING,
    since="7.0.0",
    complexity="O(K) + O(M*log(N)), K = keys, N = members of the set, M = members removed",
    keys="RW ACCESS DELETE",
    effect=of_bzmpop,
)
def bzmpop(session: Context, argv: list[bytes]) -> Any:
    """Remove and return members from an end of the first sorted set that there is; wait while there is none."""
    keys, last, count = _parse_mpop(argv, 2)
    return _now_or_later(session, keys, argv[1], lambda: _mpop(session, keys, last, count))


@command(
    "BZPOPMIN key [key ...] timeout",
    WRITE,
    NOSCRIPT,
    BLOCKING,
    FAST,
    since="5.0.0",
    complexity="O(log(N)), N = members of the set",
    keys="RW ACCESS DELETE",
    effect=of_bzpopmin,
)
def bzpopmin(session: Context, argv: list[bytes]) -> Any:
    """Remove and return the member with the lowest score of the first sorted set that there is; wait while there is
    none."""
    return _bzpop(session, argv, False)


@command(
    "BZPOPMAX key [key ...] timeout",
    WRITE,
    NOSCRIPT,
    BLOCKING,
    FAST,
    since="5.0.0",
    complexity="O(log(N)), N = members of the set",
    keys="RW ACCESS DELETE",
    effect=of_bzpopmax,
)
def bzpopmax(session: Context, argv: list[bytes]) -> Any:
    """Remove and return the member with the highest score of the first sorted set that there is; wait while there is
    none."""
    return _bzpop(session, argv, True)


def _bzpop(session: Context, argv: list[bytes], last: bool) -> Any:
    keys = argv[1:-1]

    def pop() -> Any:
        for key in keys:
            popped = _pop_one(session, key, last)
            if popped is not EMPTY_ARRAY:
                return [key, *popped]
        return NULL_ARRAY

    return _now_or_later(session, keys, argv[-1], pop)


def _now_or_later(session: Context, keys: list[bytes], timeout: bytes, pop: Callable[[], Any]) -> Any:
    """What ``pop`` gives, or wait for one of the keys. Whoever has waited starts anew, with the first of the keys, as
    since Redis 7.2."""
    seconds = timeout_seconds(timeout, session.keyspace.clock.today())
    popped = pop()
    if popped is not NULL_ARRAY:
        return popped

    def serve(key: bytes) -> Any:
        popped = pop()
        return NOT_READY if popped is NULL_ARRAY else popped

    return session.block(keys, serve, seconds, NULL_ARRAY, SortedSet)
