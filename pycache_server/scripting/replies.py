"""Replies of commands as Lua gets them: each kind of RESP as Redis turns it into Lua's values.

In RESP2 that is: integers are numbers, bulk strings are strings, nulls are ``false``, arrays are tables, statuses are
tables with ``ok`` and errors such with ``err``. In RESP3 (redis.setresp) nulls are ``nil``, booleans are booleans, and
maps, sets, doubles, big numbers and verbatim strings are tables with a field of that name.

What is common is converted directly (calls.py); everything else is encoded as for a client first, so that there is one
place only that knows what a command's value is in either version of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MakeTable = Callable[..., Any]
"""Makes a table of Lua's of a list, whose elements get the keys 1, 2, ..., or of a dict."""


def from_wire(data: bytes, make: MakeTable) -> Any:
    """The value of Lua's for a reply in RESP."""
    return _Reader(data, make).read()


class _Reader:
    """Reads values from bytes, which are complete."""

    def __init__(self, data: bytes, make: MakeTable) -> None:
        self._data = data
        self._at = 0
        self._make = make

    def read(self) -> Any:
        """The next value."""
        stop = self._data.index(b"\r\n", self._at)
        kind, line = self._data[self._at : self._at + 1], self._data[self._at + 1 : stop]
        self._at = stop + 2
        if kind == b"$":
            return False if line == b"-1" else self._take(int(line))
        if kind == b":":
            return int(line)
        if kind == b"*":
            return False if line == b"-1" else self._array(int(line))
        if kind == b"_":
            return None
        if kind == b"#":
            return line == b"t"
        if kind == b"|":  # an attribute: Lua gets what it belongs to
            for _ in range(2 * int(line)):
                self.read()
            return self.read()
        return self._table_of(kind, line)

    def _table_of(self, kind: bytes, line: bytes) -> Any:
        """The value of a kind that is a table with a name in Lua."""
        make = self._make
        if kind == b"+":
            return make({b"ok": line})
        if kind == b"-":
            return make({b"err": line, b"ignore_error_stats_update": True})
        if kind == b",":
            return make({b"double": float(line)})
        if kind == b"(":
            return make({b"big_number": line})
        if kind == b"=":
            text = self._take(int(line))
            return make({b"verbatim_string": make({b"format": text[:3], b"string": text[4:]})})
        if kind == b"%":
            pairs = [(self.read(), self.read()) for _ in range(int(line))]
            return make({b"map": make({key: value for key, value in pairs if key is not None and value is not None})})
        if kind == b"~":
            members = [self.read() for _ in range(int(line))]
            return make({b"set": make(dict.fromkeys((each for each in members if each is not None), True))})
        return self._array(int(line))

    def _array(self, count: int) -> Any:
        values = [self.read() for _ in range(count)]
        if None in values:
            return self._make({place: value for place, value in enumerate(values, 1) if value is not None})
        return self._make(values)

    def _take(self, size: int) -> bytes:
        text = self._data[self._at : self._at + size]
        self._at += size + 2
        return text
