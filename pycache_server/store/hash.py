"""Hashes: fields with values, and times to live for fields where somebody wants them.

The fields are a dict, from SMALL on a Table (table.py). Two classes have the same slots, and a hash changes between
them in place: Hash, whose fields last, pays nothing for times; VolatileHash, some of whose fields expire, asks the time
wherever a field is looked at (field_times.py). An expired field is gone for every reader at once, also while it has not
been removed yet. Those who know nothing of hashes see that too (``len``, ``get``, ``copy``, ``digest_parts``), so a
VolatileHash knows the clock, unlike any other value; and whoever changes its fields must tell the database (``retime``
of field_expiry.py), which removes what is due, and the key with the last field.

Redis keeps small hashes in a listpack and never goes back to one: what OBJECT ENCODING answers depends on the most
fields and the longest field or value that there have been. Of those, what is still there is counted when somebody asks;
a change notes what it takes away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING, Any, ClassVar

from pycache_server.entry import NEVER
from pycache_server.store.clock import Clock
from pycache_server.store.field_times import FieldTimes
from pycache_server.store.scan import END, scan
from pycache_server.store.table import SMALL, Table, buckets_of, free_buckets, size_of_buckets
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

FIELD_EXPIRES = b"!!hexpire!!"
"""The third part of a field in ``digest_parts`` where it expires."""


class Hash:
    """A hash none of whose fields expires."""

    __slots__ = ("fields", "held", "longest", "most", "timed", "times")

    type_name: ClassVar[bytes] = b"hash"
    times: FieldTimes

    def __init__(self) -> None:
        self.fields: Any = {}
        """The fields with their values, expired ones included: a dict or a Table."""
        self.held = 0
        """Bytes of fields and values."""
        self.most = 0
        """The most fields that there were before some were taken away."""
        self.longest = 0
        """The length of the longest field or value that is gone."""
        self.timed = False
        """Whether somebody has ever asked for a field to expire."""

    @classmethod
    def of(cls, fields: dict[bytes, bytes]) -> Hash:
        """A hash of these fields, which it may keep."""
        made = cls()
        made.fields = fields if len(fields) <= SMALL else Table(fields)
        made.held = sum([len(text) + 48 & -16 for text in chain(fields, fields.values())])
        return made

    def __len__(self) -> int:
        return len(self.fields)

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None."""
        value: bytes | None = self.fields.get(field)
        return value

    def get_many(self, fields: list[bytes]) -> list[bytes | None]:
        """The values of some fields, None where there is no such field."""
        return list(map(self.fields.get, fields))

    def live(self) -> Any:
        """The fields that have not expired, with their values: a dict or a Table, which may be the hash's own."""
        return self.fields

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About ``count`` fields from ``cursor`` on and the next cursor, 0 at the end."""
        return scan(*buckets_of(self.fields), cursor, count) if cursor < END else (0, [])

    def set(self, field: bytes, value: bytes) -> int:
        """Set a field, which does not expire then. 1 where it is new, else 0."""
        fields = self.fields
        if type(fields) is dict:
            old = fields.get(field)
            fields[field] = value
        else:
            old = fields.put(field, value)
        if old is None:  # bytes_of, written out: half of what the rest takes
            self.held += (len(field) + 48 & -16) + (len(value) + 48 & -16)
            if type(fields) is dict and len(fields) > SMALL:
                self.fields = Table(fields)
            return 1
        size, before = len(value), len(old)
        if size != before:
            self.held += (size + 48 & -16) - (before + 48 & -16)
            if before > self.longest:
                self.longest = before
        return 0

    rewrite = set
    """Set a field, and keep its time to live."""

    def set_many(self, fields: list[bytes], values: list[bytes]) -> int:
        """Set some fields, which do not expire then. Returns how many are new."""
        self.most = max(self.most, len(fields))  # Redis counts before it looks which are the same
        own = self.fields
        if type(own) is dict and len(own) + len(fields) <= SMALL and own.keys().isdisjoint(fields):
            new = dict(zip(fields, values, strict=True))
            if len(new) == len(fields):  # as for a new hash: half the time of one by one
                own.update(new)
                self.held += sum([len(text) + 48 & -16 for text in chain(fields, values)])
                return len(new)
        return sum(map(self.set, fields, values))

    def delete(self, field: bytes) -> int:
        """Remove a field. 1 where it was there, else 0."""
        fields = self.fields
        value = fields.pop(field, None)
        if value is None:
            return 0
        size, length = len(field), len(value)
        self.held -= (size + 48 & -16) + (length + 48 & -16)
        count = (len(fields) if type(fields) is dict else fields.size) + 1
        if count > self.most:
            self.most = count
        if size > length:
            length = size
        if length > self.longest:
            self.longest = length
        return 1

    # Times of fields

    def become_volatile(self, clock: Clock) -> VolatileHash:
        """Let fields have times to live from now on."""
        self.times = FieldTimes(clock)
        self.__class__ = VolatileHash
        assert isinstance(self, VolatileHash)
        return self

    # What every value can do

    def encoding(self, limits: Encodings) -> bytes:
        """See value.py."""
        if max(self.most, len(self.fields)) > limits.hash_max_listpack_entries:
            return b"hashtable"
        longest = max(map(len, chain(self.fields, self.fields.values())), default=0)
        if max(self.longest, longest) > limits.hash_max_listpack_value:
            return b"hashtable"
        return b"listpackex" if self.timed else b"listpack"

    def memory(self) -> int:
        """See value.py."""
        return _EMPTY + self.held + size_of_buckets(self.fields)

    def free(self, budget: int) -> int:
        """See value.py."""
        return free_buckets(self.fields, budget)

    def copy(self) -> Hash:
        """See value.py."""
        twin = Hash()
        twin.fields = self.fields.copy()
        twin.held, twin.most, twin.longest, twin.timed = self.held, self.most, self.longest, self.timed
        return twin

    def digest_parts(self) -> Iterator[tuple[bytes, ...]]:
        """See value.py. A field that expires has a third part."""
        return iter(self.fields.items())

    def _check(self) -> None:
        """See value.py."""
        items = dict(self.fields.items())
        assert all(type(field) is bytes and type(value) is bytes for field, value in items.items())
        assert self.held == sum(bytes_of(field) + bytes_of(value) for field, value in items.items())
        if isinstance(self.fields, Table):
            self.fields._check()
        else:
            assert len(items) <= SMALL


class VolatileHash(Hash):
    """A hash some of whose fields expire."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.fields) - self.times.overdue()

    def get(self, field: bytes) -> bytes | None:
        times = self.times
        return None if times.get(field) <= times.clock.now() else self.fields.get(field)

    def get_many(self, fields: list[bytes]) -> list[bytes | None]:
        return list(map(self.get, fields))

    def live(self) -> Any:
        times = self.times
        if not times.overdue():
            return self.fields
        now, expires = times.clock.now(), times.at.get
        return {field: value for field, value in self.fields.items() if expires(field, NEVER) > now}

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        cursor, fields = super().scan(cursor, count)
        now, expires = self.times.clock.now(), self.times.at.get
        return cursor, [field for field in fields if expires(field, NEVER) > now]

    def set(self, field: bytes, value: bytes) -> int:
        times = self.times
        expired = times.get(field) <= times.clock.now()
        times.forget(field)
        return super().set(field, value) or int(expired)

    def rewrite(self, field: bytes, value: bytes) -> int:
        return self.set(field, value) if self.get(field) is None else super().set(field, value)

    def delete(self, field: bytes) -> int:
        times = self.times
        if times.get(field) <= times.clock.now():
            return 0
        times.forget(field)
        return super().delete(field)

    # Times of fields

    def end(self) -> int:
        """When the last field expires, NEVER where one does not."""
        times = self.times
        return times.latest() if len(times) == len(self.fields) else NEVER

    def drop_due(self, limit: int) -> list[bytes]:
        """Remove up to ``limit`` fields that have expired. Returns which."""
        due = self.times.due(limit)
        for field in due:
            self.times.forget(field)
            super().delete(field)
        return due

    def become_lasting(self) -> None:
        """No field expires any more."""
        del self.times
        self.__class__ = Hash  # type: ignore[assignment]

    # What every value can do

    def memory(self) -> int:
        return super().memory() + self.times.memory()

    def free(self, budget: int) -> int:
        dropped = self.times.free(budget)
        if not dropped:
            self.become_lasting()
            dropped = self.free(budget)
        return dropped

    def copy(self) -> Hash:
        twin = super().copy().become_volatile(self.times.clock)
        twin.times = self.times.copy()
        return twin

    def digest_parts(self) -> Iterator[tuple[bytes, ...]]:
        times = self.times.at
        for item in self.live().items():
            yield (*item, FIELD_EXPIRES) if item[0] in times else item

    def _check(self) -> None:
        super()._check()
        self.times._check()
        assert all(field in self.fields for field in self.times.at)


_EMPTY = (getsizeof(Hash()) + 15 & ~15) + 32
"""Bytes of a hash without what its slots hold, and of its account, an int."""
