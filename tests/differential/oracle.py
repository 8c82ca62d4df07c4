"""Two servers that are told the same: a real redis-server, and ours in process. What they answer is compared.

A program is a list of commands. It runs on both in the same protocol version; after each command the replies are
compared, after all of them the state, by reading everything back. Replies that may differ rightly are brought to a
common form first: see ``canonical``.
"""

from __future__ import annotations

import re
import socket
import time
from itertools import pairwise
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
        self.marker = b""
        """The first byte of the last reply, its type: hiredis makes the same of array and set, of string and status."""
        if resp == 3:
            self.call([b"HELLO", b"3"])

    def call(self, argv: Command) -> Any:
        self.send(argv)
        return self.read()

    def send(self, argv: Command) -> None:
        self._socket.sendall(hiredis.pack_command(tuple(argv)))

    def read(self) -> Any:
        received = b""
        while (value := self._reader.gets()) is _NOTHING:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionError("redis-server closed the connection")
            self._reader.feed(data)
            received = received or data
        self.marker = received[:1]
        return value

    def version(self) -> tuple[int, ...]:
        """The server's version, as in ``(7, 0, 15)``."""
        found = re.search(rb"redis_version:([0-9.]+)", self.call([b"INFO", b"server"]))
        assert found is not None
        return tuple(map(int, found[1].split(b".")))

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
        self.client.raw = b""
        self.client.start(*argv)
        try:
            return self.client.read()
        except EOFError:  # it waits, for some milliseconds
            self.world.advance(0.01)
            return self.client.read()

    @property
    def marker(self) -> bytes:
        return self.client.raw[:1]


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
CHANCE = frozenset((b"SPOP", b"SRANDMEMBER", b"RANDOMKEY", b"ZRANDMEMBER"))
"""Commands that choose at random: their replies are compared by length."""
PAIRED = frozenset((b"HGETALL", b"CONFIG"))
"""Flat arrays that are maps."""
DOUBLES = frozenset((b"ZSCORE", b"ZINCRBY", b"ZADD", b"ZMSCORE"))


ERRORS_OF_7_0 = {
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.": (
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified."
    ),
}
"""Error texts that 7.2 changed."""


def canonical(argv: Command, reply: Any) -> Any:
    """A reply without what may differ: the order of unordered collections, the words of errors that have changed, and
    the digits of doubles, which Redis 7.0 prints with 17 of them and 7.2 with as many as needed."""
    name = argv[0].upper()
    value = show(reply)
    if isinstance(value, tuple) and value[0] == "error":
        return ("error", ERRORS_OF_7_0.get(value[1], value[1]))
    if name == b"ZSCAN" and isinstance(value, list):
        return [value[0], sorted(zip(_floats(value[1][::2]), _floats(value[1][1::2]), strict=True), key=repr)]
    if name in UNORDERED and isinstance(value, list):
        return sorted(value, key=repr)
    if name in (b"SCAN", b"SSCAN") and isinstance(value, list):
        return [value[0], sorted(value[1])]
    if name in (b"SORT", b"SORT_RO") and isinstance(value, list) and has_ties(argv):
        return len(value) if b"LIMIT" in map(bytes.upper, argv) else sorted(value, key=repr)
    if name in CHANCE and not isinstance(value, tuple):
        return (type(value).__name__, len(value)) if isinstance(value, (list, set)) else value is None
    if name == b"HGETALL" and isinstance(value, list):
        return dict(zip(value[::2], value[1::2], strict=True))
    if name == b"HSCAN" and isinstance(value, list):
        cursor, flat = value
        return cursor, dict(zip(flat[::2], flat[1::2], strict=True))
    if name == b"HRANDFIELD" and len(argv) > 2 and isinstance(value, list):
        return len(value), {type(element) for element in value}
    if name == b"HRANDFIELD":
        return type(value) if isinstance(value, bytes) else value
    if name.startswith((b"Z", b"BZ", b"GEO")) or name in DOUBLES:
        return _floats(value)
    return value


def is_misled(argv: Command, theirs: Any, mine: Any) -> bool:
    """Whether Redis's SORT may have taken the errno that an earlier command has left (ERANGE of a cursor, say) for a
    number that is none: once more, and it is gone."""
    return (
        argv[0].upper() in (b"SORT", b"SORT_RO")
        and isinstance(theirs, hiredis.ReplyError)
        and not isinstance(mine, hiredis.ReplyError)
    )


def has_ties(argv: Command) -> bool:
    """Whether SORT leaves elements of a set where they were: for want of a star, or as texts that are equal."""
    words = [word.upper() for word in argv[2:]]
    patterns = [pattern for word, pattern in pairwise(words) if word == b"BY"]
    return bool(patterns) and (b"ALPHA" in words or not all(b"*" in pattern for pattern in patterns))


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
        self.version = self.real.version()
        self.real.call([b"FLUSHALL"])
        self.ours = Ours(resp)
        self.commands = 0

    def run(self, argv: Command, compare: bool = True) -> tuple[Any, Any]:
        """Send a command to both; their replies, compared unless that is not wanted."""
        self.commands += 1
        theirs, mine = self.real.call(argv), self.ours.call(argv)
        if compare and is_misled(argv, theirs, mine):
            theirs = self.real.call(argv)
        markers = self.real.marker, self.ours.marker
        if compare and not (agree(argv, theirs, mine) and markers[0] == markers[1]):
            raise Difference(f"{argv} {markers}\n  redis: {_cut(theirs)}\n  ours:  {_cut(mine)}")
        if argv[0].upper() == b"SPOP" and isinstance(mine, (bytes, list, set)):
            self._pop_the_same(argv[1], theirs, mine)
        return theirs, mine

    def _pop_the_same(self, key: bytes, theirs: Any, mine: Any) -> None:
        """Let ours lose what a SPOP has taken from the other, and not what it took itself."""
        value = self.ours.client.session.db.peek(key)
        if value is not None:
            taken, wanted = ([reply] if isinstance(reply, bytes) else list(reply) for reply in (mine, theirs))
            value.update(taken, self.ours.world.core.keyspace.encodings)
            for element in wanted:
                value.remove(element)

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
    if name == b"OBJECT":
        return bool(mine == b"listpack" and theirs in ENCODINGS_OF_7_0)
    if name in (b"ZRANK", b"ZREVRANK") and len(argv) == 4:
        return True  # WITHSCORE came with 7.2
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
ENCODINGS_OF_7_0 = (b"quicklist", b"hashtable")
"""What 7.0 says of lists and of sets that are listpacks since 7.2."""


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
