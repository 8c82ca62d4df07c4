"""Two servers that are told the same: a real redis-server, and ours in process. What they answer is compared.

A program is a list of commands. It runs on both in the same protocol version; after each command the replies are
compared (replies.py), after all of them the state, by reading everything back. Where the version of the other server
explains a difference (versions.py) of a write, the two part: what follows is not compared.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import hiredis

from pycache_server.commands.registry import REGISTRY, Flag
from pycache_server.store.memory import free_slice
from pycache_server.testing.inprocess import World
from tests.compared import COMPARED
from tests.differential.replies import agree, canonical, is_misled, show
from tests.differential.times import Moment
from tests.differential.versions import Command, Version, is_expected

_NOTHING = object()
_LARGEST_ID = b"18446744073709551615-18446744073709551615"
_ACTIVE_EXPIRE = [b"DEBUG", b"SET-ACTIVE-EXPIRE"]
NO_NUMBER = [b"INCRBYFLOAT", b"{no such key}", b"x"]
"""A command that fails and leaves another errno than ERANGE."""


class Real:
    """A connection to a real redis-server."""

    def __init__(self, port: int, resp: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(30)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self.raw = b""
        """The last reply as it was sent."""
        if resp == 3:
            self.call([b"HELLO", b"3"])

    def call(self, argv: Command) -> Any:
        self.send(argv)
        return self.read()

    def send(self, argv: Command) -> None:
        self._socket.sendall(hiredis.pack_command(tuple(argv)))

    def read(self) -> Any:
        received = []
        while (value := self._reader.gets()) is _NOTHING:
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionError("redis-server closed the connection")
            self._reader.feed(data)
            received.append(data)
        self.raw = b"".join(received)
        return value

    def version(self) -> Version:
        """The server's version, as in ``(7, 0, 15)``."""
        found = re.search(rb"redis_version:([0-9.]+)", self.call([b"INFO", b"server"]))
        assert found is not None
        return tuple(map(int, found[1].split(b".")))

    def used_databases(self) -> list[int]:
        """The numbers of the databases that are not empty."""
        return list(map(int, re.findall(rb"^db(\d+):", self.call([b"INFO", b"keyspace"]), re.MULTILINE)))

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
    def raw(self) -> bytes:
        """The last reply as it was sent."""
        return self.client.raw

    def used_databases(self) -> list[int]:
        """The numbers of the databases that are not empty."""
        return [database.index for database in self.world.core.keyspace.databases if database.size]


class Difference(AssertionError):
    """The two servers do not agree."""


def forget_users(call: Callable[[Command], Any]) -> None:
    """Let a server have no user but the one that it began with, and know of no refusals."""
    names = [line.split(b" ")[1] for line in call([b"ACL", b"LIST"]) if not line.startswith(b"user default ")]
    if names:
        call([b"ACL", b"DELUSER", *names])
    call([b"ACL", b"LOG", b"RESET"])


class Pair:
    """Both servers, connected in one version of the protocol and empty."""

    def __init__(self, port: int, resp: int = 2) -> None:
        self.real = Real(port, 2)
        self.real.call([*_ACTIVE_EXPIRE, b"0"])  # else Redis removes what has expired when it likes
        self.version = self.real.version()
        self.ours = Ours(2)
        self.parted = False
        """Whether the servers hold different things, since one of them has another version."""
        self.begin(resp)

    def begin(self, resp: int) -> None:
        """Be as new, in a version of the protocol."""
        for server in (self.real, self.ours):
            for argv in ([b"RESET"], [b"HELLO", b"%d" % resp], [b"FLUSHALL"]):
                server.call(argv)
            for container in (b"FUNCTION", b"SCRIPT"):
                server.call([container, b"FLUSH"])
            forget_users(server.call)
        while free_slice(self.ours.world.core.keyspace, 1 << 30):
            pass
        self.parted = False

    def run(self, argv: Command, compare: bool = True) -> tuple[Any, Any]:
        """Send a command to both; their replies, compared unless that is not wanted.

        Raises Difference.
        """
        COMPARED["replies in all"] += compare
        theirs, mine = self.real.call(argv), self.ours.call(argv)
        if compare and is_misled(argv, theirs, mine):
            self.real.call(NO_NUMBER)
            theirs = self.real.call(argv)
        if argv[0].upper() == b"DBSIZE" and show(theirs) != show(mine):
            self._remove_expired()
            theirs = self.real.call(argv)
        if compare and not agree(argv, theirs, mine, self.version, (self.real.raw, self.ours.raw)):
            raise Difference(f"{argv}\n  redis: {_cut(theirs, self.real.raw)}\n  ours:  {_cut(mine, self.ours.raw)}")
        if argv[0].upper() == b"SPOP" and isinstance(mine, (bytes, list, set)) and mine != b"QUEUED":
            self._pop_the_same(argv[1], theirs, mine)
        self.parted |= show(theirs) != show(mine) and self.is_expected(argv, theirs, mine) and _writes(argv)
        return theirs, mine

    def is_expected(self, argv: Command, theirs: Any, mine: Any) -> bool:
        """Whether the version explains a difference."""
        return is_expected(self.version, argv, theirs, mine)

    def _remove_expired(self) -> None:
        """Let the real server find the keys that have expired, which it counts until then."""
        other = Real(self.real.port, 2)
        for number in other.used_databases():
            other.call([b"SELECT", b"%d" % number])
            other.call([b"SCAN", b"0", b"COUNT", b"100000"])
        other.close()

    def _pop_the_same(self, key: bytes, theirs: Any, mine: Any) -> None:
        """Let ours lose what a SPOP has taken from the other, and not what it took itself."""
        value = self.ours.client.session.db.peek(key)
        if value is not None:
            taken, wanted = ([reply] if isinstance(reply, bytes) else list(reply) for reply in (mine, theirs))
            value.update(taken, self.ours.world.core.keyspace.encodings)
            for element in wanted:
                value.remove(element)

    def compare_state(self) -> None:
        """Read everything back from both, and compare.

        Raises Difference.
        """
        self.ours.world.check()
        if self.parted:
            return
        theirs, mine = (dict(state(server, self.version)) for server in (self.real, self.ours))
        if theirs != mine:
            keys = [key for key in theirs.keys() | mine.keys() if theirs.get(key) != mine.get(key)]
            lines = [f"{key!r}\n  redis: {_cut(theirs.get(key))}\n  ours:  {_cut(mine.get(key))}" for key in keys[:3]]
            raise Difference("state differs at " + "\n".join(lines))

    def close(self) -> None:
        """Leave the real server as it was."""
        self.real.call([b"RESET"])
        self.real.call([*_ACTIVE_EXPIRE, b"1"])
        self.real.close()


def _writes(argv: Command) -> bool:
    name = argv[0].decode().lower()
    return Flag.WRITE in REGISTRY[name].flags or name in ("eval", "eval_ro")


def _cut(value: Any, raw: bytes = b"") -> str:
    text = f"{value!r} {raw!r}" if raw else repr(value)
    return text if len(text) < 2000 else text[:2000] + "..."


READERS: dict[bytes, tuple[bytes, ...]] = {
    b"string": (b"GET",),
    b"list": (b"LRANGE", b"0", b"-1"),
    b"set": (b"SMEMBERS",),
    b"hash": (b"HGETALL",),
    b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XRANGE", b"-", b"+"),
}
LISTPACKS_IN_LISTS_AND_SETS = (7, 2)


def state(server: Real | Ours, version: Version) -> Iterator[tuple[bytes, Any]]:
    """Everything in all databases: for each key its type, encoding, expiry to ten seconds, and content."""
    for database in server.used_databases():
        server.call([b"SELECT", b"%d" % database])
        for key in server.call([b"KEYS", b"*"]):
            yield b"%d:%b" % (database, key), _state_of(server.call, key, version)
    server.call([b"SELECT", b"0"])


def _state_of(call: Any, key: bytes, version: Version) -> Any:
    kind = call([b"TYPE", key])
    kind = kind if isinstance(kind, bytes) else bytes(str(kind), "ascii")
    encoding = call([b"OBJECT", b"ENCODING", key])
    if version < LISTPACKS_IN_LISTS_AND_SETS and kind in (b"list", b"set") and encoding != b"intset":
        encoding = b"any"
    verb, *rest = READERS[kind]
    argv = [verb, key, *rest]
    due = Moment(call([b"PEXPIRETIME", key]))
    content = canonical(argv, call(argv), version)
    if kind == b"stream":
        argv = [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]
        told = canonical(argv, call(argv), version)
        if isinstance(told, dict) and told[b"recorded-first-entry-id"] == _LARGEST_ID:
            told[b"recorded-first-entry-id"] = b"0-0"  # of a stream without entries that came in an old form
        content = [content, told]
    return kind, encoding, due, content
