"""Values into bytes: which kind each is written as, and how.

Each is written in a form that Redis 7.0 reads, and so does every later version. What has none, a hash with fields that
expire, is written as 7.4 does; a set that 7.2 would write as a listpack is written member by member.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from pycache_server.entry import NEVER
from pycache_server.rdb import intset, kinds, listpack
from pycache_server.rdb.streams import save_stream
from pycache_server.rdb.writer import Writer, encode_integer, encode_time
from pycache_server.resp.encode import format_double
from pycache_server.store.encodings import Encodings
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.list import List, LongList
from pycache_server.store.quicklist import PLAIN
from pycache_server.store.set import INTSET, Set
from pycache_server.store.stream import Stream
from pycache_server.store.strings import as_bytes
from pycache_server.store.zset import LargeSortedSet, SortedSet


def version_of(kind: int) -> int:
    """The version of the format that who reads a value of that kind must know."""
    return kinds.NEWEST_VERSION if kind >= kinds.HASH_METADATA_PRE_GA else kinds.VERSION


def save_value(writer: Writer, value: Any, limits: Encodings) -> int:
    """Write a value; returns its kind, which belongs in front of it. ``limits`` tell which encoding the value has."""
    save = _SAVERS.get(type(value))
    if save is not None:
        return save(writer, value, limits)
    number = encode_integer(value) if type(value) is int else None
    if number is not None:
        writer.raw(number)
    else:
        writer.string(as_bytes(value))
    return kinds.STRING


def _save_list(writer: Writer, value: List, limits: Encodings) -> int:
    if type(value) is LongList:
        nodes = value.state.nodes
        writer.length(len(nodes))
        for node in nodes:
            _save_node(writer, node, node.size == PLAIN)
    else:
        writer.length(1)
        _save_node(writer, value, False)
    return kinds.LIST_QUICKLIST_2


def _save_node(writer: Writer, elements: list[bytes], plain: bool) -> None:
    writer.length(kinds.PLAIN_NODE if plain else kinds.PACKED_NODE)
    writer.string(elements[0] if plain else listpack.encode(elements))


def _save_set(writer: Writer, value: Set, limits: Encodings) -> int:
    if value.form is INTSET:
        writer.string(intset.encode(value.members()))
        return kinds.SET_INTSET
    writer.length(len(value))
    writer.strings(value.elements)
    return kinds.SET


def _save_zset(writer: Writer, value: SortedSet, limits: Encodings) -> int:
    if value.compact:
        texts = chain.from_iterable((member, format_double(score)) for member, score in value.items())
        writer.string(listpack.encode(texts))
        return kinds.ZSET_LISTPACK
    members, scores = value.between(0, len(value))
    writer.length(len(members))
    writer.scored(reversed(members), reversed(scores))  # so that a reader always inserts at the head
    return kinds.ZSET_2


def _save_hash(writer: Writer, value: Hash, limits: Encodings) -> int:
    fields = value.live()
    if value.encoding(limits) == b"hashtable":
        writer.length(len(fields))
        writer.strings(chain.from_iterable(fields.items()))
        return kinds.HASH
    writer.string(listpack.encode(chain.from_iterable(fields.items())))
    return kinds.HASH_LISTPACK


def _save_volatile_hash(writer: Writer, value: VolatileHash, limits: Encodings) -> int:
    fields, times = value.live(), value.times.at
    timed = {field: when for field in fields if (when := times.get(field, NEVER)) != NEVER}
    if not timed:
        return _save_hash(writer, value, limits)
    first = min(timed.values())
    writer.raw(encode_time(first))
    if value.encoding(limits) == b"hashtable":
        writer.length(len(fields))
        for field, text in fields.items():
            writer.length(timed[field] - first + 1 if field in timed else 0)
            writer.strings((field, text))
        return kinds.HASH_METADATA
    ordered = sorted(fields, key=lambda field: timed.get(field, NEVER))
    writer.string(
        listpack.encode(chain.from_iterable((field, fields[field], b"%d" % timed.get(field, 0)) for field in ordered))
    )
    return kinds.HASH_LISTPACK_EX


def save_lasting(writer: Writer, value: Hash, limits: Encodings) -> int:
    """Write a hash without the times to live of its fields; returns its kind."""
    return _save_hash(writer, value, limits)


_SAVERS: dict[type, Callable[[Writer, Any, Encodings], int]] = {
    List: _save_list,
    LongList: _save_list,
    Set: _save_set,
    SortedSet: _save_zset,
    LargeSortedSet: _save_zset,
    Hash: _save_hash,
    VolatileHash: _save_volatile_hash,
    Stream: save_stream,
}
