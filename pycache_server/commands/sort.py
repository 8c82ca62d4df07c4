"""SORT: the elements of a list, set or sorted set, in order, or what other keys hold for them.

Contents: SORT SORT_RO. The kinds of value that can be sorted have ``sort_elements()``, a new list of the elements.

A pattern as in ``BY weight_*->field`` names a key, or a field of a hash, for each element, which takes the place of the
first star. Text ends at a NUL for what Redis does with C's string functions: finding the star, reading a number, and
comparing, unless the result is stored.
"""

from __future__ import annotations

from typing import Any

from pycache_server.commands.args import Options, integer, option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_sort
from pycache_server.commands.registry import DENYOOM, READONLY, WRITE, Family
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError, WrongType, c_string
from pycache_server.store.database import Database
from pycache_server.store.events import DEL, LIST, Event
from pycache_server.store.hash import Hash
from pycache_server.store.list import List
from pycache_server.store.numbers import parse_float
from pycache_server.store.set import Set
from pycache_server.store.strings import STRING_TYPES, as_bytes
from pycache_server.store.zset import SortedSet

family = Family("generic")
command = family.command

SORTSTORE = Event(LIST, b"sortstore")

_SKIPPED = {b"LIMIT": 2, b"GET": 1, b"BY": 1}


def _no_keys(argv: list[bytes]) -> list[int]:
    return []


def _destination(argv: list[bytes]) -> list[int]:
    """Where the key behind the last STORE is."""
    found: list[int] = []
    index = 2
    while index < len(argv) - 1:
        word = option_of(argv[index])
        if word == b"STORE":
            found = [index + 1]
        index += 1 + _SKIPPED.get(word, 0)
    return found


_SOURCE = KeySpec(flags=("RO", "ACCESS"))
_PATTERNS = KeySpec(
    flags=("RO", "ACCESS"),
    notes="For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of "
    "the key we sort",
    finder=_no_keys,
)
_STORE = KeySpec(
    flags=("OW", "UPDATE"),
    notes="For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the "
    "argument array",
    finder=_destination,
)


@command(
    "SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] "
    "[STORE destination]",
    WRITE,
    DENYOOM,
    since="1.0.0",
    complexity="O(N+M*log(M)), N = elements, M = elements returned",
    key_specs=(_SOURCE, _PATTERNS, _STORE),
    categories="set sortedset list dangerous",
    effect=of_sort,
)
def sort(session: Context, argv: list[bytes]) -> Any:
    """Return the elements of a list, set or sorted set in order, or store them."""
    return _sort(session, argv[1], _Wishes(session, argv, may_store=True))


@command(
    "SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    READONLY,
    since="7.0.0",
    complexity="O(N+M*log(M)), N = elements, M = elements returned",
    key_specs=(_SOURCE, _PATTERNS),
    categories="set sortedset list dangerous",
)
def sort_ro(session: Context, argv: list[bytes]) -> Any:
    """Return the elements of a list, set or sorted set in order."""
    return _sort(session, argv[1], _Wishes(session, argv, may_store=False))


class _Wishes:
    """The options.

    Raises BadSyntax, NotAnInteger, RedisError where patterns are not permitted.
    """

    __slots__ = ("alpha", "by", "count", "descending", "destination", "gets", "offset", "sorts")

    def __init__(self, session: Context, argv: list[bytes], may_store: bool) -> None:
        self.alpha = self.descending = False
        self.by: _Pattern | None = None
        self.gets: list[_Pattern] = []
        self.offset, self.count = 0, -1
        self.destination: bytes | None = None
        self.sorts = True
        options = Options(argv, 2)
        while (option := options.take()) is not None:
            if option in (b"ASC", b"DESC"):
                self.descending = option == b"DESC"
            elif option == b"ALPHA":
                self.alpha = True
            elif option == b"LIMIT" and options.left() >= 2:
                self.offset, self.count = integer(options.value()), integer(options.value())
            elif option == b"STORE" and may_store and options.left():
                self.destination = options.value()
            elif option == b"BY" and options.left():
                self.by = _Pattern(options.value())
                if self.by.varies and not session.may_read_all(argv):
                    raise RedisError(b"ERR BY option of SORT denied due to insufficient ACL permissions.")
                self.sorts = self.sorts and self.by.varies
            elif option == b"GET" and options.left():
                if not session.may_read_all(argv):
                    raise RedisError(b"ERR GET option of SORT denied due to insufficient ACL permissions.")
                self.gets.append(_Pattern(options.value()))
            else:
                options.fail()


class _Pattern:
    """What to look up for an element. Without a star nothing is found, but for ``#``, the element itself."""

    __slots__ = ("_field", "_prefix", "_suffix", "is_element", "varies")

    def __init__(self, text: bytes) -> None:
        self.is_element = c_string(text) == b"#"
        self._prefix, _, self._suffix = text.partition(b"*")
        self.varies = b"*" in c_string(text)
        self._field: bytes | None = None
        name, arrow, field = self._suffix.partition(b"->")
        if arrow and c_string(field) and b"\0" not in name:
            self._suffix, self._field = name, field

    def find(self, db: Database, element: bytes) -> bytes | None:
        """What the key of an element holds, or its field. Counts as a read."""
        if self.is_element:
            return element
        if not self.varies:
            return None
        value = db.read(self._prefix + element + self._suffix)
        if self._field is None:
            return as_bytes(value) if type(value) in STRING_TYPES else None
        return value.get(self._field) if isinstance(value, Hash) else None


def _sort(session: Context, key: bytes, wishes: _Wishes) -> Any:
    value = session.db.read(key)
    if value is not None and not isinstance(value, (List, Set, SortedSet)):
        raise WrongType
    unordered = isinstance(value, Set)
    if unordered and not wishes.sorts and (wishes.destination is not None or session.is_script):
        wishes.sorts, wishes.alpha, wishes.by = True, True, None  # so that followers, and scripts anywhere, do the same
    elements: list[Any] = [] if value is None else value.sort_elements()
    if wishes.sorts:
        elements = _in_order(session.db, elements, wishes)
    elif wishes.descending and not unordered:
        elements.reverse()
    start = max(wishes.offset, 0)
    elements = elements[start : start + wishes.count if wishes.count >= 0 else None]
    if wishes.gets:
        elements = [pattern.find(session.db, element) for element in elements for pattern in wishes.gets]
    return elements if wishes.destination is None else _store(session, wishes.destination, elements)


def _in_order(db: Database, elements: list[bytes], wishes: _Wishes) -> list[bytes]:
    """Sort by the elements or their weights: as numbers, where those that are equal follow the elements, or as text,
    where they stay as they are and elements without a weight come first.

    Raises RedisError where a weight is no number.
    """
    text_of = None if wishes.destination is not None else c_string
    if wishes.alpha and wishes.by is None:
        return sorted(elements, key=text_of, reverse=wishes.descending)
    weights: list[Any] = elements
    if wishes.by is not None:
        weights = [wishes.by.find(db, element) for element in elements]
    if not wishes.alpha:
        scores = [0.0 if weight is None else _score(weight) for weight in weights]
        return [element for _, element in sorted(zip(scores, elements, strict=True), reverse=wishes.descending)]
    if text_of is not None:
        weights = [None if weight is None else text_of(weight) for weight in weights]
    ranks = [(weight is not None, weight) for weight in weights]
    order = sorted(range(len(elements)), key=ranks.__getitem__, reverse=wishes.descending)
    return [elements[place] for place in order]


_BLANKS = b" \t\n\v\f\r"
_LEAST_NORMAL = 2.0**-1022


def _score(text: bytes) -> float:
    """The number that C's ``strtod`` finds in all of ``text``.

    Raises RedisError.
    """
    text = c_string(text)
    if not text:
        return 0.0
    value = parse_float(text.lstrip(_BLANKS))
    if value is None or 0 < abs(value) < _LEAST_NORMAL:
        raise RedisError(b"ERR One or more scores can't be converted into double")
    return value


def _store(session: Context, destination: bytes, elements: list[bytes | None]) -> int:
    """Set a key to a list of the elements, empty strings for what was not found, or delete it where there are none."""
    if elements:
        fill = session.keyspace.encodings.list_max_listpack_size
        session.db.put(destination, List.built([element or b"" for element in elements], fill), SORTSTORE)
        session.db.dirty += len(elements) - 1
    else:
        session.db.delete(destination, DEL)
    return len(elements)
