"""Units of the feed as bytes: SELECT where the database changes, MULTI and EXEC around what belongs together."""

from __future__ import annotations

from random import Random

import hiredis
import pytest

from pycache_server.session.feed import Told
from pycache_server.session.stream import CommandStream, encode_command


@pytest.fixture
def stream() -> CommandStream:
    return CommandStream()


def read(data: bytes) -> list[str]:
    """The commands in a stream, in words."""
    reader = hiredis.Reader()
    reader.feed(data)
    found = []
    while (command := reader.gets()) is not False:
        found.append(b" ".join(command).decode())
    return found


def told(*commands: str, index: int = 0) -> list[Told]:
    return [(index, command.encode().split()) for command in commands]


@pytest.mark.parametrize(
    "argv",
    [
        [b"PING"],
        [b"SET", b"k", b"v"],
        [b"SET", b"", b"\r\n\x00"],
        [b"SET", b"k", b"v" * 4095],
        [b"SET", b"k", b"v" * 4096],
        [b"SET", b"k" * 5000, b"v"],
        [b"n" * 5000, b"k", b"v"],
        [b"RPUSH", b"k", *[b"x" * size for size in (0, 1, 4095, 4096, 70_000)]],
        [b"MSET", *[b"%d" % number for number in range(10_000)]],
    ],
    ids=lambda argv: f"{len(argv)} words, {sum(map(len, argv))} bytes",
)
def test_a_command_is_an_array_of_bulk_strings(argv: list[bytes]) -> None:
    assert encode_command(argv) == hiredis.pack_command(tuple(argv))


def test_the_first_unit_selects_its_database_and_the_next_ones_do_not(stream: CommandStream) -> None:
    assert read(stream.encode(told("SET a 1"))) == ["SELECT 0", "SET a 1"]
    assert read(stream.encode(told("SET a 2"))) == ["SET a 2"]


def test_another_database_is_selected_when_its_turn_comes(stream: CommandStream) -> None:
    units = [told("DEL a", index=3), told("DEL b", index=3), told("DEL c", index=12), told("DEL d", index=3)]
    assert read(b"".join(map(stream.encode, units))) == [
        "SELECT 3",
        "DEL a",
        "DEL b",
        "SELECT 12",
        "DEL c",
        "SELECT 3",
        "DEL d",
    ]


def test_several_commands_are_a_transaction_whose_database_is_selected_before_it(stream: CommandStream) -> None:
    unit = told("SET a 1", "DEL b", index=2) + told("DEL c")
    assert read(stream.encode(unit)) == ["SELECT 2", "MULTI", "SET a 1", "DEL b", "SELECT 0", "DEL c", "EXEC"]
    assert read(stream.encode(told("DEL d", "DEL e"))) == ["MULTI", "DEL d", "DEL e", "EXEC"]


def test_after_a_reset_the_database_is_selected_anew(stream: CommandStream) -> None:
    stream.encode(told("SET a 1"))
    stream.reset()
    assert read(stream.encode(told("SET a 2"))) == ["SELECT 0", "SET a 2"]
    stream.reset()
    assert read(stream.encode(told("DEL a", "DEL b"))) == ["SELECT 0", "MULTI", "DEL a", "DEL b", "EXEC"]


def test_whoever_reads_a_stream_runs_each_command_in_its_database(stream: CommandStream) -> None:
    seed = Random().randrange(1 << 32)
    print("seed", seed)
    random = Random(seed)
    selected, queued = None, False
    for _ in range(300):
        unit = [
            (random.randrange(3), [b"DEL", b"%d" % random.randrange(9)]) for _ in range(random.choice((1, 1, 2, 5)))
        ]
        done: list[tuple[int | None, str]] = []
        for command in read(stream.encode(unit)):
            if command.startswith("SELECT"):
                selected = int(command.split()[1])
            elif command in ("MULTI", "EXEC"):
                queued = not queued
            else:
                assert queued == (len(unit) > 1)
                done.append((selected, command))
        assert not queued
        assert done == [(index, b" ".join(argv).decode()) for index, argv in unit]
