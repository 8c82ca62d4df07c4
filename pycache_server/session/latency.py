"""The latency monitor: what took longer than a threshold, by kind of event, the last 160 of each.

Events here: ``command``, ``fast-command``, ``expire-cycle``, ``eviction-cycle``, ``lazyfree-cycle``, ``gc``,
``huge-pages``, ``fork``, ``aof-write`` and its kinds, ``aof-fsync-always``.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE, Family
from pycache_server.resp.encode import Pairs
from pycache_server.store.clock import Clock

if TYPE_CHECKING:
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

HISTORY = 160
NEVER = float("inf")


class LatencyMonitor:
    """``threshold`` is in seconds, NEVER while the monitor is off."""

    def __init__(self) -> None:
        self.threshold = NEVER
        self.events: dict[str, deque[tuple[int, int]]] = {}
        """Event -> pairs of time (seconds since 1970) and duration (ms), the latest last."""
        self.longest: dict[str, int] = {}

    def add(self, event: str, time: int, seconds: float) -> None:
        """Something took longer than the threshold. Of several in one second the longest counts."""
        if seconds < self.threshold:
            return
        milliseconds = int(seconds * 1000)
        samples = self.events.setdefault(event, deque(maxlen=HISTORY))
        self.longest[event] = max(self.longest.get(event, 0), milliseconds)
        if samples and samples[-1][0] == time:
            samples[-1] = (time, max(samples[-1][1], milliseconds))
        else:
            samples.append((time, milliseconds))

    def reset(self, event: str) -> bool:
        """Forget an event. Whether it was known."""
        self.longest.pop(event, None)
        return self.events.pop(event, None) is not None


def watch_latency(monitor: LatencyMonitor, clock: Clock, event: str, seconds: float) -> None:
    """Note an event of the server's own work."""
    if seconds >= monitor.threshold:
        monitor.add(event, int(clock.time), seconds)


family = Family("server")
family.container("LATENCY", since="2.8.13", help_since="2.8.13", summary="Commands for the latency monitor.")


@family.command(
    "LATENCY LATEST",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.8.13",
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
def latency_latest(session: Session, argv: list[bytes]) -> list[Any]:
    """Return the latest and the longest of each event."""
    monitor = session.core.latency
    return [
        [event.encode(), samples[-1][0], samples[-1][1], monitor.longest[event]]
        for event, samples in monitor.events.items()
    ]


@family.command(
    "LATENCY HISTOGRAM [command [command ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = commands",
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
def latency_histogram(session: Session, argv: list[bytes]) -> Pairs:
    """Return how long the calls of some commands took, or of all; once for each time that one is asked for."""
    rows = session.core.tables.rows
    names = [word.decode("ascii", "replace").lower() for word in argv[2:]]
    wanted = chain.from_iterable(_with_subcommands(rows.get(name)) for name in names) if names else rows.values()
    found = Pairs()
    for row in wanted:
        if row.stats.histogram:
            calls, steps = sum(row.stats.histogram.values()), row.stats.cumulative()
            found.append((row.name, {b"calls": calls, b"histogram_usec": Pairs(steps.items())}))
    return found


def _with_subcommands(row: Row | None) -> list[Row]:
    return [row, *row.subrows.values()] if row is not None else []


@family.command(
    "LATENCY HISTORY event",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.8.13",
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
def latency_history(session: Session, argv: list[bytes]) -> list[Any]:
    """Return the times and durations of an event."""
    samples = session.core.latency.events.get(argv[2].decode("ascii", "replace"), ())
    return [list(sample) for sample in samples]


@family.command(
    "LATENCY RESET [event [event ...]]",
    ADMIN,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.8.13",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def latency_reset(session: Session, argv: list[bytes]) -> int:
    """Forget some events, or all; return how many."""
    monitor = session.core.latency
    events = [word.decode("ascii", "replace") for word in argv[2:]] or list(monitor.events)
    return sum(monitor.reset(event) for event in events)
