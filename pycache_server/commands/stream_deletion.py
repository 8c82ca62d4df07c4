"""Streams: deleting entries together with what consumer groups refer to, or when none does any more.

Contents: XACKDEL XDELEX. What KEEPREF, DELREF and ACKED mean is told in store/references.py; XADD and XTRIM have them,
too.
"""

from __future__ import annotations

from pycache_server.commands.args import Options, integer_in
from pycache_server.commands.context import Context
from pycache_server.commands.registry import FAST, WRITE
from pycache_server.commands.stream_effects import of_xackdel, of_xdelex
from pycache_server.commands.streams import XDEL, checked, family, id_of
from pycache_server.errors import RedisError
from pycache_server.store.events import UNHEARD
from pycache_server.store.numbers import INT_MAX
from pycache_server.store.references import REFS, Refs, forget_references, is_referenced
from pycache_server.store.stream import Stream

command = family.command

NOT_THERE, DELETED, REFERRED_TO = -1, 1, 2
"""What became of an id."""


@command(
    "XDELEX key [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
    WRITE,
    FAST,
    since="8.2.0",
    complexity="O(N log M), N = ids, M = entries, for each group",
    keys="RW DELETE",
    effect=of_xdelex,
)
def xdelex(session: Context, argv: list[bytes]) -> list[int]:
    """Remove entries, together with what refers to them or if nothing does; return for each what became of it."""
    refs, ids = _parse(argv, 2)
    stream = checked(session.db.find(argv[1]))
    if stream is None:
        return [NOT_THERE] * len(ids)
    forgotten = sum([forget_references(stream, number) for number in ids]) if refs is Refs.DELETE else 0
    states = [_delete(stream, number, refs) if stream.has(number) else NOT_THERE for number in ids]
    _tell(session, argv[1], states.count(DELETED), forgotten)
    return states


@command(
    "XACKDEL key group [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
    WRITE,
    FAST,
    since="8.2.0",
    complexity="O(N log M), N = ids, M = entries, for each group",
    keys="RW UPDATE DELETE",
    effect=of_xackdel,
)
def xackdel(session: Context, argv: list[bytes]) -> list[int]:
    """Acknowledge entries and remove them, together with what refers to them or if nothing does; return for each what
    became of it."""
    refs, ids = _parse(argv, 3)
    stream = checked(session.db.find(argv[1]))
    if stream is None or stream.group(argv[2]) is None:
        return [NOT_THERE] * len(ids)
    before = stream.length
    states = [_acknowledge(stream, argv[2], number, refs) for number in ids]
    _tell(session, argv[1], before - stream.length, len(ids) - states.count(NOT_THERE))
    return states


def _acknowledge(stream: Stream, name: bytes, number: int, refs: Refs) -> int:
    group = stream.group(name)
    if group is None or not group.pending.remove(number):
        return NOT_THERE
    if refs is Refs.DELETE:
        forget_references(stream, number)
    return _delete(stream, number, refs)


def _delete(stream: Stream, number: int, refs: Refs) -> int:
    if refs is Refs.ACKED and is_referenced(stream, number):
        return REFERRED_TO
    stream.delete(number)
    return DELETED


def _tell(session: Context, key: bytes, deleted: int, changes: int) -> None:
    """So many entries have been deleted, and so many were pending."""
    if deleted:
        session.db.touched(key, XDEL, deleted + changes)
    elif changes:
        session.db.touched(key, UNHEARD, changes)


def _parse(argv: list[bytes], position: int) -> tuple[Refs, list[int]]:
    """What is to become of references, and the ids.

    Raises RedisError.
    """
    refs: Refs | None = None
    words: list[bytes] = []
    options = Options(argv, position)
    while (option := options.take()) is not None:
        if option in REFS and refs is None:
            refs = REFS[option]
        elif option == b"IDS" and options.left():
            complaint = b"ERR Number of IDs must be a positive integer"
            count = integer_in(options.value(), 1, INT_MAX, complaint)
            if count > options.left():
                raise RedisError(b"ERR The `numids` parameter must match the number of arguments")
            words = options.values(count)
        else:
            options.fail()
    if not words:
        raise RedisError(b"ERR IDS option is required")
    return refs or Refs.KEEP, [id_of(word) for word in words]
