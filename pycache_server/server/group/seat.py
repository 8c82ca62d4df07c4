"""Which of the configured voters a server is: its seat.

``group-seat`` says it. Without it the seat is the one voter whose port is the server's and whose host is one of its
own: what it announces, what it binds to, or an address of this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING

from pycache_server.server.group.dialing import address_of

if TYPE_CHECKING:
    from pycache_server.settings.config import Settings


class NoSeat(ValueError):
    """It cannot be said which voter this is; the text tells what to configure."""


def find_seat(settings: Settings, port: int) -> str:
    """The seat of this server.

    Raises NoSeat.
    """
    voters = settings["group-voters"]
    own: str = settings["group-seat"]
    if own:
        return own
    announced = settings["replica-announce-ip"], settings["replica-announce-port"] or port
    exact = [seat for seat in voters if address_of(seat) == announced]
    found = exact or [
        seat for seat in voters if address_of(seat)[1] == port and _is_here(address_of(seat)[0], settings)
    ]
    if len(found) == 1:
        return str(found[0])
    what = "none" if not found else " and ".join(found)
    raise NoSeat(f"Which of the group-voters is this server? By its addresses and port {port}: {what}. Set group-seat.")


def _is_here(host: str, settings: Settings) -> bool:
    bound = {address.removeprefix("-") for address in settings["bind"]}
    if host in bound:
        return True
    if not bound & {"*", "::*", "0.0.0.0", "::"}:
        return host == "localhost" and bool(bound & {"127.0.0.1", "::1"})
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return True
    try:
        address = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4]
        with socket.socket(socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address[0], 0))  # only an address of this machine can be bound
    except OSError:
        return False
    return True
