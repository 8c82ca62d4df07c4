"""Databases into commands that make them anew: the base of an append-only file where it is not to be an RDB file.

The commands are those that Redis writes: collections in pieces of ITEMS elements, a PEXPIREAT behind a key that
expires; streams entry by entry with their counters, then each group with what is pending in it and with consumers that
have nothing. ``Recreating`` has the methods of ``Saving`` (saving.py), so that whoever makes snapshots need not know
which of the two it has.

A stream without entries is made by an entry that is trimmed at once, as Redis does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from pycache_server.entry import NEVER, Entry
from pycache_server.persist.opcodes import Aux
from pycache_server.resp.encode import encode_texts, format_double
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates
from pycache_server.store.groups import Group
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.list import List, LongList
from pycache_server.store.set import Set
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import format_id
from pycache_server.store.strings import as_bytes
from pycache_server.store.zset import LargeSortedSet, SortedSet

ITEMS: Final = 64
"""Elements that one command adds at most."""

Command = list[bytes]


class Recreating:
    """A base of commands that is being made: ``head``, then ``bucket`` for each bucket of each database, then
    ``foot``. ``begun`` is the second in which that is, where it shall be told in front (aof-timestamp-enabled)."""

    def __init__(self, keyspace: Keyspace, begun: int | None = None) -> None:
        self._selected = -1
        self._begun = begun
        self.keys = 0
        """How many keys have been written."""
        self.total = sum(database.size for database in keyspace.databases)
        """How many there were in the beginning."""
        self.stripped = 0
        """Hashes that have lost their times to live: none here."""

    def head(self, aux: Iterable[Aux] = (), functions: Iterable[bytes] = ()) -> bytes:
        """The beginning: libraries of functions. There is no place for what an RDB file tells of itself."""
        stamp = b"" if self._begun is None else b"#TS:%d\r\n" % self._begun
        return stamp + b"".join(encode_texts([b"FUNCTION", b"LOAD", code]) for code in functions)

    def bucket(self, index: int, bucket: Bucket, candidates: Candidates | None) -> bytes:
        """The keys of one bucket, which belong to the database ``index``. What an engine knows has no place here."""
        parts: list[bytes] = []
        if index != self._selected and bucket:
            self._selected = index
            parts.append(encode_texts([b"SELECT", b"%d" % index]))
        for key, stored in bucket.items():
            value, expires = (stored.value, stored.expires) if isinstance(stored, Entry) else (stored, NEVER)
            parts += map(encode_texts, commands_of(key, value, expires))
        self.keys += len(bucket)
        return b"".join(parts)

    def foot(self) -> bytes:
        """The end, which needs no words."""
        return b""


def commands_of(key: bytes, value: Any, expires: int = NEVER) -> Iterator[Command]:
    """The commands that make a key which is not there; ``expires`` is its time in ms, or NEVER."""
    make = _MAKERS.get(type(value), _string)
    yield from make(key, value)
    if type(value) is VolatileHash:
        expires = value.times.until
    if expires != NEVER:
        yield [b"PEXPIREAT", key, b"%d" % expires]


def _string(key: bytes, value: Any) -> Iterator[Command]:
    yield [b"SET", key, as_bytes(value)]


def _pieces(texts: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _list(key: bytes, value: List) -> Iterator[Command]:
    for piece in _pieces(list(value), ITEMS):
        yield [b"RPUSH", key, *piece]


def _set(key: bytes, value: Set) -> Iterator[Command]:
    for piece in _pieces(value.members(), ITEMS):
        yield [b"SADD", key, *piece]


def _zset(key: bytes, value: SortedSet) -> Iterator[Command]:
    texts = [text for member, score in value.items() for text in (format_double(score), member)]
    for piece in _pieces(texts, 2 * ITEMS):
        yield [b"ZADD", key, *piece]


def _hash(key: bytes, value: Hash) -> Iterator[Command]:
    texts = list(chain.from_iterable(value.live().items()))
    for piece in _pieces(texts, 2 * ITEMS):
        yield [b"HMSET", key, *piece]


def _volatile_hash(key: bytes, value: VolatileHash) -> Iterator[Command]:
    yield from _hash(key, value)
    times = value.times.at
    for field in value.live():
        when = times.get(field, NEVER)
        if when != NEVER:
            yield [b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"1", field]


def _stream(key: bytes, value: Stream) -> Iterator[Command]:
    if not value.length:
        number = format_id(max(value.last_id, 1))
        yield [b"XADD", key, b"MAXLEN", b"0", number, b"x", b"y"]
    for name, texts in value:
        yield [b"XADD", key, name, *texts]
    counters = [b"ENTRIESADDED", b"%d" % value.added, b"MAXDELETEDID", format_id(value.max_deleted_id)]
    yield [b"XSETID", key, format_id(value.last_id), *counters]
    for name, group in value.groups_in_order():
        yield from _group(key, name, group)


def _group(key: bytes, name: bytes, group: Group) -> Iterator[Command]:
    yield [b"XGROUP", b"CREATE", key, name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read]
    for consumer in group.in_order():  # in their order, so that it stays
        if not consumer.pending:
            yield [b"XGROUP", b"CREATECONSUMER", key, name, consumer.name]
        for delivery in group.pending.range(consumer=consumer) if consumer.pending else ():
            times = [b"TIME", b"%d" % delivery.time, b"RETRYCOUNT", b"%d" % delivery.deliveries]
            words = [b"XCLAIM", key, name, consumer.name, b"0", format_id(delivery.id), *times]
            yield [*words, b"JUSTID", b"FORCE"]


_MAKERS: Final[dict[type, Callable[[bytes, Any], Iterator[Command]]]] = {
    List: _list,
    LongList: _list,
    Set: _set,
    SortedSet: _zset,
    LargeSortedSet: _zset,
    Hash: _hash,
    VolatileHash: _volatile_hash,
    Stream: _stream,
}
