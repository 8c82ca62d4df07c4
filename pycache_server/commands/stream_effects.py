"""What the commands for streams have done, as commands that do the same again: see effects.py.

Ids are told as they were given, and a trimming as what it has left. What a group has delivered is told as XCLAIM of
each entry with its time and count, and XGROUP SETID, which has the group's last id and its counter. Beyond what Redis
tells, a consumer is told who has got nothing yet, and that entries of a consumer's history were delivered once more:
with Redis that is lost in a failover.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pycache_server.commands.args import option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import Effects, Told, value_of
from pycache_server.store.groups import Group
from pycache_server.store.references import REFS, Refs
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import LARGEST_ID, format_id

_DELETED = 1
_NOT_THERE = -1


def of_nothing(session: Context, argv: list[bytes], value: Any) -> Effects:
    """A command that has told itself what there was to tell."""
    return ()


# Adding and trimming


def of_xadd(session: Context, argv: list[bytes], value: Any) -> Effects:
    """XADD: with its id, and with what a trimming has left."""
    if argv[2] == b"*":
        return [[*argv[:2], value, *argv[3:]]]
    words, place = _exact(argv, value_of(session.db, argv[1]))
    if words[place].endswith(b"*"):
        words[place] = value
    return [words]


def of_xtrim(session: Context, argv: list[bytes], value: Any) -> Effects:
    """XTRIM: what is left."""
    return [_exact(argv, value_of(session.db, argv[1]))[0]]


def _exact(argv: list[bytes], stream: Stream) -> tuple[Told, int]:
    """The words of XADD or XTRIM with an exact trimming, and where its options end."""
    words, place = list(argv), 2
    while place < len(words):
        option = option_of(words[place])
        if option in (b"MAXLEN", b"MINID"):
            if words[place + 1] == b"~":
                left = b"%d" % stream.length if option == b"MAXLEN" else _first_id(stream)
                words[place + 1 : place + 3] = b"=", left
            place += 3 if words[place + 1] == b"=" else 2
        elif option == b"LIMIT":
            place += 2
        elif option == b"NOMKSTREAM" or option in REFS:
            place += 1
        else:
            break
    return words, place


def _first_id(stream: Stream) -> bytes:
    return format_id(stream.first_live_id() if stream.length else LARGEST_ID)


def trimmed_with_references(key: bytes, stream: Stream, refs: Refs, ids: list[int], holes: bool) -> list[Told]:
    """What a trimming with DELREF or ACKED has done, which has removed these ids: as a Redis 7 can do it."""
    told = _forgotten(key, stream, list(map(format_id, ids))) if refs is Refs.DELETE else []
    if holes:
        return [*told, [b"XDEL", key, *map(format_id, ids)]]
    if stream.length:
        return [*told, [b"XTRIM", key, b"MINID", b"=", _first_id(stream)]]
    return [*told, [b"XTRIM", key, b"MAXLEN", b"=", b"0"]]


def added_without_trimming(argv: list[bytes], number: bytes) -> Told:
    """XADD with its id and without its trimming."""
    _, place = _exact(argv, Stream())
    made = [word for word in argv[2:place] if option_of(word) == b"NOMKSTREAM"]
    return [*argv[:2], *made, number, *argv[place + 1 :]]


def _forgotten(key: bytes, stream: Stream, ids: Sequence[bytes]) -> list[Told]:
    """Ids are pending in no group any more."""
    return [[b"XACK", key, name, *ids] for name, _ in stream.groups_in_order()]


def of_xdelex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """XDELEX: XDEL, and XACK where what refers to the entries has gone, too."""
    refs, ids = _ids(argv, 2)
    stream = value_of(session.db, argv[1])
    return [*(_forgotten(argv[1], stream, ids) if refs is Refs.DELETE else ()), *_deleted(argv[1], ids, value)]


def of_xackdel(session: Context, argv: list[bytes], value: Any) -> Effects:
    """XACKDEL: XACK and XDEL."""
    refs, ids = _ids(argv, 3)
    stream = value_of(session.db, argv[1])
    acknowledged = [number for number, state in zip(ids, value, strict=True) if state != _NOT_THERE]
    told = _forgotten(argv[1], stream, acknowledged) if refs is Refs.DELETE else [[b"XACK", *argv[1:3], *acknowledged]]
    return [*told, *_deleted(argv[1], ids, value)]


def _ids(argv: list[bytes], place: int) -> tuple[Refs, list[bytes]]:
    """What becomes of references, and the ids."""
    refs, ids = Refs.KEEP, []
    while place < len(argv):
        option = option_of(argv[place])
        if option in REFS:
            refs = REFS[option]
            place += 1
        else:
            count = int(argv[place + 1])
            ids = argv[place + 2 : place + 2 + count]
            place += 2 + count
    return refs, ids


def _deleted(key: bytes, ids: list[bytes], states: list[int]) -> list[Told]:
    deleted = [number for number, state in zip(ids, states, strict=True) if state == _DELETED]
    return [[b"XDEL", key, *deleted]] if deleted else []


# Groups


def claim_of(key: bytes, name: bytes, group: Group, number: int) -> Told:
    """An entry that is pending in a group, with its consumer, its time and its count."""
    entry = group.pending.get(number)
    assert entry is not None
    return [
        *(b"XCLAIM", key, name, entry.consumer.name, b"0", format_id(number)),
        *(b"TIME", b"%d" % entry.time, b"RETRYCOUNT", b"%d" % entry.deliveries),
        *(b"FORCE", b"JUSTID", b"LASTID", format_id(group.last_id)),
    ]


def claims_of(key: bytes, name: bytes, group: Group, numbers: Iterable[int]) -> list[Told]:
    """The same for several."""
    return [claim_of(key, name, group, number) for number in numbers]


def place_of_group(key: bytes, name: bytes, group: Group) -> Told:
    """How far a group has read."""
    last = format_id(group.last_id)
    return [b"XGROUP", b"SETID", key, name, last, b"ENTRIESREAD", b"%d" % group.entries_read]


def consumer_made(key: bytes, name: bytes, consumer: bytes) -> Told:
    """A consumer who has got nothing yet."""
    return [b"XGROUP", b"CREATECONSUMER", key, name, consumer]
