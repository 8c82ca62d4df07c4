"""The servers that a test can talk to in the same words: ours, in process, and a real redis-server.

A test that asks for ``peer`` or ``client`` runs once with each, so that what it asserts is proved of Redis, too. What
7.0 does not do as 7.4 does is tested with ``ours`` or ``our_client`` alone.

A client of either kind has got everything that it was sent when ``send`` returns: nothing waits, and nothing sleeps.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import hiredis
import pytest

import pycache_server.server.setup  # noqa: F401  (registers the server's commands, too)
from pycache_server.store.events import UNHEARD, parse_flags
from pycache_server.store.list import List
from pycache_server.testing.inprocess import Client, World

if TYPE_CHECKING:
    from tests.conftest import RealRedis

_NOTHING = object()
_PATIENCE = 10
"""Seconds that a busy machine may take to bring a reply that must come."""
_READ_AT_ONCE = 16 * 1024
"""How many bytes Redis reads from a client before it looks at the others."""


class Ours:
    """Our server."""

    is_redis = False

    def __init__(self) -> None:
        self.world = World(databases=4)

    def connect(self, decode: bool = True) -> Client:
        """A new client."""
        return self.world.connect(decode)

    def require(self, password: str) -> None:
        """Let clients that come from now on authenticate with a password."""
        self.world.core.access.require(password.encode())

    def limit_strings(self, size: int) -> None:
        """Set proto-max-bulk-len."""
        self.world.core.keyspace.longest_string = size

    def announce(self, flags: str) -> None:
        """Set notify-keyspace-events."""
        found = parse_flags(flags)
        assert found is not None
        self.world.core.observers.notify(found)

    def log_slow_calls(self, microseconds: int) -> None:
        """Set slowlog-log-slower-than."""
        self.world.core.slowlog.threshold = microseconds / 1e6
        self.world.core.refresh_precision()

    def hold_list(self, key: str) -> None:
        """Let a key hold a list, which no command for strings takes."""
        self.world.core.keyspace.databases[0].put(key.encode(), List.built([b"x"], -2), UNHEARD)

    def close(self) -> None:
        self.world.check()


class RedisClient:
    """A client of a real redis-server, with the methods of a client in process."""

    def __init__(self, redis: Redis, port: int, decode: bool) -> None:
        self._redis = redis
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else what follows silence waits for it
        self._socket.setblocking(False)
        self._reader = hiredis.Reader(
            notEnoughData=_NOTHING, encoding="utf-8" if decode else None, errors="surrogateescape" if decode else None
        )
        self._raw = b""
        self.closed = False

    @property
    def raw(self) -> bytes:
        """Everything that was sent since the last look."""
        self.collect()
        return self._raw

    @raw.setter
    def raw(self, data: bytes) -> None:
        self._raw = data

    def send(self, data: bytes) -> None:
        """Send bytes, and wait until Redis has done what it can with them."""
        self._socket.setblocking(True)
        self._socket.sendall(data)
        self._socket.setblocking(False)
        self._redis.pass_turns(2 + len(data) // _READ_AT_ONCE)
        self.collect()

    def collect(self) -> None:
        """Take what has come."""
        self._redis.pass_turns(2)
        try:
            while data := self._socket.recv(1 << 20):
                self._raw += data
                self._reader.feed(data)
            self.closed = True
        except BlockingIOError:
            pass
        except ConnectionError:
            self.closed = True

    def read(self) -> Any:
        """The next reply or message; raises EOFError where there is none."""
        while (value := self._reader.gets()) is _NOTHING:
            if self.closed or not select.select([self._socket], [], [], _PATIENCE)[0]:
                raise EOFError("no reply")
            self.collect()
        return value

    def read_all(self) -> list[Any]:
        """All replies and messages that have come."""
        self.collect()
        found = []
        while (value := self._reader.gets()) is not _NOTHING:
            found.append(value)
        return found

    def start(self, *words: Any) -> None:
        """Send a command without reading its reply."""
        self.send(hiredis.pack_command(words))

    def call(self, *words: Any) -> Any:
        """Send a command and return its reply; an error reply is returned as an exception."""
        self.start(*words)
        return self.read()

    def close(self) -> None:
        self._socket.close()


class Redis:
    """A real redis-server, emptied."""

    is_redis = True

    def __init__(self, server: RealRedis) -> None:
        self._port = server.port
        self._clients: list[RedisClient] = []
        self._changed: dict[bytes, bytes] = {}
        self._control = socket.create_connection(("127.0.0.1", self._port))
        self._control.settimeout(30)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._ask("CLIENT", "UNPAUSE")
        self._ask("FLUSHALL")

    def _ask(self, *words: Any) -> Any:
        self._control.sendall(hiredis.pack_command(words))
        while (value := self._reader.gets()) is _NOTHING:
            self._reader.feed(self._control.recv(1 << 20))
        return value

    def pass_turns(self, count: int) -> None:
        """Wait until the server has looked at all its clients so many times. An unknown command is neither monitored
        nor logged."""
        for _ in range(count):
            self._ask("NEXT-TURN")

    def connect(self, decode: bool = True) -> RedisClient:
        """A new client."""
        client = RedisClient(self, self._port, decode)
        self._clients.append(client)
        return client

    def _configure(self, name: bytes, value: str) -> None:
        before = self._ask("CONFIG", "GET", name)[1]
        self._changed.setdefault(name, before)
        assert self._ask("CONFIG", "SET", name, value) == b"OK"

    def require(self, password: str) -> None:
        self._configure(b"requirepass", password)

    def limit_strings(self, size: int) -> None:
        self._configure(b"proto-max-bulk-len", str(size))

    def announce(self, flags: str) -> None:
        self._configure(b"notify-keyspace-events", flags)

    def log_slow_calls(self, microseconds: int) -> None:
        self._configure(b"slowlog-log-slower-than", str(microseconds))

    def hold_list(self, key: str) -> None:
        self._ask("RPUSH", key, "element")

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for name, value in self._changed.items():
            self._ask("CONFIG", "SET", name, value)
        self._control.close()


Peer = Ours | Redis
AnyClient = Client | RedisClient


@pytest.fixture(params=["ours", pytest.param("redis", marks=pytest.mark.interop)])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A server, ours and then Redis."""
    found = Ours() if request.param == "ours" else Redis(request.getfixturevalue("real_redis"))
    yield found
    found.close()


@pytest.fixture
def client(peer: Peer) -> AnyClient:
    """A client of either server."""
    return peer.connect()


@pytest.fixture
def ours() -> Iterator[Ours]:
    """Our server."""
    server = Ours()
    yield server
    server.close()


@pytest.fixture
def our_client(ours: Ours) -> Client:
    """A client of our server."""
    return ours.connect()


def listener_of(peer: Peer) -> AnyClient:
    """A client that hears the events of the keys of database 0, new ones included."""
    peer.announce("KEAn")
    listener = peer.connect()
    listener.start("PSUBSCRIBE", "__keyevent@0__:*")
    listener.read_all()
    return listener


def heard(listener: AnyClient) -> list[tuple[str, str]]:
    """The events that have come since the last look, each with its key."""
    return [(message[2].partition(":")[2], message[3]) for message in listener.read_all()]


def error_of(reply: Any) -> str:
    """The text of an error reply."""
    assert isinstance(reply, hiredis.ReplyError), reply
    return str(reply)


def pipeline(*commands: str | tuple[Any, ...]) -> bytes:
    """Commands in one packet: lines of words, or tuples of them."""
    return b"".join(hiredis.pack_command(tuple(each.split()) if isinstance(each, str) else each) for each in commands)
