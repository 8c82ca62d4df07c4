"""Ids are read as Redis reads them, with all that C lets through."""

from __future__ import annotations

import pytest

from pycache_server.store.stream_id import LARGEST_ID, LARGEST_SEQ, format_id, parse_id


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0-0", 0),
        (b"5", 5 << 64 | 9),
        (b"5-0", 5 << 64),
        (b"007-08", 7 << 64 | 8),
        (b"18446744073709551615-18446744073709551615", LARGEST_ID),
        (b" 3- 1", 3 << 64 | 1),
        (b"+3-+1", 3 << 64 | 1),
        (b"3--01", 3 << 64 | LARGEST_SEQ),
        (b"3- -1", 3 << 64 | LARGEST_SEQ),
        (b"3--0", 3 << 64),
        (b"3--9223372036854775809", 3 << 64 | 9223372036854775807),
        (b"0" * 120 + b"4-1", 4 << 64 | 1),
        (b"5\0-x", 5 << 64 | 9),
    ],
)
def test_what_redis_reads_as_an_id(text: bytes, number: int) -> None:
    assert parse_id(text, missing=9) == number


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"-", b"+", b"*", b"$", b"x", b"1-", b"-1", b"1-x", b"1-2-3", b"1-*", b"3 -1", b"3- ", b"\0"),
        *(b"3--1", b"3--9223372036854775808", b"3-- 1", b"18446744073709551616-0", b"0-18446744073709551616"),
        *(b"3--18446744073709551616", b"0" * 128, "٣".encode(), b"1_0"),
    ],
)
def test_what_redis_does_not(text: bytes) -> None:
    assert parse_id(text) is None


def test_ids_are_printed_in_two_parts() -> None:
    assert format_id(0) == b"0-0"
    assert format_id(7 << 64 | 3) == b"7-3"
    assert format_id(LARGEST_ID) == b"18446744073709551615-18446744073709551615"
