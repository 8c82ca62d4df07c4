"""Lists: popping and moving with patience. Where there is nothing to take, the client waits until there is something.

Contents: BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH. Being served is doing the same once more: a client looks at all its keys
in their order again, whichever it was that became ready.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pycache_server.commands.args import timeout_seconds
from pycache_server.commands.context import NOT_READY, Context
from pycache_server.commands.effects import of_blmove, of_blmpop, of_blpop, of_brpop, of_brpoplpush
from pycache_server.commands.lists import LPOP, RPOP, family, is_left, move, parse_mpop, pop_first
from pycache_server.commands.registry import BLOCKING, DENYOOM, WRITE
from pycache_server.resp.encode import NULL_ARRAY
from pycache_server.store.events import Event
from pycache_server.store.list import List

command = family.command


@command(
    "BLPOP key [key ...] timeout",
    WRITE,
    BLOCKING,
    since="2.0.0",
    complexity="O(N), N = keys",
    keys="RW ACCESS DELETE",
    effect=of_blpop,
)
def blpop(session: Context, argv: list[bytes]) -> Any:
    """Remove the first element of a list and return its key and it; wait for one where all lists are empty."""
    return _pop_one(session, argv, LPOP)


@command(
    "BRPOP key [key ...] timeout",
    WRITE,
    BLOCKING,
    since="2.0.0",
    complexity="O(N), N = keys",
    keys="RW ACCESS DELETE",
    effect=of_brpop,
)
def brpop(session: Context, argv: list[bytes]) -> Any:
    """Remove the last element of a list and return its key and it; wait for one where all lists are empty."""
    return _pop_one(session, argv, RPOP)


def _pop_one(session: Context, argv: list[bytes], event: Event) -> Any:
    timeout = timeout_seconds(argv[-1], session.keyspace.clock.today())
    keys = argv[1:-1]
    popped = _serve_one(session, keys, event)
    if popped is not NOT_READY:
        return popped
    return session.block(keys, partial(_serve_one, session, keys, event), timeout, NULL_ARRAY, List)


def _serve_one(session: Context, keys: list[bytes], event: Event, ready: bytes = b"") -> Any:
    popped = pop_first(session, keys, event, 1)
    return NOT_READY if popped is None else [popped[0], popped[1][0]]


@command(
    "BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    WRITE,
    BLOCKING,
    since="7.0.0",
    complexity="O(N+M), N = keys, M = elements returned",
    keys="RW ACCESS DELETE",
    effect=of_blmpop,
)
def blmpop(session: Context, argv: list[bytes]) -> Any:
    """Remove elements from an end of a list and return its key and them; wait for some where all lists are empty."""
    keys, event, count = parse_mpop(argv, 2)
    timeout = timeout_seconds(argv[1], session.keyspace.clock.today())
    popped = _serve_many(session, keys, event, count)
    if popped is not NOT_READY:
        return popped
    return session.block(keys, partial(_serve_many, session, keys, event, count), timeout, NULL_ARRAY, List)


def _serve_many(session: Context, keys: list[bytes], event: Event, count: int, ready: bytes = b"") -> Any:
    popped = pop_first(session, keys, event, count)
    return NOT_READY if popped is None else popped


@command(
    "BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    WRITE,
    DENYOOM,
    BLOCKING,
    since="6.2.0",
    keys="RW ACCESS DELETE;RW INSERT",
    effect=of_blmove,
)
def blmove(session: Context, argv: list[bytes]) -> Any:
    """Move an element from an end of a list to an end of another; wait for one where the list is empty."""
    from_head, to_head = is_left(argv[3]), is_left(argv[4])
    return _move(session, argv[1], argv[2], from_head, to_head, argv[5])


@command(
    "BRPOPLPUSH source destination timeout",
    WRITE,
    DENYOOM,
    BLOCKING,
    since="2.2.0",
    keys="RW ACCESS DELETE;RW INSERT",
    effect=of_brpoplpush,
)
def brpoplpush(session: Context, argv: list[bytes]) -> Any:
    """Move the last element of a list to the head of another; wait for one where the list is empty."""
    return _move(session, argv[1], argv[2], False, True, argv[3])


def _move(session: Context, source: bytes, destination: bytes, from_head: bool, to_head: bool, seconds: bytes) -> Any:
    timeout = timeout_seconds(seconds, session.keyspace.clock.today())
    moved = move(session, source, destination, from_head, to_head)
    if moved is not None or session.deny_blocking:
        return moved
    serve = partial(_serve_move, session, source, destination, from_head, to_head)
    return session.block([source], serve, timeout, NULL_ARRAY, List)


def _serve_move(
    session: Context, source: bytes, destination: bytes, from_head: bool, to_head: bool, ready: bytes
) -> Any:
    moved = move(session, source, destination, from_head, to_head)
    return NOT_READY if moved is None else moved
