"""What DUMP answers and RESTORE takes: a value, the version of the format (2 bytes), and a checksum (8)."""

from __future__ import annotations

from typing import Any

from pycache_server.rdb.crc64 import crc64
from pycache_server.rdb.kinds import NEWEST_VERSION
from pycache_server.rdb.load import Surroundings, load_value
from pycache_server.rdb.reader import BadData, Reader
from pycache_server.rdb.save import save_value, version_of
from pycache_server.rdb.writer import Writer
from pycache_server.store.clock import Clock
from pycache_server.store.encodings import Encodings

_FOOTER = 10


class BadPayload(Exception):
    """The version is not known, or the checksum is not right."""


def dump(value: Any, limits: Encodings, compress: bool = True) -> bytes:
    """The payload of a value; strings in it are compressed where that is allowed and pays."""
    writer = Writer(compress)
    kind = save_value(writer, value, limits)
    data = bytes((kind,)) + writer.data() + version_of(kind).to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def restore(payload: bytes, limits: Encodings, clock: Clock) -> Any:
    """The value of a payload, in the encoding that these limits give it; ``clock`` is for fields that expire. What
    stands between the value and its version does not count, as with Redis.

    Raises BadPayload, BadData.
    """
    size = len(payload)
    if size < _FOOTER or int.from_bytes(payload[-10:-8], "little") > NEWEST_VERSION:
        raise BadPayload("the version of a payload is not known")
    if crc64(payload[:-8]) != int.from_bytes(payload[-8:], "little"):
        raise BadPayload("the checksum of a payload is not right")
    reader = Reader(payload[:-_FOOTER])
    return load_value(reader, reader.byte(), Surroundings(limits, clock))


__all__ = ["BadData", "BadPayload", "dump", "restore"]
