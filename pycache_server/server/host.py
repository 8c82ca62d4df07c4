"""The real world, as sessions see it (session/host.py): clock, timers, chance, log."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable

from pycache_server.server.log import Log

_random = random.random
_time = time.time
_ticks = time.perf_counter


def _nothing() -> None:
    """There is nobody to be served."""


class RealHost:
    """The Host of a server that runs on an event loop."""

    time = staticmethod(_time)
    ticks = staticmethod(_ticks)

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        self._loop = loop
        self._log = log
        self.attend: Callable[[], None] = _nothing
        self.attend_no_more: Callable[[], None] = _nothing

    def choose(self, limit: int) -> int:
        """A random integer from 0 to ``limit`` - 1, fast and not for secrets."""
        return int(_random() * limit)

    def token(self, size: int) -> bytes:
        """``size`` unpredictable hex digits."""
        return secrets.token_hex((size + 1) // 2)[:size].encode()

    def defer(self, call: Callable[[], None]) -> None:
        """Call in the next round of the event loop."""
        self._loop.call_soon(call)

    def call_later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call after ``delay`` seconds."""
        return self._loop.call_later(delay, call)

    def log(self, level: str, message: str) -> None:
        """Write a line."""
        self._log.write(level, message)
