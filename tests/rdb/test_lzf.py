"""LZF: what is compressed comes back, what is broken does not, and nothing grows beyond what was claimed."""

from __future__ import annotations

import random

import pytest

from pycache_server.rdb.lzf import MOST_TIMES, compress, decompress


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        (b"a" * 21, b"\x01aa\xe0\x0a\x00"),
        (b"a" * 22, b"\x01aa\xe0\x0a\x00\x00a"),
        (b"a" * 100, b"\x01aa\xe0\x57\x00\x01aa"),
        (b"abcabcabcabcabcabcabcabc", b"\x03abca\xe0\x0a\x02\x00c"),
    ],
)
def test_what_redis_makes_of_a_text_is_made_here(text: bytes, packed: bytes) -> None:
    assert decompress(packed, len(text)) == text
    assert compress(text) == packed


def test_every_text_that_is_compressed_comes_back() -> None:
    rng = random.Random(1)
    shorter = 0
    for _ in range(400):
        letters = bytes(rng.sample(range(256), rng.choice((1, 2, 3, 8, 40))))
        text = bytes(rng.choices(letters, k=rng.randrange(600)))
        text += text[: rng.randrange(600)] * rng.randrange(3)
        packed = compress(text)
        if packed is not None:
            shorter += 1
            assert len(packed) <= len(text) - 4
            assert decompress(packed, len(text)) == text
    assert shorter > 100


@pytest.mark.parametrize("text", [b"", b"abcd", b"abcdefghijklmnopqrstuvwxyz0123456789", bytes(range(256))])
def test_what_does_not_get_shorter_is_left_alone(text: bytes) -> None:
    assert compress(text) is None


@pytest.mark.parametrize(
    ("packed", "size"),
    [
        (b"", 1),
        (b"\x05ab", 6),  # a literal that is cut off
        (b"\x00a\x20", 4),  # a reference that is
        (b"\x00a\xe0", 20),
        (b"\x00a\xe0\x05", 20),
        (b"\x00a\x20\x05", 4),  # to before the beginning
        (b"\x20\x00", 3),
        (b"\x01aa\xe0\xff\x00", 20),  # more than was claimed
        (b"\x01aa\x20\x00", 9),  # less
    ],
)
def test_what_is_broken_is_refused(packed: bytes, size: int) -> None:
    assert decompress(packed, size) is None


def test_random_bytes_never_make_more_than_was_claimed() -> None:
    rng = random.Random(2)
    for _ in range(2000):
        packed = rng.randbytes(rng.randrange(40))
        size = rng.randrange(200)
        found = decompress(packed, size)
        assert found is None or len(found) == size <= MOST_TIMES * len(packed)
