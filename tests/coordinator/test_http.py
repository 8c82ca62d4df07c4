"""The small HTTP client, against servers that do what the test says, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pycache_server.coordinator.endpoints import Endpoint, Endpoints, parse_endpoint
from pycache_server.coordinator.engine import Unreachable
from pycache_server.server.coordinator import http as module
from pycache_server.server.coordinator.http import Ask, Http, NotInstalled
from tests.conftest import require_program

ASK = Ask("GET", "/x")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Service:
    """A server; ``play`` does what it does with each connection."""

    def __init__(self, play: Play, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._tls = tls
        self._play = play
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._play(reader, writer)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        writer.transport.abort()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._run, "127.0.0.1", 0, ssl=self._tls)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *details: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)


def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> Service:
    """One answer for each request on a connection, and then the end."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return Service(play, tls)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def run(part: Callable[[], Awaitable[Any]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30):
            await part()

    asyncio.run(whole())


async def ask(*addresses: str, seconds: float = 10.0) -> module.Answer:
    http = Http(Endpoints(addresses, 1))
    try:
        return await http.ask(ASK, seconds)
    finally:
        http.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\n!!!\r\n0\r\nTrailer: x\r\n\r\n",
            b"ok!!!",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
    ],
    ids=["length", "chunks", "told something first", "until the end"],
)
def test_an_answer_is_read_in_any_form(answer: bytes, body: bytes) -> None:
    async def part() -> None:
        async with answering(answer) as address:
            found = await ask(address)
            assert (found.status, found.body) == (200, body)

    run(part)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99999,
    ],
    ids=["nothing", "cut off", "nonsense", "endless head"],
)
def test_a_broken_answer_is_none(answer: bytes) -> None:
    async def part() -> None:
        async with answering(answer) as address:
            with pytest.raises(Unreachable, match=address):
                await ask(address)

    run(part)


def test_an_answer_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 1)

    async def part() -> None:
        async with answering(OK) as address:
            with pytest.raises(Unreachable, match="too long"):
                await ask(address)

    run(part)


def test_a_service_that_is_silent_takes_no_longer_than_its_time() -> None:
    async def part() -> None:
        async with Service(silent) as address:
            with pytest.raises(Unreachable, match="no answer in time"):
                await ask(address, seconds=0.05)

    run(part)


def test_the_next_endpoint_is_asked_where_one_fails_and_from_then_on_first() -> None:
    async def part() -> None:
        broken, well = Service(silent), answering(OK, OK)
        async with broken as one, well as two:
            http = Http(Endpoints((one, two), 1))
            assert (await http.ask(ASK, 0.5)).body == b"ok"
            assert (await http.ask(ASK, 0.5)).body == b"ok"
            assert (broken.connections, well.connections) == (1, 1)
            http.close()

    run(part)


def test_an_endpoint_in_trouble_gives_way_to_one_that_is_well() -> None:
    async def part() -> None:
        trouble = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
        async with answering(trouble) as one, answering(OK) as two:
            assert (await ask(one, two)).status == 200
        async with answering(trouble) as one, answering(trouble) as two:
            assert (await ask(one, two)).body == b"busy"

    run(part)


def test_a_connection_is_kept_and_opened_anew_where_the_service_has_closed_it() -> None:
    async def part() -> None:
        service = answering(OK, OK)
        async with service as address:
            http = Http(Endpoints((address,), 1))
            for _ in range(6):
                assert (await http.ask(ASK, 10)).body == b"ok"
            assert service.connections == 3
            http.close()

    run(part)


def test_a_connection_that_the_service_will_not_keep_is_not_kept() -> None:
    async def part() -> None:
        service = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", OK)
        async with service as address:
            http = Http(Endpoints((address,), 1))
            for _ in range(2):
                await http.ask(ASK, 10)
            assert service.connections == 2
            http.close()

    run(part)


def test_what_is_asked_is_sent_whole() -> None:
    asked: list[bytes] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(4))
        writer.write(OK)

    async def part() -> None:
        async with Service(play) as address:
            http = Http(Endpoints((address,), 1))
            await http.ask(Ask("PUT", "/v1/k?a=b", [("X-Token", "t")], b"body"), 10)
            http.close()
            head = asked[0].lower()
            assert head.startswith(b"put /v1/k?a=b http/1.1\r\n") and head.endswith(b"\r\n\r\nbody")
            for line in (f"host: {address}", "content-length: 4", "x-token: t"):
                assert f"\r\n{line}\r\n".encode() in head

    run(part)


# Streams.


async def lines_of(address: str, silence: float = 10.0) -> tuple[list[bytes], str]:
    """All lines, and why there are no more."""
    http = Http(Endpoints((address,), 1))
    found = []
    try:
        async for line in http.lines(ASK, 10.0, silence):
            found.append(line)  # noqa: PERF401 (it ends with an error)
    except Unreachable as error:
        return found, str(error)
    raise AssertionError("a stream ends with an error")


def test_a_stream_is_cut_into_lines_however_it_comes() -> None:
    async def part() -> None:
        async with answering(STREAM + b"3\r\na\nb\r\n4\r\nb\nc\n\r\n1\r\nd\r\n0\r\n\r\n") as address:
            found, why = await lines_of(address)
            assert found == [b"a", b"bb", b"c", b"d"] and "has ended" in why

    run(part)


def test_a_stream_that_is_silent_for_too_long_has_ended() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + b"2\r\na\n\r\n")
        await reader.read()

    async def part() -> None:
        async with Service(play) as address:
            found, why = await lines_of(address, silence=0.05)
            assert found == [b"a"] and "no answer in time" in why

    run(part)


def test_a_line_that_is_too_long_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 3)

    async def part() -> None:
        async with answering(STREAM + b"4\r\nabcd\r\n") as address:
            assert "too long" in (await lines_of(address))[1]

    run(part)


def test_an_error_in_place_of_a_stream_is_its_only_line() -> None:
    async def part() -> None:
        async with answering(b"HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nno\n!") as address:
            assert (await lines_of(address))[0] == [b"no\n!"]

    run(part)


def test_an_endpoint_whose_stream_has_failed_is_not_the_first_any_more() -> None:
    async def part() -> None:
        async with answering(b"") as one:
            http = Http(Endpoints((one, "b.example"), 1))
            with pytest.raises(Unreachable):
                await anext(http.lines(ASK, 10.0, 10.0))
            assert http.endpoints.current.host == "b.example"

    run(part)


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, trusted by nobody."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = [require_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=cache", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", path, "-out", f"{path}.crt", *names], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


async def ask_secretly(certificate: Path) -> module.Answer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with answering(OK, tls=context) as address:
        return await ask(f"https://{address}")


def test_a_certificate_that_is_trusted_opens_the_connection(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def part() -> None:
        assert (await ask_secretly(certificate)).body == b"ok"

    run(part)


def test_a_certificate_that_nobody_trusts_is_refused(certificate: Path) -> None:
    async def part() -> None:
        with pytest.raises(Unreachable, match=r"its certificate is not trusted: self.signed"):
            await ask_secretly(certificate)

    run(part)


# Endpoints.


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("host", Endpoint("host", 8500)),
        ("host:1", Endpoint("host", 1)),
        ("http://host:2379/", Endpoint("host", 2379)),
        ("https://host", Endpoint("host", 8500, True)),
        ("[::1]:7", Endpoint("::1", 7)),
    ],
)
def test_an_endpoint_is_a_host_with_a_port(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text, 8500) == endpoint


@pytest.mark.parametrize("text", ["", "host:0", "host:70000", "ftp://host", "http://host/path", "a b"])
def test_anything_else_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="must look like host:port"):
        parse_endpoint(text, 8500)


def test_an_address_of_six_groups_has_brackets_where_it_is_told() -> None:
    assert str(Endpoint("::1", 7, True)) == "https://[::1]:7"


def test_endpoints_take_turns() -> None:
    endpoints = Endpoints(("a", "b", "c"), 1)
    a, b, c = endpoints.all
    endpoints.answered(b)
    assert endpoints.in_order() == (b, c, a)
    endpoints.leave(a)
    assert endpoints.current == b
    endpoints.leave(b)
    endpoints.leave(c)
    assert endpoints.current == a
    endpoints._check()
    with pytest.raises(ValueError, match="empty"):
        Endpoints((), 1)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "h11", None)
    with pytest.raises(NotInstalled, match=r"pip install 'pycache-server\[coordinator\]'"):
        Http(Endpoints(("a",), 1))
