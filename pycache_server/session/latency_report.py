"""LATENCY DOCTOR and LATENCY GRAPH: what the latency monitor has seen, in words and as a drawing.

A graph has a column for each sample of an event, four rows high and up to 80 columns wide, and below each column how
long ago that was, from top to bottom. The height of a column is that of a bar of three steps a row, from the shortest
sample to the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycache_server.commands.registry import ADMIN, LOADING, NOSCRIPT, STALE
from pycache_server.errors import RedisError, c_string
from pycache_server.resp.encode import Verbatim
from pycache_server.session.latency import NEVER, family

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.session import Session

COLUMNS, ROWS = 80, 4
_BAR = "_o#"
_TIPS = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")


@family.command("LATENCY GRAPH event", ADMIN, NOSCRIPT, LOADING, STALE, since="2.8.13", tips=_TIPS)
def latency_graph(session: Session, argv: list[bytes]) -> Verbatim:
    """Draw the durations of an event."""
    event = argv[2].decode("ascii", "replace")
    monitor = session.core.latency
    samples = monitor.events.get(event)
    if not samples:
        raise RedisError(b"ERR No samples available for event '" + c_string(argv[2]) + b"'")
    now = int(session.core.clock.time)
    durations = [duration for _, duration in samples]
    labels = [_ago(now - time) for time, _ in samples]
    high, low = max(durations), min(durations)
    title = f"{event} - high {high} ms, low {low} ms (all time high {monitor.longest[event]} ms)\n{'-' * COLUMNS}\n"
    return Verbatim((title + draw(durations, labels)).encode())


def _ago(seconds: int) -> str:
    """How long ago, in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def draw(values: Sequence[int], labels: Sequence[str]) -> str:
    """Bars for some values, with labels below them."""
    least = min(values)
    span = max(values) - least or 1
    steps = len(_BAR) * ROWS
    heights = [min(int((value - least) * steps / span), steps - 1) for value in values]
    parts = [
        _draw_part(heights[start : start + COLUMNS], labels[start : start + COLUMNS])
        for start in range(0, len(values), COLUMNS)
    ]
    return "\n".join(parts)


def _draw_part(heights: Sequence[int], labels: Sequence[str]) -> str:
    lines = ["".join(_piece(height - len(_BAR) * (ROWS - row - 1)) for height in heights) for row in range(ROWS)]
    lines.append(" " * len(heights))
    tall = max(map(len, labels))
    lines += ["".join(row) for row in zip(*(label.ljust(tall) for label in labels), strict=True)]
    return "".join(line + "\n" for line in lines)


def _piece(steps: int) -> str:
    """What a row shows of a bar that rises so many steps above its foot."""
    if steps < 0:
        return " "
    return _BAR[steps] if steps < len(_BAR) else "|"


# In words


@family.command("LATENCY DOCTOR", ADMIN, NOSCRIPT, LOADING, STALE, since="2.8.13", tips=_TIPS)
def latency_doctor(session: Session, argv: list[bytes]) -> Verbatim:
    """Tell what has been slow, and what may help."""
    core = session.core
    if not core.latency.events:
        return Verbatim(_MONITOR_OFF if core.latency.threshold == NEVER else _NOTHING_SEEN)
    lines = [
        "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n",
        *(_spikes(core, number, event) for number, event in enumerate(core.latency.events, 1)),
        "",
    ]
    advice = _advice(core)
    if advice:
        lines += ["I have a few advices for you:\n", *(f"- {each}" for each in advice)]
    else:
        lines.append(_NO_ADVICE)
    return Verbatim("\n".join([*lines, ""]).encode())


_MONITOR_OFF = (
    b"I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use "
    b'"CONFIG SET latency-monitor-threshold <milliseconds>." in order to enable it. If we weren\'t in a deep space '
    b"mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
)
_NOTHING_SEEN = (
    b"Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I "
    b"honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
)
_NO_ADVICE = (
    "While there are latency events logged, I'm not able to suggest any easy fix. Please use the Redis community to "
    "get some help, providing this report in your help request."
)


def _spikes(core: Core, number: int, event: str) -> str:
    """One line about an event."""
    samples = core.latency.events[event]
    durations = [duration for _, duration in samples]
    mean = sum(durations) // len(durations)
    deviation = sum(abs(mean - duration) for duration in durations) // len(durations)
    period = int(core.clock.time) - min(time for time, _ in samples) or 1
    return (
        f"{number}. {event}: {len(samples)} latency spikes (average {mean}ms, mean deviation {deviation}ms, period "
        f"{period / len(samples):.2f} sec). Worst all time event {core.latency.longest[event]}ms."
    )


def _advice(core: Core) -> list[str]:
    """What may help against the events that there have been."""
    events, log, threshold = core.latency.events, core.slowlog, core.latency.threshold
    microseconds = int(threshold * 1e6) if threshold != NEVER else 0
    found = []
    if "command" in events:
        if log.threshold == NEVER or not log.longest:
            found.append(_ENABLE_LOG.format(microseconds))
        elif log.threshold > threshold:
            found.append(_LOWER_LOG.format(microseconds))
        found.append(_READ_LOG)
    if "fast-command" in events:
        found.append(_LOAD)
    if "expire-cycle" in events:
        found.append(_EXPIRE)
    if "command" in events or "expire-cycle" in events:
        found.append(_LARGE)
    if "eviction-cycle" in events:
        found.append(_EVICTION)
    return found


_ENABLE_LOG = (
    "There are latency issues with potentially slow commands you are using. Try to enable the Slow Log Redis feature "
    "using the command 'CONFIG SET slowlog-log-slower-than {}'. If the Slow log is disabled Redis is not able to log "
    "slow commands execution for you."
)
_LOWER_LOG = (
    "Your current Slow Log configuration only logs events that are slower than your configured latency monitor "
    "threshold. Please use 'CONFIG SET slowlog-log-slower-than {}'."
)
_READ_LOG = (
    "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please "
    "check https://redis.io/commands/slowlog for more information."
)
_LOAD = (
    "The system is slow to execute code that does not wait for anything. This usually means that it gives the server "
    "no CPU time for long periods. Lower its load, give the server a machine of its own, or look for a noisy "
    "neighbour; 'redis-cli --intrinsic-latency 100' tells what the system itself takes."
)
_EXPIRE = (
    "In order to make the Redis keys expiring process more incremental, try to set the 'hz' configuration parameter "
    "to 100 using 'CONFIG SET hz 100'."
)
_LARGE = (
    "Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have "
    "very large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple "
    "smaller objects."
)
_EVICTION = (
    "Sudden changes to the 'maxmemory' setting via 'CONFIG SET', or allocation of large objects via sets or sorted "
    "sets intersections, STORE option of SORT, may create sudden memory pressure forcing the server to block trying "
    "to evict keys."
)
