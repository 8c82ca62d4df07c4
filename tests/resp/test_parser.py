"""The fast parser must find exactly the commands that the exact grammar finds, however the input is cut."""

from __future__ import annotations

import random
import sys

import hiredis
import pytest

from pycache_server.errors import ProtocolError
from pycache_server.resp import parser as parser_module
from pycache_server.resp.exact import ExactParser, InputLimits, QueryBufferExceeded
from pycache_server.resp.parser import BROKEN, FAST_COUNT, Parser
from tests.conftest import some_slow

GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
PING = b"*1\r\n$4\r\nPING\r\n"
FRAGMENTS = [
    (30, GET),
    (30, PING),
    (5, b"PING\r\n"),
    (2, b"\r\n"),
    (2, b"*0\r\n"),
    (2, b"*-1\r\n"),
    (3, b"set a 'b c'\r\n"),
    (10, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n\r\n*1\r\n$1\r\n\r\n"),
    (3, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$30000\r\n" + b"x*\r\n$\r\n" * 4285 + b"yy345" + b"\r\n"),
    (2, b"*2\r\n$3\r\nGET\r\n$70000\r\n" + b"z" * 70000 + b"\r\n"),
    (3, b"*2\r\n$1\r\na\r\n$3\r\n\r\n+\r\n"),
    (0.3, b"*2\r\n$1\r\na\r\n:5\r\n"),
    (0.3, b"*2\r\n$1\r\na\r\n+5\r\n"),
    (0.3, b"*2\r\n$1\r\na\r\n_\r\n"),
    (0.3, b"*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n"),
    (0.1, b"*1000000000\r\n"),
    (0.3, b"$5\r\nabcde\r\n"),
    (0.3, b"*1\r\n$-1\r\n"),
    (0.3, b":5\r\n"),
    (0.3, b"=+(\r\n"),
    (0.3, b"*%d\r\n" % (FAST_COUNT + 5) + b"$1\r\na\r\n" * (FAST_COUNT + 5)),
]


def commands_of(chunks: list[bytes], trusted: bool = True) -> list[object]:
    """What the fast parser makes of input in chunks; an error is the last element, as its text."""
    parser = Parser(InputLimits(), trusted)
    found: list[object] = []
    try:
        for chunk in chunks:
            source = parser.feed(chunk)
            while source is not None:
                try:
                    argv = source()
                except hiredis.ProtocolError:
                    argv = BROKEN
                if type(argv) is not list:
                    source = parser.turn(argv)
                    continue
                if any(type(argument) is not bytes for argument in argv):
                    parser.reject()
                if argv:
                    found.append(argv)
    except ProtocolError as error:
        found.append(error.text)
    return found


def exact_commands_of(data: bytes) -> list[object]:
    parser = ExactParser(InputLimits(), trusted=True)
    found: list[object] = []
    try:
        parser.feed(data)
        while (argv := parser.next_command()) is not None:
            if argv:
                found.append(argv)
    except ProtocolError as error:
        found.append(error.text)
    return found


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    chunks, position = [], 0
    while position < len(data):
        size = chance.choice((1, 7, 50, 1000, 16384, 40000, 10**6))
        chunks.append(data[position : position + size])
        position += size
    return chunks


@pytest.mark.parametrize("seed", some_slow(range(6), 2))
@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "scanning"])
def test_any_mixture_cut_anywhere_is_read_as_by_the_exact_grammar(
    seed: int, bounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser_module, "WATCHED", 1 << 60)
    if not bounded:
        monkeypatch.setattr(parser_module, "_trusted_inside", False)
    chance = random.Random(seed)
    weights, fragments = zip(*FRAGMENTS, strict=True)
    for number in range(150):
        data = b"".join(chance.choices(fragments, weights, k=chance.choice((1, 3, 20, 100))))
        if chance.random() < 0.1:
            data = data[: chance.randrange(len(data)) + 1]
        chunks = cut(data, chance)
        if len(chunks) < 5000:
            assert commands_of(chunks) == exact_commands_of(data), f"seed {seed}, number {number}"


@pytest.mark.parametrize("seed", range(4))
def test_garbage_never_crashes_or_hangs(seed: int) -> None:
    chance = random.Random(seed)
    alphabet = b"*$+-:_#,(=~>%|!\r\n0123456789GET abc\x00\xff'\""
    for _ in range(1500):
        data = bytes(chance.choices(alphabet, k=chance.randrange(1, 60)))
        if chance.random() < 0.5:
            whole = bytearray(GET * 3)
            whole[chance.randrange(len(whole))] = chance.randrange(256)
            data = bytes(whole)
        commands_of(cut(data, chance))


@pytest.mark.parametrize("seed", range(3))
def test_one_cut_at_every_position_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(chance.choices([fragment for _, fragment in FRAGMENTS if len(fragment) < 60], k=5))
    whole = commands_of([data])
    for position in range(1, len(data)):
        assert commands_of([data[:position], data[position:]]) == whole, position


@pytest.mark.parametrize("line", [b"+k", b"=5\r\ntxt:k", b"(5"])
def test_disguised_arguments_are_refused_while_a_connection_is_young(line: bytes) -> None:
    disguised = b"*2\r\n$3\r\nGET\r\n" + line + b"\r\n"
    error = b"ERR Protocol error: expected '$', got '%c'" % line[0]
    few = GET * 100
    assert commands_of([few, disguised])[-1] == error
    many = [few] * (parser_module.WATCHED // len(few) + 1)
    found = commands_of([*many, disguised, PING])
    assert found[-1] == [b"PING"]
    assert found[-2] in ([b"GET", b"k"], [b"GET", b"5"])


def test_the_inside_of_the_reader_can_be_trusted_here() -> None:
    assert parser_module._look_inside()


def test_a_claim_of_a_billion_elements_reserves_nothing() -> None:
    parser = Parser(InputLimits())
    source = parser.feed(b"*1000000000\r\n")
    assert source is not None
    with pytest.raises(hiredis.ProtocolError):
        source()
    source = parser.turn(BROKEN)
    assert source is not None
    assert parser.turn(source()) is None
    assert parser.held() == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*2147483648\r\n", b"ERR Protocol error: invalid multibulk length"),
        (b"*x\r\n", b"ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n$-2\r\n", b"ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", b"ERR Protocol error: invalid bulk length"),
        (b"*1\r\n:5\r\n", b"ERR Protocol error: expected '$', got ':'"),
        (b"*1\r\n#t\r\n", b"ERR Protocol error: expected '$', got '#'"),
        (b"*2\r\n$1\r\na\r\n*1\r\n", b"ERR Protocol error: expected '$', got '*'"),
        (b"*2\r\n$1\r\na\r\n-ERR\r\n", b"ERR Protocol error: expected '$', got '-'"),
        (b"*2\r\n$1\r\na\r\n=4\r\ntxt:\r\n", b"ERR Protocol error: expected '$', got '='"),
        (b"'a\r\n", b"ERR Protocol error: unbalanced quotes in request"),
        (b"x" * 65537, b"ERR Protocol error: too big inline request"),
        (b"*" + b"1" * 65537, b"ERR Protocol error: too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65537, b"ERR Protocol error: too big bulk count string"),
    ],
)
def test_protocol_errors_have_the_words_of_redis(data: bytes, error: bytes) -> None:
    assert commands_of([data]) == [error]
    assert commands_of([PING + data]) == [[b"PING"], error]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"*11\r\n", b"ERR Protocol error: unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", b"ERR Protocol error: unauthenticated bulk length"),
    ],
)
def test_limits_are_lower_before_authentication(data: bytes, error: bytes) -> None:
    assert commands_of([data], trusted=False) == [error]
    assert commands_of([data], trusted=True) == []


def test_unfinished_input_is_limited() -> None:
    parser = Parser(InputLimits(query_buffer=1 << 20))

    def feed(chunk: bytes) -> None:
        source = parser.feed(chunk)
        while source is not None:
            source = parser.turn(source())

    feed(b"*2\r\n$3\r\nSET\r\n$50000000\r\n")
    for _ in range(15):
        feed(b"x" * 65536)
    with pytest.raises(QueryBufferExceeded):
        feed(b"x" * 65536)


def test_a_big_argument_is_held_once() -> None:
    parser = Parser(InputLimits())
    value = bytes(range(256)) * 40000
    data = b"*2\r\n$3\r\nSET\r\n$%d\r\n" % len(value) + value + b"\r\n" + PING
    found = commands_of([data[start : start + 65536] for start in range(0, len(data), 65536)])
    assert found == [[b"SET", value], [b"PING"]]
    assert parser.held() == 0


@pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "scanning"])
def test_a_silent_connection_keeps_nothing_and_goes_on(bounded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not bounded:
        monkeypatch.setattr(parser_module, "_trusted_inside", False)
    parser = Parser(InputLimits())

    def commands(data: bytes) -> int:
        found, source = 0, parser.feed(data)
        while source is not None:
            argv = source()
            if type(argv) is list:
                found += 1
            else:
                source = parser.turn(argv)
        return found

    assert commands(GET * 500) == 500
    parser.relax()
    assert sys.getsizeof(parser.piece) < 100
    for data, count in ((GET, 1), (GET[:9], 0), (GET[9:], 1), (PING[:-1], 0)):
        assert commands(data) == count
        parser.relax()
    assert commands(PING[-1:] + PING) == 2


def test_authentication_lifts_the_limits_within_one_packet() -> None:
    parser = Parser(InputLimits(), trusted=False)
    source = parser.feed(PING + b"*12\r\n" + b"$1\r\na\r\n" * 12 + PING)
    assert source is not None
    assert source() == [b"PING"]
    parser.trust()
    found = []
    while source is not None:
        argv = source()
        if type(argv) is list:
            found.append(len(argv))
        else:
            source = parser.turn(argv)
    assert found == [12, 1]


@pytest.mark.parametrize("size", [1, 2, 16, 100, 3000])
def test_what_client_libraries_send_never_leaves_the_fast_path(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def exact(*details: object) -> None:
        raise AssertionError("the exact parser was asked")

    monkeypatch.setattr(parser_module, "ExactParser", exact)
    for data in (GET * size, PING * size):
        for _ in range(3):
            assert len(commands_of([data] * 3)) == 3 * size
