"""RDB files by hand, and worlds with one of everything."""

from __future__ import annotations

from typing import Any

from pycache_server.persist.loading import Loading
from pycache_server.persist.saving import save
from pycache_server.rdb.crc64 import crc64
from pycache_server.server.digest import dataset_digest
from pycache_server.testing.inprocess import Client, World


def signed(body: bytes) -> bytes:
    """A file with the right checksum, of all that comes before it."""
    return body + crc64(body).to_bytes(8, "little")


def file_of(*parts: bytes, version: int = 10) -> bytes:
    """A file of a version with parts between its head and its end."""
    return signed(b"REDIS%04d" % version + b"".join(parts) + b"\xff")


def text(word: bytes) -> bytes:
    """A short string."""
    assert len(word) < 64
    return bytes((len(word),)) + word


def saved(world: World, **options: Any) -> bytes:
    """The file of all that a world holds."""
    return b"".join(save(world.core.keyspace, **options))


def begin(world: World, data: Any, **options: Any) -> Loading:
    """A file that a world loads."""
    return Loading(data, world.core.keyspace, world.core.shape, **options)


def load(world: World, data: Any, **options: Any) -> Loading:
    """Let a world hold what a file holds."""
    loading = begin(world, data, **options)
    while loading.step():
        pass
    loading.install()
    return loading


def digest(world: World) -> bytes:
    return dataset_digest(world.core.keyspace)


def fill(client: Client, fields: bool = True) -> None:
    """Make one of everything, in two databases. ``fields`` says whether some of hashes expire."""
    call = client.call
    call("SET", "string", "text")
    call("SET", "", "of the empty key")
    call("SET", "12", "an integer for a key")
    call("SET", "number", 17)
    call("SET", "big number", 2**40)
    call("INCR", "counter")
    call("APPEND", "raw", "x" * 100)
    call("SETRANGE", "raw", 3, "yyy")
    call("SET", "k" * 100, "long key")
    call("SET", "long", "z" * 100_000)
    call("SET", "session", "s", "PX", 1_000_000)
    call("RPUSH", "list", "a", 1, "b" * 100, "")
    call("RPUSH", "long list", *(f"element {number}" for number in range(3000)))
    call("SADD", "integers", *range(100))
    call("SADD", "set", "a", "b", 3)
    call("SADD", "big set", *(f"member {number}" for number in range(1000)))
    call("ZADD", "zset", 1, "a", 2.5, "b", "inf", "c")
    call("ZADD", "big zset", *(word for number in range(500) for word in (number / 7, f"member {number}")))
    call("HSET", "hash", "f", "v", "g", 12)
    call("HSET", "big hash", *(word for number in range(1000) for word in (f"field {number}", number)))
    call("HSET", "volatile", "f", "v", "g", "w")
    call("HSET", "volatile big", *(word for number in range(1000) for word in (f"field {number}", number)))
    if fields:
        call("HPEXPIRE", "volatile", 500_000, "FIELDS", 1, "f")
        call("HPEXPIRE", "volatile big", 500_000, "FIELDS", 2, "field 1", "field 900")
    call("PEXPIRE", "volatile", 900_000)
    for number in range(300):
        call("XADD", "stream", f"{number + 1}-1", "field", number, "other", "v")
    call("XDEL", "stream", "7-1")
    call("XGROUP", "CREATE", "stream", "group", "0")
    call("XREADGROUP", "GROUP", "group", "alice", "COUNT", 5, "STREAMS", "stream", ">")
    call("PFADD", "hll", *range(50))
    call("SELECT", 3)
    call("SET", "elsewhere", "text")
    call("SELECT", 0)
