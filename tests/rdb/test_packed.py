"""Listpacks, ziplists, zipmaps and intsets: what an encoder of the tests' own has packed is read, and what is broken is
refused."""

from __future__ import annotations

import random
from struct import pack

import pytest

from pycache_server.rdb import intset as intsets
from pycache_server.rdb import listpack as listpacks
from pycache_server.rdb import ziplist as ziplists
from pycache_server.rdb.reader import BadData
from pycache_server.store.listpack import FRAME, element_bytes
from tests.rdb.packing import intset, listpack, ziplist, zipmap

EDGES = [
    *(sign * (1 << bits) + more for bits in (6, 7, 12, 13, 15, 23, 31, 62) for sign in (1, -1) for more in (-1, 0, 1)),
    0,
    2**63 - 1,
    -(2**63),
]
SIZES = (0, 1, 62, 63, 64, 65, 125, 126, 127, 128, 253, 254, 255, 4094, 4095, 4096, 16377, 16378, 16383, 16384, 70000)


def texts(elements: list[bytes | int]) -> list[bytes]:
    return [b"%d" % element if isinstance(element, int) else element for element in elements]


def test_listpacks_of_all_kinds_of_elements_are_read_and_written() -> None:
    elements: list[bytes | int] = [
        *EDGES,
        *(b"x" * size for size in SIZES),
        b"-",
        b"-0",
        b"007",
        b"9223372036854775808",
    ]
    data = listpack(*elements)
    assert listpacks.decode(data) == texts(elements)
    assert listpacks.encode(texts(elements)) == data
    assert listpacks.decode_mixed(data) == elements
    assert len(data) == FRAME + sum(map(element_bytes, texts(elements)))


def test_a_listpack_of_very_many_elements_does_not_tell_their_number() -> None:
    found = listpacks.encode([b"x"] * 70_000)
    assert found[4:6] == b"\xff\xff"
    assert listpacks.decode(found) == [b"x"] * 70_000


def test_a_text_in_a_listpack_may_spell_a_number() -> None:
    assert listpacks.decode(listpack(b"17", 17)) == [b"17", b"17"]


def test_a_length_of_a_listpack_element_may_be_longer_than_it_need_be() -> None:
    body = b"\x00\x81\xff"  # who walks backwards reads 1 from a byte that goes on in the content
    assert listpacks.decode(pack("<IH", 9, 1) + body) == [b"0"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        pack("<IH", 6, 0),
        pack("<IH", 8, 0) + b"\xff",
        pack("<IH", 7, 0) + b"\0",
        pack("<IH", 7, 1) + b"\xff",
        pack("<IH", 9, 2) + b"\x05\x01\xff",
        pack("<IH", 9, 1) + b"\x05\x02\xff",
        pack("<IH", 9, 1) + b"\x05\xff\xff",
        pack("<IH", 9, 1) + b"\xf5\x01\xff",
        pack("<IH", 9, 1) + b"\x85\x01\xff",
        pack("<IH", 13, 1) + b"\xf0\xff\xff\xff\xff\x01\xff",
        pack("<IH", 10, 1) + b"\xff\x05\x01\xff",
    ],
)
def test_a_broken_listpack_is_refused(data: bytes) -> None:
    with pytest.raises(BadData):
        listpacks.decode(data)


@pytest.mark.parametrize("big_lengths", [False, True])
def test_ziplists_of_all_kinds_of_entries_are_read(big_lengths: bool) -> None:
    elements: list[bytes | int] = [*EDGES, *range(-2, 15), *(b"x" * size for size in SIZES), *(b"abc", 5)]
    assert ziplists.decode(ziplist(*elements, big_lengths=big_lengths)) == texts(elements)
    assert ziplists.decode(ziplist()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ziplist()[:-1],
        ziplist(b"a")[:-1] + b"\0",
        pack("<IIH", 12, 10, 0) + b"\xff",
        pack("<IIH", 11, 11, 0) + b"\xff",
        pack("<IIH", 11, 10, 1) + b"\xff",
        pack("<IIH", 14, 10, 1) + b"\1\1a\xff",
        pack("<IIH", 14, 10, 1) + b"\0\2a\xff",
        pack("<IIH", 14, 10, 1) + b"\0\xc1a\xff",
        pack("<IIH", 14, 11, 1) + b"\0\1a\xff",
        pack("<IIH", 16, 10, 1) + b"\0\x80\xff\xff\xff\xff",
    ],
)
def test_a_broken_ziplist_is_refused(data: bytes) -> None:
    with pytest.raises(BadData):
        ziplists.decode(data)


@pytest.mark.parametrize("unused", [0, 7])
def test_zipmaps_are_read(unused: int) -> None:
    found = [b"f", b"v" * 253, b"g", b"v" * 254, b"", b""]
    assert ziplists.decode_zipmap(zipmap(*found, unused=unused)) == found
    many = [b"%d" % number for number in range(600)]
    assert ziplists.decode_zipmap(zipmap(*many)) == many


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\0\xff",
        b"\2\1f\1\0v\xff",
        b"\1\1f\1\0v",
        b"\1\1f\xff",
        b"\1\1f\1\5v\xff",
        b"\1\1f\xfe\xff\xff\xff\xff\0v\xff",
    ],
)
def test_a_broken_zipmap_is_refused(data: bytes) -> None:
    with pytest.raises(BadData):
        ziplists.decode_zipmap(data)


@pytest.mark.parametrize("width", [2, 4, 8])
def test_intsets_are_read_and_written(width: int) -> None:
    top = 1 << 8 * width - 1
    numbers = [-top, -1, 0, 5, top - 1]
    data = intset(*numbers, width=width)
    assert intsets.decode(data) == texts(list(numbers))
    assert intsets.encode(texts(list(numbers))) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pack("<II", 2, 0),
        pack("<II", 3, 1) + b"abc",
        intset(1, 2)[:-1],
        intset(1, 2) + b"\0",
        intset(2, 1),
        intset(1, 1),
        pack("<II", 8, 1 << 31),
    ],
)
def test_a_broken_intset_is_refused(data: bytes) -> None:
    with pytest.raises(BadData):
        intsets.decode(data)


def test_random_changes_of_packed_values_make_another_value_or_are_refused() -> None:
    rng = random.Random(3)
    whole = {
        listpacks.decode: listpack(b"a", *EDGES, b"x" * 200),
        ziplists.decode: ziplist(b"a", *EDGES, b"x" * 300, b"y"),
        ziplists.decode_zipmap: zipmap(b"f", b"v", b"g", b"w" * 300),
        intsets.decode: intset(1, 2, 700),
    }
    for decode, data in whole.items():
        for _ in range(3000):
            changed = bytearray(data)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), 0, 255, 128))
            try:
                found = decode(bytes(changed))
            except BadData:
                continue
            assert all(type(each) is bytes for each in found)
            assert sum(map(len, found)) <= 20 * len(changed)
