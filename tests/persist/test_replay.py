"""Append-only files as commands: units, annotations, ends that are missing and damage, each with its offset."""

from __future__ import annotations

import random

import pytest

from pycache_server.persist.replay import CHUNK, BadFile, Replay, read_command
from pycache_server.resp.encode import encode_texts

SET = [b"SET", b"key", b"value"]


def file_of(*commands: list[bytes]) -> bytes:
    return b"".join(map(encode_texts, commands))


def units(replay: Replay) -> list[list[list[bytes]]]:
    return list(replay)


def test_commands_come_one_by_one_and_transactions_whole() -> None:
    data = file_of(SET, [b"MULTI"], [b"INCR", b"a"], SET, [b"EXEC"], [b"DEL", b"b"])
    replay = Replay(data)
    assert units(replay) == [[SET], [[b"INCR", b"a"], SET], [[b"DEL", b"b"]]]
    assert replay.cut_off is None


def test_an_empty_file_has_no_units() -> None:
    replay = Replay(b"")
    assert units(replay) == [] and replay.cut_off is None


def test_annotations_are_heard_and_not_executed() -> None:
    heard: list[bytes] = []
    data = b"#TS:1\r\n" + file_of(SET) + b"#TS:2\r\n#t\r\n#f\r\n" + file_of(SET) + b"#end\r\n"
    replay = Replay(data, 0, heard.append)
    assert units(replay) == [[SET], [SET]]
    assert heard == [b"#TS:1", b"#TS:2", b"#t", b"#f", b"#end"] and replay.cut_off is None


@pytest.mark.parametrize("cut", range(1, len(file_of(SET))))
def test_wherever_the_end_is_missing_the_sound_part_is_known(cut: int) -> None:
    before = file_of(SET, [b"DEL", b"x"])
    replay = Replay(before + file_of(SET)[:-cut])
    assert len(units(replay)) == 2
    assert replay.cut_off == len(before) and not replay.open_transaction


@pytest.mark.parametrize("cut", range(len(file_of(SET, [b"EXEC"]))))
def test_a_transaction_whose_end_is_missing_has_never_been(cut: int) -> None:
    before = file_of(SET)
    data = before + file_of([b"MULTI"]) + file_of(SET, [b"EXEC"])[: -cut or None]
    replay = Replay(data)
    found = units(replay)
    if not cut:
        assert found == [[SET], [SET]] and replay.cut_off is None
    else:
        assert found == [[SET]] and replay.cut_off == len(before) and replay.open_transaction


def test_an_annotation_whose_end_is_missing_is_cut_off() -> None:
    replay = Replay(file_of(SET) + b"#TS:17")
    assert units(replay) == [[SET]] and replay.cut_off == len(file_of(SET))


@pytest.mark.parametrize(
    "damage",
    [
        b"\0\0\0\0",
        b"garbage\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*x\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\n*1\r\n$1\r\na\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$x\r\na\r\n",
        b"+OK\r\n",
        b":1\r\n",
        b"*2\r\n$3\r\nDEL\r\n$1\r\nab\r\n*1\r\n",
    ],
)
def test_damage_is_told_with_its_offset(damage: bytes) -> None:
    before = file_of(SET, SET)
    with pytest.raises(BadFile) as failure:
        units(Replay(before + damage + file_of(SET)))
    assert failure.value.offset >= len(before)
    if not damage.startswith(b"*2"):
        assert failure.value.offset == len(before)


def test_long_commands_are_read_over_many_pieces() -> None:
    long = [b"SET", b"key", bytes(3 * CHUNK + 7)]
    replay = Replay(file_of(long, SET, long) + b"*1\r\n")
    assert units(replay) == [[long], [SET], [long]]
    assert replay.cut_off == len(file_of(long, SET, long))


def test_reading_begins_where_one_is_told_to() -> None:
    replay = Replay(b"REDIS...." + file_of(SET), 9)
    assert units(replay) == [[SET]] and replay.cut_off is None


def test_the_exact_reader_agrees_with_the_fast_one() -> None:
    data = file_of(SET, [b"DEL", b"", b"x" * 5000])
    first, place = read_command(data, 0)
    second, end = read_command(data, place)
    assert [first, second] == [SET, [b"DEL", b"", b"x" * 5000]] and end == len(data)


@pytest.mark.parametrize("seed", range(30))
def test_any_file_cut_anywhere_gives_the_units_before_the_cut(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    expected: list[tuple[int, list[list[bytes]]]] = []
    data = b""
    for _ in range(chance.randrange(1, 60)):
        commands = [
            [b"C", *(chance.randbytes(chance.choice((0, 1, 9, 200, 5000))) for _ in range(chance.randrange(4)))]
            for _ in range(chance.choice((1, 1, 1, 2, 5)))
        ]
        if chance.random() < 0.1:
            data += b"#TS:%d\r\n" % chance.randrange(1 << 32)
        wrapped = commands if len(commands) == 1 else [[b"MULTI"], *commands, [b"EXEC"]]
        data += file_of(*wrapped)
        expected.append((len(data), commands))
    for _ in range(10):
        cut = chance.randrange(len(data) + 1)
        replay = Replay(data[:cut])
        assert units(replay) == [commands for end, commands in expected if end <= cut]
        if replay.cut_off is not None:
            again = Replay(data[: replay.cut_off])
            assert units(again) == [commands for end, commands in expected if end <= cut]
            assert again.cut_off is None
