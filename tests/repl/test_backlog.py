"""The end of the stream: what is there, for whom, and when it goes."""

from __future__ import annotations

from random import Random

import pytest

from pycache_server.repl.backlog import BLOCK, Backlog
from pycache_server.repl.history import History


class Follower:
    """A reader."""

    def __init__(self, position: int) -> None:
        self.position = position


def made(size: int = 1 << 20, offset: int = 0) -> Backlog:
    return Backlog(History(b"a" * 40, offset), size)


def test_what_is_appended_can_be_read_once_it_is_sealed() -> None:
    backlog = made(offset=10)
    backlog.append(b"abc")
    backlog.append(b"def")
    assert backlog.history.offset == 16
    assert backlog.since(10, 100) == b""
    assert backlog.seal() == b"abcdef"
    assert backlog.seal() == b""
    assert backlog.since(10, 100) == b"abcdef"
    assert backlog.since(12, 3) == b"cde"
    assert backlog.since(16, 100) == b""
    backlog._check()


def test_the_oldest_blocks_go_when_there_is_more_than_wanted() -> None:
    backlog = made(size=3 * BLOCK)
    for _ in range(10):
        backlog.append(bytes(BLOCK))
        backlog.seal()
        backlog._check()
    assert len(backlog) == 3 * BLOCK
    assert backlog.start == 7 * BLOCK
    assert not backlog.covers(7 * BLOCK - 1)
    assert backlog.covers(7 * BLOCK)
    assert not backlog.covers(10 * BLOCK + 1)


def test_nothing_goes_that_a_reader_still_needs() -> None:
    backlog = made(size=BLOCK)
    slow = Follower(0)
    backlog.readers.append(slow)
    for _ in range(5):
        backlog.append(bytes(BLOCK))
        backlog.seal()
    assert len(backlog) == 5 * BLOCK
    slow.position = 3 * BLOCK
    backlog.trim()
    assert backlog.start == 3 * BLOCK
    backlog.readers.clear()
    backlog.trim()
    assert backlog.start == 4 * BLOCK
    backlog._check()


def test_its_size_can_be_changed_while_it_is_in_use() -> None:
    backlog = made(size=8 * BLOCK)
    for _ in range(8):
        backlog.append(bytes(BLOCK))
        backlog.seal()
    backlog.resize(2 * BLOCK)
    assert len(backlog) == 2 * BLOCK
    backlog.resize(1)
    backlog._check()
    backlog.append(b"x")
    backlog.seal()
    assert backlog.covers(8 * BLOCK)


@pytest.mark.parametrize("seed", range(20))
def test_readers_get_the_stream_whole_however_slow_they_are(seed: int) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    backlog = made(size=random.choice((1, BLOCK, 3 * BLOCK, 1 << 20)), offset=random.randrange(100))
    origin = backlog.start
    readers = [Follower(origin) for _ in range(3)]
    backlog.readers += readers
    stream, got = b"", [b"", b"", b""]
    for _ in range(300):
        for _ in range(random.randrange(5)):
            data = random.randbytes(random.choice((1, 30, 500, 5000)))
            stream += data
            backlog.append(data)
        backlog.seal()
        number = random.randrange(3)
        most = random.choice((1, 1000, 1 << 20))
        data = backlog.since(readers[number].position, most)
        assert len(data) <= most
        readers[number].position += len(data)
        got[number] += data
        backlog._check()
    for number, reader in enumerate(readers):
        while data := backlog.since(reader.position, 1 << 20):
            reader.position += len(data)
            got[number] += data
        assert got[number] == stream
    assert backlog.history.offset == origin + len(stream)
