"""The slow log: the latest commands that took longer than a threshold, with what they were given.

Long commands are shortened as Redis does: 32 words, 128 bytes of each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer_in
from pycache_server.commands.registry import ADMIN, LOADING, STALE, Family, Flag
from pycache_server.errors import bad_subcommand
from pycache_server.resp.encode import OK
from pycache_server.session.redact import redacted
from pycache_server.store.numbers import INT_MAX

if TYPE_CHECKING:
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session

WORDS = 32
WORD_LENGTH = 128
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class SlowCall:
    """One line of the log. ``time`` is in seconds since 1970, ``value`` in microseconds, or in bytes in the logs of
    commandlog.py."""

    id: int
    time: int
    value: int
    argv: list[bytes]
    address: bytes
    name: bytes


class SlowLog:
    """``threshold`` is in seconds: NEVER to log nothing, 0 to log everything."""

    def __init__(self, threshold: float = 0.01, longest: int = 128) -> None:
        self.threshold = threshold
        self.longest = longest
        self.calls: deque[SlowCall] = deque()
        """The newest first."""
        self._next_id = 0

    def add(self, session: Session, row: Row, argv: list[bytes], seconds: float, time: float) -> None:
        """A command was slow."""
        self.note(session, row, argv, int(seconds * 1e6), time)

    def note(self, session: Session, row: Row, argv: list[bytes], value: int, time: float) -> None:
        """Write down a call, with what was measured of it."""
        if Flag.SKIP_SLOWLOG in row.command.flags:
            return
        self.calls.appendleft(
            SlowCall(
                self._next_id,
                int(time),
                value,
                shortened(redacted(argv)),
                session.address.encode(),
                session.name,
            )
        )
        self._next_id += 1
        self.shorten()

    def shorten(self) -> None:
        """Forget the oldest calls beyond the limit."""
        while len(self.calls) > self.longest:
            self.calls.pop()

    def latest(self, count: int) -> list[Any]:
        """The latest calls as a reply, -1 for all."""
        calls = list(self.calls)
        return [
            [call.id, call.time, call.value, call.argv, call.address, call.name]
            for call in (calls if count == -1 else calls[:count])
        ]


def shortened(argv: list[bytes]) -> list[bytes]:
    """The words of a command as the log keeps them."""
    words = [_shortened_word(word) for word in argv[:WORDS]]
    if len(argv) > WORDS:
        words[WORDS - 1] = b"... (%d more arguments)" % (len(argv) - WORDS + 1)
    return words


def _shortened_word(word: bytes) -> bytes:
    if len(word) <= WORD_LENGTH:
        return word
    return word[:WORD_LENGTH] + b"... (%d more bytes)" % (len(word) - WORD_LENGTH)


family = Family("server")
family.container("SLOWLOG", since="2.2.12", help_since="6.2.0", summary="Commands for the log of slow commands.")


@family.command(
    "SLOWLOG GET [count]",
    ADMIN,
    LOADING,
    STALE,
    since="2.2.12",
    complexity="O(N), N = calls returned",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
)
def slowlog_get(session: Session, argv: list[bytes]) -> list[Any]:
    """Return the latest slow commands, ten or as many as asked for, -1 for all."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    count = 10
    if len(argv) == 3:
        count = integer_in(argv[2], -1, INT_MAX, b"ERR count should be greater than or equal to -1")
    return session.core.slowlog.latest(count)


@family.command(
    "SLOWLOG LEN",
    ADMIN,
    LOADING,
    STALE,
    since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def slowlog_len(session: Session, argv: list[bytes]) -> int:
    """Count the slow commands in the log."""
    return len(session.core.slowlog.calls)


@family.command(
    "SLOWLOG RESET",
    ADMIN,
    LOADING,
    STALE,
    since="2.2.12",
    complexity="O(N), N = calls in the log",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def slowlog_reset(session: Session, argv: list[bytes]) -> Any:
    """Empty the log."""
    session.core.slowlog.calls.clear()
    return OK
