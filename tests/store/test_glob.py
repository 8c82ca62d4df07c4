"""Glob patterns match as Redis's do, and never take long."""

from __future__ import annotations

import random

import pytest

from pycache_server.store.glob import compile_glob
from tests.conftest import RealRedis
from tests.differential.oracle import Real


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (b"h?llo", [b"hello", b"h\nllo"], [b"hllo", b"heello"]),
        (b"h*llo", [b"hllo", b"heeello"], [b"hell"]),
        (b"h[ae]llo", [b"hallo"], [b"hillo"]),
        (b"h[^e]llo", [b"hallo"], [b"hello"]),
        (b"h[!e]llo", [b"h!llo", b"hello"], [b"hallo"]),
        (b"h[b-a]llo", [b"hallo", b"hbllo"], [b"hcllo"]),
        (b"[abc", [b"a"], [b"[abc"]),
        (b"\\*", [b"*"], [b"x"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[]", [], [b"", b"]"]),
        (b"", [b""], [b"a"]),
        (b"*a*b*", [b"ab", b"xaxbx"], [b"ba"]),
    ],
)
def test_patterns(pattern: bytes, matching: list[bytes], other: list[bytes]) -> None:
    matches = compile_glob(pattern)
    assert all(matches(text) for text in matching)
    assert not any(matches(text) for text in other)


def test_case_can_be_ignored() -> None:
    assert compile_glob(b"MAX*[A-B]", ignore_case=True)(b"maxmemorya")


def test_many_stars_do_not_hang() -> None:
    matches = compile_glob(b"*a" * 30 + b"*b")
    assert not matches(b"a" * 20000)


@pytest.mark.interop
def test_random_patterns_match_as_in_redis(real_redis: RealRedis) -> None:
    real = Real(real_redis.port, 2)
    real.call([b"FLUSHALL"])
    chance = random.Random(7)
    keys = {bytes(chance.choices(b"ab-]^[*?\\c\n", k=chance.randrange(6))) for _ in range(300)}
    for key in keys:
        real.call([b"SET", key, b""])
    for _ in range(1500):
        pattern = bytes(chance.choices(b"ab-]^[[**?\\c\n]", k=chance.randrange(8)))
        if pattern != b"*":
            matches = compile_glob(pattern)
            assert {key for key in keys if matches(key)} == set(real.call([b"KEYS", pattern])), pattern
    real.close()
