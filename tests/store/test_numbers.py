"""Numbers are read as strictly, and written with the digits, of Redis."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from pycache_server.store.numbers import (
    format_long_double,
    parse_float,
    parse_float_leniently,
    parse_int,
    parse_long_double,
    round_long_double,
)
from tests.conftest import RealRedis
from tests.differential.oracle import Real


@pytest.mark.parametrize("text", [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1_0", b"1.0", b"9223372036854775808", b"x"])
def test_what_is_no_integer(text: bytes) -> None:
    assert parse_int(text) is None


@pytest.mark.parametrize("text", [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"])
def test_what_is_an_integer(text: bytes) -> None:
    assert parse_int(text) == int(text)


@pytest.mark.parametrize("text", [b"", b" 1", b"1_0", b"nan", b"1e", b"1e400", b"1e-400", b"0x", b"e5", b"--1"])
def test_what_is_no_double(text: bytes) -> None:
    assert parse_float(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"1", 1.0), (b".5", 0.5), (b"5.", 5.0), (b"+5", 5.0), (b"INF", float("inf")), (b"-infinity", float("-inf"))],
)
def test_what_is_a_double(text: bytes, value: float) -> None:
    assert parse_float(text) == value


@pytest.mark.parametrize("text", [b"nan", b"x", b" ", b"1 ", b"1_0", b"--1"])
def test_what_is_no_double_even_to_a_lenient_reader(text: bytes) -> None:
    assert parse_float_leniently(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1.5", 1.5),
        (b"", 0.0),
        (b" \t\n1", 1.0),
        (b"2\0x", 2.0),
        (b"\0", 0.0),
        (b"1e400", float("inf")),
        (b"-1e400", float("-inf")),
        (b"1e-400", 0.0),
        (b"-0x1p5000", float("-inf")),
        (b"0x10", 16.0),
    ],
)
def test_what_is_a_double_to_a_lenient_reader(text: bytes, value: float) -> None:
    assert parse_float_leniently(text) == value


def test_long_numbers_without_exponent_do_not_become_infinite() -> None:
    assert parse_float(b"9" * 299) == float("9" * 299)
    assert parse_float(b"9" * 400) is None
    assert parse_float(b"0." + b"0" * 400 + b"1") is None


def test_hexadecimal_doubles_are_read_as_strtod_does() -> None:
    assert parse_float(b"0x1p3") == 8.0
    assert parse_float(b"-0X0.0p5") == 0.0
    for text in (b"0x1p-99999", b"0x1p99999", b"0x1p" + b"9" * 4000):
        assert parse_float(text) is None


LONG_DOUBLES = [
    *("0" * (length - 1) + "1" for length in (255, 256, 5118, 5119, 5120)),
    *("0e6000", "0e99999999", "0.0e-99999999", "0x0p99999999", "0e" + "9" * 5000),
    *("0x1p16383", "0x1p16384", "0x1p99999999999", "0x1p-16445", "0x1p-16446", "0x1p-99999999999", "-0x1p-16445"),
    *("1e4932", "1.18e4932", "1.19e4932", "-1.18e4932", "1e99999", "1e-99999", "9" * 4932, "9" * 4933),
    *("1e-4950", "1e-4951", "3.6e-4951", "1.9e-4951", "1.8e-4951", "-3e-4951"),
    *("0." + "0" * 4500 + "1e4500", "1" + "0" * 4500 + "e-4500", "0." + "0" * 5000 + "1e5001", "." + "5" * 5000),
    *("1e" + "0" * 4800 + "5", "0x1p" + "0" * 4800 + "5", "0x" + "0" * 5000 + "1", "0x1." + "0" * 5000 + "8p0"),
    *(
        "0x.8p1",
        "0x1p+3",
        "0X1P3",
        "0x1p",
        "0xp1",
        "1e+",
        "1e+5",
        "0x",
        "0x1.8",
        "0x1.p2",
        "1.e1",
        ".e1",
        "-0x10",
        "+.5",
    ),
]


@pytest.mark.interop
@pytest.mark.parametrize("text", LONG_DOUBLES, ids=range(len(LONG_DOUBLES)))
def test_long_doubles_are_read_as_strtold_does(real_redis: RealRedis, text: str) -> None:
    real = Real(real_redis.port, 2)
    real.call([b"SET", b"k", b"0"])
    theirs = real.call([b"INCRBYFLOAT", b"k", text.encode()])
    real.close()
    number = parse_long_double(text.encode())
    if isinstance(theirs, bytes):
        assert isinstance(number, Fraction)
        assert format_long_double(number) == theirs
    else:
        assert number is None


def test_sums_of_the_smallest_numbers_are_no_error() -> None:
    left, right = parse_long_double(b"3.6e-4951"), parse_long_double(b"-1.5e-4950")
    assert isinstance(left, Fraction)
    assert isinstance(right, Fraction)
    assert round_long_double(left + right) is not None


def test_long_doubles_may_have_thousands_of_digits() -> None:
    largest = parse_long_double(b"1" * 4900)
    assert isinstance(largest, Fraction)
    assert len(format_long_double(largest)) == 4900
    assert parse_long_double(b"0." + b"1" * 5000) == parse_long_double(b"0." + b"1" * 50)
    assert parse_long_double(b"0." + b"1" * 5118) is None
    assert parse_long_double(b"1" * 4950) is None


@pytest.mark.interop
def test_sums_have_the_digits_of_an_80_bit_long_double(real_redis: RealRedis) -> None:
    real = Real(real_redis.port, 2)
    chance = random.Random(5)

    def draw() -> bytes:
        kind = chance.random()
        if kind < 0.4:
            return repr(chance.uniform(-10, 10)).encode()
        if kind < 0.7:
            return b"%d.%d" % (chance.randrange(10**18), chance.randrange(10**24))
        if kind < 0.9:
            return b"%de%d" % (chance.randrange(-1000, 1000), chance.randrange(-20, 40))
        return b"%d" % chance.randrange(-(10**6), 10**6)

    for _ in range(1000):
        first, second = draw(), draw()
        real.call([b"SET", b"k", first])
        theirs = real.call([b"INCRBYFLOAT", b"k", second])
        left, right = parse_long_double(first), parse_long_double(second)
        assert left is not None
        assert right is not None
        assert not isinstance(left, float)
        assert not isinstance(right, float)
        total = round_long_double(left + right)
        assert total is not None
        assert format_long_double(total) == theirs, (first, second)
    real.close()
