"""The follower's side of a connection, against masters that are scripts: bytes in, actions out."""

from __future__ import annotations

from random import Random

import pytest

from pycache_server.repl.follower import (
    LINE_LIMIT,
    Action,
    Begin,
    Continue,
    Ended,
    Follower,
    Full,
    Piece,
    Say,
    Send,
    Stream,
    Whole,
    Wish,
    packed,
)

ID = "a" * 40
OTHER = "b" * 40
MARK = b"m" * 40


def talk(follower: Follower, *lines: bytes) -> list[Action]:
    """Everything that comes of some lines, the log left out."""
    actions = [action for line in lines for action in follower.receive(line)]
    follower._check()
    return [action for action in actions if not isinstance(action, Say)]


def introduced(wish: Wish) -> Follower:
    """A follower that has said everything and has asked for the stream."""
    follower = Follower(wish)
    follower.begin()
    answers = 2 + bool(wish.password) + bool(wish.announced_ip) + bool(wish.version)
    sent = talk(follower, b"+PONG\r\n", *[b"+OK\r\n"] * answers)
    assert sent[-1] == Send(packed("PSYNC", *((wish.replid, wish.offset) if wish.replid else ("?", -1))))
    return follower


def test_everything_is_said_in_the_order_of_redis() -> None:
    wish = Wish(7000, ID, 11, user="u", password="p", announced_ip="10.0.0.1", version="7.4.0")
    follower = Follower(wish)
    assert [action for action in follower.begin() if isinstance(action, Send)] == [Send(packed("PING"))]
    assert talk(follower, b"+PONG\r\n") == [
        Send(
            packed("AUTH", "u", "p")
            + packed("REPLCONF", "listening-port", 7000)
            + packed("REPLCONF", "ip-address", "10.0.0.1")
            + packed("REPLCONF", "capa", "eof", "capa", "psync2")
            + packed("REPLCONF", "version", "7.4.0")
        )
    ]
    assert talk(follower, b"+OK\r\n" * 4) == []
    assert talk(follower, b"+OK\r\n") == [Send(packed("PSYNC", ID, 11))]


def test_a_password_without_a_user_is_the_default_users() -> None:
    follower = Follower(Wish(7000, password="p"))
    follower.begin()
    (sent,) = talk(follower, b"-NOAUTH Authentication required.\r\n")
    assert isinstance(sent, Send) and sent.data.startswith(packed("AUTH", "p"))


@pytest.mark.parametrize("answer", [b"-NOAUTH x", b"-NOPERM x", b"-ERR operation not permitted", b"+anything"])
def test_a_master_that_wants_to_be_told_more_first_is_told(answer: bytes) -> None:
    follower = Follower(Wish(7000))
    follower.begin()
    assert isinstance(talk(follower, answer + b"\r\n")[0], Send)


@pytest.mark.parametrize("answer", [b"-LOADING x", b"-ERR x", b"PONG", b"", b":1"])
def test_another_answer_to_ping_ends_the_connection(answer: bytes) -> None:
    follower = Follower(Wish(7000))
    follower.begin()
    (ended,) = talk(follower, answer + b"\r\n")
    assert isinstance(ended, Ended) and ended.text.startswith("Error reply to PING from master: '")


def test_a_wrong_password_ends_the_connection() -> None:
    follower = Follower(Wish(7000, password="p"))
    follower.begin()
    (_, ended) = talk(follower, b"+PONG\r\n", b"-WRONGPASS invalid\r\n")
    assert ended == Ended("warning", "Unable to AUTH to MASTER: -WRONGPASS invalid")


def test_what_a_master_does_not_understand_of_replconf_does_not_matter() -> None:
    follower = Follower(Wish(7000, announced_ip="x", version="7.4.0"))
    follower.begin()
    sent = talk(follower, b"+PONG\r\n", *[b"-ERR what\r\n"] * 4)
    assert sent[-1] == Send(packed("PSYNC", "?", -1))


@pytest.mark.parametrize("answer", [b"$5", b":1", b"*0", b"", b"garbage"])
def test_an_answer_of_another_kind_ends_the_connection(answer: bytes) -> None:
    follower = Follower(Wish(7000))
    follower.begin()
    talk(follower, b"+PONG\r\n")
    (ended,) = talk(follower, answer + b"\r\n")
    assert isinstance(ended, Ended) and ended.text.startswith("Unexpected reply to listening-port from master: ")


def test_failover_is_asked_for() -> None:
    follower = Follower(Wish(7000, ID, 5, failover=True))
    follower.begin()
    assert talk(follower, b"+PONG\r\n+OK\r\n+OK\r\n")[-1] == Send(packed("PSYNC", ID, 5, "FAILOVER"))
    (ended,) = talk(follower, b"-ERR no\r\n")
    assert isinstance(ended, Ended) and "Who is to take over answers PSYNC with: " in ended.text


def test_the_stream_goes_on_where_it_was() -> None:
    assert talk(introduced(Wish(7000, ID, 11)), b"+CONTINUE\r\n", b"*1\r\n") == [Continue(ID), Stream(b"*1\r\n")]
    assert talk(introduced(Wish(7000, ID, 11)), f"+CONTINUE {OTHER}\r\nxyz".encode()) == [
        Continue(OTHER),
        Stream(b"xyz"),
    ]


def test_nobody_goes_on_who_has_not_asked_to() -> None:
    (ended,) = talk(introduced(Wish(7000)), b"+CONTINUE\r\n")
    assert isinstance(ended, Ended)


def test_a_payload_of_a_known_length_with_newlines_in_front() -> None:
    follower = introduced(Wish(7000))
    assert talk(follower, f"+FULLRESYNC {ID} 77\r\n".encode()) == [Full(ID, 77)]
    assert talk(follower, b"\n", b"\n\n", b"$5\r\n") == [Begin(5)]
    assert talk(follower, b"ab", b"cde*1\r\n") == [Piece(b"ab"), Piece(b"cde"), Whole(), Stream(b"*1\r\n")]


def test_an_empty_payload_is_one_too() -> None:
    follower = introduced(Wish(7000))
    assert talk(follower, f"+FULLRESYNC {ID} 0\r\n$0\r\nS".encode()) == [Full(ID, 0), Begin(0), Whole(), Stream(b"S")]


@pytest.mark.parametrize("seed", range(50))
def test_a_payload_with_a_mark_whatever_the_reads_are(seed: int) -> None:
    random = Random(seed)
    payload = bytes(random.choice(b"m\r\n$x") for _ in range(random.randrange(300)))
    mark = b"m" * random.choice([39, 20]) + b"n" * 20
    mark = mark[-40:]
    data = b"\n" + b"$EOF:" + mark + b"\r\n" + payload + mark + b"STREAM"
    follower = introduced(Wish(7000))
    talk(follower, f"+FULLRESYNC {ID} 0\r\n".encode())
    actions: list[Action] = []
    while data:
        size = random.choice([1, 2, 39, 40, 41, 1000])
        actions += talk(follower, data[:size])
        data = data[size:]
    assert actions[0] == Begin(None)
    assert b"".join(each.data for each in actions if isinstance(each, Piece)) == payload, seed
    assert b"".join(each.data for each in actions if isinstance(each, Stream)) == b"STREAM", seed
    assert actions.count(Whole()) == 1


@pytest.mark.parametrize("answer", [b"-NOMASTERLINK Can't SYNC", b"-LOADING Redis is loading"])
def test_a_master_that_cannot_now_is_asked_later(answer: bytes) -> None:
    (ended,) = talk(introduced(Wish(7000, ID, 1)), b"\n", answer + b"\r\n")
    assert isinstance(ended, Ended) and ended.later and ended.level == "notice"


@pytest.mark.parametrize("answer", [b"-ERR unknown command 'PSYNC'", b"+WHAT"])
def test_a_master_without_psync_is_asked_in_the_old_way(answer: bytes) -> None:
    follower = introduced(Wish(7000))
    assert talk(follower, answer + b"\r\n") == [Send(b"SYNC\r\n"), Full("", -1)]
    assert talk(follower, b"$1\r\nx") == [Begin(1), Piece(b"x"), Whole()]


@pytest.mark.parametrize(
    "line",
    [
        b"+FULLRESYNC",
        b"+FULLRESYNC " + b"a" * 39 + b" 5",
        b"+FULLRESYNC " + b"a" * 40 + b" -5",
        b"+FULLRESYNC " + b"a" * 40 + b" 99999999999999999999",
        b"+FULLRESYNC " + b"a" * 40 + b" 9223372036854775807",
        b"+FULLRESYNC " + b"a" * 40 + b" 5 6",
        b"+CONTINUE short",
    ],
)
def test_an_answer_to_psync_that_makes_no_sense_ends_the_connection(line: bytes) -> None:
    (ended,) = talk(introduced(Wish(7000, ID, 1)), line + b"\r\n")
    assert isinstance(ended, Ended) and "syntax" in ended.text


@pytest.mark.parametrize(
    "line",
    [
        b"-ERR no",
        b"$-1",
        b"$x",
        b"$99999999999999999999",
        b"$9223372036854775808",
        b"$EOF:short",
        b"PONG",
        b"\x00",
        b"$" + b"1" * 500,
    ],
)
def test_a_payload_that_does_not_begin_as_one_ends_the_connection(line: bytes) -> None:
    follower = introduced(Wish(7000))
    (_, ended) = talk(follower, f"+FULLRESYNC {ID} 0\r\n".encode() + line + b"\r\n")
    assert isinstance(ended, Ended) and ended.level == "warning"
    assert len(ended.text) < 1000
    assert talk(follower, b"more") == []


@pytest.mark.parametrize("step", ["ping", "psync", "payload"])
def test_a_line_without_an_end_ends_the_connection_before_it_takes_memory(step: str) -> None:
    if step == "ping":
        follower = Follower(Wish(7000))
        follower.begin()
    else:
        follower = introduced(Wish(7000))
        if step == "payload":
            talk(follower, f"+FULLRESYNC {ID} 0\r\n".encode())
    found: list[Action] = []
    for _ in range(LINE_LIMIT // 100 + 2):
        found += talk(follower, b"x" * 100)
    assert [type(each) for each in found] == [Ended]


@pytest.mark.parametrize("seed", range(200))
def test_garbage_never_raises_and_nothing_is_kept(seed: int) -> None:
    random = Random(seed)
    words = [b"+PONG", b"+OK", b"\r\n", b"\n", f"+FULLRESYNC {ID} 5".encode(), b"$3", b"$EOF:" + MARK, MARK, b"-ERR x"]
    follower = Follower(Wish(7000, random.choice(["", ID]), 5, password=random.choice(["", "p"])))
    follower.begin()
    for _ in range(200):
        data = random.choice([*words, random.randbytes(random.randrange(40)), b"+CONTINUE\r\n"])
        follower.receive(data)
        follower._check()
        if follower.state == "ended":
            break
