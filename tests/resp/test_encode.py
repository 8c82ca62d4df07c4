"""Values become what both versions of the protocol write for them."""

from __future__ import annotations

import pytest

from pycache_server.errors import WrongType
from pycache_server.resp.encode import (
    NULL_ARRAY,
    OK,
    Entries,
    Pairs,
    Push,
    Rows,
    Scored,
    SetReply,
    Verbatim,
    encode2,
    encode3,
    format_double,
    spot,
)


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (b"ab", b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
        (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
        (7, b":7\r\n", b":7\r\n"),
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (0.5, b"$3\r\n0.5\r\n", b",0.5\r\n"),
        ([], b"*0\r\n", b"*0\r\n"),
        ([b"a", 1], b"*2\r\n$1\r\na\r\n:1\r\n", b"*2\r\n$1\r\na\r\n:1\r\n"),
        ((b"a",), b"*1\r\n$1\r\na\r\n", b"*1\r\n$1\r\na\r\n"),
        (Entries(), b"*0\r\n", b"*0\r\n"),
        (Rows([], []), b"*0\r\n", b"*0\r\n"),
        ({b"a": None}, b"*2\r\n$1\r\na\r\n$-1\r\n", b"%1\r\n$1\r\na\r\n_\r\n"),
        (Pairs([([1], 2)]), b"*2\r\n*1\r\n:1\r\n:2\r\n", b"%1\r\n*1\r\n:1\r\n:2\r\n"),
        ({b"a"}, b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (SetReply([b"a", 1]), b"*2\r\n$1\r\na\r\n:1\r\n", b"~2\r\n$1\r\na\r\n:1\r\n"),
        (Push([b"m", 1]), b"*2\r\n$1\r\nm\r\n:1\r\n", b">2\r\n$1\r\nm\r\n:1\r\n"),
        (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        (
            Scored([b"a", b"bc"], [1.0, 0.5]),
            b"*4\r\n$1\r\na\r\n$1\r\n1\r\n$2\r\nbc\r\n$3\r\n0.5\r\n",
            b"*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$2\r\nbc\r\n,0.5\r\n",
        ),
        (Scored([], []), b"*0\r\n", b"*0\r\n"),
        (OK, b"+OK\r\n", b"+OK\r\n"),
        (WrongType(), b"-" + WrongType.text + b"\r\n", b"-" + WrongType.text + b"\r\n"),
        ([b"a", OK, b"b"], b"*3\r\n$1\r\na\r\n+OK\r\n$1\r\nb\r\n", b"*3\r\n$1\r\na\r\n+OK\r\n$1\r\nb\r\n"),
    ],
)
def test_every_kind_of_value_is_encoded_for_both_versions(value: object, resp2: bytes, resp3: bytes) -> None:
    assert encode2(value) == resp2
    assert encode3(value) == resp3


@pytest.mark.parametrize("sizes", [[3] * 50, list(range(50)), [0, 5000, 1], [70000]])
def test_arrays_of_strings_are_the_same_fast_and_slow(sizes: list[int]) -> None:
    values = [b"x" * size for size in sizes]
    slow = b"*%d\r\n" % len(values) + b"".join(map(encode2, values))
    assert encode2(values) == slow
    entries = [(b"name", values), (b"", values[:2])]
    assert encode2(Entries(entries)) == encode3(Entries(entries)) == encode2(entries)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, b"3"),
        (-0.0, b"-0"),
        (0.1, b"0.1"),
        (1e16, b"10000000000000000"),
        (2.0**62, b"4611686018427387904"),
        (4.7e18, b"4.7e+18"),
        (1700000000.1234567, b"1.7000000001234567e+9"),
        (1700000000.123456, b"1700000000.123456"),
        (-0.00012345678, b"-1.2345678e-4"),
        (1e-5, b"0.00001"),
        (1e-7, b"1e-7"),
        (1.5e-7, b"1.5e-7"),
        (1e21, b"1e+21"),
        (1.5e300, b"1.5e+300"),
        (123456789.123, b"123456789.123"),
        (12345678901234567890.0, b"12345678901234567000"),
        (5e-324, b"5e-324"),
        (float("inf"), b"inf"),
        (float("-inf"), b"-inf"),
        (float("nan"), b"nan"),
    ],
)
def test_doubles_have_the_fewest_digits_that_read_back_the_same(value: float, text: bytes) -> None:
    assert format_double(value) == text


def test_a_value_that_no_reply_can_be_made_of_is_refused() -> None:
    with pytest.raises(TypeError):
        encode2("text")


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 70_000])
def test_rows_are_arrays_of_their_fields(size: int) -> None:
    firsts, seconds, numbers = [b"a", b"x" * size], [b"y" * size, b""], [-7, 1 << 60]
    rows = list(zip(firsts, seconds, strict=True))
    assert encode2(Rows(firsts, seconds)) == encode3(Rows(firsts, seconds)) == encode2(rows)
    rows = list(zip(firsts, numbers, seconds, strict=True))
    assert encode2(Rows(firsts, numbers, seconds)) == encode3(Rows(firsts, numbers, seconds)) == encode2(rows)


def test_spots_are_arrays_of_two_doubles_alone_and_in_rows() -> None:
    places = [spot(13.5, -0.25), spot(-180.0, 3.0)]
    assert encode2(places[0]) == b"*2\r\n$4\r\n13.5\r\n$5\r\n-0.25\r\n"
    assert encode3(places[0]) == b"*2\r\n,13.5\r\n,-0.25\r\n"
    assert encode2(spot(0.1, 1e-7)).split(b"\r\n")[2:5:2] == [b"0.10000000000000001", b"0.0000001"]
    for encode in (encode2, encode3):
        assert encode(Rows([b"a", b"b"], places)) == encode(list(zip([b"a", b"b"], places, strict=True)))
        assert encode([places[0], NULL_ARRAY]) == b"*2\r\n" + encode(places[0]) + encode(NULL_ARRAY)
