"""The stream for who does not know of fields that expire: as long as it was, and nothing else of it changed."""

from __future__ import annotations

from random import Random

import pytest
from hiredis import Reader, pack_command

from pycache_server.repl.field_times import lasting, ping

TIMED = pack_command(("HPEXPIREAT", "h", "1700000000000", "FIELDS", "1", "f"))


def read(data: bytes) -> list[list[bytes]]:
    reader = Reader()
    reader.feed(data)
    found = []
    while (command := reader.gets()) is not False:
        found.append(command)
    return found


def test_pings_have_any_length() -> None:
    for size in range(40, 1200):
        data = ping(size)
        assert len(data) == size
        assert {command[0] for command in read(data)} == {b"PING"}, size
        assert all(len(command) <= 2 for command in read(data)), size


@pytest.mark.parametrize("size", [100_000, 100_023, 100_024, 100_025, 1_000_025])
def test_long_ones_too(size: int) -> None:
    assert len(ping(size)) == size


def test_what_concerns_no_times_is_the_same_object() -> None:
    data = pack_command(("SET", "HPEXPIREAT", "x")) + pack_command(("HSET", "h", "f", "v"))
    assert lasting(data) == data
    assert lasting(plain := pack_command(("SET", "k", "v"))) is plain


def test_commands_of_times_become_pings_and_the_others_stay_where_they_are() -> None:
    rng = Random(1)
    others = [("SET", "k", "\r\nHPEXPIREAT\r\n"), ("HSET", "HPERSIST", "f", ""), ("MULTI",), ("EXEC",), ("PING",)]
    for _ in range(200):
        commands = [
            rng.choice(others)
            if rng.random() < 0.6
            else (
                rng.choice(("HPEXPIREAT", "hpexpireat", "HPERSIST", "Hpersist")),
                "h",
                "FIELDS",
                "1",
                "f" * rng.randrange(150),
            )
            for _ in range(rng.randrange(12))
        ]
        data = b"".join(map(pack_command, commands))
        found = lasting(data)
        assert len(found) == len(data)
        place = 0
        for words in commands:
            packed = pack_command(words)
            if words[0].upper() in ("HPEXPIREAT", "HPERSIST"):
                timed = any(
                    name in data for name in (b"\r\nHPEXPIREAT\r\n", b"\r\nhpexpireat\r\n", b"\r\nHPERSIST\r\n")
                )
                if timed:
                    assert {each[0] for each in read(found[place : place + len(packed)])} == {b"PING"}
            else:
                assert found[place : place + len(packed)] == packed
            place += len(packed)
