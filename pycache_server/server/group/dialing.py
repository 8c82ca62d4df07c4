"""Connections to other voters: looked up, and made, within a time.

A seat that is a name is looked up anew for each connection, since names move. That is done by a thread of its own,
which exists while it works (server/worker.py), and one lookup for a seat at a time: a resolver that does not answer
holds nobody up but those who want that seat, takes no thread from others, and does not keep the server from forking.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pycache_server.server.worker import Worker

if TYPE_CHECKING:
    from pycache_server.server.app import App

DIAL: Final = 0.5
"""Seconds that a connection may take, its name included."""
MOST_ADDRESSES: Final = 4
"""Of a name, so many are tried."""


def address_of(seat: str) -> tuple[str, int]:
    """The host and port of a seat.

    Raises ValueError.
    """
    host, _, port = seat.rpartition(":")
    if not host:
        raise ValueError(f"'{seat}' is no host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Dialer:
    """Makes the connections of one voter."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lookups: dict[str, asyncio.Future[list[str]]] = {}

    async def dial(self, seat: str, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """Connect to a seat.

        Raises OSError, whose text is for the operator.
        """
        try:
            async with asyncio.timeout(DIAL):
                await self._connect(seat, protocol)
        except TimeoutError:
            raise OSError(f"no connection within {DIAL:g} seconds") from None
        except (UnicodeError, ValueError, OverflowError) as error:
            raise OSError(f"its name cannot be used: {error}") from None

    async def _connect(self, seat: str, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        host, port = address_of(seat)
        addresses = [host] if _is_address(host) else await self._look_up(host)
        source = self._app.settings["bind-source-addr"]
        problem = OSError(f"{host} has no address")
        for address in addresses:
            try:
                async with asyncio.timeout(DIAL / len(addresses)):
                    await self._app.loop.create_connection(
                        protocol, address, port, local_addr=(source, 0) if source else None
                    )
                return
            except TimeoutError:
                problem = OSError(f"{address} does not answer")
            except OSError as error:
                problem = OSError(error.strerror or str(error))
        raise problem

    async def _look_up(self, host: str) -> list[str]:
        """The addresses of a name, a few of them."""
        found = self._lookups.get(host)
        if found is None:
            found = self._lookups[host] = self._app.loop.create_future()
            found.add_done_callback(_look_at)
            self._ask(host, found)
        return await asyncio.shield(found)

    def _ask(self, host: str, found: asyncio.Future[list[str]]) -> None:
        answers: list[str] = []

        def ask() -> None:
            answers.extend(str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))

        def end(error: OSError | None) -> None:
            self._lookups.pop(host, None)
            if found.done():
                return
            if error is not None:
                found.set_exception(OSError(f"{host}: {error.strerror or error}"))
            else:
                found.set_result(list(dict.fromkeys(answers))[:MOST_ADDRESSES])

        Worker("group-name", partial(_notify, self._app.loop)).submit(ask, end)


def notice_silence(connection: Any, milliseconds: int) -> None:
    """Let the system give up a connection whose other end does not acknowledge what was sent, where it can be told
    to: otherwise it would try for a quarter of an hour, more and more seldom."""
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _notify(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed
        loop.call_soon_threadsafe(call)


def _look_at(found: asyncio.Future[list[str]]) -> None:
    """Whoever wanted the answer may have given up: then it is nobody's failure."""
    if not found.cancelled():
        found.exception()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
