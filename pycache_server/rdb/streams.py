"""Streams: the listpacks of their nodes, their counters, and their consumer groups.

The listpack of a node begins with the number of entries that are there, that of deleted ones, the number of fields and
the fields of its first entry, and 0. An entry follows as flags, its id as the distances of both parts from that of the
node, its own fields with their number in front where they are others, its values, and how many elements that was. A
deleted entry stays with a flag.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pycache_server.rdb import listpack
from pycache_server.rdb.kinds import STREAM_LISTPACKS_2
from pycache_server.rdb.reader import BadData, Reader
from pycache_server.rdb.writer import Writer
from pycache_server.store.encodings import Encodings
from pycache_server.store.numbers import parse_int
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import LARGEST_SEQ, SEQ_BITS
from pycache_server.store.stream_node import Node

_DELETED = 1
_SAME_FIELDS = 2
_ID_BYTES = 16
_HALF = 1 << 63


# Writing


def save_stream(writer: Writer, stream: Stream, limits: Encodings) -> int:
    """Write a stream; returns its kind."""
    nodes = stream.nodes
    writer.length(len(nodes))
    for node in nodes:
        writer.raw(b"\x10" + node.start.to_bytes(_ID_BYTES, "big"))
        writer.string(_listpack_of(node))
    writer.length(len(stream))
    for number in (stream.last_id, stream.first_live_id(), stream.max_deleted_id):
        _save_id(writer, number)
    writer.lengths(stream.added, 0)
    return STREAM_LISTPACKS_2


def _save_id(writer: Writer, number: int) -> None:
    writer.lengths(number >> SEQ_BITS, number & LARGEST_SEQ)


def _listpack_of(node: Node) -> bytes:
    entry, integer, distance = listpack.entry, listpack.integer, _distance
    width, first = len(node.fields), node.start & LARGEST_SEQ
    same, behind = integer(_SAME_FIELDS), integer(width + 3)
    parts = [integer(node.alive), integer(len(node) - node.alive), integer(width), *map(entry, node.fields), integer(0)]
    count = len(parts)
    for ms, seq, live, own, texts in node.packed_entries():
        if live and not own:
            parts += (same, distance(ms), distance(seq - first), *map(entry, texts), behind)
            count += width + 4
            continue
        parts += (integer((not own) * _SAME_FIELDS + (not live) * _DELETED), distance(ms), distance(seq - first))
        if own:
            parts.append(integer(len(texts) // 2))
        parts += map(entry, texts)
        parts.append(integer(len(texts) + 3 + own))
        count += len(texts) + 4 + own
    return listpack.framed(parts, count)


def _distance(number: int) -> bytes:
    """An element that is the difference of two numbers of 64 bits without sign; it wraps around as in C."""
    return listpack.integer((number + _HALF) % (2 * _HALF) - _HALF)


# Reading


def load_stream(reader: Reader, form: int) -> Stream:
    """Read a stream of form 1, 2 or 3: STREAM_LISTPACKS to STREAM_LISTPACKS_3.

    Raises BadData.
    """
    nodes = [_load_node(reader) for _ in range(reader.count(2))]
    nodes.sort(key=lambda node: node.start)
    length, last = reader.length(), _load_id(reader)
    deleted, added = 0, length
    if form > 1:
        _load_id(reader)  # the first one, which is known
        deleted, added = _load_id(reader), reader.length()
    if length != sum(node.alive for node in nodes):
        reader.fail("a stream has another length")
    if any(one.id_at(-1) >= other.start for one, other in pairwise(nodes)) or (nodes and nodes[-1].id_at(-1) > last):
        reader.fail("the ids of a stream are not in order")
    if reader.length():
        reader.fail("there are no consumer groups")
    return Stream.built(nodes, last, deleted, added)


def _load_id(reader: Reader) -> int:
    return reader.length() << SEQ_BITS | reader.length()


def _load_node(reader: Reader) -> Node:
    start = reader.position
    key, data = reader.string(), reader.string()
    if len(key) != _ID_BYTES:
        raise BadData("the id of a node is cut off", start)
    try:
        elements = listpack.decode_mixed(data)
    except BadData as error:
        raise BadData(f"{error.reason} (its byte {error.offset})", start) from None
    node = _Elements(elements).node(int.from_bytes(key, "big"), len(data))
    if node is None:
        raise BadData("the entries of a stream make no sense", start)
    return node


class _Broken(Exception):
    """The elements of a listpack are no entries."""


class _Elements:
    """The elements of a node's listpack, taken one after the other."""

    __slots__ = ("_elements", "_place")

    def __init__(self, elements: list[Any]) -> None:
        self._elements = elements
        self._place = 0

    def node(self, start: int, size: int) -> Node | None:
        """The node, None where the elements make none."""
        try:
            return self._node(start, size)
        except _Broken:
            return None

    def _node(self, start: int, size: int) -> Node:
        alive, deleted, width = self._number(), self._number(), self._number()
        fields = tuple(self._texts(width))
        if self._number() or not width or not alive + deleted:
            raise _Broken
        first, base = start & LARGEST_SEQ, start >> SEQ_BITS
        ms: list[int] = []
        seq: list[int] = []
        texts: list[bytes] = []
        marks: list[int] = []
        live = bytearray()
        for _ in range(alive + deleted):
            flags = self._number()
            ms.append(self._number(negative=True) & LARGEST_SEQ)
            seq.append(self._number(negative=True) + first & LARGEST_SEQ)
            live.append(not flags & _DELETED)
            marks.append(2 * len(texts) + (not flags & _SAME_FIELDS))
            if flags & _SAME_FIELDS:
                texts += self._texts(width)
                expected = width + 3
            else:
                count = self._number()
                texts += self._texts(2 * count)
                expected = 2 * count + 4
            if self._number() != expected:
                raise _Broken
        ids = list(zip(ms, seq, strict=True))
        sound = ids[0] == (0, first) and all(one < other for one, other in pairwise(ids))
        if not sound or live.count(1) != alive or self._place != len(self._elements):
            raise _Broken
        if base + ms[-1] > LARGEST_SEQ:
            raise _Broken
        own = any(mark & 1 for mark in marks)
        return Node.packed(start, fields, ms, seq, texts, marks if own else None, live, size)

    def _number(self, negative: bool = False) -> int:
        """The next element, a number. Redis takes one as a text, too."""
        if self._place == len(self._elements):
            raise _Broken
        found = self._elements[self._place]
        self._place += 1
        if type(found) is bytes:
            found = parse_int(found)
        if found is None or (found < 0 and not negative):
            raise _Broken
        return int(found)

    def _texts(self, count: int) -> list[bytes]:
        """The next elements, texts."""
        place = self._place
        self._place += count
        found = self._elements[place : self._place]
        if len(found) < count:
            raise _Broken
        return [each if type(each) is bytes else b"%d" % each for each in found]
