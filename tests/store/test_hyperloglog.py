"""HyperLogLogs: the bytes of both forms, their registers, and what is estimated."""

from __future__ import annotations

from random import Random

import pytest

from pycache_server.store import hyperloglog as hll
from pycache_server.store.sparse_registers import expand, expand_all, raise_all, raise_sparse, runs

LIMIT = 3000


def dense(values: bytes = bytes(hll.COUNT)) -> bytearray:
    text = hll.empty()
    hll.make_dense(text, hll.pack(values))
    return text


def with_registers(values: dict[int, int], limit: int = LIMIT) -> bytearray:
    text = hll.empty()
    for register, value in values.items():
        if hll.is_dense(text):
            hll.raise_dense(text, register, value)
        else:
            raise_sparse(text, register, value, limit)
    return text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xD8DFEA6585BC9732),
        (b"a", 0x53D2470A9B43B1A7),
        (b"12345678", 0x95EBB86389132953),
        (b"hello world", 0xA919BC3051F624B7),
    ],
)
def test_hashes_are_those_of_murmur(data: bytes, expected: int) -> None:
    assert hll.murmur(data) == expected


def test_a_new_one_is_a_run_of_zeros() -> None:
    assert bytes(hll.empty()) == b"HYLL\x01" + bytes(11) + b"\x7f\xff"
    assert hll.cached(hll.empty()) == 0
    assert hll.estimate(hll.pack(expand(hll.empty()))) == 0


@pytest.mark.parametrize(
    "text",
    [b"", b"HYLL", b"HYLX" + bytes(20), b"HYLL\x02" + bytes(20), b"HYLL\x00" + bytes(20), b"HYLL" + bytes(12299)],
)
def test_what_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(hll.NotHyperLogLog):
        hll.check(text)


def test_registers_come_back_from_their_packed_form() -> None:
    random = Random(1)
    values = bytes(random.randrange(64) for _ in range(hll.COUNT))
    assert hll.unpack(hll.pack(values)) == values
    assert hll.registers_of(dense(values)) == hll.pack(values)


def test_single_registers_are_raised_in_place() -> None:
    random = Random(2)
    model = bytearray(hll.COUNT)
    text = dense()
    for _ in range(20_000):
        register, value = random.choice((random.randrange(hll.COUNT), hll.COUNT - 1)), random.randrange(64)
        assert hll.raise_dense(text, register, value) == (value > model[register])
        model[register] = max(model[register], value)
    assert hll.unpack(hll.registers_of(text)) == model
    assert len(text) == hll.DENSE_SIZE


def test_the_greatest_of_registers() -> None:
    random = Random(3)
    one, other = (bytes(random.randrange(64) for _ in range(hll.COUNT)) for _ in range(2))
    assert hll.unpack(hll.greatest(hll.pack(one), hll.pack(other))) == bytes(map(max, one, other))


@pytest.mark.parametrize("count", [0, 1, 10, 100, 1000, 30_000])
def test_estimates_are_right_but_for_two_percent(count: int) -> None:
    text = dense()
    for number in range(count):
        hll.raise_dense(text, *hll.place_of(b"%d" % number))
    assert abs(hll.estimate(hll.registers_of(text)) - count) <= 0.02 * count


def test_what_no_elements_can_have_made_is_estimated_all_the_same() -> None:
    assert hll.estimate(hll.pack(b"\x3f" * hll.COUNT)) == -(2**63)
    assert hll.estimate(hll.pack(b"\x33" * hll.COUNT)) == -(2**63)


def test_the_estimate_is_kept_until_a_register_changes() -> None:
    text = hll.empty()
    hll.invalidate(text)
    assert hll.cached(text) is None
    hll.cache(text, 300)
    assert hll.cached(text) == 300
    assert text[8:16] == b"\x2c\x01" + bytes(6)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("0=1", "v:1,1 Z:16383"),
        ("16383=32", "Z:16383 v:32,1"),
        ("5=3", "z:5 v:3,1 Z:16378"),
        ("100=2", "Z:100 v:2,1 Z:16283"),
        ("5=3 6=3", "z:5 v:3,2 Z:16377"),
        ("5=3 6=3 7=3 8=3 9=3", "z:5 v:3,4 v:3,1 Z:16374"),
        ("5=3 6=3 7=3 6=4", "z:5 v:3,1 v:4,1 v:3,1 Z:16376"),
        ("5=3 6=3 7=3 5=4", "z:5 v:4,1 v:3,2 Z:16376"),
        ("5=3 6=3 6=2", "z:5 v:3,2 Z:16377"),
        ("64=1 0=1", "v:1,1 z:63 v:1,1 Z:16319"),
    ],
)
def test_runs_are_split_and_joined_as_redis_does_it(raised: str, expected: str) -> None:
    text = hll.empty()
    for each in raised.split():
        register, value = map(int, each.split("="))
        raise_sparse(text, register, value, LIMIT)
    shown = [
        (f"{kind.decode()}:{value},{length}" if value else f"{kind.decode()}:{length}")
        for kind, value, length in runs(text)
    ]
    assert " ".join(shown) == expected


@pytest.mark.parametrize("seed", range(4))
def test_sparse_registers_agree_with_a_model(seed: int) -> None:
    random = Random(seed)
    model = bytearray(hll.COUNT)
    text = hll.empty()
    span = random.choice((50, 1000, hll.COUNT))
    for _ in range(700):
        register, value = random.randrange(span), random.randrange(1, 6)
        changed = raise_sparse(text, register, value, 1 << 20) is not None
        assert changed == (value > model[register])
        model[register] = max(model[register], value)
    assert expand(text) == expand_all(text) == model


@pytest.mark.parametrize("seed", range(4))
def test_raising_all_gives_the_bytes_that_raising_one_after_the_other_gives(seed: int) -> None:
    random = Random(seed)
    for span in (30, 300, hll.COUNT):
        start = {random.randrange(span): random.randrange(1, 5) for _ in range(random.randrange(80))}
        values = bytearray(hll.COUNT)
        for _ in range(random.randrange(300)):
            values[random.randrange(span)] = random.randrange(1, 5)
        one, other = with_registers(start), with_registers(start)
        raise_all(one, bytes(values), LIMIT)
        for register, value in enumerate(values):
            if value:
                raise_sparse(other, register, value, LIMIT)
        assert one == other


def test_it_becomes_dense_when_it_gets_too_long_or_a_value_too_large() -> None:
    text = with_registers({register * 3: 1 for register in range(40)}, limit=60)
    assert hll.is_dense(text)
    text = with_registers({7: 32})
    assert not hll.is_dense(text)
    raise_sparse(text, 8, 33, LIMIT)
    assert hll.is_dense(text) and hll.unpack(hll.registers_of(text))[:10] == b"\0\0\0\0\0\0\0\x20\x21\0"


@pytest.mark.parametrize("tail", [b"", b"\x7f\xfe", b"\x7f\xff\x00", b"\xff" * 4097, b"\x40"])
def test_runs_that_do_not_add_up_are_refused(tail: bytes) -> None:
    text = bytearray(b"HYLL\x01" + bytes(11) + tail)
    with pytest.raises(hll.CorruptedHyperLogLog):
        expand(text)


def test_a_register_behind_all_runs_is_refused() -> None:
    with pytest.raises(hll.CorruptedHyperLogLog):
        raise_sparse(bytearray(b"HYLL\x01" + bytes(11) + b"\x3f"), 64, 1, LIMIT)
