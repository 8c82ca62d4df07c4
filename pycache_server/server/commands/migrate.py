"""MIGRATE: keys go to another server. What happens then is told in server/migrate.py."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import Options, integer, option_of
from pycache_server.commands.registry import WRITE, Family
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError, c_string
from pycache_server.resp.encode import OK, status
from pycache_server.server.migrate import Migrations, Order

if TYPE_CHECKING:
    from pycache_server.session.blocking import Waiter
    from pycache_server.session.session import Session

command = Family("generic").command

NO_KEY = status(b"NOKEY")
_USUAL_TIMEOUT = 1000
_NUMBER = re.compile(rb"[ \t-\r]*([+-]?\d+)")


def _keys_of(argv: list[bytes]) -> list[int]:
    """Where the keys are: behind KEYS, or the one that is not empty; nowhere where there are both. Redis looks for KEYS
    by the key specification first, and only where that finds one, anywhere, among the options."""
    place = 6 if b"KEYS" in map(option_of, argv[2:-1]) else len(argv)
    while place < len(argv):
        option = option_of(argv[place])
        if option == b"KEYS":
            return [] if argv[3] else list(range(place + 1, len(argv)))
        place += {b"AUTH": 2, b"AUTH2": 3}.get(option, 1)
    return [3]


@command(
    'MIGRATE host port <key | ""> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] '
    "[KEYS key [key ...]]",
    WRITE,
    since="2.6.0",
    complexity="That of DUMP, RESTORE and DEL, and O(N) for the transfer, N = bytes",
    categories="keyspace dangerous",
    key_specs=(
        KeySpec(3, flags=("RW", "ACCESS", "DELETE")),
        KeySpec(-2, last=-1, keyword="KEYS", flags=("RW", "ACCESS", "DELETE", "INCOMPLETE")),
    ),
    tips=("nondeterministic_output",),
    kinds={"port": "integer"},
    finder=_keys_of,
)
def migrate(session: Session, argv: list[bytes]) -> Any:
    """Move keys to another server."""
    order = _order_of(argv)
    order.keys = [key for key in order.keys if session.db.read(key) is not None]
    if not order.keys:
        return NO_KEY
    app = session.core.owner
    if app is None or session.deny_blocking:
        error = (app.migrations if app is not None else Migrations(session.core)).move_at_once(session.db, order)
        if error is not None:
            raise error
        return OK
    halt = session.core.blocking.block(session, (), _not_served, 0, OK, ())
    assert session.waiter is not None
    task = asyncio.ensure_future(_go(app.migrations, session, session.waiter, order))
    app.tasks.add(task)
    task.add_done_callback(app.tasks.discard)
    return halt


async def _go(migrations: Migrations, session: Session, waiter: Waiter, order: Order) -> None:
    """Move the keys, and answer the client if it still waits."""
    core = session.core
    try:
        answer: Any = await migrations.move(session.db, order)
    except Exception as error:
        core.report_failure("command migrate", error)
        answer = RedisError(b"ERR internal error, see the server's log")
    if session.waiter is waiter:
        core.blocking.release(waiter)
        session.reply(OK if answer is None else answer)
        core.flush()


def _not_served(key: bytes) -> Any:
    raise AssertionError("nobody waits for a key here")


def _order_of(argv: list[bytes]) -> Order:
    """What the words mean.

    Raises RedisError.
    """
    order = Order(c_string(argv[1]).decode("utf-8", "surrogateescape"), _port(argv[2]), 0, 0, [argv[3]])
    options = Options(argv, 6)
    while (option := options.take()) is not None:
        if option == b"COPY":
            order.copy = True
        elif option == b"REPLACE":
            order.replace = True
        elif option == b"AUTH":
            order.credentials = (options.value(),)
        elif option == b"AUTH2":
            order.credentials = tuple(options.values(2))
        elif option == b"KEYS":
            if argv[3]:
                raise RedisError(
                    b"ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
                )
            order.keys = options.values(options.left())
        else:
            options.fail()
    timeout, order.index = integer(argv[5]), integer(argv[4])
    order.timeout = (timeout if timeout > 0 else _USUAL_TIMEOUT) / 1000
    return order


def _port(word: bytes) -> int:
    """A port as C's ``atoi`` reads it, 0 where it is none: nobody listens there."""
    found = _NUMBER.match(word)
    port = int(found[1]) if found else 0
    return port if 0 < port < 65536 else 0
