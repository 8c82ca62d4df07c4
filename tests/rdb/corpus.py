"""Payloads of all kinds of values, and of all ways in which they were ever packed, by name."""

from __future__ import annotations

import random
from struct import pack

from pycache_server.rdb.crc64 import crc64
from tests.rdb.packing import (
    intset,
    length,
    listpack,
    payload,
    stream_1,
    stream_node,
    string,
    strings,
    text_double,
    ziplist,
    zipmap,
)

LONG = b"long" * 30
NUMBERS = (0, 12, 13, 127, -128, 128, 32767, -32768, 8388607, -8388608, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_NODE = stream_node(1700, 5, (0, 0, {b"f": b"v"}), (0, 1, {b"f": b"w"}), (3, -4, {b"g": b"x", b"h": b"17"}))
_SCORES = {b"a": 1.0, b"b": -2.5, b"c": float("inf"), b"d": 1e300}


def _doubles() -> bytes:
    return length(len(_SCORES)) + b"".join(string(member) + pack("<d", score) for member, score in _SCORES.items())


def _group(name: bytes, active: bool) -> tuple[bytes, bytes, bytes]:
    raw = pack(">QQ", 1700, 5)
    pending = length(1) + raw + pack("<q", 1_700_000_000_000) + length(3)
    consumer = string(b"alice") + pack("<q", 1_700_000_000_001)
    if active:
        consumer += pack("<q", 1_700_000_000_000)
    return string(name) + length(1700) + length(5), length(1), pending + length(1) + consumer + length(1) + raw


def _groups(form: int) -> bytes:
    head, read, rest = _group(b"group", form > 2)
    return length(1) + head + (read if form > 1 else b"") + rest


def _stream(form: int) -> bytes:
    counters = length(1700) + length(5) + length(0) + length(0) + length(7) if form > 1 else b""
    return length(1) + _NODE + length(3) + length(1703) + length(1) + counters + _groups(form)


PAYLOADS: dict[str, bytes] = {
    "string": payload(0, string(b"text")),
    "empty string": payload(0, string(b"")),
    "string of 8 bits": payload(0, b"\xc0\xff"),
    "string of 16 bits": payload(0, b"\xc1\x00\x80"),
    "string of 32 bits": payload(0, b"\xc2\xff\xff\xff\x7f"),
    "LZF string": payload(0, b"\xc3" + length(8) + length(22) + b"\x01aa\xe0\x0a\x00\x00a"),
    "long string": payload(0, string(LONG * 200)),
    "list": payload(1, strings(b"a", b"b", b"3", LONG)),
    "ziplist list": payload(10, string(ziplist(b"a", *NUMBERS, LONG, b"x" * 300, b"y"))),
    "ziplist list with big lengths": payload(10, string(ziplist(b"a", b"b", 7, big_lengths=True))),
    "quicklist": payload(14, length(2) + string(ziplist(b"a", 1)) + string(ziplist(LONG, -7, b""))),
    "quicklist 2": payload(
        18,
        length(3)
        + length(2)
        + string(listpack(b"a", *NUMBERS, LONG, b"x" * 5000))
        + length(1)
        + string(b"plain")
        + length(2)
        + string(listpack(b"z")),
        10,
    ),
    "set": payload(2, strings(b"a", b"b", b"3")),
    "set of integers": payload(2, strings(b"1", b"2", b"-3")),
    "intset": payload(11, string(intset(-5, 7, 300))),
    "intset of 32 bits": payload(11, string(intset(-5, 7, 70000, width=4))),
    "intset of 64 bits": payload(11, string(intset(-(2**63), 7, 2**63 - 1, width=8))),
    "listpack set": payload(20, string(listpack(b"a", 2, b"c")), 11),
    "old zset": payload(
        3,
        length(4)
        + b"".join(
            string(member) + text_double(score)
            for member, score in ((b"a", b"1"), (b"b", b"-2.5"), (b"c", b"inf"), (b"d", b"-inf"))
        ),
    ),
    "zset": payload(5, _doubles()),
    "ziplist zset": payload(12, string(ziplist(b"a", 1, b"b", b"2.5", 3, b"inf"))),
    "listpack zset": payload(17, string(listpack(b"a", 1, b"b", b"2.5", 3, b"inf")), 10),
    "hash": payload(4, length(2) + b"".join(map(string, (b"f", b"v", b"g", LONG)))),
    "zipmap": payload(9, string(zipmap(b"f", b"v", b"g", b"w" * 300, b"", b"", unused=3))),
    "ziplist hash": payload(13, string(ziplist(b"f", b"v", 7, 8, b"g", LONG[:64]))),
    "listpack hash": payload(16, string(listpack(b"f", b"v", 7, 8, b"g", LONG[:64])), 10),
    "stream": payload(15, _stream(1)),
    "stream 2": payload(19, _stream(2), 10),
    "stream 3": payload(21, _stream(3), 11),
    "stream without entries": payload(15, stream_1([], 0, (17, 4))),
    "stream with deleted entries": payload(
        15, stream_1([stream_node(1, 0, (0, 0, {b"f": b"v"}), (1, 0, {b"f": b"w"}), deleted=1)], 1, (2, 0))
    ),
}
"""What Redis 7.0 reads, but for the listpack set and stream 3, which 7.2 does."""

_LATER = 4_102_444_800_000
NEWER: dict[str, bytes] = {
    "hash with times": payload(
        24,
        pack("<q", _LATER)
        + length(3)
        + b"".join(length(ttl) + string(f) + string(b"v") for f, ttl in ((b"f", 1), (b"g", 0), (b"h", 5000))),
        12,
    ),
    "hash with times, before 7.4": payload(
        22, length(2) + b"".join(length(ttl) + string(f) + string(b"v") for f, ttl in ((b"f", _LATER), (b"g", 0))), 12
    ),
    "listpack hash with times": payload(
        25, pack("<q", _LATER) + string(listpack(b"f", b"v", _LATER, b"h", 7, _LATER + 1, b"g", b"w", 0)), 12
    ),
    "listpack hash with times, before 7.4": payload(23, string(listpack(b"f", b"v", _LATER, b"g", b"w", 0)), 12),
}
"""What Redis 7.4 reads."""

SINCE_7_2 = frozenset(("listpack set", "stream 3"))


def sealed(data: bytes) -> bytes:
    """A payload without its checksum, with the right one."""
    return data + pack("<Q", crc64(data))


def mutated(rng: random.Random, text: bytes) -> bytes:
    """A payload that something has happened to, with a checksum that is right."""
    data = bytearray(text[:-10])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place = rng.randrange(len(data)) if data else 0
        what = rng.randrange(7)
        if what < 3 and data:
            data[place] ^= 1 << rng.randrange(8)
        elif what == 3 and data:
            data[place] = rng.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xC3, 0xF0, 0xF4, 0xFE, 0xFF))
        elif what == 4:
            del data[place : place + rng.randrange(1, 5)]
        elif what == 5:
            data[place:place] = rng.randbytes(rng.randrange(1, 5))
        elif data:
            end = min(len(data), place + rng.randrange(1, 9))
            data[place:place] = data[place:end]
    return sealed(bytes(data) + text[-10:-8])
