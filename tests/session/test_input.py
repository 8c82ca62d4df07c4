"""Input in one piece is executed by a shorter way than input in many: both must say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycache_server.testing.inprocess import World

KEYS = b"*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n"
XADD = b"*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nf\r\n$1\r\nv\r\n"
GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
STARS = b"*3\r\n$3\r\nSET\r\n$1\r\n*\r\n$3\r\n***\r\n"
PIECES = [
    KEYS,
    XADD,
    GET,
    STARS,
    b"KEYS *\r\n",
    b"*\r\n",
    b"SET k *\r\n",
    b"PING\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n:5\r\n",
    b"*3\r\n$3\r\nSET\r\n:5\r\n$1\r\nv\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*2\r\n$4\r\nECHO\r\n$2\r\n*\r\r\n",
    b"*2\r\n$3\r\nGET\r\n",
    b"\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n*\r\n*\r\r\n",
]


def replies(data: bytes, size: int) -> bytes:
    """What a server says to data that comes in pieces of a size."""
    world = World()
    client = world.connect(decode=False)
    session = client.session
    for begin in range(0, len(data), size):
        if session.closing:
            break
        session.receive(data[begin : begin + size])
    world.check()
    return bytes(client.raw)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("before", [b"", GET])
def test_a_command_in_one_piece_is_answered_as_in_many(before: bytes, piece: bytes) -> None:
    data = before + piece
    assert replies(data, len(data)) == replies(data, 1)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), st.integers(1, 60))
def test_pieces_of_any_size_are_answered_alike(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    assert replies(data, len(data)) == replies(data, size) == replies(data, 1)
