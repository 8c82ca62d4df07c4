"""Commands that turn values into bytes and back.

Contents: DUMP RESTORE RESTORE-ASKING. MIGRATE, which sends what DUMP gives, is in server/commands/migrate.py.
"""

from __future__ import annotations

from pycache_server.commands.args import Options, integer
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_restore
from pycache_server.commands.registry import ASKING, DENYOOM, READONLY, WRITE, Family
from pycache_server.entry import NEVER
from pycache_server.errors import RedisError
from pycache_server.rdb.payload import BadData, BadPayload, dump, restore
from pycache_server.resp.encode import OK, Wire
from pycache_server.store.events import DEL, GENERIC, Event

command = Family("generic").command
server_command = Family("server").command

RESTORE = Event(GENERIC, b"restore")
_MOST_FREQUENT = 255


@command(
    "DUMP key",
    READONLY,
    since="2.6.0",
    complexity="O(1) to access the key and O(N*M) to serialize it, N = elements, M = their average size",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def dump_(session: Context, argv: list[bytes]) -> bytes | None:
    """Return a value as bytes that RESTORE takes."""
    value = session.db.read(argv[1])
    if value is None:
        return None
    return dump(value, session.keyspace.encodings, session.keyspace.compress)


@command(
    "RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    WRITE,
    DENYOOM,
    since="2.6.0",
    complexity="O(1) to create the key and O(N*M) to make the value, N = elements, M = their average size",
    categories="keyspace dangerous",
    keys="OW UPDATE",
    effect=of_restore,
)
def restore_(session: Context, argv: list[bytes]) -> Wire:
    """Set a key to a value that DUMP has made into bytes."""
    db, key = session.db, argv[1]
    options = _Options(argv)
    if not options.replace and db.find(key) is not None:
        raise RedisError(b"BUSYKEY Target key name already exists.")
    ttl = integer(argv[2])
    if ttl < 0:
        raise RedisError(b"ERR Invalid TTL value, must be >= 0")
    try:
        value = restore(argv[3], session.keyspace.encodings, session.keyspace.clock)
    except BadPayload:
        raise RedisError(b"ERR DUMP payload version or checksum are wrong") from None
    except BadData:
        raise RedisError(b"ERR Bad data format") from None
    expires = NEVER if not ttl else ttl if options.absolute else ttl + session.keyspace.clock.today()
    if expires <= db.clock.now() and not session.obeys:
        db.delete(key, DEL)
        return OK
    db.vacate(key)
    db.place(key, value, expires, RESTORE)
    db.was_accessed(key, options.idle, options.frequency)
    return OK


class _Options:
    """What stands behind the payload. ``idle`` is in seconds; None where it is not given, as ``frequency`` is.

    Raises RedisError.
    """

    __slots__ = ("absolute", "frequency", "idle", "replace")

    def __init__(self, argv: list[bytes]) -> None:
        self.replace = self.absolute = False
        self.idle: int | None = None
        self.frequency: int | None = None
        options = Options(argv, 4)
        while (option := options.take()) is not None:
            if option == b"REPLACE":
                self.replace = True
            elif option == b"ABSTTL":
                self.absolute = True
            elif option == b"IDLETIME" and options.left() and self.frequency is None:
                self.idle = integer(options.value())
                if self.idle < 0:
                    raise RedisError(b"ERR Invalid IDLETIME value, must be >= 0")
            elif option == b"FREQ" and options.left() and self.idle is None:
                self.frequency = integer(options.value())
                if not 0 <= self.frequency <= _MOST_FREQUENT:
                    raise RedisError(b"ERR Invalid FREQ value, must be >= 0 and <= 255")
            else:
                options.fail()


@server_command(
    "RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    WRITE,
    DENYOOM,
    ASKING,
    since="3.0.0",
    complexity="O(1) to create the key and O(N*M) to make the value, N = elements, M = their average size",
    categories="keyspace dangerous",
    keys="OW UPDATE",
    effect=of_restore,
)
def restore_asking(session: Context, argv: list[bytes]) -> Wire:
    """RESTORE as nodes of a cluster say it to each other."""
    return restore_(session, argv)
