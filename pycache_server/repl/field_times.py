"""The stream for replicas that do not know of fields of hashes that expire: Redis before 7.4.

To them HPEXPIREAT and HPERSIST are errors. But all replicas share one stream, and its offsets must mean the same for
all. So for those such a command becomes a PING that is exactly as long: offsets stay as they are, also for who follows
the replica, and within a transaction a PING does no harm either. The fields go by the HDEL that the leader sends when
they are due.

``lasting`` wants whole commands. What is sealed in the backlog begins and ends with a command, and so do its blocks.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (b"HPEXPIREAT", b"HPERSIST")
"""The commands of the stream that concern times of fields."""
_SPELLINGS: Final = tuple(b"\r\n%b\r\n" % name for each in NAMES for name in (each, each.lower()))
_PING: Final = b"*1\r\n$4\r\nPING\r\n"
_PING_WITH: Final = b"*2\r\n$4\r\nPING\r\n"
_LEAST: Final = len(_PING_WITH) + len(b"$0\r\n\r\n")


def lasting(data: bytes) -> bytes:
    """Whole commands of the stream, with PINGs in the place of those that give fields times or take them away."""
    for spelling in _SPELLINGS:
        if spelling in data:
            return _without(data)
    return data


def _without(data: bytes) -> bytes:
    parts: list[bytes] = []
    kept = place = 0
    while place < len(data):
        name, end = _command(data, place)
        if name.upper() in NAMES:
            parts += (data[kept:place], ping(end - place))
            kept = end
        place = end
    return b"".join((*parts, data[kept:]))


def _command(data: bytes, place: int) -> tuple[bytes, int]:
    """The name of the command that begins at a place, and where it ends."""
    count, place = _number(data, place)
    name = b""
    for number in range(count):
        size, place = _number(data, place)
        if not number:
            name = data[place : place + size]
        place += size + 2
    return name, place


def _number(data: bytes, place: int) -> tuple[int, int]:
    """The number behind the sign at a place, and where its line ends."""
    end = data.index(b"\r\n", place)
    return int(data[place + 1 : end]), end + 2


def ping(size: int) -> bytes:
    """PINGs of so many bytes together: one with a text, or two where one cannot be as long. ``size`` is 40 at least."""
    for digits in range(1, 11):
        text = size - _LEAST - digits + 1
        if len(b"%d" % text) == digits:
            return _PING_WITH + b"$%d\r\n%b\r\n" % (text, b"-" * text)
    return _PING + ping(size - len(_PING))  # 9 bytes need one digit for their length, 10 need two
