"""The stream of commands: whatever the reads are, the same commands at the same offsets."""

from __future__ import annotations

from random import Random

import hiredis
import pytest

from pycache_server.repl import reader
from pycache_server.repl.reader import StreamReader, size_of


def packed(*words: bytes) -> bytes:
    return hiredis.pack_command(words)


@pytest.fixture(params=["hiredis", "exact"])
def exactly(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "exact":
        monkeypatch.setattr(reader, "reader_of", lambda most: None)


def commands_of(random: Random) -> list[list[bytes]]:
    """Commands, some of which look like others inside."""
    odd = [b"", b"*", b"\r\n*", b"\r\n*1\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPING\r\n", b"x" * 70000, b"a\r\n*"]
    return [[random.choice([*odd, b"SET", b"k"]) for _ in range(random.randint(1, 4))] for _ in range(20)]


@pytest.mark.parametrize("seed", range(30))
def test_commands_and_offsets_do_not_depend_on_the_reads(exactly: None, seed: int) -> None:
    random = Random(seed)
    commands = commands_of(random)
    ends = {0}
    data = b""
    for each in commands:
        data += packed(*each)
        ends.add(len(data))
    stream, found = StreamReader(1000), []
    position = 0
    while position < len(data):
        size = random.choice([1, 2, 7, 100, 5000, 100000])
        found += stream.feed(data[position : position + size])
        position += len(data[position : position + size])
        assert stream.broken is None, seed
        assert stream.offset - 1000 == max(end for end in ends if end <= position), seed
        stream._check()
    assert found == commands, seed
    assert stream.offset == stream.received == 1000 + len(data)


def test_the_size_of_a_command_is_that_of_its_encoding() -> None:
    for argv in ([b"PING"], [b"SET", b"k" * 9, b"v" * 10], [b"MSET", *[b"x" * size for size in range(120)]]):
        assert size_of(argv) == len(packed(*argv))


@pytest.mark.parametrize(
    "garbage",
    [b"PING\r\n", b"+OK\r\n", b"-ERR no\r\n", b"\x00\xff", b"*x\r\n", b"$3\r\nfoo\r\n", b"\r\n*1\r\n$4\r\nPING\r\n"],
)
def test_garbage_is_told_with_its_offset_behind_the_commands_in_front_of_it(exactly: None, garbage: bytes) -> None:
    stream = StreamReader()
    good = packed(b"SET", b"a", b"1")
    assert stream.feed(good + garbage) == [[b"SET", b"a", b"1"]]
    if stream.broken is None:  # it may become something
        stream.feed(b"\r\n\r\n")
    assert stream.broken is not None
    assert stream.broken.offset == len(good)
    assert stream.feed(good) == []


def test_a_header_that_claims_much_takes_no_memory(exactly: None) -> None:
    for claim in (b"*1000000000\r\n", b"*99999999999999999999\r\n"):
        stream = StreamReader()
        stream.feed(claim)
        stream.feed(b"*3\r\n")
        assert stream.broken is not None


def test_arrays_in_arrays_are_garbage_before_they_are_deep() -> None:
    stream = StreamReader()
    stream.feed(b"*1000000\r\n*1000000\r\n")
    assert stream.broken is not None


def test_a_command_without_an_end_is_given_up(exactly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_WAITING", 1000)
    stream = StreamReader()
    stream.feed(b"*2\r\n$3\r\nSET\r\n$5000\r\n")
    assert stream.broken is None
    stream.feed(b"x" * 2000)
    assert stream.broken is not None and "without an end" in str(stream.broken)
