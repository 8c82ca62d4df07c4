"""Times to live as arguments: from a unit and a number to an absolute time in ms, with Redis's checks."""

from __future__ import annotations

from pycache_server.commands.args import integer
from pycache_server.commands.context import Context
from pycache_server.errors import invalid_expire
from pycache_server.store.numbers import INT_MAX, INT_MIN

_SECONDS = frozenset((b"EX", b"EXAT"))
_RELATIVE = frozenset((b"EX", b"PX"))


def expiry_of(session: Context, unit: bytes | None, amount: bytes, name: bytes) -> int:
    """The time that ``EX amount`` and its like stand for, for a command that takes positive times only.

    Raises NotAnInteger, and RedisError with the name of the command where the time is not positive or too large.
    """
    value = integer(amount)
    if unit in _SECONDS:
        value *= 1000
    if not 0 < value <= INT_MAX:
        raise invalid_expire(name)
    if unit in _RELATIVE:
        value += session.keyspace.clock.today()
        if value > INT_MAX:
            raise invalid_expire(name)
    return value


def any_expiry_of(session: Context, unit: bytes, amount: bytes, name: bytes) -> int:
    """The time that EXPIRE and its like are given, which may lie in the past.

    Raises NotAnInteger, and RedisError with the name of the command where the time is too large or too small.
    """
    value = integer(amount)
    if unit in _SECONDS:
        value *= 1000
    if not INT_MIN <= value <= INT_MAX:
        raise invalid_expire(name)
    if unit in _RELATIVE:
        value += session.keyspace.clock.today()
        if value > INT_MAX:
            raise invalid_expire(name)
    return value


def is_future(session: Context, expires: int) -> bool:
    """Whether a time is still to come, or is not for us to judge."""
    return session.obeys or expires > session.keyspace.clock.now()
