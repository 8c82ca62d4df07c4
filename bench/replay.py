"""A cache in front of something slow, on a server: what is asked for is set where it is not there.

Redis and this server count bytes differently, and their entries are not of one size; so that policies are compared and
not overheads, ``calibrate`` finds the maxmemory at which a server holds the wanted number of entries. What a client has
in flight counts as memory in use for Redis, so a cache is given values big enough to make that nothing beside them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import hiredis

from bench.common import pack
from bench.traces import Trace

UNLIMITED = 1 << 40
"""A maxmemory that nothing reaches: with none at all a server need not know exactly what its keys take."""
LONG = 86_400_000
"""Milliseconds that keys live under a policy that gives up nothing but keys with a time to live."""
_TRIES = 10
_CLOSE = 0.002
_CACHE_BYTES = 4_000_000
_LEAST_VALUE, _MOST_VALUE = 256, 8192
_SAMPLES = 50


class Client:
    """A connection that sends pipelines and waits for their replies."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader(notEnoughData=self)

    def pipeline(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to packed commands. Raises the first that is an error, ConnectionError where the server ends."""
        self._socket.sendall(b"".join(commands))
        replies: list[Any] = []
        while len(replies) < len(commands):
            reply = self._reader.gets()
            if reply is self:
                self._receive()
            elif isinstance(reply, hiredis.ReplyError):
                raise reply
            else:
                replies.append(reply)
        return replies

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._reader.feed(data)

    def call(self, *words: str | bytes | int) -> Any:
        """The reply to one command."""
        return self.pipeline([pack(word if isinstance(word, bytes) else str(word).encode() for word in words)])[0]

    def configure(self, name: str, value: str | int) -> None:
        """Set a directive."""
        self.call("CONFIG", "SET", name, value)

    def info(self, name: str) -> int:
        """A number from INFO."""
        lines: list[bytes] = self.call("INFO").splitlines()
        return next(int(line.partition(b":")[2]) for line in lines if line.startswith(name.encode() + b":"))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class Load(NamedTuple):
    """How keys are written: the size of a value in bytes, how many requests are in flight, and whether keys expire."""

    size: int
    batch: int
    expiring: bool = False

    def setter(self) -> Callable[[bytes], bytes]:
        """A packed SET for a key."""
        end = [b"v" * self.size, *([b"PX", b"%d" % LONG] if self.expiring else [])]
        return lambda key: pack([b"SET", key, *end])


def load_for(room: int, policy: str, batch: int = 0) -> Load:
    """A load for a cache of so many entries: no more than one in fifty of them is in flight."""
    size = min(max(_CACHE_BYTES // room, _LEAST_VALUE), _MOST_VALUE)
    return Load(size, batch or min(max(room // 50, 1), 32), policy.startswith("volatile-"))


def calibrate(client: Client, policy: str, room: int, load: Load) -> int:
    """Set a policy, and the maxmemory at which ``room`` entries are held while keys come and go; leave no key.

    Returns that maxmemory in bytes.
    """
    client.configure("maxmemory", UNLIMITED)
    client.configure("maxmemory-policy", policy)
    client.call("FLUSHALL")
    empty = client.info("used_memory")
    fill(client, range(room), load)
    limit = client.info("used_memory")
    each = (limit - empty) / room
    nearest, best = room, limit
    for number in range(1, _TRIES):
        client.call("FLUSHALL")
        client.configure("maxmemory", limit)
        fresh = number * 10 * room
        held = fill(client, range(fresh, fresh + 3 * room), load)
        if abs(held - room) < nearest:
            nearest, best = abs(held - room), limit
        if nearest <= max(_CLOSE * room, 1):
            break
        limit += round((room - held) * each)
    client.call("FLUSHALL")
    client.configure("maxmemory", best)
    return best


def fill(client: Client, numbers: Iterable[int], load: Load) -> int:
    """Set keys that no trace has. Returns how many keys there were, at the mean of the second half of the time."""
    write = load.setter()
    commands = [write(b"new:%09d" % number) for number in numbers]
    sizes: list[int] = []
    for begin in range(0, len(commands), load.batch):
        replies = client.pipeline([*commands[begin : begin + load.batch], pack([b"DBSIZE"])])
        sizes.append(replies[-1])
    later = sizes[len(sizes) // 2 :]
    return round(sum(later) / len(later))


class Replayed(NamedTuple):
    """How many requests were hits, and how many entries there were, at the mean, while the cache was full."""

    hits: int
    entries: float


def replay(client: Client, trace: Trace, room: int, load: Load, show: Callable[[int], None] | None = None) -> Replayed:
    """Ask for the keys of a trace, ``load.batch`` of them in flight, which is how far they can come in another order.

    ``show`` is called now and then with the number of requests so far.
    """
    names = [b"key:%09d" % number for number in range(trace.unique)]
    gets = [pack([b"GET", name]) for name in names]
    write = load.setter()
    hits = misses = 0
    sizes = []
    next_sample = 0
    for begin in range(0, len(trace.keys), load.batch):
        asked = trace.keys[begin : begin + load.batch]
        found = ask(client, asked, gets, lambda key: write(names[key]))
        hits += found
        misses += len(asked) - found
        if begin >= next_sample:
            next_sample += len(trace.keys) // _SAMPLES
            if misses > 1.2 * room:
                sizes.append(client.call("DBSIZE"))
            if show is not None:
                show(begin)
    return Replayed(hits, sum(sizes) / len(sizes) if sizes else client.call("DBSIZE"))


def ask(client: Client, keys: Sequence[int], gets: Sequence[bytes], write: Callable[[int], bytes]) -> int:
    """Get keys in one pipeline, by their packed ``gets``, and set those that are not there in another. How many were.

    A key that is missed twice would have been set after the first time: it is asked for again once it is set, and that
    is what counts.
    """
    missed = [key for key, value in zip(keys, client.pipeline([gets[key] for key in keys]), strict=True) if not value]
    if not missed:
        return len(keys)
    commands, seen = [], set[int]()
    for key in missed:
        commands.append(gets[key] if key in seen else write(key))
        seen.add(key)
    again = sum(reply not in (b"OK", None) for reply in client.pipeline(commands))
    return len(keys) - len(missed) + again
