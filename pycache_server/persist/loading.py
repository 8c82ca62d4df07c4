"""An RDB file into databases.

Versions 1 to 12 are read, in slices (``step``), into databases that nobody else sees, which have the eviction engine
that the keyspace wants. When everything has been found sound, the checksum too, ``install`` lets them take the place of
what is there; a file that is not sound is refused with the place where that shows, and has changed nothing.

Keys whose time is over are left out, unless the file is a follower's or what an append-only file begins with: there a
DEL follows. A key that comes twice makes a file unsound. The code of libraries of functions is collected: only the
layer above can make libraries of it. Collections without elements, which old servers have written, are left out.

The time of a step is that of its keys: a collection of a million elements is read at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pycache_server.entry import NEVER
from pycache_server.persist import opcodes
from pycache_server.rdb import kinds
from pycache_server.rdb.crc64 import crc64
from pycache_server.rdb.load import Surroundings, load_value
from pycache_server.rdb.reader import BadData, EmptyCollection, Reader
from pycache_server.store.events import UNHEARD
from pycache_server.store.hash import VolatileHash
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.scan import SLOT_MASK
from pycache_server.store.shape import Shape

STEP: Final = 512
"""Keys of one step: about half a millisecond where they are small."""
_SHORT: Final = 0x40
_MIDDLING: Final = 0x80
_HEAD: Final = 9


@dataclass
class Progress:
    """How far a file has been read: bytes of all bytes, keys that are there, keys whose time was over, collections
    that were empty."""

    done: int
    total: int
    keys: int = 0
    expired: int = 0
    empty: int = 0


class Loading:
    """A file that is being read: ``data`` is bytes, or a file that is mapped into memory. ``start`` is where it begins
    there; when it has been read, ``end`` is where it ends.

    ``keep_expired`` keeps keys whose time is over, as does a file that stands in a history of replication; ``checksum``
    False does not look at the checksum.

    Raises BadData, here and in ``step``.
    """

    def __init__(
        self,
        data: Any,
        keyspace: Keyspace,
        shape: Shape,
        start: int = 0,
        keep_expired: bool = False,
        checksum: bool = True,
    ) -> None:
        self._data = data
        self._keyspace = keyspace
        self._shape = shape
        self._keep_expired = keep_expired
        self._checksum = checksum
        self.aux: dict[bytes, bytes] = {}
        """What the file tells of itself."""
        self.functions: list[bytes] = []
        """The code of libraries of functions."""
        self.progress = Progress(0, len(data) - start)
        self.done = False
        """Whether all of it has been read, and is sound."""
        self._start = self._place = self._checked = start
        self._crc = 0
        self._expires: int | None = None  # of the key that comes next, as the next two
        self._idle: int | None = None
        self._frequency: int | None = None
        self.staged = keyspace.twin()
        """The databases that nobody else sees."""
        self._staged_shape = shape.twin(self.staged)
        self._around = Surroundings(keyspace.encodings, keyspace.clock)
        self._database = self.staged.databases[0]
        self.version = self._read_head()
        """The version of the format."""

    @property
    def end(self) -> int:
        """Where the file ends in the data; where it has been read up to, before."""
        return self._place

    def step(self, keys: int = STEP) -> bool:
        """Read about so many keys. Whether there is more.

        Raises BadData; then nothing is left of what was read, and ``step`` must not be called again.
        """
        if self.done:
            return False
        try:
            more = True
            while keys > 0 and more:
                keys -= self._read_strings(keys)
                if keys > 0:
                    more = self._read_one()
                    keys -= 1
            self._check(self._place)
            if not more:
                self._finish()
        except IndexError:
            self.discard()
            raise BadData("the file is cut off", len(self._data)) from None
        except BadData as error:
            self.discard()
            raise BadData(error.reason, min(error.offset, len(self._data))) from None
        self.progress.done = self._place - self._start
        return more

    def install(self) -> None:
        """Let what was read take the place of what the keyspace holds, as one change."""
        assert self.done
        self._keyspace.replace(self.staged)
        self._shape.take_over(self._staged_shape)

    def merge(self, overwrite: bool) -> bytes | None:
        """Add what was read to what the keyspace holds. A key that is there already is overwritten, or returned, and
        then nothing has changed."""
        assert self.done
        pairs = list(zip(self._keyspace.databases, self.staged.databases, strict=True))
        if not overwrite:
            for mine, staged in pairs:
                taken = next((key for key in staged.keys() if mine.expires_at(key) is not None), None)  # noqa: SIM118
                if taken is not None:
                    return taken
        for mine, staged in pairs:
            for key in list(staged.keys()):
                found = staged.take(key)
                assert found is not None
                mine.place(key, *found, UNHEARD)
        return None

    def discard(self) -> None:
        """Nobody needs what was read: free it in slices."""
        for database in self.staged.databases:
            if database.size:
                database.keyspace = self._keyspace  # where what is big is freed
                self._keyspace.discard(database._remains())
        self.staged = self._keyspace.twin()

    # Head and foot

    def _read_head(self) -> int:
        head = bytes(self._data[self._start : self._start + _HEAD])
        if len(head) < _HEAD:
            raise BadData("the file is cut off", len(self._data))
        if not head.startswith(opcodes.MAGIC):
            raise BadData("Wrong signature trying to load DB from file", self._start)
        digits = head[len(opcodes.MAGIC) :]
        version = int(digits) if digits.isdigit() else 0
        if not 1 <= version <= kinds.NEWEST_VERSION:
            shown = digits.decode("ascii", "backslashreplace")
            raise BadData(f"Can't handle RDB format version {shown}", self._start)
        self._place += _HEAD
        return version

    def _check(self, end: int) -> None:
        """Bring the checksum up to a place."""
        if self._checksum and end > self._checked:
            self._crc = crc64(self._data[self._checked : end], self._crc)
            self._checked = end

    def _finish(self) -> None:
        if self.version >= opcodes.FIRST_WITH_CHECKSUM:
            reader = Reader(self._data, self._place)
            found = int.from_bytes(reader.raw(opcodes.CHECKSUM), "little")
            if self._checksum and found and found != self._crc:
                raise BadData(
                    f"RDB CRC error: Wrong RDB checksum expected: ({self._crc:x}) but got ({found:x})", self._place
                )
            self._place = reader.position
        self.done = True

    # Keys

    def _read_strings(self, most: int) -> int:
        """Read short plain strings as long as nothing else comes: most of most files. Returns how many.

        Hot, and so one loop: 0.5 us a key, of which a third are the dicts.
        """
        database = self._database
        if database.candidates is not None or self._expires is not None:
            return 0
        buckets = database.buckets
        buckets[0]  # let them be made
        buckets = database.buckets
        data, place = self._data, self._place
        found = 0
        try:
            while found < most and not data[place]:
                size = data[place + 1]
                if size >= _SHORT:
                    break
                begin = place + 2
                end = begin + size
                key = data[begin:end]
                size = data[end]
                if size < _SHORT:
                    begin = end + 1
                elif size < _MIDDLING:
                    size = (size & 63) << 8 | data[end + 1]
                    begin = end + 2
                else:
                    break
                end = begin + size
                value = data[begin:end]
                if len(value) != size:
                    break  # which is an error, told by who reads one key
                bucket = buckets[hash(key) & SLOT_MASK]
                if key in bucket:
                    self._fail_twice(key, place)
                bucket[key] = value
                found += 1
                place = end
        except IndexError:
            pass  # the same
        self._place = place
        self.progress.keys += found
        database.size += found
        if found:
            self._idle = self._frequency = None
        return found

    def _read_one(self) -> bool:
        """Read one key, or what is none. False at the end."""
        reader = Reader(self._data, self._place)
        kind = reader.byte()
        if kind == opcodes.EOF:
            self._place = reader.position
            return False
        if kind < opcodes.SLOT_INFO:
            self._read_key(reader, kind)
            self._expires = self._idle = self._frequency = None
        else:
            self._read_opcode(reader, kind)
        self._place = reader.position
        return True

    def _read_opcode(self, reader: Reader, kind: int) -> None:
        if kind == opcodes.EXPIRETIME_MS:
            self._expires = reader.time()
        elif kind == opcodes.EXPIRETIME:
            self._expires = int.from_bytes(reader.raw(4), "little", signed=True) * 1000
        elif kind == opcodes.IDLE:
            self._idle = reader.length()
        elif kind == opcodes.FREQ:
            self._frequency = reader.byte()
        elif kind == opcodes.SELECTDB:
            self._select(reader)
        elif kind == opcodes.RESIZEDB:
            self._skip(reader, 2)  # the tables here have a fixed size
        elif kind == opcodes.AUX:
            name, text = reader.string(), reader.string()
            self.aux[name] = text
            self._keep_expired |= name == b"repl-id"  # whoever follows must hear of their end
        elif kind == opcodes.FUNCTION:
            self.functions.append(reader.string())
        elif kind == opcodes.SLOT_INFO:
            self._skip(reader, 3)
        elif kind == opcodes.FUNCTION_PRE_GA:
            reader.fail("Pre-release function format not supported.")
        else:
            reader.fail("The RDB file contains AUX module data I can't load: there are no modules here")

    @staticmethod
    def _skip(reader: Reader, lengths: int) -> None:
        for _ in range(lengths):
            reader.length()

    def _select(self, reader: Reader) -> None:
        number = reader.length()
        if number >= len(self.staged.databases):
            reader.fail(
                f"Data file was created with a Redis server configured to handle more than "
                f"{len(self.staged.databases)} databases (it has database {number})"
            )
        self._database = self.staged.databases[number]

    def _read_key(self, reader: Reader, kind: int) -> None:
        database, start = self._database, reader.position - 1
        key = reader.string()
        try:
            value = load_value(reader, kind, self._around)
        except EmptyCollection:
            self.progress.empty += 1
            return
        expires = NEVER if self._expires is None else min(self._expires, NEVER - 1)
        if not self._keep_expired and (expires <= self._keyspace.clock.now() or _is_over(value)):
            self.progress.expired += 1
            return
        if key in database.buckets[hash(key) & SLOT_MASK]:
            self._fail_twice(key, start)
        database.place(key, value, expires, UNHEARD)
        if self._idle is not None or self._frequency is not None:
            database.was_accessed(key, self._idle, self._frequency)
        self.progress.keys += 1

    def _fail_twice(self, key: bytes, place: int) -> NoReturn:
        shown = key[:64].decode("utf-8", "backslashreplace")
        raise BadData(f"RDB has duplicated key '{shown}' in DB {self._database.index}", place)


def _is_over(value: Any) -> bool:
    """Whether a value is a hash all of whose fields have expired."""
    return type(value) is VolatileHash and not len(value)
