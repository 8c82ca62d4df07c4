"""Databases into an RDB file.

The form is that of Redis 7.0, version 10; 12 where fields of hashes expire, unless they are to lose their times to live
for a reader that does not know them. Strings in it are compressed as Redis does (``rdbcompression``), where there is
the package for it (rdb/lzf.py); in Python that is too slow, and they stay as they are, which every reader takes.

A file is made bucket by bucket, so that who has no time for all of it can go on later (``Saving``), in any order of
buckets: a file may select a database as often as it likes. ``save`` makes all of it.

Most keys are short ones with plain strings; they take 0.25 us each here, with what stands in front of them looked up in
tables and everything joined once for a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pycache_server.entry import NEVER, Entry, SizedEntry
from pycache_server.persist import opcodes
from pycache_server.persist.opcodes import Aux
from pycache_server.persist.recreate import Recreating
from pycache_server.rdb import kinds
from pycache_server.rdb.crc64 import crc64
from pycache_server.rdb.lzf import FAST, compress
from pycache_server.rdb.save import save_lasting, save_value
from pycache_server.rdb.writer import PACKED, SHORTEST_COMPRESSED, Writer, encode_length
from pycache_server.store.buckets import Bucket
from pycache_server.store.candidates import Candidates
from pycache_server.store.hash import VolatileHash
from pycache_server.store.keyspace import Keyspace

CHUNK: Final = 1 << 16
"""Bytes of a chunk, or more where a value is larger."""
_SHORT: Final = 64
"""Keys below this length, and values below _MIDDLING, have what stands in front of them in a table."""
_MIDDLING: Final = 1024
_LONGEST_INTEGER: Final = 11
_AFTER_INTEGERS: Final = b":"
_STRINGS: Final = [bytes((kinds.STRING, size)) for size in range(_SHORT)]
"""The kind of a string, and the length of its key."""
_LENGTHS: Final = [encode_length(size) for size in range(_MIDDLING)]
_KINDS: Final = [bytes((kind,)) for kind in range(kinds.HASH_LISTPACK_EX + 1)]
_EXPIRES: Final = bytes((opcodes.EXPIRETIME_MS,))


class Saving:
    """A file that is being made: ``head``, then ``bucket`` for each bucket of each database, then ``foot``.

    ``without_times`` lets fields of hashes lose their times to live; ``stripped`` counts the hashes that had some.
    ``checksum`` False writes zeros for it.
    """

    def __init__(self, keyspace: Keyspace, checksum: bool = True, without_times: bool = False) -> None:
        self._keyspace = keyspace
        self._checksum = checksum
        self._without_times = without_times
        self._compress = FAST and keyspace.compress
        self._crc = 0
        self._selected = -1
        self.keys = 0
        """How many keys have been written."""
        self._sizes = [(database.size, database.wheel.size) for database in keyspace.databases]
        self.total = sum(size for size, _ in self._sizes)
        """How many there were in the beginning."""
        self.stripped = 0

    def head(self, aux: Iterable[Aux] = (), functions: Iterable[bytes] = ()) -> bytes:
        """The beginning: the version, what the file tells of itself, and the code of libraries of functions."""
        timed = not self._without_times and any(database.fields.size for database in self._keyspace.databases)
        writer = Writer(self._compress)
        writer.raw(opcodes.MAGIC + b"%04d" % (kinds.NEWEST_VERSION if timed else kinds.VERSION))
        for name, text in aux:
            writer.raw(bytes((opcodes.AUX,)))
            writer.strings((name, text))
        for code in functions:
            writer.raw(bytes((opcodes.FUNCTION,)))
            writer.string(code)
        return self._passed(writer.data())

    def bucket(self, index: int, bucket: Bucket, candidates: Candidates | None) -> bytes:
        """The keys of one bucket of the database ``index``, which has these candidates."""
        writer = Writer(self._compress)
        if index != self._selected:
            self._select(writer, index)
        if candidates is not None:
            self._with_engine(writer, bucket, candidates)
        elif self._compress:
            self._compressed(writer, bucket)
        else:
            self._plainly(writer, bucket)
        self.keys += len(bucket)
        return self._passed(writer.data())

    def foot(self) -> bytes:
        """The end."""
        end = self._passed(bytes((opcodes.EOF,)))
        return end + (self._crc if self._checksum else 0).to_bytes(opcodes.CHECKSUM, "little")

    def _passed(self, data: bytes) -> bytes:
        if self._checksum:
            self._crc = crc64(data, self._crc)
        return data

    def _select(self, writer: Writer, index: int) -> None:
        writer.raw(bytes((opcodes.SELECTDB,)))
        writer.length(index)
        writer.raw(bytes((opcodes.RESIZEDB,)))
        writer.lengths(*self._sizes[index])
        self._selected = index

    def _plainly(self, writer: Writer, bucket: Bucket) -> None:
        """Hot: most keys are plain strings that do not expire."""
        parts = writer.parts
        for key, stored in bucket.items():
            if type(stored) is bytes:
                length, size = len(key), len(stored)
                if (
                    length < _SHORT
                    and size < _MIDDLING
                    and (length > _LONGEST_INTEGER or key >= _AFTER_INTEGERS)
                    and (size > _LONGEST_INTEGER or stored >= _AFTER_INTEGERS)
                ):
                    parts += (_STRINGS[length], key, _LENGTHS[size], stored)
                    continue
            self._key(writer, key, stored)

    def _compressed(self, writer: Writer, bucket: Bucket) -> None:
        """The same where strings are compressed."""
        parts = writer.parts
        for key, stored in bucket.items():
            if type(stored) is bytes:
                length, size = len(key), len(stored)
                if (
                    length < SHORTEST_COMPRESSED
                    and size < _MIDDLING
                    and (length > _LONGEST_INTEGER or key >= _AFTER_INTEGERS)
                    and (size > _LONGEST_INTEGER or stored >= _AFTER_INTEGERS)
                ):
                    if size < SHORTEST_COMPRESSED or (packed := compress(stored)) is None:
                        parts += (_STRINGS[length], key, _LENGTHS[size], stored)
                    else:
                        parts += (_STRINGS[length], key, PACKED, _LENGTHS[len(packed)], _LENGTHS[size], packed)
                    continue
            self._key(writer, key, stored)

    def _with_engine(self, writer: Writer, bucket: Bucket, candidates: Candidates) -> None:
        """The same where an engine knows when keys were used, or how often."""
        for key, stored in bucket.items():
            if isinstance(stored, SizedEntry) and (engine := candidates.engine_of(stored)) is not None:
                idle, frequency = engine.idle_seconds(stored), engine.frequency(stored)
                if idle is not None:
                    writer.raw(bytes((opcodes.IDLE,)))
                    writer.length(max(idle, 0))
                if frequency is not None:
                    writer.raw(bytes((opcodes.FREQ, frequency & 255)))
            self._key(writer, key, stored)

    def _key(self, writer: Writer, key: bytes, stored: Any) -> None:
        """Any key."""
        value, expires = stored, NEVER
        if isinstance(stored, Entry):
            value, expires = stored.value, stored.expires
        save = save_value
        if type(value) is VolatileHash:
            expires = value.times.until
            if not len(value):
                return  # it has expired, and no reader takes a hash without fields
            if self._without_times:
                save = save_lasting
                self.stripped += 1
        if expires != NEVER:
            writer.parts += (_EXPIRES, expires.to_bytes(8, "little"))
        place = len(writer.parts)
        writer.raw(b"")
        writer.string(key)
        writer.parts[place] = _KINDS[save(writer, value, self._keyspace.encodings)]


def save(
    keyspace: Keyspace,
    aux: Iterable[Aux] = (),
    functions: Iterable[bytes] = (),
    checksum: bool = True,
    without_times: bool = False,
    saving: Saving | Recreating | None = None,
) -> Iterator[bytes]:
    """A whole RDB file, in chunks of about CHUNK bytes. Nothing may change meanwhile. ``saving`` is for who wants to
    know how far it is."""
    saving = saving or Saving(keyspace, checksum, without_times)
    parts = [saving.head(aux, functions)]
    size = len(parts[0])
    for database in keyspace.databases:
        if not database.size:
            continue
        for bucket in database.buckets:
            if not bucket:
                continue
            data = saving.bucket(database.index, bucket, database.candidates)
            parts.append(data)
            size += len(data)
            if size >= CHUNK:
                yield b"".join(parts)
                parts.clear()
                size = 0
    parts.append(saving.foot())
    yield b"".join(parts)
