"""The addresses of an engine, and which one is asked next.

The one that has answered last is asked again; one that fails gives way to the next, in the order of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_FORM = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?/?", re.ASCII
)


class Endpoint(NamedTuple):
    """One address."""

    host: str
    port: int
    tls: bool = False

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """``host``, ``host:port`` or ``http[s]://host:port``.

    Raises ValueError.
    """
    found = _FORM.fullmatch(text)
    port = int(found["port"] or default_port) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"'{text}' is no endpoint: it must look like host:port or http://host:port")
    return Endpoint(found["host"].strip("[]"), port, found["scheme"] == "https")


class Endpoints:
    """All addresses of one engine; at least one."""

    def __init__(self, texts: Sequence[str], default_port: int) -> None:
        self.all = tuple(parse_endpoint(text, default_port) for text in texts)
        if not self.all:
            raise ValueError("coordinator-endpoints is empty")
        self._current = 0

    @property
    def current(self) -> Endpoint:
        """The one that is asked first."""
        return self.all[self._current]

    def in_order(self) -> tuple[Endpoint, ...]:
        """All of them, in the order in which they are to be asked."""
        return self.all[self._current :] + self.all[: self._current]

    def answered(self, endpoint: Endpoint) -> None:
        """This one works: it is asked first from now on."""
        self._current = self.all.index(endpoint)

    def leave(self, failed: Endpoint) -> None:
        """This one fails: others first, unless another has been put first already."""
        if self.current == failed:
            self._current = (self._current + 1) % len(self.all)

    def _check(self) -> None:
        assert 0 <= self._current < len(self.all)
