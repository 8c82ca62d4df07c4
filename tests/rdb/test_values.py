"""Values of all kinds in all their forms: what is read, what is written, and what is refused."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from struct import pack
from typing import Any

import pytest

from pycache_server.rdb.crc64 import crc64
from pycache_server.rdb.payload import BadData, BadPayload, dump, restore
from pycache_server.store.clock import Clock
from pycache_server.store.encodings import Encodings
from pycache_server.store.hash import Hash, VolatileHash
from pycache_server.store.list import List
from pycache_server.store.set import Set
from pycache_server.store.stream import Stream
from pycache_server.store.stream_id import SEQ_BITS
from pycache_server.store.strings import STRING_TYPES, as_bytes
from pycache_server.store.zset import SortedSet
from tests.rdb.corpus import LONG, NEWER, NUMBERS, PAYLOADS, mutated
from tests.rdb.packing import intset, length, listpack, payload, stream_1, stream_node, string, strings, ziplist

LIMITS = Encodings()
CLOCK = Clock(1_700_000_000.0)
NUMERALS = [b"%d" % number for number in NUMBERS]


def load(data: bytes) -> Any:
    value = restore(data, LIMITS, CLOCK)
    if type(value) not in STRING_TYPES:
        value._check()
    return value


def content(value: Any) -> Any:
    """What a value holds, in plain Python."""
    if type(value) in STRING_TYPES:
        return as_bytes(value)
    if isinstance(value, List):
        return list(value)
    if isinstance(value, Set):
        return set(value.elements)
    if isinstance(value, SortedSet):
        return list(value.items())
    if isinstance(value, Hash):
        live = dict(value.live().items())
        times = value.times.at if isinstance(value, VolatileHash) else {}
        return live, {field: times[field] for field in live if field in times}
    assert isinstance(value, Stream)
    groups = {
        name: (
            group.last_id,
            group.entries_read,
            [(each.name, each.seen_time) for each in group.in_order()],
            [(each.id, each.consumer.name, each.time, each.deliveries) for each in group.pending.range()],
        )
        for name, group in value.groups_in_order()
    }
    return list(value), value.length, value.last_id, value.max_deleted_id, value.added, groups


_ID = 1700 << SEQ_BITS | 5
_STREAM = [
    (b"1700-5", (b"f", b"v")),
    (b"1700-6", (b"f", b"w")),
    (b"1703-1", (b"g", b"x", b"h", b"17")),
]
_GROUPS = {b"group": (_ID, 1, [(b"alice", 1_700_000_000_001)], [(_ID, b"alice", 1_700_000_000_000, 3)])}
_LAST = 1703 << SEQ_BITS | 1

CONTENTS: dict[str, tuple[Any, bytes]] = {
    "string": (b"text", b""),
    "empty string": (b"", b""),
    "string of 8 bits": (b"-1", b""),
    "string of 16 bits": (b"-32768", b""),
    "string of 32 bits": (b"2147483647", b""),
    "LZF string": (b"a" * 22, b""),
    "long string": (LONG * 200, b""),
    "list": ([b"a", b"b", b"3", LONG], b"listpack"),
    "ziplist list": ([b"a", *NUMERALS, LONG, b"x" * 300, b"y"], b"quicklist"),
    "ziplist list with big lengths": ([b"a", b"b", b"7"], b"quicklist"),
    "quicklist": ([b"a", b"1", LONG, b"-7", b""], b"quicklist"),
    "quicklist 2": ([b"a", *NUMERALS, LONG, b"x" * 5000, b"plain", b"z"], b"quicklist"),
    "set": ({b"a", b"b", b"3"}, b"listpack"),
    "set of integers": ({b"1", b"2", b"-3"}, b"intset"),
    "intset": ({b"-5", b"7", b"300"}, b"intset"),
    "intset of 32 bits": ({b"-5", b"7", b"70000"}, b"intset"),
    "intset of 64 bits": ({b"-9223372036854775808", b"7", b"9223372036854775807"}, b"intset"),
    "listpack set": ({b"a", b"2", b"c"}, b"listpack"),
    "old zset": ([(b"d", float("-inf")), (b"b", -2.5), (b"a", 1.0), (b"c", float("inf"))], b"listpack"),
    "zset": ([(b"b", -2.5), (b"a", 1.0), (b"d", 1e300), (b"c", float("inf"))], b"listpack"),
    "ziplist zset": ([(b"a", 1.0), (b"b", 2.5), (b"3", float("inf"))], b"listpack"),
    "listpack zset": ([(b"a", 1.0), (b"b", 2.5), (b"3", float("inf"))], b"listpack"),
    "hash": (({b"f": b"v", b"g": LONG}, {}), b"hashtable"),
    "zipmap": (({b"f": b"v", b"g": b"w" * 300, b"": b""}, {}), b"hashtable"),
    "ziplist hash": (({b"f": b"v", b"7": b"8", b"g": LONG[:64]}, {}), b"listpack"),
    "listpack hash": (({b"f": b"v", b"7": b"8", b"g": LONG[:64]}, {}), b"listpack"),
    "stream": ((_STREAM, 3, _LAST, 0, 3, _GROUPS), b"stream"),
    "stream 2": ((_STREAM, 3, _LAST, 0, 7, _GROUPS), b"stream"),
    "stream 3": ((_STREAM, 3, _LAST, 0, 7, _GROUPS), b"stream"),
    "stream without entries": (([], 0, 17 << SEQ_BITS | 4, 0, 0, {}), b"stream"),
    "stream with deleted entries": (([(b"2-0", (b"f", b"w"))], 1, 2 << SEQ_BITS, 0, 1, {}), b"stream"),
    "hash with times": (
        ({b"f": b"v", b"g": b"v", b"h": b"v"}, {b"f": 4_102_444_800_000, b"h": 4_102_444_804_999}),
        b"listpackex",
    ),
    "hash with times, before 7.4": (({b"f": b"v", b"g": b"v"}, {b"f": 4_102_444_800_000}), b"listpackex"),
    "listpack hash with times": (
        ({b"f": b"v", b"h": b"7", b"g": b"w"}, {b"f": 4_102_444_800_000, b"h": 4_102_444_800_001}),
        b"listpackex",
    ),
    "listpack hash with times, before 7.4": (({b"f": b"v", b"g": b"w"}, {b"f": 4_102_444_800_000}), b"listpackex"),
}


@pytest.mark.parametrize("name", [*PAYLOADS, *NEWER])
def test_every_form_is_read_and_what_is_written_of_it_is_the_same_value(name: str) -> None:
    value = load({**PAYLOADS, **NEWER}[name])
    expected, encoding = CONTENTS[name]
    assert content(value) == expected
    assert not encoding or value.encoding(LIMITS) == encoding
    for compress in (True, False):
        assert content(load(dump(value, LIMITS, compress))) == expected


GOLDEN = {
    "000474657874": b"text",
    "00c07b": b"123",
    "00c1fe7f": b"32766",
    "00c2ffffff7f": b"2147483647",
    "000a32313437343833363438": b"2147483648",
    "00c3081601" + b"aa".hex() + "e00a00" + "0061": b"a" * 22,
}


def test_strings_are_written_as_redis_writes_them() -> None:
    for written, text in GOLDEN.items():
        data = dump(text, LIMITS)
        assert data[:-10].hex() == written
        assert data[-10:-8] == b"\x0a\x00"
        assert int.from_bytes(data[-8:], "little") == crc64(data[:-8])
    assert dump(12345, LIMITS) == dump(b"12345", LIMITS)
    assert dump(1 << 40, LIMITS) == dump(b"%d" % (1 << 40), LIMITS)
    assert dump(bytearray(b"edited"), LIMITS) == dump(b"edited", LIMITS)


def test_small_collections_are_written_as_redis_writes_them() -> None:
    elements = [b"a", b"17", b"-5000"]
    pack_of = string(listpack(b"a", 17, -5000))
    assert dump(List.built(elements, -2), LIMITS) == payload(18, b"\1\2" + pack_of, 10)
    hashed = Hash.of({b"a": b"17"})
    assert dump(hashed, LIMITS) == payload(16, string(listpack(b"a", 17)), 10)
    zset = SortedSet.of({b"b": 2.0, b"a": 2.5, b"c": float("inf")}, LIMITS)
    assert dump(zset, LIMITS, False) == payload(17, string(listpack(b"b", 2, b"a", b"2.5", b"c", b"inf")), 10)
    whole = Set.of({b"5", b"-7", b"300"}, b"intset")
    whole.form = Set.made_for(b"5", 1, LIMITS).form
    assert dump(whole, LIMITS) == payload(11, string(intset(-7, 5, 300)), 10)
    assert dump(Set.of({b"a"}, b"listpack"), LIMITS) == payload(2, strings(b"a"), 10)


def test_times_of_fields_need_the_newest_version_and_nothing_else_does() -> None:
    for name, data in {**PAYLOADS, **NEWER}.items():
        assert dump(load(data), LIMITS)[-10] == (12 if name in NEWER else 10)


def test_a_hash_whose_fields_have_lost_their_times_can_be_read_by_older_versions() -> None:
    value = load(NEWER["hash with times"])
    for field in (b"f", b"h"):
        value.times.forget(field)
    value.become_lasting()
    assert dump(value, LIMITS)[-10] == 10


BROKEN = {
    "nothing": b"",
    "an unknown kind": payload(8, b""),
    "a module": payload(7, b"\0" * 20),
    "a string that is cut off": payload(0, b"\x05abc"),
    "an unknown length": payload(0, b"\x82abc"),
    "an unknown packing": payload(0, b"\xc4abc"),
    "LZF that is too small": payload(0, b"\xc3\x02\x80\xff\xff\xff\xff\x00a"),
    "LZF that is broken": payload(0, b"\xc3\x02\x05\x00a"),
    "an empty list": payload(1, b"\0"),
    "a list of four billion": payload(1, b"\x80\xff\xff\xff\xff"),
    "a list that is cut off": payload(1, b"\x02\x01a"),
    "a list whose last element is cut off": payload(1, b"\x02\x01a\x05b"),
    "an empty ziplist": payload(10, string(ziplist())),
    "a quicklist of empty nodes": payload(14, b"\2" + 2 * string(ziplist())),
    "a node without anything": payload(14, b"\1\0"),
    "a node of an unknown kind": payload(18, b"\1\3" + string(listpack(b"a"))),
    "an empty set": payload(2, b"\0"),
    "an element twice": payload(2, strings(b"a", b"b", b"a")),
    "a number twice": payload(2, strings(b"1", b"2", b"1")),
    "an element twice in a listpack": payload(20, string(listpack(b"5", 5))),
    "a member twice": payload(5, b"\2" + 2 * (b"\1a" + pack("<d", 1))),
    "a member twice with two scores": payload(17, string(listpack(b"a", 1, b"a", 2))),
    "a score that is none": payload(5, b"\1\1a" + pack("<d", float("nan"))),
    "an old score that is none": payload(3, b"\1\1a\xfd"),
    "an old score without digits": payload(3, b"\1\1a\1x"),
    "a score in a listpack that is none": payload(17, string(listpack(b"a", b"nan"))),
    "a member without score": payload(17, string(listpack(b"a", 1, b"b"))),
    "scores that are missing": payload(5, b"\x80\xff\xff\xff\xff"),
    "an empty hash": payload(4, b"\0"),
    "a field twice": payload(4, b"\2" + 4 * b"\1a"),
    "a field twice in a listpack": payload(16, string(listpack(b"a", 1, b"a", 2))),
    "a field without value": payload(16, string(listpack(b"a", 1, b"b"))),
    "a field without time": payload(25, bytes(8) + string(listpack(b"a", b"b"))),
    "times out of order": payload(25, bytes(8) + string(listpack(b"a", b"v", 9, b"b", b"v", 8))),
    "a time behind none": payload(25, bytes(8) + string(listpack(b"a", b"v", 0, b"b", b"v", 8))),
    "a time in letters": payload(25, bytes(8) + string(listpack(b"a", b"v", b"x"))),
    "a time below 0": payload(25, bytes(8) + string(listpack(b"a", b"v", -1))),
    "a time after all": payload(25, bytes(8) + string(listpack(b"a", b"v", 1 << 48))),
    "a first time below 0": payload(24, pack("<q", -1) + b"\1\0\1f\1v"),
    "a time after all in a table": payload(24, pack("<q", 1 << 48) + b"\1\2\1f\1v"),
    "a stream with another length": payload(15, stream_1([stream_node(1, 0, (0, 0, {b"f": b"v"}))], 2, (1, 0))),
    "a stream with a last id that is too small": payload(
        15, stream_1([stream_node(2, 0, (0, 0, {b"f": b"v"}))], 1, (1, 0))
    ),
    "a node twice": payload(15, stream_1(2 * [stream_node(1, 0, (0, 0, {b"f": b"v"}))], 2, (1, 0))),
    "entries out of order": payload(
        15, stream_1([stream_node(1, 0, (0, 0, {b"f": b"v"}), (0, 0, {b"f": b"v"}))], 2, (1, 0))
    ),
    "an entry that is not the node's first": payload(
        15, stream_1([stream_node(1, 0, (1, 0, {b"f": b"v"}))], 1, (9, 0))
    ),
    "a node with a short id": payload(15, b"\1" + string(b"short") + string(listpack(0, 0, 0, 0)) + bytes(4)),
    "a node without entries": payload(15, b"\1" + string(bytes(16)) + string(listpack(0, 0, 1, b"f", 0)) + bytes(4)),
    "a group twice": payload(15, stream_1([], 0, (1, 0), b"\2" + 2 * (b"\1g" + bytes(4)))),
    "an entry pending without consumer": payload(
        15, stream_1([], 0, (1, 0), b"\1\1g\0\0\1" + bytes(16) + bytes(8) + b"\1\0")
    ),
    "an entry pending that is not": payload(
        15, stream_1([], 0, (1, 0), b"\1\1g\0\0\0\1\1c" + bytes(8) + b"\1" + bytes(16))
    ),
    "a consumer twice": payload(15, stream_1([], 0, (1, 0), b"\1\1g\0\0\0\2" + 2 * (b"\1c" + bytes(9)))),
    "four billion groups": payload(15, stream_1([], 0, (1, 0), b"\x80\xff\xff\xff\xff")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused(name: str) -> None:
    with pytest.raises((BadData, BadPayload)):
        load(BROKEN[name])


def test_a_payload_of_a_later_version_or_with_another_checksum_is_refused() -> None:
    whole = PAYLOADS["string"]
    later = whole[:-10] + b"\x0d\x00"
    for data in (b"", whole[2:], whole[:-1], whole[:-8] + bytes(8), later + pack("<Q", crc64(later)), b"x" * 9):
        with pytest.raises(BadPayload):
            load(data)


def test_an_error_tells_where_it_was_found() -> None:
    with pytest.raises(BadData, match=r"5 bytes are missing at byte 2"):
        load(payload(0, b"\x05abc"))


def test_a_claim_of_any_size_takes_no_memory() -> None:
    huge = b"\x81\x00\x00\x00\x7f\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        for kind in range(1, 26):
            for body in (huge, b"\1" + huge, bytes(8) + huge, b"\xc3\x05" + huge + b"abcde"):
                with contextlib.suppress(BadData):  # some begin with an empty stream
                    load(payload(kind, body))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [*PAYLOADS, *NEWER])
def test_random_changes_make_a_sound_value_or_are_refused(name: str) -> None:
    rng = random.Random(name)
    data = {**PAYLOADS, **NEWER}[name]
    for _ in range(300):
        changed = mutated(rng, data)
        try:
            value = load(changed)
        except (BadData, BadPayload):
            continue
        assert content(load(dump(value, LIMITS))) == content(value), changed.hex()


def test_big_values_come_back() -> None:
    rng = random.Random(5)
    many = [rng.randbytes(rng.randrange(1, 30)) for _ in range(5000)]
    distinct = list(dict.fromkeys(many))
    long = List.built([], -2)
    long.push_many([*many, b"z" * 20_000], False, -2)
    stream = Stream()
    for number, text in enumerate(many):
        fields = [b"f", text] if number % 7 else [b"g", text, b"h", b"%d" % number]
        stream.append((number + 1) << SEQ_BITS | number % 3, fields, LIMITS)
    for number in range(0, 3000, 5):
        stream.delete((number + 1) << SEQ_BITS | number % 3)
    table = Hash.of(dict(zip(distinct, reversed(distinct), strict=True)))
    timed = Hash.of(dict.fromkeys(distinct, b"v")).become_volatile(CLOCK)
    timed.times.fill({text: 1_800_000_000_000 + number for number, text in enumerate(distinct[:3000])})
    for value in (
        b"x" * 3_000_000,
        long,
        Set.of(distinct, b"hashtable"),
        SortedSet.of({text: rng.random() for text in distinct}, LIMITS),
        table,
        timed,
        stream,
    ):
        found = load(dump(value, LIMITS))
        assert content(found) == content(value)
        if type(value) is not bytes:
            assert found.encoding(LIMITS) == value.encoding(LIMITS)
            assert found.memory() <= 1.3 * value.memory()
            assert value.memory() <= 1.3 * found.memory()


def test_nodes_of_a_list_stay_as_they_were() -> None:
    value = List.built([], -2)
    for number in range(3000):
        value.push_head(b"%d" % number * (number % 9), -2)
    value.push_tail(b"x" * 9000, -2)
    found = load(dump(value, LIMITS))
    assert [len(node) for node in found.state.nodes] == [len(node) for node in value.state.nodes]
    assert [node.size for node in found.state.nodes] == [node.size for node in value.state.nodes]


def test_a_stream_whose_ids_lie_far_apart_comes_back() -> None:
    stream = Stream()
    for number in (5, 1 << 63, (1 << 64) - 1, 1 << 64, (1 << 127) + 7, (1 << 128) - 1):
        stream.append(number, [b"f", b"v"], LIMITS)
    assert content(load(dump(stream, LIMITS))) == content(stream)


def test_forms_follow_the_limits_of_the_moment() -> None:
    tight = Encodings()
    tight.hash_max_listpack_entries = tight.set_max_listpack_entries = tight.zset_max_listpack_entries = 1
    tight.set_max_intset_entries, tight.list_max_listpack_size = 1, 1
    expected = {
        "list": b"quicklist",
        "quicklist": b"quicklist",
        "set": b"hashtable",
        "intset": b"hashtable",
        "set of integers": b"hashtable",
        "listpack set": b"hashtable",
        "zset": b"skiplist",
        "listpack zset": b"skiplist",
        "hash": b"hashtable",
        "listpack hash": b"hashtable",
    }
    for name, encoding in expected.items():
        assert restore(PAYLOADS[name], tight, CLOCK).encoding(tight) == encoding, name
    assert length(0) == b"\0"
