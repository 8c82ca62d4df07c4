"""Bytes into values: one function for each way in which Redis has ever packed one.

Whatever is read is looked at as Redis does with ``sanitize-dump-payload yes``: what is packed must be sound to its last
byte, and no member, field or id may come twice. Beyond that, scores must be numbers, also in listpacks, where Redis
does not look. The encodings of values are those that Redis gives them on loading under the present limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycache_server.entry import NEVER
from pycache_server.rdb import intset, kinds, listpack, ziplist
from pycache_server.rdb.reader import BadData, EmptyCollection, Reader
from pycache_server.rdb.streams import load_stream
from pycache_server.store.clock import Clock
from pycache_server.store.encodings import Encodings
from pycache_server.store.hash import Hash
from pycache_server.store.list import List
from pycache_server.store.numbers import parse_float_leniently, parse_int
from pycache_server.store.set import HASHTABLE, INTSET, LISTPACK, Set, form_of
from pycache_server.store.zset import SortedSet

LATEST = (1 << 48) - 1
"""The latest time, in ms since 1970, at which a field may expire."""


class Surroundings:
    """What loading must know besides the bytes: the limits of encodings, and the clock for fields that expire."""

    __slots__ = ("clock", "limits")

    def __init__(self, limits: Encodings, clock: Clock) -> None:
        self.limits = limits
        self.clock = clock


def load_value(reader: Reader, kind: int, around: Surroundings) -> Any:
    """Read a value of a kind.

    Raises BadData.
    """
    load = _LOADERS.get(kind)
    if load is None:
        reader.fail(f"unknown kind of value {kind}")
    return load(reader, around)


def _packed(reader: Reader, decode: Callable[[bytes], list[bytes]]) -> list[bytes]:
    """The elements of a string that is packed itself."""
    start = reader.position
    data = reader.string()
    try:
        found = decode(data)
    except BadData as error:
        raise BadData(f"{error.reason} (its byte {error.offset})", start) from None
    if not found:
        raise EmptyCollection("a collection is empty", start)
    return found


def _count(reader: Reader, least: int) -> int:
    """How many elements of ``least`` bytes a collection has that is not packed: one at least."""
    found = reader.count(least)
    if not found:
        raise EmptyCollection("a collection is empty", reader.position)
    return found


def _different(reader: Reader, elements: Sequence[bytes]) -> None:
    if len(set(elements)) != len(elements):
        reader.fail("an element is there twice")


# Strings and lists


def _load_string(reader: Reader, around: Surroundings) -> bytes:
    return reader.string()


def _load_list(reader: Reader, around: Surroundings) -> List:
    elements = reader.strings(_count(reader, 1))
    value = List.of_nodes([], around.limits.list_max_listpack_size)
    value.push_many(elements, False, around.limits.list_max_listpack_size)
    return value.settled(around.limits.list_max_listpack_size)


def _load_list_ziplist(reader: Reader, around: Surroundings) -> List:
    elements = _packed(reader, ziplist.decode)
    value = List.of_nodes([], around.limits.list_max_listpack_size)
    value.push_many(elements, False, around.limits.list_max_listpack_size)
    return value


def _load_quicklist(reader: Reader, around: Surroundings) -> List:
    return _load_nodes(reader, around, ziplist.decode, False)


def _load_quicklist_2(reader: Reader, around: Surroundings) -> List:
    return _load_nodes(reader, around, listpack.decode, True)


def _load_nodes(reader: Reader, around: Surroundings, decode: Callable[[bytes], list[bytes]], typed: bool) -> List:
    nodes: list[tuple[list[bytes], bool]] = []
    for _ in range(_count(reader, 2)):
        container = reader.length() if typed else kinds.PACKED_NODE
        if container not in (kinds.PLAIN_NODE, kinds.PACKED_NODE):
            reader.fail(f"unknown kind of node {container}")
        start = reader.position
        data = reader.string()
        if not data:
            raise BadData("a node is empty", start)
        try:
            elements = [data] if container == kinds.PLAIN_NODE else decode(data)
        except BadData as error:
            raise BadData(f"{error.reason} (its byte {error.offset})", start) from None
        if elements:
            nodes.append((elements, container == kinds.PLAIN_NODE))
    if not nodes:
        raise EmptyCollection("a list is empty", reader.position)
    limit = around.limits.list_max_listpack_size
    return List.of_nodes(nodes, limit).settled(limit)


# Sets


def _load_set(reader: Reader, around: Surroundings) -> Set:
    count = _count(reader, 1)
    elements = reader.strings(count)
    _different(reader, elements)
    limits = around.limits
    return Set.of(elements, HASHTABLE if count > limits.set_max_intset_entries else form_of(elements, INTSET, limits))


def _load_intset(reader: Reader, around: Surroundings) -> Set:
    elements = _packed(reader, intset.decode)
    return Set.of(elements, INTSET if len(elements) <= around.limits.set_max_intset_entries else HASHTABLE)


def _load_set_listpack(reader: Reader, around: Surroundings) -> Set:
    elements = _packed(reader, listpack.decode)
    _different(reader, elements)
    return Set.of(elements, LISTPACK if len(elements) <= around.limits.set_max_listpack_entries else HASHTABLE)


# Sorted sets


def _load_zset(reader: Reader, around: Surroundings) -> SortedSet:
    members: list[bytes] = []
    scores: list[float] = []
    for _ in range(_count(reader, 2)):
        members.append(reader.string())
        scores.append(reader.text_double())
    return _sorted_set(reader, members, scores, around)


def _load_zset_2(reader: Reader, around: Surroundings) -> SortedSet:
    return _sorted_set(reader, *reader.scored(_count(reader, 9)), around)


def _load_zset_ziplist(reader: Reader, around: Surroundings) -> SortedSet:
    return _packed_zset(reader, ziplist.decode, around)


def _load_zset_listpack(reader: Reader, around: Surroundings) -> SortedSet:
    return _packed_zset(reader, listpack.decode, around)


def _packed_zset(reader: Reader, decode: Callable[[bytes], list[bytes]], around: Surroundings) -> SortedSet:
    texts = _packed(reader, decode)
    if len(texts) % 2:
        reader.fail("the last member has no score")
    scores: list[float] = []
    for text in texts[1::2]:
        score = parse_float_leniently(text)
        if score is None:
            reader.fail(f"a score is {text!r}")
        scores.append(score + 0.0)
    value = _sorted_set(reader, texts[::2], scores, around)
    value.compact = len(scores) <= around.limits.zset_max_listpack_entries  # however long a member is
    return value


def _sorted_set(reader: Reader, members: list[bytes], scores: list[float], around: Surroundings) -> SortedSet:
    _different(reader, members)
    if any(map(float.__ne__, scores, scores)):
        reader.fail("a score is no number")
    pairs = list(zip(scores, members, strict=True))
    if len(pairs) > 1 and pairs[0] > pairs[1]:
        pairs.reverse()  # as Redis writes them; sorting what is in order is nearly for nothing
    pairs.sort()
    return SortedSet.of_ordered([member for _, member in pairs], [score for score, _ in pairs], around.limits)


# Hashes


def _load_hash(reader: Reader, around: Surroundings) -> Hash:
    return _hash(reader, reader.strings(2 * _count(reader, 2)))


def _load_hash_zipmap(reader: Reader, around: Surroundings) -> Hash:
    return _hash(reader, _packed(reader, ziplist.decode_zipmap))


def _load_hash_ziplist(reader: Reader, around: Surroundings) -> Hash:
    return _hash(reader, _packed(reader, ziplist.decode))


def _load_hash_listpack(reader: Reader, around: Surroundings) -> Hash:
    return _hash(reader, _packed(reader, listpack.decode))


def _hash(reader: Reader, texts: list[bytes]) -> Hash:
    if len(texts) % 2:
        reader.fail("the last field has no value")
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    if len(fields) * 2 != len(texts):
        reader.fail("a field is there twice")
    return Hash.of(fields)


def _load_hash_metadata(reader: Reader, around: Surroundings) -> Hash:
    return _load_fields(reader, around, _first_time(reader))


def _load_hash_metadata_pre_ga(reader: Reader, around: Surroundings) -> Hash:
    return _load_fields(reader, around, 1)


def _load_fields(reader: Reader, around: Surroundings, first: int) -> Hash:
    """Fields with times behind the ``first`` one, which is 1; 0 is none."""
    texts: list[bytes] = []
    times: dict[bytes, int] = {}
    for _ in range(_count(reader, 3)):
        distance = reader.length()
        texts += reader.strings(2)
        if distance:
            times[texts[-2]] = _checked_time(reader, distance + first - 1)
    return _timed_hash(reader, texts, times, around)


def _load_hash_listpack_ex(reader: Reader, around: Surroundings) -> Hash:
    reader.time()  # the first one, which is known
    return _load_hash_listpack_ex_pre_ga(reader, around)


def _load_hash_listpack_ex_pre_ga(reader: Reader, around: Surroundings) -> Hash:
    parts = _packed(reader, listpack.decode)
    if len(parts) % 3:
        reader.fail("the last field has no time")
    times: dict[bytes, int] = {}
    before = 0
    for field, text in zip(parts[::3], parts[2::3], strict=True):
        when = parse_int(text)
        if when is None or (when or NEVER) < before:
            reader.fail(f"a time is {text!r}")
        before = when or NEVER  # fields without a time are the last
        if when:
            times[field] = _checked_time(reader, when)
    texts = [text for number, text in enumerate(parts) if number % 3 < 2]
    return _timed_hash(reader, texts, times, around)


def _first_time(reader: Reader) -> int:
    first = reader.time()
    if not 0 <= first <= LATEST + 1:
        reader.fail(f"the first time is {first}")
    return first


def _checked_time(reader: Reader, when: int) -> int:
    if not 0 <= when <= LATEST:
        reader.fail(f"a time is {when}")
    return when


def _timed_hash(reader: Reader, texts: list[bytes], times: dict[bytes, int], around: Surroundings) -> Hash:
    value = _hash(reader, texts)
    value.timed = True
    if times:
        value.become_volatile(around.clock).times.fill(times)
    return value


_LOADERS: dict[int, Callable[[Reader, Surroundings], Any]] = {
    kinds.STRING: _load_string,
    kinds.LIST: _load_list,
    kinds.SET: _load_set,
    kinds.ZSET: _load_zset,
    kinds.HASH: _load_hash,
    kinds.ZSET_2: _load_zset_2,
    kinds.HASH_ZIPMAP: _load_hash_zipmap,
    kinds.LIST_ZIPLIST: _load_list_ziplist,
    kinds.SET_INTSET: _load_intset,
    kinds.ZSET_ZIPLIST: _load_zset_ziplist,
    kinds.HASH_ZIPLIST: _load_hash_ziplist,
    kinds.LIST_QUICKLIST: _load_quicklist,
    kinds.STREAM_LISTPACKS: lambda reader, around: load_stream(reader, 1),
    kinds.HASH_LISTPACK: _load_hash_listpack,
    kinds.ZSET_LISTPACK: _load_zset_listpack,
    kinds.LIST_QUICKLIST_2: _load_quicklist_2,
    kinds.STREAM_LISTPACKS_2: lambda reader, around: load_stream(reader, 2),
    kinds.SET_LISTPACK: _load_set_listpack,
    kinds.STREAM_LISTPACKS_3: lambda reader, around: load_stream(reader, 3),
    kinds.HASH_METADATA_PRE_GA: _load_hash_metadata_pre_ga,
    kinds.HASH_LISTPACK_EX_PRE_GA: _load_hash_listpack_ex_pre_ga,
    kinds.HASH_METADATA: _load_hash_metadata,
    kinds.HASH_LISTPACK_EX: _load_hash_listpack_ex,
}
