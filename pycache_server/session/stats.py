"""How often each command was called, how long it took, and what went wrong, for INFO.

Reading the clock twice costs 80 ns, a tenth of a fast command. So calls are counted always, but commands that take the
same short time whatever they are given are timed in a sample of the batches while the server is busy, and always
while it is not. Their total time is extrapolated from the sample; a command whose time depends on its arguments is
timed at every call.

The distribution of times is kept in buckets of a quarter of a power of two (19 % wide), from 1 ns up.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

MOST_ERRORS = 128
"""So many codes of errors are counted each for itself, all others together. Redis 8 has the same number, and forgets
all of them when there are more."""
OTHER_ERRORS = "ERRORSTATS_OVERFLOW"
TOO_MANY_ERRORS = (
    f"{MOST_ERRORS} different codes of errors have been sent, of scripts probably: others are counted together, as "
    f"{OTHER_ERRORS} in INFO errorstats, until CONFIG RESETSTAT."
)


class CommandStats:
    """The counts of one command on one server. Times are in seconds."""

    __slots__ = ("_mean", "_settled_calls", "_settled_timed", "buckets", "failed", "new_seconds", "rejected", "seconds")

    def __init__(self) -> None:
        self.buckets: list[int] = []
        """The timed calls in each bucket; of a command that has not been timed yet, nothing. It stays the same list."""
        self.reset()

    def reset(self) -> None:
        """Back to zero, as CONFIG RESETSTAT wants it."""
        self.failed = 0
        """Calls that ended in an error."""
        self.rejected = 0
        """Calls that were refused before they began: arity, authentication, memory."""
        self.seconds = 0.0
        """Time spent in calls, those that were not timed included by extrapolation: as of the last ``settle``."""
        self.new_seconds = 0.0
        """Time of the calls that were timed since the last ``settle``."""
        self.buckets[:] = [0] * len(self.buckets)
        self._settled_calls = 0
        self._settled_timed = 0
        self._mean = 0.0

    def begin_timing(self) -> list[int]:
        """The buckets, of a command that is going to be timed."""
        if not self.buckets:
            self.buckets += [0] * _BUCKETS
        return self.buckets

    def record(self, seconds: float) -> None:
        """A call was timed. Core.timed does the same without the call."""
        self.new_seconds += seconds
        self.begin_timing()[bucket_of(seconds)] += 1

    @property
    def histogram(self) -> dict[int, int]:
        """Bucket -> timed calls in it."""
        return {bucket: calls for bucket, calls in enumerate(self.buckets) if calls}

    def settle(self, calls: int) -> None:
        """Bring ``seconds`` up to ``calls``, the number of all calls so far."""
        timed = sum(self.buckets)
        if timed > self._settled_timed:
            self._mean = self.new_seconds / (timed - self._settled_timed)
            self._settled_timed, self.new_seconds = timed, 0.0
        self.seconds += (calls - self._settled_calls) * self._mean
        self._settled_calls = calls

    def cumulative(self) -> dict[int, int]:
        """How many of the timed calls took less than about 1, 2, 4, ... us: the steps at which there are more, under
        the names that a histogram of 2 significant digits has for them."""
        found: dict[int, int] = {}
        histogram = self.histogram
        for power in range(10, max(11, max(histogram, default=0) // 4 + 1)):
            count = sum(calls for bucket, calls in histogram.items() if bucket >> 2 <= power)
            if count and count not in found.values():
                found[((1 << power) + (1 << power - 7) - 1) // 1000] = count
        return found

    def percentile(self, percent: float) -> float:
        """The time, in seconds, that ``percent`` of the timed calls did not exceed."""
        wanted = max(1.0, sum(self.buckets) * percent / 100)
        for bucket, calls in self.histogram.items():
            wanted -= calls
            if wanted <= 0:
                return upper_bound(bucket)
        return 0.0


def bucket_of(seconds: float) -> int:
    """The number of the bucket for a time."""
    nanoseconds = int(seconds * 1e9) or 1
    bits = nanoseconds.bit_length()
    return bits << 2 | (nanoseconds << 3 >> bits) & 3


_BUCKETS = 4 * 65
"""Of all times that a 64-bit number of nanoseconds can be."""
TICKS = 1e9 / 16
"""16 ns: what ``SHORT_BUCKETS`` counts in, in parts of a second."""
SHORT_BUCKETS = [bucket_of(tick / TICKS) for tick in range(1 << 12)]
"""The buckets of times up to 65 us, to be looked up. No edge of a bucket from 64 ns on lies within 16 ns."""


def upper_bound(bucket: int) -> float:
    """The longest time, in seconds, that falls into a bucket."""
    bits, quarter = bucket >> 2, bucket & 3
    return ((5 + quarter) << bits >> 3) / 1e9


class Stats:
    """What a server counts besides its commands. Bytes, and numbers of things."""

    __slots__ = (
        "connections",
        "errors",
        "evicted_clients",
        "input_bytes",
        "input_overflows",
        "on_overflow",
        "output_bytes",
        "output_overflows",
        "reads",
        "rejected_connections",
        "repl_input_bytes",
        "repl_output_bytes",
        "sample_mask",
        "unexpected_errors",
        "writes",
    )

    def __init__(self) -> None:
        self.sample_mask = 0
        """A batch is timed where ``reads & sample_mask`` is 0."""
        self.on_overflow: Callable[[], None] = lambda: None
        """Called when errors begin to be counted as others, which have no code of their own any more."""
        self.reset()

    def reset(self) -> None:
        """Back to zero, as CONFIG RESETSTAT wants it."""
        self.connections = 0
        self.rejected_connections = 0
        self.repl_input_bytes = 0
        """What has come from a master; counted among ``input_bytes``, too."""
        self.repl_output_bytes = 0
        """What has been sent to replicas; not counted among ``output_bytes``."""
        self.evicted_clients = 0
        self.input_overflows = 0
        """Clients that were disconnected for too much unfinished input."""
        self.output_overflows = 0
        """Clients that were disconnected because they did not read."""
        self.input_bytes = 0
        self.output_bytes = 0
        self.reads = 0
        self.writes = 0
        self.unexpected_errors = 0
        """Failures inside the server: each one is in the log."""
        self.errors: dict[str, int] = {}
        """Error replies by their code."""

    def count_error(self, code: str) -> None:
        """An error reply is sent."""
        errors = self.errors
        if code not in errors and len(errors) >= MOST_ERRORS:  # scripts make codes as they like
            code = OTHER_ERRORS
            if code not in errors:
                self.on_overflow()
        errors[code] = errors.get(code, 0) + 1

    def uncount_error(self, code: str) -> None:
        """An error reply that has been counted is going to be counted again."""
        code = code if code in self.errors else OTHER_ERRORS
        if code in self.errors:
            self.errors[code] -= 1

    def total_errors(self) -> int:
        return sum(self.errors.values())


class Rate:
    """Something per second, as the mean over the last 16 samples, as Redis's instantaneous figures."""

    __slots__ = ("_last", "_samples", "_time")

    def __init__(self) -> None:
        self._samples = array("d")  # and no list: a float that stays would keep an arena of dead keys
        self._last = 0
        self._time = 0.0

    def sample(self, total: int, now: float) -> None:
        """Take a sample of a running total at ``now`` (seconds)."""
        if self._time and now > self._time:
            del self._samples[:-15]
            self._samples.append((total - self._last) / (now - self._time))
        self._last, self._time = total, now

    def reset(self) -> None:
        """Forget what was: the next sample is where it begins."""
        del self._samples[:]
        self._time = 0.0

    def value(self) -> float:
        return mean(self._samples)


def mean(values: Iterable[float]) -> float:
    """The mean, 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0
