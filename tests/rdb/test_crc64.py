"""The checksum, with a package for it and without."""

from __future__ import annotations

import random
import subprocess
import sys

from pycache_server.rdb.crc64 import crc64, crc64_in_python

_JONES = 0x95AC9329AC4BC9B5


def bit_by_bit(data: bytes, crc: int = 0) -> int:
    """The definition."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_JONES if crc & 1 else 0)
    return crc


def test_the_check_value_of_the_polynomial_is_right() -> None:
    assert crc64(b"123456789") == crc64_in_python(b"123456789") == 0xE9C6D914C4B8D9CA


def test_every_length_gives_what_the_definition_says() -> None:
    data = random.Random(1).randbytes(4000)
    for length in [*range(600), 999, 1023, 1024, 1025, 2047, 2048, 4000]:
        expected = bit_by_bit(data[:length])
        assert crc64(data[:length]) == expected
        assert crc64_in_python(data[:length]) == expected


def test_a_checksum_goes_on_from_the_one_before() -> None:
    rng = random.Random(2)
    data = rng.randbytes(3000)
    whole = bit_by_bit(data)
    for cut in [0, 1, 7, 8, 255, 256, 257, 1500, 2999, 3000]:
        assert crc64(data[cut:], crc64(data[:cut])) == whole
        assert crc64_in_python(data[cut:], crc64_in_python(data[:cut])) == whole


def test_a_megabyte_is_summed_up_alike_both_ways() -> None:
    data = random.Random(3).randbytes(1 << 20)
    parts = 0
    for start in range(0, len(data), 200):
        parts = crc64_in_python(data[start : start + 200], parts)
    assert crc64(data) == crc64_in_python(data) == parts


def test_without_the_package_python_computes() -> None:
    code = (
        "import sys; sys.modules['anycrc'] = None\n"
        "from pycache_server.rdb import crc64 as c; assert c._compute is c.crc64_in_python"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
