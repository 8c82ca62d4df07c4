"""Lengths of listpacks are those of Redis's encoding."""

from __future__ import annotations

import pytest

from pycache_server.store.listpack import bytes_of_all, bytes_of_each, element_bytes, integer_bytes


@pytest.mark.parametrize(
    ("number", "size"),
    [
        (0, 2),
        (127, 2),
        (128, 3),
        (-1, 3),
        (4095, 3),
        (-4096, 3),
        (4096, 4),
        (-4097, 4),
        (32767, 4),
        (32768, 5),
        (-32769, 5),
        (2**23 - 1, 5),
        (2**23, 6),
        (-(2**31), 6),
        (2**31, 10),
        (2**63 - 1, 10),
        (-(2**63), 10),
        (2**64 - 1, 3),
        (2**64, 2),
        (1 - 2**64, 2),
    ],
)
def test_integers_take_as_few_bytes_as_their_size_allows(number: int, size: int) -> None:
    assert integer_bytes(number) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"", 2),
        (b"x", 3),
        (b"7", 2),
        (b"-7", 3),
        (b"300", 3),
        (b"9223372036854775807", 10),
        (b"9223372036854775808", 21),
        (b"-9223372036854775808", 10),
        (b"007", 5),
        (b"-0", 4),
        (b"+5", 4),
        (b"x" * 63, 65),
        (b"x" * 64, 67),
        (b"x" * 125, 128),
        (b"x" * 126, 130),
        (b"x" * 4095, 4099),
        (b"x" * 4096, 4103),
        (b"x" * 16377, 16384),
        (b"x" * 16378, 16386),
        (b"x" * 2097146, 2097155),
    ],
)
def test_texts_take_their_length_and_headers_unless_they_are_numbers(text: bytes, size: int) -> None:
    assert element_bytes(text) == size


@pytest.mark.parametrize("digits", range(1, 20))
def test_a_numeral_takes_what_its_number_takes(digits: int) -> None:
    edges = [2**bits for bits in (7, 12, 15, 23, 31, 63)]
    near = [10**digits, 10 ** (digits - 1), *(edge for edge in edges if len(str(edge)) == digits)]
    for number in (edge + step for edge in near for step in range(-2, 3)):
        for signed in (number, -number):
            if -(2**63) <= signed < 2**63:
                assert element_bytes(b"%d" % signed) == integer_bytes(signed)


@pytest.mark.parametrize(
    "texts", [[], [b"a", b"bcd"], [b"a", b"12"], [b"", b"a"], [b"a", b"b" * 64], [b"~" * 63, b"-1", b"0"]]
)
def test_many_at_once_take_what_each_takes(texts: list[bytes]) -> None:
    assert bytes_of_each(texts) == [element_bytes(text) for text in texts]


@pytest.mark.parametrize("sizes", [[3], [3, 63], [63, 64], [64, 125], [125, 126], [126, 4095], [4095, 4096], [0, 7]])
@pytest.mark.parametrize("more", [[], [b"12"], [b"-1", b"text"], [b"9" * 20]])
def test_the_sum_of_many_is_what_each_takes(sizes: list[int], more: list[bytes]) -> None:
    texts = [b"x" * size for size in sizes] + more
    assert bytes_of_all(texts, list(map(len, texts))) == sum(map(element_bytes, texts))
