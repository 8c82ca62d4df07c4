"""Two servers that are told the same: a real redis-server, and ours in process. What they answer is compared.

A program is a list of commands. It runs on both in the same protocol version; after each command the replies are
compared, after all of them the state, by reading everything back. Replies that may differ rightly are brought to a
common form first: see ``canonical``.
"""

from __future__ import annotations

import socket
import time
from typing import Any

import hiredis

from pycache_server.testing.inprocess import World

Command = list[bytes]
_NOTHING = object()


class Real:
    """A connection to a real redis-server."""

    def __init__(self, port: int, resp: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(30)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        if resp == 3:
            self.call([b"HELLO", b"3"])

    def call(self, argv: Command) -> Any:
        self._socket.sendall(hiredis.pack_command(tuple(argv)))
        return self.read()

    def read(self) -> Any:
        while (value := self._reader.gets()) is _NOTHING:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionError("redis-server closed the connection")
            self._reader.feed(data)
        return value

    def close(self) -> None:
        self._socket.close()


class Ours:
    """A session of ours, in process, at the real time."""

    def __init__(self, resp: int) -> None:
        self.world = World()
        self.client = self.world.connect(decode=False)
        if resp == 3:
            self.call([b"HELLO", b"3"])

    def call(self, argv: Command) -> Any:
        self.world.host.now = time.time()
        return self.client.call(*argv)


class Difference(AssertionError):
    """The two servers do not agree."""


def show(value: Any) -> Any:
    """A reply that can be compared: errors by their text, maps and sets by their contents."""
    if isinstance(value, hiredis.ReplyError):
        return ("error", str(value))
    if isinstance(value, list):
        return [show(element) for element in value]
    if isinstance(value, dict):
        return {_hashable(show(key)): show(element) for key, element in value.items()}
    if isinstance(value, (bool, float)):
        return (type(value).__name__, value)  # which Python would take for integers
    return value


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


UNORDERED = frozenset((b"SMEMBERS", b"SUNION", b"SINTER", b"SDIFF", b"KEYS", b"HKEYS", b"HVALS"))
"""Arrays that are sets."""
PAIRED = frozenset((b"HGETALL", b"CONFIG"))
"""Flat arrays that are maps."""
DOUBLES = frozenset((b"ZSCORE", b"ZINCRBY", b"ZADD", b"ZMSCORE"))


def canonical(argv: Command, reply: Any) -> Any:
    """A reply without what may differ: the order of unordered collections, and the digits of doubles, which Redis 7.0
    prints with 17 of them and 7.2 with as many as needed."""
    name = argv[0].upper()
    value = show(reply)
    if name in UNORDERED and isinstance(value, list):
        return sorted(value, key=repr)
    if name == b"HGETALL" and isinstance(value, list):
        return dict(zip(value[::2], value[1::2], strict=True))
    if name.startswith((b"Z", b"BZ", b"GEO")) or name in DOUBLES:
        return _floats(value)
    return value


def _floats(value: Any) -> Any:
    """Numbers in bulk strings as floats, so that 0.1 and 0.10000000000000001 are the same."""
    if isinstance(value, list):
        return [_floats(element) for element in value]
    if isinstance(value, bytes):
        try:
            return float(value)
        except ValueError:
            return value
    return value


class Pair:
    """Both servers, connected in one version of the protocol and empty."""

    def __init__(self, port: int, resp: int) -> None:
        self.real = Real(port, resp)
        self.real.call([b"FLUSHALL"])
        self.ours = Ours(resp)
        self.commands = 0

    def run(self, argv: Command, compare: bool = True) -> tuple[Any, Any]:
        """Send a command to both; their replies, compared unless that is not wanted."""
        self.commands += 1
        theirs, mine = self.real.call(argv), self.ours.call(argv)
        if compare and not agree(argv, theirs, mine):
            raise Difference(f"{argv}\n  redis: {_cut(theirs)}\n  ours:  {_cut(mine)}")
        return theirs, mine

    def compare_state(self) -> None:
        """Read everything back from both, and compare."""
        self.ours.world.check()
        theirs, mine = state(self.real.call), state(self.ours.call)
        if theirs != mine:
            keys = [key for key in theirs.keys() | mine.keys() if theirs.get(key) != mine.get(key)]
            lines = [f"{key!r}\n  redis: {_cut(theirs.get(key))}\n  ours:  {_cut(mine.get(key))}" for key in keys[:3]]
            raise Difference("state differs at " + "\n".join(lines))

    def close(self) -> None:
        self.real.close()


def agree(argv: Command, theirs: Any, mine: Any) -> bool:
    """Whether two replies to a command are as good as the same."""
    one, other = canonical(argv, theirs), canonical(argv, mine)
    if one == other:
        return True
    name = argv[0].upper()
    if name in (b"PTTL", b"HPTTL") and isinstance(one, int) and isinstance(other, int):
        return one > 0 and other > 0 and abs(one - other) < 1000
    if name in (b"TTL", b"EXPIRETIME", b"HTTL") and isinstance(one, int) and isinstance(other, int):
        return one > 0 and other > 0 and abs(one - other) <= 1
    if name == b"PEXPIRETIME" and isinstance(one, int) and isinstance(other, int):
        return one > 0 and other > 0 and abs(one - other) < 1000
    if name in (b"BITCOUNT", b"BITPOS") and isinstance(mine, hiredis.ReplyError):
        return one in (0, -1)  # of a key that is not there 7.0 answers before it looks at the arguments
    return False


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 2000 else text[:2000] + "..."


READERS: dict[bytes, tuple[bytes, ...]] = {
    b"string": (b"GET",),
    b"list": (b"LRANGE", b"0", b"-1"),
    b"set": (b"SMEMBERS",),
    b"hash": (b"HGETALL",),
    b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XRANGE", b"-", b"+"),
}
ENCODINGS_OF_7_0 = {b"listpack": b"quicklist"}
"""Lists: 7.2 introduced the compact encoding for them, so a 7.0 answers quicklist for all."""


def state(call: Any) -> dict[bytes, Any]:
    """Everything in the sixteen databases: for each key its type, encoding, expiry to the second, and content."""
    found: dict[bytes, Any] = {}
    for database in range(16):
        call([b"SELECT", b"%d" % database])
        for key in call([b"KEYS", b"*"]):
            found[b"%d:%b" % (database, key)] = _state_of(call, key)
    call([b"SELECT", b"0"])
    return found


def _state_of(call: Any, key: bytes) -> Any:
    kind = call([b"TYPE", key])
    kind = kind if isinstance(kind, bytes) else bytes(str(kind), "ascii")
    encoding = call([b"OBJECT", b"ENCODING", key])
    if kind == b"list":
        encoding = b"quicklist"
    elif kind == b"set" and encoding in (b"listpack", b"hashtable"):
        encoding = b"listpack or hashtable"  # 7.2 introduced listpack for sets
    verb, *rest = READERS[kind]
    argv = [verb, key, *rest]
    time_left = call([b"PTTL", key])
    return kind, encoding, round(time_left, -4) if time_left > 0 else time_left, canonical(argv, call(argv))
