"""Voters that have links and post, and nothing else: servers on the test's own event loop, whose commands GROUP TELL,
GROUP ASIDE and GROUP LINK go to them, and which write down what they hear."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import hiredis

from pycache_server.commands.registry import LOADING, NO_AUTH, NO_MULTI, NOSCRIPT, REGISTRY, STALE, Command, Family
from pycache_server.election.messages import Aside
from pycache_server.election.wire import Wire
from pycache_server.repl.links import Link
from pycache_server.server.app import App
from pycache_server.server.group.links import Links
from pycache_server.server.group.post import Post
from pycache_server.server.log import Log
from pycache_server.settings.config import Settings, arguments_to_text

SECRET = b"what only voters know"
PATIENCE = 20.0
_OWN: dict[str, Command] = {}
_family = Family("server", _OWN)
_family.container("GROUP", since="7.0.0", summary="Of a test.")
_FLAGS = (NOSCRIPT, LOADING, STALE, NO_AUTH, NO_MULTI)


@_family.command("GROUP TELL envelope", *_FLAGS, since="7.0.0")
def _tell(session: Any, argv: list[bytes]) -> Any:
    return session.core.owner.voter.post.receive(session, argv[2])


@_family.command("GROUP ASIDE envelope", *_FLAGS, since="7.0.0")
def _aside(session: Any, argv: list[bytes]) -> Any:
    return session.core.owner.voter.post.receive_aside(session, argv[2])


@_family.command("GROUP LINK version from to nonce", *_FLAGS, since="7.0.0")
def _link(session: Any, argv: list[bytes]) -> Any:
    return session.core.owner.voter.links.accept(session, argv)


class Lines(Log):
    """A log that is read."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def write(self, level: str, message: str) -> None:
        self.lines.append(message)

    def have(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def quiet_app(text: str = "") -> App:
    """A server for this event loop that has not begun, with a configuration and a log that is read."""
    settings = Settings()
    settings.load(f'bind 127.0.0.1\nport 0\nsave ""\n{text}\n')
    return App(settings, Lines(), embedded=True, loop_name="asyncio")


class Voter:
    """One of them."""

    def __init__(self, app: App, log: Lines, seat: str, secret: bytes) -> None:
        self.app = app
        self.log = log
        self.seat = seat
        self.heard: list[tuple[str, Any]] = []
        """What has come by post."""
        self.said: list[tuple[Link, Any]] = []
        """What has come on links."""
        self.lost: list[Link] = []
        self.progress: list[Link] = []
        self.on_said: Callable[[Link, Any], None] = lambda link, message: None
        self.asides: list[tuple[str, Aside]] = []
        """What has come by post beside the election."""
        self.post = Post(
            app,
            Wire(seat, secret),
            lambda sender, message: self.heard.append((sender, message)),
            lambda sender, aside: self.asides.append((sender, aside)),
        )
        self.links = Links(
            app,
            seat,
            secret,
            self._take,
            self.lost.append,
            self.progress.append,
            lambda about, text: log.write("", text),
        )
        self._links = 0

    def _take(self, link: Link, message: Any) -> None:
        self.said.append((link, message))
        self.on_said(link, message)

    def messages(self, kind: type | None = None) -> list[Any]:
        """What has come on links, of one kind or of all."""
        return [message for _, message in self.said if kind is None or type(message) is kind]

    def link_to(self, other: str) -> Link:
        """Open a link."""
        self._links += 1
        link = Link(other, self._links, True)
        self.links.connect(link)
        return link

    def incoming(self) -> Link:
        """The link on which something has come last."""
        return self.said[-1][0]

    @property
    def port(self) -> int:
        return self.app.port

    async def stop(self) -> None:
        self.links._check()
        wires = [*self.links._wires.values(), *self.links._unproved]
        self.links.close_all()
        self.post.close()
        await self.app.stop()
        await until(lambda: all(wire._transport is None for wire in wires))


async def start(directory: Path, secret: bytes = SECRET, seat: str = "", port: int = 0, **options: str) -> Voter:
    """Start one."""
    settings = Settings()
    arguments = ["--port", str(port), "--dir", str(directory), "--save", "", "--protected-mode", "no"]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    settings.load("bind 127.0.0.1\n" + arguments_to_text(arguments))
    log = Lines()
    uvloop = type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    name = "uvloop" if uvloop else "asyncio"
    app = App(settings, log, embedded=True, loop_name=name, commands=[*(REGISTRY | _OWN).values()])
    await app.start(load=False)
    app.voter = voter = Voter(app, log, seat or f"127.0.0.1:{app.port}", secret)  # type: ignore[attr-defined]
    return voter


@contextlib.asynccontextmanager
async def voters(directory: Path, count: int = 2, **options: str) -> AsyncIterator[list[Voter]]:
    """Some that know the same secret."""
    found: list[Voter] = []
    try:
        for _ in range(count):
            found.append(await start(directory, **options))  # noqa: PERF401  (each is to be stopped)
        yield found
    finally:
        for voter in found:
            await voter.stop()


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that will be."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError("it does not come true")
        await asyncio.sleep(0.002)


def run(program: Awaitable[None]) -> None:
    """Run a test on an event loop of its own."""

    asyncio.run(to_the_end(program))


async def to_the_end(program: Awaitable[None]) -> None:
    """Run a test, and close what it has left open."""
    try:
        async with asyncio.timeout(3 * PATIENCE):
            await program
    finally:
        for raw in _RAWS:
            raw.writer.transport.abort()
            with contextlib.suppress(OSError):
                await raw.writer.wait_closed()
        _RAWS.clear()


_RAWS: list[Raw] = []


class Raw:
    """A connection that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        _RAWS.append(self)

    @classmethod
    async def to(cls, voter: Voter) -> Raw:
        return cls(*await asyncio.open_connection("127.0.0.1", voter.port))

    def say(self, *words: bytes) -> None:
        self.writer.write(hiredis.pack_command(words))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> bytes:
        """The next line; empty where the other end has closed."""
        try:
            return await self.reader.readline()
        except ConnectionError:
            return b""

    async def word(self) -> bytes:
        """The next word of a command."""
        line = await self.line()
        while line[:1] == b"*":
            line = await self.line()
        return (await self.reader.readexactly(int(line[1:]) + 2))[:-2]

    async def is_closed(self) -> bool:
        """Wait for the end of the connection."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()
