"""Lengths of listpacks are those of Redis's encoding."""

from __future__ import annotations

import pytest

from pycache_server.store.listpack import element_bytes, integer_bytes


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
