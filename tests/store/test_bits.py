"""Bit operations agree with operations on strings of zeros and ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from pycache_server.store import bits


def digits(text: bits.Text) -> str:
    return "".join(f"{byte:08b}" for byte in text)


def some_text(chance: random.Random, longest: int) -> bits.Text:
    """Text of long runs of equal bytes, as bitmaps are."""
    text = b"".join(
        chance.choice([b"\0", b"\xff", chance.randbytes(1)]) * chance.randrange(longest)
        for _ in range(chance.randrange(1, 5))
    )
    return chance.choice([bytes, bytearray])(text or b"\x10")


@pytest.mark.parametrize("seed", range(8))
def test_counting_and_finding_within_any_range(seed: int) -> None:
    chance = random.Random(seed)
    text = some_text(chance, 20 if seed % 2 else 12_000)
    model = digits(text)
    for _ in range(100):
        first = chance.randrange(len(model))
        last = chance.randrange(first, len(model))
        part = model[first : last + 1]
        assert bits.count_bits(text, first, last) == part.count("1")
        for wanted in (False, True):
            place = part.find(str(int(wanted)))
            assert bits.find_bit(text, wanted, first, last) == (first + place if place >= 0 else -1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("operation", "combine"),
    [(bits.AND, lambda a, b: a & b), (bits.OR, lambda a, b: a | b), (bits.XOR, lambda a, b: a ^ b)],
)
def test_combining_texts_of_any_length(seed: int, operation: bits.Combine, combine: Callable[[int, int], int]) -> None:
    chance = random.Random(seed)
    texts = [some_text(chance, 6 if seed % 2 else 9_000) for _ in range(chance.randrange(1, 4))]
    length = max(map(len, texts))
    wanted = bytes(texts[0]).ljust(length, b"\0")
    for text in texts[1:]:
        wanted = bytes(map(combine, wanted, bytes(text).ljust(length, b"\0")))
    assert bits.combine(operation, texts) == wanted


def test_texts_without_bytes_combine_to_nothing() -> None:
    assert bits.combine(bits.AND, [b"", b""]) == b""
    assert bits.complement(b"\x00\xf0") == b"\xff\x0f"


@pytest.mark.parametrize("seed", range(4))
def test_fields_are_parts_of_the_string_of_digits(seed: int) -> None:
    chance = random.Random(seed)
    text = bytearray(chance.randbytes(20))
    for _ in range(300):
        width = chance.randrange(1, 65)
        offset = chance.randrange(len(text) * 8 - width + 1)
        signed = chance.random() < 0.5
        value = chance.randrange(-(1 << width - 1), 1 << width - 1) if signed else chance.randrange(1 << width)
        before = digits(text)
        bits.write_field(text, offset, width, value)
        field = f"{value % (1 << width):0{width}b}"
        assert digits(text) == before[:offset] + field + before[offset + width :]
        assert bits.read_field(text, offset, width, signed) == value


def test_fields_reach_beyond_the_text_into_zeros() -> None:
    assert bits.read_field(b"\x01", 4, 8, False) == 0x10
    assert bits.read_field(b"\x0f", 4, 8, True) == -16
    assert bits.read_field(b"", 1000, 64, True) == 0
