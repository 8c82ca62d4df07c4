"""The bytes that stand in front of what is no value in an RDB file, and the names of what a file tells of itself."""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"REDIS"
SLOT_INFO: Final = 244
FUNCTION: Final = 245
FUNCTION_PRE_GA: Final = 246
MODULE_AUX: Final = 247
IDLE: Final = 248
FREQ: Final = 249
AUX: Final = 250
RESIZEDB: Final = 251
EXPIRETIME_MS: Final = 252
EXPIRETIME: Final = 253
SELECTDB: Final = 254
EOF: Final = 255

CHECKSUM: Final = 8
"""Bytes of the checksum behind EOF."""
FIRST_WITH_CHECKSUM: Final = 5
"""The first version that has one."""

Aux = tuple[bytes, bytes]
"""What a file tells of itself: a name and a text."""


def aux_of_server(version: str, now: int, used: int, preamble: bool = False) -> list[Aux]:
    """What every file of Redis's tells: which server wrote it and when (seconds since 1970), how many bytes it held,
    and whether commands follow."""
    return [
        (b"redis-ver", version.encode()),
        (b"redis-bits", b"64"),
        (b"ctime", b"%d" % now),
        (b"used-mem", b"%d" % used),
        (b"aof-base", b"%d" % preamble),
    ]


def aux_of_position(database: int, replication_id: bytes, offset: int) -> list[Aux]:
    """Where in a stream of replication a file stands: the database that is selected there, the id, and the offset."""
    return [
        (b"repl-stream-db", b"%d" % database),
        (b"repl-id", replication_id),
        (b"repl-offset", b"%d" % offset),
    ]
