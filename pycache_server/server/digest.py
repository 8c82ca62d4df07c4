"""DEBUG DIGEST: a fingerprint of all data, the same as a real Redis gives for the same data.

The algorithm is that of Redis: SHA-1 digests mixed by hashing where order matters and by exclusive or where it does
not.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from struct import pack
from typing import Any

from pycache_server.commands.types import type_name
from pycache_server.entry import NEVER
from pycache_server.store.database import Database
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.strings import STRING_TYPES, as_bytes

_NOTHING = bytes(20)
_TYPES = {b"string": 0, b"list": 1, b"set": 2, b"zset": 3, b"hash": 4, b"stream": 6}


def dataset_digest(keyspace: Keyspace) -> bytes:
    """The digest of all databases."""
    final = _NOTHING
    for database in keyspace.databases:
        keys = list(database.keys())
        if not keys:
            continue
        final = _mix(final, pack(">I", database.index))
        for key in keys:
            final = _blend(final, _value_digest(database, key, _mix(_NOTHING, key)))
    return final


def key_digest(database: Database, key: bytes) -> bytes:
    """The digest of one value, zeros where there is none."""
    return _NOTHING if database.peek(key) is None else _value_digest(database, key, _NOTHING)


def _value_digest(database: Database, key: bytes, digest: bytes) -> bytes:
    value = database.peek(key)
    kind = type_name(value)
    digest = _mix(digest, pack(">I", _TYPES[kind]))
    if type(value) in STRING_TYPES:
        digest = _mix(digest, as_bytes(value))
    elif kind in (b"list", b"stream"):
        for part in value.digest_parts():
            digest = _mix(digest, part)
    else:
        for element in value.digest_parts():
            digest = _blend(digest, _element_digest(kind, element))
    return digest if database.expires_at(key) == NEVER else _blend(digest, b"!!expire!!")


def _element_digest(kind: bytes, element: Any) -> bytes:
    """What stands for an element of an unordered value: itself, or a digest of its parts."""
    if kind == b"set":
        return bytes(element)
    if kind == b"hash" and len(element) == 3:
        *element, expires = element
        return _blend(_mixed(element), expires)
    return _mixed(element)


def _mixed(parts: Iterable[bytes]) -> bytes:
    digest = _NOTHING
    for part in parts:
        digest = _mix(digest, part)
    return digest


def _mix(digest: bytes, data: bytes) -> bytes:
    """Where order matters."""
    return sha1(_blend(digest, data)).digest()


def _blend(digest: bytes, data: bytes) -> bytes:
    """Where order does not matter."""
    return _xor(digest, sha1(data).digest())


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(20)
