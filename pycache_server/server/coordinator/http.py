"""A small HTTP client: several endpoints of one service, each request with a time within which it ends.

A request goes to the endpoint that has answered last; where that fails, to the next one, each with an equal share of
the time. So a request may be done twice, and whoever asks must bear that. One connection per endpoint is kept for the
next request; one that the service has closed meanwhile is opened anew without counting as a failure.

HTTP itself is read and written by h11, which has no sockets; they are here. It is installed with the extra
``coordinator``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from pycache_server import __version__
from pycache_server.coordinator.endpoints import Endpoint, Endpoints
from pycache_server.coordinator.engine import Unreachable

try:
    import h11
except ImportError:  # pragma: no cover - told by require_h11
    h11 = None  # type: ignore[assignment]

LARGEST_ANSWER = 4 << 20
"""Bytes of one answer, or of one line of a stream."""
_READ = 1 << 16

Headers = Sequence[tuple[str, str]]


class NotInstalled(Exception):
    """The library for HTTP is not there."""


def require_h11() -> None:
    """Raises NotInstalled with what to do about it."""
    if h11 is None:
        raise NotInstalled("etcd and Consul need the package h11: pip install 'pycache-server[coordinator]'")


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: Headers = ()
    body: bytes = b""


class Answer(NamedTuple):
    """What has come back."""

    status: int
    headers: dict[str, str]
    body: bytes
    endpoint: Endpoint


class Line:
    """One connection, on which one request at a time is made. Raises OSError and h11.ProtocolError."""

    def __init__(self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.endpoint = endpoint
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_READ)
        self.heard = False
        """Whether anything of the answer has come."""

    @classmethod
    async def open(cls, endpoint: Endpoint, tls: ssl.SSLContext | None) -> Line:
        """Connect; the caller sets the time."""
        context = tls if endpoint.tls else None
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
        return cls(endpoint, reader, writer)

    async def begin(self, ask: Ask) -> Any:
        """Send a request; the head of the answer."""
        self.heard = False
        length = [("Content-Length", str(len(ask.body)))] if ask.method != "GET" else []
        own = [("Host", self.endpoint.authority), ("User-Agent", f"pycache-server/{__version__}"), *length]
        head = self._http.send(h11.Request(method=ask.method, target=ask.path, headers=[*own, *ask.headers]))
        body = self._http.send(h11.Data(data=ask.body)) if ask.body else b""
        self._writer.write((head or b"") + (body or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        await self._writer.drain()
        while not isinstance(event := await self._next(), h11.Response):
            pass  # what an intermediary tells meanwhile
        return event

    async def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(_READ)
            self.heard = self.heard or bool(data)
            self._http.receive_data(data)
        return event

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body of the answer, as it comes."""
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def whole(self) -> bytes:
        """The body of the answer."""
        found = bytearray()
        async for piece in self.pieces():
            found += piece
            if len(found) > LARGEST_ANSWER:
                raise h11.RemoteProtocolError("the answer is too long")
        return bytes(found)

    def can_go_on(self) -> bool:
        """Make ready for the next request, if both sides keep the connection."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._reader.at_eof()

    def close(self) -> None:
        """Hang up, without waiting."""
        self._writer.transport.abort()


class Http:
    """The client of one service."""

    def __init__(self, endpoints: Endpoints) -> None:
        require_h11()
        self.endpoints = endpoints
        self._kept: dict[Endpoint, Line] = {}
        self._tls = ssl.create_default_context() if any(each.tls for each in endpoints.all) else None
        """Certificates are checked against those that the system trusts, or those that SSL_CERT_FILE names. Reading
        them takes some milliseconds: once."""

    async def ask(self, ask: Ask, seconds: float) -> Answer:
        """Make a request, at one endpoint after the other. An answer that says that the endpoint itself is in trouble
        (5xx) is given back only where no other has a better one.

        Raises Unreachable.
        """
        order = self.endpoints.in_order()
        problem, answer = "", None
        for endpoint in order:
            try:
                async with asyncio.timeout(seconds / len(order)):
                    answer = await self._ask(endpoint, ask)
            except (OSError, TimeoutError, h11.ProtocolError) as error:
                problem = problem or f"{endpoint}: {_told(error)}"
                continue
            if answer.status < 500:
                self.endpoints.answered(endpoint)
                return answer
        self.endpoints.leave(order[0])
        if answer is None:
            raise Unreachable(problem)
        return answer

    async def _ask(self, endpoint: Endpoint, ask: Ask) -> Answer:
        kept = self._kept.pop(endpoint, None)
        if kept is not None:
            try:
                return await self._ask_on(kept, ask)
            except (OSError, h11.ProtocolError):
                if kept.heard:
                    raise
        return await self._ask_on(await Line.open(endpoint, self._tls), ask)

    async def _ask_on(self, line: Line, ask: Ask) -> Answer:
        try:
            head = await line.begin(ask)
            body = await line.whole()
            keeps = line.can_go_on()
        except BaseException:
            line.close()
            raise
        spare = self._kept.pop(line.endpoint, None) if keeps else line  # one is enough
        if spare is not None:
            spare.close()
        if keeps:
            self._kept[line.endpoint] = line
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
        return Answer(head.status_code, headers, body, line.endpoint)

    async def lines(self, ask: Ask, seconds: float, silence: float) -> AsyncGenerator[bytes]:
        """The lines of an answer that does not end, from the endpoint that is asked first. The head must come within
        ``seconds``, and something at least every ``silence`` seconds.

        Raises Unreachable, at the end, too.
        """
        endpoint = self.endpoints.current
        line: Line | None = None
        try:
            async with asyncio.timeout(seconds):
                line = await Line.open(endpoint, self._tls)
                head = await line.begin(ask)
            if head.status_code != 200:
                async with asyncio.timeout(seconds):
                    yield await line.whole()
            async with aclosing(_split(line.pieces(), silence)) as lines:
                async for each in lines:
                    yield each
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            self.endpoints.leave(endpoint)
            raise Unreachable(f"{endpoint}: {_told(error)}") from error
        finally:
            if line is not None:
                line.close()
        raise Unreachable(f"{endpoint}: the stream has ended")

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._kept.values():
            line.close()
        self._kept.clear()


async def _split(pieces: AsyncGenerator[bytes], silence: float) -> AsyncGenerator[bytes]:
    rest = b""
    while True:
        try:
            async with asyncio.timeout(silence):
                rest += await anext(pieces)
        except StopAsyncIteration:
            break
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > LARGEST_ANSWER:
            raise h11.RemoteProtocolError("a line is too long")
    if rest.strip():
        yield rest


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__
