"""Unions, intersections and differences of sorted sets, and of sets, whose members have the score 1.

Contents: ZDIFF ZDIFFSTORE ZINTER ZINTERCARD ZINTERSTORE ZUNION ZUNIONSTORE.

Sums are made in Redis's order, from the smallest set to the largest, because the last digits of a sum depend on it.
What would be no number (infinity times 0, or infinities of different sign added) counts as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pycache_server.commands.args import Options, integer, option_of, positive
from pycache_server.commands.context import Context
from pycache_server.commands.registry import DENYOOM, READONLY, WRITE
from pycache_server.commands.zsets import command
from pycache_server.errors import BadSyntax, RedisError, WrongType
from pycache_server.resp.encode import Scored
from pycache_server.store.events import DEL, ZSET, Event
from pycache_server.store.numbers import parse_float
from pycache_server.store.set import Set
from pycache_server.store.zset import SortedSet, in_order

UNION_STORED = Event(ZSET, b"zunionstore")
INTERSECTION_STORED = Event(ZSET, b"zinterstore")
DIFFERENCE_STORED = Event(ZSET, b"zdiffstore")

Scores = dict[bytes, float]
Combine = Callable[[float, float], float]


def _sum(one: float, other: float) -> float:
    total = one + other
    return total if total == total else 0.0


_AGGREGATES: dict[bytes, Combine] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


class Operand(NamedTuple):
    """A sorted set, the elements of a set, or nothing, as an empty tuple; and its weight."""

    value: Any
    weight: float

    def items(self) -> Iterable[tuple[bytes, float]]:
        """Members and their scores, weighted."""
        items = scores_of(self.value)
        weight = self.weight
        if weight == 1.0:
            return items
        return [(member, weighted if (weighted := weight * score) == weighted else 0.0) for member, score in items]

    def score(self) -> Callable[[bytes], float | None]:
        """A function that gives the score of a member, not weighted, or None."""
        value = self.value
        if isinstance(value, SortedSet):
            return value.score
        return lambda member: 1.0 if member in value else None


def scores_of(value: Any) -> Iterable[tuple[bytes, float]]:
    """Members and scores of a sorted set, or of the elements of a set."""
    return value.items() if isinstance(value, SortedSet) else ((member, 1.0) for member in value)


# The operations


def _unite(operands: list[Operand], combine: Combine) -> Scores:
    operands = sorted(operands, key=lambda operand: len(operand.value))
    result: Scores = dict(operands[0].items())
    for operand in operands[1:]:
        for member, score in operand.items():
            old = result.get(member)
            result[member] = score if old is None else combine(old, score)
    return result


def _intersect(operands: list[Operand], combine: Combine, limit: int = 0) -> Scores:
    """Members that are in all operands; ``limit`` of them, if that is not 0."""
    first, *others = sorted(operands, key=lambda operand: len(operand.value))
    lookups = [(other.score(), other.weight) for other in others]
    result: Scores = {}
    for member, total in first.items():
        for lookup, weight in lookups:
            score = lookup(member)
            if score is None:
                break
            total = combine(total, score * weight)
        else:
            result[member] = total
            if len(result) == limit:
                break
    return result


def _subtract(values: list[Any]) -> Scores:
    first, *others = values
    result: Scores = dict(scores_of(first))
    for other in others:
        if len(other) < len(result):
            for member in other:
                result.pop(member, None)
        else:
            result = {member: score for member, score in result.items() if member not in other}
    return result


# Reading arguments


def _parse_operands(session: Context, argv: list[bytes], position: int) -> tuple[list[Any], Options]:
    """What an Operand has as its value of each of the keys, whose number is at a position, and the options behind
    them."""
    numkeys = integer(argv[position])
    if numkeys < 1:
        name = argv[0].lower()
        raise RedisError(b"ERR at least 1 input key is needed for '%b' command" % name)
    options = Options(argv, position + 1)
    values: list[Any] = []
    for key in options.values(numkeys):
        value = session.db.read(key)
        if isinstance(value, Set):
            value = value.elements
        elif value is not None and not isinstance(value, SortedSet):
            raise WrongType
        values.append(() if value is None else value)
    return values, options


def _parse_weighted(
    session: Context, argv: list[bytes], position: int, store: bool
) -> tuple[list[Operand], Combine, bool]:
    """Operands, how scores are combined, and whether they are wanted in the reply."""
    values, options = _parse_operands(session, argv, position)
    weights, combine, with_scores = [1.0] * len(values), _AGGREGATES[b"SUM"], False
    while (option := options.take()) is not None:
        if option == b"WEIGHTS" and options.left() >= len(values):
            weights = list(map(_weight, options.values(len(values))))
        elif option == b"AGGREGATE" and options.left():
            aggregate = option_of(options.value())
            if aggregate not in _AGGREGATES:
                raise BadSyntax
            combine = _AGGREGATES[aggregate]
        elif option == b"WITHSCORES" and not store:
            with_scores = True
        else:
            options.fail()
    return list(map(Operand, values, weights)), combine, with_scores


def _weight(text: bytes) -> float:
    weight = parse_float(text)
    if weight is None:
        raise RedisError(b"ERR weight value is not a float")
    return weight


def _reply(result: Scores, with_scores: bool) -> Any:
    members = in_order(result)
    return Scored(members, map(result.__getitem__, members)) if with_scores else members


def _store(session: Context, key: bytes, result: Scores, event: Event) -> int:
    if result:
        session.db.put(key, SortedSet.of(result, session.keyspace.encodings), event)
    else:
        session.db.delete(key, DEL)
    return len(result)


# The commands

_UNION = "O(N)+O(M*log(M)), N = members of all sets, M = members of the result"
_INTERSECTION = "O(N*K)+O(M*log(M)), N = members of the smallest set, K = sets, M = members of the result"
_DIFFERENCE = "O(N)+O(M*log(M)), N = members of all sets, M = members of the result"


@command(
    "ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    READONLY,
    since="6.2.0",
    complexity=_UNION,
    keys="RO ACCESS",
)
def zunion(session: Context, argv: list[bytes]) -> Any:
    """Return the members of any of the sets."""
    operands, combine, with_scores = _parse_weighted(session, argv, 1, False)
    return _reply(_unite(operands, combine), with_scores)


@command(
    "ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    WRITE,
    DENYOOM,
    since="2.0.0",
    complexity=_UNION,
    keys="OW UPDATE;RO ACCESS",
)
def zunionstore(session: Context, argv: list[bytes]) -> int:
    """Store the members of any of the sets as a sorted set."""
    operands, combine, _ = _parse_weighted(session, argv, 2, True)
    return _store(session, argv[1], _unite(operands, combine), UNION_STORED)


@command(
    "ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    READONLY,
    since="6.2.0",
    complexity=_INTERSECTION,
    keys="RO ACCESS",
)
def zinter(session: Context, argv: list[bytes]) -> Any:
    """Return the members of all of the sets."""
    operands, combine, with_scores = _parse_weighted(session, argv, 1, False)
    return _reply(_intersect(operands, combine), with_scores)


@command(
    "ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    WRITE,
    DENYOOM,
    since="2.0.0",
    complexity=_INTERSECTION,
    keys="OW UPDATE;RO ACCESS",
)
def zinterstore(session: Context, argv: list[bytes]) -> int:
    """Store the members of all of the sets as a sorted set."""
    operands, combine, _ = _parse_weighted(session, argv, 2, True)
    return _store(session, argv[1], _intersect(operands, combine), INTERSECTION_STORED)


@command(
    "ZINTERCARD numkeys key [key ...] [LIMIT limit]",
    READONLY,
    since="7.0.0",
    complexity="O(N*K), N = members of the smallest set, K = sets",
    keys="RO ACCESS",
)
def zintercard(session: Context, argv: list[bytes]) -> int:
    """Count the members of all of the sets, up to a limit."""
    values, options = _parse_operands(session, argv, 1)
    limit = 0
    while (option := options.take()) is not None:
        if option != b"LIMIT" or not options.left():
            options.fail()
        limit = positive(options.value(), b"ERR LIMIT can't be negative")
    return len(_intersect([Operand(value, 1.0) for value in values], _sum, limit))


@command("ZDIFF numkeys key [key ...] [WITHSCORES]", READONLY, since="6.2.0", complexity=_DIFFERENCE, keys="RO ACCESS")
def zdiff(session: Context, argv: list[bytes]) -> Any:
    """Return the members of the first set that are in none of the others."""
    values, options = _parse_operands(session, argv, 1)
    with_scores = False
    while (option := options.take()) is not None:
        if option != b"WITHSCORES":
            options.fail()
        with_scores = True
    return _reply(_subtract(values), with_scores)


@command(
    "ZDIFFSTORE destination numkeys key [key ...]",
    WRITE,
    DENYOOM,
    since="6.2.0",
    complexity=_DIFFERENCE,
    keys="OW UPDATE;RO ACCESS",
)
def zdiffstore(session: Context, argv: list[bytes]) -> int:
    """Store the members of the first set that are in none of the others as a sorted set."""
    values, options = _parse_operands(session, argv, 2)
    if options.left():
        raise BadSyntax
    return _store(session, argv[1], _subtract(values), DIFFERENCE_STORED)
