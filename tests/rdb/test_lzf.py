"""LZF: what is compressed comes back, what is broken does not, and nothing grows beyond what was claimed."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pycache_server.rdb import lzf
from pycache_server.rdb.lzf import MOST_TIMES, compress, compress_in_python, decompress, decompress_in_python


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
    assert compress(text) == compress_in_python(text) == packed


def texts(count: int, seed: int) -> Iterator[bytes]:
    """Random texts, of few letters or many, that repeat themselves or do not."""
    rng = random.Random(seed)
    for _ in range(count):
        letters = bytes(rng.sample(range(256), rng.choice((1, 2, 3, 8, 40, 200))))
        text = bytes(rng.choices(letters, k=rng.randrange(600)))
        yield text + text[: rng.randrange(600)] * rng.randrange(3)


def test_every_text_that_is_compressed_comes_back() -> None:
    shorter = 0
    for text in texts(400, 1):
        packed = compress(text)
        if packed is not None:
            shorter += 1
            assert len(packed) <= len(text) - 4
            assert decompress(packed, len(text)) == decompress_in_python(packed, len(text)) == text
    assert shorter > 100


def test_the_package_makes_what_python_makes() -> None:
    assert lzf.FAST, "the extra lzf is not installed"
    for text in texts(600, 3):
        assert compress(text) == compress_in_python(text), text
    for size in range(30):
        assert compress(b"a" * size) == compress_in_python(b"a" * size)


def test_what_is_broken_is_found_by_both() -> None:
    rng = random.Random(4)
    for text in texts(300, 5):
        packed = bytearray(compress_in_python(text) or text[:90])
        for _ in range(rng.randrange(4)):
            if packed:
                packed[rng.randrange(len(packed))] = rng.randrange(256)
        size = rng.choice((len(text), len(text) + 1, 1, 0, 5000))
        assert decompress(bytes(packed), size) == decompress_in_python(bytes(packed), size)


def test_without_the_package_files_are_not_compressed_and_small_payloads_are() -> None:
    code = (
        "import sys; sys.modules['lzf'] = None\n"
        "from pycache_server.rdb import lzf, writer\n"
        "from pycache_server.persist.saving import save\n"
        "from pycache_server.rdb.payload import dump\n"
        "from pycache_server.testing.inprocess import World\n"
        "world = World(); client = world.connect(); text = 'hello ' * 20\n"
        "client.call('SET', 'k', text); client.call('SET', 'large', text * 20)\n"
        "assert not lzf.FAST and lzf.compress is lzf.compress_in_python\n"
        "assert text.encode() * 20 in b''.join(save(world.core.keyspace))\n"
        "limits = world.core.keyspace.encodings\n"
        "assert len(dump(text.encode(), limits)) < 50 and len(dump(text.encode() * 20, limits)) > 2400\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


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
