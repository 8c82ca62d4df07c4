"""Lists: moving several elements at once. Since Redis 8.10.

Contents: BLMOVEM LMOVEM. Elements are moved one by one (OBO), as several LMOVE would, or as one piece (BULK), which
keeps their order. The reply has them in the order in which they lie at the destination.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from pycache_server.commands.args import integer_in, option_of, timeout_seconds
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.effects import of_lmovem
from pycache_server.commands.lists import LPOP, LPUSH, RPOP, RPUSH, family, is_left, list_of, removed_from
from pycache_server.commands.registry import BLOCKING, DENYOOM, WRITE
from pycache_server.errors import BadSyntax
from pycache_server.resp.encode import EMPTY_ARRAY, NULL_ARRAY
from pycache_server.store.list import List
from pycache_server.store.numbers import INT_MAX

command = family.command


class _Move(NamedTuple):
    """What is to be moved, and how."""

    source: bytes
    destination: bytes
    from_head: bool
    to_head: bool
    number: int
    exactly: bool
    """Whether fewer elements than ``number`` are not moved at all."""
    bulk: bool


def _parse(argv: list[bytes], position: int) -> _Move:
    """Read a command whose options begin at ``position``.

    Raises BadSyntax and RedisError.
    """
    from_head, to_head = is_left(argv[3]), is_left(argv[4])
    words = argv[position:]
    if not words:
        return _Move(argv[1], argv[2], from_head, to_head, 1, False, False)
    if len(words) != 3:
        raise BadSyntax
    selector, order = option_of(words[0]), option_of(words[2])
    if selector not in (b"COUNT", b"EXACTLY") or order not in (b"OBO", b"BULK"):
        raise BadSyntax
    count = integer_in(words[1], 1, INT_MAX, b"ERR count should be greater than 0")
    return _Move(argv[1], argv[2], from_head, to_head, count, selector == b"EXACTLY", order == b"BULK")


def _move(session: Context, wanted: _Move) -> list[bytes] | None:
    """Move elements; None where there are none, or too few.

    Raises WrongType.
    """
    db, fill = session.db, session.keyspace.encodings.list_max_listpack_size
    value = list_of(db.find(wanted.source))
    if value is None or (wanted.exactly and len(value) < wanted.number):
        return None
    held = list_of(db.find(wanted.destination))
    target = List() if held is None else held
    moved = list(chain.from_iterable(value.cut(min(wanted.number, len(value)), wanted.from_head)))
    if not wanted.bulk and wanted.from_head == wanted.to_head:
        moved.reverse()
    target.push_many(moved[::-1] if wanted.to_head else moved, wanted.to_head, fill)
    event = LPUSH if wanted.to_head else RPUSH
    if held is None:
        db.put(wanted.destination, target, event)
        db.dirty -= 1  # the move counts once for each element
    else:
        db.touched(wanted.destination, event, 0)
    removed_from(session, wanted.source, value, LPOP if wanted.from_head else RPOP, len(moved))
    return moved


@command(
    "LMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    WRITE,
    DENYOOM,
    since="8.10.0",
    complexity="O(N), N = elements moved",
    keys="RW ACCESS DELETE;RW INSERT",
    kinds={"exactly": "integer"},
    effect=of_lmovem,
)
def lmovem(session: Context, argv: list[bytes]) -> Any:
    """Move up to a number of elements, or exactly so many, from an end of a list to an end of another."""
    wanted = _parse(argv, 5)
    moved = _move(session, wanted)
    if moved is None:
        return None if wanted.exactly else EMPTY_ARRAY
    return moved


@command(
    "BLMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    WRITE,
    DENYOOM,
    BLOCKING,
    since="8.10.0",
    complexity="O(N), N = elements moved",
    keys="RW ACCESS DELETE;RW INSERT",
    kinds={"exactly": "integer"},
    effect=of_lmovem,
)
def blmovem(session: Context, argv: list[bytes]) -> Any:
    """Move elements from an end of a list to an end of another; wait for as many as are wanted."""
    wanted = _parse(argv, 6)
    timeout = timeout_seconds(argv[5], session.keyspace.clock.today())
    moved = _serve(session, wanted)
    if moved is not NOT_READY:
        return moved
    serve = partial(_serve, session, wanted)
    return session.block([wanted.source], serve, timeout, NULL_ARRAY, List, grows=wanted.exactly)


def _serve(session: Context, wanted: _Move, ready: bytes = b"") -> Any:
    moved = _move(session, wanted)
    return NOT_READY if moved is None else moved
