"""Quotas: how much of something a user may have within some seconds.

A quota is a string with a time to live, which holds what is left; GET and TTL show it, DEL gives everything back.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.api import (
    DENYOOM,
    FAST,
    READONLY,
    STRING,
    WRITE,
    BadSyntax,
    Context,
    Event,
    Options,
    RedisError,
    command,
    integer_in,
)

_TAKEN = Event(STRING, b"quota.take")
_MOST = 10**12


class QuotaExceeded(RedisError):
    text = b"QUOTAEXCEEDED there is not that much left"


@command(
    "QUOTA.TAKE key limit seconds [COST cost] [STRICT]",
    WRITE,
    DENYOOM,
    FAST,
    since="1.0.0",
    keys="RW ACCESS UPDATE",
    categories="string",
    kinds={"limit": "integer", "cost": "integer"},
)
def quota_take(session: Context, argv: list[bytes]) -> Any:
    """Take from a quota, which begins anew when its time is over; return what is left, null where it was too little."""
    limit = integer_in(argv[2], 1, _MOST, b"ERR limit must be positive")
    seconds = integer_in(argv[3], 1, _MOST, b"ERR seconds must be positive")
    cost, strict = 1, False
    options = Options(argv, 4)
    while (option := options.take()) is not None:
        if option == b"COST":
            cost = integer_in(options.value(), 1, _MOST, b"ERR cost must be positive")
        elif option == b"STRICT":
            strict = True
        else:
            raise BadSyntax

    db, key = session.db, argv[1]
    held = db.read_string(key)
    left = (limit if held is None else integer_in(held, 0, _MOST, b"ERR the key holds no quota")) - cost
    if left < 0:
        if strict:
            raise QuotaExceeded
        return None
    if held is None:
        db.put_until(key, b"%d" % left, db.clock.now() + seconds * 1000, _TAKEN)
    else:
        db.update(key, b"%d" % left, _TAKEN)
    return left


@command("QUOTA.LEFT key limit", READONLY, FAST, keys="RO ACCESS", categories="string", kinds={"limit": "integer"})
def quota_left(session: Context, argv: list[bytes]) -> int:
    """Return what is left of a quota."""
    limit = integer_in(argv[2], 1, _MOST, b"ERR limit must be positive")
    held = session.db.read_string(argv[1])
    return limit if held is None else integer_in(held, 0, _MOST, b"ERR the key holds no quota")
