"""Taking in clients on uvloop: all that are waiting at once, and none while descriptors are short."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pycache_server.server.acceptor import Acceptor, open_sockets
from tests.server.group_voters import quiet_app

uvloop = pytest.importorskip("uvloop")
CLIENTS = 40


class Guest(asyncio.Protocol):
    """A connection that knows in which turn of the loop it came."""

    def __init__(self, turns: list[int], met: list[int]) -> None:
        self._turns = turns
        self._met = met

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._met.append(self._turns[0])


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_clients_that_come_together_are_taken_in_together() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        turns, met, errors = [0], [], []

        def turn() -> None:
            turns[0] += 1
            if len(met) < CLIENTS:
                loop.call_soon(turn)

        (listening,) = await open_sockets(loop, "127.0.0.1", 0, CLIENTS)
        clients = [socket.create_connection(listening.getsockname()) for _ in range(CLIENTS)]
        acceptor = Acceptor(loop, listening, lambda: Guest(turns, met), errors.append)
        turn()
        async with asyncio.timeout(30):
            while len(met) < CLIENTS:
                await asyncio.sleep(0)
        assert not errors
        assert max(met) - min(met) < 5
        acceptor.close()
        for client in clients:
            client.close()

    run(main)


def test_without_descriptors_it_says_so_and_pauses() -> None:
    class Exhausted:
        calls = 0

        def __init__(self, real: socket.socket) -> None:
            self._real = real
            self.fileno = real.fileno
            self.close = real.close

        def accept(self) -> tuple[socket.socket, Any]:
            self.calls += 1
            raise OSError(errno.EMFILE, "Too many open files")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        errors: list[OSError] = []
        (listening,) = await open_sockets(loop, "127.0.0.1", 0, 5)
        exhausted = Exhausted(listening)
        acceptor = Acceptor(loop, exhausted, asyncio.Protocol, errors.append)  # type: ignore[arg-type]
        client = socket.create_connection(listening.getsockname())
        async with asyncio.timeout(30):
            while not errors:
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert exhausted.calls == len(errors) == 1
        acceptor.close()
        client.close()

    run(main)


def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        (first,) = await open_sockets(loop, "127.0.0.1", 0, 5)
        with pytest.raises(OSError, match="in use"):
            await open_sockets(loop, "127.0.0.1", first.getsockname()[1], 5)
        first.close()

    run(main)


@pytest.mark.parametrize("turns", range(5))
def test_who_is_being_taken_in_at_the_end_is_let_go(turns: int) -> None:
    async def main() -> None:
        app = quiet_app()
        await app.start(load=False)
        with socket.create_connection(("127.0.0.1", app.port)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await app.stop()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not app.core.sessions
            client.settimeout(5)
            with contextlib.suppress(ConnectionResetError):  # where it was never taken in
                assert client.recv(1) == b""

    asyncio.run(main())
