"""Keys on their way to another server: what happens behind MIGRATE.

Redis stands still while it sends keys and waits for the answers. Here the client waits and the others go on, so a key
may change while its copy is under way. Therefore a key is deleted only if it is still what was sent; one that has
changed is sent again, in the place of what the other server has got. Nothing is lost, whatever happens in between: a
key that was not confirmed stays here.

Within a transaction or a script nobody else may go on. There the same steps are made with a connection that waits
(WaitingWire), and the server stands still for it, as Redis does.

Connections are kept for TEN seconds for the next keys to the same server.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol

import hiredis

from pycache_server.entry import NEVER
from pycache_server.errors import RedisError
from pycache_server.rdb.payload import dump
from pycache_server.session.core import Core
from pycache_server.store.database import Database
from pycache_server.store.events import DEL

TEN = 10
MOST_WIRES = 64
"""Most connections that are kept."""
_ROUNDS = 8
"""How often keys are sent that change all the time."""
_CHUNK = 64 * 1024


@dataclass
class Order:
    """What MIGRATE has been told. ``timeout`` is in seconds, for each single step."""

    host: str
    port: int
    index: int
    timeout: float
    keys: list[bytes] = field(default_factory=list)
    copy: bool = False
    replace: bool = False
    credentials: tuple[bytes, ...] = ()


class Wire(Protocol):
    """A connection to another server. ``selected`` is the database that it speaks of, None where nobody knows."""

    selected: int | None

    async def send(self, data: bytes, timeout: float) -> None:
        """Send all. Raises OSError; TimeoutError is one."""

    async def line(self, timeout: float) -> bytes:
        """The next line. Raises OSError."""

    def close(self) -> None:
        """End the connection."""


class AsyncWire:
    """The connection while others go on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.selected: int | None = None
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes, timeout: float) -> None:
        """See Wire."""
        for start in range(0, len(data), _CHUNK):
            self._writer.write(data[start : start + _CHUNK])
            await asyncio.wait_for(self._writer.drain(), timeout)

    async def line(self, timeout: float) -> bytes:
        """See Wire."""
        try:
            found = await asyncio.wait_for(self._reader.readline(), timeout)
        except ValueError as error:
            raise ConnectionError("the line has no end") from error
        return _whole(found)

    def close(self) -> None:
        """See Wire."""
        self._writer.close()


class WaitingWire:
    """The connection while everybody waits: nothing here is ever suspended."""

    def __init__(self, connection: socket.socket) -> None:
        self.selected: int | None = None
        self._socket = connection
        self._lines = connection.makefile("rb")

    async def send(self, data: bytes, timeout: float) -> None:
        """See Wire."""
        self._socket.sendall(data)

    async def line(self, timeout: float) -> bytes:
        """See Wire."""
        return _whole(self._lines.readline(_CHUNK))

    def close(self) -> None:
        """See Wire."""
        self._lines.close()
        self._socket.close()


def _whole(line: bytes) -> bytes:
    if not line.endswith(b"\n"):
        raise ConnectionError("the connection has ended")
    return line.rstrip(b"\r\n")


class _Broken(Exception):
    """The connection has failed, ``doing`` what; ``early`` before any key was answered for."""

    def __init__(self, doing: bytes, early: bool, timeout: bool) -> None:
        super().__init__(doing)
        self.doing = doing
        self.again = early and not timeout


class Migrations:
    """All keys that are on their way, and the connections."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: dict[tuple[str, int], tuple[AsyncWire, asyncio.TimerHandle]] = {}

    def cached(self) -> int:
        """How many connections are kept."""
        return len(self._kept)

    async def move(self, database: Database, order: Order) -> RedisError | None:
        """Do what was ordered while others go on. An error, or None."""
        return await self._move(database, order, self._wire)

    def move_at_once(self, database: Database, order: Order) -> RedisError | None:
        """The same while everybody waits."""
        steps = self._move(database, order, _waiting_wire)
        try:
            steps.send(None)
        except StopIteration as stop:
            result: RedisError | None = stop.value
            return result
        raise AssertionError("a connection that waits is never suspended")

    async def _move(self, database: Database, order: Order, connect: Any) -> RedisError | None:
        for attempt in (1, 2):
            try:
                wire: Wire = await connect(order)
            except (TimeoutError, socket.gaierror):
                return RedisError(b"IOERR error or timeout connecting to the client")
            except OSError:  # which Redis does not know before it begins to write
                return RedisError(b"IOERR error or timeout writing to target instance")
            errors: list[bytes] = []
            try:
                await _Exchange(self._core, database, order, wire, errors).run()
            except _Broken as broken:
                wire.close()
                if broken.again and attempt == 1 and not errors:
                    continue
                if not errors:
                    return RedisError(b"IOERR error or timeout " + broken.doing + b" to target instance")
            except BaseException:
                wire.close()
                raise
            else:
                wire.selected = None if errors else order.index
                self._keep(order, wire)
            return RedisError(b"ERR Target instance replied with error: " + errors[0]) if errors else None
        raise AssertionError("the second attempt is the last")

    async def _wire(self, order: Order) -> AsyncWire:
        kept = self._kept.pop((order.host, order.port), None)
        if kept is not None:
            kept[1].cancel()
            return kept[0]
        return AsyncWire(*await asyncio.wait_for(asyncio.open_connection(order.host, order.port), order.timeout))

    def _keep(self, order: Order, wire: Wire) -> None:
        """Keep a connection for ten seconds, in the place of the oldest where there are too many."""
        place = (order.host, order.port)
        if not isinstance(wire, AsyncWire) or place in self._kept:
            wire.close()
            return
        if len(self._kept) >= MOST_WIRES:
            self._drop(next(iter(self._kept)))
        self._kept[place] = (wire, asyncio.get_running_loop().call_later(TEN, self._drop, place))

    def _drop(self, place: tuple[str, int]) -> None:
        wire, timer = self._kept.pop(place)
        timer.cancel()
        wire.close()

    def close(self) -> None:
        """End all connections that are kept."""
        for place in list(self._kept):
            self._drop(place)


async def _waiting_wire(order: Order) -> WaitingWire:
    connection = socket.create_connection((order.host, order.port), order.timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return WaitingWire(connection)


class _Exchange:
    """The keys of one order on one connection. ``errors`` gets what the other server objects to."""

    def __init__(self, core: Core, database: Database, order: Order, wire: Wire, errors: list[bytes]) -> None:
        self._core = core
        self._database = database
        self._order = order
        self._wire = wire
        self._errors = errors
        self._answered = False
        self._unwelcome = False  # whether the other server has refused the password or the database

    async def run(self) -> None:
        """Send the keys, those that change meanwhile again.

        Raises _Broken.
        """
        doing = b"writing"
        try:
            before = await self._open()  # how many answers come before those to the keys
            keys, replace = self._order.keys, self._order.replace
            for _ in range(_ROUNDS):
                doing = b"writing"
                sent = [(key, found) for key in keys if (found := await self._send(key, replace)) is not None]
                doing = b"reading"
                while before:
                    self._unwelcome |= not self._note(await self._line())
                    before -= 1
                keys, replace = [key for key, found in sent if not await self._confirmed(key, *found)], True
                if not keys:
                    return
            self._errors.append(b"the keys change faster than they can be sent")
        except OSError as error:
            raise _Broken(doing, not self._answered, isinstance(error, TimeoutError)) from error

    async def _open(self) -> int:
        """Authenticate and select the database. Returns how many answers that has."""
        order, wire = self._order, self._wire
        words: list[tuple[Any, ...]] = [(b"AUTH", *order.credentials)] if order.credentials else []
        if wire.selected != order.index:
            words.append((b"SELECT", order.index))
        if words:
            await wire.send(b"".join(map(hiredis.pack_command, words)), order.timeout)
        return len(words)

    async def _send(self, key: bytes, replace: bool) -> tuple[Any, bytes, int] | None:
        """Send a key. Returns its value, what was sent of it, and when it expires; None where it is gone."""
        database, keyspace = self._database, self._database.keyspace
        value, expires = database.peek(key), database.expires_at(key)
        if value is None or expires is None:
            return None
        ttl = 0 if expires == NEVER else max(1, expires - keyspace.clock.now())
        payload = dump(value, keyspace.encodings, keyspace.compress)
        words = (b"RESTORE", key, b"%d" % ttl, payload, *((b"REPLACE",) if replace else ()))
        await self._wire.send(hiredis.pack_command(words), self._order.timeout)
        return value, payload, expires

    async def _line(self) -> bytes:
        return await self._wire.line(self._order.timeout)

    def _note(self, answer: bytes) -> bool:
        """Whether the other server agrees. Only the first objection is told."""
        if answer[:1] == b"-" and not self._errors:
            self._errors.append(answer[1:])
        return answer[:1] != b"-"

    async def _confirmed(self, key: bytes, value: Any, payload: bytes, expires: int) -> bool:
        """Read what the other server says to a key, and delete it here where that is right. False where it must be sent
        again."""
        answer = await self._line()
        self._answered = True
        if not self._note(answer) or self._unwelcome or self._order.copy:
            return True
        database, core = self._database, self._core
        core.clock.time = core.host.time()
        now = database.peek(key)
        if now is None:
            return True
        if database.expires_at(key) != expires or (now is not value and type(now) is bytes):
            return False
        if type(now) is not bytes and dump(now, core.keyspace.encodings, core.keyspace.compress) != payload:
            return False
        database.delete(key, DEL)
        if core.feed.active:
            core.feed.tell(database.index, [b"DEL", key])
        if core.blocking.ready:
            core.blocking.serve_ready()
        return True
