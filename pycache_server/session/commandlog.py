"""COMMANDLOG, as Valkey has it: the slow log under another name, and beside it the logs of large requests and replies.

A request or reply is measured as it goes over the wire. That costs every command, so the two logs are off unless a
threshold is set (commandlog-request-larger-than, commandlog-reply-larger-than): then all rows have ``sized`` around
them (modes.py).

Contents: COMMANDLOG GET LEN RESET.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer_in, option_of
from pycache_server.commands.registry import ADMIN, LOADING, STALE, Family, Handler
from pycache_server.errors import RedisError
from pycache_server.resp.encode import HALT, NO_REPLY, OK, Wire
from pycache_server.session.slowlog import NEVER, SlowLog
from pycache_server.store.numbers import INT_MAX

if TYPE_CHECKING:
    from pycache_server.session.core import Core
    from pycache_server.session.rows import Row
    from pycache_server.session.session import Session


class SizeLogs:
    """The logs of large requests and of large replies. Their thresholds are in bytes."""

    def __init__(self) -> None:
        self.requests = SlowLog(NEVER)
        self.replies = SlowLog(NEVER)

    @property
    def active(self) -> bool:
        """Whether anything is measured."""
        return self.requests.threshold != NEVER or self.replies.threshold != NEVER


def sized(call: Handler, row: Row, core: Core) -> Handler:
    """A command whose request and reply are measured."""
    logs = core.size_logs

    def run(session: Session, argv: list[bytes]) -> Any:
        value: Any = NO_REPLY
        error: RedisError | None = None
        try:
            value = call(session, argv)
        except RedisError as raised:
            error = raised
            raise
        finally:
            size = size_of_request(argv)
            if size >= logs.requests.threshold:
                logs.requests.note(session, row, argv, size, core.clock.seconds())
            if logs.replies.threshold != NEVER:
                size = size_of_reply(session, Wire(error.wire) if error is not None else value)
                if size >= logs.replies.threshold:
                    logs.replies.note(session, row, argv, size, core.clock.seconds())
        return value

    return run


def size_of_request(argv: list[bytes]) -> int:
    """Bytes of a command as it was sent."""
    digits = sum([len(b"%d" % len(word)) for word in argv])
    return len(b"*%d\r\n" % len(argv)) + sum(map(len, argv)) + digits + 5 * len(argv)


def size_of_reply(session: Session, value: Any) -> int:
    """Bytes of a reply as it is sent; 0 where it comes later, or another way."""
    if value is NO_REPLY or value is HALT:
        return 0
    return len(session.encode(value))


family = Family("server")
command = family.command
family.container(
    "COMMANDLOG",
    since="8.1.0",
    help_since="8.1.0",
    summary="Commands for the logs of slow commands, large requests and large replies.",
)


def _log_of(session: Session, kind: bytes) -> SlowLog:
    """The log of a type.

    Raises RedisError.
    """
    logs = {
        b"SLOW": session.core.slowlog,
        b"LARGE-REQUEST": session.core.size_logs.requests,
        b"LARGE-REPLY": session.core.size_logs.replies,
    }
    found = logs.get(option_of(kind))
    if found is None:
        raise RedisError(b"ERR type should be one of the following: slow, large-request, large-reply")
    return found


@command(
    "COMMANDLOG GET count type",
    ADMIN,
    LOADING,
    STALE,
    since="8.1.0",
    complexity="O(N), N = calls returned",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
)
def commandlog_get(session: Session, argv: list[bytes]) -> list[Any]:
    """Return the latest calls in a log, as many as asked for, -1 for all."""
    count = integer_in(argv[2], -1, INT_MAX, b"ERR count should be greater than or equal to -1")
    return _log_of(session, argv[3]).latest(count)


@command(
    "COMMANDLOG LEN type",
    ADMIN,
    LOADING,
    STALE,
    since="8.1.0",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def commandlog_len(session: Session, argv: list[bytes]) -> int:
    """Count the calls in a log."""
    return len(_log_of(session, argv[2]).calls)


@command(
    "COMMANDLOG RESET type",
    ADMIN,
    LOADING,
    STALE,
    since="8.1.0",
    complexity="O(N), N = calls in the log",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def commandlog_reset(session: Session, argv: list[bytes]) -> Any:
    """Empty a log."""
    _log_of(session, argv[2]).calls.clear()
    return OK
