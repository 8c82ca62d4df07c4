"""Files that are not sound are refused, and change nothing."""

from __future__ import annotations

import contextlib
import random
import tracemalloc

import pytest

from pycache_server.persist.loading import Loading
from pycache_server.rdb.reader import BadData
from pycache_server.testing.inprocess import World
from tests.conftest import more_in_ci, some_slow
from tests.persist.files import begin, file_of, fill, saved, signed, text

KEY = b"\x00" + text(b"k") + text(b"v")


def _read(world: World, data: bytes, **options: bool) -> Loading:
    loading = begin(world, data, **options)
    while loading.step():
        pass
    return loading


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"RED", "cut off"),
        (b"RUBBISH01", "signature"),
        (b"REDIS0000\xff", "version 0000"),
        (b"REDIS0013\xff", "version 0013"),
        (b"REDISabcd\xff", "version abcd"),
        (file_of(KEY, KEY), "duplicated key 'k' in DB 0"),
        (file_of(*[b"\xfc" + bytes(7) + b"\x01" + KEY] * 2), "duplicated key 'k' in DB 0"),
        (file_of(b"\xfc" + bytes(8) + KEY, KEY[:0], b"\xfe\x50"), "more than 4 databases"),
        (file_of(b"\xf7\x81" + b"m" * 8), "module"),
        (file_of(b"\xf6\x01x"), "Pre-release"),
        (file_of(b"\x07\x01k"), "unknown kind of value 7"),
        (file_of(b"\x1f\x01k"), "unknown kind of value 31"),
        (file_of(KEY)[:-8], "missing"),
        (file_of(KEY)[:-9], "cut off|missing"),
        (file_of(KEY)[:-8] + b"12345678", r"Wrong RDB checksum expected: \([0-9a-f]+\) but got \(3837363534333231\)"),
    ],
)
def test_what_is_no_file_is_refused(world: World, data: bytes, reason: str) -> None:
    world.connect().call("SET", "old", "v")
    with pytest.raises(BadData, match=reason):
        _read(world, data)
    assert world.connect().call("KEYS", "*") == ["old"]


def test_the_offset_is_told(world: World) -> None:
    with pytest.raises(BadData) as raised:
        _read(world, file_of(KEY, KEY))
    assert raised.value.offset == 9 + len(KEY)


def test_a_checksum_of_zeros_or_that_nobody_wants_is_not_looked_at(world: World) -> None:
    body = file_of(KEY)[:-8]
    assert _read(world, body + bytes(8)).done
    assert _read(world, body + b"12345678", checksum=False).done


def test_a_file_of_a_version_before_checksums_has_none(world: World) -> None:
    assert _read(world, b"REDIS0003\xfe\x00" + KEY + b"\xff").progress.keys == 1


def test_collections_without_elements_are_left_out(world: World) -> None:
    loading = _read(world, file_of(b"\x02\x01s\x00", b"\x0e\x01l\x00", KEY))
    assert (loading.progress.empty, loading.progress.keys) == (2, 1)


def test_times_in_seconds_and_negative_ones_are_read(world: World) -> None:
    later = (4_000_000_000 - (1 << 32)).to_bytes(4, "little", signed=True)
    assert _read(world, file_of(b"\xfd" + (2_000_000_000).to_bytes(4, "little") + KEY)).progress.keys == 1
    assert _read(world, file_of(b"\xfd" + later + KEY)).progress.expired == 1
    assert _read(world, file_of(b"\xfc" + b"\xff" * 8 + KEY)).progress.expired == 1


def test_truncation_at_every_byte_is_refused(world: World) -> None:
    first = World(databases=4)
    client = first.connect()
    client.call("SET", "string", "text", "PX", 100_000)
    client.call("RPUSH", "list", "a", "b")
    client.call("ZADD", "zset", 1, "a")
    client.call("HSET", "hash", "f", "v")
    client.call("HPEXPIRE", "hash", 1000, "FIELDS", 1, "f")
    client.call("XADD", "stream", "1-1", "f", "v")
    client.call("SELECT", 1)
    client.call("SADD", "set", "x", "y")
    data = saved(first)
    for length in range(len(data)):
        with pytest.raises(BadData) as raised:
            _read(world, data[:length])
        assert 0 <= raised.value.offset <= length
    assert world.connect().call("DBSIZE") == 0


def test_a_bit_that_has_changed_is_noticed_by_the_checksum(world: World) -> None:
    first = World(databases=4)
    fill(first.connect())
    data = saved(first)
    chooser = random.Random(7)
    for _ in range(100):
        place = chooser.randrange(9, len(data) - 8)
        broken = bytearray(data)
        broken[place] ^= 1 << chooser.randrange(8)
        with pytest.raises(BadData):
            _read(world, bytes(broken))


@pytest.mark.parametrize("seed", some_slow(range(60), more_in_ci(1, 6)))
def test_broken_files_with_the_right_checksum_are_refused_or_loaded_and_nothing_else(seed: int) -> None:
    first, world = World(databases=4), World(databases=4)
    fill(first.connect())
    data = saved(first)[:-8]
    first.core.keyspace.compress = False
    most = 100 * len(saved(first))
    chooser = random.Random(seed)
    world.connect().call("SET", "old", "v")
    tracemalloc.start()
    try:
        for _ in range(more_in_ci(12, 30)):
            broken = bytearray(data)
            for _ in range(chooser.choice((1, 1, 2, 5))):
                broken[chooser.randrange(9, len(data))] = chooser.randrange(256)
            with contextlib.suppress(BadData):
                _read(world, signed(bytes(broken)))
            world.core.keyspace.discarded.clear()
            assert world.connect().call("DBSIZE") == 1
        assert tracemalloc.get_traced_memory()[1] < most, seed
    finally:
        tracemalloc.stop()
