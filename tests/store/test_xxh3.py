"""The digest of strings: known ones of every length class, and those of the package where it is installed."""

from __future__ import annotations

import random
import sys
from importlib import reload

import pytest

from pycache_server.errors import RedisError
from pycache_server.store import xxh3 as module
from pycache_server.store.xxh3 import hex_digest, xxh3

LONG = b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd"


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "2d06800538d394c2"),
        (b"v8", "0cc76dbb41381419"),
        (b"123", "404a763b3f4c8c9a"),
        (b"hello", "9555e8555c62dcfd"),
        (b"Hello world", "b6acb9d84a38ff74"),
        (LONG, "00006c38adf31777"),
    ],
)
def test_digests_that_redis_gives(data: bytes, digest: str) -> None:
    assert f"{xxh3(data):016x}" == digest
    assert hex_digest(data) == digest.encode()


def test_each_length_has_the_digest_of_the_package() -> None:
    package = pytest.importorskip("xxhash")
    chance = random.Random(8)
    for size in (*range(300), 511, 512, 513, 1023, 1024, 1025, 2048, 2049, 65_536, 100_001):
        data = chance.randbytes(size)
        assert xxh3(data) == package.xxh3_64_intdigest(data), size


def test_without_the_package_the_digest_is_calculated_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    assert reload(module).hex_digest(b"hello") == b"9555e8555c62dcfd"
    assert module._digest is module.xxh3
    with pytest.raises(RedisError, match="needs the Python package xxhash"):
        module.hex_digest(bytes(module.LONGEST))
    monkeypatch.undo()
    reload(module)
