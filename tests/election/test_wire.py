"""Messages as signed bytes."""

from __future__ import annotations

import random

import pytest

from pycache_server.election import messages
from pycache_server.election.position import Position
from pycache_server.election.wire import Refused, Wire

ALL = [
    messages.Who("b1", 3, (("a:1", "b1"),)),
    messages.Iam("b1", 3, "b2", None, (), (("a:1", "b1"),)),
    messages.Iam("b1", 3, "b2", 9, (("a:1", "b1"), ("c:3", "b3")), ()),
    messages.PreVote("s1", 4, Position(2, 70)),
    messages.PreVoteReply("s1", 4, True, 2, Position(2, 70)),
    messages.PreVoteReply("s1", 4, False, 2, None),
    messages.Vote("s1", 5, Position(2, 70), 4),
    messages.VoteReply("s1", 5, False, 6),
    messages.Hello(5),
    messages.Higher(6),
    messages.Prove(),
    messages.Window(26379, "a" * 40),
    messages.Claim(7, False),
    messages.Claim(8, True),
]


def wires() -> tuple[Wire, Wire]:
    return Wire("a:1", b"secret"), Wire("c:3", b"secret")


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_from_its_bytes(message: messages.Message) -> None:
    ours, theirs = wires()
    assert theirs.decode(ours.encode("c:3", message)) == ("a:1", message)


def test_what_is_said_beside_the_election_is_no_message_of_it() -> None:
    ours, theirs = wires()
    aside, message = ours.encode("c:3", messages.Window(26379, "a")), ours.encode("c:3", messages.Hello(5))
    assert theirs.decode_aside(aside) == ("a:1", messages.Window(26379, "a"))
    assert theirs.decode_message(message) == ("a:1", messages.Hello(5))
    with pytest.raises(Refused, match="none of the election"):
        theirs.decode_message(aside)
    with pytest.raises(Refused, match="one of the election"):
        theirs.decode_aside(message)


def test_a_stranger_without_the_secret_is_refused() -> None:
    forged = Wire("a:1", b"guess").encode("c:3", messages.Hello(99))
    with pytest.raises(Refused, match="signature"):
        wires()[1].decode(forged)


def test_a_message_cannot_be_played_to_another_seat() -> None:
    ours, theirs = wires()
    with pytest.raises(Refused, match="it is for d:4"):
        theirs.decode(ours.encode("d:4", messages.Hello(5)))


def test_an_epoch_that_leaves_no_room_for_the_next_is_refused() -> None:
    ours, theirs = wires()
    assert theirs.decode(ours.encode("c:3", messages.Higher(1 << 62)))[1] == messages.Higher(1 << 62)
    with pytest.raises(Refused, match="out of range"):
        theirs.decode(ours.encode("c:3", messages.Higher((1 << 62) + 1)))


def test_another_protocol_is_refused_by_name() -> None:
    ours, theirs = wires()
    data = ours.encode("c:3", messages.Hello(5))
    with pytest.raises(Refused, match="version"):
        theirs.decode(b"PCG9" + data[4:])


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_refused_and_nothing_else_is_raised(seed: int) -> None:
    chance = random.Random(seed)
    ours, theirs = wires()
    data = bytearray(ours.encode("c:3", chance.choice(ALL)))
    for _ in range(chance.randint(1, 5)):
        data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    for broken in (bytes(data), bytes(data[: chance.randrange(len(data))]), chance.randbytes(80), b""):
        with pytest.raises(Refused):
            theirs.decode(broken)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x63", b"\x07", b"\x07" + bytes(9), b"\x01\xff\xff"])
def test_who_has_the_secret_but_writes_nonsense_is_refused(body: bytes) -> None:
    ours, theirs = wires()
    text = ours.encode("c:3", messages.Hello(5))[: 4 + 5 + 5] + body
    with pytest.raises(Refused, match="cannot be read"):
        theirs.decode(text + ours._sign(text))
